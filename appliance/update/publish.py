"""Signs a bundle and lays it where devices look: on the machine of whoever publishes, never on a device."""

import hashlib
import os
import shutil
from pathlib import Path

from appliance.core.documents import NotTaken, Pointer, Why
from appliance.core.updating import BLOCK, SCOPE, Bundle, judge_index
from appliance.provisioning.minisign import LARGEST_SIGNATURE, PublicKey
from appliance.provisioning.publication import POINTER, pointer_path, read_pointer
from appliance.provisioning.signing import SecretKey
from appliance.settings.sources import LARGEST
from appliance.settings.store import atomic_write, sync_folder
from appliance.update.bundle import hash_of, parse

_FILE, _FOLDER = 0o644, 0o755


def check(manifest: Path) -> tuple[Bundle, bytes]:
    """The bundle whose manifest lies at ``manifest``, and that file's bytes, if its other files are right.

    :raises NotTaken: something is missing or not as the manifest says.
    :raises OSError: it cannot be read.
    """
    with manifest.open("rb") as file:
        content = file.read(LARGEST)
    bundle = parse(content)
    index = (manifest.parent / bundle.index).read_bytes()
    if hashlib.sha256(index).hexdigest() != bundle.index_sha256:
        raise NotTaken(Why.DAMAGED, f"{bundle.index} is not the index of this manifest.")
    places = judge_index(bundle, index)
    with (manifest.parent / bundle.blocks).open("rb") as file:
        for key in places:  # in the order in which they stand
            if hash_of(file.read(BLOCK)) != key:
                raise NotTaken(Why.DAMAGED, f"{bundle.blocks} has not the blocks of its index.")
        if file.read(1):
            raise NotTaken(Why.DAMAGED, f"{bundle.blocks} is longer than its index.")
    return bundle, content


def publish(
    manifest: Path,
    folder: Path,
    channel: str,
    key: SecretKey,
    *,
    trusted: tuple[PublicKey, ...] = (),
    expires: float | None = None,
    least: int = 1,
) -> Pointer:
    """Sign the bundle at ``manifest`` and have ``folder`` lead to it: its files first, then the channel's pointer.

    What was published before stays, for whoever is fetching it.

    :param trusted: whose pointer is believed beside the signer's, so that the version goes on from it.
    :param expires: Unix time from which no device takes it.
    :param least: the version of the pointer at least, for a folder that was lost.
    :raises NotTaken: the bundle is not whole, or what ``folder`` has cannot be believed.
    :raises OSError: it cannot be written.
    """
    bundle, content = check(manifest)
    place = folder / SCOPE
    place.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    scope = SCOPE + channel
    pointer = Pointer(scope, _next_version(folder, scope, (key.public, *trusted), least), manifest.name, expires)
    for name in (bundle.index, bundle.blocks):
        _copy(manifest.parent / name, place / name)
    atomic_write(place / manifest.name, content, _FILE)
    signed = key.publish(pointer, content)
    atomic_write(place / (manifest.name + POINTER), signed, _FILE)
    atomic_write(folder / pointer_path(scope), signed, _FILE)
    return pointer


def _next_version(folder: Path, scope: str, trusted: tuple[PublicKey, ...], least: int) -> int:
    path = folder / pointer_path(scope)
    if not path.exists():
        return least
    with path.open("rb") as file:
        pointer, _signature, _key = read_pointer(file.read(LARGEST_SIGNATURE + 1), trusted)
    return max(least, pointer.version + 1)


def _copy(source: Path, target: Path) -> None:
    """Large files: beside their name first, so that nobody fetches half of one."""
    if target.exists() and target.samefile(source):
        return
    part = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(source, part)
        part.chmod(_FILE)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)
