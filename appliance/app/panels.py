"""Which panel the settings ask for. Its libraries are loaded only where there is a real one."""

import os
import zlib
from pathlib import Path

from appliance.app.places import state_of
from appliance.app.process import NotAllowed
from appliance.panel.contacts import Timing
from appliance.panel.deck import Deck
from appliance.panel.layout import Layout
from appliance.panel.lines import Lines, Pixels
from appliance.panel.none import NoPanel
from appliance.panel.pixels import SpiPixels
from appliance.panel.port import Panel
from appliance.panel.virtual import VirtualPanel
from appliance.settings import PanelKind, PanelSettings, PixelDirection, PixelLayout, Settings
from appliance.settings.setting import Effect, members

VIRTUAL_PANEL = "KONTOR_VIRTUAL_PANEL"
"""Environment variable that ``kontor demo`` and the tests set: without it a virtual panel is refused."""


def make_panel(settings: Settings) -> Panel:
    """The panel of the settings.

    A real one whose lines cannot be had is made all the same: it says so, tries again, and keeps the gate closed meanwhile.

    :raises NotAllowed: a virtual panel outside demo and tests, or a library that is missing.
    """
    panel = settings.panel
    if panel.kind is PanelKind.NONE:
        return NoPanel()
    if panel.kind is PanelKind.VIRTUAL:
        return _virtual(settings)
    lines, pixels = panel_lines(settings)
    timing = Timing(panel.debounce_ms / 1000, panel.long_press_ms / 1000, panel.repeat_ms / 1000)
    talks = panel.push_to_talk
    return Deck(lines, panel.mute, timing, push_to_talk=talks, pixels=pixels, layout=layout_of(panel))


def panel_lines(settings: Settings) -> tuple[Lines, Pixels | None]:
    """The lines and the ring of a real panel. Nothing of it is opened yet.

    :raises NotAllowed: a library is missing.
    """
    panel = settings.panel
    try:
        from appliance.panel.gpio import gpio_lines  # noqa: PLC0415 - its libraries are there on a device only

        lines = gpio_lines(panel)
    except ImportError as error:
        raise NotAllowed(
            f'[panel] kind = "gpio" needs {error.name}: install kontor[device] with pip ({error})'
        ) from error
    return lines, SpiPixels(Path(panel.spi), panel.pixels) if panel.pixels else None


def mark_of(panel: PanelSettings) -> int:
    """A number that is another one when a setting of the panel was changed that says what is mute; never 0."""
    names = [name for name, key in members(PanelSettings).items() if getattr(key, "effect", None) is Effect.HAND]
    names.remove("first")  # where a mute is stored it says nothing
    told = "\n".join(f"{name}={getattr(panel, name)}" for name in sorted(names))
    return zlib.crc32(told.encode()) or 1


def layout_of(panel: PanelSettings) -> Layout:
    """How the ring is built in, and how bright everything is."""
    return Layout(
        pixels=panel.pixels,
        row=panel.pixel_layout is PixelLayout.ROW,
        first=panel.pixel_first,
        backwards=panel.pixel_direction is PixelDirection.COUNTERCLOCKWISE,
        current=panel.pixel_brightness,
        night=panel.night_percent / 100,
        still=panel.still,
    )


def _virtual(settings: Settings) -> Panel:
    if not os.environ.get(VIRTUAL_PANEL):
        raise NotAllowed('[panel] kind = "virtual" is for `kontor demo` and tests: on a device the panel is real')
    panel = settings.panel
    lever = state_of(settings, "sound") / "lever"
    hold, talks = panel.long_press_ms / 1000, panel.push_to_talk
    return VirtualPanel(panel.mute, panel.debounce_ms / 1000, hold, lever, push_to_talk=talks)
