"""The device's ICE: a controlling agent towards one host that is ICE-lite (RFC 8445, 2.5), and the ways to it.

The host learns our address from our check, so nothing is gathered before its answer names where it listens, and the one
candidate that leads there is all that is needed. That works on loopback, and without AF_NETLINK in a sandbox. A valid check
from another address moves us there, so a new address of this device needs no new join: :meth:`Agent.tend` opens a way from
it and takes that as soon as it is answered. While nothing is heard, checks go out four times a second; they also keep the
host's consent fresh (RFC 7675).

Ways are raced: the direct ones at once, the relay a moment later, so that nobody waits for a way that does not lead there.
"""

import asyncio
import contextlib
import itertools
import secrets
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aioice import stun
from aioice.candidate import candidate_priority
from aioice.utils import random_string

from appliance.media.ways import Address, Direct, OnMedia, OnOther, Way, own_address

RelayUse = Literal["when_needed", "always", "never"]
"""Whether a relay is taken: when no direct way is answered, always, or never."""

CONSENT = 30.0
"""Seconds without an answer after which the host's consent to be sent to has run out (RFC 7675, 5.1)."""

_CONSENT_EVERY = 4.0
"""Seconds between checks while all is well; RFC 7675 wants 4 to 6, randomised: the loop's ticks do that."""
_QUIET = 0.5
"""Seconds without anything of the host after which every tick checks: it sends a report twice a second."""
_HEAD_START = 0.15
"""Seconds that direct ways have before the relay is asked: on a good network it is never bothered."""
_GRACE = 0.3
"""Seconds that an answer by the relay waits for one that comes directly."""
_RELAY_AFTER = 1.5
"""Seconds of silence after which the relay is tried beside a direct way that worked before."""
_RELAY_AGAIN = 5.0
"""Seconds between two tries to get a relay while nothing is heard."""
_FOLLOW_AGAIN = 1.0
"""The same when this device has another address: the old relay leads nowhere."""
_TICKS = (0.05, 0.05, 0.1, 0.1, 0.2)
"""Seconds between the first checks of a new connection; the last one repeats."""
_MOST_WAYS = 4
"""Ways that are open at a time, beyond those to the places that the host names."""
_MOST_CHECKS = 64
"""Checks that may still be answered."""
_TRIPS = 8
"""Round trips that the shortest is told of: what is read every 10 ms is read up to 10 ms late."""
_DTLS_WAITING = 32  # datagrams; a handshake has five
_HELLO_AGAIN = 0.05
_HELLOS = 10
"""How often the first datagram of DTLS is sent again, and seconds between: OpenSSL itself would wait a whole second."""


@dataclass(slots=True)
class _Try:
    """A way that is open, and how far it has come."""

    way: Way
    nominates: bool
    """Its checks ask the host to send here."""
    answered: float | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """The host, as its answer tells of it."""

    ufrag: str
    password: str
    places: Sequence[Address]
    """Where it listens, UDP."""


OpenRelay = Callable[[Address, OnMedia, OnOther], Awaitable[Way]]
"""Opens a way to an address through a relay. Raises OSError (ConnectionError too) when there is none."""


@dataclass(slots=True)
class _Relaying:
    """What is known of relays."""

    open: OpenRelay | None = None
    use: RelayUse = "never"
    opening: asyncio.Task[None] | None = None
    tried: float = field(default=float("-inf"))


class Agent:
    """One connection's ICE. It stands in for aiortc's RTCIceTransport, of which the DTLS transport uses ``role``,
    ``_recv`` and ``_send``.

    :param on_media: gets what looks like media, on the thread that read it.
    :param on_use: told when packets have to go another way from now on.
    """  # noqa: D205

    role = "controlling"

    def __init__(self, on_media: OnMedia, on_use: Callable[[Way], None], count: Callable[[str], None]) -> None:
        self._on_media, self._on_use, self._count = on_media, on_use, count
        self._loop = asyncio.get_running_loop()
        self.local_username, self.local_password = random_string(4), random_string(22)
        self._tie_breaker = secrets.randbits(64)
        self._remote = Remote("", "", ())
        self._relaying = _Relaying()
        self._tries: list[_Try] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._checks: dict[bytes, tuple[_Try, bool, float]] = {}
        self._trips: deque[float] = deque(maxlen=_TRIPS)
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._used = asyncio.Event()
        self._checked_at = self._loop.time()
        self.way: Way | None = None
        """The way that is used."""
        self.answered = self._loop.time()
        """The loop's time of the last answer of the host."""
        self._asked: float | None = None
        """When the first check left that has had no answer since."""
        self._hello: bytes | None = None
        """The first datagram of DTLS while nothing of it was answered; empty once something was."""

    @property
    def doubt(self) -> float:
        """Seconds for which the host has not answered: what it sends may still arrive, but what we send does not."""
        return 0.0 if self._asked is None else self._loop.time() - self._asked

    @property
    def round_trip(self) -> float | None:
        """Seconds to the host and back on the way that is used; None: not known yet."""
        return min(self._trips, default=None)

    # ---- coming up

    async def connect(self, remote: Remote, relay: OpenRelay | None = None, use: RelayUse = "never") -> None:
        """Find a way. It ends when the host has answered on one, and else never: whoever calls sets the time limit.

        :raises ConnectionError: there is none to try.
        """
        self._remote = remote
        self._relaying.open, self._relaying.use = (relay, use) if use != "never" else (None, use)
        if use != "always":
            self._open_direct()
        if not self._tries and self._relaying.open is None:
            raise ConnectionError("there is no way to the host")
        began = self._loop.time()
        for tick in itertools.chain(_TICKS, itertools.repeat(_TICKS[-1])):
            if use == "always" or not self._tries or self._loop.time() - began >= _HEAD_START:
                self._open_relay()
            self._check_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(tick):
                    await self._used.wait()
            if self.way is not None:
                return

    def _open_direct(self) -> None:
        opened = []
        for place in self._remote.places:
            with contextlib.suppress(OSError):
                opened.append(Direct(place, self._on_media, self._take))
        # Of several ways only one may be nominated, or each end would take another.
        self._tries += [_Try(way, nominates=len(opened) == 1) for way in opened]

    def _open_relay(self, *, follows: bool = False) -> None:
        again = _FOLLOW_AGAIN if follows else _RELAY_AGAIN
        relaying, now = self._relaying, self._loop.time()
        busy = relaying.opening is not None and not relaying.opening.done()
        if relaying.open is None or busy or now - relaying.tried < again or not self._remote.places:
            return
        relaying.tried = now
        relaying.opening = asyncio.create_task(self._relay(relaying.open), name="relay")

    async def _relay(self, opens: OpenRelay) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            way = await opens(self._remote.places[0], self._on_media, self._take)
            found = _Try(way, nominates=self._relaying.use == "always")
            self._tries.append(found)
            self._check(found)

    # ---- checks

    def _check(self, tried: _Try) -> None:
        """Ask the host on this way whether it hears us (RFC 8445, 7.2.2)."""
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self._remote.ufrag}:{self.local_username}"
        request.attributes["PRIORITY"] = candidate_priority(1, "prflx")
        request.attributes["ICE-CONTROLLING"] = self._tie_breaker
        nominates = tried.nominates and not self._is_left(tried)
        if nominates:
            request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self._remote.password.encode())
        while len(self._checks) >= _MOST_CHECKS:
            del self._checks[next(iter(self._checks))]
        self._checks[request.transaction_id] = tried, nominates, self._loop.time()
        if self._asked is None:
            self._asked = self._loop.time()
        tried.way.tell(bytes(request))

    def _is_left(self, tried: _Try) -> bool:
        """Whether this is the way of an address that we leave: it must not call the host back."""
        return tried.way is self.way and any(one is not tried and not one.way.relayed for one in self._tries)

    def _check_all(self) -> None:
        for tried in self._tries:
            self._check(tried)
        self._decide()

    def _decide(self) -> None:
        """Nominate a way that was answered: the first direct one at once, the relay when no other came for a moment."""
        chosen = any(tried.nominates and tried.answered is not None and not tried.way.relayed for tried in self._tries)
        for tried in self._tries:
            if tried.nominates or tried.answered is None:
                continue
            late = self._loop.time() - tried.answered >= _GRACE
            if late if tried.way.relayed else not chosen:
                tried.nominates = chosen = True
                self._check(tried)

    def _answered(self, tried: _Try, *, nominated: bool) -> None:
        now = self._loop.time()
        self.answered, self._asked = now, None
        if tried not in self._tries:
            return
        if tried.way is self.way:
            self._drop([one for one in self._tries if one is not tried and one.way.relayed])
        elif nominated:
            self._use(tried)
        elif tried.answered is None:
            tried.answered = now
            self._decide()

    def _use(self, tried: _Try) -> None:
        """The host sends this way from now on. The others have had their chance."""
        self._trips.clear()
        self.way = tried.way
        self._on_use(tried.way)
        self._used.set()
        self._drop([one for one in self._tries if one is not tried])

    def _drop(self, tries: list[_Try]) -> None:
        if self._relaying.opening is not None:
            self._relaying.opening.cancel()
        self._tries = [one for one in self._tries if one not in tries]
        self._close(tries)

    def _close(self, tries: list[_Try]) -> None:
        for one in tries:
            one.way.close()
            ending = asyncio.create_task(one.way.closed(), name="way-close")
            self._closing.add(ending)
            ending.add_done_callback(self._closing.discard)

    # ---- staying up

    def tend(self, silence: float) -> None:
        """Look after the way; called some four times a second.

        :param silence: seconds for which nothing of the host was heard, or nothing answered.
        """
        now, way = self._loop.time(), self.way
        if way is None:
            return
        self._follow(way)
        if silence > _RELAY_AFTER and not way.relayed:
            self._open_relay()
        if silence > _QUIET or len(self._tries) > 1 or now - self._checked_at >= _CONSENT_EVERY:
            self._checked_at = now
            self._check_all()

    def _follow(self, way: Way) -> None:
        """Open a way from the address that the kernel would send from now, when that is another than those in use."""
        own = own_address(*way.towards)
        if own is None or len(self._tries) >= _MOST_WAYS or any(tried.way.own == own for tried in self._tries):
            return
        if way.relayed:
            self._open_relay(follows=True)
        else:
            with contextlib.suppress(OSError):
                self._tries.append(_Try(Direct(way.towards, self._on_media, self._take), nominates=True))

    # ---- what comes

    def _take(self, way: Way, data: bytes) -> None:
        """What is no media (RFC 7983): DTLS waits for its task, checks are answered, all else is dropped."""
        kind = data[0]
        if kind <= 3:
            self._take_check(way, data)
        elif 20 <= kind <= 63 and self._queue.qsize() < _DTLS_WAITING:
            self._hello = b""
            self._queue.put_nowait(data)
        else:
            self._count("packets_junk")

    def _take_check(self, way: Way, data: bytes) -> None:
        try:
            message = stun.parse_message(data)
        except (ValueError, IndexError, KeyError, struct.error):
            self._count("packets_junk")
            return
        if message.message_class is stun.Class.REQUEST:
            self._answer(way, message)
            return
        known = self._checks.get(message.transaction_id)
        right = message.message_class is stun.Class.RESPONSE and known is not None
        if known is None or not right or not message.check_message_integrity(self._remote.password.encode()):
            self._count("packets_junk")
            return
        del self._checks[message.transaction_id]
        tried, nominated, asked = known
        trip = self._loop.time() - asked
        self._answered(tried, nominated=nominated)
        if tried.way is self.way:
            self._trips.append(trip)

    def _answer(self, way: Way, request: stun.Message) -> None:
        """A host that is no lite agent checks us too (RFC 8445, 7.3)."""
        name = str(request.attributes.get("USERNAME", "")).partition(":")[0]
        if name != self.local_username or not request.check_message_integrity(self.local_password.encode()):
            self._count("packets_junk")
            return
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = self._remote.places[0] if way.relayed else way.towards
        answer.add_message_integrity(self.local_password.encode())
        way.tell(bytes(answer))

    # ---- for the DTLS transport

    async def _recv(self) -> bytes:
        data = await self._queue.get()
        if data is None:
            raise ConnectionError("the connection is closed")
        return data

    async def _send(self, data: bytes) -> None:
        if self.way is None:
            raise ConnectionError("there is no way to the host")
        self.way.tell(data)
        if self._hello is None:
            self._hello = data
            self._loop.call_later(_HELLO_AGAIN, self._greet, _HELLOS)

    def _greet(self, left: int) -> None:
        """Say the same again: a host that is no lite agent hears nothing of DTLS before its own checks are done."""
        if self._hello and self.way is not None:
            self.way.tell(self._hello)
            if left > 1:
                self._loop.call_later(_HELLO_AGAIN, self._greet, left - 1)

    async def close(self) -> None:
        """Close every way. A second time does nothing."""
        self._hello = b""
        opening = self._relaying.opening
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
        tries, self._tries = self._tries, []
        self._close(tries)
        self._checks.clear()
        self._queue.put_nowait(None)
        await asyncio.gather(*self._closing)
