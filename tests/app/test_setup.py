"""What ``kontor setup`` makes of its answers, and what the server says to the address of a room."""

import asyncio
import grp
import os
import pwd
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.app.doctor_findings import Finding
from appliance.app.setup import Answers, Draft, Services, as_service, keep_files, overridden, values_of
from appliance.app.setup_room import NOWHERE, Way, authority_of, look, trusting, way_of
from appliance.app.setup_talk import Around, Given, Gone, ask
from appliance.audio.inventory import Card
from appliance.audio.port import Side
from appliance.provisioning.files import source
from appliance.settings import Settings, SettingsError
from tests.audio.machine import lay_out
from tests.host.harness import OTHER_ROOM, ROOM, house, token
from tests.host.test_tls import encrypted

# ---- the address


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("https://rooms.example.org/lobby", Way("https://rooms.example.org", "lobby")),
        (" rooms.example.org/lobby/ ", Way("https://rooms.example.org", "lobby")),
        ("http://192.0.2.7:8080/lobby#abc.def", Way("http://192.0.2.7:8080", "lobby", "abc.def")),
        ("https://ROOMS.example.org", Way("https://rooms.example.org")),
        ("", NOWHERE),
        ("  ", NOWHERE),
    ],
)
def test_an_address_of_a_room(text: str, way: Way) -> None:
    assert way_of(text) == way


@pytest.mark.parametrize("text", ["ftp://a.example/x", "https://a b/c", "https://[", "://"])
def test_what_is_no_address_of_a_room(text: str) -> None:
    with pytest.raises(ValueError, match=r"^this is no address of a room: it has to be like https://rooms\."):
        way_of(text)


def test_the_room_is_the_end_of_the_address() -> None:
    with pytest.raises(ValueError, match="the address has to end with the room"):
        way_of("https://a.example/rooms/lobby#secret")


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(way_of("https://a.example/lobby#secret"))


async def looked(way: Way) -> tuple[bool, list[Finding]]:
    found: list[Finding] = []
    return await look(way, found.append), found


async def test_the_server_is_asked_whether_the_room_is_there(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        good, found = await looked(Way(home.base, ROOM))
        assert (good, [finding.says for finding in found]) == (
            True,
            [f'The server is there, and has the room "{ROOM}".'],
        )
        good, found = await looked(Way(home.base, "loby"))
        assert (good, found[0].says) == (False, 'The server has no room "loby".')


async def test_a_link_is_tried_without_entering(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        assert (await looked(Way(home.base, ROOM, token("ada"))))[0]
        good, found = await looked(Way(home.base, ROOM, token("ada", expires=1)))
        assert (good, found[0].says) == (False, "This link has expired. Ask for a new one.")
        good, found = await looked(Way(home.base, OTHER_ROOM, token("ada")))
        assert (good, found[0].says) == (False, "This link is for another room.")
        assert home.count("host_joins") == 0


async def test_nobody_is_there(free_port: int) -> None:
    good, found = await looked(Way(f"http://127.0.0.1:{free_port}", ROOM))
    assert (good, found[0].says) == (False, f"Nothing listens at 127.0.0.1, TCP port {free_port}.")


async def test_an_authority_of_the_server_is_told_with_its_fingerprint(tmp_path: Path) -> None:
    async with encrypted(tmp_path) as (home, _):
        way = Way(home.base, ROOM)
        assert not (await looked(way))[0]
        told = await authority_of(way)
        assert told is not None
        assert told[1].count(":") == 31
        assert (await looked(trusting(way, told[0])))[0]
    async with house(tmp_path) as home:
        assert await authority_of(Way(home.base, ROOM)) is None


def test_what_holds_no_certificate_is_no_authority() -> None:
    with pytest.raises(ValueError, match="it holds no certificate"):
        trusting(Way("https://a.example", ROOM), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


# ---- the file


ANSWERS = Answers(Way("https://a.example", "lobby"), "Hall", "auto")


def test_a_first_file(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "etc" / "kontor.toml")
    assert not draft.write(values_of(ANSWERS, (), Settings()))
    assert tomllib.loads(draft.path.read_text()) == {
        "schema": 1,
        "device": {"name": "Hall"},
        "room": {"url": "https://a.example", "id": "lobby"},
        "audio": {"backend": "alsa", "capture": "auto", "playback": "auto"},
    }
    assert draft.path.stat().st_mode & 0o777 == 0o644
    assert draft.settings.device.name == "Hall"


def test_the_older_file_is_kept_beside_and_its_other_settings_in_it(tmp_path: Path) -> None:
    path = tmp_path / "kontor.toml"
    older = 'schema = 1\n# ours\n[audio]\nnoise = "high"\n[room]\nid = "x"\ntoken_file = "t"\nca_file = "c"\nurl = ""\n'
    path.write_text(older)
    draft = Draft(path)
    values = values_of(ANSWERS, (), draft.settings)
    assert draft.write(values)
    assert path.with_name("kontor.toml.old").read_text() == older
    assert "# ours\n" in path.read_text()
    settings = Draft(path).settings
    assert (settings.audio.noise, settings.room.token_file, settings.room.ca_file) == ("high", None, None)
    assert not Draft(path).write(values)
    assert path.with_name("kontor.toml.old").read_text() == older


def test_the_authority_stays_with_its_server(tmp_path: Path) -> None:
    path = tmp_path / "kontor.toml"
    path.write_text('schema = 1\n[room]\nurl = "https://a.example"\nca_file = "c"\n')
    assert "room.ca_file" not in values_of(ANSWERS, (), Draft(path).settings)


def test_a_file_of_another_computer(tmp_path: Path) -> None:
    path = tmp_path / "kontor.toml"
    path.write_bytes(b'\xef\xbb\xbfschema = 1\r\n[device]\r\nname = "Old"\r\n')
    draft = Draft(path)
    draft.write({"device.name": "New", "room.url": ""})
    assert path.read_text() == 'schema = 1\n[device]\nname = "New"\n\n[room]\nurl = ""\n'


def test_a_wrong_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "kontor.toml"
    path.write_text("schema = 1\n[devise]\n")
    with pytest.raises(SettingsError, match="devise is no section of Kontor"):
        Draft(path)


def test_answers_that_the_settings_do_not_take(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "kontor.toml")
    assert draft.refusal({"device.name": ""}) == "must be text of 1 to 64 printable characters"
    assert draft.refusal({"device.name": "Hall"}) == ""


def test_no_room_and_no_card(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "kontor.toml")
    draft.write(values_of(Answers(NOWHERE, "Hall", "none"), (), draft.settings))
    assert tomllib.loads(draft.path.read_text()) == {
        "schema": 1,
        "device": {"name": "Hall"},
        "room": {"url": ""},
        "audio": {"backend": "virtual"},
    }


def test_a_card_by_its_id_or_number_or_a_name_of_alsa(tmp_path: Path) -> None:
    camera, *_ = cards = [card for card in lay_out("speakerphone", tmp_path).cards() if card.stream(Side.CAPTURE)]
    for answer, capture, playback in (
        (camera.id, camera.pcm(camera.streams[0]), "auto"),  # it has no loudspeaker
        (str(camera.number), camera.pcm(camera.streams[0]), "auto"),
        ("hw:CARD=Gone", "hw:CARD=Gone", "hw:CARD=Gone"),
    ):
        values = values_of(Answers(NOWHERE, "Hall", answer), cards, Settings())
        assert (values["audio.capture"], values["audio.playback"]) == (capture, playback)


def test_a_token_is_kept_where_link_alone_reads_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = Draft(written(tmp_path, f'[device]\nstate_dir = "{state}"\n')).settings
    way = Way("https://a.example", "lobby", "a.b", "PEM")
    path = tmp_path / "kontor.toml"
    values = keep_files(path, way, settings)
    assert values == {
        "room.token_file": str(tmp_path / "setup.token"),
        "room.ca_file": str(tmp_path / "room-authority.pem"),
    }
    (state / "secrets" / "link").mkdir(parents=True)
    values = keep_files(path, way, settings)
    kept = state / "secrets" / "link" / "setup.token"
    assert values["room.token_file"] == str(kept)
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("a.b\n", 0o640)


def test_another_file_that_has_the_last_word(tmp_path: Path) -> None:
    own, other = written(tmp_path, '[device]\nname = "A"\n'), tmp_path / "boot.toml"
    other.write_text('schema = 1\n[device]\nname = "B"\n')
    found = [source(own), source(other)]
    assert overridden(found, own, {"device.name": "A", "room.url": ""}) == [f"device.name ({other}:3)"]


def written(folder: Path, text: str) -> Path:
    path = folder / "kontor.toml"
    path.write_text(f"schema = 1\n{text}")
    return path


# ---- users and units


def test_a_child_of_root_is_the_service_whose_folder_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert as_service(tmp_path) == {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert as_service(tmp_path / "gone") == {}
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: SimpleNamespace(pw_uid=990, pw_gid=991))
    groups = [SimpleNamespace(gr_name=name, gr_gid=gid) for name, gid in (("audio", 29), ("disk", 6))]
    monkeypatch.setattr(grp, "getgrall", lambda: groups)
    own = tmp_path.stat().st_gid
    assert as_service(tmp_path, ("audio", "gpio")) == {"user": 990, "group": own, "extra_groups": [991, 29]}


def test_units_where_systemd_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f'#!/bin/sh\necho "$@" >> {log}\ntest "$1" != restart || test ! -e {tmp_path}/broken\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
    assert not Services(tmp_path / "gone").are_here()
    services = Services(tmp_path)
    assert services.are_here()
    assert services.stop()
    assert services.start()
    assert log.read_text().splitlines() == [f"{do} kontor.target" for do in ("cat", "stop", "enable", "restart")]
    (tmp_path / "broken").touch()
    assert not services.start()


# ---- the talk


class Script:
    """Somebody who answers by the words of the question."""

    def __init__(self, *answers: tuple[str, str]) -> None:
        self.answers = list(answers)
        self.said: list[str] = []

    def tell(self, text: str) -> None:
        self.said.append(text)

    def answer(self, question: str) -> str:
        self.said.append(question)
        if not self.answers:
            raise Gone
        expected, answer = self.answers.pop(0)
        assert question.startswith(expected), question
        return answer


async def talk(
    person: Script,
    draft: Draft,
    given: Given | None = None,
    find: Callable[[], Sequence[Card]] = list,
    rooms: Sequence[tuple[str, str]] = (),
) -> Answers:
    return await asyncio.to_thread(ask, person, given or Given(), draft, Around(find, lambda: rooms))


async def test_three_questions(tmp_path: Path) -> None:
    cards = lay_out("speakerphone", tmp_path / "machine").cards()
    async with house(tmp_path) as home:
        draft = Draft(tmp_path / "kontor.toml")
        person = Script(("Address", f"{home.base}/{ROOM}"), ("Name [", "Hall"), ('Which one, or "none" [', ""))
        assert await talk(person, draft, find=lambda: cards) == Answers(Way(home.base, ROOM), "Hall", "auto")
    assert any("USB " in line for line in person.said)


async def test_a_wrong_answer_is_asked_again(tmp_path: Path, free_port: int) -> None:
    nobody = f"http://127.0.0.1:{free_port}"
    draft = Draft(tmp_path / "kontor.toml")
    person = Script(
        ("Address", "ftp://a.example"),
        ("Address", "https://a.example/A%20B"),
        ("Address", f"{nobody}/lobby"),
        ("Take this address nevertheless", "n"),
        ("Address", nobody),
        ("Which room of it [main]", "lobby"),
        ("Take this address nevertheless", "Yes"),
        ("Name", "x" * 65),
        ("Name", "Hall"),
        ("Enter to look again", ""),
        ("Enter to look again", "None"),
    )
    assert await talk(person, draft) == Answers(Way(nobody, "lobby"), "Hall", "none")
    told = "\n".join(person.said)
    assert "   -> This is no address of a room: it has to be like https://rooms.example.org/lobby." in told
    assert "   -> The name of the room must be 1 to 64 of the characters a-z 0-9 . _ -" in told
    assert f"   Nothing listens at 127.0.0.1, TCP port {free_port}." in told
    assert "   -> The name must be text of 1 to 64 printable characters." in told


async def test_an_own_authority_is_believed_after_somebody_compared(tmp_path: Path) -> None:
    async with encrypted(tmp_path) as (home, _):
        person = Script(("Address", f"{home.base}/{ROOM}"), ("Is that the one", "y"))
        answers = await talk(person, Draft(tmp_path / "kontor.toml"), Given(name="Hall", card="none"))
        assert answers.way.authority.startswith("-----BEGIN CERTIFICATE-----")
        person = Script(("Address", f"{home.base}/{ROOM}"), ("Is that the one", ""), ("Take this", ""), ("Address", ""))
        answers = await talk(person, Draft(tmp_path / "kontor.toml"), Given(name="Hall", card="none"))
        assert answers.way == NOWHERE
        given = Given(f"{home.base}/{ROOM}", "Hall", "none", (tmp_path / "authority" / "authority.crt").read_text())
        assert (await talk(Script(), Draft(tmp_path / "kontor.toml"), given)).way.room == ROOM


async def test_another_card_than_the_best_is_named(tmp_path: Path) -> None:
    first, *_ = [card for card in lay_out("speakerphone", tmp_path).cards() if card.stream(Side.CAPTURE)]
    second: Any = Card(7, "Other", "Other card", streams=first.streams)
    person = Script(("Which one", "3"), ("Which one", "²"), ("Which one", "2"))
    answers = await talk(person, Draft(tmp_path / "kontor.toml"), Given("", "Hall"), lambda: [first, second])
    assert answers.card == "Other"
    assert person.said.count("   -> Type a number from 1 to 2.") == 2


async def test_a_room_nearby_is_taken_by_its_number_and_never_by_enter_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        rooms = [("Somewhere", "http://127.0.0.1:9/x"), ("Studio", f"{home.base}/{ROOM}")]
        given = Given(name="Hall", card="none")
        person = Script(
            ("Address, or a number: ", "3"), ("Which room", "y"), ("Take", ""), ("Address, or a number", "2")
        )
        answers = await talk(person, Draft(tmp_path / "kontor.toml"), given, rooms=rooms)
        assert answers.way == Way(home.base, ROOM)
        assert f"   2  Studio: {home.base}/{ROOM}" in person.said[1]
        answers = await talk(Script(("Address", "")), Draft(tmp_path / "kontor.toml"), given, rooms=rooms)
        assert answers.way == NOWHERE


async def test_whoever_leaves_ends_it(tmp_path: Path) -> None:
    with pytest.raises(Gone):
        await talk(Script(), Draft(tmp_path / "kontor.toml"))


async def test_what_is_set_is_offered(tmp_path: Path) -> None:
    draft = Draft(written(tmp_path, '[device]\nname = "Hall"\n[room]\nurl = "http://127.0.0.1:9"\nid = "lobby"\n'))
    person = Script(("Address [http://127.0.0.1:9/lobby]", ""), ("Take", "y"), ("Name [Hall]", ""))
    answers = await talk(person, draft, Given(card="auto"))
    assert answers == Answers(Way("http://127.0.0.1:9", "lobby"), "Hall", "auto")
