"""libdatachannel as OBS uses it. OBS itself needs a screen; what stands between it and a server is this library."""

import base64
import json
from pathlib import Path

from appliance.core.events import EventName
from tests.host.harness import ROOM, house, token
from tests.host.sound import tone
from tests.outside.ears import anna_in, hears
from tests.outside.packages import MODULES, package
from tests.outside.processes import node
from tests.support import until


async def test_what_obs_is_made_of_speaks_and_its_video_is_declined(tmp_path: Path) -> None:
    package("node-datachannel")
    frames = tmp_path / "frames.json"
    frames.write_text(json.dumps([base64.b64encode(frame).decode() for frame in tone(770, 1)]))
    async with house(tmp_path) as home, anna_in(home) as (anna, seen):
        url = home.url(f"/rooms/{ROOM}/whip")
        async with node("obs_client.mjs", MODULES, url, token("obs"), frames) as client:
            await hears(anna, 770)
            assert {"status": 201} in client.told
            assert seen.state("obs") == "listening"
            await until(lambda: (seen.level("obs") or -127) > -60)
        assert {"left": 200, "video": False} in client.told
        await until(lambda: seen.of("left"))
        assert home.told(EventName.MEMBER_LEFT)[0].fields["why"] == "left"
