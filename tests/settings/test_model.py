import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.roster import HUES
from appliance.core.wire import is_identity
from appliance.settings import Effect, Hue, Settings, identity_of
from appliance.settings.kinds import IDENTIFIER, Flag
from appliance.settings.setting import Items, Section, Setting, Where, members, section, setting
from tests.settings.support import FOLDER, loaded, room


def all_of(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, Setting | Section | Items]]:
    for name, member in members(cls).items():
        yield prefix + name, member
        if not isinstance(member, Setting):
            yield from all_of(member.cls, f"{prefix}{name}.")


EVERYTHING = dict(all_of(Settings))
SETTINGS = {key: member for key, member in EVERYTHING.items() if isinstance(member, Setting)}


def test_every_key_of_the_plan_is_there() -> None:
    assert {"device.name", "room.url", "audio.frame_ms", "panel.mute", "host.rooms.key_files", "log.level"} <= set(
        SETTINGS
    )


@pytest.mark.parametrize("key", EVERYTHING)
def test_is_explained_in_whole_sentences(key: str) -> None:
    about = EVERYTHING[key].about
    assert about.endswith(".")
    assert about[0].isupper()
    assert 10 < len(about) < 130


@pytest.mark.parametrize("key", SETTINGS)
def test_the_default_is_allowed(key: str) -> None:
    member = SETTINGS[key]
    plain = None if member.required else member.kind.plain(member.default)
    if plain is not None:
        assert member.kind.convert(plain, Where(key, Path("/"))) == member.default


@pytest.mark.parametrize("key", SETTINGS)
def test_what_is_allowed_ends_a_sentence(key: str) -> None:
    assert SETTINGS[key].kind.allowed.startswith("must be ")


NO_MUTE = (
    "room_pin",
    "volume",
    "knock",
    "room_lamp",
    "speak_lamp",
    "fault_lamp",
    "lamp_level",
    "repeat",
    "pixel",
    "spi",
)
"""What else of a panel can be set: nobody is heard or seen by it."""


@pytest.mark.parametrize("key", [key for key in SETTINGS if key.startswith(("panel.", "door."))])
def test_what_touches_mute_waits_for_a_hand(key: str) -> None:
    other = key.partition(".")[2].startswith((*NO_MUTE, "still", "night"))
    assert SETTINGS[key].effect is (Effect.RESTART if other else Effect.HAND)


def test_a_secret_is_always_a_file() -> None:
    secret = {key for key, member in SETTINGS.items() if member.kind.secret}
    network = {f"network.{link}.{name}" for link in ("ethernet", "wifi") for name in ("password_file", "key_file")}
    room = {"room.token_file", "room.enrolment_file"}
    engines = {"livekit.api_secret_file", "livekit.token_file", "janus.pin_file", "janus.token_file"}
    engines |= {"telegram.api_hash_file", "telegram.session_file"}
    assert secret == {"host.tls.key", "host.turn.secret_file", "host.rooms.key_files"} | room | engines | network


def test_there_is_a_hue_for_each_of_the_wire() -> None:
    assert [hue.name.lower() for hue in Hue] == list(HUES)
    assert [int(hue) for hue in Hue] == list(range(len(HUES)))


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("Meeting room", "meeting-room"),
        ("Büro 2, München", "buro-2-munchen"),
        ("  --A--  ", "a"),
        ("x" * 80, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
        ("会議室", "member-e82caa8b"),
    ],
)
def test_an_identity_follows_from_the_name(name: str, identity: str) -> None:
    found = identity_of(name)
    assert found == identity or (identity.startswith("member-") and re.fullmatch("member-[0-9a-f]{8}", found))


@given(st.text())
def test_every_name_has_an_identity_that_the_wire_takes(name: str) -> None:
    identity = identity_of(name)
    assert re.fullmatch(IDENTIFIER, identity)
    assert is_identity(identity)
    assert identity == identity_of(name)


def test_the_device_is_known_by_its_id_or_by_what_its_name_gives() -> None:
    assert Settings().device.identity == "meeting-room"
    assert loaded('[device]\nname = "Attic"').device.identity == "attic"
    assert loaded('[device]\nid = "box-7"').device.identity == "box-7"


def test_a_room_without_a_title_is_called_by_its_id() -> None:
    assert loaded(room(FOLDER / "k")).host.rooms[0].label == "lobby"
    assert loaded(room(FOLDER / "k") + 'title = "The lobby"').host.rooms[0].label == "The lobby"


@pytest.mark.parametrize(
    ("host", "page"),
    [
        ("", "http://localhost:8080"),
        ('listen = "0.0.0.0"\nport = 80', "http://localhost:80"),
        ('listen = "192.0.2.7"', "http://192.0.2.7:8080"),
        ('listen = "0.0.0.0"\npublic_address = "192.0.2.9"', "http://192.0.2.9:8080"),
        ('tls.certificate = "c"\ntls.key = "k"', "https://localhost:8080"),
        ('url = "https://rooms.example.org/"', "https://rooms.example.org"),
        ("port = 0", ""),
        ('port = 0\nurl = "https://x.example"', "https://x.example"),
    ],
)
def test_the_address_of_the_page(host: str, page: str) -> None:
    assert loaded(f"[host]\n{host}").host.page == page


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().audio.bitrate = 1  # type: ignore[misc]


def test_a_section_needs_nothing_but_its_fields() -> None:
    @dataclass(frozen=True)
    class Inner:
        on: bool = setting(Flag(), True, about="Whether.", effect=Effect.LIVE)

    @dataclass(frozen=True)
    class Outer:
        inner: Inner = section(Inner, "Inside.")  # noqa: RUF009

    assert Outer().inner.on
    assert members(Outer) == {"inner": Section("inner", Inner, "Inside.")}
