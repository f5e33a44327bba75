"""The tools that make the image: Debian's of one suite, locked, unpacked and run in a root of their own.

What another version of mkfs would do differently does not show in the image, whatever the builder has installed. The tools
run with the toolbox as their root directory, without a network, and see of the builder what is bound for them and nothing
else. That takes user namespaces, or root.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tools.image import deb, space
from tools.image.errors import ImageError, MissingError
from tools.image.fetch import fetch, read_lock

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_FIRST = "base-files"
"""Has the links from /bin, /lib and /sbin into /usr, which lie there before anything goes through them."""

_UNPACKED = 700 * 2**20

_ENTER = """\
umask 022
root=$1 cwd=$2 binds=$3
shift 3
new=$root/mnt
mount -t tmpfs -o mode=0755 kontor-image "$new"
for entry in "$root"/*; do
    [ ! -L "$entry" ] || cp -P "$entry" "$new/"
done
for folder in usr etc; do
    mkdir "$new/$folder"
    mount --bind -o ro "$root/$folder" "$new/$folder"
done
mkdir "$new/dev" "$new/proc" "$new/sys" "$new/run" "$new/var" "$new/var/tmp" "$new/root" "$new/mnt"
mkdir -m 1777 "$new/tmp"
mount --rbind /proc "$new/proc"
for device in null zero full random urandom; do
    : >"$new/dev/$device"
    mount --bind "/dev/$device" "$new/dev/$device"
done
ln -s /proc/self/fd "$new/dev/fd"
while [ "$binds" -gt 0 ]; do
    if [ -d "$1" ]; then mkdir -p "$new$2"; else mkdir -p "$(dirname "$new$2")"; : >"$new$2"; fi
    mount --rbind "$1" "$new$2"
    binds=$((binds - 1))
    shift 2
done
exec chroot "$new" /usr/bin/env -i -C "$cwd" "$@"
"""
"""How a tool is entered: $1 the toolbox, $2 the folder to be in, $3 how many pairs of host path and path inside follow, then
variables and the command."""

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Toolbox:
    """An unpacked toolbox at ``root``; ``epoch`` (Unix seconds) is the time that its tools write into what they make."""

    def __init__(self, root: Path, epoch: int) -> None:
        self.root = root.resolve()
        self.epoch = epoch

    def run(
        self,
        argv: Sequence[str],
        *,
        binds: Mapping[Path, str] | None = None,
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        capture: bool = False,
    ) -> bytes:
        """Run a tool; what it wrote to its standard output with ``capture``, else nothing.

        ``binds`` are files and folders of this machine by where the tool sees them, in that order, absolute and not below
        /usr or /etc, which are the toolbox's own and cannot be written; /tmp and /run are empty and forgotten. The tool is
        root of its namespaces, where no other owner exists: owners of files go into an image by way of a tar.

        :raises MissingError: neither user namespaces nor root are to be had.
        :raises ImageError: the tool failed; its last words.
        """
        pairs = [word for path, inside in (binds or {}).items() for word in _pair(path, inside)]
        settings = {
            "PATH": _PATH,
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(self.epoch),
            **(env or {}),
        }
        words = [str(self.root), cwd, str(len(pairs) // 2), *pairs, *(f"{k}={v}" for k, v in settings.items()), *argv]
        command = [*namespaces(), "sh", "-euc", _ENTER, "sh", *words]
        done = subprocess.run(
            command,
            env={"PATH": _PATH, "LC_ALL": "C"},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE if capture else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            told = done.stderr.decode(errors="replace").strip().splitlines() or [f"it ended with {done.returncode}"]
            raise ImageError(f"{PurePosixPath(argv[0]).name} failed: {' / '.join(told[-3:])}")
        return done.stdout or b""


def _pair(path: Path, inside: str) -> tuple[str, str]:
    place = PurePosixPath(inside)
    if not place.is_absolute() or ".." in place.parts or place.parts[1:2] in ((), ("usr",), ("etc",)):
        raise ImageError(f"nothing of the builder's can be seen as {inside} in the toolbox")
    if not path.exists():
        raise ImageError(f"{path}, which a tool is to see as {inside}, does not exist")
    return str(path.resolve()), inside


@functools.cache
def namespaces() -> tuple[str, ...]:
    """The words before a command that is root in namespaces of its own.

    :raises MissingError: this system allows none.
    """
    if shutil.which("unshare", path=_PATH) is None:
        raise MissingError("unshare is missing: sudo apt-get install util-linux")
    own = ("unshare", "--mount", "--net", "--ipc", "--propagation", "private")
    for words in ((*own, "--user", "--map-root-user"), own):
        trial = [*words, "mount", "-t", "tmpfs", "none", "/dev"]
        if subprocess.run(trial, env={"PATH": _PATH}, capture_output=True, check=False).returncode == 0:
            return words
    raise MissingError(
        "the tools of the image run in namespaces of their own, which this system gives to nobody but root: as root, "
        "sysctl kernel.unprivileged_userns_clone=1 (or kernel.apparmor_restrict_unprivileged_userns=0), or make it as root"
    )


def architecture() -> str:
    """Debian's name of this machine's processor.

    :raises ImageError: there is no toolbox for it.
    """
    try:
        return _MACHINES[platform.machine()]
    except KeyError:
        raise ImageError(f"an image is made on amd64 or arm64, not on {platform.machine()}") from None


def make_toolbox(image: Path, cache: Path, epoch: int, snapshot: str = "") -> Toolbox:
    """The toolbox of a lock in the folder ``image``, fetched and unpacked below ``cache`` if it is not there.

    :raises ImageError: it cannot be had; see :func:`tools.image.fetch.fetch`.
    """
    lock = image / f"toolbox-{architecture()}.lock"
    packages = read_lock(lock)
    name = hashlib.sha256("".join(sorted(package.sha256 for package in packages)).encode()).hexdigest()[:16]
    root = cache / f"toolbox-{name}"
    if not root.exists():
        files = fetch(packages, cache, snapshot)
        space.require(cache, _UNPACKED, "the unpacked toolbox")
        unfinished = root.with_name(f"{root.name}.{os.getpid()}")
        try:
            for package in sorted(packages, key=lambda package: package.name != _FIRST):
                unpack(files[package.sha256], unfinished)
            for name in ("etc", "mnt"):  # /mnt is where the root is made that a tool sees
                (unfinished / name).mkdir(exist_ok=True)
            (unfinished / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
            (unfinished / "etc/group").write_text("root:x:0:\n")
            if not root.exists():  # another build may have been faster
                unfinished.rename(root)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return Toolbox(root, epoch)


def unpack(package: Path, root: Path) -> None:
    """Lay the files of a package into a folder, as files of the user who asks.

    :raises ImageError: it is no package, or a path leads out of the folder.
    """
    root.mkdir(parents=True, exist_ok=True)
    with deb.data(package) as archive:
        archive.chown = lambda *_: None  # type: ignore[method-assign]  # root's files would get owners that no namespace has
        for entry in archive:
            if PurePosixPath(entry.name).is_absolute() or ".." in PurePosixPath(entry.name).parts:
                raise ImageError(f"{package.name} has the path {entry.name}, which leads out of its folder")
            if not (entry.isdir() and (root / entry.name).is_dir()):
                archive.extract(entry, root, set_attrs=not entry.issym())
