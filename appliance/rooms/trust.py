"""https as a device uses it: which authorities it believes, and what went wrong in one sentence that helps."""

import email.utils
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import aiohttp
from yarl import URL

CLOCK_OFF = 12 * 3600.0
"""Seconds between our clock and the server's from which ours is called wrong."""

_DAY = 86_400.0
_LOOK_SECONDS = 2.0

_EXPIRED, _NOT_YET = 10, 9
_WHY: Mapping[int, str] = MappingProxyType(
    {
        _EXPIRED: "The server's certificate has expired.",
        _NOT_YET: "The server's certificate is not valid yet.",
        18: "The server's certificate is signed by itself: name it in [room] ca_file to trust it.",
        19: "The server's certificate is from an unknown authority: name that one in [room] ca_file to trust it.",
        20: "The server's certificate is from an unknown authority: name that one in [room] ca_file to trust it.",
        21: "The server's certificate is from an unknown authority: name that one in [room] ca_file to trust it.",
        62: "The server's certificate is for another name than the one in [room] url.",
        64: "The server's certificate is for another address than the one in [room] url.",
    }
)
"""By OpenSSL's X509_V_ERR number."""


def context(ca_file: Path | None, own: str = "") -> ssl.SSLContext:
    """Believes the system's authorities, those in ``ca_file``, and those of the text ``own`` (PEM).

    :raises OSError: it cannot be read, or holds no certificate (ssl.SSLError is one).
    """
    made = ssl.create_default_context()
    if own:
        made.load_verify_locations(cadata=own)
    if ca_file is not None:
        made.load_verify_locations(ca_file)
    return made


def certificate_fault(error: BaseException) -> tuple[str, bool] | None:
    """What is wrong with the server's https, and whether a wrong clock of ours may be why; None: nothing of this kind."""
    cause = getattr(error, "certificate_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = _WHY.get(cause.verify_code, "The server's certificate is not trusted.")
        return why, cause.verify_code in {_EXPIRED, _NOT_YET}
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "The server does not speak https there, or not a version of it that is safe.", False
    return None


def skew_of(date: str | None) -> float | None:
    """Seconds that our clock is ahead of a Date header (RFC 9110, 6.6.1); None: there is none that is understood."""
    try:
        there = email.utils.parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError):
        return None
    return time.time() - there


def clock_words(skew: float | None) -> str:
    """One sentence when our clock is far off; empty when it is not."""
    if skew is None or abs(skew) < CLOCK_OFF:
        return ""
    days = max(1, round(abs(skew) / _DAY))
    span = "a day" if days == 1 else f"{days} days"
    return f"This device's clock is about {span} {'ahead of' if skew > 0 else 'behind'} the server's."


async def ask_the_time(url: URL) -> float | None:
    """The skew by a server whose certificate is not checked: nothing is told to it, and it sets no clock."""
    timeout = aiohttp.ClientTimeout(total=_LOOK_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(trust_env=False, timeout=timeout) as http,
            http.head(url.origin(), ssl=False, allow_redirects=False) as response,
        ):
            return skew_of(response.headers.get("Date"))
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
