"""The device's own key: made at its first start, it proves to a host which device this is (RFC 8032, Ed25519)."""

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.settings.store import atomic_write

_NAME = "device.key"
_PUBLIC = "device.pub"
"""Base64, for whoever has to know which device this is and must not be it."""
_FOR_ALL = 0o644
_SEED = 32


class DeviceKey:
    """A private key that never leaves its file but to sign."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @classmethod
    def make(cls) -> "DeviceKey":
        """A new key, which is nowhere but here."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def load(cls, folder: Path) -> "DeviceKey | None":
        """The key in ``folder``; None when it is not there yet.

        :raises ValueError: the file is no key; the text says what to do.
        :raises OSError: it cannot be read.
        """
        path = folder / _NAME
        try:
            seed = base64.b64decode(path.read_bytes(), validate=False)
        except FileNotFoundError:
            return None
        except ValueError:
            seed = b""
        if len(seed) != _SEED:
            raise ValueError(f"{path} is damaged: remove it, and register the new key that is made with the server")
        return cls(seed)

    @classmethod
    def load_or_make(cls, folder: Path) -> "DeviceKey":
        """The key in ``folder``, made when it is not there yet.

        :raises ValueError: see :meth:`load`.
        :raises OSError: it cannot be read or written.
        """
        found = cls.load(folder)
        if found is None:
            found = cls.make()
            found.store(folder)
        elif not (folder / _PUBLIC).exists():
            found.tell(folder)
        return found

    @staticmethod
    def public_in(folder: Path) -> bytes:
        """The public key of the device that keeps its key in ``folder``, 32 bytes; made when it is not there yet.

        On a device the server may not read the private key beside it.

        :raises ValueError: see :meth:`load`.
        :raises OSError: it cannot be read or written.
        """
        try:
            known = base64.b64decode((folder / _PUBLIC).read_bytes(), validate=False)
        except (FileNotFoundError, ValueError):
            known = b""
        return known if len(known) == _SEED else DeviceKey.load_or_make(folder).public

    def store(self, folder: Path) -> None:
        """Keep it in ``folder``, and its public half beside it.

        :raises OSError: it cannot be written.
        """
        atomic_write(folder / _NAME, base64.b64encode(self._key.private_bytes_raw()) + b"\n")
        self.tell(folder)

    def tell(self, folder: Path) -> None:
        """Put the public half into ``folder``, where everybody who may enter it reads it.

        :raises OSError: it cannot be written.
        """
        atomic_write(folder / _PUBLIC, base64.b64encode(self.public) + b"\n", _FOR_ALL)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes: what the host's settings list for this device."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        """The signature of ``text``, 64 bytes."""
        return self._key.sign(text)
