"""``make image-lock``: which packages, in which version, the image and its toolbox are made of.

``python -m tools.image.lock`` resolves image/packages.txt and image/toolbox.txt anew, against what Debian has now: trixie, its
updates, security and, for the kernel, backports, from the mirrors that apt is set up with on this machine. apt checks
signatures as always, with lists of its own; nothing is installed and the machine's settings are not touched.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tools import debian
from tools.image.errors import ImageError, MissingError
from tools.image.fetch import Package, mirrors

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "image"
SUITE = "trixie"
BACKPORTS = f"{SUITE}-backports"
SUITES = (
    (SUITE, "debian"),
    (f"{SUITE}-updates", "debian"),
    (f"{SUITE}-security", "debian-security"),
    (BACKPORTS, "debian"),
)
COMPONENTS = "main non-free-firmware"
TRUST = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
"""Whose signature on an archive counts."""
ARCHITECTURE = "arm64"
BUILDERS = ("amd64", "arm64")
KERNEL = "@KERNEL@"
_META = "linux-image-arm64"
"""What depends on the newest kernel."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A list of packages: what is resolved with what it depends on, and what is taken alone."""

    installed: tuple[str, ...]
    unpacked: tuple[str, ...] = ()


def read_wanted(path: Path) -> Wanted:
    """A list of packages, as image/packages.txt.

    :raises ImageError: a line is neither NAME nor ``unpack NAME``.
    """
    installed: list[str] = []
    unpacked: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.fullmatch(r"(unpack )?([a-z0-9@][\w.+@-]*)", line.partition("#")[0].strip())
        if found:
            (unpacked if found[1] else installed).append(found[2])
        elif line.partition("#")[0].strip():
            raise ImageError(f"{path.name} line {number} names no package")
    return Wanted(tuple(installed), tuple(unpacked))


def resolve(wanted: Wanted, architecture: str, place: Path) -> tuple[Package, ...]:
    """What the list comes to now, by name. ``place`` is an empty folder for apt's lists.

    :raises MissingError: this machine has no mirror, or apt cannot resolve it; its own words.
    """
    there = mirrors()
    for archive in ("debian", "debian-security"):
        if archive not in there:
            raise MissingError(f"apt on this machine knows no mirror of {archive}: a lock file needs one")
    apt = Apt(place, architecture, there)
    apt.run("apt-get", "update")
    kernel = apt.kernel() if any(KERNEL in name for name in wanted.installed) else ""
    names = [name.replace(KERNEL, kernel) for name in wanted.installed]
    told = apt.run("apt-get", "install", "-y", "--print-uris", *names)
    if wanted.unpacked:
        told += apt.run("apt-get", "download", "--print-uris", *wanted.unpacked)
    addresses = [unquote(found) for found in re.findall(r"^'([^']+)'", told, re.MULTILINE)]
    paths = {
        address.removeprefix(base): archive
        for address in addresses
        for archive, base in there.items()
        if address.startswith(f"{base}pool/")
    }
    found = apt.packages(paths)
    if len(found) != len(set(addresses)):
        raise MissingError(f"apt's lists do not tell all of {len(set(addresses))} packages: try again")
    return found


class Apt:
    """apt with lists and a state of its own, below a folder."""

    def __init__(self, place: Path, architecture: str, there: dict[str, str]) -> None:
        """``there`` are the mirrors by archive; ``place`` is an empty folder."""
        for empty in ("lists/partial", "cache/archives/partial"):
            (place / empty).mkdir(parents=True)
        (place / "status").touch()
        sources = [f"deb {TRUST} {there[archive]} {suite} {COMPONENTS}\n" for suite, archive in SUITES]
        (place / "sources.list").write_text("".join(sources))
        self._lists = place / "lists"
        settings = {
            "Dir::Etc::SourceList": place / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State::Lists": self._lists,
            "Dir::State::Status": place / "status",
            "Dir::Cache": place / "cache",
            "APT::Sandbox::User": "root",
            "APT::Architecture": architecture,
            "APT::Architectures::": architecture,
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        }
        (place / "apt.conf").write_text(
            "#clear APT::Architectures;\n" + "".join(f'{name} "{value}";\n' for name, value in settings.items())
        )
        self._environment = {**os.environ, "APT_CONFIG": str(place / "apt.conf"), "LC_ALL": "C"}

    def run(self, program: str, *arguments: str) -> str:
        """What a program of apt's says.

        :raises MissingError: it failed; its own words.
        """
        done = subprocess.run(
            [program, "-q", *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            errors = re.findall(r"^E: (.*)$", done.stderr, re.MULTILINE) or ["it says nothing"]
            unmet = re.findall(r"^ (\S+ : .*)$", done.stdout, re.MULTILINE)
            what = "the lock does not resolve" if arguments[0] in ("install", "download") else f"{program} fails"
            raise MissingError(f"{what}: {'; '.join([*unmet[:3], errors[0]])}")
        return done.stdout

    def kernel(self) -> str:
        """The version in the names of the newest kernel's packages."""
        try:
            told = self.run("apt-cache", "show", "--no-all-versions", f"{_META}/{BACKPORTS}")
        except MissingError:
            told = ""  # apt says no more than that there is none
        found = re.search(r"^Depends:.*\blinux-(?:image|binary|base)-(\d[^\s,]*)", told, re.MULTILINE)
        if found is None:
            raise MissingError(f"{_META} of {BACKPORTS} names no kernel")
        return found[1]

    def packages(self, paths: dict[str, str]) -> tuple[Package, ...]:
        """What apt's lists say of packages, by their path below their archive."""
        found = {}
        for _, field in self.known():
            if (path := field.get("Filename", "")) in paths:
                found[path] = Package(
                    name=field["Package"],
                    version=field["Version"],
                    architecture=field["Architecture"],
                    size=int(field["Size"]),
                    sha256=field["SHA256"],
                    archive=paths[path],
                    path=path,
                )
        return tuple(sorted(found.values(), key=lambda package: (package.name, package.version)))

    def known(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Every package of the lists: its suite, and its fields, of several lines the first."""
        for path in sorted(self._lists.glob("*_Packages*")):
            suite = path.name.partition("_dists_")[2].partition("_")[0]
            told = self.run("/usr/lib/apt/apt-helper", "cat-file", str(path))
            for stanza in told.split("\n\n"):
                yield suite, dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", stanza, re.MULTILINE))


def write(packages: Sequence[Package], path: Path, source: Path) -> None:
    """A lock file; whole, or as it was."""
    head = f"# Made of {source.name} by make image-lock: name, version, architecture, bytes, SHA-256, archive, path in it.\n"
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(head + "".join(f"{package}\n" for package in packages))
    unfinished.replace(path)


def main() -> int:
    """Resolve both lists, and say what they come to."""
    if not debian.available():
        print("kontor: the lock files of the image are made on Debian: apt is missing.")
        return 75
    lists = [(IMAGE / "packages.txt", ARCHITECTURE, "root.lock")]
    lists += [(IMAGE / "toolbox.txt", builder, f"toolbox-{builder}.lock") for builder in BUILDERS]
    try:
        for source, architecture, name in lists:
            with tempfile.TemporaryDirectory(prefix="kontor-lock-") as folder:
                packages = resolve(read_wanted(source), architecture, Path(folder))
            write(packages, IMAGE / name, source)
            size = sum(package.size for package in packages) / 1e6
            print(f"kontor: image/{name}: {len(packages)} packages, {size:.0f} MB.", flush=True)
    except ImageError as error:
        print(f"kontor: {error}")
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
