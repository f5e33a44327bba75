import argparse
import json
import time
from pathlib import Path

import pytest

from appliance.commands import host
from appliance.core.tokens import TokenError, verify
from tests.settings.support import key_file, room

Output = pytest.CaptureFixture[str]
KEYS = {"k1": b"0123456789abcdef", "k2": b"another key of 16"}
DEVICE = f'[[host.devices]]\nid = "box"\nname = "Box"\nroom = "lobby"\npublic_key = "{"A" * 43}="\n'


def kontor(*words: str) -> int:
    parser = argparse.ArgumentParser()
    host.register(parser.add_subparsers(required=True))
    given = parser.parse_args(["host", "link", *words])
    return int(given.run(given))


@pytest.fixture
def config(tmp_path: Path) -> str:
    key_file(tmp_path, "k1")
    key_file(tmp_path, "k2").write_bytes(KEYS["k2"])
    path = tmp_path / "kontor.toml"
    keys = 'key_files = { k1 = "k1", k2 = "k2" }'
    path.write_text(f'schema = 1\n[[host.rooms]]\nid = "lobby"\ntitle = "The lobby"\n{keys}\n{DEVICE}')
    return str(path)


def refused(capsys: Output, *words: str) -> str:
    assert kontor(*words) == 64
    told = capsys.readouterr()
    assert told.out == ""
    return told.err.strip()


def test_the_link_lets_its_person_in(config: str, capsys: Output) -> None:
    assert kontor("lobby", "--name", "Änne Müller", "--config", config) == 0
    told = capsys.readouterr()
    page, token = told.out.strip().split("#")
    assert page == "http://localhost:8080/lobby"
    claims = verify(token, KEYS, time.time(), "lobby")
    assert (claims.identity, claims.name, claims.role, claims.kind) == (
        "anne-muller",
        "Änne Müller",
        "speaker",
        "person",
    )
    assert claims.key_id == "k1"
    assert claims.expires - time.time() == pytest.approx(30 * 86400, abs=60)
    assert told.err.startswith("For Änne Müller as speaker in The lobby, good until 2")
    assert "It works on this machine only." in told.err
    assert token not in told.err


def test_the_link_is_as_it_was_asked_for(config: str, capsys: Output) -> None:
    words = (
        "--name",
        "Ann",
        "--role",
        "admin",
        "--days",
        "1",
        "--id",
        "ann-2",
        "--key",
        "k2",
        "--url",
        "https://X.example/",
    )
    assert kontor("lobby", *words, "--config", config, "--json") == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert told.err == ""
    assert found["link"].startswith("https://x.example/lobby#")
    claims = verify(found["link"].split("#")[1], {"k2": KEYS["k2"]}, time.time(), "lobby")
    assert (claims.identity, claims.role, claims.key_id) == ("ann-2", "admin", "k2")
    assert found["expires"] == claims.expires
    with pytest.raises(TokenError):
        verify(found["link"].split("#")[1], KEYS, time.time() + 86400, "lobby")


def more_rooms(config: str) -> None:
    path = Path(config)
    rooms = "".join(f'[[host.rooms]]\nid = "{each}"\nkey_files = {{ k1 = "k1" }}\n' for each in ("attic", "cellar"))
    path.write_text(path.read_text() + rooms)


def entered(link: str) -> list[str]:
    """The rooms that a link lets into, each proven by its token."""
    opened = []
    for token in link.split("#")[1].split("&"):
        (room,) = [each for each in ("lobby", "attic", "cellar") if opens(token, each)]
        opened.append(room)
    return opened


def opens(token: str, room: str) -> bool:
    try:
        return verify(token, KEYS, time.time(), room).identity == "ann"
    except TokenError:
        return False


def test_one_link_for_several_rooms_and_for_all(config: str, capsys: Output) -> None:
    more_rooms(config)
    assert kontor("cellar", "lobby", "cellar", "--name", "Ann", "--config", config) == 0
    told = capsys.readouterr()
    assert told.out.startswith("http://localhost:8080/#"), "several rooms are seen side by side first"
    assert entered(told.out.strip()) == ["cellar", "lobby"]
    assert "in cellar, The lobby, good until" in told.err
    assert kontor("--all", "--name", "Ann", "--config", config, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert entered(found["link"]) == ["lobby", "attic", "cellar"]
    assert found["rooms"][0] == {"room": "lobby", "title": "The lobby", "key_id": "k1"}
    assert (found["identity"], found["name"], found["role"]) == ("ann", "Ann", "speaker")


def test_a_link_for_no_room_or_for_one_that_is_not_there_is_none(config: str, capsys: Output) -> None:
    more_rooms(config)
    for words in ((), ("lobby", "--all")):
        assert "name a room or several" in refused(capsys, *words, "--name", "Ann", "--config", config)
    assert "no such room" in refused(capsys, "lobby", "attik", "--name", "Ann", "--config", config)
    only_there = refused(capsys, "--all", "--key", "k2", "--name", "Ann", "--config", config)
    assert 'the room "attic" has no key "k2"' in only_there


def test_a_public_address_works_elsewhere(config: str, capsys: Output) -> None:
    assert kontor("lobby", "--name", "Ann", "--url", "https://x.example", "--config", config) == 0
    assert "this machine only" not in capsys.readouterr().err


def test_refuses_what_makes_no_link(config: str, capsys: Output) -> None:
    name = ("--name", "Ann", "--config", config)
    assert refused(capsys, "loby", *name) == 'kontor host link: there is no such room. Did you mean "lobby"?'
    assert refused(capsys, "xyz", *name) == "kontor host link: there is no such room. There are: lobby."
    assert refused(capsys, "lobby", *name, "--id", "box").endswith(
        '"box" is a device of this server, name another --id.'
    )
    assert refused(capsys, "lobby", *name, "--key", "k3").endswith('the room "lobby" has no key "k3", it has: k1, k2.')
    assert "--url must be like https://" in refused(capsys, "lobby", *name, "--url", "x")
    assert '"name"' in refused(capsys, "lobby", "--name", "a\nb", "--config", config)
    assert '"identity"' in refused(capsys, "lobby", *name, "--id", "A B")


def test_the_device_of_a_box_that_is_its_own_server_is_not_replaced_by_a_person(config: str, capsys: Output) -> None:
    own = ("lobby", "--name", "Attic Two", "--config", config)
    with Path(config).open("a") as file:
        file.write('[device]\nname = "Attic Two"\n')
    assert kontor(*own) == 0, "here it is a device of no server of ours"
    capsys.readouterr()
    with Path(config).open("a") as file:
        file.write("[host]\nenabled = true\n")
    assert refused(capsys, *own).endswith('"attic-two" is a device of this server, name another --id.')


def test_a_port_that_is_not_known_asks_for_the_address(config: str, capsys: Output) -> None:
    with Path(config).open("a") as file:
        file.write("[host]\nport = 0\n")
    assert "give its address with --url" in refused(capsys, "lobby", "--name", "Ann", "--config", config)


def test_a_server_without_rooms_says_so(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "a.toml").write_text("schema = 1")
    told = refused(capsys, "lobby", "--name", "Ann", "--config", str(tmp_path / "a.toml"))
    assert told.endswith("this server has no rooms yet, write one into the settings: [[host.rooms]]")


def test_wrong_settings_end_it_with_78(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "a.toml").write_text("schema = 1\n" + room(tmp_path / "missing"))
    assert kontor("lobby", "--name", "Ann", "--config", str(tmp_path / "a.toml")) == 78
    assert "names a file that does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["0", "3651", "-1", "1.5", "x", "9" * 9, "²"])
def test_refuses_odd_days(days: str, config: str, capsys: Output) -> None:
    with pytest.raises(SystemExit):
        kontor("lobby", "--name", "Ann", "--days", days, "--config", config)
    assert "must be a whole number from 1 to 3650" in capsys.readouterr().err


def test_a_guest_has_a_link_too(config: str, capsys: Output) -> None:
    assert kontor("lobby", "--name", "Gus", "--role", "guest", "--config", config) == 0
    token = capsys.readouterr().out.strip().split("#")[1]
    assert verify(token, KEYS, time.time(), "lobby").role == "guest"


def test_the_settings_may_be_named_before_the_action(config: str, capsys: Output) -> None:
    parser = argparse.ArgumentParser()
    host.register(parser.add_subparsers(required=True))
    given = parser.parse_args(["host", "--config", config, "link", "lobby", "--name", "Ann"])
    assert given.run(given) == 0
    assert "/lobby#" in capsys.readouterr().out


def test_keys_that_the_host_keeps_and_cannot_be_read(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "kontor.toml"
    path.write_text(f'schema = 1\n[device]\nstate_dir = "{tmp_path}"\n[[host.rooms]]\nid = "lobby"\n')
    name = ("--name", "Ann", "--config", str(path))
    assert kontor("lobby", *name) == 0
    keys = tmp_path / "host" / "rooms" / "lobby" / "keys.json"
    assert keys.stat().st_mode & 0o777 == 0o600
    capsys.readouterr()
    keys.write_text("junk")
    assert "keys.json is damaged" in refused(capsys, "lobby", *name)
