"""Door, quiet hours, knock, hand and push-to-talk: from a contact of the panel to somebody far away, and back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.rig import ROOM, Rig

_FINGER = 0.3
"""Seconds after which a key that was pressed is at rest again: the room hears of it earlier."""


class Watcher:
    """Ada, who is in the room by presence alone."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.members: dict[str, Mapping[str, Any]] = {}
        self.knocks: list[str] = []

    async def sees(self, what: Callable[[], object]) -> None:
        """Read what the host tells until ``what`` is true."""
        while not what():
            message = await self._socket.receive_json(timeout=15)
            for member in [*message.get("members", []), *filter(None, [message.get("member")])]:
                self.members[member["id"]] = member
            if message["type"] == "knock":
                self.knocks.append(message["by"]["id"])

    def member(self, who: str) -> Mapping[str, Any]:
        return self.members.get(who, {})

    def site(self, who: str) -> Mapping[str, Any]:
        """What the device tells of itself."""
        return self.member(who).get("site") or {}

    async def ask(self, **message: str) -> None:
        await self._socket.send_json(message)


@contextlib.asynccontextmanager
async def watching(rig: Rig) -> AsyncIterator[Watcher]:
    async with aiohttp.ClientSession() as http:
        socket = await http.ws_connect(f"http://127.0.0.1:{rig.port}/rooms/{ROOM}/presence")
        await socket.send_json({"type": "hello", "v": 1, "token": rig.token("ada", "admin")})
        yield Watcher(socket)
        await socket.close()


def configure(rig: Rig) -> datetime:
    """Quiet hours of amber that began an hour ago, and push-to-talk for birch. Gives the end of the quiet hours."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begin, end = now - timedelta(hours=1), now + timedelta(hours=2)
    quiet = f'[quiet]\ntime_zone = "UTC"\nhours = ["{begin:%H:%M}-{end:%H:%M}"]\ntrust_clock = true\n'
    for name, more in (("amber", quiet), ("birch", "push_to_talk = true\n")):
        config = rig.devices[name].config
        config.write_text(config.read_text() + more)
    return end


async def test_from_the_panel_to_the_room_and_back(short_dir: Path, free_port: int) -> None:
    rig = Rig(short_dir, free_port, {"amber": "tone:440", "birch": "tone:880"})
    end = configure(rig)
    async with rig, watching(rig) as ada:
        await a_hand_outranks_quiet_hours(rig, ada, end)
        await a_hand_is_raised_and_lowered(rig, ada)
        await a_key_is_held(rig, ada)
        await a_door_is_closed_from_afar(rig, ada)


async def a_hand_outranks_quiet_hours(rig: Rig, ada: Watcher, end: datetime) -> None:
    amber = rig.devices["amber"]
    await ada.sees(lambda: ada.site("amber").get("reasons") == ["door", "quiet hours"])
    site = ada.site("amber")
    assert (ada.member("amber")["state"], site["door"], site["gate"]) == ("on_hold", "closed", "closed")
    assert site["quiet_until"] == end.timestamp()
    assert (await amber.status("sound"))["quiet"]["until"] == end.timestamp()
    await amber.panel(press="door")
    await ada.sees(lambda: ada.site("amber")["gate"] == "open")
    assert (ada.site("amber")["door"], ada.site("amber").get("quiet_until")) == ("open", None)


async def a_hand_is_raised_and_lowered(rig: Rig, ada: Watcher) -> None:
    await rig.devices["amber"].panel(press="talk")
    await ada.sees(lambda: ada.member("amber")["hand"])
    await asyncio.sleep(_FINGER)
    await rig.devices["amber"].panel(press="talk")
    await ada.sees(lambda: not ada.member("amber")["hand"])


async def a_key_is_held(rig: Rig, ada: Watcher) -> None:
    birch = rig.devices["birch"]
    await ada.sees(lambda: ada.site("birch").get("reasons") == ["push-to-talk"])
    await birch.panel(hold="talk")
    await ada.sees(lambda: ada.site("birch")["gate"] == "open")
    await birch.panel(release="talk")
    await ada.sees(lambda: ada.site("birch")["reasons"] == ["push-to-talk"])
    assert not ada.member("birch")["hand"], "the key is no hand here"
    link = await birch.status("link")
    assert link["counters"]["packets_sent"] > 0
    assert link["proof"]["violations"] == 0


async def a_door_is_closed_from_afar(rig: Rig, ada: Watcher) -> None:
    await ada.ask(type="door", member="amber", door="closed")
    await ada.sees(lambda: ada.site("amber")["door"] == "closed")
    await rig.devices["amber"].panel(press="knock")
    await ada.sees(lambda: ada.knocks == ["amber"])
    await ada.ask(type="door", member="amber", door="listening")
    await ada.sees(lambda: ada.site("amber")["door"] == "listening")
    assert (ada.site("amber")["reasons"], ada.site("amber")["gate"]) == (["door"], "closed")
