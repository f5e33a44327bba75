"""Clean roots of Debian (mmdebstrap) in which a package is tried, of this processor or, by qemu-user, of arm64.

A root holds Debian's essential packages and what the package depends on, so that nothing is fetched when it is
installed: what it leaves behind is then its own. Roots are kept packed below .cache/deb-roots.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.need import need
from tools.package.targets import Target

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache" / "deb-roots"
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_EMULATOR = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
"""What Debian tells the kernel of it; opened at once (F), so that the emulator need not lie in the root."""

_UPDATE = "/usr/sbin/update-ca-certificates"
_HURRY = (
    f'--essential-hook=chroot "$1" dpkg-divert --local --rename --add {_UPDATE}',
    f'--essential-hook=ln -s /bin/true "$1{_UPDATE}"',
)
"""The list of certificates is left unmade where programs are emulated: a thousand short ones, which take minutes there."""

_ENTER = """
mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/run" || exit 125
exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root TERM=dumb \
    DEBIAN_FRONTEND=noninteractive "$@"
"""
_VOLATILE = re.compile(r"/(proc|dev|run|tmp|root|var/(lib/(apt|dpkg)|cache|log|tmp))(/|$)")
"""Places whose content is dpkg's, apt's or the machine's."""
_BACKUP = re.compile(r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|/etc/\.pwd\.lock$")
"""What Debian's own programs leave when users come and go."""


class Root:
    """A clean root in a folder: commands run in it as root, with /dev, /proc and an empty /run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, *words: str) -> list[str]:
        """The words that run a command in it, in mounts of its own that go with it."""
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", _ENTER, str(self.folder), *words]

    def run(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command; what it said is shown when it fails."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def put(self, package: Path) -> str:
        """A copy of a file in it, where a boot does not clear it away; its path there."""
        shutil.copy(package, self.folder / "var/tmp")
        return f"/var/tmp/{package.name}"

    def state(self) -> dict[str, str]:
        """Every path that is somebody's to keep, with its kind, mode, owner and, below /etc, what is in it."""
        found = {}
        for folder, folders, files in os.walk(self.folder):
            inside = "/" + os.path.relpath(folder, self.folder).removeprefix(".")
            folders[:] = [name for name in folders if not _VOLATILE.match(f"{inside.rstrip('/')}/{name}")]
            for name in [*folders, *files]:
                path = f"{inside.rstrip('/')}/{name}"
                if not _BACKUP.match(path):
                    found[path] = _what(Path(folder) / name, whole=path.startswith("/etc/"))
        return found


def _what(path: Path, *, whole: bool) -> str:
    found = path.lstat()
    text = f"{found.st_mode:o} {found.st_uid}:{found.st_gid}"
    if path.is_symlink():
        return f"{text} -> {path.readlink()}"
    if whole and path.is_file():
        return f"{text} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return text


def dependencies(package: Path) -> list[str]:
    """The names of what a package depends on, the first of each alternative."""
    told = subprocess.run(["dpkg-deb", "-f", str(package), "Depends"], capture_output=True, text=True, check=True)
    return sorted({re.split(r"[\s|(]", part.strip(), maxsplit=1)[0] for part in told.stdout.split(",")})


@contextlib.contextmanager
def root(target: Target, included: Iterable[str] = ()) -> Iterator[Root]:
    """A fresh root of a target's release and processor, with these packages and what they depend on."""
    need(os.geteuid() == 0, "clean roots are made by root alone")
    need("mmdebstrap", "mmdebstrap is not installed: python3 -m tools.system packages")
    packed = _packed(target, sorted(included))
    folder = Path(tempfile.mkdtemp(prefix="kontor-root-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        subprocess.run(["tar", "-xf", str(packed), "-C", str(folder), "--exclude=./dev/*"], check=True)
        yield Root(folder)
    finally:
        shutil.rmtree(folder)


def _packed(target: Target, included: list[str]) -> Path:
    names = ",".join(included)
    packed = CACHE / f"{target.name}-{hashlib.sha256(names.encode()).hexdigest()[:12]}.tar"
    if not packed.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = packed.with_name(f"{os.getpid()}-{packed.name}")
        command = [
            "mmdebstrap",
            f"--arch={target.architecture}",
            *(_HURRY if target.machine != os.uname().machine else ()),
        ]
        command += ["--variant=minbase", *([f"--include={names}"] if names else [])]
        try:
            done = subprocess.run(
                ["nice", "-n", "3", *command, target.suite, str(unfinished)],
                capture_output=True,
                text=True,
                check=False,
            )
            need(done.returncode == 0, f"no clean root of {target.name} can be made: {done.stderr[-400:]}")
            unfinished.rename(packed)
        finally:
            unfinished.unlink(missing_ok=True)
    return packed


@contextlib.contextmanager
def emulated() -> Iterator[None]:
    """arm64's programs run on this machine meanwhile: binfmt_misc is mounted and qemu-user made known, and both undone.

    A machine that runs them already, as ARM or by somebody else's doing, is left as it is.
    """
    if os.uname().machine == "aarch64":
        yield
        return
    need(os.geteuid() == 0, "only root can make an emulator known to the kernel")
    need(_EMULATOR, "qemu-user-static is not installed: python3 -m tools.system packages")
    with contextlib.ExitStack() as undo:
        if not (_BINFMT / "register").exists():
            mounted = subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)], check=False)
            need(mounted.returncode == 0, "binfmt_misc cannot be mounted here")
            undo.callback(subprocess.run, ["umount", "-l", str(_BINFMT)], check=True)
        if not any("aarch64" in entry.name for entry in _BINFMT.iterdir()):
            (_BINFMT / "register").write_text(_EMULATOR.read_text())
            undo.callback((_BINFMT / "qemu-aarch64").write_text, "-1")
        yield
