"""What Telethon borrows to fetch a file from another data centre is given back, however the fetching ends."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from telethon import errors
from telethon.network import MTProtoSender
from telethon.tl import types as t

from appliance.rooms.signalling import Lost
from appliance.rooms.telegram_account import Account, Login
from tests.telegram.wire import session_string

pytestmark = pytest.mark.virtual_time

CENTRE = 4
MOST = 4096
WHERE = t.InputGroupCallStream(t.InputGroupCall(1, 2), 1000, 0)


def account() -> Account:
    return Account(Login(5, "0" * 32, session_string("127.0.0.1", 1, bytes(range(256)))), lambda *_: None, ())


class Borrowed:
    """Counts what an account has borrowed and not given back; ``answer`` is what the other data centre does."""

    def __init__(self, of: Account, monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Awaitable[Any]]) -> None:
        self.of, self.out, self.times, self._answer = of, 0, 0, answer
        monkeypatch.setattr(of._client, "_borrow_exported_sender", self._borrow)
        monkeypatch.setattr(of._client, "_return_exported_sender", self._give_back)
        monkeypatch.setattr(of._client, "_call", self._call)

    async def _borrow(self, centre: int) -> Any:
        self.out, self.times = self.out + 1, self.times + 1
        return SimpleNamespace(dc_id=centre)

    async def _give_back(self, _sender: Any) -> None:
        await asyncio.sleep(0)
        self.out -= 1

    async def _call(self, _sender: Any, _request: Any) -> Any:
        return await self._answer()


async def never() -> Any:
    await asyncio.Event().wait()


async def cut() -> Any:
    raise ConnectionError("Connection was lost")


async def refused() -> Any:
    raise errors.BadRequestError(None, "TIME_TOO_BIG")


async def cancelled() -> Any:
    raise asyncio.CancelledError


async def whole() -> Any:
    return t.upload.File(t.storage.FileUnknown(), 0, b"x" * MOST)


@pytest.mark.parametrize("end", [never, cut, refused, cancelled])
async def test_what_was_borrowed_is_given_back_when_nothing_comes(
    end: Callable[[], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    borrowed = Borrowed(account(), monkeypatch, end)
    with pytest.raises(errors.BadRequestError if end is refused else Lost):
        await borrowed.of.file(WHERE, MOST, CENTRE)
    assert (borrowed.times, borrowed.out) == (1, 0)


async def test_what_was_borrowed_is_given_back_when_all_that_was_asked_for_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    borrowed = Borrowed(account(), monkeypatch, whole)
    assert await borrowed.of.file(WHERE, MOST, CENTRE) == b"x" * MOST
    assert (borrowed.times, borrowed.out) == (1, 0)


async def test_what_was_borrowed_is_given_back_by_who_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    borrowed = Borrowed(account(), monkeypatch, never)
    asking = asyncio.create_task(borrowed.of.file(WHERE, MOST, CENTRE))
    await asyncio.sleep(1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert asking.cancelled()
    assert (borrowed.times, borrowed.out) == (1, 0)


@pytest.mark.parametrize("stands", ["connecting", "leaving", "arriving"])
@pytest.mark.parametrize("ends", [never, cut])
async def test_a_connection_that_comes_to_nothing_is_ended(
    stands: str, ends: Callable[[], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telethon keeps no hold of it before it is finished, and nobody else can."""
    alive: set[MTProtoSender] = set()
    asked: list[str] = []

    async def step(what: str, answer: Any = None) -> Any:
        asked.append(what)
        return await ends() if what == stands else answer

    async def connect(sender: MTProtoSender, _connection: Any) -> Any:
        alive.add(sender)
        return await step("connecting")

    async def disconnect(sender: MTProtoSender) -> None:
        await asyncio.sleep(0)
        alive.discard(sender)

    async def call(_sender: Any, _request: Any, **_: Any) -> Any:
        return await step("leaving", SimpleNamespace(id=1, bytes=b""))

    async def centre(_id: int) -> Any:
        return SimpleNamespace(ip_address="127.0.0.1", port=1, id=CENTRE)

    of = account()
    monkeypatch.setattr(MTProtoSender, "connect", connect)
    monkeypatch.setattr(MTProtoSender, "disconnect", disconnect)
    monkeypatch.setattr(MTProtoSender, "send", lambda *_: step("arriving"))
    monkeypatch.setattr(of._client, "_get_dc", centre)
    monkeypatch.setattr(of._client, "_call", call)
    with pytest.raises(Lost):
        await of.file(WHERE, MOST, CENTRE)
    assert asked[-1] == stands
    assert alive == set()
