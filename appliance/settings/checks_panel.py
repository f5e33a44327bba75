"""Which settings of the panel do not fit each other: pins above all."""

from collections.abc import Iterable, Iterator

from appliance.core.pins import BOARDS, LINES, RESERVED
from appliance.settings.clash import Clash
from appliance.settings.model import Settings
from appliance.settings.model_panel import AUTO, PINS, PanelKind, PanelSettings, PixelLayout

_LEAST_RING = 3


def panel(settings: Settings) -> Iterator[Clash]:
    """Everything about pins and pixels that cannot be, where there is a real panel."""
    if settings.panel.kind is PanelKind.GPIO:
        yield from _needed(settings.panel)
        yield from _pins(settings.panel)
        yield from _pixels(settings.panel)


def _needed(panel: PanelSettings) -> Iterator[Clash]:
    if not panel.mute_pin:
        yield Clash("panel.mute_pin", "must not be 0: without it nobody could mute the room")
    if not panel.mic_lamp_pin:
        yield Clash("panel.mic_lamp_pin", "must not be 0: nobody could see whether the microphone is open")
    if panel.push_to_talk and not panel.talk_pin:
        yield Clash("panel.talk_pin", "must not be 0 with panel.push_to_talk", beside=("panel.push_to_talk",))


def _pins(panel: PanelSettings) -> Iterator[Clash]:
    boards = BOARDS.values() if panel.board == AUTO else [BOARDS[panel.board]]
    usable = frozenset.intersection(*(board.usable for board in boards))
    # What stands where it always does comes first, so that the pin that was moved is the one that is told.
    lines = sorted(PINS, key=lambda line: getattr(panel, PINS[line]) != LINES[line].gpio)
    users = {line.gpio: "the pixels" for line in LINES.values() if line.bus == "spi0"} if panel.pixels else {}
    free = _free(panel, usable)
    for line in lines:
        key, pin = f"panel.{PINS[line]}", getattr(panel, PINS[line])
        if not pin:
            continue
        if pin in RESERVED:
            yield Clash(key, f"must be another pin: GPIO {pin} {_is(RESERVED[pin])}", free)
        elif pin not in usable:
            names = ", ".join(board.name for board in boards)
            yield Clash(
                key, f"must be another pin: {names} has no GPIO {pin} on its header", free, beside=("panel.board",)
            )
        elif pin in users:
            yield Clash(
                key, f"must be another pin: GPIO {pin} is taken by {users[pin]}", free, beside=("panel.pixels",)
            )
        users.setdefault(pin, key)


def _free(panel: PanelSettings, usable: Iterable[int]) -> str:
    """The pins that no line of any panel has, as a way out."""
    used = {line.gpio for line in LINES.values()} | {getattr(panel, key) for key in PINS.values()}
    pins = ", ".join(str(pin) for pin in sorted(set(usable) - used - set(RESERVED)))
    return f"Free: GPIO {pins}." if pins else ""


def _is(why: str) -> str:
    return why if why.startswith("identifies") else f"is kept for {why}"


def _pixels(panel: PanelSettings) -> Iterator[Clash]:
    if not panel.pixels:
        return
    if panel.pixel_first >= panel.pixels:
        yield Clash(
            "panel.pixel_first", f"must be below panel.pixels, which is {panel.pixels}", beside=("panel.pixels",)
        )
    if panel.pixel_layout is PixelLayout.RING and panel.pixels < _LEAST_RING:
        hint = 'For fewer set panel.pixel_layout = "row".'
        yield Clash(
            "panel.pixels", f"must be 0, or at least {_LEAST_RING} for a ring", hint, beside=("panel.pixel_layout",)
        )
