"""Link's exchange thread: it answers sound's blocks from the engine, and hands the engine what the gate let through.

The answer goes out before the uplink is encoded, so that sound waits for the mix only. Whatever is missing counts as a
closed gate: no message for a while, a connection that broke, a message that tells of another epoch.
"""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from appliance.core.counters import Counters
from appliance.core.units import BLOCK
from appliance.media.exchange import Client, Downlink, ExchangeClosed, Uplink
from appliance.rooms.contract import Engine

_SILENT_AFTER = 0.2
"""Seconds without a message from sound after which the gate counts as closed."""
_RETRY = 0.1
_STEP = 15
"""Degrees: the ring has a lamp every 30, and a voice that trembles is no news."""
DIRECTION_ERROR = -(-_STEP // 2)
"""Degrees by which the direction that the room is told is off for its steps alone."""
_REPORT_EVERY = 10
"""Turns (10 ms) between two looks at whether sound says something new."""
_LOUDEST = np.float32(32767)
_FIRST_CHECK, _CHECK_EVERY = 50, 1000
"""Turns (10 ms) after which a closed gate is looked behind for the first time, and between two looks."""


def shown_direction(uplink: Uplink) -> int | None:
    """Where who is heard talks as the room is told it, degrees in steps of 15; None: not known, or the gate is closed."""
    if uplink.direction is None or uplink.block is None:
        return None
    return round(uplink.direction / _STEP) * _STEP % 360


class Answering:
    """The thread.

    ``told`` is called on it with every uplink that says something new, at most ten times a second, and once with None when
    sound says nothing any more; ``violated`` once, when the proof of mute has found something. Sound is told so by the next
    answer, ten milliseconds later, and by all that follow; the engine gets no block any more.
    """

    def __init__(
        self,
        path: Path,
        engine: Engine,
        counters: Counters,
        told: Callable[[Uplink | None], None],
        violated: Callable[[], None],
    ) -> None:
        self._path, self._engine, self._counters, self._told = path, engine, counters, told
        self._violated, self._is_violated = violated, False
        self._closed_turns = 0
        self.says = Downlink(seq=0)
        """What the loop wants every answer to say; replaced as a whole when something changes."""
        self.connected = False
        self.turns = 0
        """Blocks answered."""
        self.ended: Future[None] = Future()
        self._ending = threading.Event()
        self._client: Client | None = None
        self.rounds = 0
        """Times that the thread went round, with or without sound: it stands still when the thread does."""
        self._epoch: int | None = None
        self._said: tuple[object, ...] = ()
        self._reasons = -1
        self._mix = np.zeros(BLOCK, np.float32)
        self._pcm = np.zeros(BLOCK, np.int16)
        self._bytes = memoryview(self._pcm.data).cast("B")
        self._thread = threading.Thread(target=self._run, name="exchange", daemon=True)

    def start(self) -> None:
        """Start the thread; it waits for sound as long as it takes."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread within one second."""
        self._ending.set()
        client = self._client
        if client:
            client.stop()
        self._thread.join(1)

    def change_engine(self, engine: Engine) -> None:
        """From now on blocks come from another engine, and go to it. From the loop."""
        self._engine = engine

    def _run(self) -> None:
        self.ended.set_running_or_notify_cancel()  # from here on a waiter that gives up does not cancel it
        try:
            while not self._ending.is_set():
                self.rounds += 1
                self._connect_once()
            self.ended.set_result(None)
        except BaseException as error:  # noqa: BLE001 - junk from sound or a bug: link ends with it and is started anew
            self.ended.set_exception(error)
        finally:
            self._engine.send(None)

    def _connect_once(self) -> None:
        try:
            client = Client(self._path, timeout=_SILENT_AFTER)
        except OSError:
            self._ending.wait(_RETRY)
            return
        self._counters.add("exchange_connections")
        self._client, self.connected, self._epoch = client, True, None
        try:
            with contextlib.suppress(ExchangeClosed):
                while not self._ending.is_set():
                    self._turn(client)
        finally:
            self.connected = False
            self._fell_silent()
            client.close()

    def _turn(self, client: Client) -> None:
        self.rounds += 1
        uplink = client.receive()
        if uplink is None:
            self._fell_silent()
            return
        block = None
        if self._engine.receive(self._mix):
            np.multiply(self._mix, _LOUDEST, out=self._mix)
            np.copyto(self._pcm, self._mix, casting="unsafe")
            block = self._bytes
        client.answer(uplink.seq, block, self.says._replace(violation=True) if self._is_violated else self.says)
        self._pass_on(uplink)
        self._look_behind(uplink)
        self.turns += 1

    def _look_behind(self, uplink: Uplink) -> None:
        """Behind a closed gate now and then, and always whether anything was found."""
        self._closed_turns = self._closed_turns + 1 if uplink.block is None else 0
        if self._closed_turns == _FIRST_CHECK or (self._closed_turns and self._closed_turns % _CHECK_EVERY == 0):
            self._engine.check()
        if not self._is_violated and self._engine.violations:
            self._is_violated = True
            self._engine.send(None)
            self._violated()

    def _fell_silent(self) -> None:
        """Nothing comes from sound: its gate counts as closed, here and in the room, until it says otherwise."""
        self._engine.send(None)
        if self._said and not self._ending.is_set():
            self._said, self._reasons = (), -1
            self._told(None)

    def _pass_on(self, uplink: Uplink) -> None:
        if uplink.epoch != self._epoch:  # the gate has closed since, if only for a moment
            self._epoch = uplink.epoch
            self._engine.send(None)
        self._engine.forbid(uplink.reasons != 0)
        block = None if self._is_violated else uplink.block
        self._engine.send(None if block is None else np.frombuffer(block, "<i2"))
        # Whether the gate is open is told at once: until the room knows, it drops what we say.
        if uplink.reasons == self._reasons and self.turns % _REPORT_EVERY:
            return
        self._reasons = uplink.reasons
        says = (
            uplink.reasons,
            uplink.door,
            uplink.hand,
            uplink.knocks,
            uplink.lamps,
            uplink.loudspeaker // 3,
            uplink.quiet_until,
            uplink.recording,
            shown_direction(uplink),
        )
        if says != self._said:
            self._said = says
            self._told(uplink)
