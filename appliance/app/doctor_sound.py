"""The doctor's look at the sound card: whether it is there and may be used, and what it hears of what it plays.

Nothing is played or heard while ``kontor sound`` has the card, nor while the room is muted: the stored mute and the panel are
asked first, and a mute ends it. What was heard is thrown away; figures are left.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.app.booth import Booth, Muted, Unpressed
from appliance.app.doctor_findings import Finding
from appliance.app.doctor_listen import Heard, Listening, Plan
from appliance.app.doctor_sound_findings import judge
from appliance.app.hearing import array_of
from appliance.app.panels import make_panel
from appliance.app.process import NotAllowed
from appliance.app.sound import STATUS, make_card
from appliance.audio import inventory
from appliance.audio.choice import choose
from appliance.audio.port import SoundCard
from appliance.core.arrays import MONO, Array
from appliance.core.echo_path import MS, Channel
from appliance.health.journal import Journal
from appliance.health.status import ask
from appliance.panel.none import NoPanel
from appliance.panel.port import Panel
from appliance.settings import Settings
from appliance.settings.model import AudioBackend

Note = Callable[[Finding], None]
_LOOK = 0.1
_STOPPED = 3.0
"""Seconds without sound after which the card counts as stopped."""


class Examination:
    """Everything that the doctor does with the sound card. ``card`` and ``panel`` can be given, for tests."""

    def __init__(
        self, settings: Settings, journal: Journal, card: SoundCard | None = None, panel: Panel | None = None
    ) -> None:
        self._settings, self._journal, self._card, self._panel = settings, journal, card, panel
        self.heard: Heard | None = None
        """What was measured, if it came to that."""
        self.array: Array = MONO
        """What the card is taken for."""

    async def run(self, note: Note, listening: Listening | None = None) -> list[Finding]:
        """Look, play, listen; ``note`` is given each finding as it is made."""
        found: list[Finding] = []

        def told(finding: Finding) -> None:
            found.append(finding)
            note(finding)

        if await self._is_free(told):
            await self._listen(told, listening or Listening(Plan()))
        return found

    def figures(self) -> dict[str, object]:
        """What was measured, for programs: levels in dBov, times in ms; empty: nothing was."""
        if self.heard is None:
            return {}
        heard = self.heard
        return {
            "array": self.array.name,
            "microphones": [number + 1 for number in self.array.microphones],
            "round_trip_ms": _rounded(heard.round_trip_ms),
            "hidden_ms": _rounded(heard.hidden_ms),
            "drift_ppm": _rounded(heard.drift_ppm),
            "interruptions": len(heard.jumps),
            "channels": [_figures(channel) for channel in heard.channels],
        }

    async def _is_free(self, note: Note) -> bool:
        audio = self._settings.audio
        sound = await asyncio.to_thread(running, Path(self._settings.device.runtime_dir))
        if sound:
            way_out = "Stop it for a minute (kontor run, or its service), and ask again: kontor doctor --sound"
            reasons = ", ".join(map(str, sound.get("reasons") or ["open"]))
            note(Finding("card", "skipped", f"kontor sound runs and has the card; its gate: {reasons}.", way_out))
            degraded = (sound.get("front_end") or {}).get("degraded")
            if degraded:
                way_out = "kontor status --json has the counters; the guide of sound tells what to do."
                note(Finding("chain", "warning", f"The front end works less well than it could: {degraded}.", way_out))
            return False
        if audio.backend is AudioBackend.VIRTUAL and self._card is None:
            way_out = (
                '[audio] backend = "alsa", with capture = "auto" and playback = "auto"; kontor devices lists the cards.'
            )
            note(Finding("card", "skipped", 'There is no sound card: [audio] backend = "virtual".', way_out))
            return False
        if self._card is not None:
            return True
        for choice in choose(inventory.cards(), audio.capture, audio.playback, audio.channels):
            if choice.problem:
                way_out = "Compare with kontor devices; end what holds it, or name another card."
                note(Finding("card", "bad", f"{choice.problem}.", way_out))
                return False
            note(Finding("card", "good", f"{choice.side.capitalize()}: {choice.device}; {choice.why}."))
        return True

    async def _listen(self, note: Note, listening: Listening) -> None:
        try:
            card, panel = self._card or make_card(self._settings), self._panel or make_panel(self._settings)
            if isinstance(panel, NoPanel):
                panel = Unpressed()  # nothing is kept or sent, so nobody has to be able to unmute; a stored mute holds
            booth = Booth(self._settings, card, panel, self._journal, listening)
            async with booth.open():
                ended = await _all_heard(booth, listening)
        except Muted as muted:
            note(Finding("mute", "bad", str(muted), "Unmute at the panel, and ask the doctor again."))
            return
        except NotAllowed as error:
            note(
                Finding(
                    "card", "bad", f"{str(error).rstrip('.')}.", "kontor devices lists the cards and who uses them."
                )
            )
            return
        self.array = array_of(self._settings.audio, card.facts)
        self.heard = await asyncio.to_thread(listening.measured, self.array.microphones) if not ended else None
        if ended:
            note(Finding("mute" if "muted" in ended else "card", "bad", ended, "Ask the doctor again."))
        elif self.heard is None:
            way_out = "End what else runs on this machine; plug the card in without a hub; take another card."
            note(Finding("card", "bad", "It was interrupted again and again, and nothing could be measured.", way_out))
        else:
            for finding in judge(self.heard, self.array):
                note(finding)


def _figures(channel: Channel) -> dict[str, object]:
    path = channel.path
    told: dict[str, object] = {
        "quiet_db": _rounded(channel.quiet_db),
        "chirp_db": _rounded(channel.chirp_db),
        "dc": round(channel.dc, 4),
        "clipped": round(channel.clipped, 5),
        "silent": channel.frozen,
        "hears": path is not None,
    }
    if path is None:
        return told
    return told | {
        "delay_ms": _rounded(path.delay / MS),
        "echo_db": _rounded(path.gain_db),
        "echo_ms": _rounded(path.length_ms),
        "late_db": _rounded(path.late_db),
        "reverberation_s": _rounded(path.reverberation_s, 2),
        "distortion_db": _rounded(path.distortion_db),
    }


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)


async def _all_heard(booth: Booth, listening: Listening) -> str:
    """Play and listen to the end; why it came to none, or ""."""
    while not booth.gate.is_open:
        if booth.refusal():
            return booth.refusal()
        await asyncio.sleep(_LOOK)
    epoch, seen, since = booth.gate.epoch, -1, 0.0
    listening.begin()
    while not listening.done.is_set():
        await asyncio.sleep(_LOOK)
        booth.check()
        if booth.gate.epoch != epoch:
            return booth.refusal() or booth.card.problem or "The sound card was lost while the doctor listened."
        if listening.progress != seen:
            seen, since = listening.progress, 0.0
        since += _LOOK
        if since > _STOPPED:
            return booth.card.problem or "The card gives no sound any more."
    return ""


def running(folder: Path) -> Mapping[str, Any]:
    """What the running sound says of itself; empty: none runs."""
    try:
        return ask(folder / STATUS, {"do": "status"}, 1.0)
    except OSError:
        return {}
