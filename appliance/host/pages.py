"""The page: a few static files out of the package, with the headers that keep it what it is.

They are read once, at the start: nothing that is not in the folder then can ever be served.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from aiohttp import hdrs, web

from appliance.core.wire import is_identity
from appliance.host.http import Refusal

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "microphone=(self)",
    }
)

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "html": "text/html",
        "css": "text/css",
        "js": "text/javascript",
        "svg": "image/svg+xml",
        "png": "image/png",
        "json": "application/json",
        "webmanifest": "application/manifest+json",
    }
)
"""What is served, by the end of its name; nothing else is."""

_MOST_DEPTH = 3


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    content_type: str
    etag: str


class Pages:
    """Serves the page's files.

    :param folder: where they are; by default what came with the package.
    """

    def __init__(self, folder: Traversable | None = None) -> None:
        root = folder if folder is not None else files("appliance.host").joinpath("page")
        self._files = dict(_read(root, "", _MOST_DEPTH)) if root.is_dir() else {}

    async def index(self, request: web.Request) -> web.Response:
        """``GET /`` and ``GET /{room}``: which room it is, and whether there is one, the page finds out by itself."""
        room = request.match_info.get("room", "room")
        if not is_identity(room) or room.rpartition(".")[2] in _TYPES:
            raise Refusal(404, "There is no such page.")
        return self._send(request, "index.html")

    async def file(self, request: web.Request) -> web.Response:
        """``GET /page/{file}``."""
        return self._send(request, request.match_info["file"])

    def _send(self, request: web.Request, name: str) -> web.Response:
        found = self._files.get(name)
        if found is None:
            raise Refusal(404, "There is no such page.")
        # no-cache: kept, but asked for again each time, which the ETag makes cheap.
        headers = {**HEADERS, hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: found.etag}
        known = request.headers.get(hdrs.IF_NONE_MATCH, "")
        if found.etag in (etag.strip().removeprefix("W/") for etag in known.split(",")):
            return web.Response(status=304, headers=headers)
        charset = "utf-8" if found.content_type != "image/png" else None
        return web.Response(body=found.content, content_type=found.content_type, charset=charset, headers=headers)


def _read(folder: Traversable, path: str, depth: int) -> Iterator[tuple[str, _File]]:
    for entry in folder.iterdir():
        if entry.is_dir() and depth > 1:
            yield from _read(entry, f"{path}{entry.name}/", depth - 1)
        elif entry.is_file() and (content_type := _TYPES.get(entry.name.rpartition(".")[2])):
            content = entry.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:32]
            yield path + entry.name, _File(content, content_type, f'"{digest}"')
