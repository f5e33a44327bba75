"""LiveKit's access tokens, made here: a JWT (RFC 7519) of HMAC-SHA256, which is thirty lines and no dependency (ADR 0220).

The claims are those of LiveKit's documentation ("Authentication"): ``video`` holds the grants. A token has to be good for the
moment of joining alone; the server renews it for whoever is in the room.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from appliance.core.reconnect import Fault
from appliance.rooms.signalling import Lost

Tokens: TypeAlias = Callable[[], str]
"""Gives a token for the next attempt to join.

:raises Lost: there is none that would be accepted.
"""

LASTS = 600
"""Seconds that a token of ours is good for."""
EARLY = 60
"""Seconds that it is good for before it was made: the server's clock may be behind."""
KIND = "kontor.kind"
"""The attribute by which others know a device: ``site``."""

_LEEWAY = 60
"""Seconds that the server takes a token after its end."""
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*(\.[A-Za-z0-9_=-]*)?|(?<=access_token=)[^\s&\"']+")


def own_tokens(
    key: str, secret: bytes, room: str, identity: str, name: str, clock: Callable[[], float] = time.time
) -> Tokens:
    """Tokens made with the server's key, by which a device may speak, listen, and tell how it is."""
    grants = {
        "roomJoin": True,
        "room": room,
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
        "canUpdateOwnMetadata": True,
        "canPublishSources": ["microphone"],
    }

    def make() -> str:
        more = {"name": name, "attributes": {KIND: "site"}}
        return issue(key, secret, grants, round(clock()), identity=identity, more=more)

    return make


def issue(
    key: str,
    secret: bytes,
    grants: Mapping[str, Any],
    now: int,
    *,
    identity: str = "",
    more: Mapping[str, Any] | None = None,
) -> str:
    """A token of LiveKit's.

    :param grants: the claim ``video``.
    :param now: Unix time in seconds.
    :param identity: whose it is; "" for one that only administers.
    :param more: other claims.
    """
    claims = {"iss": key, "nbf": now - EARLY, "exp": now + LASTS, "video": dict(grants), **(more or {})}
    if identity:
        claims["sub"] = identity
    signed = b".".join(map(_encoded, ({"alg": "HS256", "typ": "JWT"}, claims)))
    return b".".join((signed, _base64(hmac.digest(secret, signed, hashlib.sha256)))).decode()


def fixed_token(text: str, clock: Callable[[], float] = time.time) -> Tokens:
    """A token that somebody else made.

    :raises ValueError: it is none, in one sentence without it.
    """
    token = text.strip()
    claims = _claims(token)
    if not claims.get("video", {}).get("roomJoin"):
        raise ValueError("it lets nobody into a room: the grant roomJoin is missing")
    ends = claims.get("exp", 0)

    def give() -> str:
        if clock() > ends + _LEEWAY:
            raise Lost(Fault("refused"), "The token of [livekit] token_file has ended: put a new one there.")
        return token

    return give


def _claims(token: str) -> dict[str, Any]:
    try:
        header, payload, _signature = token.split(".")
        known = json.loads(_decoded(header)), json.loads(_decoded(payload))
    except (ValueError, binascii.Error, RecursionError):
        raise ValueError("it is no token of LiveKit (a JWT)") from None
    claims: dict[str, Any] = known[1]
    right = all(isinstance(part, dict) for part in known) and isinstance(claims.get("video"), dict)
    if not (right and isinstance(claims.get("exp"), int | float)):
        raise ValueError("it is no token of LiveKit: video or exp is missing")
    return claims


def _encoded(part: Mapping[str, Any]) -> bytes:
    return _base64(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode())


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def redacted(text: str) -> str:
    """``text`` without tokens: the library's errors and its log hold whole ones."""
    return _TOKEN.sub("(hidden)", text)
