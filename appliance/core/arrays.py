"""Microphone arrays: which channels of a card are microphones, and where these are.

Axes: x and y lie in the table, z points up, the centre is the mean of the microphones. Azimuth 0 is along x and grows
counter-clockwise seen from above.

Where the presets come from (read, not measured by us):

- ReSpeaker USB 4-mic (Mic Array v2.0): channels from Seeed's usb_4_mic_array README (0 processed, 1 to 4 microphones, 5 what
  it plays; the other firmware has channel 0 alone), positions from ODAS' respeaker_usb_4_mic_array.cfg. Its own rate is
  16 kHz: name it with plughw: or through a sound server.
- ReSpeaker HATs with 4 and 6 microphones, MATRIX Voice: positions and channels from the files of ODAS (introlab/odas,
  config/odaslive: respeaker_4_mic_array.cfg, respeaker_6_mic_array.cfg, matrix_voice.cfg).
- ReSpeaker XVF3800, Jabra Speak, Poly Sync: they cancel and beamform by themselves and give one finished channel. USB ids of
  the XVF3800 from its users' reports, of Jabra from the hardware database of udev and fwupd. No id of a Poly Sync is known to
  us: it is recognised by what it calls itself.
"""

from dataclasses import dataclass, replace
from itertools import combinations
from math import dist, isfinite
from typing import TypeAlias

Position: TypeAlias = tuple[float, float, float]
"""x, y, z in metres."""

MOST_MICROPHONES = 8
_CLOSEST = 0.002
"""Metres between two microphones below which they are the same one, or the unit was not millimetres."""
_WIDEST = 1.0
"""Metres between two microphones above which they are no array any more, or the unit was not millimetres."""


class GeometryError(ValueError):
    """Positions of microphones that cannot be; one sentence, which does not name the setting."""


@dataclass(frozen=True, slots=True)
class Array:
    """What is known about a card with microphones."""

    name: str
    channels: int
    """Channels of the card when it captures."""
    microphones: tuple[int, ...] = (0,)
    """Which of them are microphones, counted from 0."""
    positions: tuple[Position, ...] = ((0.0, 0.0, 0.0),)
    """Where each stands, metres from the centre."""
    usb_ids: tuple[str, ...] = ()
    """``vendor:product`` in lower-case hexadecimal, as lsusb prints it."""
    card_names: tuple[str, ...] = ()
    """What the card's name contains, lower case."""
    reference: int | None = None
    """The channel that gives back what the card plays."""
    cancels: bool = False
    """Whether the card takes its own loudspeaker out of what it captures."""

    def __post_init__(self) -> None:
        if len(self.microphones) != len(self.positions):
            raise GeometryError(f"{len(self.positions)} positions for {len(self.microphones)} microphones")
        if not all(0 <= channel < self.channels for channel in self.microphones):
            raise GeometryError(f"a microphone beyond the {self.channels} channels of the card")


def _flat(*positions: tuple[float, float]) -> tuple[Position, ...]:
    return tuple((x, y, 0.0) for x, y in positions)


MONO = Array("mono", 1)
"""One microphone, the array of whoever has none."""

ARRAYS: tuple[Array, ...] = (
    MONO,
    Array(
        "respeaker_usb_4",
        6,
        microphones=(1, 2, 3, 4),
        positions=_flat((-0.032, 0.0), (0.0, -0.032), (0.032, 0.0), (0.0, 0.032)),
        usb_ids=("2886:0018",),
        reference=5,
    ),
    Array("respeaker_usb_4_processed", 1, usb_ids=("2886:0018",), cancels=True),
    Array("respeaker_xvf3800", 2, usb_ids=("2886:001a",), card_names=("xvf3800",), cancels=True),
    Array(
        "respeaker_hat_4",
        4,
        microphones=(0, 1, 2, 3),
        positions=_flat((-0.0405, 0.0), (0.0, 0.0405), (0.0405, 0.0), (0.0, -0.0405)),
        card_names=("seeed-4mic",),
    ),
    Array(
        "respeaker_hat_6",
        8,
        microphones=(0, 1, 2, 3, 4, 5),
        positions=_flat(
            (-0.0232, 0.0401), (-0.0463, 0.0), (-0.0232, -0.0401), (0.0232, -0.0401), (0.0463, 0.0), (0.0232, 0.0401)
        ),
        card_names=("seeed-8mic",),
        reference=6,
    ),
    Array(
        "matrix_voice",
        8,
        microphones=(0, 1, 2, 3, 4, 5, 6, 7),
        positions=_flat(
            (0.0, 0.0),
            (-0.038133, 0.003576),
            (-0.020980, 0.032043),
            (0.011971, 0.036381),
            (0.035908, 0.013323),
            (0.032805, -0.019767),
            (0.004999, -0.037972),
            (-0.026571, -0.027584),
        ),
        card_names=("matrixio",),
    ),
    Array(
        "jabra_speak",
        1,
        usb_ids=("0b0e:0410", "0b0e:0412", "0b0e:0420", "0b0e:0422", "0b0e:2456"),
        card_names=("jabra speak",),
        cancels=True,
    ),
    Array("poly_sync", 1, card_names=("poly sync",), cancels=True),
)
"""The presets. Two may share a USB id: then the number of channels tells them apart."""


def by_name(name: str) -> Array:
    """The preset called ``name``.

    :raises KeyError: there is none.
    """
    for array in ARRAYS:
        if array.name == name:
            return array
    raise KeyError(name)


def by_usb_id(usb_id: str, channels: int | None = None) -> Array | None:
    """The preset of a card with this ``vendor:product``, if we know it.

    :param channels: how many the card has; without it the preset with the most is given.
    """
    wanted = usb_id.lower()
    return _fitting([array for array in ARRAYS if wanted in array.usb_ids], channels)


def by_card_name(name: str, channels: int | None = None) -> Array | None:
    """The preset of a card that calls itself so, if we know it. For cards whose USB id says nothing, and HATs."""
    wanted = name.lower()
    return _fitting([array for array in ARRAYS if any(part in wanted for part in array.card_names)], channels)


def _fitting(arrays: list[Array], channels: int | None) -> Array | None:
    if channels is None:
        return max(arrays, key=lambda array: array.channels, default=None)
    for array in arrays:
        if array.channels == channels:
            return array
    for array in arrays:  # one finished channel is the first, however many there are besides
        if array.cancels:
            return replace(array, channels=channels)
    return None


def described(positions: tuple[Position, ...], channels: int | None = None) -> Array:
    """An array that the settings describe: its microphones are the card's first channels."""
    return Array("described", channels or len(positions), tuple(range(len(positions))), positions)


def parse_geometry(text: str) -> tuple[Position, ...]:
    """Read ``"x,y; x,y,z; …"`` in millimetres; gives metres from the microphones' centre, 1 to 8 of them.

    :raises GeometryError: it is not written so, or no array can be like that.
    """
    places = [_place(part, number) for number, part in enumerate(text.rstrip("; ").split(";"), 1)]
    if len(places) > MOST_MICROPHONES:
        raise GeometryError(f"{len(places)} microphones are more than the {MOST_MICROPHONES} we can use")
    for (one, first), (other, second) in combinations(enumerate(places, 1), 2):
        apart = dist(first, second)
        if apart < _CLOSEST:
            raise GeometryError(f"microphones {one} and {other} stand in the same place")
        if apart > _WIDEST:
            raise GeometryError(f"microphones {one} and {other} are {apart:.1f} m apart; the unit is millimetres")
    centre = [sum(axis) / len(places) for axis in zip(*places, strict=True)]
    return tuple((x - centre[0], y - centre[1], z - centre[2]) for x, y, z in places)


def _place(text: str, number: int) -> Position:
    try:
        values = [float(part) / 1000 for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in {2, 3} or not all(isfinite(value) for value in values):
        raise GeometryError(f'microphone {number} is not "x,y" or "x,y,z" in millimetres, as in "32,0; 0,32; -32,0"')
    return values[0], values[1], values[2] if len(values) == 3 else 0.0
