"""Debian packages and an archive of them, made by hand, and a server of a folder."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import lzma
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.image.fetch import Package
from tools.image.lock import SUITES

COPYRIGHT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nLicense: Expat\n"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of a folder."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def tar(files: dict[str, str | bytes]) -> bytes:
    """A tar with the folders that its files need; a text that begins with ``-> `` is a symbolic link."""
    packed = io.BytesIO()
    folders = sorted({str(parent) for name in files for parent in Path(name).parents if str(parent) != "."})
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in [".", *folders]:
            entry = tarfile.TarInfo(f"./{name}")
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            data = content.encode() if isinstance(content, str) else content
            if data.startswith(b"-> "):
                entry.type, entry.linkname, data = tarfile.SYMTYPE, data[3:].decode(), b""
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def deb(control: str, files: dict[str, str | bytes], scripts: dict[str, str] | None = None) -> bytes:
    """A package of these files."""
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(tar({"control": control, **(scripts or {})})),
        "data.tar.xz": lzma.compress(tar(files)),
    }
    made = b"!<arch>\n"
    for name, data in members.items():
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return made


@dataclass
class Archive:
    """An archive below a folder, with every suite of Debian that a lock file is made of, unsigned."""

    place: Path
    packages: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        version: str = "1",
        *,
        suite: str = SUITES[0][0],
        depends: str = "",
        files: dict[str, str | bytes] | None = None,
    ) -> Package:
        """Put a package into a suite; the line that a lock file has of it."""
        control = f"Package: {name}\nVersion: {version}\nArchitecture: arm64\nMaintainer: nobody\nDescription: none\n"
        control += f"Depends: {depends}\n" if depends else ""
        data = deb(control, files or {f"usr/share/doc/{name}/copyright": COPYRIGHT})
        path = self.place / f"pool/{name}_{version}_arm64.deb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        digest, where = hashlib.sha256(data).hexdigest(), f"pool/{path.name}"
        self.packages.setdefault(suite, []).append(f"{control}Filename: {where}\nSize: {len(data)}\nSHA256: {digest}\n")
        return Package(name, version, "arm64", len(data), digest, "debian", where)

    def publish(self) -> dict[str, str]:
        """Write the lists; the addresses of the archives, as :func:`tools.image.fetch.mirrors` gives them."""
        for suite, archive in SUITES:
            place = self.place / "security" if archive == "debian-security" else self.place
            told = {"main": "\n".join(self.packages.get(suite, [])), "non-free-firmware": ""}
            sums = ""
            for component, text in told.items():
                path = place / f"dists/{suite}/{component}/binary-arm64/Packages"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                sums += f" {hashlib.sha256(text.encode()).hexdigest()} {len(text)} {component}/binary-arm64/Packages\n"
            backports = "NotAutomatic: yes\nButAutomaticUpgrades: yes\n" if suite.endswith("backports") else ""
            (place / f"dists/{suite}/Release").write_text(
                f"Suite: {suite}\nCodename: {suite}\nComponents: {' '.join(told)}\nArchitectures: arm64\n"
                f"Date: Thu, 01 Jan 2026 00:00:00 UTC\n{backports}SHA256:\n{sums}"
            )
        return {"debian": f"file:{self.place}/", "debian-security": f"file:{self.place}/security/"}
