"""The files of the package, each where it comes to lie, and what its maintainer scripts must know of them."""

import gzip
import json
import re
import shutil
import time
from pathlib import Path, PurePosixPath

from tools.package import wheels
from tools.package.source import Source, SourceError
from tools.package.targets import Target

HOME = "usr/lib/kontor"
_UNITS = (".service", ".socket", ".target", ".timer", ".path", ".slice")
_SYSTEMD = "usr/lib/systemd/system"
_SYSTEM = {
    "sysusers.d": "usr/lib/sysusers.d",
    "tmpfiles.d": "usr/lib/tmpfiles.d",
    "udev": "usr/lib/udev/rules.d",
    "polkit": "usr/share/polkit-1/rules.d",
}
"""Folders of systemd/ whose files go as they are; units lie beside them."""
_MACHINE = "usr/share/kontor/machine"
"""What is for a machine that is a device and nothing else: the image takes it up, an admin may (docs/package.md)."""
_DOC = "usr/share/doc/kontor"


def lay_out(root: Path, source: Source, target: Target, found: list[Path]) -> None:
    """Write the whole package below ``root``, in modes that do not depend on who makes it.

    :raises SourceError: the commit has something below systemd/ for which no place is known.
    :raises wheels.WheelError: a wheel is not as expected.
    """
    site = f"{HOME}/lib/python{target.python}/site-packages"
    for path, data in _python(source, target, site).items():
        _write(root, path, data)
    for wheel in found:
        for path, data in wheels.unpack(wheel).items():
            _write(root, f"{site}/{path}", data)
            if path.endswith(".so") and wheels.name_of(wheel) in wheels.STRIPPED:
                wheels.strip(root / site / path)
    for path, data in {**system_files(source), **_documents(source, target)}.items():
        _write(root, path, data)
    _write(root, "usr/bin/kontor", source.files["packaging/kontor"], mode=0o755)
    # systemd sets a clock that is behind this file to its time, which is that of the commit: a board without a battery has to
    # believe in certificates before it has asked a time server (docs/adr/0149).
    _write(root, "usr/lib/clock-epoch", b"")
    (root / "etc/kontor/conf.d").mkdir(parents=True)
    _link(root, f"{HOME}/bin/python3", "../../../bin/python3")
    _settle(root)


def _python(source: Source, target: Target, site: str) -> dict[str, bytes]:
    """Our own package, in an environment of Debian's Python (PEP 405) that sees Debian's packages too (ALSA's)."""
    ours = {f"{site}/appliance/{path}": data for path, data in source.below("appliance").items()}
    settings = f"home = /usr/bin\ninclude-system-site-packages = true\nversion = {target.python}\n"
    return {**ours, f"{HOME}/pyvenv.cfg": settings.encode()}


def system_files(source: Source) -> dict[str, bytes]:
    """What systemd/ has, by the place where it is looked for.

    :raises SourceError: a file for which no place is known.
    """
    placed = {}
    for path, data in source.below("systemd").items():
        place = _place(PurePosixPath(path))
        if place is not None:
            placed[place] = data
    return placed


def _place(path: PurePosixPath) -> str | None:
    first = path.parts[0]
    if path.suffix == ".md":
        return None
    if len(path.parts) == 1 and path.suffix in _UNITS:
        return f"{_SYSTEMD}/{path}"
    if len(path.parts) == 2 and first in _SYSTEM:
        return f"{_SYSTEM[first]}/{path.name}"
    if len(path.parts) == 2 and first.endswith(".conf.d"):
        return f"{_MACHINE}/{path}"
    raise SourceError(f"systemd/{path} has no place in the package yet: tools/package/tree.py")


def names(source: Source) -> dict[str, str]:
    """What the maintainer scripts are told: units, users, groups, by the word that stands for them."""
    files = system_files(source)
    # Of a template only its instances are started; the scripts name them by a pattern.
    units = sorted(PurePosixPath(path).name for path in files if path.startswith(_SYSTEMD) and "@" not in path)
    accounts = "\n".join(data.decode() for path, data in files.items() if path.startswith("usr/lib/sysusers.d/"))

    def of(folder: str) -> str:
        return " ".join(sorted(PurePosixPath(path).name for path in files if path.startswith(folder)))

    return {
        "UNITS": " ".join(units),
        "RESTARTED": " ".join(
            unit for unit in units if unit.endswith(".service") or b"[Install]" in files[f"{_SYSTEMD}/{unit}"]
        ),
        "SYSUSERS": of("usr/lib/sysusers.d/"),
        "TMPFILES": of("usr/lib/tmpfiles.d/"),
        "USERS": " ".join(re.findall(r"^u!?\s+(kontor\S*)", accounts, re.MULTILINE)),
        "GROUPS": " ".join(re.findall(r"^[ug]!?\s+(kontor\S*)", accounts, re.MULTILINE)),
        "SHARED": " ".join(re.findall(r"^g\s+((?!kontor)\S+)", accounts, re.MULTILINE)),
    }


def _documents(source: Source, target: Target) -> dict[str, bytes]:
    when = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(source.epoch))
    version = f"{source.version}{target.suffix}"
    log = f"kontor ({version}) {target.suite}; urgency=medium\n\n  * See CHANGELOG.md.gz beside this file.\n\n"
    log += f" -- {maintainer(source)}  {when}\n"
    pages = {path: data for path, data in source.below("docs").items() if path.endswith(".md") and "/" not in path}
    return {
        **{f"{_DOC}/{path}": data for path, data in pages.items()},
        f"{_DOC}/copyright": _copyright(source).encode(),
        f"{_DOC}/changelog.gz": gzip.compress(log.encode(), mtime=0),
        f"{_DOC}/CHANGELOG.md.gz": gzip.compress(source.files["CHANGELOG.md"], mtime=0),
        "usr/share/lintian/overrides/kontor": source.files["packaging/lintian"],
    }


def maintainer(source: Source) -> str:
    """Who the package is of."""
    found = re.search(r"^Maintainer: (.+)$", source.text("packaging/control.in"), re.MULTILINE)
    if found is None:
        raise SourceError("packaging/control.in has no Maintainer")
    return found[1]


def _copyright(source: Source) -> str:
    """Whose the parts are: ours, and each bundled package with what it says of itself."""
    facts = json.loads(source.text("requirements/facts.json"))
    locked = wheels.locked(*(source.text(f"requirements/{name}.lock") for name in wheels.BUNDLED))
    lines = []
    for name, version in re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;\\]+)", locked, re.MULTILINE):
        lines.append(f" {name} {version}: {facts.get(name, {}).get('licence', 'see its metadata')}")
    return source.text("packaging/copyright.in").replace("@BUNDLED@", "\n".join(lines))


def _write(root: Path, path: str, data: bytes, mode: int = 0o644) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        raise SourceError(f"two parts of the package have {path}")
    file.write_bytes(data)
    file.chmod(mode)


def _link(root: Path, path: str, to: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(to)


def _settle(root: Path) -> None:
    """The same modes of folders, whatever the umask."""
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())]:
        folder.chmod(0o755)


def size(root: Path) -> int:
    """KiB on disk as Debian counts them (deb-substvars, Installed-Size): whole ones a file, one a folder."""
    return sum(
        -(-path.lstat().st_size // 1024) if path.is_file() and not path.is_symlink() else 1 for path in root.rglob("*")
    )


def remove(root: Path) -> None:
    """Take away what was laid out."""
    shutil.rmtree(root, ignore_errors=True)
