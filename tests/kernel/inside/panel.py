"""What hands, broken wires and lost chips do to a panel on pins that are real to Linux."""

from __future__ import annotations

import os
import select
import threading
import time
from dataclasses import replace
from typing import Any, Self

import gpiod
from gpiod.line import Bias, Direction, Edge

from appliance.app.panels import layout_of
from appliance.core.lamps import Sign
from appliance.media.exchange_messages import Speaker
from appliance.panel.port import View
from appliance.panel.renderer import HOLD, RingState, render
from tests.kernel.inside import pins
from tests.kernel.inside.listener import until
from tests.kernel.inside.pins import LIVE, MIC, MUTE, ROOM, SPEAK, TALK, UP, bounce, open_up, panel
from tools.kernel.gpio_sim import Chip, tell_edges

TALKERS = (Speaker(0, 0, -20, False), Speaker(3, 4, -30, False), Speaker(5, 8, -40, False))
BARE = 4
"""A pin that is no panel's."""
_REST = 0.3
"""Seconds after which every contact has come to rest and every level has been read again."""


def mute_switch() -> dict[str, Any]:
    """A switch whose contacts bounce, both ways; and in which order gate and lamp follow."""
    with pins.chip() as chip, panel() as (made, room):
        started = room.words()
        since = open_up(chip, made, room)
        room.looks = lambda: "MIC dark" if chip.level(MIC) else "MIC lit"
        bounce(chip, MUTE, up=False)
        time.sleep(_REST)
        closing = room.seen[since:]
        since = len(room.told)
        room.gate.decided()
        bounce(chip, MUTE, up=True)
        began = time.monotonic()
        opened = room.wait("switch opened", since) - began
        time.sleep(_REST)
        return {
            "started": started,
            "closing": closing,
            "opening": room.words(since),
            "opened_after": opened,
            "name": made.name,
            "problem": made.problem,
        }


def mute_button() -> list[list[str]]:
    """A button that springs back: a bouncing press on an open microphone, one on a closed one, and a spike."""
    told = []
    with pins.chip() as chip, panel(mute="momentary") as (made, room):
        room.wait("panel found")
        for is_open in (True, False):
            if is_open:
                room.open()
                made.show(LIVE)
                until(lambda: chip.level(MIC), pins.SOON, "MIC is dark")
            told.append(_pressed(chip, room, MUTE, _REST))
            time.sleep(0.5)  # a gate that closed just now counts as open
        told.append(_pressed(chip, room, MUTE, 0.0))
    return told


def buttons() -> dict[str, list[str]]:
    """ROOM for a moment and for long, TALK for a moment, VOLUME held, KNOCK."""
    with pins.chip() as chip, panel(repeat_ms=200, long_press_ms=600) as (_made, room):
        room.wait("panel found")
        return {
            "ROOM, short": _pressed(chip, room, ROOM, 0.2),
            "ROOM, long": _pressed(chip, room, ROOM, 1.5),
            "TALK": _pressed(chip, room, TALK, 0.2),
            "VOLUME +, short": _pressed(chip, room, UP, 0.1),
            "VOLUME +, held": _pressed(chip, room, UP, 2.0),
            "KNOCK": _pressed(chip, room, pins.KNOCK, 0.2),
        }


def lost_edges() -> dict[str, Any]:
    """The kernel tells no edge of the switch any more: seconds until the panel sees the level by itself."""
    with pins.chip() as chip, panel() as (made, room):
        since = open_up(chip, made, room)
        deaf = tell_edges(os.getpid(), MUTE, told=False)
        moved = time.monotonic()
        chip.pull(MUTE, up=False)
        closed = room.wait("gate closed", since) - moved
        until(lambda: not chip.level(MIC), pins.SOON, "MIC is lit")
        time.sleep(_REST)
        closing = room.words(since)
        since = len(room.told)
        chip.pull(MUTE, up=True)
        time.sleep(4 * _REST)
        return {"deaf": deaf, "closed": closed, "closing": closing, "opening": room.words(since)}


def claimed() -> dict[str, Any]:
    """Another program has the pin of the switch; then it lets it go."""
    with pins.chip() as chip:
        settings = gpiod.LineSettings(direction=Direction.INPUT)
        path = f"/dev/gpiochip{chip.number}"
        other = gpiod.request_lines(path, consumer="another", config={MUTE: settings})
        with panel() as (made, room):
            until(lambda: made.problem, pins.SOON, "it is told")
            problem, told, lit = made.problem, room.words(), not chip.level(MIC)
            other.release()
            room.wait("panel found")
            chip.pull(MUTE, up=True)
            room.wait("switch opened")
            return {"problem": problem, "told": told, "lit": lit, "then": room.words(len(told)), "well": made.problem}


def broken_wires() -> dict[str, Any]:
    """Nothing is wired at the start; then the switch's wire breaks while the microphone is open."""
    with pins.chip() as chip, panel() as (made, room):
        time.sleep(_REST)
        loose = room.words()
        pulls = {line: "up" if chip.pulled_up(line) else "down" for line in pins.CONTACTS}
        since = open_up(chip, made, room)
        chip.pull(MUTE, up=False)  # what is left is the pull-down of the chip
        room.wait("gate closed", since)
        until(lambda: not chip.level(MIC), pins.SOON, "MIC is lit")
        return {"loose": loose, "pulls": pulls, "broken": room.words(since)}


def another_number() -> dict[str, Any]:
    """Another chip came first, and the panel's own is number 1; it is found by its label. Then both change places."""
    with Chip("another", lines=8, name="another") as first, pins.chip() as chip, panel() as (made, room):
        numbers = [chip.number]
        since = open_up(chip, made, room)
        first.unplug()
        chip.unplug()
        room.wait("panel lost", since)
        closed, problem = not room.gate.is_open, made.problem
        since = len(room.told)
        chip.plug()
        numbers.append(chip.number)
        room.wait("panel found", since)
        chip.pull(MUTE, up=True)
        room.wait("switch opened", since)
        first.plug()
        return {
            "numbers": numbers,
            "closed": closed,
            "problem": problem,
            "again": room.words(since),
            "well": made.problem,
        }


def gone(times: int) -> dict[str, Any]:
    """The chip goes while the microphone is open, and comes back."""
    rows = []
    with pins.chip() as chip, panel() as (made, room):
        for _ in range(times):
            since = open_up(chip, made, room)
            pulled = time.monotonic()
            chip.unplug()
            lost = room.wait("panel lost", since)
            closed, problem = not room.gate.is_open, made.problem
            time.sleep(_REST)
            back = time.monotonic()
            since = len(room.told)
            chip.plug()
            rows.append(
                {
                    "noticed": lost - pulled,
                    "closed": closed,
                    "problem": problem,
                    "back": room.wait("panel found", since) - back,
                    "found": room.words(since)[:2],
                    "lit": not chip.level(MIC),
                }
            )
            room.gate.decided()
    return {"rows": rows, "problem": made.problem}


def lamps() -> dict[str, Any]:
    """SPEAK dark, half lit and lit: the share of the time in which its pin is high; and MIC once all is over."""
    looks, shares = 400, []
    with pins.chip() as chip:
        with panel() as (made, room):
            open_up(chip, made, room)
            for brightness in (0.0, 0.5, 1.0):
                sign = Sign.STEADY if brightness else Sign.OFF
                made.show(View(replace(LIVE.lamps, speak=sign, brightness=brightness)))
                time.sleep(_REST)
                shares.append(sum(_look(chip, SPEAK) for _ in range(looks)) / looks)
        return {"shares": shares, "lit_after": not chip.level(MIC)}


def ring(device: str) -> dict[str, str]:
    """Three people talk, then nobody: what the ring has to show, as the renderer has it. The host looks at the wires."""
    quiet = View(replace(LIVE.lamps, mic=Sign.STEADY))
    views = {"three talk": replace(quiet, speakers=TALKERS), "nobody": quiet}
    wanted = {}
    with pins.chip(), panel(pixels=12, spi=device) as (made, room):
        room.wait("panel found")
        for name, view in views.items():
            made.show(view)
            time.sleep(HOLD + _REST)
            assert not made.problem, made.problem
            layout = layout_of(pins.settings(pixels=12).panel)
            wanted[name] = render(RingState(), view, 0.0, layout)[1].pixels.hex()
    return wanted


def presses(times: int, device: str) -> dict[str, list[float]]:
    """Milliseconds from the moment at which a contact moves to the closed gate, and until the room was told behind the lamp.

    Three people talk meanwhile, and the ring shows it. And to a thread that only waits for an edge, with nothing of ours
    between the kernel and it.
    """
    found: dict[str, list[float]] = {"gate": [], "lamp": [], "bare": []}
    with pins.chip() as chip, panel(debounce_ms=5, pixels=12, spi=device) as (made, room), _Bare(chip) as bare:
        for turn in range(times):
            open_up(chip, made, room)
            made.show(replace(LIVE, speakers=tuple(one._replace(level=-7 * (turn % 8)) for one in TALKERS)))
            time.sleep(0.002 + 0.0007 * (turn % 29))
            found["bare"].append(bare.moved(up=turn % 2 == 0))
            since, moved = len(room.told), time.monotonic()
            chip.pull(MUTE, up=False)
            found["lamp"].append(1000 * (room.wait("switch closed", since) - moved))
            found["gate"].append(1000 * (room.wait("gate closed", since) - moved))
            assert not chip.level(MIC), "MIC is lit"
            time.sleep(0.01)  # it comes to rest
    return found


class _Bare:
    """A thread that waits for edges of one line, by gpiod alone."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        settings = gpiod.LineSettings(direction=Direction.INPUT, bias=Bias.PULL_DOWN, edge_detection=Edge.BOTH)
        self._request = gpiod.request_lines(f"/dev/gpiochip{chip.number}", consumer="bare", config={BARE: settings})
        self._woken: list[float] = []
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="bare")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._thread.join()
        self._request.release()

    def moved(self, up: bool) -> float:
        """Move the line; milliseconds until the thread was awake."""
        count, moved = len(self._woken), time.monotonic()
        self._chip.pull(BARE, up)
        until(lambda: len(self._woken) > count, pins.SOON, "an edge")
        return 1000 * (self._woken[count] - moved)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._request.fd, select.POLLIN)
        while not self._ends:
            if poll.poll(500):
                self._woken.append(time.monotonic())
                self._request.read_edge_events()


def _pressed(chip: Chip, room: pins.Room, line: int, seconds: float) -> list[str]:
    """Press a button against its pull-up for so long, with bounces; 0: a spike. What was told."""
    since = len(room.told)
    if seconds:
        bounce(chip, line, up=False)
        time.sleep(seconds)
        bounce(chip, line, up=True)
    else:
        chip.pull(line, up=False)
        chip.pull(line, up=True)
    time.sleep(_REST)
    return room.words(since)


def _look(chip: Chip, line: int) -> bool:
    time.sleep(0.0003)
    return chip.level(line)
