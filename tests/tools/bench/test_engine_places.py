"""What the bench of engines tells the processes that it measures."""

import json
from types import SimpleNamespace

from appliance.core.roster import Kind
from appliance.rooms.janus import JanusEngine, JanusSettings
from tools.bench.engine_makers import engine_of
from tools.bench.engine_places import _JanusRoom


def test_a_member_of_a_janus_room_is_told_in_one_line_and_made_from_it() -> None:
    def settings(who: str, kind: Kind) -> JanusSettings:
        return JanusSettings("ws://127.0.0.1:1/", 1, who, who, kind)

    room = _JanusRoom(SimpleNamespace(settings=settings))
    assert isinstance(engine_of(json.loads(json.dumps(room.member("desk")))), JanusEngine)
