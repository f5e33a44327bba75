# The part of telethon that is used; what TL makes is anything (telethon.tl).

from asyncio import Future
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from telethon import errors as errors
from telethon import events as events
from telethon import utils as utils
from telethon.sessions import StringSession

class TelegramClient:
    session: StringSession
    def __init__(self, session: StringSession, api_id: int, api_hash: str, **options: Any) -> None: ...
    async def __call__(self, request: Any) -> Any: ...
    @property
    def disconnected(self) -> Future[None]: ...
    async def connect(self) -> None: ...
    async def disconnect(self) -> None: ...
    def add_event_handler(self, callback: Callable[[Any], Awaitable[None]], event: events.Raw) -> None: ...
    def iter_download(
        self, file: Any, *, request_size: int = ..., dc_id: int | None = None
    ) -> AsyncIterable[memoryview]: ...
    async def send_code_request(self, phone: str) -> Any: ...
    async def sign_in(
        self,
        phone: str | None = None,
        code: str | None = None,
        *,
        password: str | None = None,
        phone_code_hash: str = ...,
    ) -> Any: ...
