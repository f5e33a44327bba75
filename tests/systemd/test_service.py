"""Start, stall, kill and loss under a real systemd: the device is back in its room by itself, and never open by mistake."""

import contextlib
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wait_for
from tests.systemd.figures import FIGURES
from tests.systemd.guest import ROOT, SERVICES, Guest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_TIMES = 20
"""How often each process is killed."""


def restarts(guest: Guest, part: str) -> int:
    return int(guest.show(f"kontor-{part}.service", "NRestarts")["NRestarts"])


def said(guest: Guest, part: str) -> str:
    """What ``systemctl status`` shows of a service, in its own words."""
    return guest.show(f"kontor-{part}.service", "StatusText")["StatusText"]


def state(guest: Guest, part: str, of: str = "ActiveState") -> str:
    """As systemd sees a service."""
    return guest.show(f"kontor-{part}.service", of)[of]


def kill(guest: Guest, part: str) -> None:
    """Kill -9, and wait until it runs again."""
    pid = guest.pid(part)
    guest.run(f"systemctl kill --signal=KILL --kill-whom=main kontor-{part}.service")
    wait_for(lambda: guest.pid(part) not in (0, pid), 20, f"{part} was not started anew")
    wait_for(lambda: state(guest, part) == "active", 30)


@pytest.fixture(autouse=True)
def begins_and_ends_in_the_room(guest: Guest) -> Iterator[None]:
    guest.until_in_call()
    yield
    guest.until_in_call()


def test_all_services_are_ready_and_say_in_words_how_they_are(guest: Guest) -> None:
    for part in SERVICES:
        found = guest.show(f"kontor-{part}.service", "ActiveState", "StatusText", "NRestarts", "User", "Group")
        assert found["ActiveState"] == "active", part
        assert (found["User"], found["Group"]) == (f"kontor-{part}", "kontor")
    wait_for(lambda: said(guest, "sound") == "The microphone is open.")
    wait_for(lambda: said(guest, "link") == "In the room main.")


def test_ready_comes_after_the_gate_is_known(guest: Guest) -> None:
    guest.run("systemctl restart kontor-sound.service")  # it returns with READY
    assert "starting" not in guest.status("sound")["reasons"]


def test_folders_and_sockets_belong_to_whom_they_should(guest: Guest) -> None:
    found = guest.run(
        "stat -c '%n %U %G %a' /run/kontor /run/kontor/* /var/lib/kontor /var/lib/kontor/* /var/lib/kontor/secrets/*"
        " /var/lib/kontor/link/* /var/lib/kontor/sound/*"
    ).stdout
    table = dict(line.split(" ", 1) for line in found.splitlines())
    assert table["/run/kontor"] == "root kontor 1770"
    assert table["/run/kontor/exchange"] == "kontor-sound kontor-link 660"
    for part in ("sound", "link", "provision"):
        assert table[f"/run/kontor/{part}.status"] == f"kontor-{part} kontor 660"
    assert table["/var/lib/kontor"] == "root root 755"
    assert table["/var/lib/kontor/sound"] == "kontor-sound kontor 700"
    assert table["/var/lib/kontor/link"] == "kontor-link kontor 750"
    assert table["/var/lib/kontor/host"] == "kontor-host kontor 700"
    assert table["/var/lib/kontor/provision"] == "kontor-provision kontor 700"
    assert table["/var/lib/kontor/settings"] == "kontor-provision kontor 750"
    for part in ("link", "host", "provision"):
        assert table[f"/var/lib/kontor/secrets/{part}"] == f"kontor-provision kontor-{part} 2750"
    assert table["/var/lib/kontor/link/device.key"] == "kontor-link kontor 600"
    assert table["/var/lib/kontor/link/device.pub"] == "kontor-link kontor 644"
    assert table["/var/lib/kontor/sound/mute.json"] == "kontor-sound kontor 600"


@contextlib.contextmanager
def stalled(pid: int, which: str) -> Iterator[None]:
    """One thread of a process stands still."""
    command = [sys.executable, "-m", "tests.systemd.stall", str(pid), which]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "held\n"
            yield
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                holder.wait(20)
            holder.kill()


@pytest.mark.parametrize(
    ("part", "which"), [("sound", "audio"), ("sound", "panel"), ("sound", "loop"), ("link", "audio"), ("link", "loop")]
)
def test_what_stalls_is_started_anew_and_back_in_the_room(guest: Guest, part: str, which: str) -> None:
    """For link "audio" is the thread that answers sound's blocks."""
    before, pid = restarts(guest, part), guest.pid(part)
    with stalled(pid, which):
        began = time.monotonic()
        wait_for(lambda: restarts(guest, part) > before, 20, f"{part} was not started anew")
        guest.until_in_call()
        took = time.monotonic() - began
    assert guest.pid(part) != pid
    assert "Watchdog timeout" in guest.journal(part)
    if (part, which) == ("sound", "audio"):
        FIGURES.add(
            "systemd.watchdog_recover_s",
            took,
            "s",
            note="an audio thread stands still, until the microphone is open in the room again; 4 s of it are the watchdog's",
        )
    assert took < 30


def test_a_stopped_process_is_started_anew_too(guest: Guest) -> None:
    before = restarts(guest, "host")
    guest.run("systemctl kill --signal=STOP --kill-whom=main kontor-host.service")
    wait_for(lambda: restarts(guest, "host") > before, 30)


@pytest.mark.parametrize("part", SERVICES)
def test_killed_twenty_times_it_is_back_twenty_times(guest: Guest, part: str) -> None:
    before = restarts(guest, part)
    slowest = 0.0
    for _ in range(_TIMES):
        began = time.monotonic()
        kill(guest, part)
        guest.until_in_call()
        slowest = max(slowest, time.monotonic() - began)
    assert restarts(guest, part) == before + _TIMES
    FIGURES.add(
        f"systemd.killed_{part}_s", slowest, "s", note=f"the slowest of {_TIMES} returns into the room after kill -9"
    )


def test_a_mute_outlives_the_kill(guest: Guest) -> None:
    guest.ask("sound", {"do": "panel", "switch": "closed"})
    wait_for(lambda: guest.status("sound").get("gate") == "closed")
    kill(guest, "sound")
    wait_for(lambda: guest.status("sound").get("exchange_connected"), 20)
    assert guest.status("sound")["gate"] == "closed"
    wait_for(lambda: said(guest, "sound") == "The microphone is closed: switch.")
    guest.ask("sound", {"do": "panel", "switch": "open"})


def test_the_path_of_the_exchange_is_made_anew_once_it_is_needed(guest: Guest) -> None:
    guest.run("rm /run/kontor/exchange")
    time.sleep(2)
    assert guest.in_call(), "whoever is connected is not disturbed"
    guest.run("systemctl kill --signal=KILL --kill-whom=main kontor-link.service")
    guest.until_in_call(40)
    path = guest.path("/run/kontor/exchange")
    assert stat.S_ISSOCK(path.stat().st_mode)
    guest.run("systemctl restart kontor-sound.service")
    assert guest.show("kontor-exchange.socket", "ActiveState")["ActiveState"] == "active", "systemd's own again"


def test_a_sound_that_was_stopped_stays_stopped_whatever_link_does(guest: Guest) -> None:
    """A socket starts its service for whoever connects; link connects all the time, and somebody else may have taken it over."""
    guest.run("systemctl stop kontor-sound.service")
    time.sleep(3)
    kill(guest, "link")
    time.sleep(3)
    assert guest.pid("sound") == 0
    assert not guest.path("/run/kontor/exchange").exists()
    guest.run("systemctl start kontor-sound.service")
    guest.until_in_call()


def test_a_stop_is_orderly_and_the_target_takes_all_of_a_device_along(guest: Guest) -> None:
    guest.run("systemctl stop kontor.target")
    for part in ("sound", "link", "provision"):
        wait_for(lambda: state(guest, part) == "inactive", 20, part)  # noqa: B023 - asked at once
        assert state(guest, part, "Result") == "success", part
    assert guest.pid("host"), "the server is no part of the device"
    assert "event=sound_stopped" in guest.journal("sound")
    guest.run("systemctl start kontor.target")


def test_settings_that_are_refused_are_tried_again_only_now_and_then(guest: Guest) -> None:
    def how() -> dict[str, str]:
        return guest.show("kontor-link.service", "SubState", "ExecMainStatus")

    waits = {"SubState": "stop-post", "ExecMainStatus": "78"}
    config = guest.path("/etc/kontor/kontor.toml")
    right = config.read_text()
    try:
        config.write_text(right + "[lamps]\n")
        guest.run("systemctl restart --no-block kontor-link.service")
        wait_for(lambda: how() == waits, 30)
        before = restarts(guest, "link")
        time.sleep(5)
        assert (how(), restarts(guest, "link")) == (waits, before)
        assert "lamps" in guest.journal("link"), "the journal says what is wrong"
    finally:
        config.write_text(right)
        guest.run("systemctl restart kontor-link.service")  # who mended it need not wait


def test_a_killed_sound_leaves_fault_lit(guest: Guest) -> None:
    """The lamps of the kernel's LED drivers, as files: this guest has none."""
    lamps = "/sys/devices/platform/kontor-leds/leds"
    guest.run(
        "set -e; mount -t tmpfs tmpfs /sys/devices/platform; mount -t tmpfs tmpfs /sys/class; mkdir /sys/class/leds; "
        f"for led in amber:fault white:speak; do mkdir -p {lamps}/kontor:$led; cd {lamps}/kontor:$led; "
        "echo 1 >max_brightness; echo 1 >brightness; echo default-on >trigger; chgrp gpio brightness trigger; "
        f"chmod g+w brightness trigger; ln -s {lamps}/kontor:$led /sys/class/leds/kontor:$led; done; "
        f"echo 0 >{lamps}/kontor:amber:fault/brightness; systemctl restart kontor-sound.service"
    )
    fault, speak = (guest.path(f"{lamps}/kontor:{led}") for led in ("amber:fault", "white:speak"))
    try:
        guest.until_in_call()
        guest.run("systemctl kill --signal=KILL --kill-whom=main kontor-sound.service")
        wait_for(lambda: (fault / "brightness").read_text() == "1\n", what="FAULT stays dark")
        assert (fault / "trigger").read_text() == "none\n", "nothing else blinks it"
        assert (speak / "brightness").read_text() == "0\n"
        (fault / "brightness").write_text("0\n")
        guest.until_in_call()
        guest.run("systemctl restart kontor-sound.service")
        assert (fault / "brightness").read_text() == "0\n", "an orderly end is no fault"
    finally:
        guest.run("umount /sys/class /sys/devices/platform; systemctl restart kontor-sound.service")


def test_somebody_else_may_not_record(guest: Guest) -> None:
    """A recording is asked for by root; whoever took over link would be refused."""
    program = (
        "import sys; from pathlib import Path; from appliance.health.status import ask; "
        "print(ask(Path('/run/kontor/sound.status'), {'do': 'record', 'seconds': 1, 'channels': 'all'}))"
    )
    guest.path("/tmp/ask.py").write_text(program)
    done = guest.run("setpriv --reuid=kontor-link --regid=kontor --clear-groups /usr/bin/guest-python /tmp/ask.py")
    assert "only root may ask this" in done.stdout
    done = guest.run("/usr/bin/guest-python /tmp/ask.py")
    assert "only root may ask this" not in done.stdout


def test_link_alone_reaches_the_microphone(guest: Guest) -> None:
    """A newer connection takes the place of the one before: any other service that was taken over would be heard and hear."""
    program = "import socket as s; s.socket(s.AF_UNIX, s.SOCK_SEQPACKET).connect('/run/kontor/exchange')"
    guest.path("/tmp/knock.py").write_text(program)
    for part in ("host", "provision"):
        groups = f"--regid=kontor --groups=kontor,kontor-{part}"
        done = guest.run(f"setpriv --reuid=kontor-{part} {groups} /usr/bin/guest-python /tmp/knock.py", check=False)
        assert "PermissionError" in done.stderr, part
    guest.until_in_call()


def test_none_runs_as_root_or_could_become_it(guest: Guest) -> None:
    for part in SERVICES:
        status = Path(f"/proc/{guest.pid(part)}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in fields["Uid"].split(), part
        assert int(fields["CapEff"], 16) == 0
        assert int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"] == "1"
        assert fields["Seccomp"] == "2"
