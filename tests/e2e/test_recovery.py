"""Cuts of the network, another address, another host: sound is back both ways, in real processes and namespaces."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.need import need
from tools.bench.lab import NAME, PORT, Lab

LOUD = -45.0
BACK = 5.0
"""Seconds; bench-recovery wants 2 on a machine that is not busy with other tests."""


@contextmanager
def lab(folder: Path, **more: str) -> Iterator[Lab]:
    """A host, and two devices that hear each other; nothing is left running afterwards."""
    need(os.geteuid() == 0, "network namespaces are made by root")
    need("ip", "Debian's iproute2 makes network namespaces")
    with Lab(folder, **more) as made:
        if NAME in made.url:
            made.resolve("device", "10.9.0.2")
        made.host()
        made.device("birch")
        made.device("amber")
        wait(lambda: sounds(made), 30)
        yield made


def wait(what: Callable[[], object], seconds: float) -> float:
    """Wait for it; gives the seconds that it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, f"it did not happen within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def sounds(made: Lab) -> bool:
    """Whether each device hears the other."""
    return made.level("amber") > LOUD and made.level("birch") > LOUD


def link(made: Lab) -> dict[str, Any]:
    return dict(made.status("amber", "link"))


def cut(made: Lab, seconds: float) -> float:
    """Cut the network; gives how long it then takes to be back."""
    made.cut()
    time.sleep(seconds)
    assert made.level("amber") < -60
    made.mend()
    return wait(lambda: sounds(made), BACK)


def test_a_short_cut_tears_nothing_down_and_another_address_needs_no_new_join(short_dir: Path) -> None:
    with lab(short_dir) as made:
        pid = link(made)["pid"]
        for seconds in (1.0, 2.0):
            cut(made, seconds)
            wait(lambda: link(made)["phase"] == "in_room", BACK)
        for way in ("cable", "wifi"):
            made.roam("device", way)
            time.sleep(0.3)
            wait(lambda: sounds(made), BACK)
        after = link(made)
        assert after["pid"] == pid
        assert after["counters"]["joins"] == 1
        assert after["counters"]["link_moves"] == 2
        assert after["proof"]["violations"] == 0


def test_a_mute_outlives_a_cut_and_a_new_host(short_dir: Path) -> None:
    from appliance.health.status import ask

    with lab(short_dir) as made:
        ask(short_dir / "amber" / "sound.status", {"do": "panel", "switch": "closed"})
        wait(lambda: made.level("birch") < -60, BACK)
        made.cut()
        time.sleep(1)
        made.mend()
        made.end("host", signal.SIGKILL)
        made.host()
        wait(lambda: link(made)["counters"]["joins"] == 2 and made.level("amber") > LOUD, BACK)
        time.sleep(0.5)
        assert made.level("birch") < -60
        assert made.status("amber", "sound")["gate"] == "closed"
        assert link(made)["proof"]["violations"] == 0
        ask(short_dir / "amber" / "sound.status", {"do": "panel", "switch": "open"})
        wait(lambda: sounds(made), BACK)


def test_a_host_that_is_killed_or_moved_to_another_address_is_found(short_dir: Path) -> None:
    with lab(short_dir, url=f"https://{NAME}:{PORT}") as made:
        made.end("host", signal.SIGKILL)
        time.sleep(0.5)
        made.host()
        wait(lambda: sounds(made), BACK)
        pid = link(made)["pid"]
        made.end("host", signal.SIGKILL)
        made.move_host(7)
        made.resolve("device", "10.9.7.2")
        made.host()
        wait(lambda: link(made)["counters"]["joins"] == 3 and made.level("amber") < -60, BACK)  # birch knows no name
        assert link(made)["pid"] == pid
        assert link(made)["phase"] == "in_room"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_long_cuts(short_dir: Path) -> None:
    with lab(short_dir) as made:
        for seconds in (15.0, 60.0):
            cut(made, seconds)
            time.sleep(3)
        assert link(made)["proof"]["violations"] == 0
