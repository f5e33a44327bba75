"""What a panel shows, drawn: from a view and the time to the brightness of each lamp and the colour of each LED.

A pure function. It is asked again when the view changes and at :attr:`Frame.next`; in between nothing changes, and nothing
needs to be sent.

A talker is their sign: figure, place and hue of PAGE.md, brighter when louder. Levels rise at once and fall as those of a
programme meter do, since a light that follows every syllable flickers. Where two figures meet, an LED stays with whoever
lit it first until their hold ends. White and green marks tell of the room itself; they are dimmer than a voice and keep
one place away from every figure, so that nobody reads them as one.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from appliance.core.lamps import QUIETEST_SHOWN, Sign
from appliance.core.roster import PLACES
from appliance.core.units import SILENCE
from appliance.panel.layout import DARK, HUES, LEVEL_ONLY, MARKS, STEPS, Layout, light_of, lightness_of_step, tables
from appliance.panel.port import View

HOLD = 1.5
"""Seconds that a talker keeps their LEDs after the last sound (UX.md, "The bar")."""

FALL = 20.0
"""dB a second at which a level falls: a little faster than a programme meter (IEC 60268-10, type I: 20 dB in some 1.5 s)."""

CHANGES, STILL_CHANGES = 1 / 15, 0.5
"""Seconds between two changes of levels: moving, and on a still display."""

STILL_STEPS = 5
"""Steps of a level on a still display."""

FADE, BLINK = 2.0, 0.5
"""Seconds from one height to the next: of a slow pulse (0.5 Hz), and of a fast blink (2 Hz)."""

LOW = 0.3
"""Lightness at the foot of a slow pulse. Dark means off, so a lamp that pulses slowly is never dark."""

MARK = 0.5
"""Lightness of marks at their brightest: half of a loud voice."""

STILL_SLOW, STILL_FAST = 0.36, 0.66
"""Lightness that stands for a slow pulse and a fast blink on a still display, where the page draws a ring with a dot and a
half-filled disc."""

_TICKS = 25
"""Brightnesses a second that a fade may take; in a fade only those are taken that differ."""
_PHASES = round(FADE * _TICKS)
_HEIGHTS = [LOW + (1.0 - LOW) * round(10 + 10 * math.cos(math.tau * n / _PHASES)) / 20 for n in range(_PHASES)]
_STEADY_FOR = [
    next(ahead for ahead in itertools.count(1) if _HEIGHTS[(n + ahead) % _PHASES] != _HEIGHTS[n])
    for n in range(_PHASES)
]
"""Ticks from each to the next that differs."""
_LITTLE = 1e-4
"""Seconds: what is due at a time is due when this is the time, whatever floating point makes of it."""


class Talker(NamedTuple):
    """Somebody whose sign is shown."""

    sign: int
    """hue * 12 + place."""
    until: float
    """When their hold ends if nobody names them as a speaker any more."""
    named: bool
    level: float
    """dBov, as it was told last; SILENCE when they are not named any more."""
    shown: float
    """dBov, as it is shown: QUIETEST_SHOWN to 0."""


class RingState(NamedTuple):
    """What a frame leaves for the next one."""

    talkers: tuple[Talker, ...] = ()
    """In the order in which they began: an LED is the first one's."""
    moved: float = -math.inf
    """When levels moved last."""
    pulsing: float | None = None
    """Since when something pulses: all that does is in step, and begins lit."""


class Frame(NamedTuple):
    """What is lit. Lamps are shares of full light, 0 to 1, linear: what PWM gives."""

    mic: float
    room: float
    speak: float
    fault: float
    pixels: bytes
    """Four bytes for each LED in the order of the wire, as it takes them (:data:`appliance.panel.layout.DARK`)."""
    next: float | None
    """When it changes by itself, on the clock of ``now``; None: it stays until the view changes."""


class _Pulse(NamedTuple):
    """What pulses, in one frame."""

    slow: float
    """Share of full light of a lamp."""
    fast: float
    mark: float
    """Lightness of a mark, as a share of its brightest."""


_FADE = [_Pulse(light_of(lightness), 1.0, lightness) for lightness in _HEIGHTS]
_STILL = _Pulse(light_of(STILL_SLOW), light_of(STILL_FAST), STILL_FAST)


def render(ring: RingState, view: View, now: float, layout: Layout) -> tuple[RingState, Frame]:
    """The frame that shows ``view`` at ``now`` (seconds, never going back), and what the next call is given."""
    lamps = view.lamps
    talkers, moved = _follow(ring, view, now, layout.still)
    marks = _marks(view) if layout.pixels else ()
    slow = not layout.still and (Sign.SLOW in lamps.signs or any(MARKS[mark].pulses for mark in marks))
    fast = not layout.still and Sign.FAST in lamps.signs
    since = (now if ring.pulsing is None else ring.pulsing) if slow or fast else None
    pulse = _STILL if since is None else _pulse(now - since)
    shades = [_shade(talker.shown, layout.still) for talker in talkers]
    due = (*_pulse_due(since, now, slow, fast), *_levels_due(talkers, moved, layout.still))
    frame = Frame(
        _lamp(lamps.mic, pulse),
        _lamp(lamps.room, pulse),
        _speak(view, shades, pulse, layout),
        _lamp(lamps.fault, pulse),
        _pixels(talkers, shades, marks, pulse, layout, view.night),
        min(due, default=None),
    )
    return RingState(talkers, moved, since), frame


def _follow(ring: RingState, view: View, now: float, still: bool) -> tuple[tuple[Talker, ...], float]:
    """Who is shown and how loud, and when levels moved last."""
    if view.lamps.room is Sign.OFF:  # the door is closed: whoever is not in the room sees nobody, at once
        return (), ring.moved
    told: dict[int, float] = {}
    for speaker in view.speakers:
        sign = speaker.hue * PLACES + speaker.place
        told[sign] = max(speaker.level, told.get(sign, SILENCE))
    passed = now - ring.moved
    move = passed >= _interval(still) - _LITTLE
    talkers = []
    for before in ring.talkers:
        # Whoever was loud enough when they were named last was heard until this moment.
        until = now + HOLD if before.level > QUIETEST_SHOWN else before.until
        named = before.sign in told
        if named or now < until:
            level = told.pop(before.sign, SILENCE)
            fallen = max(QUIETEST_SHOWN, before.level, level, before.shown - FALL * passed)
            shown = fallen if move else before.shown
            talkers.append(Talker(before.sign, until, named, level, shown))
    talkers += [Talker(sign, now, True, level, max(QUIETEST_SHOWN, level)) for sign, level in told.items()]
    return tuple(talkers), now if move else ring.moved


def _levels_due(talkers: Iterable[Talker], moved: float, still: bool) -> Iterator[float]:
    """When each talker's light changes next, or ends."""
    unit = _unit(still)
    for talker in talkers:
        if not talker.named:
            yield talker.until
        step, wanted = _step(talker.shown, unit), _step(max(QUIETEST_SHOWN, talker.level), unit)
        if wanted > step:
            yield moved + _interval(still)
        elif wanted < step:
            fall = talker.shown - (QUIETEST_SHOWN + (step - 0.5) * unit)
            yield moved + max(_interval(still), fall / FALL + _LITTLE)


def _unit(still: bool) -> float:
    """Height of a step, dB."""
    return -QUIETEST_SHOWN / (STILL_STEPS if still else STEPS)


def _interval(still: bool) -> float:
    """Seconds between two movements of levels."""
    return STILL_CHANGES if still else CHANGES


def _step(level: float, unit: float) -> int:
    """The step of a level (dBov, at least QUIETEST_SHOWN), in steps of ``unit`` dB from 0 on."""
    return int((level - QUIETEST_SHOWN) / unit + 0.5)


def _shade(level: float, still: bool) -> int:
    """The step of a level as a palette has them, 0 to STEPS."""
    return _step(level, _unit(still)) * (STEPS // STILL_STEPS if still else 1)


def _pulse(passed: float) -> _Pulse:
    fade = _FADE[_tick(passed, 1 / _TICKS) % _PHASES]
    return fade if _tick(passed, BLINK / 2) % 2 == 0 else fade._replace(fast=0.0)


def _pulse_due(since: float | None, now: float, slow: bool, fast: bool) -> Iterator[float]:
    """When what pulses changes next."""
    if since is not None and slow:
        tick = _tick(now - since, 1 / _TICKS)
        yield since + (tick + _STEADY_FOR[tick % _PHASES]) / _TICKS
    if since is not None and fast:
        yield since + (_tick(now - since, BLINK / 2) + 1) * BLINK / 2


def _tick(passed: float, length: float) -> int:
    """How many ticks of ``length`` seconds have passed."""
    return int((passed + _LITTLE) / length)


def _lamp(sign: Sign, pulse: _Pulse) -> float:
    if sign is Sign.SLOW:
        return pulse.slow
    if sign is Sign.FAST:
        return pulse.fast
    return float(sign is Sign.STEADY)


def _speak(view: View, shades: list[int], pulse: _Pulse, layout: Layout) -> float:
    """SPEAK: as bright as the loudest voice, as long as anybody's sign is shown; a hand or a knock goes before."""
    sign = view.lamps.speak
    if sign in (Sign.SLOW, Sign.FAST):
        light = _lamp(sign, pulse)
    elif shades:
        light = light_of(lightness_of_step(max(shades)))
    elif sign is Sign.STEADY:  # somebody without a sign
        level = QUIETEST_SHOWN * (1.0 - view.lamps.brightness)
        light = light_of(lightness_of_step(_shade(level, layout.still)))
    else:
        light = 0.0
    return light * light_of(layout.night) if view.night else light


def _marks(view: View) -> tuple[int, ...]:
    """Which of :data:`MARKS` are shown, the lowest first."""
    shown = (view.recording, view.own_hand, view.hands > 0, view.warning, view.knock)
    return tuple(mark for mark, is_shown in enumerate(shown) if is_shown)


def _pixels(
    talkers: tuple[Talker, ...], shades: list[int], marks: tuple[int, ...], pulse: _Pulse, layout: Layout, night: bool
) -> bytes:
    """The LEDs: marks first, then who speaks; who began first is drawn last, and so keeps what is theirs."""
    known = tables(layout)
    palette = known.palette(night)
    if talkers and layout.pixels < LEVEL_ONLY:
        return palette.talkers[len(HUES)][max(shades)] * layout.pixels
    pixels = bytearray(DARK * layout.pixels)
    taken = 0
    for talker in talkers:
        taken |= known.clear[talker.sign]
    for mark in marks:
        colour = palette.colour(MARKS[mark].rgb, MARK * (pulse.mark if MARKS[mark].pulses else STILL_FAST))
        for led in known.marks[mark]:
            if not taken >> led & 1:
                pixels[4 * led : 4 * led + 4] = colour
    for talker, shade in zip(reversed(talkers), reversed(shades), strict=True):
        colour = palette.talkers[talker.sign // PLACES][shade]
        for led in known.lit[talker.sign]:
            pixels[4 * led : 4 * led + 4] = colour
    return bytes(pixels)
