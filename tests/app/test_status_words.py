"""What provision and the machine say, as people read it."""

import time
from typing import Any

import pytest

from appliance.app import status_words
from appliance.commands import status
from appliance.health.machine import Machine

CONFIG: dict[str, Any] = {
    "state": "kept",
    "versions": {"all": 42, "group": 7, "device": 3},
    "digest": "ab12cd34ef",
    "since": 1_790_000_000,
    "why": "",
    "expires": None,
    "expired": False,
    "faults": [],
}
UP = {
    "name": "ethernet",
    "kind": "ethernet",
    "interface": "eth0",
    "state": "up",
    "addresses": ["192.0.2.7/24"],
    "why": "",
}
DOWN = UP | {"name": "office", "kind": "wifi", "state": "down", "addresses": [], "why": "wrong password"}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_settings_that_were_accepted() -> None:
    assert status_words.provision({"config": CONFIG}) == [
        "settings     accepted (ab12cd34), since Mon 21 Sep 2026 14:13",
        "             versions: all 42, group 7, device 3",
    ]


def test_settings_that_were_not_taken_say_why() -> None:
    config = CONFIG | {"state": "reverted", "why": "the room refused us", "faults": ["all: HTTP 500"], "versions": {}}
    assert status_words.provision({"config": config}) == [
        "settings     the last ones were taken back, those before hold (ab12cd34), since Mon 21 Sep 2026 14:13",
        "             the room refused us",
        "             all: HTTP 500",
    ]
    assert status_words.provision({"config": {"state": "defaults", "digest": "", "since": 0}}) == [
        "settings     only what this machine itself says"
    ]


@pytest.mark.parametrize(("expired", "word"), [(False, "valid until"), (True, "expired")])
def test_an_end_is_told(expired: bool, word: str) -> None:
    lines = status_words.provision({"config": CONFIG | {"expires": 1_800_000_000, "expired": expired}})
    assert f"             {word} Fri 15 Jan 2027 08:00" in lines


def test_the_network() -> None:
    network = {"manager": "virtual", "trial": True, "why": "no answer", "connections": [UP, DOWN]}
    assert status_words.provision({"network": network}) == [
        "network      ethernet: up, 192.0.2.7/24",
        "             office: down (wrong password)",
        "             a change waits to be kept",
        "             no answer",
    ]

    none = {"connections": [], "why": "", "manager": "NetworkManager 1.42.4"}
    assert status_words.provision({"network": none}) == ["network      none is up"]
    assert status_words.provision({"network": none | {"manager": ""}}) == []  # another has the network


def test_what_is_missing_and_what_is_nearby() -> None:
    found = [{"room": "kitchen", "name": "Kitchen", "url": "https://192.0.2.9"}]
    assert status_words.provision({"needs": "a room", "found": found}) == [
        "needs        a room",
        "             nearby: Kitchen (kitchen) at https://192.0.2.9",
        "             to join it hold ROOM for a second, or press KNOCK",
    ]
    assert status_words.provision({"needs": "", "found": found}) == []


def test_what_the_device_did_to_mend_itself() -> None:
    recovery = {"ills": {"the room is not reached": 70}, "last": "rejoin: the room is not reached for 60 s"}
    assert status_words.provision({"recovery": recovery}) == [
        "health       the room is not reached for 70 s",
        "             last step: rejoin: the room is not reached for 60 s",
    ]
    assert status_words.provision({"recovery": recovery | {"ills": {}}}) == [
        "health       last step: rejoin: the room is not reached for 60 s"
    ]
    assert status_words.provision({"recovery": {"ills": {}, "last": ""}}) == []


def test_the_machine_is_told_of_only_when_something_is_wrong() -> None:
    assert status_words.machine(Machine(1.0, temperature=60.0, life_used={"mmcblk0": 0.3})) == []
    sick = Machine(1.0, temperature=83.2, throttled=("under_voltage", "hot"), life_used={"mmcblk0": 0.9})
    assert status_words.machine(sick) == [
        "machine      83 °C hot, slowed down: under voltage, slowed down: hot, mmcblk0 has 90 % of its life behind it"
    ]


def test_status_has_it_all() -> None:
    lines = status.describe({"provision": {"config": CONFIG, "needs": "a room"}})
    assert lines[:2] == [
        "microphone   no answer: sound is not running, so nobody is heard",
        "room         no answer: link is not running",
    ]
    assert "settings     accepted (ab12cd34), since Mon 21 Sep 2026 14:13" in lines
    assert "needs        a room" in lines


def test_status_shows_the_key_by_which_the_server_knows_the_device() -> None:
    link = {"phase": "refused", "why": "not let in", "engine": "hosted", "room": "main", "members": 0, "speaking": []}
    proof = {"engine": "hosted", "violations": 0, "why": "", "checked_ago": None}
    lines = status.describe({"link": link | {"proof": proof, "key": "e217 e2e8 7814 4379"}})
    assert "key          e217 e2e8 7814 4379" in lines
    assert not [
        line for line in status.describe({"link": link | {"proof": proof, "key": ""}}) if line.startswith("key")
    ]


def test_what_others_say_does_not_move_the_cursor_of_whoever_reads_it() -> None:
    assert status.printed(["room  refused (\x1b[2J\u202egone)", "two\nlines · ü"]) == (
        "room  refused (\\u001b[2J\\u202egone)\ntwo\nlines · ü"
    )


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        (
            {"state": "up_to_date", "looks": True},
            ["updates      version 0.8.0 in slot a, up to date"],
        ),
        (
            {"state": "up_to_date", "looks": False},
            [
                "updates      version 0.8.0 in slot a, up to date",
                "             none are looked for: [update] url is empty",
            ],
        ),
        (
            {"state": "working", "asked": True, "found": "0.9.0", "blocks": 30, "of": 40, "fetched": 2e6, "size": 3e7},
            [
                "updates      version 0.8.0 in slot a, an update is fetched",
                "             75 % of 0.9.0 is there, 2.0 MB of 30.0 MB were fetched",
            ],
        ),
        (
            {"state": "paused", "asked": True},
            [
                "updates      version 0.8.0 in slot a, an update waits until nobody talks",
                "             somebody asked for one now: it begins when nobody talks",
            ],
        ),
        (
            {"state": "left", "looks": True, "found": "0.9.0", "why": "The room was lost."},
            [
                "updates      version 0.8.0 in slot a, the last update was left again",
                "             found: version 0.9.0",
                "             The room was lost.",
            ],
        ),
    ],
)
def test_updates(told: dict[str, Any], lines: list[str]) -> None:
    said = {"version": "0.8.0", "slot": "a", **told}
    assert status_words.update(said) == lines
    assert status_words.provision({"update": said}) == lines


def test_updates_of_what_is_no_image() -> None:
    said = {"state": "no_image"}
    assert status_words.provision({"update": said}) == []
    assert status_words.update(said) == [
        "updates      this machine was not started from an image: its packages are updated as it has them"
    ]
    assert status_words.update({}) == []
    assert status_words.update({"state": "starting", "slot": "a"}) == [
        "updates      this start has yet to prove itself"
    ]


def test_what_the_image_did_for_the_settings_is_told_when_somebody_should_know() -> None:
    quiet = {"ssh": False, "hostname": "amber", "country": "DE", "failed": {}}
    assert status_words.provision({"machine": quiet}) == []
    for word, lines in (("kept", 0), ("anew", 1), ("memory", 1)):
        assert len(status_words.provision({"machine": quiet | {"data": word}})) == lines
    told = status_words.provision({"machine": {"ssh": True, "failed": {"country": "Permission denied"}}})
    assert told == [
        "image        ssh is on: whose keys are in the settings can log in as admin",
        "             country is not as the settings say: Permission denied",
    ]
