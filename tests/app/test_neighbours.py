"""What the other processes of a device say: asked seldom, and no trouble when they do not answer."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from appliance.app import neighbours
from appliance.app.neighbours import EVERY, Neighbours
from appliance.health.status import StatusServer


class Part:
    """A part that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def status(self, _request: Mapping[str, Any]) -> Mapping[str, object]:
        self.asked += 1
        return {"asked": self.asked}


async def test_one_question_in_two_seconds_for_all_who_ask(short_dir: Path) -> None:
    now, part = 100.0, Part()
    server = StatusServer(short_dir / "sound.status", {"status": part.status})
    await server.start()
    try:
        asks = Neighbours(short_dir, lambda: now)
        assert await asyncio.gather(*[asks.ask("sound") for _ in range(5)]) == [{"asked": 1}] * 5
        now += EVERY - 0.01
        assert await asks.ask("sound") == {"asked": 1}
        now += 0.02
        assert await asks.ask("sound") == {"asked": 2}
        assert await asks.tell("sound", {"do": "status"}) == {"asked": 3}
    finally:
        await server.stop()
    assert await asks.ask("sound") == {"asked": 2}, "kept for its two seconds"
    now += EVERY
    assert await asks.ask("sound") == {}, "what is gone says nothing, not what it said once"


async def test_nobody_silence_and_junk_are_no_answer(short_dir: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(neighbours, "PATIENCE", 0.05)
    asks = Neighbours(short_dir)
    assert await asks.ask("provision") == {}

    def answering(said: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                writer.write(said)
                await reader.read()
            writer.close()

        return talk

    for said in (b"", b"x" * 1_000_000 + b"\n", b"[1, 2]\n"):
        async with await asyncio.start_unix_server(answering(said), short_dir / "link.status"):
            assert await Neighbours(short_dir).ask("link") == {}
