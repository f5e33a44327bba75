"""How a device becomes a member of a room's host: what it signs, and how its key is read by people.

A device shows the one-use token that somebody who looks after the room has made for it, and the host takes its public key in
exchange; from then on the key alone proves who it is. Without a token it can ask, and somebody has to let it in.
"""

import hashlib
import re

from appliance.core.wire import ProtocolError, is_identity

LIFE = 86_400
"""Seconds that a one-use token is good for."""

KEY_BYTES = 32
"""An Ed25519 public key (RFC 8032)."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_SHOWN = 16
"""Bytes of a fingerprint: as many as nobody finds a second key for."""


def is_enrolment(value: object) -> bool:
    """Whether this has the form of a one-use token: 32 bytes in base64url."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def enrolment_text(room: str, device: str, token: str) -> bytes:
    """What a device signs (Ed25519) with the key that it enrols: that it has that key, and for whom it speaks.

    :param token: its one-use token; "" when it asks without one.
    :raises ProtocolError: one of them is not of its form.
    """
    if not (is_identity(room) and is_identity(device) and (token == "" or is_enrolment(token))):
        raise ProtocolError("The enrolment is not valid.")
    return b"\0".join((b"kontor-enrol-v1", room.encode(), device.encode(), token.encode()))


def fingerprint(public_key: bytes) -> str:
    """A device's key as people compare it: eight groups of four digits, the first half of its SHA-256."""
    digits = hashlib.sha256(public_key).digest()[:_SHOWN].hex()
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
