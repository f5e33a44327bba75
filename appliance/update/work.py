"""What ``kontor-update@.service`` does: apply, confirm or roll back, once, and tell how it went in a small file.

The record of the slots decides what starts; what is remembered beside it (:class:`~appliance.provisioning.ledger.Ledger`) only
keeps a bundle that did not prove itself from being tried for ever, and an old pointer from being followed.
"""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from appliance.core import boot_slots
from appliance.core.boot_slots import Name, other
from appliance.core.documents import ON_THE_WAY, Floor, NotTaken, Why
from appliance.core.events import EventName
from appliance.core.rollout import State as Course
from appliance.core.updating import MOST_ATTEMPTS, Bundle, State, judge_bundle, judge_index
from appliance.health.journal import Journal
from appliance.provisioning.ledger import Ledger
from appliance.settings.store import atomic_write
from appliance.update.slots import RecordFile, look_here, room_in
from appliance.update.source import Offer, index_of, probe
from appliance.update.write import write_slot

STATUS = "status.json"
_LARGEST_STATUS = 64 * 1024
_TELL = 1.0
"""Seconds between two notes of how far it is."""
_READABLE = 0o644

Find = Callable[[Mapping[str, Floor]], Awaitable[Offer | None]]
"""Looks for a bundle, told the newest pointers ever seen; None: nothing is published."""


def read_status(folder: Path) -> dict[str, Any]:
    """What was told last, in the folder of :class:`Updater`; empty: nothing since the start of the machine."""
    try:
        with (folder / STATUS).open("rb") as file:
            found = json.loads(file.read(_LARGEST_STATUS))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class Updater:
    """One use, one act. The loop is nobody else's: what is read and written may block.

    :param root: where devices and files of the machine are looked for.
    :param state: the folder of what is remembered.
    :param runtime: the folder in which it tells how it is; it is empty after a start of the machine.
    """

    def __init__(
        self,
        root: Path,
        slot: Name,
        *,
        state: Path,
        runtime: Path,
        journal: Journal,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._root, self._runtime, self._journal, self._now = root, runtime, journal, now
        self._here = look_here(root, slot)
        self._record = RecordFile(root, slot)
        self._ledger = Ledger(state)
        self._ledger.load()  # one that cannot be read is as good as none: the record decides what starts
        self._before = read_status(runtime)
        self._facts: dict[str, object] = {}
        self._told = 0.0

    def confirm(self, *, full: bool) -> None:
        """The running slot works, and has all its starts again; one on trial only if it has proved itself in ``full``.

        :raises OSError: the card refuses.
        """
        slot, record = self._here.slot, self._record.read()
        self._take_note_of_fall(record)
        if boot_slots.on_trial(record, slot) and not full:
            self._tell(State.ON_TRIAL)
            return
        kept = boot_slots.kept(record, slot)
        if kept is not record:
            self._record.write(kept)
        if self._ledger.remembered.state is Course.TRYING and self._tried(self._here.built):
            self._note(state=Course.KEPT, attempts=0, why="")
            self._journal.tell(EventName.UPDATE_KEPT, version=self._here.version, slot=slot)
        self._tell_rest()

    def roll_back(self, reason: str, *, by_hand: bool) -> bool:
        """Have the other slot started next time, and not come back here. Returns whether it is so.

        :param by_hand: somebody wants it, so that this version is not tried again by itself.
        :raises OSError: the card refuses.
        """
        slot, record = self._here.slot, self._record.read()
        if not record.slots[other(slot)].good:
            self._tell(State.FAILED, "There is no other version to go back to.")
            return False
        self._record.write(boot_slots.left(record, slot, reason))
        self._give_up(self._here.built, reason, for_good=by_hand)
        self._journal.tell(EventName.UPDATE_LEFT, version=self._here.version, slot=slot, why=reason)
        self._tell(State.LEFT, reason)
        return True

    async def apply(self, find: Find, *, again: bool) -> None:
        """Look for a bundle, and write it into the other slot if it is newer than what runs. Never raises for what it finds.

        :param again: also one that did not prove itself.
        """
        if again:
            self._ledger.forget_refused()
        self._tell(State.WORKING)
        try:
            offer = await find(self._ledger.remembered.floors)
            if offer is None:
                self._tell(State.UP_TO_DATE)
            else:
                await self._take(offer)
        except NotTaken as fault:
            self._not_taken(fault)
        except OSError as error:
            self._failed("storage", f"The card refuses: {error}.")

    async def _take(self, offer: Offer) -> None:
        slot, bundle, record = self._here.slot, offer.bundle, self._record.read()
        if offer.floors and offer.floors != self._ledger.remembered.floors:
            self._ledger.change(floors=offer.floors)
        self._facts["found"] = bundle.version
        newer = judge_bundle(bundle, self._here, room_in(self._root, other(slot)))
        if boot_slots.leaving(record, slot):
            # Either an update is ready already, or somebody has gone back: one start first.
            self._tell_rest()
        elif not newer:
            self._note(state=Course.KEPT, why="")
            self._tell(State.UP_TO_DATE)
        elif self._ledger.remembered.refused == str(bundle.built):
            self._tell(State.LEFT, self._ledger.remembered.why)
        elif not record.slots[slot].good:
            self._failed("not_now", f"Version {self._here.version} has not proved itself yet: that comes first.")
        else:
            await self._write(offer)

    async def _write(self, offer: Offer) -> None:
        slot, bundle = self._here.slot, offer.bundle
        index = await index_of(offer)
        places = judge_index(bundle, index)
        await probe(offer)
        self._facts["size"] = bundle.blocks_size + len(index)
        self._journal.tell(EventName.UPDATE_STARTED, version=bundle.version, slot=other(slot))
        self._record.write(boot_slots.opened(self._record.read(), other(slot)))

        def told(done: int, of: int) -> None:
            self._facts |= {"blocks": done, "of": of, "fetched": offer.files.fetched}
            if time.monotonic() - self._told >= _TELL:
                self._tell(State.WORKING)

        await write_slot(self._root, slot, offer, index, places, told)
        self._record.write(boot_slots.flipped(self._record.read(), other(slot)))
        self._flipped(bundle)
        self._journal.tell(EventName.UPDATE_READY, version=bundle.version, fetched=offer.files.fetched)
        self._tell(State.READY)

    def _flipped(self, bundle: Bundle) -> None:
        attempts = self._ledger.remembered.attempts + 1 if self._tried(bundle.built) else 1
        self._note(state=Course.TRYING, trying=str(bundle.built), attempts=attempts, why="")

    def _tried(self, built: int) -> bool:
        """Whether the last update that was written is the one of then."""
        return self._ledger.remembered.trying == str(built)

    def _take_note_of_fall(self, record: boot_slots.Record) -> None:
        """An update that was written, and is neither running nor about to be started, did not come up."""
        remembered = self._ledger.remembered
        fell = remembered.state is Course.TRYING and not self._tried(self._here.built)
        if not fell or boot_slots.leaving(record, self._here.slot):
            return
        why = f"The new version did not come up{f' ({record.reason})' if record.reason else ''}."
        self._give_up(int(remembered.trying or 0), why, for_good=False)
        self._journal.tell(EventName.UPDATE_LEFT, slot=other(self._here.slot), why=why)

    def _give_up(self, built: int, why: str, *, for_good: bool) -> None:
        spent = for_good or self._ledger.remembered.attempts >= MOST_ATTEMPTS
        refused = {"refused": str(built)} if spent else {}
        self._note(state=Course.REVERTED, why=why, **refused)

    def _note(self, **fields: object) -> None:
        """Remember it. The record is on the card already: a data partition that refuses must not undo that."""
        with suppress(OSError):
            self._ledger.change(since=int(self._now()), **fields)

    def _not_taken(self, fault: NotTaken) -> None:
        text = str(fault)
        if fault.why in ON_THE_WAY | {Why.CUT_OFF, Why.MISSING}:
            self._failed(fault.why, text)
            return
        if text != self._ledger.remembered.why:
            self._journal.tell(EventName.UPDATE_REFUSED, kind=fault.why, why=text)
        self._note(state=Course.REFUSED, why=text)
        self._tell(State.REFUSED, text, fault.why)

    def _failed(self, kind: str, why: str) -> None:
        if self._before.get("kind") != kind:  # the same once an hour tells nobody anything
            self._journal.tell(EventName.UPDATE_FAILED, kind=kind, why=why)
        self._tell(State.FAILED, why, kind)

    def _tell_rest(self) -> None:
        """How it is while nothing is done."""
        remembered, record = self._ledger.remembered, self._record.read()
        if boot_slots.leaving(record, self._here.slot) and remembered.state is Course.TRYING:
            self._tell(State.READY)
        elif remembered.state is Course.REVERTED:
            self._tell(State.LEFT, remembered.why)
        elif remembered.state is Course.REFUSED:
            self._tell(State.REFUSED, remembered.why, self._before.get("kind", ""))
        else:
            self._tell(State.UP_TO_DATE)

    def _tell(self, state: State, why: str = "", kind: str = "") -> None:
        """Write how it is, for provision and whoever asks it."""
        record, slot = self._record.read(), self._here.slot
        told = {
            "state": state.value,
            "why": why,
            "kind": str(kind),
            "slot": slot,
            "version": self._here.version,
            "built": self._here.built,
            "next": boot_slots.next_start(record)[0],
            "back": record.slots[other(slot)].good,
            "fell": record.reason,
            **self._facts,
        }
        atomic_write(self._runtime / STATUS, json.dumps(told).encode(), _READABLE)
        self._told = time.monotonic()
