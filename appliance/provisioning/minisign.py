"""Signatures as minisign makes and checks them (jedisct1.github.io/minisign): Ed25519 over a BLAKE2b-512 hash.

Debian's ``minisign`` reads what is made here and the other way round. Only the hashed form ("ED") counts, the only one that
minisign has made since 0.10. ADR 0135 tells why this is no library.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core.documents import NotTaken, Why

LARGEST_SIGNATURE: Final = 4096
"""Bytes of a signature file; one of ours has about 400."""
LONGEST_COMMENT: Final = 1024

_UNTRUSTED = "untrusted comment: "
_TRUSTED = "trusted comment: "
_ID, _KEY, _SIGNATURE = 8, 32, 64


def hashed(content: bytes) -> bytes:
    """What of a file is signed: BLAKE2b-512 (RFC 7693)."""
    return hashlib.blake2b(content, digest_size=64).digest()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who may sign."""

    id: bytes
    """8 bytes by which a signature tells whose it is."""
    key: bytes
    """32 bytes (RFC 8032)."""

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """From the 56 characters that begin with RW, or from a file that has them in its second line.

        :raises ValueError: it is none.
        """
        lines = text.strip().split("\n")
        raw = _base64(lines[-1].strip(), 2 + _ID + _KEY)
        if raw is None or raw[:2] != b"Ed" or len(lines) > 2:
            raise ValueError("that is no public key of minisign: 56 characters that begin with RW")
        return cls(raw[2 : 2 + _ID], raw[2 + _ID :])

    def __str__(self) -> str:
        return base64.b64encode(b"Ed" + self.id + self.key).decode()

    @property
    def name(self) -> str:
        """The key's id as minisign prints it."""
        return key_name(self.id)

    def signed(self, signature: bytes, text: bytes) -> bool:
        """Whether ``signature`` (64 bytes) of ``text`` was made with this key."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text)
        except InvalidSignature:
            return False
        return True


def key_name(key_id: bytes) -> str:
    """The 16 hexadecimal digits under which minisign shows a key."""
    return key_id[::-1].hex().upper()


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature file: of another file, and of a comment of its own."""

    key_id: bytes
    of_file: bytes
    """64 bytes, over the hash of the file."""
    comment: str
    of_comment: bytes
    """64 bytes, over ``of_file`` and the comment."""

    @classmethod
    def parse(cls, content: bytes) -> "Signature":
        """From the bytes of a signature file.

        :raises NotTaken: it is none; NOT_SIGNED.
        """
        match = _parts(content)
        raw = _base64(match[1], 2 + _ID + _SIGNATURE)
        of_comment = _base64(match[3], _SIGNATURE)
        if raw is None or of_comment is None or raw[:2] not in (b"ED", b"Ed"):
            raise NotTaken(Why.NOT_SIGNED, "The signature file is damaged.")
        if raw[:2] == b"Ed":
            raise NotTaken(Why.NOT_SIGNED, "The signature is of minisign's old form: sign with minisign 0.10 or later.")
        return cls(raw[2 : 2 + _ID], raw[2 + _ID :], match[2], of_comment)

    def dump(self, untrusted: str) -> bytes:
        """The bytes of the file. ``untrusted`` is its first line, which is not signed."""
        first = base64.b64encode(b"ED" + self.key_id + self.of_file).decode()
        last = base64.b64encode(self.of_comment).decode()
        return f"{_UNTRUSTED}{untrusted}\n{first}\n{_TRUSTED}{self.comment}\n{last}\n".encode()

    def check_comment(self, keys: tuple[PublicKey, ...]) -> PublicKey:
        """The key of ``keys`` that the comment was signed with: from here on the comment may be believed.

        :raises NotTaken: it is of none of them (FOREIGN_KEY), or was changed (FORGED).
        """
        known = [key for key in keys if key.id == self.key_id]
        if not known:
            raise NotTaken(
                Why.FOREIGN_KEY, f"It was signed with the key {key_name(self.key_id)}, which is not trusted here."
            )
        for key in known:
            if key.signed(self.of_comment, self.of_file + self.comment.encode()):
                return key
        raise NotTaken(
            Why.FORGED, f"The signature is not right: it was changed after the key {known[0].name} had signed it."
        )

    def check_file(self, key: PublicKey, content: bytes) -> None:
        """Make sure that ``content`` is what was signed with ``key``.

        :raises NotTaken: it is not; FORGED.
        """
        if not key.signed(self.of_file, hashed(content)):
            raise NotTaken(Why.FORGED, f"The document is not the one that the key {key.name} has signed.")


def _parts(content: bytes) -> "re.Match[str]":
    if len(content) > LARGEST_SIGNATURE:
        raise NotTaken(Why.TOO_LONG, f"The signature file is longer than {LARGEST_SIGNATURE} bytes.")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise NotTaken(Why.NOT_TEXT, "The signature file is no text.") from None
    match = re.fullmatch(
        rf"{_UNTRUSTED}[^\n]*\n([^\n]+)\n{_TRUSTED}([^\n\r]{{0,{LONGEST_COMMENT}}})\r?\n([^\n]+)\n?",
        text.replace("\r\n", "\n"),
    )
    if match is None:
        page = bool(re.match(r"\s*<", text))
        portal = (
            " What came looks like a web page: somebody on the way, such as a captive portal, answers instead."
            if page
            else ""
        )
        raise NotTaken(Why.NOT_SIGNED, f"What lies there is no signature file.{portal}")
    return match


def _base64(text: str, size: int) -> bytes | None:
    """The ``size`` bytes that are written there; None when they are not."""
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size else None
