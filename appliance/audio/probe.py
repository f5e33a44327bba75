"""What cards can do whose streams the kernel describes nowhere: libasound is asked, and has to open them for that.

Only ``hw:`` devices that nobody holds are opened, for a few milliseconds and without a sample read or played.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import alsaaudio

from appliance.audio.inventory import Ability, Card, Stream
from appliance.audio.port import Side
from appliance.core.units import RATE

_KINDS = {Side.CAPTURE: alsaaudio.PCM_CAPTURE, Side.PLAYBACK: alsaaudio.PCM_PLAYBACK}


# Parts of others: they convert, and are no device by themselves.
_CONVERTERS = frozenset({"lavrate", "null", "samplerate", "speex", "speexrate", "upmix", "vdownmix"})


def names() -> list[str]:
    """What else can be named: sound servers and whatever asound.conf describes, not the names that begin with a card's."""
    every = [*alsaaudio.pcms(alsaaudio.PCM_CAPTURE), *alsaaudio.pcms(alsaaudio.PCM_PLAYBACK)]
    return [name for name in dict.fromkeys(every) if ":" not in name and name not in _CONVERTERS]


def asked(cards: Sequence[Card]) -> list[Card]:
    """The same cards, with what their streams can do filled in where that was not known and could be asked for."""
    return [replace(card, streams=tuple(_asked(card, stream) for stream in card.streams)) for card in cards]


def _asked(card: Card, stream: Stream) -> Stream:
    if stream.abilities or stream.holder:
        return stream
    abilities: tuple[Ability, ...] = ()
    with contextlib.suppress(alsaaudio.ALSAAudioError):  # opened by somebody meanwhile, unplugged, or no right to
        abilities = _abilities(f"hw:CARD={card.id},DEV={stream.device}", stream.side)
    return replace(stream, abilities=abilities)


def _abilities(device: str, side: Side) -> tuple[Ability, ...]:
    # A few drivers (snd-aloop) offer only what they were just opened with: then that is to be our rate.
    pcm = alsaaudio.PCM(_KINDS[side], alsaaudio.PCM_NONBLOCK, device=device, rate=RATE)
    try:
        formats = tuple(sorted(pcm.getformats()))
        rates = pcm.getrates()
        counts = pcm.getchannels()
    finally:
        pcm.close()
    # One number where there is one alone; a pair where everything between is possible too.
    every = (rates,) if isinstance(rates, int) else tuple(rates)
    channels = [counts] if isinstance(counts, int) else list(counts)
    return tuple(Ability(count, formats, every, continuous=isinstance(rates, tuple)) for count in channels)
