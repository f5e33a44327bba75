"""Which cancellers a device has, the best first: by the setting, and by what the array can do."""

from collections.abc import Sequence

from appliance.audio.aec3 import Aec3
from appliance.audio.beamformer import Beamformer
from appliance.audio.direction import DirectionFinder
from appliance.audio.full_duplex import FullDuplex, Gain
from appliance.audio.half_duplex import HalfDuplex
from appliance.audio.hardware import Hardware
from appliance.audio.ladder import Make
from appliance.audio.residual import ResidualGain, ResidualWeightsError
from appliance.audio.two_gains import TwoGains
from appliance.core.arrays import Array
from appliance.settings.model import Echo


class _Unheard(Hardware):
    """The microphone as it is, in which nobody can be told from the loudspeaker."""

    near_talks = False


def _ducked() -> HalfDuplex:
    """The last that lets no echo through: it cancels nothing, so that nothing in it can fail, and needs no exact reference."""
    return HalfDuplex(_Unheard)


def full_duplex(array: Array) -> FullDuplex:
    """Ours, for the geometry of an array; with the gain by rule where the learned one's weights are missing."""
    gain: Gain | None = None
    try:
        gain = TwoGains(ResidualGain())
    except ResidualWeightsError:
        gain = None
    n = len(array.microphones)
    if n == 1:
        return FullDuplex(1, gain=gain)
    return FullDuplex(n, beam=Beamformer(array.positions), finder=DirectionFinder(array.positions), gain=gain)


def cancellers(echo: Echo, array: Array) -> Sequence[Make]:
    """What makes them, the best first; none: nothing is cancelled.

    ``auto`` is ours, or the array's own where it has one. An array that cancels gives one finished channel: what else is asked
    for works on that.
    """
    if echo is Echo.AUTO:
        echo = Echo.HARDWARE if array.cancels else Echo.FULL_DUPLEX
    match echo:
        case Echo.OFF:
            return ()
        case Echo.HARDWARE:
            return (Hardware,)
        case Echo.HALF_DUPLEX:
            return (HalfDuplex, _ducked)
        case Echo.SAFE:
            return (Aec3, _ducked)
        case _:
            return (lambda: full_duplex(array), Aec3, _ducked)
