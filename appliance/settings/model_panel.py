"""The settings of buttons and lamps: ``[panel]``. Pins are GPIO numbers (BCM), by default those of hardware/pinmap.toml."""

# ruff: noqa: RUF009  # setting() makes dataclass fields, they are no mutable defaults

from dataclasses import dataclass
from enum import StrEnum

from appliance.core.controls import MuteControl
from appliance.core.pins import BOARDS, LINES
from appliance.settings.kinds import Choice, Flag, Text, Whole, one_of
from appliance.settings.setting import Effect, setting

_LAST_PIN = 27
MOST_PIXELS = 120
"""LEDs: two metres of the usual strip; one transfer of the kernel's driver (4096 bytes) holds them eight times."""
AUTO = "auto"
PINS = {
    "mute": "mute_pin",
    "room": "room_pin",
    "talk": "talk_pin",
    "volume_up": "volume_up_pin",
    "volume_down": "volume_down_pin",
    "knock": "knock_pin",
    "mic_lamp": "mic_lamp_pin",
    "room_lamp": "room_lamp_pin",
    "speak_lamp": "speak_lamp_pin",
    "fault_lamp": "fault_lamp_pin",
}
"""The key of each line of the pin map that the settings can move."""


class PanelKind(StrEnum):
    """What buttons and lamps there are."""

    NONE = "none"
    VIRTUAL = "virtual"
    GPIO = "gpio"


class FirstMute(StrEnum):
    """How the microphone stands where no mute is stored."""

    OPEN = "open"
    MUTED = "muted"


class Level(StrEnum):
    """The two levels of a line."""

    LOW = "low"
    HIGH = "high"


class PixelLayout(StrEnum):
    """How the coloured lights stand."""

    RING = "ring"
    ROW = "row"


class PixelDirection(StrEnum):
    """Which way they are numbered, seen from in front: a row from left to right is clockwise."""

    CLOCKWISE = "clockwise"
    COUNTERCLOCKWISE = "counterclockwise"


def _pin(line: str, about: str, effect: Effect = Effect.RESTART) -> int:
    what = f"GPIO of {about}, header pin {LINES[line].pin} unless it is changed. 0: there is none."
    return setting(Whole(0, _LAST_PIN), LINES[line].gpio, about=what, effect=effect)


def _level(line: str, about: str, effect: Effect = Effect.RESTART) -> Level:
    return setting(one_of(Level), Level(LINES[line].active), about=about, effect=effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSettings:
    """Buttons and lamps."""

    kind: PanelKind = setting(
        one_of(PanelKind),
        PanelKind.NONE,
        about="What panel there is: gpio is a real one. With none nobody can unmute, so the device only listens. "
        "virtual is for the demo.",
        effect=Effect.HAND,
    )
    mute: MuteControl = setting(
        one_of(MuteControl),
        MuteControl.LATCHING,
        about="What mutes: a latching switch that stays where it is put, or a momentary button that springs back.",
        effect=Effect.HAND,
    )
    push_to_talk: bool = setting(
        Flag(),
        False,
        about="Whether the microphone is open only while TALK is held. Otherwise a press on TALK raises the room's hand.",
        effect=Effect.HAND,
    )
    first: FirstMute = setting(
        one_of(FirstMute),
        FirstMute.OPEN,
        about="How the microphone stands where no mute is stored, as after a factory reset: open, or muted until a hand acts.",
        effect=Effect.HAND,
    )
    debounce_ms: int = setting(
        Whole(1, 200),
        30,
        unit="ms",
        about="How long a contact must be quiet before the microphone opens. Closing never waits.",
        effect=Effect.HAND,
    )
    long_press_ms: int = setting(
        Whole(300, 5_000),
        1_000,
        unit="ms",
        about="How long a button is held for its second meaning, as ROOM to change the door.",
        effect=Effect.HAND,
    )
    repeat_ms: int = setting(
        Whole(50, 1_000),
        200,
        unit="ms",
        about="How long one step of VOLUME takes while the button is held.",
        effect=Effect.RESTART,
    )
    board: str = setting(
        Choice({name: name for name in (AUTO, *BOARDS)}),
        AUTO,
        about="The board that the panel is wired to. auto looks which one this is.",
        effect=Effect.HAND,
    )
    chip: str = setting(
        Text(31, 0, "[A-Za-z0-9._:-]+", 'the label of a GPIO chip like pinctrl-bcm2711, or "" for the board\'s own'),
        "",
        about="The GPIO chip by its label; its number differs between kernels. Left empty it is that of the board.",
        effect=Effect.HAND,
    )
    mute_pin: int = _pin("mute", "the mute switch or button", Effect.HAND)
    room_pin: int = _pin("room", "the button ROOM")
    talk_pin: int = _pin("talk", "the button TALK", Effect.HAND)
    volume_up_pin: int = _pin("volume_up", "the button VOLUME +")
    volume_down_pin: int = _pin("volume_down", "the button VOLUME -")
    knock_pin: int = _pin("knock", "the button KNOCK")
    mic_lamp_pin: int = _pin("mic_lamp", "the lamp MIC", Effect.HAND)
    room_lamp_pin: int = _pin("room_lamp", "the lamp ROOM")
    speak_lamp_pin: int = _pin("speak_lamp", "the lamp SPEAK")
    fault_lamp_pin: int = _pin("fault_lamp", "the lamp FAULT")
    mute_level: Level = _level(
        "mute", "The level that means muted, or for a button pressed. The chip pulls a switch there.", Effect.HAND
    )
    button_level: Level = _level("room", "The level of a pressed button other than MUTE.", Effect.HAND)
    mic_lamp_level: Level = _level("mic_lamp", "The level at which MIC is lit.", Effect.HAND)
    fault_lamp_level: Level = _level("fault_lamp", "The level at which FAULT is lit.")
    lamp_level: Level = _level("room_lamp", "The level at which ROOM and SPEAK are lit.")
    pixels: int = setting(
        Whole(0, MOST_PIXELS),
        0,
        about="How many APA102 or SK9822 the ring or row has, from 4 on with figures. 0: there is none.",
        effect=Effect.RESTART,
    )
    pixel_layout: PixelLayout = setting(
        one_of(PixelLayout), PixelLayout.RING, about="How they stand.", effect=Effect.RESTART
    )
    pixel_first: int = setting(
        Whole(0, MOST_PIXELS - 1),
        0,
        about="Which of them, counted from 0 along the data line, is at 12 o'clock, or at the left end of a row.",
        effect=Effect.RESTART,
    )
    pixel_direction: PixelDirection = setting(
        one_of(PixelDirection),
        PixelDirection.CLOCKWISE,
        about="Which way the data line runs, seen from in front; in a row clockwise is from left to right.",
        effect=Effect.RESTART,
    )
    pixel_brightness: int = setting(
        Whole(1, 31),
        8,
        about="Largest current of each, in 31sts: twelve at 31 need more than half an ampere.",
        effect=Effect.RESTART,
    )
    spi: str = setting(
        Text(64, 1, "/dev/spidev[0-9]{1,3}[.][0-9]", "the path of an SPI device like /dev/spidev0.0"),
        "/dev/spidev0.0",
        about="Where they are connected.",
        effect=Effect.RESTART,
    )
    still: bool = setting(
        Flag(),
        False,
        about="Whether nothing pulses or blinks: each lamp then stands still, at a brightness of its own.",
        effect=Effect.RESTART,
    )
    night_percent: int = setting(
        Whole(1, 100),
        25,
        unit="%",
        about="How bright SPEAK and the pixels look at night, against the day. The other lamps stay as they are.",
        effect=Effect.RESTART,
    )
