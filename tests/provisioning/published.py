"""A folder of signed documents, and a web server that shows it as well or as badly as a test wants."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from appliance.core.documents import Pointer
from appliance.provisioning.publication import document_path, pointer_path
from appliance.provisioning.signing import SecretKey
from tests.support import ports

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Shows ``folder``; ``answer`` (when it is set) is asked in its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer: Answer | None = None
        self.asked: list[tuple[str, int]] = []
        """Path and status of every request."""
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = await (self.answer(request) if self.answer else self.show(request))
        self.asked.append((request.path, response.status))
        return response

    async def show(self, request: web.Request) -> web.StreamResponse:
        """As a plain web server does, with an ETag."""
        path = self.folder / request.path.lstrip("/")
        if not path.is_file():
            return web.Response(status=404, text="<html>not here</html>")
        tag = f'"{path.stat().st_mtime_ns:x}-{path.stat().st_size:x}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(body=path.read_bytes(), headers={"ETag": tag})


@asynccontextmanager
async def shown(folder: Path, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on a port of its own."""
    server = Server(folder)
    app = web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = ports.free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)


def publish(folder: Path, key: SecretKey, scope: str, version: int, content: bytes, **facts: Any) -> Pointer:
    """Put a signed document into ``folder``; ``facts`` go into its pointer."""
    file = f"{scope.rpartition('/')[2]}.{version}.toml"
    pointer = Pointer(**{"scope": scope, "version": version, "file": file, **facts})
    lies = folder / document_path(Pointer(scope, version, pointer.file))
    lies.parent.mkdir(parents=True, exist_ok=True)
    lies.write_bytes(content)
    (folder / pointer_path(scope)).write_bytes(key.publish(pointer, content))
    return pointer


class Raw:
    """A server that says one thing to everybody, and then hangs up or waits."""

    def __init__(self, says: bytes, hang_up: bool) -> None:
        self._says, self._hang_up, self._over = says, hang_up, asyncio.Event()

    async def serve(self) -> str:
        port = ports.free_port()
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", port)
        return f"http://127.0.0.1:{port}"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._says)
        await writer.drain()
        if not self._hang_up:
            await self._over.wait()
        writer.close()

    async def stop(self) -> None:
        self._over.set()
        self._server.close()
        await self._server.wait_closed()
