"""The certificate of the host's own https: read at the start, and again when its files change.

Whoever replaces the files need not tell us, and no connection is dropped for it: what stands keeps the certificate it began
with. Files that cannot be used change nothing, and are told of once.
"""

import asyncio
import datetime as dt
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias

from cryptography import x509

from appliance.core.events import EventName
from appliance.host.certificate import CertificateError

LOOK = 2.0
"""Seconds between looks at the files. What changed is read when it has stood still from one look to the next: certificate
and key are two files, and nobody replaces both at once."""

_SOON = dt.timedelta(days=14)
_AGAIN = 24 * 3600.0

_State: TypeAlias = tuple[tuple[int, int, int] | None, ...]
_Tell: TypeAlias = Callable[..., None]


class Tls:
    """Certificate and key out of two PEM files; :attr:`context` is for each new connection.

    :param tell: called with the name and the fields of an event.
    :raises CertificateError: the files cannot be used.
    """

    def __init__(self, certificate: Path, key: Path, tell: _Tell) -> None:
        self._files = (certificate, key)
        self._tell = tell
        self._read = self._seen = self._state()
        self._told_soon = float("-inf")
        self.context = _load(certificate, key)
        self.expires = _expiry(certificate)

    async def watch(self, now: Callable[[], float], look: float = LOOK) -> NoReturn:
        """Look at the files for ever. ``now`` is the loop's clock, ``look`` the seconds between looks."""
        while True:
            self.remind(now(), dt.datetime.now(dt.UTC))
            await asyncio.sleep(look)
            self.look()  # two stats; reading takes 2 ms, once a year

    def look(self) -> bool:
        """Read the files if they changed and stand still. Returns whether a new certificate is in use."""
        before, self._seen = self._seen, self._state()
        if self._seen != before or self._seen == self._read:
            return False
        self._read = self._seen
        try:
            context, expires = _load(*self._files), _expiry(self._files[0])
        except CertificateError as error:
            self._tell(EventName.TLS_REFUSED, why=str(error))
            return False
        self.context, self.expires = context, expires
        self._told_soon = float("-inf")
        self._tell(EventName.TLS_RELOADED, expires=expires.date().isoformat())
        return True

    def remind(self, now: float, today: dt.datetime) -> None:
        """Tell once a day that the certificate ends soon, or has ended."""
        if self.expires - today < _SOON and now - self._told_soon >= _AGAIN:
            self._told_soon = now
            self._tell(EventName.TLS_EXPIRES, at=self.expires.isoformat(timespec="minutes"))

    def _state(self) -> _State:
        return tuple(_stamp(path) for path in self._files)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _load(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password="")  # nobody is there who could be asked for one
    except OSError as error:
        why = None if isinstance(error, ssl.SSLError) else error.strerror
        raise CertificateError(
            "[host.tls] certificate and key have to be PEM files that can be read, the key without a passphrase"
            + (f": {why}." if why else ".")
        ) from error
    return context


def _expiry(certificate: Path) -> dt.datetime:
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise CertificateError(f"[host.tls] certificate: {certificate} begins with no certificate.") from error
