"""Which sound card is used, and why: the settings first, and with "auto" what is plugged in.

"auto" takes the best that is there: a known microphone array, then a USB device with microphone and loudspeaker (a
speakerphone), then any other USB microphone, then what ALSA calls "default". The loudspeaker is that of the same card where it
has one, as one clock is better than two; else another USB card's, else "default".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.audio.alsa_names import card_of
from appliance.audio.inventory import Card, Stream
from appliance.audio.port import Side

AUTO, DEFAULT = "auto", "default"

_DEVICE = re.compile(r"^(?:plug)?hw:(?:[^,=]+,|.*\bDEV=)(?P<number>\d+)")
_SIDES = {Side.CAPTURE: ("microphone", "capture"), Side.PLAYBACK: ("loudspeaker", "playback")}


@dataclass(frozen=True, slots=True)
class Choice:
    """What one direction uses."""

    side: Side
    device: str
    """As ALSA opens it."""
    why: str
    """One sentence, without a full stop."""
    card: Card | None = None
    """None: ALSA decides, or it is not there."""
    stream: Stream | None = None
    problem: str = ""
    """Why it cannot work, naming the setting; empty: nothing is known against it."""


def choose(cards: Sequence[Card], capture: str, playback: str, channels: int = 0) -> tuple[Choice, Choice]:
    """What would be opened for the settings ``[audio] capture`` and ``playback``: microphone, then loudspeaker.

    :param channels: as ``[audio] channels``: how many are wanted; 0: whatever the array has.
    """
    heard = _choose(cards, Side.CAPTURE, capture, None)
    played = _choose(cards, Side.PLAYBACK, playback, heard.card)
    return _with_channels(heard, channels), played


def resolve(cards: Sequence[Card], capture: str, playback: str) -> tuple[str, str]:
    """The names that ALSA opens, of the same two settings."""
    heard, played = choose(cards, capture, playback)
    return heard.device, played.device


def _choose(cards: Sequence[Card], side: Side, device: str, heard: Card | None) -> Choice:
    what, setting = _SIDES[side]
    if device == AUTO:
        return _auto(cards, side, heard)
    if device == DEFAULT:
        why = f'[audio] {setting} = "default": ALSA\'s own default, often a sound server'
        return Choice(side, device, why)
    wanted = card_of(device)
    if not wanted:
        return Choice(side, device, f'[audio] {setting} names it; it is not a card but ALSA\'s "{device}"')
    number = int(match["number"]) if (match := _DEVICE.match(device)) else None
    why = f"[audio] {setting} names it"
    card = next((card for card in cards if wanted in {card.id, str(card.number)}), None)
    if card is None:
        there = ", ".join(card.id for card in cards) or "none"
        return Choice(
            side, device, why, problem=f'[audio] {setting} = "{device}": there is no such card (here: {there})'
        )
    stream = card.stream(side, number)
    if stream is None:
        problem = f'[audio] {setting} = "{device}": {card.name} has no {what}'
        if card.stream(side):
            problem = f'[audio] {setting} = "{device}": {card.name} has its {what} as device {_devices(card, side)}'
        return Choice(side, device, why, card, problem=problem)
    return Choice(side, device, why, card, stream, _busy(stream, f'[audio] {setting} = "{device}"'))


def _devices(card: Card, side: Side) -> str:
    return ", ".join(str(stream.device) for stream in card.streams if stream.side is side)


def _busy(stream: Stream, what: str) -> str:
    return f"{what} is in use by {stream.holder}" if stream.holder else ""


def _auto(cards: Sequence[Card], side: Side, heard: Card | None) -> Choice:
    setting = _SIDES[side][1]
    ranked = [(rank, card, stream, why) for card in cards for rank, stream, why in _ranks(card, side, heard)]
    if not ranked:
        why = f'[audio] {setting} = "auto" found no USB card and no known array: ALSA\'s default'
        return Choice(side, DEFAULT, why)
    # That it is in use changes nothing: an error that says so is better than a worse card without a word.
    # Of two that are as good, the one with the lower number was there first.
    _, card, stream, why = min(ranked, key=lambda one: (one[0], one[1].number))
    device = card.pcm(stream)
    return Choice(side, device, why, card, stream, _busy(stream, device))


def _ranks(card: Card, side: Side, heard: Card | None) -> list[tuple[int, Stream, str]]:
    stream = card.stream(side)
    if stream is None or card.loops_back:
        return []
    if side is Side.PLAYBACK:
        if heard is card:
            return [(0, stream, "it is on the card of the microphone: one clock")]
        return [(1, stream, "a USB loudspeaker, as the microphone's card has none")] if card.usb else []
    if card.array is not None:
        finished = card.array.cancels
        kind = f"the known array {card.array.name}"
        return [(1 if finished else 0, stream, f"{kind}, which cancels echo by itself" if finished else kind)]
    if card.usb and card.stream(Side.PLAYBACK):
        return [(2, stream, "a USB device with microphone and loudspeaker")]
    return [(3, stream, "a USB microphone")] if card.usb else []


def _with_channels(choice: Choice, channels: int) -> Choice:
    """The same, with the problem that the card has fewer channels than are asked for."""
    stream = choice.stream
    has = stream.channels if stream else None
    if choice.problem or not channels or has is None or has >= channels:
        return choice
    problem = f"[audio] channels = {channels}: {choice.device} has {has}"
    return Choice(choice.side, choice.device, choice.why, choice.card, stream, problem)
