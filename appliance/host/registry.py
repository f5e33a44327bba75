"""The devices of one room: those of the settings, those that were added while the host runs, and who is on the way in.

What was added is kept in ``devices.json`` of the room's folder. Of a one-use token only its hash is kept: whoever reads the
disk cannot come in by it.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core.enrolment import KEY_BYTES, LIFE
from appliance.core.wire import Fields, ProtocolError, array, identity, name, number, read_object
from appliance.host.config import DeviceConfig
from appliance.settings.store import atomic_write

_SCHEMA = 1
_FILE = "devices.json"
_MOST_BYTES = 4 * 1024 * 1024
_LATEST = 2**53
MOST_DEVICES = 1024
"""That are kept for one room, invited ones among them."""
MOST_ASKING = 16
"""Devices that wait at a time to be let in."""
ASKING_SECONDS = 600.0
"""After which one that asks no more is forgotten. A device asks every half minute."""


class RegistryError(Exception):
    """What is kept of devices cannot be read, or what is asked cannot be done: one sentence, and a code as of refusals."""

    def __init__(self, sentence: str, code: str = "devices_unread") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Invitation:
    """A device that may enrol once; times in Unix seconds."""

    id: str
    name: str
    token_sha256: bytes
    expires: int


@dataclass(frozen=True, slots=True)
class Asking:
    """A device that asks to be let in, and when it last did (Unix seconds)."""

    id: str
    name: str
    public_key: bytes
    at: float


@dataclass(frozen=True, slots=True)
class _Kept:
    devices: Mapping[str, DeviceConfig] = field(default_factory=dict)
    invitations: Mapping[str, Invitation] = field(default_factory=dict)


class Registry:
    """Made in a thread, used on the loop. Times are Unix seconds.

    :param folder: of the room; None keeps nothing beyond this process.
    :param fixed: the devices that the settings list for this room: they are changed there.
    :raises RegistryError: what is kept cannot be read.
    """

    def __init__(self, room: str, folder: Path | None, fixed: Iterable[DeviceConfig] = ()) -> None:
        self._room = room
        self._path = folder / _FILE if folder is not None else None
        self._fixed = {device.id: device for device in fixed}
        self._kept = _read(self._path, room) if self._path is not None else _Kept()
        self._asking: dict[str, Asking] = {}
        self._reports: dict[str, Mapping[str, Any]] = {}
        self._ended: dict[str, float] = {}
        self._changing = asyncio.Lock()

    # ---- who there is

    def device(self, device: str) -> DeviceConfig | None:
        """The device with this id; what the settings say of it comes first."""
        return self._fixed.get(device) or self._kept.devices.get(device)

    @property
    def devices(self) -> tuple[DeviceConfig, ...]:
        """All, those of the settings first."""
        added = (device for device in self._kept.devices.values() if device.id not in self._fixed)
        return *self._fixed.values(), *added

    def is_fixed(self, device: str) -> bool:
        """Whether the settings list it."""
        return device in self._fixed

    def ended(self, device: str) -> float:
        """When a key of this device was last taken back: what it got before is void. 0: never since the host started."""
        return self._ended.get(device, 0.0)

    def invitations(self, now: float) -> tuple[Invitation, ...]:
        """Those that are still good."""
        return tuple(each for each in self._kept.invitations.values() if each.expires > now)

    def asking(self, now: float) -> tuple[Asking, ...]:
        """Those that wait to be let in."""
        self._asking = {who: each for who, each in self._asking.items() if now - each.at < ASKING_SECONDS}
        return tuple(self._asking.values())

    # ---- changes

    async def invite(self, device: str, device_name: str, now: float) -> str:
        """A one-use token, good for a day; an earlier one of the same device is void.

        :raises RegistryError: the settings list it, or there are too many.
        :raises OSError: it could not be written.
        """
        token = secrets.token_urlsafe(KEY_BYTES)
        made = Invitation(device, device_name, hashlib.sha256(token.encode()).digest(), int(now) + LIFE)
        async with self._changing:
            self._check(device)
            standing = {each.id: each for each in self.invitations(now)}
            await self._write(replace(self._kept, invitations={**standing, device: made}))
        return token

    async def enrol(self, device: str, token: str, public_key: bytes, now: float) -> bool:
        """Take the key in exchange for the token, which is good no more then. False: the token is not good.

        :raises OSError: it could not be written; everything is as before then.
        """
        async with self._changing:
            found = self._kept.invitations.get(device)
            digest = hashlib.sha256(token.encode()).digest()
            if found is None or found.expires <= now or not hmac.compare_digest(found.token_sha256, digest):
                return False
            await self._take(DeviceConfig(device, found.name, self._room, public_key), now)
        return True

    async def add(self, device: str, device_name: str, public_key: bytes, now: float) -> None:
        """Take a key as it is; one that the device had before is good no more.

        :raises RegistryError: the settings list it, or there are too many.
        :raises OSError: it could not be written.
        """
        async with self._changing:
            self._check(device)
            await self._take(DeviceConfig(device, device_name, self._room, public_key), now)

    async def forget(self, device: str, now: float) -> bool:
        """Know it no more, nor its invitation; False when nothing of it was kept.

        :raises RegistryError: the settings list it.
        :raises OSError: it could not be written.
        """
        async with self._changing:
            if device in self._fixed:
                raise RegistryError(f'"{device}" is in the settings: take it out there.', "device_in_settings")
            if device not in self._kept.devices and device not in self._kept.invitations:
                return False
            await self._write(_Kept(_without(self._kept.devices, device), _without(self._kept.invitations, device)))
            self._reports.pop(device, None)
            self._ended[device] = now
        return True

    def ask(self, device: str, device_name: str, public_key: bytes, now: float) -> bool:
        """It asks to be let in, perhaps in the place of a device that is known. False: too many wait, or another of its id."""
        waiting = {each.id: each for each in self.asking(now)}
        known = waiting.get(device)
        if len(waiting) >= MOST_ASKING if known is None else known.public_key != public_key:
            return False
        self._asking[device] = Asking(device, device_name, public_key, now)
        return True

    def _check(self, device: str) -> None:
        if device in self._fixed:
            raise RegistryError(f'"{device}" is in the settings already.', "device_in_settings")
        if len({*self._kept.devices, *self._kept.invitations, device}) > MOST_DEVICES:
            raise RegistryError(f"There are {MOST_DEVICES} devices already.", "devices_full")

    async def _take(self, device: DeviceConfig, now: float) -> None:
        before = self.device(device.id)
        invitations = _without(self._kept.invitations, device.id)
        await self._write(_Kept({**self._kept.devices, device.id: device}, invitations))
        self._asking.pop(device.id, None)
        if before is not None and before.public_key != device.public_key:
            self._ended[device.id] = now

    async def _write(self, kept: _Kept) -> None:
        """On the disk first: what is told to a device holds after a power cut."""
        if self._path is not None:
            await asyncio.to_thread(_store, self._path, kept)
        self._kept = kept

    # ---- what devices say of themselves

    def reported(self, device: str, extra: Mapping[str, Any], now: float) -> None:
        """Keep what a device that is known said last."""
        if self.device(device) is not None:
            self._reports[device] = {"at": int(now), **extra}

    def report(self, device: str) -> Mapping[str, Any] | None:
        """What it said last, with the time it did; None: nothing since the host started."""
        return self._reports.get(device)


def stored_devices(folder: Path) -> set[str]:
    """The ids that are kept in a room's folder, for commands that run beside the host.

    :raises RegistryError: they cannot be read.
    """
    kept = _read(folder / _FILE, "")
    return {*kept.devices, *kept.invitations}


def _without(items: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in items.items() if name != key}


def _store(path: Path, kept: _Kept) -> None:
    devices = [
        {"id": device.id, "name": device.name, "key": base64.b64encode(device.public_key).decode()}
        for device in kept.devices.values()
    ]
    invitations = [
        {"id": each.id, "name": each.name, "token_sha256": each.token_sha256.hex(), "expires": each.expires}
        for each in kept.invitations.values()
    ]
    content = {"schema": _SCHEMA, "devices": devices, "invitations": invitations}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_write(path, json.dumps(content, ensure_ascii=False).encode())


def _read(path: Path, room: str) -> _Kept:
    try:
        stored = read_object(path.read_bytes(), _MOST_BYTES)
        number(stored, "schema", _SCHEMA, _SCHEMA)
        devices = [_device(entry, room) for entry in _objects(stored, "devices")]
        invitations = [_invitation(entry) for entry in _objects(stored, "invitations")]
    except FileNotFoundError:
        return _Kept()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror}.") from error
    except ProtocolError as error:
        raise RegistryError(f"{path} is damaged: {error} Restore it, or remove it and add the devices anew.") from error
    return _Kept({device.id: device for device in devices}, {each.id: each for each in invitations})


def _objects(stored: Fields, key: str) -> list[Fields]:
    entries = array(stored, key, MOST_DEVICES)
    if not all(isinstance(entry, dict) for entry in entries):
        raise ProtocolError(f'The field "{key}" has to be a list of objects.')
    return entries


def _device(entry: Fields, room: str) -> DeviceConfig:
    return DeviceConfig(identity(entry, "id"), name(entry, "name"), room, read_key(entry, "key"))


def _invitation(entry: Fields) -> Invitation:
    text = entry.get("token_sha256")
    try:
        digest = bytes.fromhex(text if isinstance(text, str) else "")
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise ProtocolError("The hash of a token has to be 64 hexadecimal digits.")
    return Invitation(identity(entry, "id"), name(entry, "name"), digest, number(entry, "expires", 0, _LATEST))


def is_signed(fields: Fields, text: bytes, public_key: bytes) -> bool:
    """Whether the field "signature" is base64 of what ``public_key`` (Ed25519) signs ``text`` with."""
    signature = fields.get("signature")
    try:
        signed = base64.b64decode(signature if isinstance(signature, str) else "", validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signed, text)
    except (InvalidSignature, ValueError):  # binascii.Error is one
        return False
    return True


def read_key(fields: Fields, key: str) -> bytes:
    """A field that is an Ed25519 public key in base64.

    :raises ProtocolError: it is none.
    """
    text = fields.get(key)
    try:
        found = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != KEY_BYTES:
        raise ProtocolError(f'The field "{key}" has to be a public key: base64 of {KEY_BYTES} bytes.')
    return found
