"""Sound of the Telegram engine: gated blocks to the process that holds ntgcalls, and back what is heard.

There are two proofs of mute (block_proof.py): here, where a block leaves this process, and in the other one, where it is handed
to ntgcalls. Either stops everything.
"""

import asyncio
import contextlib
from collections.abc import Callable

from appliance.core.counters import Counters
from appliance.core.state import ProofState
from appliance.core.units import SILENCE, Block, Pcm
from appliance.rooms import telegram_pipe as pipe
from appliance.rooms.block_proof import BlockProof
from appliance.rooms.contract import Levels
from appliance.rooms.decoded import DecodedDownlink
from appliance.rooms.proof import LEFT_UNSEEN
from appliance.rooms.telegram_media import Media

MOST_HEARD = 11
"""Members that ntgcalls gives at a time (FACTS)."""
_QUIET_ENOUGH = 1.0
"""Seconds of silence after which a member gives its place up when another one begins."""


class Up:
    """The way up. :meth:`take` and :meth:`check` belong to the exchange thread."""

    def __init__(self, media: Media, counters: Counters) -> None:
        self._media, self._counters = media, counters
        self.proof = BlockProof(lambda _: counters.add("proof_violations"))
        self._owed: bytes | None = None
        """What was said last of the gate and was not taken yet."""
        self._forbidden = False
        self._owed_forbidden = False
        self.allowed = False
        """Whether there is a call that may hear us."""

    def take(self, pcm: Pcm | None) -> None:
        """Take one gated block, shape (480,), or None: the gate is closed."""
        block = pcm if self.allowed else None
        self.proof.entered(block)
        if block is None:
            self._close()
        else:
            self._send(block)

    def _send(self, block: Pcm) -> None:
        if self._owed is not None:
            self._say_closed()  # it has to be known before anything of a new opening
        if self._owed is not None or self._owed_forbidden:
            self._counters.add("blocks_late")
            return
        if not self.proof.leaving(block):
            self._counters.add("blocks_withheld")
        elif self._media.send(block):
            self._sent = True
            self._counters.add("blocks_sent")
        else:
            self._counters.add("blocks_late")

    _sent = False

    def _close(self) -> None:
        if self._sent:
            self._sent, self._owed = False, pipe.CLOSED
        if self._owed is not None:
            self._say_closed()

    def _say_closed(self) -> None:
        if self._media.tell(pipe.CLOSED):
            self._owed = None

    def forbid(self, closed: bool) -> None:
        """Whether a reason to close the gate holds; the other process is told when that changes."""
        self.proof.forbid(closed)
        if closed != self._forbidden:
            self._forbidden, self._owed_forbidden = closed, True
        if self._owed_forbidden and self._media.tell(pipe.FORBIDDEN if closed else pipe.ALLOWED):
            self._owed_forbidden = False

    def anew(self) -> None:
        """Another process: it knows nothing of the gate yet. Loop."""
        self._owed_forbidden = self._forbidden

    def check(self) -> None:
        """Look behind the closed gate, here and in the other process."""
        self.proof.check(kept=self._kept())
        self._media.tell(pipe.CHECK)

    def _kept(self) -> bool:
        """There is no queue here."""
        return False


class Sound:
    """Both ways. ``whose`` tells the member for a source; exchange thread but where it says loop."""

    def __init__(self, counters: Counters, whose: Callable[[int], str | None], up: "type[Up]" = Up) -> None:
        self._counters, self._whose = counters, whose
        self.media = Media(counters, self._found)
        self.up = up(self.media, counters)
        self.down = DecodedDownlink(MOST_HEARD)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: set[int] = set()
        """Sources that the loop was told of and has not looked at."""
        self.unknown: set[int] = set()
        """Sources that are heard and are in no list. Loop."""
        self._loud: dict[str, float] = {}

    @property
    def proof(self) -> ProofState:
        """What both proofs have seen. Any thread."""
        return self.up.proof.state

    def _found(self, why: str, count: int) -> None:
        """The other process has found something. Loop."""
        for _ in range(min(count, 100)):
            self.up.proof.found(why or LEFT_UNSEEN)

    def receive(self, out: Block) -> bool:
        """The next mixed block."""
        self.media.receive(self._put)
        return self.down.mix(out)

    def _put(self, source: int, pcm: Pcm) -> None:
        member = self._whose(source)
        if member is not None and member in self.down.heard:
            self.down.put(member, pcm)
        elif pcm.any() and source not in self._asked and self._loop is not None and len(self._asked) < pipe.MOST_HEARD:
            self._asked.add(source)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._place, source)

    # ---- the loop

    def begin(self) -> None:
        """The loop on which the rest is called."""
        self._loop = asyncio.get_running_loop()

    def _place(self, source: int) -> None:
        """Give who sends under ``source`` a place, the one of who was silent for the longest time if need be."""
        self._asked.discard(source)
        member = self._whose(source)
        if member is None:
            if len(self.unknown) < pipe.MOST_HEARD:
                self.unknown.add(source)
            return
        now = self._now()
        if not self.down.hear(member):
            quietest = min(self.down.heard, key=lambda who: self._loud.get(who, 0.0))
            if now - self._loud.get(quietest, 0.0) < _QUIET_ENOUGH:
                return
            self.down.forget(quietest)
            self.down.hear(member)
        self._loud[member] = now

    def levels(self) -> Levels | None:
        """What changed of levels, and who speaks; ten times a second."""
        now = self._now()
        levels = self.down.levels(now)
        for who, level in levels.levels.items() if levels else ():
            if level > SILENCE:
                self._loud[who] = now
        return levels

    def left(self, member: str) -> None:
        """``member`` is gone: nothing of it is heard any more."""
        self.down.left(member)
        self._loud.pop(member, None)

    def silence(self) -> None:
        """Nobody is heard any more."""
        for member in list(self.down.heard):
            self.left(member)

    def _now(self) -> float:
        return self._loop.time() if self._loop is not None else 0.0
