"""What servers of rooms elsewhere say to our engines."""

import contextlib
import json
from collections.abc import Iterator

from appliance.core.lamps import LinkPhase
from appliance.core.protocol import MOST_MEMBERS, ProtocolError
from appliance.rooms import janus_messages
from appliance.rooms.contract import Knocked, Levels, MemberChanged, MemberLeft, PhaseChanged, RoomEvent
from appliance.rooms.janus_messages import Said
from appliance.rooms.janus_names import Shown, shown
from appliance.rooms.janus_presence import Presence
from appliance.rooms.janus_twins import Twins
from appliance.rooms.signalling import Lost
from tests.fuzz import mutate
from tests.fuzz.target import Run, Target

_OURS = "Meeting room [kontor site meeting-room hand]"
_SAYS = (
    {
        "audiobridge": "joined",
        "room": 1,
        "id": 7,
        "participants": [{"id": 8, "display": "Bob", "setup": True, "muted": False}],
    },
    {"audiobridge": "joined", "room": 1, "participants": [{"id": 9, "display": _OURS, "setup": False, "muted": True}]},
    {"audiobridge": "event", "room": 1, "participants": [{"id": 7, "display": "Desk", "setup": True, "muted": True}]},
    {
        "audiobridge": "participants",
        "participants": [{"id": 7}, {"id": 8, "display": _OURS, "muted": False, "talking": True}],
    },
    {"audiobridge": "event", "room": 1, "leaving": 8},
    {"audiobridge": "event", "room": 1, "kicked": 8},
    {"audiobridge": "event", "room": 1, "muted": True},
    {"audiobridge": "talking", "room": 1, "id": 8},
    {"audiobridge": "stopped-talking", "room": 1, "id": 8},
    {"audiobridge": "destroyed", "room": 1},
    {"audiobridge": "event", "error_code": 485, "error": "No such room (1)"},
)
_ENVELOPES = (
    {"janus": "success", "transaction": "a", "data": {"id": 2**52}},
    {"janus": "error", "transaction": "a", "error": {"code": 458, "reason": "No such session"}},
    {"janus": "hangup", "sender": 5, "reason": "DTLS alert"},
    {"janus": "ack", "transaction": "a"},
)


def _envelope(data: object) -> dict[str, object]:
    return {"janus": "event", "sender": 5, "plugindata": {"plugin": "janus.plugin.audiobridge", "data": data}}


@contextlib.contextmanager
def _janus() -> Iterator[Run]:
    """A member reads what Janus says, and keeps what it must of it."""
    told: list[RoomEvent] = []
    twins = Twins(1, "desk", b"of the desk")
    presence = Presence(Shown("desk", "Desk", "site"), told.append, lambda sentence: None, twins)

    def run(data: bytes) -> None:
        said = janus_messages.read(data.decode("utf-8", "surrogateescape"))
        told.clear()
        # Who talks is told by the loop's time, of which there is none here.
        if "talking" not in str(said.data.get("audiobridge")):
            _take(presence, said)
        for event in [*told, *presence.roomful.heard(-30.0, 0.0)]:
            _check(event)
        roomful = presence.roomful
        assert len(roomful._there) <= MOST_MEMBERS
        assert len(roomful._members) <= MOST_MEMBERS + 1
        assert len(roomful._talk) <= MOST_MEMBERS + 1

    yield run


def _take(presence: Presence, said: Said) -> None:
    with contextlib.suppress(Lost):
        presence.take(said)
    presence.own.next()


def _check(event: RoomEvent) -> None:
    """Whatever was said, what it becomes is fit to be shown, and opens nothing."""
    match event:
        case MemberChanged(member):
            assert member.name.isprintable()
            assert 0 < len(member.name) <= 64
            assert member.id
        case Knocked(name):
            assert name.isprintable()
        case Levels(levels, speaking):
            assert all(level <= 0 for level in levels.values())
            assert len(speaking) <= MOST_MEMBERS + 1
        case PhaseChanged(phase):
            assert phase is not LinkPhase.IN_ROOM
        case MemberLeft(who):
            assert who


def _shown(data: bytes) -> None:
    """What anybody may call themselves."""
    text = data.decode("utf-8", "surrogateescape")
    who = shown(janus_messages.Participant(5, text[: janus_messages.MOST_DISPLAY], True, False, None))
    again = shown(janus_messages.Participant(5, who.display(), True, False, None))
    assert again == who, "it is read as it was meant"


@contextlib.contextmanager
def _names() -> Iterator[Run]:
    yield _shown


def targets() -> list[Target]:
    """All of this file."""
    examples = tuple(json.dumps(one).encode() for one in (*map(_envelope, _SAYS), *_ENVELOPES))
    names = (_OURS.encode(), b"Bob", "Büro [kontor person anna knock admin]".encode())
    return [
        Target("janus", mutate.document, examples, _janus, (ProtocolError,)),
        Target("janus_names", mutate.binary, names, _names),
    ]
