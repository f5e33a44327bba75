"""What a room keeps on the disk: the keys of its links, what it remembers (host/memory.py), its devices (host/registry.py).

These are files of a folder of its own, ``rooms/ROOM`` in the state folder, readable by the server alone, and replaced as a
whole: a power cut leaves the old one or the new one. Keys that the settings name stay where they are.
"""

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import gmtime, strftime
from types import MappingProxyType

from appliance.core.tokens import LEAST_KEY
from appliance.core.wire import Fields, ProtocolError, array, identity, number, read_object
from appliance.host.config import DeviceConfig, RoomConfig
from appliance.host.memory import RoomMemory
from appliance.host.registry import Registry, RegistryError
from appliance.settings.store import atomic_write

_SCHEMA = 1
_KEY_BYTES = 32
MOST_KEYS = 64
"""Keys of one room."""
_MOST_BYTES = 4 * 1024 * 1024
_LATEST = 2**53


class StoreError(Exception):
    """What is kept cannot be read or made: one sentence that names the file."""


@dataclass(frozen=True, slots=True)
class RoomKey:
    """One key of a room; ``made`` are Unix seconds, 0 for a key of the settings."""

    id: str
    secret: bytes = field(repr=False)
    made: int = 0


def folder_of(state_dir: Path, room: str) -> Path:
    """Where the room with this id keeps its files."""
    return state_dir / "rooms" / room


def new_key(now: float) -> RoomKey:
    """A key made at ``now`` (Unix seconds), whose id begins with that day."""
    return RoomKey(
        f"{strftime('%Y%m%d', gmtime(now))}-{secrets.token_hex(3)}", secrets.token_bytes(_KEY_BYTES), int(now)
    )


def read_keys(folder: Path) -> tuple[RoomKey, ...]:
    """The keys kept in a room's folder, the newest first; none when there are none yet.

    :raises StoreError: they cannot be read.
    """
    stored = _read(folder / "keys.json")
    if stored is None:
        return ()
    try:
        number(stored, "schema", _SCHEMA, _SCHEMA)
        return tuple(map(_key, array(stored, "keys", MOST_KEYS)))
    except ProtocolError as error:
        raise StoreError(
            f"{folder / 'keys.json'} is damaged: {error} Restore it, or remove it to make new keys."
        ) from error


def write_keys(folder: Path, keys: tuple[RoomKey, ...]) -> None:
    """Replace the keys kept in a room's folder, which is made if it is not there.

    :raises OSError: they could not be written; the old ones are untouched then.
    """
    entries = [{"id": key.id, "made": key.made, "secret": base64.b64encode(key.secret).decode()} for key in keys]
    _write(folder / "keys.json", {"schema": _SCHEMA, "keys": entries})


def _key(entry: object) -> RoomKey:
    if not isinstance(entry, dict):
        raise ProtocolError("A key has to be an object.")
    try:
        secret = base64.b64decode(str(entry.get("secret")), validate=True)
    except binascii.Error:
        raise ProtocolError("A key's secret has to be base64.") from None
    if len(secret) < LEAST_KEY:
        raise ProtocolError(f"A key's secret has to have {LEAST_KEY} bytes or more.")
    return RoomKey(identity(entry, "id"), secret, number(entry, "made", 0, _LATEST))


def _read(path: Path) -> Fields | None:
    try:
        return read_object(path.read_bytes(), _MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    except ProtocolError as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def _write(path: Path, content: Fields) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_write(path, json.dumps(content, ensure_ascii=False).encode())


class RoomStore:
    """Keys, memory and devices of one room. Made in a thread, used on the loop.

    :param state_dir: where it is kept; None keeps nothing beyond this process.
    :param devices: of the settings; those of other rooms are left out.
    :raises StoreError: what is kept cannot be read, or the first key cannot be written.
    """

    def __init__(
        self, config: RoomConfig, state_dir: Path | None, now: float, devices: Sequence[DeviceConfig] = ()
    ) -> None:
        self.owns_keys = not config.keys
        """Whether the keys are ours: those of the settings are changed there."""
        self.made: RoomKey | None = None
        """The key that was made because there was none."""
        self.failed: Callable[[OSError], None] = lambda _: None
        """Told when something could not be written."""
        self.memory = RoomMemory(config.mute_new, config.title, self._changed)
        self._folder = folder_of(state_dir, config.id) if state_dir is not None else None
        try:
            self.registry = Registry(config.id, self._folder, (each for each in devices if each.room == config.id))
        except RegistryError as error:
            raise StoreError(str(error)) from error
        self._hold(tuple(RoomKey(name, secret) for name, secret in config.keys.items()))
        self._writing_keys = asyncio.Lock()
        self._is_dirty = False
        self._writing: asyncio.Task[None] | None = None
        if self._folder is not None:
            self._restore(self._folder)
        if not self._keys:
            self._make_first(now)

    def _restore(self, folder: Path) -> None:
        if self.owns_keys:
            self._hold(read_keys(folder))
        stored = _read(folder / "members.json")
        if stored is not None:
            try:
                self.memory.restore(stored)
            except ProtocolError as error:
                raise StoreError(f"{folder / 'members.json'} is damaged: {error} Restore or remove it.") from error

    def _make_first(self, now: float) -> None:
        self.made = new_key(now)
        self._hold((self.made,))
        if self._folder is not None:
            try:
                write_keys(self._folder, self._keys)
            except OSError as error:
                raise StoreError(f"the room's key cannot be kept in {self._folder}: {error.strerror}.") from error

    # ---- keys

    @property
    def keys(self) -> tuple[RoomKey, ...]:
        """All that verify; the first one signs."""
        return self._keys

    @property
    def secrets(self) -> Mapping[str, bytes]:
        """The same by id, as verifying wants them."""
        return self._secrets

    async def add_key(self, now: float) -> RoomKey:
        """A new key, which signs from now on.

        :raises OSError: it could not be written; everything is as before then.
        """
        made = new_key(now)
        async with self._writing_keys:
            await self._write_keys((made, *self._keys))
            self._hold((made, *self._keys))  # without one that was revoked while the disk was slow
        return made

    async def revoke_key(self, key_id: str, now: float) -> None:
        """This key opens nothing any more, at once. When it was the last one, a new one takes its place.

        :raises OSError: that could not be written: it holds, until the host is started anew.
        """
        left = tuple(key for key in self._keys if key.id != key_id)
        self._hold(left or (new_key(now),))
        async with self._writing_keys:  # after what is being written still has the key
            await self._write_keys(self._keys)

    async def _write_keys(self, keys: tuple[RoomKey, ...]) -> None:
        if self._folder is not None:
            await asyncio.to_thread(write_keys, self._folder, keys)

    def _hold(self, keys: tuple[RoomKey, ...]) -> None:
        self._keys = keys
        self._secrets = MappingProxyType({key.id: key.secret for key in keys})

    # ---- memory

    def _changed(self) -> None:
        self._is_dirty = True
        if self._folder is not None and self._writing is None:
            self._writing = asyncio.create_task(self._write_memory(self._folder), name="what a room remembers")

    async def _write_memory(self, folder: Path) -> None:
        """Write until nothing has changed meanwhile: the disk may be slow, and sound does not wait for it."""
        try:
            while self._is_dirty:
                self._is_dirty = False
                try:
                    await asyncio.to_thread(_write, folder / "members.json", self.memory.as_dict())
                except OSError as error:
                    self.failed(error)
        finally:
            self._writing = None

    async def written(self) -> None:
        """Wait until all that is remembered is on the disk, or could not be written."""
        if self._writing is not None:
            await asyncio.shield(self._writing)


def title_of(folder: Path, title: str) -> str:
    """What the room is called whose folder this is: ``title``, of the settings, unless an admin changed it since."""
    memory = RoomMemory(mute_new=False, title=title, changed=lambda: None)
    try:
        memory.restore(_read(folder / "members.json") or memory.as_dict())
    except (StoreError, ProtocolError):
        return title  # the host itself says what is wrong with it
    return memory.title


def open_stores(
    rooms: Sequence[RoomConfig], devices: Sequence[DeviceConfig], state_dir: Path | None, now: float
) -> dict[str, RoomStore]:
    """The stores of all rooms by id; ``now`` in Unix seconds. To be called in a thread.

    :raises StoreError: what one keeps cannot be read.
    """
    return {room.id: RoomStore(room, state_dir, now, devices) for room in rooms}
