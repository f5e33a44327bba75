"""docs/dependencies.md: every package, its licence, age and wheels, and what it is for.

The facts come from the package index (:func:`gather`, part of ``make lock``) and lie in requirements/facts.json; the
purposes are ours, in requirements/purposes.toml. ``--check`` only tells whether the page is current.
"""

import json
import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from tools.documents import write_or_check

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
TARGET = ROOT / "docs" / "dependencies.md"
GROUPS = {
    "core": "The core: what `make demo` installs, and a device or host needs",
    "device": "With a sound card and a panel: `kontor[device]`",
    "plot": "With pictures of `kontor doctor`: `kontor[plot]`",
    "livekit": "With LiveKit: `kontor[livekit]`",
    "telegram": "With Telegram: `kontor[telegram]`",
    "dev": "For the tests",
    "bench": "For the benchmarks",
    "training": "For training the residual gain",
    "hardware": "For `make hardware` and `make firmware`",
}
HEAD = """# What Kontor depends on

Made by `make lock` and `make docs`. The versions of the core and of the tests are locked, with hashes, for Python 3.11 and
3.13 on x86_64 and aarch64 (`requirements/*.lock`); "Pi" says whether there is a ready-made wheel for Python 3.13 on
aarch64 Linux.
"""
HEADING = "| package | version | released | licence | Pi | what for |\n|---|---|---|---|---|---|\n"


def purposes() -> dict[str, dict[str, str]]:
    """Group → package → what it is for; and what is known of licences that packages keep to themselves."""
    return tomllib.loads((REQUIREMENTS / "purposes.toml").read_text())


def render() -> str:
    """The whole page."""
    facts = json.loads((REQUIREMENTS / "facts.json").read_text())
    named = purposes()
    for name, told in named.pop("licences").items():
        facts[name]["licence"] = told
    parts = [HEAD]
    for group, title in GROUPS.items():
        rows = "".join(_row(name, facts[name], what) for name, what in named[group].items())
        parts.append(f"\n## {title}\n\n{HEADING}{rows}")
    parts.append(f"\n## Brought along by these\n\n{HEADING}")
    ours = {name for group in named.values() for name in group}
    parts += [_row(name, fact, "for " + ", ".join(fact["by"])) for name, fact in facts.items() if name not in ours]
    return "".join([*parts, "\n", (REQUIREMENTS / "debian.md").read_text()])


def _row(name: str, fact: dict[str, Any], what: str) -> str:
    wheel = "yes" if fact["wheel"] else "**no**"
    return f"| {name} | {fact['version']} | {fact['released']} | {fact['licence']} | {wheel} | {what} |\n"


def gather(lock: Path, packages: Path) -> dict[str, dict[str, Any]]:
    """Facts of every package in a uv.lock, with the licences that the files in ``packages`` state."""
    locked = tomllib.loads(lock.read_text())["package"]
    licences = dict(_licences(packages))
    by: dict[str, set[str]] = {}
    for package in locked:
        for dependency in package.get("dependencies", []):
            by.setdefault(dependency["name"], set()).add(package["name"])
    facts = {}
    for package in sorted(locked, key=lambda package: package["name"]):
        if package["name"] == "kontor" or package["name"] not in licences:
            continue  # ourselves, or only for another system
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        facts[package["name"]] = {
            "version": package["version"],
            "released": min(file["upload-time"] for file in files)[:10],
            "licence": licences[package["name"]],
            "wheel": any(fits_pi(file["url"].rpartition("/")[2]) for file in package.get("wheels", [])),
            "by": sorted(by.get(package["name"], set()) - {"kontor"}),
        }
    return facts


def fits_pi(wheel: str) -> bool:
    """Whether a wheel of this name installs on Python 3.13, aarch64, glibc."""
    python, abi, system = wheel.removesuffix(".whl").split("-")[-3:]
    newest = max((int(tag[3:] or 0) for tag in python.split(".") if re.fullmatch(r"cp3\d*", tag)), default=0)
    right_python = "cp313" in python or "py3" in python or ("abi3" in abi and newest <= 13)
    return right_python and (system == "any" or ("manylinux" in system and "aarch64" in system))


def _licences(packages: Path) -> Iterator[tuple[str, str]]:
    for path in packages.iterdir():
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
                text = wheel.read(name).decode()
        else:
            with tarfile.open(path) as sdist:
                member = next(
                    member for member in sdist.getmembers() if member.name.count("/") == 1 and "PKG-INFO" in member.name
                )
                file = sdist.extractfile(member)
                text = file.read().decode() if file else ""
        metadata = HeaderParser().parsestr(text)
        yield re.sub(r"[-_.]+", "-", metadata["Name"]).lower(), licence(metadata)


def licence(metadata: Message) -> str:
    """What the package says, in its newest way of saying it."""
    if expression := metadata["License-Expression"]:
        return str(expression)
    classifiers = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier", []) if line.startswith("License ::")
    ]
    stated = (metadata["License"] or "").strip()
    if stated and len(stated) <= 40 and "\n" not in stated:
        return stated.rpartition(" :: ")[2]
    return ", ".join(classifiers) or "not stated"


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` return 1 when it is not current."""
    return write_or_check(TARGET, render(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
