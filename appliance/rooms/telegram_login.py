"""Making a session of Telegram, once, on the laptop of whoever looks after a device: phone, code, and the second password.

The result is a StringSession of Telethon: with it anybody is this account. No QR code: accounts are said to be banned for it.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from telethon import errors
from telethon.sessions import StringSession

from appliance.rooms.telegram_account import client_of, name_of, translated

Question = Literal["phone", "code", "password"]

_TRIES = 3
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]{4,24}")

_SENDING = {
    "PHONE_NUMBER_INVALID": "Telegram does not know this phone number. Write it with its country, like +49 170 1234567.",
    "PHONE_NUMBER_BANNED": "Telegram has banned this phone number.",
    "PHONE_NUMBER_UNOCCUPIED": "No Telegram account has this phone number. Make one with Telegram's own program first.",
    "PHONE_CODE_EXPIRED": "The code is too old. Begin again.",
    "PHONE_PASSWORD_FLOOD": "The password was wrong too often. Telegram asks to wait for some days.",
    "PHONE_NUMBER_FLOOD": "Too many codes were asked for with this phone number. Try again tomorrow.",
}


class Ask(Protocol):
    """Asks a person."""

    async def __call__(self, question: Question, why: str) -> str:
        """The answer; ``why`` says what was wrong with the one before, or where the code was sent."""


class NotGiven(Exception):
    """What was given is not accepted; the text is one sentence with the way out."""


async def make_session(api_id: int, api_hash: str, ask: Ask, start: str = "") -> tuple[str, str]:
    """Log in. Gives the session and the name of the account.

    :param start: a session that is not logged in yet: where the data centre is. "" begins where everybody does.
    :raises NotGiven: number, code or password are not accepted.
    :raises Lost: Telegram is not reached, or asks to wait.
    """
    client = client_of(StringSession(start), api_id, api_hash, retries=5)
    try:
        with translated():
            await client.connect()
        me = await _sign_in(client, ask)
        return str(client.session.save()), " ".join(filter(None, (me.first_name, me.last_name)))
    finally:
        await client.disconnect()


async def _sign_in(client: Any, ask: Ask) -> Any:
    phone = await ask("phone", "")
    if not _PHONE.fullmatch(phone.strip()):
        raise NotGiven(_SENDING["PHONE_NUMBER_INVALID"])
    sent = await _told(lambda: client.send_code_request(phone))
    where = (
        "It was sent to your Telegram programs." if "App" in type(sent.type).__name__ else "It was sent to your phone."
    )
    try:
        return await _tried(
            ask, "code", where, lambda code: client.sign_in(phone, code=code, phone_code_hash=sent.phone_code_hash)
        )
    except errors.SessionPasswordNeededError:
        return await _tried(ask, "password", "", lambda password: client.sign_in(password=password))


async def _tried(ask: Ask, question: Question, why: str, give: Callable[[str], Awaitable[Any]]) -> Any:
    for _ in range(_TRIES):
        answer = (await ask(question, why)).strip()
        try:
            return await _told(lambda given=answer: give(given))  # type: ignore[misc]
        except (errors.PhoneCodeInvalidError, errors.PhoneCodeEmptyError):
            why = "Telegram does not accept this code."
        except errors.PasswordHashInvalidError:
            why = "Telegram does not accept this password."
    raise NotGiven(f"{why} Begin again with kontor telegram login.")


_OURS = (
    errors.PhoneCodeInvalidError,
    errors.PhoneCodeEmptyError,
    errors.PasswordHashInvalidError,
    errors.SessionPasswordNeededError,
)


async def _told(work: Callable[[], Awaitable[Any]]) -> Any:
    """Do it; what is refused for good is told in words."""
    with translated(but=_OURS):
        try:
            return await work()
        except errors.RPCError as error:
            words = _SENDING.get(name_of(error))
            if words is None:
                raise
            raise NotGiven(words) from None
