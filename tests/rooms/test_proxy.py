"""The way to the host through a proxy of the office."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from yarl import URL

from appliance.host import authority
from appliance.rooms import trust
from appliance.rooms.reach import Reach
from appliance.rooms.signalling import Signalling
from tests.rooms.test_trust import https


@contextlib.asynccontextmanager
async def proxy(seen: list[str]) -> AsyncIterator[URL]:
    """A proxy that knows CONNECT (RFC 9110, 9.3.6) alone, and leads every name to this machine."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            words = (await reader.readuntil(b"\r\n\r\n")).split()
        except asyncio.IncompleteReadError:  # somebody only looks whether we are there
            writer.close()
            return
        seen.append(b" ".join(words[:2]).decode())
        port = int(words[1].rpartition(b":")[2])
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(copy(reader, back), copy(there, writer))
        writer.close()
        back.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()
        await server.wait_closed()


async def test_https_goes_through_it_and_the_host_is_still_the_one_that_is_believed(tmp_path: Path) -> None:
    seen: list[str] = []
    async with https(tmp_path) as url, proxy(seen) as way:
        context = trust.context(None, (tmp_path / authority.PUBLIC).read_text())
        # The device cannot look the name up: the proxy can.
        reach = Reach(url, context, proxy=way)
        await reach.arrive(lambda _: None)
        assert reach.place == ("127.0.0.1", way.port)
        async with reach.session() as http:
            assert await Signalling(http, url, "main").device_token("amber", lambda _: bytes(64)) == "t"
        await asyncio.sleep(0.05)
    assert set(seen) == {f"CONNECT 127.0.0.1:{url.port}"}


async def test_without_one_nothing_goes_there(tmp_path: Path) -> None:
    async with https(tmp_path) as url:
        context = trust.context(tmp_path / authority.PUBLIC)
        reach = Reach(url, context)
        await reach.arrive(lambda _: None)
        async with reach.session() as http:
            assert isinstance(http, aiohttp.ClientSession)
            assert await Signalling(http, url, "main").device_token("amber", lambda _: bytes(64)) == "t"
