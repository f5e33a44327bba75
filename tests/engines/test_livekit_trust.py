"""https before a LiveKit server: an authority of the admin's own is believed where it is named, and nowhere else."""

import asyncio
import contextlib
import datetime as dt
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from yarl import URL

from appliance.core.lamps import LinkPhase
from appliance.host import authority
from appliance.rooms.contract import PhaseChanged
from appliance.rooms.livekit import LiveKitEngine
from tests.contract.apart import ADDRESS
from tests.contract.harness import together
from tests.contract.livekit_harness import LiveKitRoom
from tests.contract.rig import Rig, tone
from tests.support import free_port

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120)]


@contextlib.asynccontextmanager
async def front(room: LiveKitRoom, folder: Path) -> AsyncIterator[str]:
    """A web server with https in front of it, as operate-livekit.md has it; gives its address."""
    names, now = authority.general_names([ADDRESS]), dt.datetime.now(dt.UTC)
    own = authority.make(names, now)
    authority.store(folder, own)
    authority.issue(folder, own, names, now)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / authority.CHAIN, folder / authority.KEY)
    behind = URL(room.url)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(behind.host, behind.port)
        await asyncio.gather(carry(reader, back), carry(there, writer))

    port = free_port()
    server = await asyncio.start_server(serve, ADDRESS, port, ssl=tls)
    try:
        yield f"wss://{ADDRESS}:{port}"
    finally:
        server.close()
        await server.wait_closed()


async def test_an_authority_of_ones_own_is_believed_where_it_is_named_and_only_there(
    room: LiveKitRoom, tmp_path: Path
) -> None:
    async with front(room, tmp_path) as url:
        own = (tmp_path / authority.PUBLIC).read_text("ascii")
        settings = replace(room.site_settings(), urls=(url,))
        stranger, friend = Rig(LiveKitEngine(settings), settings.identity), room.person("friend")
        before = os.environ["SSL_CERT_FILE"]
        await stranger.start(wait=False)
        try:
            await stranger.until(lambda: any("[network] ca" in event.why for event in stranger.told(PhaseChanged)), 20)
            assert stranger.phase is LinkPhase.RECONNECTING, "somebody may mend it"
        finally:
            await stranger.stop()
        site = Rig(LiveKitEngine(replace(settings, authorities=own)), settings.identity)
        async with together(site, friend):
            site.open(tone(440))
            await friend.hear(440)
            assert ssl.create_default_context().cert_store_stats()["x509_ca"] > 1, "those of the system still count"
    assert os.environ["SSL_CERT_FILE"] == before
