"""Every setting with what it takes and what it refuses."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from appliance.core.controls import Door, MuteControl
from appliance.core.roster import sign_of
from appliance.settings import (
    AudioBackend,
    Echo,
    EngineName,
    Hue,
    Level,
    LogLevel,
    Noise,
    PanelKind,
    PixelDirection,
    PixelLayout,
    Relay,
    page_url,
)
from tests.settings.support import FOLDER, loaded, only, room
from tests.settings.test_model import SETTINGS

HEX = "ab" * 32
KEY = "A" * 43 + "="

TAKEN: list[tuple[str, str, Any]] = [
    ("device.name", '"Büro 2 ☎"', "Büro 2 ☎"),
    ("device.name", f'"{"x" * 64}"', "x" * 64),
    ("device.id", '""', ""),
    ("device.id", '"a.b_c-9"', "a.b_c-9"),
    ("device.state_dir", '"/var/x"', Path("/var/x")),
    ("room.engine", '"hosted"', EngineName.HOSTED),
    ("room.url", '""', ""),
    ("room.url", '"http://localhost:8080/"', "http://localhost:8080"),
    ("room.url", '"HTTPS://Rooms.Example.ORG"', "https://rooms.example.org"),
    ("room.url", '"https://[2001:DB8::7]:8443"', "https://[2001:db8::7]:8443"),
    ("room.token_file", '""', None),
    ("room.certificate_sha256", '""', None),
    ("room.certificate_sha256", f'"{HEX}"', b"\xab" * 32),
    ("room.certificate_sha256", f'"{":".join(["AB"] * 32)}"', b"\xab" * 32),
    ("audio.backend", '"virtual"', AudioBackend.VIRTUAL),
    ("audio.microphone", '"silence"', "silence"),
    ("audio.microphone", '"speech"', "speech"),
    ("audio.microphone", '"tone:1"', "tone:1"),
    ("audio.microphone", '"tone:23999"', "tone:23999"),
    ("audio.microphone", '"/x/Talk.WAV"', "/x/Talk.WAV"),
    ("audio.record", '""', None),
    ("audio.record", '"out.wav"', FOLDER / "out.wav"),
    ("audio.frame_ms", "10", 10),
    ("audio.bitrate", "8000", 8000),
    ("audio.bitrate", "128_000", 128000),
    ("audio.complexity", "0", 0),
    ("audio.channels", "8", 8),
    ("audio.array", '"respeaker_usb_4"', "respeaker_usb_4"),
    ("audio.geometry_mm", '""', ""),
    ("audio.geometry_mm", '"32,0; 0,32,1.5; -32,0;"', "32,0; 0,32,1.5; -32,0;"),
    ("audio.echo", '"half_duplex"', Echo.HALF_DUPLEX),
    ("audio.noise", '"off"', Noise.OFF),
    ("audio.gain_control", "false", False),
    ("panel.kind", '"virtual"', PanelKind.VIRTUAL),
    ("panel.mute", '"momentary"', MuteControl.MOMENTARY),
    ("panel.push_to_talk", "true", True),
    ("panel.debounce_ms", "1", 1),
    ("panel.long_press_ms", "5000", 5000),
    ("panel.kind", '"gpio"', PanelKind.GPIO),
    ("panel.board", '"zero2w"', "zero2w"),
    ("panel.chip", '"pinctrl-bcm2711"', "pinctrl-bcm2711"),
    ("panel.knock_pin", "0", 0),
    ("panel.mic_lamp_level", '"high"', Level.HIGH),
    ("panel.pixel_layout", '"row"', PixelLayout.ROW),
    ("panel.pixel_direction", '"counterclockwise"', PixelDirection.COUNTERCLOCKWISE),
    ("panel.spi", '"/dev/spidev1.0"', "/dev/spidev1.0"),
    ("door.first", '"closed"', Door.CLOSED),
    ("host.listen", '"0.0.0.0"', "0.0.0.0"),
    ("host.port", "0", 0),
    ("host.udp_port", "65535", 65535),
    ("host.public_address", '"192.0.2.7"', "192.0.2.7"),
    ("host.public_address", '""', ""),
    ("host.url", '"https://x.example"', "https://x.example"),
    ("host.max_members", "2", 2),
    ("host.turn.urls", "[]", ()),
    ("host.proxy.trusted", '["127.0.0.1", "10.0.0.0/8", "::1"]', ("127.0.0.1/32", "10.0.0.0/8", "::1/128")),
    ("room.relay", '"always"', Relay.ALWAYS),
    ("room.support_bundle", "true", True),
    ("host.last_spoke", "true", True),
    ("log.level", '"debug"', LogLevel.DEBUG),
]

REFUSED: list[tuple[str, str, str, str]] = [
    ("device.name", '""', "text of 1 to 64 printable characters", ""),
    ("device.name", '"a\\nb"', "text of 1 to 64 printable characters", ""),
    ("device.name", '"a\\u202eb"', "text of 1 to 64 printable characters", ""),
    ("device.name", f'"{"x" * 65}"', "text of 1 to 64 printable characters", ""),
    ("device.name", "5", "text of 1 to 64 printable characters", ""),
    ("device.name", '" x"', "must not begin or end with white space", ""),
    ("device.id", '"Upper"', "the characters a-z 0-9 . _ -", ""),
    ("device.id", '".."', "the first a letter or a digit", ""),
    ("device.id", '"a/b"', "the characters a-z 0-9 . _ -", ""),
    ("device.state_dir", '""', "must be a path", ""),
    ("device.state_dir", '"~/x"', "must be a path", "~ is not understood"),
    ("device.state_dir", "[]", "must be a path", ""),
    ("device.state_dir", '"a\\u0000"', "must be a path", ""),
    ("device.runtime_dir", f'"/{"x" * 80}"', "at most 80 bytes", ""),
    ("telegram.group", "-1001234567890", "must be like @our_group", "Write it in quotes."),
    ("telegram.group", '"our group"', "must be like @our_group", ""),
    ("telegram.group", '"https://example.org/group"', "must be like @our_group", ""),
    ("telegram.api_id", '"12345"', "must be a whole number from 0 to 2147483647", "Write it without quotes."),
    ("room.engine", '"hostd"', 'must be "hosted", "livekit", "janus" or "telegram"', 'Did you mean "hosted"?'),
    ("room.engine", "1", 'must be "hosted", "livekit", "janus" or "telegram"', ""),
    ("room.url", '"rooms.example.org"', "like https://", "Begin it with https:// or http://."),
    ("room.url", '"ftp://x"', "like https://", "Begin it with https:// or http://."),
    ("room.url", '"https://x/lobby"', "like https://", "Leave out what follows the host"),
    ("room.url", '"https://x/?a=b"', "like https://", ""),
    ("room.url", '"https://x:0"', "like https://", ""),
    ("room.url", '"https://x:99999"', "like https://", ""),
    ("room.url", '"https://[::1"', "like https://", ""),
    ("room.url", '"https://[zz::1]"', "like https://", ""),
    ("room.url", '"https://[1::2::3]"', "like https://", ""),
    ("room.url", '"https://"', "like https://", ""),
    ("room.url", '"https://bücher.example"', "like https://", ""),
    ("room.url", '"https://a b"', "like https://", ""),
    ("room.url", "80", "like https://", ""),
    ("room.id", '""', "the characters a-z 0-9 . _ -", ""),
    ("room.token_file", "7", "must be the path of a file with the secret", ""),
    ("room.certificate_sha256", '"abc"', "64 hexadecimal digits", ""),
    ("room.certificate_sha256", "1", "64 hexadecimal digits", ""),
    ("audio.backend", '"jack"', '"virtual" or "alsa"', ""),
    ("audio.microphone", '"tone:0"', '"tone:440" (1 to 23999 Hz)', ""),
    ("audio.microphone", '"tone:24000"', '"tone:440" (1 to 23999 Hz)', ""),
    ("audio.microphone", '"tone:"', '"tone:440" (1 to 23999 Hz)', ""),
    ("audio.microphone", '"talk.mp3"', "the path of a WAV file", ""),
    ("audio.microphone", "440", "the path of a WAV file", ""),
    ("audio.channels", "9", "must be a whole number from 0 to 8", ""),
    ("audio.array", '"respeaker"', '"respeaker_usb_4"', "Did you mean"),
    ("audio.geometry_mm", '"32"', "must be the places of 1 to 8 microphones", "Here microphone 1 is not"),
    ("audio.geometry_mm", "32", "must be the places of 1 to 8 microphones", ""),
    ("audio.geometry_mm", '"0,0; 0,0"', "1 to 8 microphones", "Here microphones 1 and 2 stand in the same place."),
    ("audio.echo", '"full"', '"full_duplex"', ""),
    ("audio.record", "true", 'must be a path, or "" for none', ""),
    ("audio.frame_ms", "20.0", "must be 10 or 20 (ms)", ""),
    ("audio.frame_ms", '"20"', "must be 10 or 20 (ms)", ""),
    ("audio.frame_ms", "true", "must be 10 or 20 (ms)", ""),
    ("audio.bitrate", "7999", "from 8000 to 128000 (bit/s)", ""),
    ("audio.bitrate", "128001", "from 8000 to 128000 (bit/s)", ""),
    ("audio.bitrate", "true", "from 8000 to 128000 (bit/s)", ""),
    ("audio.bitrate", "nan", "from 8000 to 128000 (bit/s)", ""),
    ("audio.bitrate", '"32000"', "from 8000 to 128000 (bit/s)", "Write it without quotes."),
    ("audio.bitrate", '"²"', "from 8000 to 128000 (bit/s)", ""),
    ("panel.kind", '"gpoi"', 'must be "none", "virtual" or "gpio"', 'Did you mean "gpio"?'),
    ("panel.mute_pin", "28", "must be a whole number from 0 to 27", ""),
    ("panel.board", '"pi6"', 'must be "auto", "pi3b+"', "Did you mean"),
    ("panel.chip", '"a b"', "must be the label of a GPIO chip", ""),
    ("panel.pixels", "121", "from 0 to 120", ""),
    ("panel.pixel_brightness", "0", "from 1 to 31", ""),
    ("panel.spi", '"/dev/sda"', "the path of an SPI device like /dev/spidev0.0", ""),
    ("panel.push_to_talk", "1", "must be true or false", ""),
    ("panel.push_to_talk", '"false"', "must be true or false", "Write it without quotes."),
    ("door.first", '"ajar"', 'must be "open", "listening" or "closed"', ""),
    ("host.listen", '""', "must be an IPv4 address like 192.0.2.7", ""),
    ("host.listen", '"localhost"', "must be an IPv4 address", "A name is not enough here."),
    ("host.listen", '"::1"', "must be an IPv4 address", "IPv6 comes with a later version"),
    ("host.listen", '"224.0.0.1"', "must be an IPv4 address", ""),
    ("host.listen", '"1.2.3"', "must be an IPv4 address", ""),
    ("host.listen", "1", "must be an IPv4 address", ""),
    ("host.public_address", '"0.0.0.0"', 'like 192.0.2.7, or ""', "Nobody can send to this one."),
    ("host.port", "65536", "from 0 to 65535", ""),
    ("host.port", "-1", "from 0 to 65535", ""),
    ("host.max_members", "1", "from 2 to 2000 (members)", ""),
    ("host.turn.urls", '"turn:x"', "must be a list of at most 4 values", ""),
    ("host.turn.urls", '["turn:x", "turn:x"]', "must not have a value twice", ""),
    ("host.turn.urls", '["stun:x", "turn:x"]', 'must be like "turn:relay.example.org:3478', 'Wrong: "stun:x".'),
    ("host.turn.urls", '["turn:x:99999"]', 'must be like "turn:relay.example.org:3478', 'Wrong: "turn:x:99999".'),
    ("host.turn.urls", '["turn:me:hunter2@x"]', 'must be like "turn:relay.example.org:3478', "Wrong: (hidden)."),
    ("host.turn.urls", "[5]", 'must be like "turn:relay.example.org:3478', "Wrong: 5."),
    ("host.turn.urls", '["turn:x"]', "needs host.turn.secret_file beside it", ""),
    ("host.turn.lifetime_s", "10", "from 300 to 86400 (s)", ""),
    ("host.proxy.trusted", '["10.0.0.1/8"]', "an address or a network", 'Wrong: "10.0.0.1/8".'),
    ("host.proxy.trusted", "[1]", "an address or a network", "Wrong: 1."),
    ("host.proxy.name_header", '"X-User"', "needs host.proxy.trusted", ""),
    ("host.proxy.name_header", '"X User"', "the name of a header", ""),
]

ITEMS_REFUSED: list[tuple[str, str, str]] = [
    ("public_key", '"abc"', "44 characters of base64"),
    ("public_key", '"ä"', "44 characters of base64"),
    ("public_key", f'"{"A" * 44}"', "44 characters of base64"),
    ("public_key", "1", "44 characters of base64"),
    ("hue", '"jad"', 'Did you mean "jade"?'),
    ("place", "12", "10 or 11 (hour)"),
    ("place", "-1", "10 or 11 (hour)"),
]


def lookup(settings: Any, key: str) -> Any:
    for name in key.split("."):
        settings = getattr(settings, name)
    return settings


@pytest.mark.parametrize(("key", "value", "meaning"), TAKEN)
def test_takes(key: str, value: str, meaning: object) -> None:
    found = lookup(loaded(f"{key} = {value}"), key)
    assert (found, type(found)) == (meaning, type(meaning))


@pytest.mark.parametrize(("key", "value", "_meaning"), TAKEN)
def test_the_json_schema_is_never_stricter(key: str, value: str, _meaning: object) -> None:
    member, found = SETTINGS[key], tomllib.loads(f"value = {value}")["value"]
    schema = member.kind.json_schema()
    assert re.search(str(schema.get("pattern", "")), str(found))
    assert found in schema.get("enum", [found])  # type: ignore[operator]
    assert len(str(found)) <= schema.get("maxLength", 10_000)  # type: ignore[operator]


@pytest.mark.parametrize(("key", "value", "allowed", "hint"), REFUSED)
def test_refuses(key: str, value: str, allowed: str, hint: str) -> None:
    problem = only(f"{key} = {value}")
    assert (problem.key, problem.line) == (key, 2)
    assert allowed in problem.allowed
    assert hint in problem.hint
    assert bool(hint) == bool(problem.hint)


@pytest.mark.parametrize(("key", "value", "told"), ITEMS_REFUSED)
def test_refuses_in_a_device(key: str, value: str, told: str) -> None:
    other = f'public_key = "{KEY}"\n' if key != "public_key" else ""
    text = f'[[host.devices]]\nid = "box"\nname = "Box"\nroom = "lobby"\n{other}{key} = {value}\n'
    assert told in str(only(room(FOLDER / "k") + text))


def device(more: str) -> str:
    return room(FOLDER / "k") + f'[[host.devices]]\nid="box"\nname="B"\nroom="lobby"\npublic_key="{KEY}"\n{more}'


def test_a_device_has_the_sign_it_is_given() -> None:
    both = loaded(device('hue = "jade"\nplace = 3')).host.devices[0]
    assert (both.hue, both.sign and both.sign.hue, both.sign and both.sign.place) == (Hue.JADE, 2, 3)
    assert loaded(device("")).host.devices[0].sign is None


def test_half_a_sign_keeps_the_other_half_of_its_own() -> None:
    own = sign_of("box")
    hue_alone, place_alone = (loaded(device(more)).host.devices[0].sign for more in ('hue = "orchid"', "place = 0"))
    assert hue_alone is not None
    assert place_alone is not None
    assert (hue_alone.hue, hue_alone.place) == (7, own.place)
    assert (place_alone.hue, place_alone.place) == (own.hue, 0)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("5", "a table of at most 8 key ids and files"),
        ("{ " + ", ".join(f'k{n} = "x"' for n in range(9)) + " }", "a table of at most 8 key ids and files"),
        ('{ "K 1" = "x" }', "has a key id that is not made of a-z 0-9 . _ -"),
        ("{ k1 = 5 }", "a table of at most 8 key ids and files"),
    ],
)
def test_refuses_keys_of_a_room(value: str, told: str) -> None:
    problem = only(f'[[host.rooms]]\nid = "lobby"\nkey_files = {value}')
    assert told in problem.allowed
    assert problem.value == "(hidden)"


@pytest.mark.parametrize("url", ["https://user:hunter2@x", "https://x/?token=hunter2", "https://x/#hunter2"])
def test_a_secret_in_an_address_is_not_shown(url: str) -> None:
    assert only(f'[room]\nurl = "{url}"').value == "(hidden)"


def test_an_address_on_the_command_line_obeys_the_same_rules() -> None:
    assert page_url("https://Rooms.example.org/") == "https://rooms.example.org"
    with pytest.raises(ValueError, match="must be like https://"):
        page_url("rooms.example.org")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0x" + "f" * 4000, "(a very large number)"),
        ("-5", "-5"),
        ("inf", "inf"),
        ("[1, 2]", "(a list)"),
        ("{ a = 1 }", "(a table)"),
        ("07:32:00", "(a date or time)"),
        ('"a\\u001b[31m"', '"a\\u001b[31m"'),
        ('"\\U000e0001"', '"\\U000e0001"'),
        ('"a\\\\b\\"c"', '"a\\\\b\\"c"'),
        (f'"{"x" * 100}"', '"' + "x" * 60 + '…"'),
    ],
)
def test_shows_a_wrong_value_on_one_short_line(value: str, shown: str) -> None:
    assert only(f"[audio]\nbitrate = {value}").value == shown
