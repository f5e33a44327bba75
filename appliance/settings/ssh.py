"""The kind of setting that lets somebody in by ssh."""

import base64
import binascii
import re
from dataclasses import dataclass, field

from appliance.settings.problems import Refused
from appliance.settings.setting import Where

_TYPES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
_LONGEST = 1200
"""Characters: RSA with 4096 bits and a comment of 250 characters."""


@dataclass(frozen=True, slots=True)
class SshKey:
    """The public half of an SSH key on one line, as in ``id_ed25519.pub``: type, base64, and a comment if there is one."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default="must be a public key of SSH, like ssh-ed25519 AAAA… name", init=False)

    def convert(self, value: object, _where: Where, /) -> str:
        """The line without white space around it. Options (``command=…``) are no part of it: they stand before the type."""
        if isinstance(value, str) and "PRIVATE KEY" in value:
            raise Refused(self.allowed, "The private half is for nobody else: make a new pair.", hide=True)
        if not isinstance(value, str) or len(value) > _LONGEST or not value.strip().isprintable():
            raise Refused(self.allowed)
        kind, _, rest = value.strip().partition(" ")
        if kind not in _TYPES or not _is_of(kind, rest.partition(" ")[0]):
            raise Refused(self.allowed)
        return value.strip()

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": _LONGEST, "pattern": f"^({'|'.join(map(re.escape, _TYPES))}) AAAA[^ ]+"}


def _is_of(kind: str, text: str) -> bool:
    """Whether the key itself says the type that stands before it (RFC 4253, 6.6: a length of 4 bytes, then the type)."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    named = kind.encode()
    return data[:4] == len(named).to_bytes(4, "big") and data[4:].startswith(named) and len(data) > 4 + len(named) + 32
