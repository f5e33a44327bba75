"""What the contract suite needs of an engine's room, and what each engine must give.

An engine that comes later adds its harness in a module of its own, and a line to :data:`SERVERS`, :data:`EXPECTED` and
:data:`PACES`; the suite itself knows none.
"""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from appliance.core.roster import Role
from appliance.rooms.contract import Capabilities, Engine
from tests.contract.rig import Rig

SERVERS: Mapping[str, str] = {
    "hosted": "tests.contract.hosted_harness:HostedServer",
    "livekit": "tests.contract.livekit_harness:LiveKitServer",
    "janus": "tests.contract.janus_harness:JanusServer",
    "telegram": "tests.contract.telegram_harness:TelegramServer",
}
"""Each engine's :class:`Server`, imported when it is used: what it needs may be missing."""

EXPECTED: Mapping[str, Capabilities] = {
    "hosted": Capabilities(
        real_levels=True,
        audio_per_member=True,
        hands=True,
        knocks=True,
        admin_mute=True,
        mute_enforced=True,
        asks=True,
        doors=True,
        reports=True,
        recording=True,
        bundles=True,
        most_members=2048,
    ),
    "livekit": Capabilities(
        real_levels=True,  # from the sound of those who are subscribed to
        audio_per_member=True,
        hands=True,
        knocks=True,
        admin_mute=True,
        mute_enforced=True,
        asks=True,
        doors=True,
        reports=True,
        recording=True,
        bundles=False,
        most_members=5000,
    ),
    "janus": Capabilities(
        real_levels=False,  # its AudioBridge tells who talks, and not how loud
        audio_per_member=False,  # it sends one mix
        hands=True,
        knocks=True,
        admin_mute=True,
        mute_enforced=False,  # it lets a member undo an admin's mute; ours obeys
        asks=False,  # version 1.1.2 has no messages between participants, and one text for each: what it is shown as
        doors=False,
        reports=False,
        recording=False,  # it tells nobody that it records; that members of ours do is in test_janus_alone.py
        bundles=False,
        most_members=300,  # it encodes for each: 70 to 95 a core
    ),
    # Telegram's voice chats have no place for knocks, doors, reports and bundles, and nobody is asked there to unmute. An admin's
    # mute is respected: the device closes its gate by it and opens nothing (the first test of test_engines_people.py). That
    # Telegram's server drops the sound of whom an admin muted, too, is likely; nobody here has seen it, so it is not claimed.
    "telegram": Capabilities(
        real_levels=True,
        audio_per_member=True,
        hands=True,
        knocks=False,
        admin_mute=True,
        mute_enforced=False,
        asks=False,
        doors=False,
        reports=False,
        recording=True,
        bundles=False,
        most_members=5000,
    ),
}
"""What each engine has to claim. Claiming less fails; whoever finds that an engine can do less changes it here, with why."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an engine's room is, in seconds: what its server and its libraries take, and no more."""

    settles: float = 0.3
    """Until what was sent before has been heard: codec, network, playout."""
    hangs: float = 3.5
    """Until a server that hangs is noticed."""
    back: float = 4.0
    """From a server that is there again to being heard again."""
    leaves: float = 1.5
    """Until the others are told that somebody left."""
    hiss: float = -75.0
    """dBov: what a listener's library may make of silence that comes late."""
    slips: int = 16
    """Parts of 50 ms in 160 s that may have a hole: what a busy machine costs."""


PACES: Mapping[str, Pace] = {
    "hosted": Pace(),
    # Its library has queues of its own on both sides, and looks for a server that hangs with checks every 2.5 s.
    # On a quiet machine it is back within 4 s. The timer that empties its queue loses ticks on a busy one.
    "livekit": Pace(settles=0.8, hangs=9.0, back=8.0, slips=64),
    # Its mixer holds back three packets of each member, and its encoder has a tail.
    "janus": Pace(settles=0.6, back=5.0),
    # ntgcalls sends packets of 60 ms and never tells that media was lost: Telegram is asked every 10 s, and answers in 6 or not.
    # A lost connection to it is nobody's concern for 5 s. Its library's jitter buffer grows by whatever
    # the machine is late, up to a second, and fills silence that comes late with noise of its own, at -60 and less.
    "telegram": Pace(settles=2.0, hangs=20.0, back=8.0, hiss=-50.0),
}


SITES_LOOK_LIKE_PEOPLE = frozenset({"telegram"})
"""Engines in which a device is one account among others, and no other member can tell that it is one."""


class Mutations(Protocol):
    """Engines that are broken on purpose, to prove the proof of mute."""

    def lets_one_block_through(self) -> Engine:
        """At closing it sends what is half-filled."""

    def forgets_to_reset(self) -> Engine:
        """Its encoder remembers the time before closing."""

    def repeats_frames(self) -> Engine:
        """What left before closing it sends again after it."""


class Server(Protocol):
    """The engine's server, for all tests of a module."""

    name: str

    def start(self) -> None:
        """Start it, at the same address as before."""

    def kill(self) -> None:
        """Take it away without a word."""

    def freeze(self) -> None:
        """Let it exist and do nothing, as behind a cable that was pulled."""

    def thaw(self) -> None:
        """Let it go on."""

    def end(self) -> None:
        """Stop it in order."""

    def room(self) -> "Room":
        """A room that nobody has used."""


class Room(Protocol):
    """One room of the server, for one test."""

    @property
    def mutants(self) -> Mutations:
        """Broken engines of the same device."""

    def site(self, index: int = 0) -> Rig:
        """A device of this room."""

    def person(self, name: str, role: Role = "speaker") -> Rig:
        """A member with a link."""

    def strangers(self) -> Mapping[str, Engine]:
        """Engines that the room must refuse, by what is wrong with them."""

    async def mute(self, target: Rig) -> None:
        """Mute ``target`` as an admin called Ada."""

    async def lift(self, target: Rig) -> None:
        """Lift that."""

    async def ask(self, target: Rig) -> None:
        """Ask ``target`` to unmute."""

    async def shut_door(self, target: Rig) -> None:
        """Ask for its door to be closed."""

    async def record(self, target: Rig, *, on: bool) -> None:
        """Begin a recording of the room, by ``target`` where sites can; or end it."""

    async def remove(self, target: Rig) -> None:
        """Send ``target``, a person, out of the room."""


@contextlib.contextmanager
def serving(name: str, folder: Path) -> Iterator[Server]:
    """A server for the tests of a module."""
    module, _, kind = SERVERS[name].partition(":")
    server: Server = getattr(importlib.import_module(module), kind)(folder)
    server.start()
    try:
        yield server
    finally:
        server.end()


@contextlib.asynccontextmanager
async def together(*rigs: Rig) -> AsyncIterator[None]:
    """All of them in the room, and out again."""
    try:
        await asyncio.gather(*(rig.start() for rig in rigs))
        yield
    finally:
        await asyncio.gather(*(rig.stop() for rig in rigs))
