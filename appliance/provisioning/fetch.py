"""Looks at a published folder over https: small pointers each time, a document only when its pointer says that it is new.

Nothing here writes, and nothing here raises for what a server does: a look tells what came and what did not.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import aiohttp
from yarl import URL

from appliance import __version__
from appliance.core.documents import Fault, Floor, NotTaken, Pointer, Verdict, Why, judge_content, judge_pointer
from appliance.provisioning.body import read_body
from appliance.provisioning.minisign import LARGEST_SIGNATURE, PublicKey, Signature, hashed
from appliance.provisioning.publication import Published, digest, document_path, pointer_path, read_pointer
from appliance.settings.addresses import Certificates
from appliance.settings.sources import LARGEST

PATIENCE: Final = 10.0
"""Seconds that one file may take."""
_CONNECT: Final = 5.0
_LONGEST_TAG: Final = 200
HEADERS: Final = {
    "User-Agent": f"kontor/{__version__}",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",  # a proxy on the way asks the server, too
}
_JITTER: Final = 0.2
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OUT_OF_REACH: Final = frozenset({Why.UNREACHABLE, Why.CERTIFICATE, Why.SLOW})


def pause(poll_s: float, chance: float) -> float:
    """Seconds until the next look: ``poll_s`` and up to a fifth more or less, so that forty devices do not come as one.

    :param chance: a random number in [0, 1).
    """
    return poll_s * (1 - _JITTER + 2 * _JITTER * chance)


@dataclass(frozen=True, slots=True)
class Place:
    """Where documents are published, and whom to believe."""

    url: str
    """The https address of the folder; "" for none."""
    keys: tuple[PublicKey, ...]
    authority: Certificates | None = None
    """An authority of one's own, beside those of the system."""
    proxy: str = ""
    """The address of an http proxy; "" for none."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found."""

    documents: Mapping[str, Published] = field(default_factory=lambda: MappingProxyType({}))
    """By scope, everything genuine that is known after the look, with what earlier looks and ``known`` brought."""
    news: tuple[str, ...] = ()
    """The scopes whose document is another than before the look."""
    faults: Mapping[str, Fault] = field(default_factory=lambda: MappingProxyType({}))
    """By scope."""
    reached: bool = False
    """Whether at least one genuine pointer came from there, or is said to be as it was."""


class Fetcher:
    """Looks at one place, again and again. It keeps ETags and documents in memory; disks are the business of others."""

    def __init__(
        self,
        place: Place,
        now: Callable[[], float],
        known: Mapping[str, Published] = MappingProxyType({}),
        floors: Mapping[str, Floor] = MappingProxyType({}),
    ) -> None:
        """Prepare to look at ``place``; nothing is asked yet.

        :param now: Unix time in seconds.
        :param known: the documents that were accepted before, by scope, so that they need not come again.
        :param floors: the newest that was ever seen, by scope: kept on the disk by the caller.
        """
        self._place = place
        self._now = now
        self._documents = dict(known)
        # What is in force is a floor whatever a ledger says that was restored, or lost.
        seen = {scope: each.floor for scope, each in known.items()}
        self._floors = {
            **seen,
            **{scope: max(each, seen.get(scope, each), key=_version) for scope, each in floors.items()},
        }
        self._tags: dict[str, str] = {}
        """The ETags of pointers whose documents are here, by scope."""
        self._tls: ssl.SSLContext | None = None

    @property
    def place(self) -> Place:
        """Where it looks."""
        return self._place

    @property
    def floors(self) -> Mapping[str, Floor]:
        """The newest genuine document of each scope that was ever seen: to be on the disk before one of them is used."""
        return self._floors

    async def look(self, scopes: Sequence[str]) -> Look:
        """Ask for the pointers of ``scopes``, and for the documents that are new.

        A scope of which nothing is published is no fault; what was accepted of it before goes on being known.
        """
        news: list[str] = []
        faults: dict[str, Fault] = {}
        reached = False
        try:
            if self._tls is None:
                self._tls = await asyncio.to_thread(context, self._place.authority)
        except NotTaken as fault:
            return self._found(scopes, news, {scope: Fault(scope, fault.why, str(fault)) for scope in scopes}, reached)
        async with session(self._tls) as http:
            for number, scope in enumerate(scopes):
                try:
                    there, new = await self._one(http, scope)
                except NotTaken as fault:
                    if fault.why is Why.CERTIFICATE:
                        self._tls = None  # the file of an own authority may have been renewed
                    # When the server is out of reach the others would only wait for the same.
                    all_alike = fault.why in _OUT_OF_REACH
                    met = scopes[number:] if all_alike else [scope]
                    faults |= {each: Fault(each, fault.why, str(fault)) for each in met}
                    if all_alike:
                        break
                else:
                    reached |= there
                    news += [scope] if new else []
        return self._found(scopes, news, faults, reached)

    def _found(self, scopes: Sequence[str], news: Sequence[str], faults: Mapping[str, Fault], reached: bool) -> Look:
        known = {scope: self._documents[scope] for scope in scopes if scope in self._documents}
        return Look(MappingProxyType(known), tuple(news), MappingProxyType(dict(faults)), reached)

    async def _one(self, http: aiohttp.ClientSession, scope: str) -> tuple[bool, bool]:
        """Whether there is a pointer of ``scope``, and whether its document is another than before."""
        found = await self._get(http, pointer_path(scope), LARGEST_SIGNATURE, self._tags.get(scope, ""))
        if found is None:
            return False, False
        content, tag = found
        if content is None:
            return True, False
        pointer, signature, key = read_pointer(content, self._place.keys)
        floor = self._floors.get(scope)
        verdict = judge_pointer(pointer, scope, floor, self._now())
        known = self._documents.get(scope)
        new = verdict is Verdict.NEWER or known is None or known.version != pointer.version
        if new:
            await self._fetch(http, pointer, signature, key, floor)
        elif known is not None and not key.signed(signature.of_file, hashed(known.content)):
            judge_content(pointer, "", floor)  # it is there, and another one was signed
        self._tags[scope] = tag
        return True, new

    async def _fetch(
        self, http: aiohttp.ClientSession, pointer: Pointer, signature: Signature, key: PublicKey, floor: Floor | None
    ) -> None:
        path = document_path(pointer)
        found = await self._get(http, path, LARGEST, "")
        if found is None or found[0] is None:
            raise NotTaken(Why.MISSING, f"{path} is not there, though its pointer is.")
        content = found[0]
        signature.check_file(key, content)
        self._floors[pointer.scope] = judge_content(pointer, digest(content), floor)
        _must_be_text(path, content)
        self._documents[pointer.scope] = Published(pointer.scope, pointer.version, content, pointer.expires, key.name)

    async def _get(
        self, http: aiohttp.ClientSession, path: str, most: int, tag: str
    ) -> tuple[bytes | None, str] | None:
        """Content and ETag; no content: it is as it was; None: there is no such file.

        :raises NotTaken: it could not be had.
        """
        url = URL(f"{self._place.url.rstrip('/')}/{path}")
        headers = HEADERS | ({"If-None-Match": tag} if tag else {})
        try:
            async with http.get(
                url, headers=headers, allow_redirects=False, proxy=self._place.proxy or None
            ) as response:
                if response.status == 304 and tag:
                    return None, tag
                if response.status in (404, 410):
                    return None
                must_be_plain(url, response)
                body = await read_body(response, most)
                if body is None:
                    raise NotTaken(Why.TOO_LONG, f"{url} is longer than {most} bytes.")
                return body, _tag(response)
        except TimeoutError:
            raise NotTaken(Why.SLOW, f"{url} did not come within {PATIENCE:g} s.") from None
        except aiohttp.ClientPayloadError:
            raise NotTaken(Why.CUT_OFF, f"{url} was cut off on the way.") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(url, error) from None


def _version(floor: Floor) -> int:
    return floor.version


def context(authority: Certificates | None) -> ssl.SSLContext:
    """Believes the system's authorities, and one's own. Reads files.

    :raises NotTaken: one's own is none, or cannot be read.
    """
    made = ssl.create_default_context()
    if authority is not None:
        try:
            made.load_verify_locations(cadata=authority.pem())
        except (ssl.SSLError, ValueError):
            raise NotTaken(Why.CERTIFICATE, f"The own authority {authority} is no certificate.") from None
        except OSError as error:
            raise NotTaken(Why.CERTIFICATE, f"The own authority {authority} cannot be read: {error}.") from None
    return made


def session(tls: ssl.SSLContext, total: float = PATIENCE) -> aiohttp.ClientSession:
    """One connection, no cookies, nothing from the environment, nothing unpacked.

    :param total: seconds that one file may take; something has to come all :data:`PATIENCE` seconds.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=1),
        timeout=aiohttp.ClientTimeout(total=total, sock_connect=_CONNECT, sock_read=PATIENCE),
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def must_be_plain(url: URL, response: aiohttp.ClientResponse, status: int = 200) -> None:
    """Make sure that a server answers with ``status``, itself, and with the bytes as they are.

    :raises NotTaken: it does not.
    """
    if response.status in _REDIRECTS:
        raise NotTaken(
            Why.REDIRECT,
            f"{url.host} sends on to another address, which is not followed: write the right one, or look for a captive"
            " portal on the way.",
        )
    if response.status != status:
        raise NotTaken(Why.STATUS, f"{url.host} answers {response.status} for {url.path}.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise NotTaken(Why.NOT_TEXT, f"{url.host} sends {url.path} packed, though plain text was asked for.")


def _tag(response: aiohttp.ClientResponse) -> str:
    tag = response.headers.get("ETag", "")
    return tag if len(tag) <= _LONGEST_TAG and tag.isascii() and tag.isprintable() else ""


def _must_be_text(path: str, content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError:
        raise NotTaken(Why.NOT_TEXT, f"{path} is not UTF-8 text, though it was signed.") from None


def unreachable(url: URL, error: Exception) -> NotTaken:
    """What is wrong with the way to ``url``, in words."""
    cause = getattr(error, "certificate_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotTaken(Why.CERTIFICATE, f"{url.host} is not to be trusted: {cause.verify_message}.")
    if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
        return NotTaken(Why.CERTIFICATE, f"{url.host} does not speak https there, or not a version of it that is safe.")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return NotTaken(Why.UNREACHABLE, f"The proxy {error.host} cannot be reached.")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return NotTaken(Why.UNREACHABLE, f"The proxy answers {error.status}, and does not lead to {url.host}.")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NotTaken(Why.UNREACHABLE, f"The name {url.host} is not known to the network.")
    return NotTaken(Why.UNREACHABLE, f"{url.host} cannot be reached.")
