"""``make sbom``: what the image is made of, every Debian package and every wheel, with version, licence, hash and purl.

``python -m tools.image.sbom [--out dist]`` writes kontor-VERSION-arm64.cdx.json, a bill of materials as CycloneDX 1.6 has it
(ECMA-424), of the last commit and image/root.lock; the same commit gives the same bytes. ``make image`` writes the same file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tools import dependencies
from tools.image import deb, licences
from tools.image.errors import ImageError, MissingError
from tools.image.fetch import Package, fetch, read_lock, sha256_of
from tools.package import build, source, wheels
from tools.package.targets import ON_THE_CARD

ROOT = Path(__file__).resolve().parents[2]
SUITE = "trixie"
_NAMESPACE = uuid.UUID("6f1c5f0e-6f0d-4b51-9d0b-0f2f8a0c8f1e")
"""Any, but always this one: the serial number of a bill is made of it and of what the bill says."""


def make_sbom(
    packages: Sequence[Package],
    files: Mapping[str, Path],
    texts: Mapping[str, str],
    found: Sequence[Path],
    own: Path,
    *,
    version: str,
    epoch: int,
) -> str:
    """The bill of materials as JSON.

    :param packages: the lock of the root; ``files`` their packages by SHA-256.
    :param texts: their copyright files, as :func:`tools.image.licences.texts` gives them.
    :param found: the wheels in Kontor's package.
    :param own: Kontor's package, a .deb.
    :param version: Kontor's; ``epoch`` (Unix seconds) the time in the bill.
    :raises ImageError: a package or a wheel names no licence.
    """
    components = [_debian(package, files[package.sha256], texts[package.name]) for package in packages]
    components += [_wheel(path) for path in found]
    kontor = {
        "type": "application",
        "name": "kontor",
        "version": version,
        "hashes": _hashes(sha256_of(own)),
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "purl": f"pkg:generic/kontor@{quote(version)}",
    }
    components.append({"bom-ref": str(kontor["purl"]), **kontor})
    components.sort(key=lambda component: str(component["bom-ref"]))
    image = {
        "type": "firmware",
        "bom-ref": "image",
        "name": "kontor-image",
        "version": version,
        "description": "The SD card of a Kontor device, arm64",
        "licenses": [{"license": {"name": "several: see the components"}}],
    }
    body = {
        "metadata": {"timestamp": f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}", "component": image},
        "components": components,
        "dependencies": [{"ref": "image", "dependsOn": [component["bom-ref"] for component in components]}],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(body, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1}
    return json.dumps({**head, **body}, indent=1, ensure_ascii=False) + "\n"


def _debian(package: Package, path: Path, text: str) -> dict[str, Any]:
    told = deb.read(path)
    try:
        named = licences.names(text)
    except ImageError as error:
        raise ImageError(f"{package.name}: {error}") from None
    origin = told.field("Source").partition(" ")[0] or package.name
    purl = f"pkg:deb/debian/{quote(package.name)}@{quote(package.version, safe='~')}?arch={package.architecture}&distro={SUITE}"
    return {
        "type": "firmware" if "firmware" in package.name else "library",
        "bom-ref": purl,
        "supplier": {"name": told.field("Maintainer").partition(" <")[0]},
        "name": package.name,
        "version": package.version,
        "description": told.field("Description"),
        "hashes": _hashes(package.sha256),
        "licenses": [_licence(name) for name in named],
        "purl": purl,
        "properties": [
            {"name": "debian:source", "value": origin},
            {"name": "debian:archive", "value": package.archive},
        ],
    }


def _wheel(path: Path) -> dict[str, Any]:
    metadata = _metadata(path)
    name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
    version = metadata["Version"]
    purl = f"pkg:pypi/{name}@{quote(version)}"
    stated = dependencies.licence(metadata)
    if stated == "not stated":
        stated = dependencies.purposes()["licences"].get(name, "")
    if not stated:
        raise ImageError(f"{path.name} names no licence: requirements/purposes.toml, [licences]")
    expressed = metadata["License-Expression"] is not None
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "description": metadata["Summary"] or "",
        "hashes": _hashes(sha256_of(path)),
        "licenses": [{"expression": stated} if expressed else _licence(stated)],
        "purl": purl,
        "properties": [{"name": "python:wheel", "value": path.name}],
    }


def _metadata(wheel: Path) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def _licence(name: str) -> dict[str, Any]:
    identifier = licences.spdx(name)
    return {"license": {"id": identifier} if identifier else {"name": name}}


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def locked_wheels(origin: source.Source, cache: Path) -> list[Path]:
    """The wheels that Kontor's package has inside.

    :raises MissingError: one cannot be had.
    """
    texts = (origin.text(f"requirements/{name}.lock") for name in wheels.BUNDLED)
    try:
        return wheels.fetch(ON_THE_CARD, wheels.locked(*texts), cache)
    except wheels.WheelError as error:
        raise MissingError(str(error)) from None


def write(path: Path, text: str) -> None:
    """The bill, whole or as it was."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text)
    unfinished.replace(path)


def main(arguments: Sequence[str]) -> int:
    """Write the bill of the last commit, and say what is in it; 75 when something is missing that can be had."""
    parser = argparse.ArgumentParser(prog="make sbom", description="what the image is made of")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where it goes (dist/)")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "image", help="where fetched packages are kept")
    parser.add_argument("--wheels", type=Path, default=ROOT / ".cache" / "wheels", help="where fetched wheels are kept")
    given = parser.parse_args(arguments)
    try:
        origin = source.read(ROOT)
        packages = read_lock(ROOT / "image" / "root.lock")
        files = fetch(packages, given.cache, os.environ.get("SNAPSHOT", ""))
        found = locked_wheels(origin, given.wheels)
        with tempfile.TemporaryDirectory(prefix="kontor-sbom-") as folder:
            own = build.build(ON_THE_CARD, origin, Path(folder), given.wheels)
            texts = licences.texts(packages, files)
            text = make_sbom(packages, files, texts, found, own, version=origin.version, epoch=origin.epoch)
    except (source.SourceError, wheels.WheelError) as error:
        print(f"kontor: {error}")
        return 75
    except ImageError as error:
        print(f"kontor: {error}")
        return error.status
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"kontor-{origin.version}-{ON_THE_CARD.architecture}.cdx.json"
    write(path, text)
    print(f"kontor: {path}: {len(packages)} packages of Debian's, {len(found)} wheels, Kontor; each with its licence.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
