"""What the doctor's measurements of the sound card mean, in words, each with the way out. Nothing is played or heard here."""

from collections.abc import Iterator, Sequence
from statistics import median

from appliance.app.doctor_findings import Finding
from appliance.app.doctor_listen import Heard, loudest
from appliance.core.array_check import arrivals, fit, inverted, same
from appliance.core.arrays import Array
from appliance.core.echo_path import TAIL_MS, Channel, Path, on_one_axis

_WEAK = 12.0
"""dB below the middle one of the microphones."""
_DC = 0.02
_CLIPPED = 1e-4
_LOUD, _OVER_NOISE = -8.0, 15.0
"""dBov above which the next louder voice clips, and dB over the noise below which the loudspeaker is hardly heard."""
_SILENT = -90.0
"""dBov: quieter than any microphone in a room."""
_NOISY = -50.0
_SLOW_MS, _TOO_SLOW_MS = 150.0, 400.0
_FOLLOWED_PPM = 400.0
_LATE_DB = -25.0
_RINGING_S = 0.8
_DRY_MS, _CLEAR = 10.0, 80.0
"""An echo as short as that with nothing behind it, dB."""
_NO_ROOM_S = 0.06
"""No room that people fit into rings as short as that."""
_DISTORTED_DB = -20.0

_TURN_DOWN = "Turn the loudspeaker down, or the microphone's gain (alsamixer, F4), or move them apart."


def judge(heard: Heard, array: Array) -> Iterator[Finding]:
    """All findings, in the order in which they are told.

    :param array: which array the card is taken for; it may have more channels than the card.
    """
    there = [number for number in array.microphones if number < len(heard.channels)]
    yield _interruptions(heard)
    if not there:
        yield _array(heard, array)
        return
    if all(heard.channels[number].frozen for number in there):
        yield Finding(
            "channels",
            "bad",
            "The card gives digital silence.",
            "Its own mute is probably on: look for a switch or button on it, at alsamixer (F4), or at its plug.",
        )
        return
    yield from _channels(heard, there)
    best = loudest(heard.channels, there)
    if best is None:
        yield _unheard(heard, there, array)
    else:
        yield _level(heard, there)
        yield _echo(heard.channels[best])
        yield _room(_path(heard.channels[best]))
        yield _delay(heard)
        yield _clock(heard)
    yield _noise(heard, there)
    yield _array(heard, array)


def numbered(channels: Sequence[int]) -> str:
    """Channels as people count them: ``channel 1``, ``channels 1, 2 and 4``."""
    words = [str(channel + 1) for channel in channels]
    listed = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    return f"channel{'s' if len(words) > 1 else ''} {listed}"


def _path(channel: Channel) -> Path:
    assert channel.path is not None  # noqa: S101 - loudest() gives those that have one
    return channel.path


def _interruptions(heard: Heard) -> Finding:
    if not heard.jumps:
        return Finding("card", "good", "It plays and hears without interruption.")
    sides = " and ".join(sorted({str(side) for side in heard.jumps}))
    says = f"It was interrupted {len(heard.jumps)} times while the doctor listened ({sides})."
    return Finding("card", "warning", says, "End what else runs here; plug the card in without a hub.")


def _channels(heard: Heard, there: Sequence[int]) -> Iterator[Finding]:
    found = list(_faults(heard, there))
    yield from found
    if not found:
        says = "The microphone works." if len(there) == 1 else f"All {len(there)} microphones work."
        yield Finding("channels", "good", says)


def _faults(heard: Heard, there: Sequence[int]) -> Iterator[Finding]:
    channels = {number: heard.channels[number] for number in there}
    hearing = {number: one.path for number, one in channels.items() if one.path is not None}
    dead = [number for number, one in channels.items() if one.frozen or (hearing and number not in hearing)]
    if dead:
        says = f"Nothing of the chirp is heard on {numbered(dead)}, but on others it is."
        way_out = "These microphones are broken or covered, or [audio] array or geometry_mm means other channels."
        yield Finding("channels", "bad", says, way_out)
    alive = [channels[number].chirp_db for number in hearing]
    weak = [number for number in hearing if channels[number].chirp_db < median(alive) - _WEAK]
    if weak:
        says = f"On {numbered(weak)} everything is more than {_WEAK:.0f} dB quieter than on the others."
        yield Finding("channels", "warning", says, "Look whether something covers these microphones.")
    doubled = same(heard.take.sound, there)
    if doubled:
        pairs = "; ".join(numbered(pair) for pair in doubled)
        way_out = (
            "ALSA makes several of one: name the card with hw: in [audio] capture, or set channels to what it has."
        )
        yield Finding("channels", "bad", f"The same sound is on {pairs}.", way_out)
    if len(hearing) > 1 and not doubled:
        turned = [list(hearing)[at] for at in inverted(on_one_axis(list(hearing.values())))]
        if turned:
            says = f"The polarity of {numbered(turned)} is the opposite of the others'."
            yield Finding("channels", "bad", says, "Beams cannot be formed with it: exchange the two wires.")
    shifted = [number for number, one in channels.items() if abs(one.dc) > _DC and not one.frozen]
    if shifted:
        says = f"There is direct current on {numbered(shifted)} ({max(abs(channels[n].dc) for n in shifted):.0%} of full scale)."
        yield Finding("channels", "warning", says, "The converter or its supply is faulty; Kontor filters it out.")


def _unheard(heard: Heard, there: Sequence[int], array: Array) -> Finding:
    if array.cancels:
        return Finding(
            "echo", "good", "Nothing of the chirp comes back: the array takes its loudspeaker out by itself."
        )
    if all(heard.channels[number].quiet_db < _SILENT for number in there):
        return Finding(
            "echo",
            "bad",
            "Nothing of the chirp comes back, and the microphones hear nothing at all.",
            "They are probably muted by their own switch, or their gain is 0 (alsamixer, F4).",
        )
    return Finding(
        "echo",
        "bad",
        "Nothing of the chirp comes back.",
        "Did you hear it? If not: is the loudspeaker on, its volume up, and [audio] playback the right card"
        ' (kontor devices)? If you did: a device that cancels echo by itself wants [audio] echo = "hardware".',
    )


def _level(heard: Heard, there: Sequence[int]) -> Finding:
    channels = [heard.channels[number] for number in there]
    clipped = [number for number in there if heard.channels[number].clipped > _CLIPPED]
    if clipped:
        part = max(heard.channels[number].clipped for number in clipped)
        says = f"The chirp is beyond full scale on {numbered(clipped)} ({part:.1%} of the time)."
        return Finding("level", "bad", says, _TURN_DOWN)
    loudest_db = max(channel.chirp_db for channel in channels)
    over = max(channel.chirp_db - channel.quiet_db for channel in channels)
    level = f"{loudest_db:.0f} dBov at the microphones"
    if loudest_db > _LOUD:
        return Finding("level", "warning", f"The loudspeaker is too loud: {level}; a loud voice will clip.", _TURN_DOWN)
    if over < _OVER_NOISE:
        says = f"The loudspeaker is hardly heard: {level}, {over:.0f} dB over the noise."
        return Finding("level", "warning", says, "Turn it up (alsamixer, or a knob on it).")
    return Finding("level", "good", f"The loudspeaker is well heard: {level}, {over:.0f} dB over the noise.")


def _echo(best: Channel) -> Finding:
    path = _path(best)
    says = f"The echo comes back with {path.gain_db:+.0f} dB and has faded by 30 dB after {path.length_ms:.0f} ms."
    if path.distortion_db is not None and path.distortion_db > _DISTORTED_DB:
        part = 10 ** (path.distortion_db / 20)
        says += f" The loudspeaker adds {part:.0%} of overtones, which no canceller can take out."
        return Finding("echo", "warning", says, "Turn it down, or take a better one.")
    if path.late_db > _LATE_DB:
        part = 10 ** (path.late_db / 10)
        says += f" {part:.0%} of it comes later than {TAIL_MS} ms, where the canceller ends."
        return Finding("echo", "warning", says, 'Less ringing helps (below), or [audio] echo = "half_duplex".')
    return Finding("echo", "good", says)


def _room(path: Path) -> Finding:
    rings = path.reverberation_s
    dry = rings is None and path.length_ms < _DRY_MS and path.over_noise_db > _CLEAR
    if dry or (rings is not None and rings < _NO_ROOM_S):
        says = "There is no room in what is heard: it comes as over a wire."
        return Finding(
            "room", "warning", says, "Is [audio] capture the microphone, and not a loop of the sound server?"
        )
    if rings is None:
        return Finding("room", "skipped", "How long the room rings is lost in its noise.")
    says = f"The room rings for {rings:.1f} s (RT60)."
    if rings > _RINGING_S:
        way_out = "Curtains, carpet, upholstery; meanwhile sit within two metres of the microphones."
        return Finding("room", "warning", says, way_out)
    return Finding("room", "good", says)


def _delay(heard: Heard) -> Finding:
    trip = heard.round_trip_ms or 0.0
    says = f"From playing to hearing it takes {trip:.0f} ms."
    if trip > _SLOW_MS:
        way_out = "A sound server or a Bluetooth device is slow: name the card itself in [audio] capture and playback."
        return Finding("delay", "bad" if trip > _TOO_SLOW_MS else "warning", says, way_out)
    return Finding("delay", "good", says)


def _clock(heard: Heard) -> Finding:
    drift = heard.drift_ppm
    if drift is None:
        return Finding("clock", "skipped", "How much the clocks differ cannot be told after an interruption.")
    if abs(drift) > _FOLLOWED_PPM:
        says = f"The clocks of microphone and loudspeaker differ by {drift:+.0f} ppm, more than is followed."
        return Finding(
            "clock", "warning", says, "Take the loudspeaker of the same card, or both through a sound server."
        )
    if abs(drift) < 1:
        return Finding("clock", "good", "Microphone and loudspeaker have one clock.")
    return Finding(
        "clock", "good", f"The clocks of microphone and loudspeaker differ by {drift:+.0f} ppm; it is followed."
    )


def _noise(heard: Heard, there: Sequence[int]) -> Finding:
    level = max(heard.channels[number].quiet_db for number in there)
    says = f"The noise at the microphones is {level:.0f} dBov."
    if level > _NOISY:
        way_out = "Look for a fan or a projector near them; else turn the microphone's gain down (alsamixer, F4)."
        return Finding("noise", "warning", says, way_out)
    return Finding("noise", "good", says)


def _array(heard: Heard, array: Array) -> Finding:
    has = len(heard.channels)
    if array.channels > has or max(array.microphones) >= has:
        says = f"The array {array.name} has {array.channels} channels, and the card gives {has}."
        return Finding("array", "bad", says, "Compare [audio] array, geometry_mm and channels with kontor devices.")
    if len(array.microphones) == 1:
        if has == 1 or array.cancels:
            return Finding("array", "good", f"It counts as {array.name}: one microphone.")
        says = f"The card has {has} channels, and the first alone is used: it is no array that we know."
        return Finding("array", "warning", says, "Say where its microphones stand: [audio] geometry_mm or array.")
    paths = [path for number in array.microphones if (path := heard.channels[number].path) is not None]
    if len(paths) < len(array.microphones):
        return Finding("array", "skipped", "Where the microphones stand cannot be told while some hear nothing.")
    if same(heard.take.sound, array.microphones):
        return Finding("array", "skipped", "Where the microphones stand cannot be told while some are the same.")
    return _geometry(paths, array)


def _geometry(paths: Sequence[Path], array: Array) -> Finding:
    found = fit(arrivals(on_one_axis(paths)), array.positions)
    if found.agrees:
        says = f"The microphones stand where {array.name} says, to {1000 * found.error:.1f} mm."
        return Finding("array", "good", says)
    if found.exchanged is not None:
        pair = numbered([array.microphones[at] for at in found.exchanged])
        says = f"The microphones of {pair} seem to be exchanged."
        return Finding("array", "bad", says, "Exchange the two places in [audio] geometry_mm.")
    says = (
        f"The microphones do not stand where {array.name} says: sound reaches one up to {1000 * found.widest:.0f} mm later"
        f" than another, where at most {1000 * found.possible:.0f} mm are possible, or the differences fit no direction."
    )
    return Finding("array", "bad", says, "Measure again and correct [audio] geometry_mm or array.")
