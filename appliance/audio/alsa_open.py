"""Opens a device of ALSA's and looks at what it really became.

libasound takes what a card can do instead of what was asked for, and pyalsaaudio says nothing about it: so rate, channels,
format and period are read back and compared. What cannot be used is refused with one sentence that names the setting and the
way out. Devices are opened so that no call on them ever waits: what waits in a driver cannot be ended from outside.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import alsaaudio

from appliance.audio import alsa_names, inventory
from appliance.audio.alsa_pcm import Pcm
from appliance.audio.alsa_samples import SAMPLE_BYTES
from appliance.audio.choice import AUTO, DEFAULT, choose
from appliance.audio.inventory import Card, Stream
from appliance.audio.port import Side
from appliance.core.exits import Exit
from appliance.core.units import BLOCK, RATE

PERIOD = BLOCK // 2
"""Samples between two turns of the card that are asked for."""
LONGEST_PERIOD = 2 * BLOCK
"""What is still taken."""
PERIODS = 16
"""What the card may hold: room for a stall, not delay."""
MOST_CHANNELS = 8


def opener(own: Any) -> Any:
    """What opens a device: the library's ``own``, or ours where that is Debian 13's 0.10, which cannot say how much waits."""
    return Pcm if isinstance(own, type) and not hasattr(own, "avail") else own


PCM: Any = opener(alsaaudio.PCM)

Lost = alsaaudio.ALSAAudioError
"""What the library raises when a device is gone."""

_FORMATS = {
    "S16_LE": alsaaudio.PCM_FORMAT_S16_LE,
    "S24_LE": alsaaudio.PCM_FORMAT_S24_LE,
    "S24_3LE": alsaaudio.PCM_FORMAT_S24_3LE,
    "S32_LE": alsaaudio.PCM_FORMAT_S32_LE,
}
# A quiet talker three metres away needs the bits below the sixteenth; what is played has its volume already.
_BEST = {
    Side.CAPTURE: ("S32_LE", "S24_LE", "S24_3LE", "S16_LE"),
    Side.PLAYBACK: ("S16_LE", "S24_3LE", "S24_LE", "S32_LE"),
}
_STREAM = {Side.CAPTURE: alsaaudio.PCM_CAPTURE, Side.PLAYBACK: alsaaudio.PCM_PLAYBACK}


class CardError(Exception):
    """The card cannot be used, or not any more; one sentence."""


class CardMistakeError(CardError):
    """It cannot be used with these settings, and waiting does not change that."""

    code = Exit.CONFIGURATION
    """Of the process that ends by it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A device that was opened, and what it really is."""

    pcm: Any
    """As alsaaudio.PCM of 0.11."""
    device: str
    """As ALSA opens it; with the id of its card where the settings had its number."""
    channels: int
    format: str
    period: int
    size: int
    """Samples that it holds."""
    usb_id: str = ""
    card: str = ""
    """What its card calls itself."""

    def close(self, *, drop: bool = False) -> None:
        """Close it. A loudspeaker is dropped first: else what waits would be played out."""
        if drop:
            with contextlib.suppress(Lost):
                self.pcm.drop()
        with contextlib.suppress(Lost):
            self.pcm.close()


@dataclass(frozen=True, slots=True)
class Wish:
    """What the settings ask for, and what is known from before."""

    capture: str
    playback: str
    channels: int = 0
    """Of the microphones; 0: as many as the array has, or one."""

    def of(self, side: Side) -> str:
        """The device of one side."""
        return self.capture if side is Side.CAPTURE else self.playback

    def setting(self, side: Side, device: str = "") -> str:
        """How an error names it, with the ``device`` that "auto" found."""
        found = f" ({device})" if device and self.of(side) == AUTO else ""
        return f'[audio] {side} = "{self.of(side)}"{found}'


def open_device(wish: Wish, side: Side, device: str = "") -> Opened:
    """Open one side.

    :param device: the same device as before, instead of what the settings name.
    :raises CardMistakeError: it can never work with these settings.
    :raises CardError: it is not there, is in use, or something else that may pass.
    """
    cards = inventory.cards()
    heard, played = choose(cards, wish.capture, wish.playback, wish.channels)
    chosen = heard if side is Side.CAPTURE else played
    name = device or chosen.device
    setting, wanted = wish.setting(side, name), alsa_names.card_of(name)
    if wanted and not alsa_names.is_there(wanted):
        there = ", ".join(one.id for one in cards) or "none"
        raise CardError(f"{setting}: the card {wanted} is not there (here: {there}); is it plugged in?")
    if not device and chosen.card is not None and chosen.stream is None:
        raise CardMistakeError(chosen.problem)
    card = next((one for one in cards if wanted in {one.id, str(one.number)}), None)
    opened: Opened | None = None
    try:
        opened = _open(side, name, _channels(wish, side, card))
        _compare(wish, side, opened)
    except (Lost, CardError) as error:
        if opened:
            opened.close(drop=side is Side.PLAYBACK)
        if isinstance(error, CardError):
            raise
        raise _explained(setting, card.stream(side) if card else None, name, error) from error
    return opened


def _channels(wish: Wish, side: Side, card: Card | None) -> int:
    if side is Side.PLAYBACK:
        return 1
    return wish.channels or (card.array.channels if card and card.array else 1)


def _open(side: Side, device: str, channels: int) -> Opened:
    """As asked for, with the best format that it has."""
    best = _BEST[side]
    opened = _try(side, device, channels, best[0])
    offered = _offered(opened.pcm, best)
    if opened.format == best[0] or not offered or opened.format == offered[0]:
        return opened
    opened.close(drop=side is Side.PLAYBACK)
    return _try(side, device, channels, offered[0])


def _offered(pcm: Any, known: Sequence[str]) -> list[str]:
    with contextlib.suppress(Lost):
        formats = pcm.getformats()
        return [name for name in known if name in formats]
    return []


def _try(side: Side, device: str, channels: int, form: str) -> Opened:
    pcm = PCM(
        _STREAM[side],
        alsaaudio.PCM_NONBLOCK,
        device=device,
        rate=RATE,
        channels=channels,
        format=_FORMATS[form],
        periodsize=PERIOD,
        periods=PERIODS,
    )
    got: dict[str, Any] = pcm.info()
    card = next((one for one in inventory.cards() if one.number == got.get("card_no", -1)), None)
    return Opened(
        pcm,
        alsa_names.on_card(device, card.id) if card else device,
        int(got["channels"]),
        str(got["format_name"]),
        int(got["period_size"]),
        int(got["buffer_size"]),
        card.usb_id if card else "",
        card.name if card else "",
    )


def _compare(wish: Wish, side: Side, opened: Opened) -> None:
    """Whether it is what we can use."""
    setting, got = wish.setting(side, opened.device), opened.pcm.info()
    converted = "name it with plughw: or through a sound server, which convert"
    if got["rate"] != RATE:
        raise CardMistakeError(f"{setting} runs at {got['rate']} Hz instead of {RATE}: {converted}")
    if opened.format not in SAMPLE_BYTES:
        raise CardMistakeError(f"{setting} has samples of {opened.format} only: {converted}")
    if opened.period > LONGEST_PERIOD or opened.size < 2 * max(opened.period, BLOCK):
        raise CardMistakeError(
            f"{setting} takes turns of {opened.period} samples of {opened.size}, at most {LONGEST_PERIOD} are possible:"
            " name it with hw: or plughw:"
        )
    if side is Side.PLAYBACK:
        return
    if wish.channels and opened.channels != wish.channels:
        raise CardMistakeError(
            f'[audio] channels = {wish.channels}, but capture = "{wish.capture}" has {opened.channels}:'
            f" write channels = {opened.channels}, or 0"
        )
    if opened.channels > MOST_CHANNELS:
        raise CardMistakeError(
            f"{setting} has {opened.channels} channels, at most {MOST_CHANNELS} are captured: name it with plughw:"
            " and set [audio] channels"
        )


_PASSING = {
    errno.EACCES: "may not be opened: put the user of this process into the group audio",
    errno.EPERM: "may not be opened: put the user of this process into the group audio",
    errno.ENODEV: "is not there: is it plugged in?",
    errno.ECONNREFUSED: "is of a sound server that does not run",
    errno.EHOSTDOWN: "is of a sound server that does not run",
}


def _explained(setting: str, stream: Stream | None, device: str, error: Exception) -> CardError:
    """The library has texts only: those of strerror(3), and the device in brackets."""
    text = str(error).removesuffix(f" [{device}]")
    if text == os.strerror(errno.EBUSY):
        holder = (stream.holder if stream else None) or "another program"
        return CardError(f"{setting} is in use by {holder}: end it, or name another device")
    if text == os.strerror(errno.ENOENT) and not alsa_names.card_of(device) and device != DEFAULT:
        return CardMistakeError(f"{setting} is no device of ALSA's: kontor devices lists those that there are")
    for number, words in _PASSING.items():
        if text == os.strerror(number):
            return CardError(f"{setting} {words} ({text})")
    return CardError(f"{setting} cannot be opened: {text}")
