"""Which front end the settings ask for: the array, the cancellers in the order in which they are tried, and what follows them."""

import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from appliance.app.process import NotAllowed
from appliance.core.arrays import MONO, Array, by_card_name, by_name, by_usb_id, described, parse_geometry
from appliance.settings.model import AudioBackend, AudioSettings, Echo, Noise

if TYPE_CHECKING:
    from appliance.audio.front_end import FrontEnd
    from appliance.audio.noise import Suppressor
    from appliance.audio.port import CardFacts

_WEBRTC, _NOISE_GAIN = "pywebrtc_audio", "webrtc_noise_gain"
_PACKAGES = {_WEBRTC: "pywebrtc-audio", _NOISE_GAIN: "webrtc-noise-gain"}
_BY_WEBRTC = {Echo.FULL_DUPLEX, Echo.SAFE, Echo.HALF_DUPLEX}


def make_front_end(audio: AudioSettings, clock: Callable[[], float] = time.thread_time) -> "FrontEnd | None":
    """The front end of the settings; None: what the microphone hears goes to the gate as it is.

    The virtual card has one only when ``echo`` says how: its microphone does not hear its loudspeaker.

    :param clock: seconds of its thread's time, by which it knows that it is too slow for this machine.
    :raises NotAllowed: a library that it needs is not installed.
    """
    if audio.backend is AudioBackend.VIRTUAL and audio.echo in {Echo.AUTO, Echo.OFF}:
        return None
    _need(_NOISE_GAIN, "the voice detector")
    if audio.echo in _BY_WEBRTC or (audio.echo is Echo.AUTO and not array_of(audio, None).cancels):
        _need(_WEBRTC, f'echo = "{audio.echo}"')
    try:
        return _front_end(audio, clock)
    except ImportError as error:  # it is there, and was made for another machine
        raise NotAllowed(f"[audio] the front end needs {error.name}, which cannot be loaded: {error}") from error


def _front_end(audio: AudioSettings, clock: Callable[[], float]) -> "FrontEnd":
    from appliance.audio.cancellers import cancellers  # noqa: PLC0415 - libraries of theirs are there on a device only
    from appliance.audio.front_end import FrontEnd, Plan  # noqa: PLC0415

    return FrontEnd(
        Plan(
            array=lambda facts: array_of(audio, facts),
            cancellers=lambda array: cancellers(audio.echo, array),
            suppressor=lambda array: None if _is_finished(audio, array) else _suppressor(audio.noise),
            suppress_twice=audio.noise is Noise.HIGH,
            gain_control=lambda array: audio.gain_control and not _is_finished(audio, array),
        ),
        clock,
    )


def array_of(audio: AudioSettings, facts: "CardFacts | None") -> Array:
    """Which array a card is: what the settings say, else what is known by its USB id or its name, else one microphone."""
    known = None if audio.array == "auto" else by_name(audio.array)
    if audio.geometry_mm:
        positions = parse_geometry(audio.geometry_mm)
        return replace(known, positions=positions) if known else described(positions)
    if known is None and facts is not None:
        known = by_usb_id(facts.usb_id, facts.channels) or by_card_name(facts.card, facts.channels)
    return known or MONO


def channels_of(audio: AudioSettings) -> int:
    """How many channels the card is asked for; 0: what a known array has."""
    if audio.channels or (audio.array == "auto" and not audio.geometry_mm):
        return audio.channels
    return array_of(audio, None).channels


def _need(module: str, what: str) -> None:
    if find_spec(module) is None:
        raise NotAllowed(
            f"[audio] {what} needs {_PACKAGES[module]}: install kontor[device] with pip"
            + (', or take echo = "off"' if module == _WEBRTC else ', or take backend = "virtual"')
        )


def _is_finished(audio: AudioSettings, array: Array) -> bool:
    """Whether the array does all of it by itself."""
    return audio.echo is Echo.HARDWARE or (audio.echo is Echo.AUTO and array.cancels)


def _suppressor(noise: Noise) -> "Suppressor | None":
    from appliance.audio.noise import FullBand, Narrow  # noqa: PLC0415 - as above

    if noise is Noise.OFF:
        return None
    return FullBand(noise) if find_spec(_WEBRTC) else Narrow(noise)
