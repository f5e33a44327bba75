"""FFmpeg's whip muxer: it sends no candidates and no header extensions, and waits for our DTLS unless told to begin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appliance.core.events import EventName
from appliance.host.config import Times
from tests.host.harness import ROOM, House, house, token
from tests.host.member import Presence
from tests.outside.ears import anna_in, hears
from tests.support import until
from tests.support.need import need


def program() -> str:
    need("module:imageio_ffmpeg", "its wheel has an FFmpeg that speaks WHIP")
    import imageio_ffmpeg  # type: ignore[import-untyped]  # it may be missing

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@asynccontextmanager
async def publishing(home: House, *options: str, hertz: int = 660) -> AsyncIterator[asyncio.subprocess.Process]:
    """FFmpeg sends a tone into the room meanwhile, and is asked to end then."""
    source = f"sine=frequency={hertz}:sample_rate=48000"
    arguments = ["-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", source]
    arguments += ["-c:a", "libopus", "-ac", "2", "-b:a", "48k", "-f", "whip", "-authorization", token("ffmpeg")]
    process = await asyncio.create_subprocess_exec(
        program(), *arguments, *options, home.url(f"/rooms/{ROOM}/whip"), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        _, told = await asyncio.wait_for(process.communicate(), 10)
    assert b"401" not in told, told.decode()


@pytest.mark.parametrize("options", [(), ("-whip_flags", "dtls_active")], ids=["waits for dtls", "begins with dtls"])
async def test_ffmpeg_is_heard_is_in_the_roster_and_leaves(tmp_path: Path, options: tuple[str, ...]) -> None:
    async with house(tmp_path) as home, anna_in(home) as (anna, seen):
        async with publishing(home, *options):
            await hears(anna, 660)
            assert seen.state("ffmpeg") == "listening", "it has no way to unmute itself"
            await until(lambda: -26 < (seen.level("ffmpeg") or -127) < -16, what="it tells no level: ours is measured")
        await until(lambda: seen.of("left"), 10, "it is still in the room")
        assert home.told(EventName.MEMBER_LEFT)[0].fields["why"] == "left"


async def test_ffmpeg_that_vanishes_is_removed(tmp_path: Path) -> None:
    async with house(tmp_path, times=Times(ping=0.2, gone=1.5)) as home, anna_in(home) as (anna, seen):
        async with publishing(home) as process:
            await hears(anna, 660, packets=20)
            process.kill()
            await until(lambda: seen.of("left"), 10, "it is still in the room")
        assert home.told(EventName.MEMBER_TIMED_OUT)[0].fields["why"] == "silent"
        assert seen.member("anna"), "whoever only answers pings is there"


async def test_an_admin_mutes_ffmpeg(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as home,
        anna_in(home) as (anna, seen),
        Presence(house=home, hello=token("boss", role="admin")) as boss,
        publishing(home),
    ):
        await hears(anna, 660, packets=20)
        await boss.send(type="mute", member="ffmpeg")
        await until(lambda: seen.state("ffmpeg") != "listening")
        await asyncio.sleep(0.2)
        anna.heard.clear()
        await asyncio.sleep(0.3)
        assert not anna.heard
