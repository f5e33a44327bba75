"""The two lives of a card: one thread that hears, one that plays.

Each opens its device, runs it, and opens it again when it was lost; neither knows how to give up.

The thread that plays takes a turn when a block was captured: so the microphone's block goes on at once, and with one clock the
loudspeaker always holds the same. Two clocks drift: then a turn is left out, or taken when the loudspeaker would run dry.
Without a loudspeaker the monotonic clock says when the next block is wanted.
"""

import threading
import time
from dataclasses import replace

import numpy as np

from appliance.audio import alsa_names
from appliance.audio.alsa_loudspeaker import DRY, Loudspeaker, Wrote
from appliance.audio.alsa_microphone import DEAD, DeadError, Microphone, StuckError
from appliance.audio.alsa_mute import why_silent
from appliance.audio.alsa_open import PERIOD, CardError, CardMistakeError, Opened, Wish, open_device
from appliance.audio.alsa_presence import Presence, Retry
from appliance.audio.choice import AUTO
from appliance.audio.port import CardFacts, CardUser, Side
from appliance.core.units import BLOCK, BLOCK_SECONDS, RATE, Blocks

_LOOK = 0.1
"""Seconds between two looks for a card that is not there."""
_MOST_PATIENCE = 60.0
"""Seconds of one and the same sample after which a microphone that was dead before is opened anew."""
_HELD = 0.035
"""Seconds without anything played after which the clock takes over."""
_STUCK = 0.4
"""The same, after which the loudspeaker counts as gone."""
_BEHIND = 0.05
"""Seconds that the clock makes up for when it came late."""
_ALONE = 2
"""Turns in a row without a captured block after which none is waited for."""


_COUNTERS = {
    (Side.CAPTURE, "lost"): "capture_losses",
    (Side.CAPTURE, "stuck"): "capture_stuck",
    (Side.CAPTURE, "dead"): "capture_dead",
    (Side.PLAYBACK, "lost"): "playback_losses",
    (Side.PLAYBACK, "stuck"): "playback_stuck",
}
COUNTED = ("capture_overruns", "playback_underruns", *_COUNTERS.values())
"""What a card counts."""


class Shared:
    """What the two threads and their card have in common."""

    def __init__(self, wish: Wish, user: CardUser, presence: Presence, *, watch: bool, least: int) -> None:
        self.wish, self.user, self.presence, self.watch, self.least = wish, user, presence, watch, least
        self.ending = threading.Event()
        self.turn = threading.Semaphore(0)
        """Released for each captured block."""
        self.devices: dict[Side, str] = dict.fromkeys(Side, "")
        """What was opened: it is opened again, under whatever number the card comes back."""
        self.facts: CardFacts | None = None
        self.counts = dict.fromkeys(COUNTED, 0)

    def lost(self, side: Side, error: CardError) -> None:
        """One side broke while it ran."""
        kind = "stuck" if isinstance(error, StuckError) else "dead" if isinstance(error, DeadError) else "lost"
        self.counts[_COUNTERS[side, kind]] += 1
        self.presence.down(side, str(error))

    def open(self, side: Side) -> Opened | None:
        """Open one side. None: not now; that was told.

        :raises CardMistakeError: it was never opened, and never can be with these settings.
        """
        try:
            opened = open_device(self.wish, side, self.devices[side])
        except CardError as error:
            if isinstance(error, CardMistakeError) and not self.devices[side]:
                raise
            self.presence.down(side, str(error))
            return None
        self.devices[side] = opened.device
        if side is Side.CAPTURE:
            self.facts = CardFacts(
                opened.device,
                self.devices[Side.PLAYBACK] or self.wish.playback,
                opened.channels,
                opened.format,
                RATE,
                opened.period,
                opened.usb_id,
                opened.card,
            )
        elif self.facts:
            self.facts = replace(self.facts, playback=opened.device)
        return opened

    def missing(self, side: Side) -> bool:
        """Whether the side's card is known, and is not there."""
        card = alsa_names.card_of(self.devices[side] or self.wish.of(side))
        return bool(card) and not alsa_names.is_there(card)


class Hearing:
    """The capture thread."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._retry = Retry()
        self._patience = DEAD
        self._up = False
        self._zero: int | None = None
        """Position of the device's that is the first one told; None: no block was handed on since something was missing."""
        self._began = False

    def run(self) -> None:
        """Until the end.

        :raises CardMistakeError: the settings cannot be right.
        """
        shared = self._shared
        while not shared.ending.is_set():
            opened = shared.open(Side.CAPTURE)
            if opened is None:
                self._pause()
                continue
            self._run(opened)
            if not self._up and not shared.missing(Side.CAPTURE):
                self._pause()

    def _pause(self) -> None:
        shared, end, there = self._shared, time.monotonic() + self._retry.pause(), alsa_names.there()
        while not shared.ending.is_set():
            if shared.missing(Side.CAPTURE):
                self._retry.reset()  # when it comes, it is wanted at once
            elif alsa_names.there() != there:
                self._retry.reset()  # what came may be what "auto" waits for
                return
            elif time.monotonic() >= end:
                return
            shared.ending.wait(min(_LOOK, max(0.0, end - time.monotonic()) or _LOOK))

    def _run(self, opened: Opened) -> None:
        shared, began = self._shared, time.monotonic()
        name = shared.wish.setting(Side.CAPTURE, opened.device)
        microphone = Microphone(opened, name, watch=shared.watch, patience=self._patience)
        self._up, self._zero = False, None
        try:
            while not shared.ending.is_set():
                microphone.read(self._heard, self._overrun)
        except DeadError as error:
            self._patience = DEAD if microphone.live else min(2 * self._patience, _MOST_PATIENCE)
            words = DeadError(f"{error}: {why_silent(opened)}")
            if self._up:
                shared.lost(Side.CAPTURE, words)
            else:
                shared.presence.down(Side.CAPTURE, str(words))
        except CardMistakeError:
            raise
        except CardError as error:
            shared.lost(Side.CAPTURE, error)
            self._retry.ran(began)
            self._up = False
        finally:
            opened.close()  # at once: a card that is held while it goes cannot come back under its id

    def _heard(self, block: Blocks, position: int, at: float) -> None:
        shared = self._shared
        if not self._up:
            self._up = True
            self._patience = DEAD
            shared.presence.up(Side.CAPTURE)
        if not shared.presence.running:
            self._zero = None
        else:
            if self._zero is None:
                self._begin(position)
            shared.user.captured(block, position - (self._zero or 0), at)
        shared.turn.release()

    def _begin(self, position: int) -> None:
        """Hand blocks on, for the first time or again: from here on they are counted anew."""
        self._zero = position
        if self._began:
            self._shared.user.jumped(Side.CAPTURE)
        self._began = True

    def _overrun(self) -> None:
        self._shared.counts["capture_overruns"] += 1
        self._zero = None


class Playing:
    """The playback thread."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._retry = Retry()
        self._ahead = shared.least
        self._block = np.zeros(BLOCK, np.float32)
        self._asked = time.monotonic()
        self._alone = 0
        self._position: int | None = None
        """Where the next block begins in what was written; None: it is a new beginning."""
        self._jumps = False

    def run(self) -> None:
        """Until the end.

        :raises CardMistakeError: the settings cannot be right.
        """
        shared = self._shared
        while not shared.ending.is_set():
            if shared.wish.playback == AUTO and not shared.devices[Side.CAPTURE]:
                self._keep_time(_LOOK)  # it is the microphone's card's, if that has one
                continue
            opened = shared.open(Side.PLAYBACK)
            if opened is None:
                self._keep_time(self._retry.pause())
                continue
            self._run(opened)
            if not shared.missing(Side.PLAYBACK):
                self._keep_time(self._retry.pause())

    def _run(self, opened: Opened) -> None:
        shared, began = self._shared, time.monotonic()
        loudspeaker = Loudspeaker(opened, shared.wish.setting(Side.PLAYBACK, opened.device), shared.least, self._ahead)
        try:
            self._turns(loudspeaker)
        except CardMistakeError:
            raise
        except CardError as error:
            shared.lost(Side.PLAYBACK, error)
            self._retry.ran(began)
        finally:
            self._ahead = loudspeaker.ahead
            opened.close(drop=True)  # at once, as above

    def _ask(self) -> None:
        self._asked = time.monotonic()
        self._shared.user.wanted(self._block)

    def _keep_time(self, seconds: float) -> None:
        """Want a block every 10 ms for so long, and for as long as the card is not there."""
        shared, end = self._shared, time.monotonic() + seconds
        due, look = self._asked, time.monotonic()
        missing = shared.missing(Side.PLAYBACK)
        while not shared.ending.is_set() and (missing or time.monotonic() < end):
            now = time.monotonic()
            due = max(due + BLOCK_SECONDS, now - _BEHIND)
            if due > now:
                time.sleep(due - now)
            self._ask()
            self._forget_turns()  # hours without a loudspeaker are many
            if now - look > _LOOK:
                look, missing = now, shared.missing(Side.PLAYBACK)
                if missing:
                    self._retry.reset()  # when it comes, it is wanted at once

    def _turns(self, loudspeaker: Loudspeaker) -> None:
        shared, running, up = self._shared, False, False
        self._position = None
        while not shared.ending.is_set():
            self._ask()
            if not running:  # only now: the first time takes longest
                self._begin(loudspeaker)
            running = self._write(loudspeaker)
            if running and not up:
                up = True
                shared.presence.up(Side.PLAYBACK)
            while not self._await_turn(loudspeaker):
                if shared.ending.is_set():
                    return
                self._ask()  # nobody hears it: the sound that follows does not wait behind it
                self._position = None

    def _begin(self, loudspeaker: Loudspeaker) -> None:
        """Start playing right after a block was captured: from then on the two keep step."""
        self._forget_turns()
        self._shared.turn.acquire(timeout=BLOCK_SECONDS)
        loudspeaker.prefill()

    def _forget_turns(self) -> None:
        while self._shared.turn.acquire(blocking=False):
            pass

    def _write(self, loudspeaker: Loudspeaker) -> bool:
        """Play what was asked for last. False: the loudspeaker ran out before."""
        before = loudspeaker.underruns
        wrote = loudspeaker.write(self._block)
        if wrote is Wrote.LATE:
            self._shared.counts["playback_underruns"] += loudspeaker.underruns - before
            self._position = None
            self._check(loudspeaker)
            return False
        if self._position is None:
            self._position = 0
            if self._jumps:
                self._shared.user.jumped(Side.PLAYBACK)
            self._jumps = True
        waits = loudspeaker.fill() - BLOCK
        self._shared.user.played(self._position, time.monotonic() + max(0, waits) / RATE)
        self._position = self._position + BLOCK if wrote is Wrote.WHOLE else None
        return True

    def _check(self, loudspeaker: Loudspeaker) -> None:
        loudspeaker.fill()
        if loudspeaker.stands > _STUCK:
            raise StuckError(f"{loudspeaker.name} plays nothing, though it is there")

    def _await_turn(self, loudspeaker: Loudspeaker) -> bool:
        """Until a block was captured, or the loudspeaker would run dry. A block too much is left out.

        False: it plays nothing, and the next block is due by the clock.

        :raises StuckError: that has lasted too long.
        """
        shared = self._shared
        while not shared.ending.is_set():
            fill = loudspeaker.fill()
            self._check(loudspeaker)
            if loudspeaker.stands > _HELD:
                time.sleep(max(0.0, self._asked + BLOCK_SECONDS - time.monotonic()))
                return False
            # Without a microphone there is nothing to keep step with, and no reason to cut it fine.
            left = (fill - (loudspeaker.ahead if self._alone > _ALONE else DRY)) / RATE
            if left <= 0:
                self._alone += 1
                return True
            if shared.turn.acquire(timeout=min(left, BLOCK_SECONDS)):
                self._alone = 0
                if loudspeaker.fill() < loudspeaker.ahead + PERIOD:
                    return True
        return True
