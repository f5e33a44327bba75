"""Janus' WebSocket as an engine uses it: requests and their answers, events, and the sign of life that keeps the session.

A session of Janus and its handle may outlive the socket: who comes back claims them, so that nobody is in the room twice.
Their numbers are as good as a password, so they are in no error and no log.
"""

import asyncio
import contextlib
import secrets
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import aiohttp
from yarl import URL

from appliance.core import wire
from appliance.core.protocol import ProtocolError
from appliance.core.reconnect import Fault, FaultKind
from appliance.rooms import janus_messages as says
from appliance.rooms import trust
from appliance.rooms.janus_messages import Said
from appliance.rooms.signalling import Lost

PLUGIN = "janus.plugin.audiobridge"

KEEPALIVE = 25.0
"""Seconds; without one a session ends after 60."""

_SUBPROTOCOL = "janus-protocol"
_HEARTBEAT = 4.0
"""Seconds between pings of the socket: only they tell us that it is dead."""
_PATIENCE = 4.0
"""Seconds for the socket to open, and for an answer."""
_MOST_WAITING = 32
"""Requests that may be unanswered at a time."""
_GOODBYE = 0.4
_UNTRUSTED_AGAIN = 5.0

_FAULTS: Mapping[int, tuple[FaultKind, str]] = MappingProxyType(
    {
        says.UNAUTHORIZED: ("refused", "The Janus server does not accept this device's token."),
        says.PLUGIN_UNAUTHORIZED: ("refused", "This device's token is not for the Janus server's AudioBridge."),
        says.NO_PLUGIN: ("gone", "The Janus server has no AudioBridge."),
        says.NOT_ACCEPTING: ("full", "The Janus server takes no more sessions just now."),
        says.MISSING_ELEMENT: ("refused", "The room asks for a PIN: name its file in [janus] pin_file."),
        says.NO_SUCH_ROOM: ("gone", "The Janus server has no such room."),
        says.WRONG_SECRET: ("refused", "The room does not accept this device's PIN or token."),
    }
)


class Refusal(Exception):
    """Janus answers with an error; nothing of its words is kept."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Janus answered with error {code}.")
        self.code = code

    def lost(self) -> Lost:
        """What it means for a stay."""
        kind, why = _FAULTS.get(self.code, ("server", str(self)))
        return Lost(Fault(kind), why)


@dataclass(slots=True)
class Place:
    """Where we are at the server, beyond one socket."""

    session: int = field(default=0, repr=False)
    handle: int = field(default=0, repr=False)

    @property
    def known(self) -> bool:
        """Whether there is something to claim."""
        return self.session != 0


class Gateway:
    """One WebSocket, from opening to its end. Loop only.

    :param place: is kept from one to the next.
    :param token: of Janus' own authentication; "" for none.
    :param take: gets every message about our handle at once, in its order; may raise Lost.
    """

    def __init__(self, place: Place, token: str, take: Callable[[Said], None], junk: Callable[[], None]) -> None:
        self.place = place
        self._token = token
        self._take = take
        self._junk = junk
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._waiting: dict[str, asyncio.Future[Said]] = {}
        self.open = asyncio.Event()

    async def run(self, http: aiohttp.ClientSession, url: URL) -> None:
        """Open it, read and keep the session alive. Ends only by raising.

        :raises Lost: it ended, or never was.
        """
        try:
            await self._run(http, url)
        except Lost as lost:
            self._forsake(lost)
            raise
        finally:
            self._forsake(_gone())

    async def _run(self, http: aiohttp.ClientSession, url: URL) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                opened = await http.ws_connect(
                    url,
                    protocols=(_SUBPROTOCOL,),
                    heartbeat=_HEARTBEAT,
                    max_msg_size=says.MOST_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=0.1),
                )
            self._socket = opened
            alive = asyncio.create_task(self._keep_alive(), name="janus-alive")
            self.open.set()
            try:
                while True:
                    self._read(await opened.receive(), opened)
            finally:
                alive.cancel()
                self._socket = None
                await opened.close()
        except aiohttp.WSServerHandshakeError as refusal:
            raise Lost(Fault("server"), f"The server has no Janus there (status {refusal.status}).") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _fault(error) from None

    # ---- requests

    async def create(self) -> None:
        """A new session, and in it a handle of the plugin.

        :raises Lost: it is not given.
        """
        self.place.session = self.place.handle = 0
        self.place.session = await self._given("create")
        await self.attach()

    async def attach(self) -> None:
        """A new handle: on one that was used no connection comes up again.

        :raises Lost: it is not given.
        """
        self.place.handle = 0
        self.place.handle = await self._given("attach", plugin=PLUGIN)

    async def claim(self) -> bool:
        """Whether the session of before is ours still."""
        try:
            await self.ask("claim")
        except Refusal:
            self.place.session = self.place.handle = 0
            return False
        return True

    async def detach(self) -> None:
        """Give up the handle, with the participant that it is. It does not matter if there is none any more."""
        with contextlib.suppress(Refusal):
            await self.ask("detach")
        self.place.handle = 0

    async def message(self, body: Mapping[str, Any], offer: str = "") -> Said:
        """Ask the plugin something, perhaps with a session description.

        :raises Refusal: it says no.
        :raises Lost: there is no answer.
        """
        more = {"jsep": {"type": "offer", "sdp": offer}} if offer else {}
        return await self.ask("message", body=body, **more)

    async def _given(self, what: str, **fields: Any) -> int:
        """The id of what is asked for."""
        try:
            return says.id_of(await self.ask(what, **fields))
        except Refusal as refusal:
            raise refusal.lost() from None
        except ProtocolError:
            raise _odd() from None

    async def ask(self, what: str, **fields: Any) -> Said:
        """Send a request, and wait for its answer.

        :raises Refusal: it is an error.
        :raises Lost: there is none in time.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise Lost(Fault("server"), "Janus leaves too much unanswered.")
        transaction = secrets.token_hex(8)
        answer: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = answer
        try:
            await self._send(what, transaction, fields)
            async with asyncio.timeout(_PATIENCE):
                said = await answer
        except TimeoutError:
            raise Lost(Fault("server"), "Janus does not answer.") from None
        finally:
            self._waiting.pop(transaction, None)
        if said.code:
            raise Refusal(said.code)
        return said

    async def _send(self, what: str, transaction: str, fields: Mapping[str, Any]) -> None:
        message = {"janus": what, "transaction": transaction, **fields}
        if self._token:
            message["token"] = self._token
        if self.place.session:
            message["session_id"] = self.place.session
        if self.place.handle and what in ("message", "detach"):
            message["handle_id"] = self.place.handle
        if self._socket is None:
            raise _gone()
        try:
            await self._socket.send_str(wire.dump(message))
        except (aiohttp.ClientError, OSError):
            raise _gone() from None

    async def goodbye(self) -> None:
        """End the session in order, in well under a second: whoever is there is told at once that we left."""
        if self._socket is not None and self.place.known:
            with contextlib.suppress(Lost, Refusal, TimeoutError):
                async with asyncio.timeout(_GOODBYE):
                    await self.ask("destroy")
        self.place.session = self.place.handle = 0

    def drop(self) -> None:
        """Let the socket end without a word, so that what we are in the room stays there to be claimed."""
        sock = self._socket.get_extra_info("socket") if self._socket is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def _keep_alive(self) -> None:
        """A socket that fails is noticed where it is read."""
        with contextlib.suppress(Lost):
            while True:
                await asyncio.sleep(KEEPALIVE)
                if self.place.known:
                    await self._send("keepalive", secrets.token_hex(8), {})

    # ---- what comes

    def _read(self, frame: aiohttp.WSMessage, opened: aiohttp.ClientWebSocketResponse) -> None:
        if frame.type is not aiohttp.WSMsgType.TEXT:
            too_big = opened.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            raise _odd() if too_big else _gone()
        try:
            said = says.read(frame.data)
            if said.kind == "timeout":
                raise Lost(Fault("server"), "Janus ended the session: it had not heard from this device for too long.")
            if said.sender and said.sender == self.place.handle:
                self._take(said)
        except ProtocolError:
            self._junk()
            raise _odd() from None
        waiting = self._waiting.get(said.transaction)
        if waiting is not None and not waiting.done() and said.kind != "ack":
            waiting.set_result(said)

    def _forsake(self, lost: Lost) -> None:
        """Nobody answers any more."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(lost)
                waiting.exception()  # whoever asked may be gone already
        self._waiting.clear()


def _fault(error: BaseException) -> Lost:
    wrong = trust.certificate_fault(error)
    if wrong is None:
        return Lost(Fault("network"), "Janus does not answer.")
    # trust.py knows the settings of our own server.
    why = wrong[0].replace("[room] url", "[janus] url").replace("speak https", "speak TLS")
    return Lost(Fault("untrusted", _UNTRUSTED_AGAIN), why)


def _gone() -> Lost:
    return Lost(Fault("network"), "The connection to Janus was lost.")


def _odd() -> Lost:
    return Lost(Fault("server"), "Janus said something that is not understood.")
