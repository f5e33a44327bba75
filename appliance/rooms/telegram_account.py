"""An account of Telegram, by Telethon: one connection, requests, updates; and what is wrong when one is refused.

Telethon's own ways of coming back, of waiting and of logging are off: core/reconnect.py decides when to try again, and what
Telethon writes may hold keys. A session that is not accepted any more is told by the first request.
"""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from telethon import TelegramClient, errors, events
from telethon.network import ConnectionTcpFull, MTProtoSender
from telethon.sessions import StringSession
from telethon.tl import functions as f
from telethon.tl import types as t
from telethon.tl.alltlobjects import LAYER
from yarl import URL

from appliance import __version__
from appliance.core.reconnect import Fault, FaultKind
from appliance.rooms.signalling import Lost

_CONNECTS = 5
"""Seconds for TCP."""
_ANSWERS = 6.0
"""Seconds for one request, connecting included."""
_ENDS = 0.5

_AGAIN = "Make a new session with kontor telegram login."
_UNREACHED = "Telegram does not answer."
_CUT = "The connection to Telegram was lost."
_NEWER = "Telegram tells something that this version of Kontor does not know: an update is needed."

_REFUSALS: Mapping[str, tuple[FaultKind, str]] = {
    "AUTH_KEY_UNREGISTERED": ("refused", f"The Telegram session was ended from another device. {_AGAIN}"),
    "SESSION_REVOKED": ("refused", f"The Telegram session was ended from another device. {_AGAIN}"),
    "AUTH_KEY_INVALID": ("refused", f"Telegram does not know this session. {_AGAIN}"),
    "AUTH_KEY_PERM_EMPTY": ("refused", f"Telegram does not know this session. {_AGAIN}"),
    "SESSION_EXPIRED": ("refused", f"The Telegram session has expired. {_AGAIN}"),
    "AUTH_KEY_DUPLICATED": ("refused", f"The Telegram session is used in two places at once, which ends it. {_AGAIN}"),
    "SESSION_PASSWORD_NEEDED": ("refused", f"The login to Telegram was not finished. {_AGAIN}"),
    "USER_DEACTIVATED": ("refused", "The Telegram account was deleted."),
    "USER_DEACTIVATED_BAN": ("refused", "Telegram has banned this account."),
    "API_ID_INVALID": ("refused", "Telegram does not accept [telegram] api_id and api_hash_file."),
    "API_ID_PUBLISHED_FLOOD": (
        "refused",
        "Telegram does not accept this api_id: it was published. Get one of your own.",
    ),
    "UPDATE_APP_TO_LOGIN": ("refused", _NEWER),
    "USER_BANNED_IN_CHANNEL": ("refused", "The account is banned from this Telegram group."),
    "CHANNEL_BANNED": ("refused", "The account is banned from this Telegram group."),
    "USER_KICKED": ("refused", "The account was taken out of this Telegram group."),
    "CHANNEL_PRIVATE": ("refused", "The account is not a member of this Telegram group, or was taken out of it."),
    "CHAT_FORBIDDEN": ("refused", "The account is not a member of this Telegram group, or was taken out of it."),
    "BOT_METHOD_INVALID": ("refused", "This session is a bot's. Voice chats are for accounts of people."),
    "USERNAME_NOT_OCCUPIED": ("gone", "There is no such Telegram group. See [telegram] group."),
    "USERNAME_INVALID": ("gone", "There is no such Telegram group. See [telegram] group."),
    "INVITE_HASH_EXPIRED": ("gone", "This link to a Telegram group is not good any more. See [telegram] group."),
    "INVITE_HASH_INVALID": ("gone", "This link to a Telegram group is not good. See [telegram] group."),
    "CHANNEL_INVALID": ("gone", "There is no such Telegram group. See [telegram] group."),
    "CHAT_ID_INVALID": ("gone", "There is no such Telegram group. See [telegram] group."),
    "PEER_ID_INVALID": ("gone", "There is no such Telegram group. See [telegram] group."),
    "GROUPCALL_FORBIDDEN": ("server", "The voice chat has ended, or Telegram does not let this account into it."),
    "GROUPCALL_INVALID": ("server", "The voice chat has ended."),
    "GROUPCALL_ALREADY_DISCARDED": ("server", "The voice chat has ended."),
    "GROUPCALL_JOIN_MISSING": ("server", "Telegram does not know any more that this device is in the voice chat."),
    "PARTICIPANT_JOIN_MISSING": ("server", "Telegram does not know any more that this device is in the voice chat."),
    "GROUPCALL_SSRC_DUPLICATE_MUCH": ("server", "Telegram asks to join once more."),
    "USERS_TOO_MUCH": ("full", "The voice chat is full."),
}
"""What Telegram says, by its own names (errors.csv of Telethon), and what that means here."""


@dataclass(frozen=True, slots=True)
class Login:
    """By what an account is used. Its repr tells nothing."""

    api_id: int
    api_hash: str = field(repr=False)
    session: str = field(repr=False)
    """A StringSession of Telethon, as ``kontor telegram login`` makes it."""


def place_of(login: Login) -> URL:
    """Where the account's data centre is; where nobody is if the session is none."""
    session = None
    with contextlib.suppress(ValueError, TypeError, OSError):
        session = StringSession(login.session)
    if session is None or session.auth_key is None:
        return URL("http://0.0.0.0:1")
    address = ipaddress.ip_address(session.server_address)
    return URL.build(scheme="http", host=str(address), port=session.port)


class Unanswered(Lost):
    """Telegram was waited for in vain."""


class WaitAsked(Lost):
    """Telegram asks to wait (FLOOD_WAIT)."""


def lost_by(error: BaseException) -> Lost:
    """What ends a stay when a request ended so; its text is ours, never the library's."""
    if isinstance(error, Lost):
        return error
    if isinstance(error, errors.TypeNotFoundError):
        return Lost(Fault("server"), _NEWER)
    if isinstance(error, errors.RPCError):
        return _refused_by(error)
    if isinstance(error, errors.AuthKeyNotFound) or getattr(error, "code", 0) == 404:
        return Lost(Fault("refused"), _REFUSALS["AUTH_KEY_INVALID"][1])
    if isinstance(error, TimeoutError):
        return Unanswered(Fault("network"), _UNREACHED)
    return Lost(Fault("network"), _CUT)


def _refused_by(error: errors.RPCError) -> Lost:
    if isinstance(error, errors.FloodError) and (seconds := float(getattr(error, "seconds", 0))):
        return WaitAsked(Fault("server", seconds), f"Telegram asks this account to wait for {seconds:.0f} seconds.")
    name = name_of(error)
    kind, why = _REFUSALS.get(name, ("server", f"Telegram refuses ({name})."))
    return Lost(Fault(kind), why)


_NAMES: Mapping[type[BaseException], str] = {cls: name for name, cls in errors.rpcerrorlist.rpc_errors_dict.items()}


def name_of(error: errors.RPCError) -> str:
    """Telegram's name of a refusal, without numbers."""
    known = _NAMES.get(type(error))
    said = str(getattr(error, "message", "") or "") if known is None else known
    letters = said.replace("_X", "").split()
    return letters[0] if letters and letters[0].isupper() else type(error).__name__


class Account:
    """One connection of one account. ``updated`` is told each update of a kind in ``kinds``, with who is named in it."""

    def __init__(
        self, login: Login, updated: Callable[[Any, Mapping[int, Any]], None], kinds: tuple[type, ...]
    ) -> None:
        self._updated = updated
        try:
            session = StringSession(login.session)
        except (ValueError, TypeError, OSError):
            raise Lost(Fault("refused"), f"[telegram] session_file holds no session of Telegram. {_AGAIN}") from None
        if session.auth_key is None:
            raise Lost(Fault("refused"), f"[telegram] session_file holds no session of Telegram. {_AGAIN}")
        self._client = client_of(session, login.api_id, login.api_hash)
        self._client.add_event_handler(self._take, events.Raw(types=list(kinds)))
        self.me = 0
        """The account's own number."""

    async def open(self) -> None:
        """Connect, and see whether the session is good.

        :raises Lost: it is not, or Telegram is not reached.
        """
        with translated():
            async with asyncio.timeout(_ANSWERS):
                await self._client.connect()
        [me] = await self(f.users.GetUsersRequest([t.InputUserSelf()]))
        self.me = me.id

    async def __call__(self, request: Any) -> Any:
        """Ask; what Telegram answers.

        :raises Lost: it refuses, does not answer, or the connection is lost.
        """
        with translated():
            async with asyncio.timeout(_ANSWERS):
                return await self._client(request)

    async def file(self, location: Any, most: int, centre: int | None) -> bytes:
        """The beginning of a file.

        :param most: bytes, a multiple of 4,096.
        :param centre: in which data centre it is, by its number; None: in the account's own.
        :raises BadRequestError: it is not there.
        :raises Lost: as when something is asked.
        """
        with translated(but=(errors.BadRequestError,)):
            async with asyncio.timeout(_ANSWERS):
                parts = self._client.iter_download(location, request_size=most, dc_id=centre)
                try:
                    async for part in parts:
                        return bytes(part)
                finally:
                    with contextlib.suppress(AttributeError):  # of one that has not got as far as to borrow a sender
                        await parts.close()
        return b""

    async def cut(self) -> None:
        """Wait for the end of the connection. Ends only by raising.

        :raises Lost: it has ended.
        """
        with translated():
            await asyncio.shield(self._client.disconnected)
        raise Lost(Fault("network"), _CUT)

    async def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_ENDS):
                await self._client.disconnect()

    async def _take(self, update: Any) -> None:
        self._updated(update, getattr(update, "_entities", None) or {})


@contextlib.contextmanager
def translated(but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Whatever Telethon raises is a :class:`Lost`, besides ``but``."""
    try:
        yield
    except but:
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Lost(Fault("network"), _CUT) from None  # it cancels what waits for an answer when the connection ends
    except (errors.RPCError, errors.AuthKeyNotFound, errors.TypeNotFoundError) as error:
        raise lost_by(error) from None
    except (OSError, TimeoutError, BufferError, EOFError, ValueError, errors.SecurityError) as error:
        raise lost_by(error) from None


class _Client(TelegramClient):
    """Telethon's forgets a connection to another data centre that was not finished: it went on, and came back by itself."""

    async def _create_exported_sender(self, dc_id: int) -> MTProtoSender:
        """As in Telethon 1.45, and the connection is ended when it comes to nothing."""
        centre = await self._get_dc(dc_id)
        sender = MTProtoSender(None, loggers=self._log)
        try:
            await sender.connect(self._connection(centre.ip_address, centre.port, centre.id, loggers=self._log))
            leave = await self(f.auth.ExportAuthorizationRequest(dc_id))
            self._init_request.query = f.auth.ImportAuthorizationRequest(id=leave.id, bytes=leave.bytes)
            await sender.send(f.InvokeWithLayerRequest(LAYER, self._init_request))
        except BaseException:
            await sender.disconnect()
            raise
        return sender


def client_of(session: StringSession, api_id: int, api_hash: str, retries: int = 1) -> TelegramClient:
    """Telethon as it is used here.

    :param retries: of a request that has to be asked elsewhere: at a login the account may live in another data centre.
    """
    return _Client(
        session,
        api_id,
        api_hash,
        connection=ConnectionTcpFull,
        timeout=_CONNECTS,
        request_retries=retries,
        connection_retries=1,
        retry_delay=0,
        auto_reconnect=False,
        sequential_updates=True,
        flood_sleep_threshold=0,
        raise_last_call_error=True,
        device_model="Kontor",
        system_version="Linux",
        app_version=__version__,
        lang_code="en",
        system_lang_code="en",
        base_logger=_quiet(),
    )


def _quiet() -> logging.Logger:
    """A logger that nobody hears, and its children neither."""
    logger = logging.getLogger("kontor.telegram.library")
    logger.propagate = False
    logger.disabled = True
    logger.setLevel(logging.CRITICAL + 1)
    return logger
