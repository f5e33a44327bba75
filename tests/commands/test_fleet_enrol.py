"""A list of rooms becomes one kontor.toml a room: what the list may look like, and what is said of a wrong one."""

import tomllib
from pathlib import Path

import pytest

from appliance.commands.fleet_enrol import MOST_ROWS, BadList, Row, read_list, rows_of
from appliance.commands.host_control import HostSays
from appliance.provisioning.signing import SecretKey, public_file
from appliance.settings.card import Card, kontor_toml, wifi_toml
from tests.host.test_control import Output, config, running

__all__ = ["config"]
ROOMS = ("studio", "attic")


def test_columns_in_any_order_and_as_excel_writes_them() -> None:
    expected = [Row("buro-2", "Büro 2", "attic", "Office", "correct horse"), Row("r3", "Room 3", "studio")]
    for text in (
        "name,id,room,ssid,password\nBüro 2,,attic,Office,correct horse\nRoom 3,r3,studio,,\n",
        "Name;Room;SSID;Password;ID\r\nBüro 2;attic;Office;correct horse;\r\nRoom 3;studio;;;r3\r\n",
        'password,name,id,ssid,room\n"correct horse","Büro 2",,Office,attic\n,Room 3,r3,,studio',
    ):
        assert rows_of(text, ROOMS) == expected
    assert rows_of("name\nRoom 3", ("only",)) == [Row("room-3", "Room 3", "only")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nmae\nRoom 3", 'line 1: there is no column "nmae". Did you mean "name"?'),
        ("room\nstudio", "line 1: names the columns, each once, and name among them."),
        ("name,name\na,b", "line 1: names the columns, each once, and name among them."),
        ("name,room\n", "It has 0 rooms; from 1 to 1000 can be made at a time."),
        ("", "line 1: names the columns, each once, and name among them."),
        ("name,room\nRoom 3,studoi", 'line 2: there is no room "studoi". Did you mean "studio"?'),
        ("name\nRoom 3", "line 2: room is missing. There are: studio, attic."),
        (
            "name,room,id\nRoom 3,studio,Room 3",
            'line 2: "Room 3" is no id: small letters, digits, ".", "_" and "-", the first a letter or a digit.',
        ),
        (
            "name,room,id\nRoom 3,studio,..",
            'line 2: ".." is no id: small letters, digits, ".", "_" and "-", the first a letter or a digit.',
        ),
        ("name,room\n ,studio", "line 2: name has to be 1 to 64 printable characters."),
        ("name,room\nA,studio\nB,studio\nA,attic", 'line 4: the id "a" is that of line 2.'),
        ("name,room\nA,studio,x", "line 2: has more values than columns."),
        (
            "name,room,group\nA,studio,Bonn",
            'line 2: "Bonn" is no group: small letters, digits, ".", "_" and "-", the first a letter or a digit.',
        ),
        ("name,room,password\nA,studio,secret123", "line 2: has a password and no ssid."),
        ("name,room,ssid,password\nA,studio,Office,short", "line 2: password has to have 8 to 63 characters."),
        ("name,room,ssid\nA,studio," + "s" * 33, "line 2: ssid has more than 32 bytes."),
        ('name,room\n"A,studio', "It is no CSV: unexpected end of data."),
    ],
)
def test_what_is_said_of_a_wrong_list(text: str, said: str) -> None:
    with pytest.raises(BadList) as bad:
        rows_of(text, ROOMS)
    assert str(bad.value).splitlines()[-1] == said


def test_all_errors_are_told_at_once_and_a_password_in_none_of_them() -> None:
    with pytest.raises(BadList) as bad:
        rows_of("name,room,password\nA,no,secret\n,studio,secret", ROOMS)
    assert [line[:7] for line in str(bad.value).splitlines()] == ["line 2:"] * 3 + ["line 3:"] * 3
    assert "secret" not in str(bad.value) and "secret" not in repr(Row("a", "A", "b", "c", "secret"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    wrong = tmp_path / "rooms.csv"
    with pytest.raises(HostSays, match="cannot be read: No such file"):
        read_list(wrong, ROOMS)
    wrong.write_bytes("name\nBüro".encode("latin-1"))
    with pytest.raises(HostSays, match="is not UTF-8"):
        read_list(wrong, ROOMS)
    wrong.write_text("name,room\n" + "a,studio\n" * (MOST_ROWS + 1))
    with pytest.raises(HostSays, match=r"rooms\.csv: It has 1001 rooms"):
        read_list(wrong, ROOMS)
    wrong.write_bytes(b"x" * (1024 * 1024 + 1))
    with pytest.raises(HostSays, match="It is larger than 1048576 bytes"):
        read_list(wrong, ROOMS)


def test_whatever_a_name_is_the_file_is_right_toml() -> None:
    nasty = 'a"b\\c\n\u202e#'
    card = Card("a", nasty, "https://x", "r", "t" * 43, 0, bytes(32), "-----BEGIN CERTIFICATE-----\nAA==\n-----END\n")
    found = tomllib.loads(kontor_toml(card) + wifi_toml('O"', "p\\w12345") + wifi_toml("Open", ""))
    assert found["device"]["name"] == nasty
    assert found["network"]["ca"].startswith("-----BEGIN CERTIFICATE-----\nAA==")
    assert found["network"]["wifi"] == [
        {"ssid": 'O"', "password": "p\\w12345"},
        {"ssid": "Open", "security": "open"},
    ]
    assert "t" * 43 not in repr(card)


async def test_cards_of_devices_that_follow(config: Path, capsys: Output, tmp_path: Path) -> None:  # the fixture
    rooms, cards, key = tmp_path / "rooms.csv", tmp_path / "cards", SecretKey(bytes(8), bytes(32)).public
    rooms.write_text("name,room,group\nOne,studio,bonn\nTwo,attic,\n")
    (tmp_path / "kontor.key.pub").write_bytes(public_file(key))
    async with running(config, capsys) as (keeper, _):
        words = ["fleet", "enrol", str(rooms), "--out", str(cards), "--config", str(config)]
        assert "name the folder with --follow" in await keeper.kontor(*words, code=64)
        words += ["--follow", "https://config.example.org/x"]
        assert "needs provisioning.keys beside it" in await keeper.kontor(*words, code=64)
        assert "no public key of minisign" in await keeper.kontor(*words, "--trust", "x", code=64)
        assert not cards.exists()
        await keeper.kontor(*words, "--trust", str(tmp_path / "kontor.key.pub"))
    one, two = (tomllib.loads((cards / who / "kontor.toml").read_text())["provisioning"] for who in ("one", "two"))
    assert one == {"url": "https://config.example.org/x", "keys": [str(key)], "group": "bonn"}
    assert two == {"url": "https://config.example.org/x", "keys": [str(key)]}


async def test_cards_of_a_whole_list(config: Path, capsys: Output, tmp_path: Path) -> None:  # the fixture
    rooms, cards = tmp_path / "rooms.csv", tmp_path / "cards"
    rooms.write_text("name,room,ssid,password\nOne,studio,Office,correct horse\nTwo,attic,,\n")
    async with running(config, capsys) as (keeper, _):
        words = ["fleet", "enrol", str(rooms), "--out", str(cards), "--config", str(config)]
        told = await keeper.kontor(*words)
        assert f"{cards}/one/kontor.toml: one for studio" in told
        assert "It works on this machine only." in told, "[host] url is localhost"
        assert "on this machine only" not in await keeper.kontor(*words, "--url", "https://rooms.example.org")
        one, two = (tomllib.loads((cards / who / "kontor.toml").read_text()) for who in ("one", "two"))
        assert one["network"]["wifi"] == [{"ssid": "Office", "password": "correct horse"}]
        assert two["room"]["id"] == "attic" and "network" not in two
        assert one["room"]["enrolment"] != two["room"]["enrolment"]
        listed = await keeper.listed("device", "list")
        assert {each["id"] for each in listed["invited"]} == {"one", "two"}  # type: ignore[attr-defined]
        rooms.write_text("name,room\nOne,nowhere\n")
        assert "line 2: there is no room" in await keeper.kontor(*words, code=64)
        assert (cards / "one" / "kontor.toml").stat().st_mode & 0o777 == 0o600
        rooms.write_text("name,room\nRoom 7,studio\n")
        assert "in the settings" in await keeper.kontor(*words, code=64)
