"""The page: a few static files out of the package, with the headers that keep it what it is.

They are read once, at the start, and made ready then: scripts and style sheets without comments and indentation, each text
also packed. Nothing that is not in the folder then can ever be served.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from aiohttp import hdrs, web

from appliance.core.wire import is_identity
from appliance.host.http import Refusal
from appliance.host.strip import strip_script, strip_style

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "microphone=(self), camera=(), display-capture=(), geolocation=()",
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

_NEVER = re.compile(r"q\s*=\s*0(?:\.0*)?")

_WORKER = "worker.js"
"""What keeps the page for times without a network. It is served at the root, since it looks after all of the page."""


@dataclass(frozen=True, slots=True)
class _Body:
    content: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class _File:
    content_type: str
    plain: _Body
    packed: _Body | None
    """By gzip, where that makes it smaller."""

    def known(self, etags: str) -> bool:
        """Whether one of the ``If-None-Match`` is of this file, packed or not."""
        ours = {body.etag for body in (self.plain, self.packed) if body is not None}
        return any(etag.strip().removeprefix("W/") in ours for etag in etags.split(","))


class Pages:
    """Serves the page's files.

    :param folder: where they are; by default what came with the package.
    """

    def __init__(self, folder: Traversable | None = None) -> None:
        root = folder if folder is not None else files("appliance.host").joinpath("page")
        found = dict(_read(root, "", _MOST_DEPTH)) if root.is_dir() else {}
        if _WORKER in found:
            found[_WORKER] = _shell(found) + found[_WORKER]
        self._files = {name: _prepare(name, content) for name, content in found.items()}

    def routes(self) -> list[web.RouteDef]:
        """Everything but ``/page/``; ``/{room}`` is met by whatever nobody else has taken, so they come last."""
        return [
            web.get(f"/{_WORKER}", self.worker),
            web.get("/", self.index),
            web.get("/devices/{device}", self.index),
            web.get("/{room}", self.index),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """``GET /``, ``/{room}``, ``/devices/{device}``: whether there is one, the page finds out by itself."""
        for name in request.match_info.values():
            if not is_identity(name) or ("." in name and _end(name) in _TYPES):
                raise Refusal(404, "There is no such page.")
        return self._send(request, "index.html")

    async def file(self, request: web.Request) -> web.Response:
        """``GET /page/{file}``."""
        return self._send(request, request.match_info["file"])

    async def worker(self, request: web.Request) -> web.Response:
        """``GET /worker.js``."""
        response = self._send(request, _WORKER)
        response.headers["Service-Worker-Allowed"] = "/"
        return response

    def _send(self, request: web.Request, name: str) -> web.Response:
        found = self._files.get(name)
        if found is None:
            raise Refusal(404, "There is no such page.")
        packed = found.packed if _takes_gzip(request) else None
        body = packed or found.plain
        # no-cache: kept, but asked for again each time, which the ETag makes cheap.
        headers = {**HEADERS, hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: body.etag, hdrs.VARY: hdrs.ACCEPT_ENCODING}
        if found.known(request.headers.get(hdrs.IF_NONE_MATCH, "")):
            return web.Response(status=304, headers=headers)
        if packed is not None:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        charset = "utf-8" if found.content_type != "image/png" else None
        return web.Response(body=body.content, content_type=found.content_type, charset=charset, headers=headers)


def _takes_gzip(request: web.Request) -> bool:
    """Whether the answer may be packed (RFC 9110, 12.5.3): named without ``q=0``; ``*`` alone is too vague to count."""
    for wish in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(","):
        coding, _, weight = wish.partition(";")
        if coding.strip() == "gzip":
            return not _NEVER.fullmatch(weight.strip())
    return False


def _read(folder: Traversable, path: str, depth: int) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir() and depth > 1:
            yield from _read(entry, f"{path}{entry.name}/", depth - 1)
        elif entry.is_file() and _end(entry.name) in _TYPES:
            yield path + entry.name, _strip(entry.name, entry.read_bytes())


def _end(name: str) -> str:
    return name.rpartition(".")[2]


def _strip(name: str, content: bytes) -> bytes:
    strip = {"js": strip_script, "css": strip_style}.get(_end(name))
    return content if strip is None else strip(content.decode()).encode()


def _shell(found: Mapping[str, bytes]) -> bytes:
    """What the worker keeps, as its first line: the page's addresses, and a version that any change of any of them changes."""
    names = sorted(name for name in found if name not in (_WORKER, "index.html"))
    version = hashlib.sha256(b"".join(found[name] for name in sorted(found))).hexdigest()[:16]
    paths = ["/", *(f"/page/{name}" for name in names)]
    return f"const VERSION={json.dumps(version)},SHELL={json.dumps(paths, separators=(',', ':'))};\n".encode()


def _prepare(name: str, content: bytes) -> _File:
    content_type = _TYPES[_end(name)]
    digest = hashlib.sha256(content).hexdigest()[:32]
    packed = gzip.compress(content, mtime=0)
    smaller = len(packed) < len(content)
    return _File(content_type, _Body(content, f'"{digest}"'), _Body(packed, f'"{digest}-gzip"') if smaller else None)
