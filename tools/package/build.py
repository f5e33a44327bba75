"""``make deb``: the Debian packages, of the last commit, the same bytes wherever they are made.

``python -m tools.package.build [--out DIR] [TARGET…]``, TARGET such as trixie-arm64; all four unless it says. Needs
dpkg-deb, eu-strip (elfutils), git, and a network for wheels that were not fetched before.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.package import source, tree, wheels
from tools.package.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = ("postinst", "prerm", "postrm")
_PACKING = ("-Zxz", "-z6", "--threads-max=1")
"""More threads cut the data at other places."""


def build(target: Target, origin: source.Source, out: Path, cache: Path) -> Path:
    """Make one package; its path, below ``out``.

    :raises SourceError: the commit lacks something.
    :raises WheelError: a wheel cannot be had.
    """
    lock = wheels.locked(*(origin.text(f"requirements/{name}.lock") for name in wheels.BUNDLED))
    found = wheels.fetch(target, lock, cache)
    with tempfile.TemporaryDirectory(prefix="kontor-deb-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        tree.lay_out(root, origin, target, found)
        _control(root, origin, target)
        return _pack(root, out / f"kontor_{origin.version}{target.suffix}_{target.architecture}.deb", origin.epoch)


def _control(root: Path, origin: source.Source, target: Target) -> None:
    """The folder DEBIAN: what the package is and needs, its scripts, and the sums of its files."""
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    )
    words = {
        **tree.names(origin),
        "VERSION": f"{origin.version}{target.suffix}",
        "ARCHITECTURE": target.architecture,
        "SIZE": str(tree.size(root)),
        "PYTHON": target.python,
        "NEXT_PYTHON": target.next_python,
    }
    debian = root / "DEBIAN"
    debian.mkdir()
    files = {"control": origin.text("packaging/control.in"), "md5sums": sums}
    files |= {name: origin.text(f"packaging/{name}.in") for name in _SCRIPTS}
    for name, text in files.items():
        for word, meaning in words.items():
            text = text.replace(f"@{word}@", meaning)  # noqa: PLW2901 - each replaces in what the last one left
        (debian / name).write_text(text)
        (debian / name).chmod(0o755 if name in _SCRIPTS else 0o644)
    debian.chmod(0o755)


def _pack(root: Path, package: Path, epoch: int) -> Path:
    package.parent.mkdir(parents=True, exist_ok=True)
    unfinished = package.with_name(f".{package.name}.{os.getpid()}")
    settings = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    for path in root.rglob("*"):  # dpkg-deb only lowers times that are later
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    try:
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", *_PACKING, "--build", str(root), str(unfinished)],
            env=settings,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        unfinished.rename(package)
    finally:
        unfinished.unlink(missing_ok=True)
    return package


def main(arguments: list[str]) -> int:
    """Make what is asked for; 75 when something is missing that can be had."""
    parser = argparse.ArgumentParser(prog="make deb", description="the Debian packages")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(target.name for target in TARGETS))
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where they go (dist/)")
    parser.add_argument("--wheels", type=Path, default=ROOT / ".cache" / "wheels", help="where fetched wheels are kept")
    given = parser.parse_args(arguments)
    unknown = set(given.targets) - {target.name for target in TARGETS}
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if shutil.which("dpkg-deb") is None:
        print("kontor: dpkg-deb is missing: packages are made on Debian, or with its package dpkg.")
        return 75
    try:
        for path in source.changed(ROOT):
            print(f"kontor: not in the package, since it is not committed as it is: {path}")
        origin = source.read(ROOT)
        for target in TARGETS:
            if not given.targets or target.name in given.targets:
                package = build(target, origin, given.out, given.wheels)
                print(f"kontor: {package} ({package.stat().st_size / 1e6:.1f} MB, {target.suite})", flush=True)
    except (source.SourceError, wheels.WheelError) as error:
        print(f"kontor: {error}")
        return 75
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
