"""Link's exchange thread: answers first, and everything that is missing counts as a closed gate."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from appliance.app import answering
from appliance.app.answering import Answering, shown_direction
from appliance.core.controls import Door
from appliance.core.counters import Counters
from appliance.core.lamps import LinkPhase
from appliance.core.units import BLOCK, Block, Pcm
from appliance.media.exchange import Downlink, ExchangeJunk, Listener, Uplink
from appliance.rooms.contract import Engine
from tests.support import wait_for

TALK = np.full(BLOCK, 1000, "<i2").tobytes()


class Ears:
    """The audio side of an engine: notes what it is given, gives a constant."""

    counters: Mapping[str, int] = {}

    def __init__(self) -> None:
        self.given: list[int | None] = []
        self.forbidden: list[bool] = []
        self.violations = 0
        self.checks = 0

    def check(self) -> None:
        self.checks += 1

    def forbid(self, closed: bool) -> None:
        self.forbidden.append(closed)

    def send(self, pcm: Pcm | None) -> None:
        self.given.append(None if pcm is None else int(pcm[0]))

    def receive(self, out: Block) -> bool:
        out.fill(0.5)
        return True


class World:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "exchange"
        self.engine = Ears()
        self.told: list[Uplink | None] = []
        self.violated: list[bool] = []
        engine = cast("Engine", self.engine)
        self.answering = Answering(self.path, engine, Counters(), self.told.append, lambda: self.violated.append(True))
        self.listener = Listener(self.path)
        self.answering.start()
        wait_for(self.listener.poll)
        self.seq = 0

    def ask(self, **fields: object) -> Downlink:
        self.seq += 1
        self.listener.send(Uplink(seq=self.seq, **fields))  # type: ignore[arg-type]
        answers: list[Downlink] = []
        wait_for(lambda: answers or [answers.append(a) for a in [self.listener.receive()] if a])  # type: ignore[func-returns-value]
        return answers[0]


@pytest.fixture
def world(short_dir: Path) -> Iterator[World]:
    world = World(short_dir)
    yield world
    world.answering.stop()
    world.listener.close()


def test_answers_with_the_mix_and_what_the_room_says(world: World) -> None:
    world.answering.says = Downlink(seq=0, link=LinkPhase.IN_ROOM, members=4, admin_muted=2, door=Door.CLOSED)
    answer = world.ask()
    assert (answer.seq, answer.link, answer.members, answer.admin_muted) == (1, LinkPhase.IN_ROOM, 4, 2)
    assert set(np.frombuffer(answer.block or b"", "<i2")) == {16383}


def test_blocks_go_to_the_engine_and_a_new_epoch_is_a_close(world: World) -> None:
    world.ask(block=TALK, epoch=3)
    world.ask(block=TALK, epoch=3)
    world.ask(block=TALK, epoch=4)
    world.ask(epoch=5)
    wait_for(lambda: world.engine.given[-1] is None)
    assert world.engine.given == [None, 1000, 1000, None, 1000, None, None]


def test_the_engine_is_told_whether_a_reason_holds(world: World) -> None:
    world.ask(block=TALK, reasons=0)
    world.ask(reasons=4)
    world.ask(block=TALK, reasons=4)
    wait_for(lambda: len(world.engine.forbidden) == 3)
    assert world.engine.forbidden == [False, True, True]


def test_sound_that_falls_silent_counts_as_a_closed_gate(world: World) -> None:
    world.ask(block=TALK)
    wait_for(lambda: world.engine.given[-1] is None, 2)
    assert world.answering.connected
    wait_for(lambda: len(world.told) == 2)
    time.sleep(0.3)
    world.ask(block=TALK)
    wait_for(lambda: len(world.told) == 3)
    assert [uplink is None for uplink in world.told] == [False, True, False], "told once, and what comes then is news"


def test_sound_that_is_gone_is_waited_for(world: World) -> None:
    world.ask(block=TALK)
    world.listener.close()
    wait_for(lambda: not world.answering.connected)
    assert world.engine.given[-1] is None
    world.listener = Listener(world.path)
    wait_for(world.listener.poll)
    assert world.ask().seq == 2


def test_junk_from_sound_ends_the_thread(world: World) -> None:
    link = world.listener._link
    assert link is not None
    link.send(b"junk")
    assert isinstance(world.answering.ended.exception(2), ExchangeJunk)
    assert world.engine.given[-1] is None


def test_what_sound_says_is_told_when_it_changes_and_not_too_often(world: World) -> None:
    for number in range(21):
        world.ask(loudspeaker=-5 * number)
    wait_for(lambda: len(world.told) == 3)
    assert [uplink and uplink.loudspeaker for uplink in world.told] == [0, -50, -100]
    for _ in range(20):
        world.ask(loudspeaker=-101)
    assert len(world.told) == 3


def test_a_change_of_the_gate_is_told_at_once(world: World) -> None:
    for number in range(10):
        world.ask(reasons=number % 2)
    wait_for(lambda: len(world.told) == 10)
    assert [uplink and uplink.reasons for uplink in world.told] == [0, 1] * 5


@pytest.mark.parametrize(("found", "shown"), [(None, None), (0, 0), (7, 0), (8, 15), (100, 105), (353, 0)])
def test_a_direction_is_shown_in_steps_and_never_of_a_closed_gate(found: int | None, shown: int | None) -> None:
    assert shown_direction(Uplink(1, block=TALK, direction=found)) == shown
    assert shown_direction(Uplink(1, block=None, direction=found)) is None


def test_behind_a_gate_that_stays_closed_is_looked_now_and_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_FIRST_CHECK", 3)
    monkeypatch.setattr(answering, "_CHECK_EVERY", 10)
    checks = []
    for closed in [True, True, False, *[True] * 23]:
        world.ask(block=None if closed else TALK)
        wait_for(lambda: world.answering.turns == world.seq)
        checks.append(world.engine.checks)
    since_it_closed = checks[3:]
    assert checks[:3] == [0, 0, 0], "not when it has only just closed, and never while it is open"
    assert [since_it_closed.index(n) + 1 for n in (1, 2, 3)] == [3, 10, 20]


def test_a_violation_is_in_the_next_answer_and_the_engine_gets_no_block_any_more(world: World) -> None:
    assert not world.ask(block=TALK).violation
    wait_for(lambda: world.answering.turns == 1)
    world.engine.violations = 1
    world.ask(block=TALK)
    wait_for(lambda: world.violated)
    world.answering.says = Downlink(seq=0, members=3)
    assert all(world.ask(block=TALK).violation for _ in range(3))
    assert world.ask().members == 3
    wait_for(lambda: world.answering.turns == world.seq)
    first = world.engine.given.index(1000)
    assert 1000 not in world.engine.given[first + 2 :], "the one that was looked at, and no more"
    assert world.violated == [True]
