"""What is known to be wrong with the packages of the image: ``python -m tools.image.vulnerabilities``, part of ``make sbom``.

Asks the archives that apt is set up with on this machine for newer versions than the locked ones, those of Debian's security
archive first, and the package index that pip is set up with for known vulnerabilities of the wheels (its JSON API). Says what it
could not ask; a report, so it ends with 0.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import bootstrap
from tools.image import lock
from tools.image.errors import ImageError, MissingError
from tools.image.fetch import Package, mirrors, read_lock
from tools.package import wheels

ROOT = Path(__file__).resolve().parents[2]
SECURITY = f"{lock.SUITE}-security"
LATER = (SECURITY, f"{lock.SUITE}-updates", lock.SUITE)
"""Where a newer version is looked for; what the first has is named as a mended vulnerability."""

NOT_ASKED = (
    "Not asked: vulnerabilities for which Debian has no new version (its security tracker knows them), and the blobs of the "
    "boards' firmware."
)
_PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class Newer:
    """A package of which ``suite`` has ``version``, where ``locked`` is in the image."""

    name: str
    locked: str
    version: str
    suite: str


def newer(packages: Sequence[Package], known: Iterator[tuple[str, dict[str, str]]]) -> list[Newer]:
    """Locked packages of which one of :data:`LATER` has a newer version; security first, then by name.

    :param known: what apt's lists have, as :meth:`tools.image.lock.Apt.known` tells it.
    """
    locked = {package.name: package.version for package in packages}
    best: dict[str, Newer] = {}
    for suite, field in known:
        name, version = field.get("Package", ""), field.get("Version", "")
        if name not in locked or suite not in LATER:
            continue
        there = best.get(name)
        if _later(version, there.version if there else locked[name]):
            best[name] = Newer(name, locked[name], version, suite)
    return sorted(best.values(), key=lambda found: (found.suite != SECURITY, found.name))


def _later(one: str, other: str) -> bool:
    if one == other:
        return False
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0


def debian_lines(packages: Sequence[Package]) -> Iterator[str]:
    """What is to be said of Debian's packages."""
    try:
        there = mirrors()
        if "debian-security" not in there or "debian" not in there:
            raise MissingError("apt on this machine knows no mirror of Debian's security archive")
        with tempfile.TemporaryDirectory(prefix="kontor-vulnerabilities-") as folder:
            apt = lock.Apt(Path(folder), lock.ARCHITECTURE, there)
            apt.run("apt-get", "update")
            found = newer(packages, apt.known())
            kernel = apt.kernel()
    except ImageError as error:
        yield f"Debian's packages could not be asked for: {error}."
        return
    urgent = [each for each in found if each.suite == SECURITY]
    yield f"{len(packages)} packages of Debian's: {len(urgent)} with a newer version in {SECURITY}, {len(found)} in all."
    for each in found:
        yield f"  {each.name} {each.locked}: {each.suite} has {each.version}"
    if not any(kernel in package.name for package in packages):
        yield f"  the kernel: {lock.BACKPORTS} has {kernel}"
    if found:
        yield "make image-lock takes them."


def pins(text: str) -> list[tuple[str, str]]:
    """Name and version of every wheel in the text of lock files."""
    return re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;\\]+)", text, re.MULTILINE)


def index() -> str:
    """The package index that pip is set up with, without the end of its address that is for pip.

    :raises MissingError: pip tells none.
    """
    command = [sys.executable, "-m", "pip", "download", "--help"]
    told = subprocess.run(command, env=bootstrap.environment(), capture_output=True, text=True, check=False).stdout
    found = re.search(r"--index-url.*?\(default\s+(\S+?)\)", told, re.DOTALL)
    if found is None:
        raise MissingError("pip names no package index")
    return found[1].rstrip("/").removesuffix("/simple")


def wheel_lines(wanted: Sequence[tuple[str, str]], base: str) -> Iterator[str]:
    """What is to be said of wheels, after asking the index at ``base`` for each."""
    found: list[str] = []
    for asked, (name, version) in enumerate(wanted):
        try:
            told = _ask(f"{base}/pypi/{name}/{version}/json")
        except MissingError as error:
            yield f"{len(wanted)} wheels: {len(wanted) - asked} could not be asked for: {error}."
            break
        found += [f"  {name} {version}: {_sentence(each)}" for each in told if not each.get("withdrawn")]
    else:
        yield f"{len(wanted)} wheels: {len(found)} known vulnerabilities."
    yield from found


def _ask(address: str) -> Sequence[Mapping[str, Any]]:
    """The vulnerabilities that an index knows of one version.

    :raises MissingError: it does not answer, or has no list of them.
    """
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE_S) as answer:  # noqa: S310 - pip's own index
            told = json.load(answer)
        known = told["vulnerabilities"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"it answers {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        raise MissingError(f"the package index has no list of vulnerabilities ({why})") from None
    if not isinstance(known, list) or not all(isinstance(each, dict) for each in known):
        raise MissingError("the package index has no list of vulnerabilities (of a form that is known)")
    return known


def _sentence(each: Mapping[str, Any]) -> str:
    names = [name for name in each.get("aliases") or () if str(name).startswith("CVE-")] or [
        each.get("id", "no number")
    ]
    mended = ", ".join(each.get("fixed_in") or ()) or "no version"
    return f"{', '.join(names)}, mended in {mended}"


def main() -> int:
    """Print the report."""
    texts = [(ROOT / "requirements" / f"{name}.lock").read_text() for name in wheels.BUNDLED]
    try:
        packages = read_lock(ROOT / "image" / "root.lock")
    except ImageError as error:
        print(f"kontor: {error}")
        return error.status
    for line in debian_lines(packages):
        print(f"kontor: {line}", flush=True)
    try:
        for line in wheel_lines(pins(wheels.locked(*texts)), index()):
            print(f"kontor: {line}", flush=True)
    except MissingError as error:
        print(f"kontor: Wheels could not be asked for: {error}.")
    print(f"kontor: {NOT_ASKED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
