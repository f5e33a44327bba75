"""``kontor-bridge@NAME`` under a real systemd: in both rooms, back after a kill, and quiet beside another one."""

import json
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from appliance.health.status import ask
from tests.support import need, wait_for
from tests.systemd.guest import Guest, missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SETTINGS = """schema = 1
[host]
listen = "127.0.0.1"
port = 8080
url = "http://127.0.0.1:8080"
[[host.rooms]]
id = "lobby"
[[host.rooms]]
id = "main"
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Guest]:
    """A server with two rooms, and the files of two bridges between them."""
    need(not missing(), missing())
    guest = Guest(SETTINGS, patience=120)
    guest.put("usr/lib/systemd/system/guest.target.d/kontor-host.service.conf", "[Unit]\nWants=kontor-host.service\n")
    with guest:
        wait_for(lambda: guest.show("kontor-host.service", "ActiveState")["ActiveState"] == "active", 60)
        for name in ("north", "south"):
            folder = f"/etc/kontor/bridges/{name}"
            guest.run(f"mkdir -p -m 700 {folder}; umask 077; cd {folder}")
            for side, room in (("a", "lobby"), ("b", "main")):
                guest.run(f'umask 077; kontor host link {room} --bridge --name "{name} {side}" >{folder}/{side}')
        yield guest


def status(guest: Guest, name: str) -> Mapping[str, Any]:
    """What a bridge says of itself; empty when it does not answer."""
    try:
        return ask(guest.path(f"/run/kontor-bridge/{name}/bridge.status"), {"do": "status"}, timeout=2)
    except OSError:
        return {}


def is_open(guest: Guest, name: str) -> bool:
    said = status(guest, name)
    return bool(said) and said["a"]["closed"] == said["b"]["closed"] == []


def until_open(guest: Guest, name: str) -> None:
    try:
        wait_for(lambda: is_open(guest, name), 40)
    except AssertionError:
        raise AssertionError(f"not open: {status(guest, name)}\n{guest.journal(f'bridge@{name}')}") from None


def names(guest: Guest, room: str) -> list[str]:
    """Who is in a room, as its server says."""
    told = json.loads(guest.run(f"kontor host member list {room} --json").stdout)
    return sorted(member["name"] for member in told["members"])


def unit(guest: Guest, name: str, of: str) -> str:
    return guest.show(f"kontor-bridge@{name}.service", of)[of]


def restarted(guest: Guest, name: str, times: int) -> bool:
    return unit(guest, name, "NRestarts") == str(times)


def test_it_is_in_both_rooms_is_back_after_a_kill_and_leaves_when_it_is_stopped(server: Guest) -> None:
    server.run("systemctl start kontor-bridge@north.service")
    try:
        until_open(server, "north")
        assert (names(server, "lobby"), names(server, "main")) == (["north a"], ["north b"])
        assert unit(server, "north", "StatusText") == "Between lobby and main."
        for times in range(1, 4):
            server.run("systemctl kill --signal=KILL --kill-whom=main kontor-bridge@north.service")
            wait_for(partial(restarted, server, "north", times), 20)
            until_open(server, "north")
            assert (names(server, "lobby"), names(server, "main")) == (["north a"], ["north b"])
    finally:
        server.run("systemctl stop kontor-bridge@north.service")
    assert (unit(server, "north", "Result"), unit(server, "north", "ExecMainStatus")) == ("success", "0")
    wait_for(lambda: names(server, "lobby") == names(server, "main") == [], 5)


def test_beside_another_one_it_stands_by_without_being_started_anew_and_takes_its_place(server: Guest) -> None:
    server.run("systemctl start kontor-bridge@north.service")
    try:
        until_open(server, "north")
        server.run("systemctl start kontor-bridge@south.service")
        wait_for(lambda: status(server, "south").get("aside"), 20)
        wait_for(lambda: is_open(server, "north"), 5)
        closed_before = server.journal("bridge@north").count("event=bridge_changed")
        assert closed_before > 0, "its opening is told, so another closing would be"
        time.sleep(35)  # for as long an ending one was left alone, and then came back
        assert is_open(server, "north")
        assert server.journal("bridge@north").count("event=bridge_changed") == closed_before
        assert (unit(server, "south", "ActiveState"), unit(server, "south", "NRestarts")) == ("active", "0")
        assert "Stands aside: lobby and main are connected already" in unit(server, "south", "StatusText")
        server.run("systemctl stop kontor-bridge@north.service")
        until_open(server, "south")
    finally:
        server.run("systemctl stop kontor-bridge@north.service kontor-bridge@south.service")


def test_what_a_side_is_refused_for_is_said_and_not_tried_at_once_again(server: Guest) -> None:
    server.run(
        "mkdir -p -m 700 /etc/kontor/bridges/wrong; umask 077; cd /etc/kontor/bridges/wrong; cp ../north/a a; echo x >b"
    )
    server.run("systemctl start --no-block kontor-bridge@wrong.service")
    try:
        wait_for(lambda: "status=78" in server.journal("bridge@wrong"), 30)
        assert "kontor bridge: side B" in server.journal("bridge@wrong")
        time.sleep(5)
        assert server.journal("bridge@wrong").count("status=78") == 1
    finally:
        server.run("systemctl stop kontor-bridge@wrong.service")
