"""Whether the machine's clock can be believed: by the kernel, by timesyncd's file, until somebody sets it."""

import ctypes
import os
import time
from pathlib import Path

import pytest

from appliance.app import clock
from appliance.app.clock import JUMP, TimeKeeper, kernel_is_synchronised, since_boot


class Machine:
    """A clock on the wall, one that nobody can set, what the kernel says, and timesyncd's file."""

    def __init__(self, folder: Path) -> None:
        self.now, self.steady, self.synchronised = 1e9, 50.0, False
        self.marker = folder / "synchronized"
        self.keeper = self.started()

    def started(self, *, always: bool = False) -> TimeKeeper:
        return TimeKeeper(
            always,
            wall=lambda: self.now,
            steady=lambda: self.steady,
            synchronised=lambda: self.synchronised,
            marker=self.marker,
        )

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds

    def touch(self) -> None:
        self.marker.touch()
        os.utime(self.marker, (self.now, self.now))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_after_a_start_the_clock_is_not_believed_until_a_server_has_set_it(machine: Machine) -> None:
    assert not machine.keeper.look().trusted
    machine.pass_by(3600)
    assert not machine.keeper.look().trusted
    machine.synchronised = True
    assert machine.keeper.look().trusted


def test_what_was_right_stays_right_without_a_network(machine: Machine) -> None:
    machine.synchronised = True
    machine.keeper.look()
    machine.synchronised = False  # as the kernel says after some hours without a server
    machine.pass_by(7 * 86400)
    assert machine.keeper.look().trusted


def test_timesyncd_s_file_is_enough_where_the_kernel_may_not_be_asked(machine: Machine) -> None:
    assert not machine.keeper.look().trusted
    machine.touch()
    assert machine.keeper.look().trusted
    assert machine.started().look().trusted, "also after a restart of ours"


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0, 40 * 365 * 86400.0, JUMP, -JUMP])
def test_a_clock_that_was_set_is_believed_when_a_server_has_confirmed_it(machine: Machine, seconds: float) -> None:
    machine.touch()
    assert machine.keeper.look().trusted
    machine.pass_by(1)
    machine.now += seconds
    told = machine.keeper.look()
    assert not told.trusted, "the file is of before"
    assert told.jump == pytest.approx(seconds)
    machine.pass_by(1)
    assert machine.keeper.look().jump == 0
    machine.touch()
    assert machine.keeper.look().trusted


def test_a_file_that_went_away_confirms_nothing(machine: Machine) -> None:
    machine.touch()
    machine.keeper.look()
    machine.marker.unlink()
    machine.now += 3600
    assert not machine.keeper.look().trusted
    assert not machine.keeper.look().trusted


def test_a_clock_that_a_server_has_set_is_believed_at_once(machine: Machine) -> None:
    machine.touch()
    machine.keeper.look()
    machine.pass_by(1)
    machine.now += 7200
    machine.touch()
    told = machine.keeper.look()
    assert told.trusted
    assert told.jump == 7200


def test_so_is_one_of_which_the_kernel_says_so(machine: Machine) -> None:
    machine.keeper.look()
    machine.now += 7200
    machine.synchronised = True
    told = machine.keeper.look()
    assert (told.trusted, told.jump) == (True, 7200)


def test_a_clock_that_runs_fast_was_not_set(machine: Machine) -> None:
    machine.synchronised = True
    machine.keeper.look()
    machine.synchronised = False
    for _ in range(100):
        machine.pass_by(1)
        machine.now += JUMP - 0.1
        told = machine.keeper.look()
        assert (told.trusted, told.jump) == (True, 0)
        assert (told.now, told.steady) == (machine.now, machine.steady)


def test_a_clock_with_a_battery_is_believed_as_the_settings_say(machine: Machine) -> None:
    keeper = machine.started(always=True)
    assert keeper.look().trusted
    machine.now -= 7200
    told = keeper.look()
    assert (told.trusted, told.jump) == (True, -7200)


@pytest.mark.parametrize(("state", "said"), [(0, True), (1, True), (4, True), (5, False), (-1, False)])
def test_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch, state: int, said: bool) -> None:
    class Library:
        def adjtimex(self, asked: ctypes.Array[ctypes.c_char]) -> int:
            assert not any(asked.raw), "it is asked, and nothing is set"
            return state

    monkeypatch.setattr(clock, "_libc", Library)
    assert kernel_is_synchronised() is said


@pytest.mark.parametrize("library", [object(), None], ids=["no such call", "no library"])
def test_a_kernel_that_cannot_be_asked_says_no(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    def load() -> object:
        if library is None:
            raise OSError("no library")
        return library

    monkeypatch.setattr(clock, "_libc", load)
    assert not kernel_is_synchronised()


def test_the_real_clocks_answer() -> None:
    before = since_boot()
    told = TimeKeeper(marker=Path("/nowhere/synchronized")).look()
    assert abs(told.now - time.time()) < 60
    assert 0 < before <= told.steady <= since_boot()
    assert told.trusted is clock.kernel_is_synchronised()
