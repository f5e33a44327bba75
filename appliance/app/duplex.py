"""The two 10 ms paths of sound: from the microphone to the exchange, and from the exchange to the loudspeaker.

What the microphones hear goes through the front end, where there is one, and then to the gate; what is played is turned up or
down, chimes are laid over it, and it goes through the front end's limiter. Both paths run on the card's threads and decide
nothing. The loudspeaker's block is the clock of the exchange: at each turn the answer to the last message is fetched and
played, and the next message is sent; so one block is in hand, and nobody is waited for. With ``patience`` the message is sent
first and its own answer is waited for, so long and no longer: 10 ms less delay, at the cost of a hole when link is later than
that; then a block is in hand again for a while. When link does not answer, the last block fades to silence. What comes late is
played all the same, so that the next such delay leaves no hole; when there was none for two seconds, the block too much is
faded into the one before.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from appliance.audio.chimes import Chimes
from appliance.audio.gate import Gate
from appliance.audio.limiter import Limiter
from appliance.audio.port import Side
from appliance.audio.tap import Tap
from appliance.core.controls import Door
from appliance.core.counters import Counters
from appliance.core.lamps import LampSigns, Sign
from appliance.core.levels import Smoother, Speaking, dbov
from appliance.core.units import BLOCK, BLOCK_SECONDS, SILENCE, Block, Blocks
from appliance.media.exchange import Downlink, Listener, Uplink

LOST_AFTER = 50
"""Turns (10 ms) without an answer after which link counts as lost."""
_WAITED_FOR = 3
"""Turns without an answer after which none is waited for."""
PATIENCE = 0.006
"""Seconds that sound waits for link in the low-delay profile: less than half of what the loudspeaker still has then."""
_CALM, _CALMEST = 500, 6000
"""Turns with a block in hand after a hole that patience has left; twice as many each time, up to a minute."""
_INT16 = np.float32(1 / 32768)
_CATCH_UP_EVERY = 50
"""Turns in which a block that always waits behind the gate is seen as delay that a stall has left."""
_OVERTAKE_EVERY = 200
"""The same for an answer that always waits: link is late more often than the microphone."""
FOUND_AFTER = 2.0
"""Seconds of voice that an open gate has heard before a direction is told: it would tell who talked while it was closed."""
STRADDLES, DELAYED = 1, 5
"""Blocks after an opening in which there is sound of before: that which is just being captured, and with a front end also what
its delay (at most 20 ms) and the card's sound server (20 ms) still hold."""
_LOOK_EVERY = 5
"""Turns between two looks at what need not be known every 10 ms: levels, news, a new connection. A process that sleeps
between its blocks finds its caches cold: what it does not touch is what makes it cheap."""


class Listening(Protocol):
    """What of the front end (:class:`~appliance.audio.front_end.FrontEnd`) is used here: its libraries may be missing."""

    closed: bool

    @property
    def speech(self) -> bool: ...

    @property
    def direction(self) -> int | None: ...

    def process(self, microphones: Blocks, position: int, time: float, out: Block, /) -> None: ...

    def playing(self, block: Block, /) -> None: ...

    def played(self, position: int, time: float, /) -> None: ...

    def jumped(self, side: Side, /) -> None: ...


def _says(answer: Downlink) -> tuple[object, ...]:
    """What the loop has to know at once: everything but the block and the levels."""
    return (
        answer.link,
        answer.members,
        answer.hands,
        answer.knocks,
        answer.admin_muted,
        answer.admin_lifted,
        answer.asked,
        answer.door_commands,
        answer.recording,
        answer.trial,
        answer.violation,
        len(answer.speakers),
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What the loop wants every uplink to say; replaced as a whole, read by the playback thread."""

    reasons: int = 0
    door: Door = Door.OPEN
    hand: bool = False
    knocks: int = 0
    lamps: LampSigns = (Sign.STEADY, Sign.SLOW, Sign.OFF, Sign.OFF)
    quiet_until: int = 0
    recording: bool = False


class Duplex:
    """The card's user (:class:`~appliance.audio.port.CardUser`); what has no underscore may be read from any thread."""

    def __init__(
        self,
        gate: Gate,
        listener: Listener,
        counters: Counters,
        clock: Callable[[], float] = time.monotonic,
        patience: float = 0.0,
        front_end: Listening | None = None,
        *,
        chimes: Chimes | None = None,
    ) -> None:
        self._gate, self._listener, self._counters, self._clock = gate, listener, counters, clock
        self._front_end = front_end
        self._chimes = chimes or Chimes()
        self._limiter = Limiter()
        gate.behind = STRADDLES if front_end is None else DELAYED
        self._clean = np.zeros(BLOCK, np.float32)
        self._patience = patience
        self._hurries_from = 0
        self._calm = _CALM
        self.facts = Facts()
        self.microphone = SILENCE
        """Smoothed level of the microphone, dBov. It stays in this process while the gate is closed."""
        self.talking = False
        """Whether somebody talks into the microphone, heard or not. It stays in this process while the gate is closed."""
        self.direction: int | None = None
        """Where who is heard talks, degrees, 0 to 359; None: nobody is heard, or it is not known."""
        self.tells_direction = True
        """Whether the room is told of it."""
        self.talker: Callable[[], int | None] = lambda: None
        """Where somebody talks, of a card that knows it without a front end; must not block."""
        self._open_epoch, self._voiced, self._found_at = -1, 0.0, 0.0
        self._runs = True
        self.loudspeaker = SILENCE
        """Smoothed level of what is played of the room, dBov. Chimes are not in it: they are this room's alone."""
        self.latest: tuple[Downlink, int] | None = None
        """What link said last, and on which connection (they are numbered), or None: it does not answer."""
        self.turns = 0
        """Blocks played; it stands still when the card's thread does."""
        self.news: Callable[[], None] = lambda: None
        """Called on the playback thread when link says something new, levels apart; must not block."""
        self.card_changed: Callable[[bool], None] = lambda _running: None
        """Called on any thread when the card runs, or is lost; must not block."""
        self._tap: Tap | None = None
        self._said: tuple[object, ...] | None = None
        self._seq = 0
        self._level = -127
        """dBov of what was last let through: nothing of closed time is in it."""
        self._unanswered = 0
        self._heard = Smoother(0.0, 0.15)
        self._played = Smoother(0.0, 0.15)
        self._speaking = Speaking()
        self._pcm = np.zeros(BLOCK, np.int16)
        self._last = np.zeros(BLOCK, np.float32)
        self._fade_out = np.linspace(1.0, 0.0, BLOCK, dtype=np.float32)
        self._fade_in = 1 - self._fade_out
        self._silent = True
        self._missed = False
        self._least_answers = 0
        self._later = np.zeros(BLOCK, np.int16)
        self._least_waiting = 0

    @property
    def answer(self) -> Downlink | None:
        """What link said last, or None: it does not answer."""
        latest = self.latest
        return latest[0] if latest else None

    def captured(self, microphones: Blocks, position: int, time: float) -> None:
        """One block of every microphone, shape (n, 480); without a front end the first of them is heard."""
        tap, block = self._tap, microphones[0]
        if tap is not None:
            tap.put(microphones)
        if self._front_end is not None:
            block = self._clean
            self._front_end.closed = not self._gate.is_open
            self._front_end.process(microphones, position, time, block)
        self._gate.put(block)
        if self.turns % _LOOK_EVERY == 0:
            now = self._clock()
            level = self._heard.update(SILENCE if self._just_opened() else dbov(block), now)
            speech = self._front_end is None or self._front_end.speech
            self.microphone = level
            self.talking = self._speaking.update(level if speech else SILENCE, now)
            self._find(now, speech=speech)
            if not self._runs:  # it was lost meanwhile: the other thread has told so
                self._hear_nothing()

    def tapped(self, tap: Tap | None) -> None:
        """Give ``kontor record`` what is captured; the tap takes nothing while the gate is closed. None ends it.

        Nothing rings meanwhile: a chime would be in the recording.
        """
        self._tap = tap
        self._chimes.hush(tap is not None)

    def _just_opened(self) -> bool:
        """Whether the gate has opened since the last look: then nothing of before is in the level and the direction any more."""
        if not self._gate.is_open or self._gate.epoch == self._open_epoch:
            return False
        self._open_epoch, self._voiced = self._gate.epoch, 0.0
        self._heard = Smoother(0.0, 0.15)
        return True

    def _hear_nothing(self) -> None:
        self.microphone, self.talking, self.direction = SILENCE, False, None

    def _find(self, now: float, *, speech: bool) -> None:
        """Where the voice comes from, once all that is known of it was heard by an open gate (mute rule 9).

        What it heard of a voice is replaced by more voice, and not by time that passes in silence.
        """
        if not self._gate.is_open:
            self.direction = None
            return
        if speech:
            self._voiced += min(now - self._found_at, _LOOK_EVERY * BLOCK_SECONDS)
        self._found_at = now
        known = self.talking and self._voiced >= FOUND_AFTER
        found = self.talker() if self._front_end is None else self._front_end.direction
        self.direction = found if known else None

    def played(self, position: int, time: float) -> None:
        """When the block of the last :meth:`wanted` is heard."""
        if self._front_end is not None:
            self._front_end.played(position, time)

    def jumped(self, side: Side) -> None:
        """Positions and delays of ``side`` begin anew."""
        if self._front_end is not None:
            self._front_end.jumped(side)

    def changed(self, running: bool) -> None:
        """The card runs, or is lost: then the gate closes at once, and the loop hears of it."""
        self._runs = running
        if not running:
            self._gate.close()
            self._hear_nothing()
        self.card_changed(running)

    def wanted(self, out: Block) -> None:
        """Fill the block that is played next, shape (480,), and send the next message to link."""
        looks = self.turns % _LOOK_EVERY == 0
        if looks:
            self._listener.poll()
        hurries = self._patience > 0 and self.turns >= self._hurries_from
        patience = 0.0
        if hurries and self._send() and self._unanswered < _WAITED_FOR:
            patience = self._patience
        answer = self._listener.receive(patience, keep=1)
        if answer is not None:
            self.latest, self._unanswered = (answer, self._listener.counts.accepted), 0
        else:
            self._unanswered += 1
        self._play(answer, out)
        self._overtake(out, at_once=hurries)
        if not hurries:
            self._send()
        elif answer is None and self.answer is not None:
            self._calm_down()
        self._chimes.volume.begin()
        self._chimes.volume.scale(out)
        if looks:
            self._look(out)
        self._chimes.mix(out)
        if self._front_end is not None:
            self._front_end.playing(out)
        else:
            self._limiter.limit(out)
        self.turns += 1

    def _look(self, out: Block) -> None:
        """What is played is measured, and the loop is woken when link says something new or nothing any more."""
        self.loudspeaker = self._played.update(SILENCE if self._silent else dbov(out), self._clock())
        if self._gate.is_open:
            self._level = round(dbov(self._pcm))
        if self._unanswered >= LOST_AFTER:
            self.latest = None
        answer = self.answer
        says = None if answer is None else _says(answer)
        if says != self._said:
            self._said = says
            self.news()

    def _play(self, answer: Downlink | None, out: Block) -> None:
        if answer is not None and answer.block is not None and self.facts.door is not Door.CLOSED:
            np.multiply(np.frombuffer(answer.block, "<i2"), _INT16, out=out)
            if self._missed:
                np.multiply(out, self._fade_in, out=out)
            np.copyto(self._last, out)
            self._silent = self._missed = False
            return
        if answer is None and self.answer is not None:
            self._counters.add("downlink_missing")
            self._missed = True
        if self._silent:
            out.fill(0)
            return
        np.multiply(self._last, self._fade_out, out=out)  # once: no click, and no sound that nobody made
        self._silent = True

    def _calm_down(self) -> None:
        """Link was later than patience allows: take a block in hand for a while."""
        if self.turns - self._hurries_from > _CALMEST:
            self._calm = _CALM
        self._hurries_from = self.turns + self._calm
        self._calm = min(_CALMEST, 2 * self._calm)

    def _overtake(self, out: Block, *, at_once: bool) -> None:
        """When an answer has waited for two seconds, it is faded into the one before: 10 ms less delay."""
        self._least_answers = min(self._least_answers, self._listener.waiting)
        if self.turns % _OVERTAKE_EVERY and not at_once:
            return
        later = self._listener.receive() if self._least_answers or (at_once and self._listener.waiting) else None
        if later is not None:
            self._listener.counts.skipped += 1
            before = out * self._fade_out
            self._play(later, out)
            np.multiply(out, self._fade_in, out=out)
            np.add(out, before, out=out)
        self._least_answers = self._listener.waiting

    def _catch_up(self) -> None:
        """When a block has waited behind the gate for half a second, it is faded into the one before: 10 ms less delay."""
        self._least_waiting = min(self._least_waiting, self._gate.waiting)
        if self.turns % _CATCH_UP_EVERY:
            return
        if self._least_waiting and self._gate.take(self._later):
            faded = self._pcm * self._fade_out + self._later * self._fade_in
            np.copyto(self._pcm, faded, casting="unsafe")
            self._gate.dropped += 1
        self._least_waiting = self._gate.waiting

    def _send(self) -> bool:
        epoch = self._gate.epoch
        has_block = self._gate.take(self._pcm)
        self._catch_up()
        if not has_block and self._gate.is_open:
            self._pcm.fill(0)  # open, but the microphone is a block behind: link must not take it for a close
            has_block = True
        facts = self.facts  # after the block: the gate opens only when its reasons are gone from here
        if self._gate.epoch != epoch:  # closed while we fetched it: what we hold is from before
            epoch, has_block = self._gate.epoch, False
        if not has_block:
            self._level = -127
        self._seq = (self._seq + 1) & 0xFFFFFFFF
        return self._listener.send(
            Uplink(
                seq=self._seq,
                block=self._pcm.data.cast("B") if has_block else None,
                epoch=epoch,
                level=self._level,
                direction=self.direction if has_block and self.tells_direction else None,
                reasons=facts.reasons,
                door=facts.door,
                hand=facts.hand,
                knocks=facts.knocks,
                lamps=facts.lamps,
                loudspeaker=round(self.loudspeaker),
                quiet_until=facts.quiet_until,
                recording=facts.recording,
            )
        )
