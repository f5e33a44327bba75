"""MTProto 2.0 from the server's end, over TCP with the "full" transport: enough of it for Telethon 1.45.

The keys are known beforehand: a StringSession holds an address and an authorisation key, so the exchange of keys is left out.
Requests and answers are read and written by Telethon's own TL classes (layer 224 or whatever it has).
"""

import asyncio
import base64
import contextlib
import hashlib
import inspect
import ipaddress
import os
import struct
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from telethon.crypto import AES
from telethon.extensions import BinaryReader
from telethon.network.mtprotostate import MTProtoState
from telethon.tl import functions as f
from telethon.tl import types as t
from telethon.tl.core import GzipPacked, MessageContainer

_RPC_RESULT = 0xF35C6D01
_NO_SUCH_KEY = -404
"""What the transport says, in four bytes, of an authorisation key that nobody knows."""
_WRAPPERS = (f.InvokeWithLayerRequest, f.InitConnectionRequest, f.InvokeWithoutUpdatesRequest, f.InvokeAfterMsgRequest)
_PADDING = 12


class Refusal(Exception):
    """``rpc_error``."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def now() -> datetime:
    return datetime.now(UTC)


def made(cls: type, **given: Any) -> Any:
    """A TL object; required fields that nobody cares about are filled."""
    for name, parameter in list(inspect.signature(cls.__init__).parameters.items())[1:]:  # type: ignore[misc]
        if name not in given and parameter.default is inspect.Parameter.empty:
            kind = str(parameter.annotation)
            fitting = {"datetime": now(), "List": [], "bool": False, "str": "", "bytes": b""}
            given[name] = next((value for word, value in fitting.items() if word in kind), 0)
    return cls(**given)


def key_of(secret: str, user: int, number: int) -> bytes:
    """An authorisation key of a user, 256 bytes."""
    return hashlib.shake_256(f"{secret} {user} {number}".encode()).digest(256)


def key_id(key: bytes) -> bytes:
    """By which a packet names it."""
    return hashlib.sha1(key).digest()[-8:]


def session_string(host: str, port: int, key: bytes) -> str:
    """A StringSession of Telethon."""
    packed = struct.pack(">B4sH256s", 2, ipaddress.ip_address(host).packed, port, key)
    return "1" + base64.urlsafe_b64encode(packed).decode()


Handler = Callable[["Wire", Any], Awaitable[Any]]


class Wire:
    """One connection. ``user`` is who it belongs to by its key, ``handle`` gives the answer to a request, TL object or bytes.

    :param keys: the user and the key for the name of each key.
    """

    def __init__(
        self,
        keys: dict[bytes, tuple[int, bytes]],
        handle: Handler,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._keys, self._handle = keys, handle
        self._reader, self._writer = streams
        self.user = 0
        self._key = b""
        self._salt = self._session = self._sequence = self._packets = self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the other end is gone."""
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head = await self._reader.readexactly(8)
                    body = await self._reader.readexactly(struct.unpack("<ii", head)[0] - 8)
                    assert crc32(head + body[:-4]) == struct.unpack("<I", body[-4:])[0]
                    await self._packet(body[:-4])
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._writer.close()

    def close(self) -> None:
        """Cut it."""
        self._writer.close()

    async def _packet(self, data: bytes) -> None:
        found = self._keys.get(data[:8])
        if found is None:
            self._frame(struct.pack("<i", _NO_SUCH_KEY))
            return
        self.user, self._key = found
        secret, vector = MTProtoState._calc_key(self._key, data[8:24], True)
        plain = AES.decrypt_ige(data[24:], secret, vector)
        assert hashlib.sha256(self._key[88:120] + plain).digest()[8:24] == data[8:24]
        self._salt, self._session, message, _, length = struct.unpack("<qqqii", plain[:32])
        self._message(message, BinaryReader(plain[32 : 32 + length]).tgread_object())

    def _message(self, number: int, body: Any) -> None:
        if isinstance(body, MessageContainer):
            for message in body.messages:
                self._message(message.msg_id, message.obj)
        elif isinstance(body, GzipPacked):
            self._message(number, BinaryReader(body.data).tgread_object())
        elif isinstance(body, f.PingRequest | f.PingDelayDisconnectRequest):
            self._send(bytes(t.Pong(number, body.ping_id)))
        elif not isinstance(body, t.MsgsAck | f.DestroySessionRequest):
            task = asyncio.create_task(self._request(number, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _request(self, number: int, request: Any) -> None:
        while isinstance(request, _WRAPPERS):
            request = request.query
        try:
            answer = bytes(await self._handle(self, request))
        except Refusal as refusal:
            answer = bytes(t.RpcError(refusal.code, refusal.message))
        self._send(struct.pack("<Iq", _RPC_RESULT, number) + answer)

    def push(self, updates: t.Updates) -> None:
        """Send what nobody asked for."""
        if self._session:
            self._send(bytes(updates), answers=False)

    def _send(self, body: bytes, *, answers: bool = True) -> None:
        self._last = max(int(time.time() * 2**32) & ~3 | (1 if answers else 3), self._last + 4)
        self._sequence += 2
        plain = struct.pack("<qqqii", self._salt, self._session, self._last, self._sequence - 1, len(body)) + body
        plain += os.urandom(-(len(plain) + _PADDING) % 16 + _PADDING)
        check = hashlib.sha256(self._key[96:128] + plain).digest()[8:24]
        secret, vector = MTProtoState._calc_key(self._key, check, False)
        self._frame(key_id(self._key) + check + AES.encrypt_ige(plain, secret, vector))

    def _frame(self, packet: bytes) -> None:
        framed = struct.pack("<ii", len(packet) + 12, self._packets) + packet
        self._packets += 1
        if not self._writer.is_closing():
            self._writer.write(framed + struct.pack("<I", crc32(framed)))
