"""Looks after the device, in provision: what does not mend itself is restarted, and at last the machine (core/recovery.py).

Sound and link are asked over their status sockets and end by themselves when they are told to; whoever started them starts
them anew. One that does not answer is systemd's business, by its watchdog, until a reboot is the only thing left.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from appliance.app.neighbours import Neighbours, Said
from appliance.app.one_box import is_elsewhere
from appliance.core.controls import Reason
from appliance.core.events import EventName
from appliance.core.recovery import Decision, Ill, Ladder, Step
from appliance.health.journal import Journal
from appliance.provisioning.power import NotDone, Power
from appliance.settings import AudioBackend, Settings
from appliance.settings.store import atomic_write

EVERY = 10.0
"""Seconds between two looks."""
FILE = "recovery.json"
_SEEKING = frozenset({"connecting", "reconnecting"})
_MOST_IN_VAIN = 1000


class Caretaker:
    """Run :meth:`run` beside the rest of provision.

    :param settings: gives those in force now.
    :param trying: whether settings are on trial: then nothing is mended.
    :param state: the folder of provision's state.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        journal: Journal,
        power: Power,
        *,
        trying: Callable[[], bool],
        state: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._journal, self._power, self._trying = settings, journal, power, trying
        self._file, self._clock = state / FILE, clock
        self._neighbours = Neighbours(settings().device.runtime_dir, clock)
        self.ladder = Ladder(self._in_vain())
        self._steps = dict.fromkeys(Step, 0)
        self._last = ""
        self._answered: set[str] = set()
        self._told: set[Ill] = set()

    async def run(self) -> None:
        """Look and mend until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    def as_dict(self) -> Mapping[str, object]:
        """For the status of provision."""
        return {
            "ills": {ill.value: round(self._clock() - since) for ill, since in self.ladder.ills.items()},
            "steps": {step.value: count for step, count in self._steps.items()},
            "last": self._last,
            "in_vain": self.ladder.in_vain,
        }

    async def look(self) -> None:
        """One look, and what follows from it."""
        if self._trying():
            self.ladder.pause()
            return
        before, known = self.ladder.in_vain, set(self.ladder.ills)
        ills = await self._ills()
        decisions = self.ladder.look(ills, self._clock(), self._power.uptime())
        for ill in (known - ills) & self._told:
            self._journal.tell(EventName.RECOVERED, why=ill.value)
        self._told &= ills
        if self.ladder.in_vain != before:
            await self._keep(self.ladder.in_vain)
        for decision in decisions:
            await self._take(decision)

    async def _take(self, decision: Decision) -> None:
        self._told.add(decision.ill)
        self._steps[decision.step] += 1
        self._last = f"{decision.step.value}: {decision.ill.value} for {decision.seconds:.0f} s"
        fields = {"step": decision.step.value, "why": decision.ill.value, "seconds": round(decision.seconds)}
        if decision.step is Step.REBOOT:
            await self._reboot(fields)
            return
        self._journal.tell(EventName.RECOVERING, **fields)
        part, how = {
            Step.REJOIN: ("link", "rejoin"),
            Step.RESTART_LINK: ("link", "restart"),
            Step.RESTART_SOUND: ("sound", "restart"),
        }[decision.step]
        await self._neighbours.tell(part, {"do": "mend", "how": how})

    async def _reboot(self, fields: Mapping[str, object]) -> None:
        """Counted as in vain until the machine is well after it; one that cannot be counted could come every hour, so not."""
        if not await self._keep(self.ladder.in_vain + 1):
            self._journal.tell(EventName.REBOOT_REFUSED, error="it cannot be stored that it was tried", **fields)
            return
        self._journal.tell(EventName.REBOOTING, **fields)
        try:
            await self._power.reboot()
        except NotDone as error:
            self._journal.tell(EventName.REBOOT_REFUSED, error=str(error), **fields)
            await self._keep(self.ladder.in_vain)

    async def _ills(self) -> frozenset[Ill]:
        settings = self._settings()
        sound, link = await self._neighbours.ask("sound"), await self._neighbours.ask("link")
        seeks = link.get("phase") in _SEEKING
        found = {
            Ill.SOUND: await self._is_gone("sound", sound),
            Ill.LINK: await self._is_gone("link", link),
            Ill.CARD: _card_is_lost(settings, sound),
            Ill.EXCHANGE: any(said.get("exchange_connected") is False for said in (sound, link))
            and bool(sound and link),
            Ill.ROOM: seeks,
            Ill.NETWORK: False,
        }
        if seeks and is_elsewhere(settings) and not self._power.has_route():
            found |= {Ill.ROOM: False, Ill.NETWORK: True}  # nothing that is done to link helps
        return frozenset(ill for ill, holds in found.items() if holds)

    async def _is_gone(self, part: str, said: Said) -> bool:
        """Whether a part that once answered does not, although nobody stopped it."""
        if said:
            self._answered.add(part)
            return False
        return part in self._answered and not await self._power.is_off(f"kontor-{part}.service")

    def _in_vain(self) -> int:
        with suppress(OSError, ValueError, KeyError, TypeError):
            return min(_MOST_IN_VAIN, max(0, int(json.loads(self._file.read_text())["in_vain"])))
        return 0

    async def _keep(self, in_vain: int) -> bool:
        """Store how many reboots did not help; returns whether it is on the disk."""
        content = json.dumps({"in_vain": in_vain, "last": self._last}).encode()
        try:
            await asyncio.to_thread(atomic_write, self._file, content)
        except OSError:
            return False
        return True


def _card_is_lost(settings: Settings, sound: Said) -> bool:
    real = settings.audio.backend is AudioBackend.ALSA
    reasons = sound.get("reasons", ())
    return real and Reason.AUDIO.word in reasons and Reason.STARTING.word not in reasons
