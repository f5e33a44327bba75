"""Who may enter a room: signed tokens in links, and the challenge that a device answers for one.

A token is ``base64url(JSON claims) . base64url(HMAC-SHA256)`` by a key of the room, without padding. Rotating the key revokes
all its links. The signature covers the text of the first half and is compared as text, so that there is one way to write a
valid token.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from appliance.core.roster import Kind, Role
from appliance.core.wire import (
    CloseCode,
    Fields,
    ProtocolError,
    choice,
    dump,
    identity,
    is_identity,
    name,
    number,
    read_object,
)

MOST_TOKEN = 1024
LEAST_KEY = 16
"""Bytes of a room's key below which nothing is signed."""

_LATEST = 2**53
_PART = re.compile(r"[A-Za-z0-9_-]+")
_NONCE = re.compile(r"[0-9a-f]{32,128}")

TokenFault: TypeAlias = Literal[
    "malformed", "unknown_key", "bad_signature", "expired", "foreign_room", "removed", "limited"
]
"""The last two are the host's own: its holder was sent out of the room, and too many wrong tokens came from there."""

_SENTENCES: Mapping[TokenFault, str] = {
    "malformed": "This link is not valid.",
    "unknown_key": "This link is no longer valid.",
    "bad_signature": "This link is not valid.",
    "expired": "This link has expired. Ask for a new one.",
    "foreign_room": "This link is for another room.",
    "removed": "You were sent out of this room.",
    "limited": "Too many links that are not valid came from here; wait a little.",
}


_STATUS: Mapping[TokenFault, tuple[int, CloseCode]] = {
    "foreign_room": (403, CloseCode.FOREIGN_TOKEN),
    "removed": (403, CloseCode.REMOVED),
    "limited": (429, CloseCode.TRY_AGAIN),
}


class TokenError(ValueError):
    """A token that opens nothing; the text is one sentence for its holder, and never has the token in it."""

    def __init__(self, code: TokenFault) -> None:
        super().__init__(_SENTENCES[code])
        self.code: TokenFault = code

    @property
    def http_status(self) -> int:
        """401: another token may do; 403: this one is good, but not here; 429: later."""
        return _STATUS.get(self.code, (401, CloseCode.BAD_TOKEN))[0]

    @property
    def close_code(self) -> CloseCode:
        """The same for the presence socket."""
        return _STATUS.get(self.code, (401, CloseCode.BAD_TOKEN))[1]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: who may be what in which room, until when (``expires``, unix seconds), by which key."""

    room: str
    identity: str
    name: str
    role: Role
    kind: Kind
    expires: int
    key_id: str
    link_role: Role | None = None
    """What the token itself says, where the room or the way to it has made another role of it; not part of a token."""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    if not _PART.fullmatch(part):
        raise TokenError("malformed")
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise TokenError("malformed") from None


def _signature(body: str, key: bytes) -> str:
    return _encode(hmac.digest(key, b"kontor-token-v1\0" + body.encode(), hashlib.sha256))


def _claims(fields: Fields) -> Claims:
    return Claims(
        room=identity(fields, "room"),
        identity=identity(fields, "identity"),
        name=name(fields, "name"),
        role=choice(fields, "role", get_args(Role)),
        kind=choice(fields, "kind", get_args(Kind)),
        expires=number(fields, "expires", 0, _LATEST),
        key_id=identity(fields, "key_id"),
    )


def issue(claims: Claims, key: bytes) -> str:
    """Sign ``claims`` with a key of the room.

    :raises ValueError: a claim is not of the form that :func:`verify` accepts, or the key is too short to sign with.
    """
    if len(key) < LEAST_KEY:
        raise ValueError(f"A room's key needs {LEAST_KEY} bytes or more.")
    fields = {
        "room": claims.room,
        "identity": claims.identity,
        "name": claims.name,
        "role": claims.role,
        "kind": claims.kind,
        "expires": claims.expires,
        "key_id": claims.key_id,
    }
    _claims(fields)
    body = _encode(dump(fields).encode())
    return f"{body}.{_signature(body, key)}"


def peek(token: str) -> Claims:
    """What a token says, for its holder, who has no key to check it with.

    :raises TokenError: it is none.
    """
    if len(token) > MOST_TOKEN:
        raise TokenError("malformed")
    body, _, signature = token.partition(".")
    if not _PART.fullmatch(signature):
        raise TokenError("malformed")
    try:
        return _claims(read_object(_decode(body), MOST_TOKEN))
    except ProtocolError:
        raise TokenError("malformed") from None


def verify(token: str, keys: Mapping[str, bytes], now_unix: float, room: str) -> Claims:
    """The claims of a token for ``room``, whose ``keys`` these are, by key id.

    :raises TokenError: see :data:`TokenFault`. A foreign room is told before the signature is looked at: the keys of
        another room are not known here, and nothing is given away by saying so.
    """
    claims = peek(token)
    body, _, signature = token.partition(".")
    if claims.room != room:
        raise TokenError("foreign_room")
    key = keys.get(claims.key_id)
    if key is None:
        raise TokenError("unknown_key")
    if not hmac.compare_digest(signature, _signature(body, key)):
        raise TokenError("bad_signature")
    if now_unix >= claims.expires:
        raise TokenError("expired")
    return claims


def challenge_text(room: str, nonce: str) -> bytes:
    """What a device signs (Ed25519) to get a token for ``room``: the host's ``nonce`` is 32 to 128 hexadecimal digits.

    The device signs nothing else that comes from outside, and this begins with words that nothing else begins with.

    :raises ProtocolError: room or nonce are not of this form.
    """
    if not (is_identity(room) and _NONCE.fullmatch(nonce)):
        raise ProtocolError("The challenge is not valid.")
    return b"kontor-device-v1\0" + room.encode() + b"\0" + nonce.encode()
