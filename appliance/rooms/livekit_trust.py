"""Which authorities LiveKit's library believes: those of the system, and those that an admin has named (docs/adr/0236).

The library has no setting for that. For each connection it reads the system's authorities anew (rustls-native-certs), from the
file that SSL_CERT_FILE names where it is set, as OpenSSL does. So while an engine runs this process has such a file, which holds
both and lies in memory alone: nothing has to be written, and it is gone with the process.

The library's threads may read the environment at any moment. So the variable is there before they begin, and stays: what changes
is its value, for which glibc exchanges one pointer and frees nothing. Adding or removing one would move what they walk through.
"""

import contextlib
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NAMES: Final = "SSL_CERT_FILE"
_FOLDER: Final = "SSL_CERT_DIR"
_SYSTEM: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem")
"""Where the authorities of a system are, by Debian and by others, when OpenSSL knows of no file."""


class _Environment:
    """The environment is the process's, and so is this."""

    def __init__(self) -> None:
        self._believed: list[str] = []
        """Of each engine that runs, what it was given."""
        self._before = ""
        """What SSL_CERT_FILE said before the first of them."""
        self._held: int | None = None
        """The file that it names meanwhile. It stays, and another takes its place: its name may just have been read."""

    def add(self, own: str) -> None:
        if not self._believed:
            prepare()
            self._before = os.environ[_NAMES]
        self._believed.append(own)
        self._show()

    def remove(self, own: str) -> None:
        self._believed.remove(own)
        self._show()

    def _show(self) -> None:
        if not self._believed:
            os.environ[_NAMES] = self._before
            return
        new = _file("\n".join((_known(self._before), *self._believed)))
        if self._held is None:
            self._held = new
        else:
            os.dup2(new, self._held, inheritable=False)
            os.close(new)
        os.environ[_NAMES] = f"/proc/self/fd/{self._held}"


_ENVIRONMENT = _Environment()


def prepare() -> None:
    """Name what the library would find by itself. To be called before it is asked for anything: then it starts its threads."""
    if _NAMES not in os.environ:
        os.environ[_NAMES] = str(_found(None) or os.devnull)
        if (folder := ssl.get_default_verify_paths().capath) is not None:  # else it would no longer be looked into
            os.environ.setdefault(_FOLDER, folder)


@contextlib.contextmanager
def believing(own: str) -> Iterator[None]:
    """Connections that begin meanwhile believe ``own`` (PEM) besides; "": nothing else than before."""
    if not own:
        yield
        return
    _ENVIRONMENT.add(own)
    try:
        yield
    finally:
        _ENVIRONMENT.remove(own)


def _file(text: str) -> int:
    held = os.memfd_create("authorities")
    with open(held, "w", encoding="utf-8", closefd=False) as file:
        file.write(text)
    return held


def _known(named: str) -> str:
    """The system's, as text; "" where there are none."""
    found = _found(named)
    return found.read_text("utf-8") if found is not None else ""


def _found(named: str | None) -> Path | None:
    places = (named, ssl.get_default_verify_paths().cafile, *_SYSTEM)
    return next((Path(place) for place in places if place and Path(place).is_file()), None)
