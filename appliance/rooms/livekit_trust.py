"""Which authorities LiveKit's library believes: those of the system, and those that an admin has named (docs/adr/0236).

The library has no setting for that. For each connection it reads the system's authorities anew (rustls-native-certs), from the
file that SSL_CERT_FILE names where it is set, as OpenSSL does. So while an engine runs this process has such a file, which holds
both and lies in memory alone: nothing has to be written, and it is gone with the process.
"""

import contextlib
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NAMES: Final = "SSL_CERT_FILE"
_SYSTEM: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem")
"""Where the authorities of a system are, by Debian and by others, when OpenSSL knows of no file."""


class _Environment:
    """The environment is the process's, and so is this."""

    def __init__(self) -> None:
        self._believed: list[str] = []
        """Of each engine that runs, what it was given."""
        self._before: str | None = None
        """What SSL_CERT_FILE said before the first of them."""
        self._held: int | None = None
        """The file that it names now."""

    def add(self, own: str) -> None:
        if not self._believed:
            self._before = os.environ.get(_NAMES)
        self._believed.append(own)
        self._show()

    def remove(self, own: str) -> None:
        self._believed.remove(own)
        self._show()

    def _show(self) -> None:
        before, self._held = self._held, None
        if self._believed:
            self._held = _file("\n".join((_known(self._before), *self._believed)))
            os.environ[_NAMES] = f"/proc/self/fd/{self._held}"
        elif self._before is not None:
            os.environ[_NAMES] = self._before
        else:
            os.environ.pop(_NAMES, None)
        if before is not None:
            os.close(before)


_ENVIRONMENT = _Environment()


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


def _known(named: str | None) -> str:
    """The system's, as text; "" where there are none."""
    places = (named, ssl.get_default_verify_paths().cafile, *_SYSTEM)
    found = next((Path(place) for place in places if place and Path(place).is_file()), None)
    return found.read_text("utf-8") if found is not None else ""
