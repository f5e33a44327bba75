"""Link put together in this process, over a real exchange, with an engine that a test speaks for."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from appliance.app import link
from appliance.app.engines import make_engine
from appliance.app.link import Link
from appliance.app.process import NotAllowed, VitalEnded
from appliance.core.controls import Door, Reason
from appliance.core.lamps import LinkPhase
from appliance.core.protocol import Report, client_text, parse_client
from appliance.core.roster import Member, sign_of
from appliance.core.state import ProofState
from appliance.health.notify import Notifier
from appliance.media.exchange import BLOCK_BYTES, Downlink, Listener, Uplink
from appliance.rooms import contract
from appliance.rooms.contract import RoomRefused
from appliance.rooms.hosted import HostedEngine
from appliance.rooms.nowhere import Nowhere
from appliance.rooms.presence import site_message
from tests.app.parts import journal, settings
from tests.support import until

TALK = bytes(BLOCK_BYTES)


class Puppet(Nowhere):
    """An engine whose events a test makes."""

    def __init__(self) -> None:
        super().__init__("")
        self.counters: dict[str, int] = {}
        self.report: Callable[[contract.RoomEvent], None] = lambda _event: None
        self.end: asyncio.Future[None] | None = None
        self.sites: list[contract.SiteReport] = []
        self.hands: list[bool] = []
        self.knocked = self.left = 0

    async def run(self, report: Callable[[contract.RoomEvent], None]) -> None:
        self.report, self.end = report, asyncio.get_running_loop().create_future()
        await self.end

    async def leave(self) -> None:
        self.left += 1

    def set_hand(self, up: bool) -> None:
        self.hands.append(up)

    def knock(self) -> None:
        self.knocked += 1

    def report_site(self, report: contract.SiteReport) -> None:
        self.sites.append(report)


class World:
    """Link between a puppet and sound's end of the exchange."""

    def __init__(self, folder: Path) -> None:
        self.engine = Puppet()
        told, self.lines = journal()
        self.listener = Listener(folder / "exchange")
        self.link = Link(settings(folder), lambda _settings: self.engine, told)
        self.stop = asyncio.Event()
        self.seq = 0

    async def ask(self, **fields: object) -> Downlink:
        self.seq += 1
        self.listener.send(Uplink(seq=self.seq, **fields))  # type: ignore[arg-type]
        answers: list[Downlink] = []

        def answered() -> bool:
            answer = self.listener.receive()
            if answer:
                answers.append(answer)
            return bool(answers)

        await until(answered)
        return answers[0]


@contextlib.asynccontextmanager
async def running(world: World) -> AsyncIterator[Puppet]:
    task = asyncio.create_task(world.link.run(world.stop, Notifier("")))
    try:
        await until(lambda: world.listener.poll() or world.listener.connected)
        await until(lambda: world.engine.end)
        yield world.engine
    finally:
        world.stop.set()
        world.listener.close()
        await task
    assert world.engine.left == 1


def member(who: str, **fields: object) -> Member:
    base: Mapping[str, object] = {
        "id": who,
        "name": who.title(),
        "kind": "person",
        "role": "speaker",
        "joined": True,
        **dict.fromkeys(("muted", "admin_muted", "hand", "on_hold", "connecting"), False),
        "sign": sign_of(who),
        "site": None,
    }
    return Member(**{**base, **fields})  # type: ignore[arg-type]


async def test_what_the_room_says_reaches_sound(short_dir: Path) -> None:
    world = World(short_dir)
    async with running(world) as engine:
        engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        engine.report(contract.MemberChanged(member("ben", hand=True)))
        engine.report(contract.MemberChanged(member("meeting-room", hand=True)))
        engine.report(contract.MemberChanged(member("eve", joined=False)))
        engine.report(contract.Levels({"ben": -20.4, "meeting-room": -10.0}, frozenset({"ben", "meeting-room"})))
        answer = await world.ask()
        assert (answer.link, answer.members, answer.hands) == (LinkPhase.IN_ROOM, 2, 1)
        assert [(s.hue, s.place, s.level, s.site) for s in answer.speakers] == [
            (sign_of("ben").hue, sign_of("ben").place, -20, False)
        ]
        assert world.link.state().speaking == ("Ben", "Meeting-Room")
        engine.report(contract.MemberLeft("ben"))
        assert (await world.ask()).speakers == ()


async def test_events_are_counted(short_dir: Path) -> None:
    world = World(short_dir)
    async with running(world) as engine:
        for event in (
            contract.MutedByAdmin("Ben"),
            contract.MutedByAdmin("Ben"),
            contract.AdminMuteLifted(),
            contract.AskedToUnmute("Ben"),
            contract.Knocked("Ben"),
            contract.DoorAsked(Door.CLOSED),
            contract.Recording(True),
        ):
            engine.report(event)
        answer = await world.ask()
        assert (answer.admin_muted, answer.admin_lifted, answer.asked, answer.knocks) == (2, 1, 1, 1)
        assert (answer.door_commands, answer.door, answer.recording) == (1, Door.CLOSED, True)
        assert len(world.lines.lines("muted_by_admin")) == 2


async def test_what_sound_says_reaches_the_room(short_dir: Path) -> None:
    world = World(short_dir)
    async with running(world) as engine:
        quiet = 1 << Reason.QUIET | 1 << Reason.DOOR
        await world.ask(reasons=quiet, door=Door.CLOSED, knocks=4, quiet_until=1_811_912_400)
        await until(lambda: engine.sites)
        site = engine.sites[-1]
        assert (site.gate_open, site.reasons, site.door) == (False, ("door", "quiet hours"), Door.CLOSED)
        assert site.quiet_until == 1_811_912_400
        assert engine.knocked == 0, "the first count is the base"
        assert not site.recording
        await world.ask(reasons=0, hand=True, knocks=5, recording=True)
        await until(lambda: engine.knocked == 1)
        assert engine.sites[-1].recording
        assert engine.sites[-1].gate_open
        assert engine.sites[-1].quiet_until is None
        assert engine.hands[-1]


async def test_admins_learn_when_reasons_held_and_how_link_stands(short_dir: Path) -> None:
    world = World(short_dir)
    async with running(world) as engine:
        await world.ask(reasons=1 << Reason.SWITCH)
        await until(lambda: engine.sites)
        began = engine.sites[-1].details["link"]
        assert began == {"phase": "starting", "since": began["since"]}  # type: ignore[index]
        engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        await until(lambda: engine.sites[-1].details["link"]["phase"] == "in_room")  # type: ignore[index]
        assert list(engine.sites[-1].details["held"]["switch"])[1] is None  # type: ignore[index]
        await world.ask(reasons=0)
        await until(lambda: engine.sites[-1].gate_open)
        site = engine.sites[-1]
        began, ended = site.details["held"]["switch"]  # type: ignore[index]
        assert abs(began - time.time()) < 60 and ended >= began
        await until(lambda: "proof" in engine.sites[-1].details, what="what is looked at now and then is told")
        parsed = parse_client(client_text(site_message(engine.sites[-1])))
        assert isinstance(parsed, Report)
        assert parsed.site["details"] == engine.sites[-1].details
        world.listener.close()
        await until(lambda: not engine.sites[-1].gate_open)
        assert engine.sites[-1].details["held"]["no audio"][1] is None  # type: ignore[index]


async def test_a_sound_that_is_gone_is_a_closed_gate_and_knocks_no_more(short_dir: Path) -> None:
    world = World(short_dir)
    async with running(world) as engine:
        await world.ask(reasons=0, knocks=5, loudspeaker=-20, door=Door.LISTENING)
        await until(lambda: engine.sites and engine.sites[-1].gate_open)
        world.listener._drop()
        await until(lambda: not engine.sites[-1].gate_open)
        site = engine.sites[-1]
        assert (site.gate_open, site.reasons, site.door) == (False, ("no audio",), Door.LISTENING)
        assert (site.lamps["mic"], site.lamps["fault"], site.loudspeaker) == ("steady", "steady", -127)
        await until(world.listener.poll)
        await world.ask(reasons=0, knocks=0)  # started anew
        await until(lambda: engine.sites[-1].gate_open)
        await until(lambda: not engine.sites[-1].gate_open, what="it stalls")
        assert engine.knocked == 0


async def test_sound_is_reminded_of_a_mute_that_came_while_it_was_away(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_REMIND_EVERY", 0.02)
    world = World(short_dir)
    async with running(world) as engine:
        engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        engine.report(contract.MemberChanged(member("meeting-room", kind="site", admin_muted=True)))
        first = (await world.ask(reasons=0)).admin_muted
        await asyncio.sleep(0.06)
        assert (await world.ask(reasons=0)).admin_muted > first
        known = (await world.ask(reasons=1 << Reason.ADMIN)).admin_muted
        await until(lambda: engine.sites[-1].reasons == ("admin",))
        known = (await world.ask(reasons=1 << Reason.ADMIN)).admin_muted
        await asyncio.sleep(0.06)
        assert (await world.ask(reasons=1 << Reason.ADMIN)).admin_muted == known
        await world.ask(reasons=0)  # a hand
        engine.report(contract.MemberChanged(member("meeting-room", kind="site")))
        await asyncio.sleep(0.06)
        assert (await world.ask(reasons=0)).admin_muted == known


async def test_a_lost_room_forgets_who_was_there(short_dir: Path) -> None:
    world = World(short_dir)
    async with running(world) as engine:
        engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        engine.report(contract.MemberChanged(member("ben")))
        engine.report(contract.Levels({"ben": -20}, frozenset({"ben"})))
        engine.report(contract.PhaseChanged(LinkPhase.RECONNECTING, "the server does not answer"))
        answer = await world.ask()
        assert (answer.link, answer.members, answer.speakers) == (LinkPhase.RECONNECTING, 0, ())
        assert world.link.state().why == "the server does not answer"


async def test_what_has_to_be_known_of_the_room_is_told_once_and_shows(short_dir: Path) -> None:
    world = World(short_dir)
    async with running(world) as engine:
        engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        engine.report(contract.MemberChanged(member("ben")))
        for _ in range(2):
            engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM, "Somebody else is called like this device."))
        assert world.link.state().why == "Somebody else is called like this device."
        assert len(world.lines.lines("link_up")) == 2
        assert (await world.ask()).members == 1, "nobody has left by that"
        engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        assert world.link.state().why == ""
        assert len(world.lines.lines("link_up")) == 2


async def test_a_refusal_stays_and_shows(short_dir: Path) -> None:
    world = World(short_dir)
    async with running(world) as engine:
        assert engine.end
        engine.end.set_exception(RoomRefused("the room does not know this device"))
        await until(lambda: world.link.state().phase is LinkPhase.REFUSED)
        assert (await world.ask()).link is LinkPhase.REFUSED
        assert world.lines.lines("link_refused")


async def test_a_room_that_refused_is_asked_again(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.app.link._ASK_AGAIN", 0.05)
    world = World(short_dir)
    async with running(world) as engine:
        assert engine.end
        first = engine.end
        first.set_exception(RoomRefused("the room does not know this device", ask_again=True))
        await until(lambda: world.link.state().phase is LinkPhase.REFUSED)
        await until(lambda: engine.end is not first, what="the room is not asked again")
        engine.report(contract.PhaseChanged(LinkPhase.CONNECTING))
        engine.report(contract.PhaseChanged(LinkPhase.RECONNECTING, "the server does not answer"))
        assert world.link.state().phase is LinkPhase.REFUSED  # shown until we are let in
        engine.report(contract.PhaseChanged(LinkPhase.IN_ROOM))
        assert world.link.state().phase is LinkPhase.IN_ROOM
        engine.report(contract.PhaseChanged(LinkPhase.RECONNECTING))
        assert world.link.state().phase is LinkPhase.RECONNECTING


def ended(world: World) -> "asyncio.Future[None]":
    assert world.engine.end is not None
    return world.engine.end


async def assert_ends_with(world: World, part: str, cause: Callable[[], None] | Callable[[], object]) -> None:
    task = asyncio.create_task(world.link.run(world.stop, Notifier("")))
    await until(lambda: world.listener.poll() or world.listener.connected)
    await until(lambda: world.engine.end)
    cause()
    with pytest.raises(BaseExceptionGroup) as caught:
        await asyncio.wait_for(task, 10)
    world.listener.close()
    assert isinstance(caught.value.exceptions[0], VitalEnded)
    assert str(caught.value.exceptions[0]).startswith(part)
    assert world.engine.left == 1


async def test_an_engine_that_ends_ends_link(short_dir: Path) -> None:
    world = World(short_dir)
    await assert_ends_with(world, "room", lambda: ended(world).set_result(None))


async def test_an_engine_that_fails_ends_link(short_dir: Path) -> None:
    world = World(short_dir)
    await assert_ends_with(world, "room", lambda: ended(world).set_exception(OSError("bug")))


async def test_junk_from_sound_ends_link(short_dir: Path) -> None:
    world = World(short_dir)
    await assert_ends_with(world, "exchange", lambda: world.listener._link and world.listener._link.send(b"junk"))


@contextlib.asynccontextmanager
async def violated(
    world: World, monkeypatch: pytest.MonkeyPatch, before: int = 0
) -> "AsyncIterator[asyncio.Task[None]]":
    """Link whose engine has just found something; it has ended with that when this does."""
    monkeypatch.setattr(link, "_TOLD", 0.05)
    ending = asyncio.create_task(world.link.run(world.stop, Notifier("")))
    await until(lambda: world.listener.poll() or world.listener.connected)
    await world.ask(reasons=before)
    await world.ask()
    await until(lambda: world.engine.sites and world.engine.sites[-1].gate_open)
    world.engine.proof, world.engine.violations = ProofState(violations=2, why="leaked"), 2
    await world.ask()
    yield ending
    with pytest.raises(BaseExceptionGroup, match="TaskGroup") as caught:
        await asyncio.wait_for(ending, 10)
    world.listener.close()
    assert str(caught.value.exceptions[0]) == "proof ended"


async def test_a_violation_is_told_to_sound_and_ends_link(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(short_dir)
    async with violated(world, monkeypatch) as ending:
        assert (await world.ask(block=TALK)).violation
        await until(lambda: world.engine.left)
        assert not ending.done(), "it stays out of the room until sound is known to know"
        await world.ask(reasons=1 << Reason.VIOLATION)
    assert "engine=hosted count=2 why=leaked" in world.lines.lines("violation")[0]


async def test_a_sound_that_is_away_learns_of_a_violation_when_it_comes(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(short_dir)
    async with violated(world, monkeypatch) as ending:
        world.listener.close()
        await until(lambda: world.engine.left and not world.link.state().exchange_connected)
        world.listener = Listener(short_dir / "exchange")
        await until(world.listener.poll)
        assert (await world.ask()).violation, "the first thing it hears"
        assert not ending.done()
        await world.ask(reasons=1 << Reason.VIOLATION)


async def test_a_reminder_that_ends_ends_link(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_REMIND_EVERY", 0.02)
    world = World(short_dir)
    await assert_ends_with(world, "reminder", lambda: monkeypatch.setattr(world.link, "_members", None))


async def test_a_watchdog_that_ends_ends_link(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(short_dir)
    await assert_ends_with(world, "watchdog", lambda: monkeypatch.setattr(Notifier, "tell", lambda *_: 1 / 0))


async def test_the_engine_of_the_settings(tmp_path: Path) -> None:
    assert isinstance(make_engine(settings(tmp_path)), Nowhere)
    wanted = settings(tmp_path, '[room]\nurl = "http://127.0.0.1:1"')
    assert isinstance(make_engine(wanted), HostedEngine)
    (tmp_path / "link" / "device.key").write_text("worn out")
    with pytest.raises(NotAllowed, match=r"device\.key is damaged"):
        make_engine(wanted)


def test_a_token_file_that_holds_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    (tmp_path / "token").chmod(0o600)
    wanted = settings(tmp_path, f'[room]\nurl = "http://127.0.0.1:1"\ntoken_file = "{tmp_path}/token"')
    with pytest.raises(NotAllowed, match="token_file holds no token"):
        make_engine(wanted)


async def test_a_fault_that_sound_had_before_is_no_sign_that_it_knows_of_this_one(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(short_dir)
    async with violated(world, monkeypatch, before=1 << Reason.VIOLATION) as ending:
        await until(lambda: world.engine.left)
        assert (await world.ask()).violation
        assert not ending.done()
        await world.ask(reasons=1 << Reason.VIOLATION)
        await world.ask()  # a hand has answered at once
