"""By which rules whoever has the microphone listens: the stored mute, the door, the panel's hands, quiet hours.

``kontor sound``, ``kontor record`` and the doctor have them from here, so that none forgets one.
"""

import contextlib
import time

from appliance.app.desk import Desk
from appliance.app.panels import mark_of
from appliance.app.places import state_of
from appliance.app.process import NotAllowed, make_folders
from appliance.app.quiet import Quiet, QuietMemory
from appliance.audio.gate import Gate
from appliance.core.controls import Reason, Reasons, initial
from appliance.core.counters import Counters
from appliance.health.journal import Journal
from appliance.panel.memory import MuteMemory, Remembered
from appliance.panel.port import Panel
from appliance.settings import FirstMute, Settings


def take_up(
    settings: Settings, gate: Gate, panel: Panel, journal: Journal, counters: Counters
) -> tuple[Remembered, Desk, Quiet]:
    """Read what was stored, and make desk and quiet hours from it and the settings; nothing is opened and nothing begins yet."""
    state = state_of(settings, "sound")
    with contextlib.suppress(NotAllowed):  # told where something cannot be stored
        make_folders(state)
    memory = MuteMemory(state, mark_of(settings.panel))
    remembered = memory.load()
    door = remembered.door if remembered.stored else settings.door.first
    reasons = remembered.reasons if remembered.stored else _first(settings)
    controls = initial(settings.panel.mute, settings.panel.push_to_talk, reasons, door)
    desk = Desk(gate, panel, memory, controls, journal=journal, counters=counters, clock=time.monotonic)
    return remembered, desk, Quiet(settings.quiet, desk, QuietMemory(state), journal)


def _first(settings: Settings) -> Reasons:
    """Where nothing is stored nobody knows what was: the image has it that only a hand opens the microphone then."""
    return frozenset({Reason.HAND}) if settings.panel.first is FirstMute.MUTED else frozenset()
