"""STUN as an ICE-lite agent needs it: connectivity checks are verified and answered (RFC 8489, RFC 8445 section 7.3).

Pure: bytes in, bytes out. Whatever is no binding request with a USERNAME and a MESSAGE-INTEGRITY is None.
"""

import hashlib
import hmac
import socket
import struct
import zlib
from dataclasses import dataclass

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")

_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101

_USERNAME = 0x0006
_MESSAGE_INTEGRITY = 0x0008
_XOR_MAPPED_ADDRESS = 0x0020
_USE_CANDIDATE = 0x0025
_FINGERPRINT = 0x8028

_MAC_BYTES = 20
_FINGERPRINT_XOR = 0x5354554E
_LONGEST_USERNAME = 513  # RFC 8489, section 14.3
_INTEGRITY_SIZE = _ATTRIBUTE.size + _MAC_BYTES
_FINGERPRINT_SIZE = _ATTRIBUTE.size + 4


@dataclass(frozen=True, slots=True)
class Check:
    """One connectivity check as it came; not yet proven to be from whom it says (:meth:`is_signed_with`)."""

    transaction: bytes
    local: str
    """The user fragment of ours that it names."""
    nominated: bool
    """It carries USE-CANDIDATE: the peer wants to use the address it came from."""
    signed: bytes
    """The bytes that the message's integrity covers, its length field as it was when they were signed."""
    mac: bytes

    def is_signed_with(self, password: bytes) -> bool:
        """Whether the sender knows ``password`` (RFC 8489, section 9.1)."""
        return hmac.compare_digest(hmac.digest(password, self.signed, hashlib.sha1), self.mac)


def parse(data: bytes) -> Check | None:
    """Read a connectivity check. Never raises."""
    if len(data) < _HEADER.size or len(data) % 4:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != _BINDING_REQUEST or cookie != _COOKIE or length != len(data) - _HEADER.size:
        return None
    username: bytes | None = None
    nominated = False
    at = _HEADER.size
    while at + _ATTRIBUTE.size <= len(data):
        attribute, size = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + size]
        if len(value) != size:
            return None
        if attribute == _MESSAGE_INTEGRITY:
            # What follows the integrity is not covered by it; only a fingerprint may stand there (section 14.5).
            return _finished(data, at, value, transaction, username, nominated)
        if attribute == _USERNAME:
            username = value
        elif attribute == _USE_CANDIDATE:
            nominated = True
        at += _ATTRIBUTE.size + size + (-size % 4)
    return None


def _finished(
    data: bytes, at: int, mac: bytes, transaction: bytes, username: bytes | None, nominated: bool
) -> Check | None:
    if username is None or len(username) > _LONGEST_USERNAME or len(mac) != _MAC_BYTES:
        return None
    if not _fingerprint_holds(data, at + _INTEGRITY_SIZE):
        return None
    # RFC 8445, section 7.2.2: the first half of the name is the fragment of whoever is checked.
    local = username.partition(b":")[0].decode("ascii", "replace")
    return Check(transaction, local, nominated, _with_length(data[:at], at + _INTEGRITY_SIZE), mac)


def _fingerprint_holds(data: bytes, at: int) -> bool:
    """Whether the fingerprint at ``at`` is right; a message without one holds too."""
    if len(data) < at + _FINGERPRINT_SIZE:
        return True
    attribute, size = _ATTRIBUTE.unpack_from(data, at)
    if attribute != _FINGERPRINT:
        return True
    value = data[at + _ATTRIBUTE.size : at + _FINGERPRINT_SIZE]
    return size == 4 and int.from_bytes(value, "big") == zlib.crc32(data[:at]) ^ _FINGERPRINT_XOR


def _with_length(message: bytes, end: int) -> bytes:
    """``message`` with the length field of a message that ends at ``end`` bytes."""
    return message[:2] + (end - _HEADER.size).to_bytes(2, "big") + message[4:]


def answer(check: Check, address: tuple[str, int], password: bytes) -> bytes:
    """The success response: it tells the peer the IPv4 address its check came from, signed with our password."""
    host, port = address
    mapped = struct.pack("!BBHI", 0, 1, port ^ (_COOKIE >> 16), int.from_bytes(socket.inet_aton(host), "big") ^ _COOKIE)
    body = _ATTRIBUTE.pack(_XOR_MAPPED_ADDRESS, len(mapped)) + mapped
    message = _HEADER.pack(_BINDING_SUCCESS, len(body) + _INTEGRITY_SIZE, _COOKIE, check.transaction) + body
    message += _ATTRIBUTE.pack(_MESSAGE_INTEGRITY, _MAC_BYTES) + hmac.digest(password, message, hashlib.sha1)
    message = _with_length(message, len(message) + _FINGERPRINT_SIZE)
    return message + _ATTRIBUTE.pack(_FINGERPRINT, 4) + struct.pack("!I", zlib.crc32(message) ^ _FINGERPRINT_XOR)
