"""New settings from their first sight to the end of their trial: put together, checked, taken up by all, kept or taken back."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from appliance.app.intake import Intake, publisher_of
from appliance.app.one_box import has_room
from appliance.app.places import state_of
from appliance.app.trial import LOOK, SETTLED, Parts, judge
from appliance.core.documents import Floor, expired, kind_of, scopes_of
from appliance.core.events import EventName, Severity
from appliance.core.rollout import MOST_ATTEMPTS, Change, State, Trial, Verdict, change_of
from appliance.health.journal import Journal
from appliance.provisioning.candidate import Candidate, compose
from appliance.provisioning.fetch import Fetcher
from appliance.provisioning.files import Files, Loaded
from appliance.provisioning.ledger import Ledger
from appliance.provisioning.network import Network, NetworkError
from appliance.provisioning.sets import Layer, Sets, digest_of
from appliance.settings import Settings
from appliance.settings.describe import effects, entries, toml_value

_SETTINGS = Path("var/lib/kontor/settings")
_MOST_TOLD = 20
"""Changed settings, and problems, that are told one by one."""
_LONGEST_LINE = 400
_DISK_AGAIN = 5.0


class Rollout:
    """One round after the other: everything that may have changed is looked at, and what is new is tried."""

    def __init__(
        self,
        files: Files,
        journal: Journal,
        network: Network,
        root: Path,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._journal, self._network, self._root = files, journal, network, root
        self._now, self._clock = now, clock
        self._sets = Sets(root / _SETTINGS)
        self._ledger = Ledger(state_of(files.current.settings, "provision"))
        self.intake = Intake(root, journal, self._remember_floors, now)
        self.trouble: Callable[[], str] = str
        """What else FAULT is to tell; "" for nothing."""
        self._parts = Parts(Path(files.current.settings.device.runtime_dir), clock)
        self._kept: tuple[Layer, ...] = ()
        self._seen: object = None
        """What the last candidate was made of."""
        self._candidate: Candidate | None = None
        self._asked = self._cut_off = False
        self._disk = ""
        """Why the disk does not take what has to be on it; empty: it does."""

    def as_dict(self) -> Mapping[str, object]:
        """How the device stands to its settings, for status and reports; without a secret."""
        remembered = self._ledger.remembered
        documents = [layer.document for layer in self._kept if layer.document is not None]
        times = [document.expires for document in documents if document.expires is not None]
        return {
            "state": str(remembered.state),
            "versions": {kind_of(document.scope): document.version for document in documents},
            "signed_by": {kind_of(document.scope): document.key for document in documents},
            "group": self._files.current.settings.provisioning.group,
            "digest": self._files.current.digest,
            "since": remembered.since,
            "why": remembered.why or self._disk,
            "expires": min(times, default=None),
            "expired": any(expired(each, self._now()) for each in times),
            "faults": list(self.intake.faults),
        }

    async def begin(self) -> None:
        """Remember what was kept, and take a trial that was cut off back, before anybody else reads what was tried."""
        damaged = await asyncio.to_thread(self._ledger.load)
        if damaged:
            self._journal.tell(EventName.SETTINGS_NOT_STORED, why=damaged)
        active, good = self._sets.linked("active"), self._sets.linked("good")
        self._kept = await asyncio.to_thread(self._read, good)
        self.intake.remember(self._kept)
        self._files.current = replace(self._files.current, digest=good)
        self._cut_off = active != good or self._ledger.remembered.state is State.TRYING
        if active != good:
            self._journal.tell(EventName.SETTINGS_REVERTED, digest=active, why="the trial was cut off")
            with contextlib.suppress(OSError):  # a disk that refuses is waited for by settle(), not here
                await asyncio.to_thread(self._sets.point, "active", good)
        if self._cut_off:
            await self._note(state=State.KEPT if good else State.DEFAULTS)

    async def settle(self) -> None:
        """Take up what was kept, with all its parts, and with the network."""
        good = self._files.current.digest
        if self._sets.linked("active") != good:
            await self._until_stored(self._sets.point, "active", good)
        if self._cut_off:
            self._take_up(await asyncio.to_thread(self._files.load_or_salvage))
            await self._all_back(good, gate=True)  # those that have run on
            await self._parts.on_trial(False)
        # The machine's own file may have changed too, and time servers are forgotten with every start.
        await self._settle_network(self._files.current)

    def try_again(self) -> None:
        """Somebody asks by hand: what did not work before may work now, and the machine's own files may be others."""
        self._asked, self._seen = True, None
        self._ledger.forget_refused()

    async def round(self, *, fetches: bool) -> None:
        """Look at everything once, and try what is new.

        :param fetches: look at what is published, too.
        """
        await self._look(fetches=fetches)
        candidate = await self._compose()
        remembered = self._ledger.remembered
        if candidate.digest == digest_of(self._kept):
            await self._holds(candidate)
        elif candidate.digest != remembered.refused and not self._disk:
            await self._consider(candidate)
            if not self._disk:
                self.intake.forget_nearby(candidate.layers, self._kept)
        await self._reconcile()

    async def _holds(self, candidate: Candidate) -> None:
        """What was kept is what is wanted. It may not fit any more, after an update or a change of the machine's own files."""
        remembered = self._ledger.remembered
        asked, self._asked = self._asked, False
        if candidate.settings is None:
            if remembered.why != _bounded(candidate.why):
                await self._refuse(candidate, candidate.why)
            return
        if self.intake.up_to_date and remembered.state in (State.REVERTED, State.REFUSED):
            await self._note(state=State.KEPT if self._kept else State.DEFAULTS, why="", refused="")
        if asked:  # the machine's own files are not tried, but taken up when somebody says so
            self._tell_changes(self._files.current.settings, candidate.settings)
            self._take_up(Loaded(candidate.settings, candidate.digest))
            await self._parts.reload()

    # ---- what is new

    async def _look(self, *, fetches: bool) -> None:
        """Whatever the disk did not take is tried again here."""
        try:
            await self.intake.look_at_boot()
            if fetches:
                await self.intake.fetch(self._files.current.settings, self._ledger.remembered.floors)
                await asyncio.to_thread(self._ledger.store)
                self.intake.tell_expired(self._kept)
        except OSError as error:
            self._refuses(error)
        else:
            self._disk = "" if fetches else self._disk

    def _remember_floors(self, floors: Mapping[str, Floor]) -> None:
        self._ledger.change(floors=dict(floors))

    async def _compose(self) -> Candidate:
        """What everything comes to; put together only when something of it is another than before."""
        seen = (self.intake.layers, dict(self.intake.documents), self.intake.problems)
        if self._candidate is None or seen != self._seen:
            self._candidate = await asyncio.to_thread(
                compose,
                self._root,
                self.intake.layers,
                self.intake.documents,
                self._network.check,
                self.intake.problems,
            )
            self._seen = seen
        return self._candidate

    async def _consider(self, candidate: Candidate) -> None:
        remembered = self._ledger.remembered
        if candidate.settings is None:
            await self._refuse(candidate, candidate.why)
        elif remembered.trying == candidate.digest and remembered.attempts >= MOST_ATTEMPTS:
            await self._refuse(candidate, f"its trial was cut off {MOST_ATTEMPTS} times")
        else:
            await self._try(candidate, candidate.settings)

    async def _refuse(self, candidate: Candidate, why: str) -> None:
        for line in _bounded(why).split("\n"):
            self._journal.tell(EventName.SETTINGS_REFUSED, digest=candidate.digest, why=line)
        await self._note(state=State.REFUSED, refused=candidate.digest, why=why)

    # ---- a trial

    async def _try(self, candidate: Candidate, new: Settings) -> None:
        before = self._files.current
        change = change_of(effects(before.settings, new))
        parts, in_room = await self._parts.settled(before.digest)
        remembered = self._ledger.remembered
        attempts = remembered.attempts + 1 if remembered.trying == candidate.digest else 1
        try:
            await asyncio.to_thread(self._prepare, candidate, attempts)
        except OSError as error:
            self._refuses(error)
            return
        self._tell_changes(before.settings, new)
        self._journal.tell(EventName.SETTINGS_TRIED, digest=candidate.digest, gate="closed" if change.gate else "open")
        trial = Trial(
            candidate.digest,
            parts,
            in_room,
            # Where nothing came from before, nothing can be lost: a card names a place before anything is published there.
            change.fetch and self.intake.reached and publisher_of(new) is not None,
            self._clock(),
            max(before.settings.provisioning.confirm_s, new.provisioning.confirm_s),
        )
        try:
            why = await self._on_trial(trial, change, new)
        except OSError as error:
            # Not the settings are wrong: they are tried again when the disk takes them, though not for ever.
            self._refuses(error)
            await self._revert(trial, change, before, self._disk, {})
            if change.network:  # it may have been kept just before the disk refused
                await self._settle_network(before)
        else:
            if why:
                await self._revert(trial, change, before, why, {"refused": trial.digest, "trying": "", "attempts": 0})
            else:
                await self._keep(candidate)
        if change.gate:
            await self._parts.on_trial(False)

    def _prepare(self, candidate: Candidate, attempts: int) -> None:
        if candidate.layers:
            self._sets.add(candidate.layers)
        self._ledger.change(state=State.TRYING, trying=candidate.digest, attempts=attempts, since=int(self._now()))

    async def _on_trial(self, trial: Trial, change: Change, new: Settings) -> str:
        """The trial from its first step to its last; returns why it has failed, or "".

        :raises OSError: the disk does not take it.
        """
        try:
            if change.network:
                await self._network.apply(new)
            await asyncio.to_thread(self._sets.point, "active", trial.digest)
            self._take_up(Loaded(new, trial.digest))
            trial.began = self._clock()
            verdict = await judge(
                trial, self._parts, closes_gate=change.gate, fetch=lambda: self._reach(new), clock=self._clock
            )
            if verdict is Verdict.REVERT:
                return trial.why
            if change.network:
                await self._network.keep()
            await asyncio.to_thread(self._sets.point, "good", trial.digest)
        except NetworkError as error:
            return str(error)
        return ""

    async def _keep(self, candidate: Candidate) -> None:
        self._kept = candidate.layers
        state = State.KEPT if candidate.layers else State.DEFAULTS
        await self._note(state=state, why="", refused="", trying="", attempts=0)
        self._journal.tell(EventName.SETTINGS_KEPT, digest=candidate.digest or "none")
        try:
            await asyncio.to_thread(self.intake.forget_secrets, [layer.content for layer in self._kept])
        except OSError as error:
            self._refuses(error)

    async def _revert(
        self, trial: Trial, change: Change, before: Loaded, why: str, noted: Mapping[str, object]
    ) -> None:
        """Back to what was kept, in the order of the trial; the gate stays closed until the old settings hold."""
        if change.network:
            try:
                await self._network.revert()
            except NetworkError as error:
                why = f"{why}; {error}"
        await self._until_stored(self._sets.point, "active", before.digest)
        self._take_up(before)
        await self._note(state=State.REVERTED, why=why, **noted)
        self._journal.tell(EventName.SETTINGS_REVERTED, digest=trial.digest, why=why)
        await self._all_back(before.digest, trial.parts, gate=change.gate)

    async def _all_back(self, digest: str, parts: Collection[str] = (), *, gate: bool) -> None:
        """Wait until ``parts``, and whoever else answers, run with what holds again; the gate is closed meanwhile."""
        end = self._clock() + SETTLED
        while self._clock() < end:
            if gate:
                await self._parts.on_trial(True)
            seen = await self._parts.look(digest)
            if all(seen.digests.get(part) == digest for part in {*parts, *seen.digests}):
                return
            await asyncio.sleep(LOOK)

    def _take_up(self, loaded: Loaded) -> None:
        """What this process itself runs with."""
        runtime = Path(self._files.current.settings.device.runtime_dir)
        self._files.current = loaded
        self._journal.least = Severity[loaded.settings.log.level.name]
        if Path(loaded.settings.device.runtime_dir) != runtime:
            self._parts = Parts(Path(loaded.settings.device.runtime_dir), self._clock)

    async def _reach(self, new: Settings) -> bool:
        """Whether something genuine comes from where these settings say, in these settings' network."""
        place = publisher_of(new)
        if place is None:
            return True
        fetcher = Fetcher(place, self._now, self.intake.documents, self._ledger.remembered.floors)
        look = await fetcher.look(scopes_of(new.provisioning.group, new.device.identity))
        return look.reached

    # ---- always

    async def _reconcile(self) -> None:
        """Whoever runs with other settings than those in force is told, be it that it was not there when they changed."""
        await self._parts.look(self._files.current.digest)
        remembered = self._ledger.remembered
        if remembered.why:
            await self._parts.show(f"settings {remembered.state}: {remembered.why}")
        elif needs(self._files.current.settings):
            await self._parts.show(f"needs {needs(self._files.current.settings)}")
        elif self.trouble():
            await self._parts.show(self.trouble())

    async def _settle_network(self, loaded: Loaded) -> None:
        if loaded.salvaged:
            return  # what cannot be read names no network, and that is no wish to have none
        try:
            await self._network.apply(loaded.settings)
            await self._network.keep()
        except NetworkError as error:
            self._journal.tell(EventName.SETTINGS_REVERTED, digest="network", why=str(error))

    def _read(self, digest: str) -> tuple[Layer, ...]:
        try:
            return self._sets.read(digest) if digest else ()
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._journal.tell(EventName.SETTINGS_NOT_STORED, why=f"what was kept cannot be read: {error}")
            return ()

    async def _note(self, **fields: object) -> None:
        """Remember; what the disk does not take now is stored later."""
        if "why" in fields:
            fields["why"] = _bounded(str(fields["why"]))
        if "state" in fields and fields["state"] != self._ledger.remembered.state:
            fields["since"] = int(self._now())
        try:
            await asyncio.to_thread(lambda: self._ledger.change(**fields))
        except OSError as error:
            self._refuses(error)

    async def _until_stored(self, step: Callable[..., None], *given: object) -> None:
        while True:
            try:
                await asyncio.to_thread(step, *given)
            except OSError as error:
                self._refuses(error)
                await asyncio.sleep(_DISK_AGAIN)
            else:
                self._disk = ""
                return

    def _refuses(self, error: OSError) -> None:
        why = f"the disk does not take what has to be on it ({error.strerror or error})"
        if why != self._disk:
            self._journal.tell(EventName.SETTINGS_NOT_STORED, why=str(error))
        self._disk = why

    def _tell_changes(self, old: Settings, new: Settings) -> None:
        """The diff, before anything is done."""
        before = {entry.key: entry.value for entry in entries(old)}
        after = {entry.key: entry.value for entry in entries(new)}
        changed = effects(old, new)
        for key, effect in list(changed.items())[:_MOST_TOLD]:
            self._journal.tell(
                EventName.SETTINGS_CHANGED,
                key=key,
                was=_shown(before.get(key)),
                now=_shown(after.get(key)),
                effect=effect,
            )
        if len(changed) > _MOST_TOLD:
            self._journal.tell(EventName.SETTINGS_CHANGED, more=len(changed) - _MOST_TOLD)


def _bounded(why: str) -> str:
    """Whatever a part or a file has to say, in a length that status, ledger and journal take."""
    lines = why.split("\n")
    more = [f"and {len(lines) - _MOST_TOLD} more"] if len(lines) > _MOST_TOLD else []
    return "\n".join([line[:_LONGEST_LINE] for line in lines[:_MOST_TOLD]] + more)


def needs(settings: Settings) -> str:
    """What the device cannot do without, in words; empty: nothing."""
    return "" if has_room(settings) else "a room"


def _shown(value: object) -> str:
    return "not set" if value is None else toml_value(value)
