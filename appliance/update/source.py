"""Where a bundle comes from: a folder of this machine, or one that a web server shows, of which only parts are fetched."""

import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import aiohttp
from yarl import URL

from appliance.core.documents import Floor, NotTaken, Pointer, Why, expired
from appliance.core.updating import BLOCK, HASH, SCOPE, Bundle, runs
from appliance.provisioning.body import read_body
from appliance.provisioning.fetch import HEADERS, PATIENCE, Fetcher, Place, context, must_be_plain, session, unreachable
from appliance.provisioning.minisign import LARGEST_SIGNATURE
from appliance.provisioning.publication import POINTER, read_pointer
from appliance.settings.sources import LARGEST
from appliance.update.bundle import parse
from appliance.update.slots import opened_file

_PARTIAL, _UNSATISFIABLE = 206, 416
LONGEST = 600.0
"""Seconds that one answer may take, two megabytes at most: a server that sends a byte now and then keeps nobody for ever."""


class Files(Protocol):
    """The files of a bundle, which lie in one folder."""

    @property
    def fetched(self) -> int:
        """Bytes that came until now."""

    async def get(self, name: str, most: int) -> bytes:
        """A whole file, of ``most`` bytes at most.

        :raises NotTaken: it cannot be had.
        """

    async def part(self, name: str, size: int, first: int, count: int) -> bytes:
        """``count`` bytes from ``first`` on, of a file that has ``size``.

        :raises NotTaken: they cannot be had, or the file has another size.
        """


@dataclass(frozen=True, slots=True)
class Offer:
    """A genuine bundle: its manifest was signed by somebody who may."""

    bundle: Bundle
    files: Files
    floors: Mapping[str, Floor]
    """The newest pointers ever seen, by scope."""


class Folder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fetched = 0

    async def get(self, name: str, most: int) -> bytes:
        """A whole file."""
        return self._read(name, 0, most + 1, most)

    async def part(self, name: str, size: int, first: int, count: int) -> bytes:
        """Some bytes of a file."""
        path = self._path / name
        found = self._read(name, first, count, count)
        if path.stat().st_size != size or len(found) != count:
            raise NotTaken(Why.CUT_OFF, f"{path} has not the {size} bytes that the manifest says.")
        return found

    def _read(self, name: str, first: int, count: int, most: int) -> bytes:
        path = self._path / name
        try:
            with opened_file(path) as handle:
                os.lseek(handle, first, os.SEEK_SET)
                with os.fdopen(os.dup(handle), "rb") as file:
                    found = file.read(count)
        except OSError as error:
            raise NotTaken(Why.MISSING, f"{path} cannot be read: {error.strerror}.") from None
        if len(found) > most:
            raise NotTaken(Why.TOO_LONG, f"{path} is longer than {most} bytes.")
        self.fetched += len(found)
        return found


class Web:
    """A folder on a web server; use as an async context manager."""

    def __init__(self, place: Place, below: str = "") -> None:
        """Look into the folder ``below`` (with its slash) of ``place``."""
        self._place, self._below = place, below
        self.fetched = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._http = await self._stack.enter_async_context(session(context(self._place.authority), total=LONGEST))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def get(self, name: str, most: int) -> bytes:
        """A whole file."""
        return await self._ask(name, {}, 200, most)

    async def part(self, name: str, size: int, first: int, count: int) -> bytes:
        """Some bytes of a file (RFC 9110, 14)."""
        wanted = {"Range": f"bytes={first}-{first + count - 1}"}
        return await self._ask(name, wanted, _PARTIAL, count, f"bytes {first}-{first + count - 1}/{size}")

    async def _ask(self, name: str, more: Mapping[str, str], status: int, most: int, span: str = "") -> bytes:
        url = URL(f"{self._place.url.rstrip('/')}/{self._below}{name}")
        proxy = self._place.proxy or None
        try:
            async with self._http.get(url, headers={**HEADERS, **more}, allow_redirects=False, proxy=proxy) as response:
                _must_be_there(url, response, status, span)
                body = await read_body(response, most)
        except TimeoutError:
            raise NotTaken(
                Why.SLOW, f"{url} stood still for {PATIENCE:g} s, or took more than {LONGEST:g} s."
            ) from None
        except aiohttp.ClientPayloadError:
            raise NotTaken(Why.CUT_OFF, f"{url} was cut off on the way.") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(url, error) from None
        if body is None or (span and len(body) != most):
            raise NotTaken(Why.TOO_LONG if body is None else Why.CUT_OFF, f"{url} has not as many bytes as it should.")
        self.fetched += len(body)
        return body


def _must_be_there(url: URL, response: aiohttp.ClientResponse, status: int, span: str) -> None:
    if response.status in (404, 410):
        raise NotTaken(Why.MISSING, f"{url} is not there.")
    if span and response.status == 200:
        raise NotTaken(Why.STATUS, f"{url.host} cannot send parts of a file (HTTP ranges), which updates need.")
    if span and response.status == _UNSATISFIABLE:
        raise NotTaken(Why.CUT_OFF, f"{url} is shorter than its manifest says.")
    must_be_plain(url, response, status)
    if span and response.headers.get("Content-Range") != span:
        raise NotTaken(Why.CUT_OFF, f"{url} has not the size that its manifest says.")


async def offered(web: Web, place: Place, channel: str, floors: Mapping[str, Floor], now: float) -> Offer | None:
    """What is published for a channel; None: nothing.

    :param web: the folder of the channels, :data:`SCOPE`, of ``place``.
    :param now: Unix time in seconds.
    :raises NotTaken: it cannot be had, or must not be followed.
    """
    scope = SCOPE + channel
    fetcher = Fetcher(place, lambda: now, floors=floors)
    look = await fetcher.look((scope,))
    if scope in look.faults:
        raise NotTaken(look.faults[scope].why, look.faults[scope].text)
    if scope not in look.documents:
        return None
    content = look.documents[scope].content
    web.fetched += len(content)
    return Offer(parse(content), web, dict(fetcher.floors))


async def named(files: Files, place: Place, manifest: str, now: float) -> Offer:
    """The bundle whose manifest somebody named; its signature lies beside it.

    Of no channel, so no floor holds; that it is not older than what runs is judged as ever.

    :raises NotTaken: it cannot be had, or must not be taken.
    """
    pointer, signature, key = read_pointer(await files.get(manifest + POINTER, LARGEST_SIGNATURE), place.keys)
    _must_be_an_image(pointer, now)
    content = await files.get(manifest, LARGEST)
    signature.check_file(key, content)
    return Offer(parse(content), files, {})


def _must_be_an_image(pointer: Pointer, now: float) -> None:
    if not pointer.scope.startswith(SCOPE):
        raise NotTaken(Why.OTHER_SCOPE, f"It was signed for {pointer.scope}, and is no update.")
    if expired(pointer.expires, now):
        raise NotTaken(Why.EXPIRED, "Its signature has expired.")


async def index_of(offer: Offer) -> bytes:
    """The index of a bundle, as its manifest has signed it.

    :raises NotTaken: it cannot be had, or is another one.
    """
    bundle = offer.bundle
    index = await offer.files.get(bundle.index, HASH * bundle.count)
    if hashlib.sha256(index).hexdigest() != bundle.index_sha256:
        raise NotTaken(Why.DAMAGED, f"The index of version {bundle.version} is not the one that was signed.")
    return index


async def probe(offer: Offer) -> None:
    """Make sure that the file of blocks is there, and whole as far as its size tells.

    :raises NotTaken: it is not.
    """
    bundle = offer.bundle
    await offer.files.part(bundle.blocks, bundle.blocks_size, bundle.blocks_size - BLOCK, BLOCK)


async def blocks_of(offer: Offer, wanted: Sequence[int]) -> AsyncIterator[tuple[int, bytes]]:
    """Blocks with their numbers, not checked yet: all that are ``wanted``, and some between.

    :param wanted: numbers in the file of blocks, growing.
    :raises NotTaken: they cannot be had.
    """
    bundle = offer.bundle
    for run in runs(wanted):
        data = await offer.files.part(bundle.blocks, bundle.blocks_size, run.start * BLOCK, len(run) * BLOCK)
        for number in run:
            at = (number - run.start) * BLOCK
            yield number, data[at : at + BLOCK]
