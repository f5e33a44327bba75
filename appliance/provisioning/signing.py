"""The secret half of a key, on the admin's machine: made, kept in a file as minisign has it, and used to sign.

No device ever has one. A key may be locked with a password (scrypt), or lie open for a machine that signs by itself.
"""

import base64
import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.documents import Pointer
from appliance.provisioning.minisign import PublicKey, Signature, hashed
from appliance.provisioning.publication import comment

LARGEST_KEY_FILE: Final = 4096
_SEED, _ID, _CHECK = 32, 8, 32
_SECRET = _ID + 2 * _SEED + _CHECK
_HEAD = struct.Struct("<2s2s2s32sQQ")
"""Kind of key, of lock and of checksum; salt; and the two numbers that tell how hard the lock is."""
_OPERATIONS, _MEMORY = 1 << 22, 1 << 27
"""scrypt with N = 2^17, r = 8, p = 1, as OWASP advises: 128 MiB, which a small machine has, too."""
_SOME = 1 << 20
"""Bytes beside the table that scrypt fills."""
_MOST_MEMORY = 1 << 30
"""What minisign's own keys take."""


class KeyRefused(ValueError):
    """A key file cannot be used; the text is a sentence without its first word, the file's name."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """Signs."""

    id: bytes
    seed: bytes = field(repr=False)

    @classmethod
    def make(cls) -> "SecretKey":
        """A new one."""
        return cls(os.urandom(_ID), os.urandom(_SEED))

    @classmethod
    def parse(cls, content: bytes, password: Callable[[], str]) -> "SecretKey":
        """From the bytes of a key file of minisign's or ours. ``password`` is asked only when the key is locked.

        :raises KeyRefused: it is none, or the password is wrong.
        """
        try:
            raw = base64.b64decode(content.decode("ascii").strip().split("\n")[-1], validate=True)
            kind, lock, check, salt, operations, memory = _HEAD.unpack_from(raw)
        except (ValueError, struct.error):
            raise KeyRefused("is no secret key of minisign") from None
        if (kind, check) != (b"Ed", b"B2") or len(raw) != _HEAD.size + _SECRET or lock not in (b"Sc", b"\0\0"):
            raise KeyRefused("is no secret key of minisign")
        secret = raw[_HEAD.size :]
        if lock == b"Sc":
            secret = _locked(secret, password(), salt, operations, memory)
        key = cls(secret[:_ID], secret[_ID : _ID + _SEED])
        if secret != key._secret(with_checksum=lock == b"Sc"):
            raise KeyRefused("cannot be opened: the password is wrong" if lock == b"Sc" else "is damaged")
        return key

    def dump(self, password: str) -> bytes:
        """The bytes of its file, locked with ``password`` unless that is empty."""
        if password:
            salt = os.urandom(32)
            head = _HEAD.pack(b"Ed", b"Sc", b"B2", salt, _OPERATIONS, _MEMORY)
            secret = _locked(self._secret(with_checksum=True), password, salt, _OPERATIONS, _MEMORY)
        else:
            head = _HEAD.pack(b"Ed", b"\0\0", b"B2", bytes(32), 0, 0)
            secret = self._secret(with_checksum=False)
        return b"untrusted comment: kontor secret key\n" + base64.b64encode(head + secret) + b"\n"

    @property
    def public(self) -> PublicKey:
        """The half that devices have."""
        return PublicKey(self.id, self._pair()[_SEED:])

    def sign(self, content: bytes, text: str) -> Signature:
        """The signature of a file, with a comment that is signed too."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        of_file = key.sign(hashed(content))
        return Signature(self.id, of_file, text, key.sign(of_file + text.encode()))

    def publish(self, pointer: Pointer, content: bytes) -> bytes:
        """The bytes of the pointer file that leads to ``content``."""
        return self.sign(content, comment(pointer)).dump(f"signature from kontor, key {self.public.name}")

    def _pair(self) -> bytes:
        """Seed and public key, 64 bytes, as libsodium has them."""
        return self.seed + Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    def _secret(self, with_checksum: bool) -> bytes:
        """What is locked; minisign leaves the checksum 0 in a key without a password."""
        secret = self.id + self._pair()
        checksum = hashlib.blake2b(b"Ed" + secret, digest_size=_CHECK).digest()
        return secret + (checksum if with_checksum else bytes(_CHECK))


def public_file(key: PublicKey) -> bytes:
    """The bytes of the file for the public half."""
    return f"untrusted comment: minisign public key {key.name}\n{key}\n".encode()


def _locked(secret: bytes, password: str, salt: bytes, operations: int, memory: int) -> bytes:
    """``secret`` locked or unlocked: both are the same step."""
    # How libsodium makes scrypt's N and p of its two numbers (pickparams), for the kinds of keys that minisign makes.
    n = _power_of_two(memory // 1024)
    p = max(1, operations // 4 // n // 8)
    if not 1024 <= n * 1024 <= _MOST_MEMORY or p > 16:
        raise KeyRefused("asks for more memory or time than a key should")
    stream = hashlib.scrypt(password.encode(), salt=salt, n=n, r=8, p=p, maxmem=n * 1024 + _SOME, dklen=len(secret))
    return bytes(one ^ other for one, other in zip(secret, stream, strict=True))


def _power_of_two(most: int) -> int:
    """The largest that is not above ``most``; 1 for less than that."""
    return 1 << max(0, most.bit_length() - 1)
