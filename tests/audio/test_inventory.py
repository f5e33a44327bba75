"""The sound cards of three machines, and which of them would be used."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.audio.choice import choose, resolve
from appliance.audio.inventory import Ability, Card, Holder, cards
from appliance.audio.port import Side
from tests.audio.machine import Machine, lay_out


@pytest.fixture
def pi(tmp_path: Path) -> Machine:
    return lay_out("pi_respeaker", tmp_path)


@pytest.fixture
def laptop(tmp_path: Path) -> Machine:
    return lay_out("laptop", tmp_path)


@pytest.fixture
def desk(tmp_path: Path) -> Machine:
    return lay_out("speakerphone", tmp_path)


def card(machine: Machine, identity: str) -> Card:
    return next(card for card in machine.cards() if card.id == identity)


def test_a_machine_without_alsa_has_no_cards(tmp_path: Path) -> None:
    assert cards(tmp_path, tmp_path, tmp_path) == []
    heard, played = choose([], "auto", "auto")
    assert (heard.device, played.device) == ("default", "default")
    assert "found no USB card" in heard.why


def test_a_known_array_with_what_it_can_do(pi: Machine) -> None:
    found = pi.cards()
    assert [(card.number, card.id, card.usb) for card in found] == [
        (0, "vc4hdmi0", False),
        (1, "Headphones", False),
        (3, "ArrayUAC10", True),
    ]
    array = found[2]
    assert (array.name, array.driver, array.usb_id) == ("ReSpeaker 4 Mic Array (UAC1.0)", "USB-Audio", "2886:0018")
    assert array.long_name.startswith("SEEED ReSpeaker")
    assert array.array is not None and array.array.name == "respeaker_usb_4"
    assert [stream.side for stream in array.streams] == [Side.CAPTURE, Side.PLAYBACK]
    heard = array.streams[0]
    assert heard.abilities == (Ability(6, ("S16_LE",), (16_000,)),)
    assert (heard.channels, heard.native, heard.holder) == (6, False, None)


def test_the_same_array_with_its_other_firmware(pi: Machine) -> None:
    path = "proc/asound/card3/stream0"
    pi.write(path, (pi.root / path).read_text().replace("Channels: 6", "Channels: 1"))
    array = card(pi, "ArrayUAC10").array
    assert array is not None and (array.name, array.cancels) == ("respeaker_usb_4_processed", True)


def test_who_holds_a_card_and_that_nothing_is_known_of_what_it_can_do(laptop: Machine) -> None:
    found = card(laptop, "PCH")
    heard, played = found.stream(Side.CAPTURE), found.stream(Side.PLAYBACK)
    assert heard is not None and played is not None
    assert heard.holder == Holder(1713, "pipewire")
    assert str(heard.holder) == "pipewire (process 1713)"
    assert (heard.abilities, heard.channels) == ((), None)
    hdmi = found.stream(Side.PLAYBACK, 3)
    assert hdmi is not None and (hdmi.name, hdmi.holder) == ("HDMI 0", None)
    laptop.write("proc/asound/card0/pcm0c/sub0/status", "closed\n")
    again = card(laptop, "PCH").stream(Side.CAPTURE)
    assert again is not None and str(again.holder) == "another program", "it was closed between two looks"


def test_names_that_devices_and_programs_choose_do_not_move_the_cursor(laptop: Machine) -> None:
    laptop.write("proc/1713/comm", "a\x1b[2J\nb\n")
    heard = card(laptop, "PCH").stream(Side.CAPTURE)
    assert heard is not None and str(heard.holder) == "a?[2J b (process 1713)"
    path = "proc/asound/cards"
    laptop.write(path, (laptop.root / path).read_text().replace("HDA Intel PCH", "HDA\x1b]0;Größe\x07"))
    assert card(laptop, "PCH").name == "HDA?]0;Größe?"


def test_abilities_over_several_settings_and_a_usb_id_of_sysfs(desk: Machine) -> None:
    camera, phone = card(desk, "C920"), card(desk, "USB")
    heard = camera.stream(Side.CAPTURE)
    assert heard is not None and [ability.rates for ability in heard.abilities] == [(16_000,), (24_000,), (32_000,)]
    assert camera.stream(Side.PLAYBACK) is None
    assert phone.usb_id == "0b0e:0420"
    assert phone.array is not None and phone.array.name == "jabra_speak"
    heard = phone.stream(Side.CAPTURE)
    assert heard is not None and heard.abilities == (Ability(1, ("S16_LE",), (8_000, 48_000), continuous=True),)
    assert heard.native and phone.pcm(heard) == "hw:CARD=USB,DEV=0"


def test_junk_in_these_files_is_no_card_and_no_ability(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.write("proc/asound/cards", "--- no soundcards ---\n")
    machine.write("proc/asound/card7/pcm0c/info", "junk\n")
    machine.write("proc/asound/card7/stream0", "Capture:\n  Altset 1\n    Channels: many\n    Rates: 48000\n")
    machine.write("proc/asound/card7/pcmxc/info", "")
    machine.write("proc/asound/card7/usbid", "not:hex\n")
    (found,) = machine.cards()
    assert (found.number, found.id, found.name, found.usb_id, found.array) == (7, "7", "7", "", None)
    assert [stream.abilities for stream in found.streams] == [()]


def test_a_card_that_goes_while_it_is_looked_at_is_no_error(pi: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Path.glob

    def gone(folder: Path, pattern: str) -> Iterator[Path]:
        if folder.name == "card3":
            raise FileNotFoundError(folder)
        yield from listed(folder, pattern)

    monkeypatch.setattr(Path, "glob", gone)
    assert card(pi, "ArrayUAC10").streams == ()
    assert choose(pi.cards(), "auto", "auto")[0].device == "default"


def test_auto_takes_a_known_array_and_its_own_loudspeaker(pi: Machine) -> None:
    heard, played = choose(pi.cards(), "auto", "auto")
    assert (heard.device, heard.why) == ("plughw:CARD=ArrayUAC10,DEV=0", "the known array respeaker_usb_4")
    assert (played.device, played.card) == ("plughw:CARD=ArrayUAC10,DEV=0", heard.card)
    assert (heard.problem, played.problem) == ("", "")
    assert resolve(pi.cards(), "auto", "default") == ("plughw:CARD=ArrayUAC10,DEV=0", "default")


def test_auto_ranks_array_then_speakerphone_then_microphone(desk: Machine) -> None:
    heard, played = choose(desk.cards(), "auto", "auto")
    assert heard.device == "hw:CARD=USB,DEV=0" and "cancels echo by itself" in heard.why
    assert played.device == "hw:CARD=USB,DEV=0"
    assert played.problem == "hw:CARD=USB,DEV=0 is in use by mpv (process 902)"
    unknown = [replace(one, array=None) for one in desk.cards()]
    assert choose(unknown, "auto", "auto")[0].why == "a USB device with microphone and loudspeaker"
    camera = [one for one in unknown if one.id != "USB"]
    heard, played = choose(camera, "auto", "auto")
    assert (heard.device, heard.why) == ("plughw:CARD=C920,DEV=0", "a USB microphone")
    assert played.device == "hw:CARD=DAC,DEV=0" and "the microphone's card has none" in played.why


def test_auto_does_not_take_what_only_loops_back_nor_a_worse_card_for_one_in_use(pi: Machine, tmp_path: Path) -> None:
    other = lay_out("speakerphone", tmp_path / "more").cards()
    array = next(one for one in pi.cards() if one.array)
    busy = replace(array, streams=tuple(replace(stream, holder=Holder(7)) for stream in array.streams))
    heard, _ = choose([busy, *other], "auto", "auto")
    assert (heard.card, heard.problem) == (busy, "plughw:CARD=ArrayUAC10,DEV=0 is in use by a program (process 7)")
    looped = replace(array, driver="Loopback")
    assert choose([looped], "auto", "auto")[0].device == "default"


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (
            "hw:CARD=Gone",
            '[audio] capture = "hw:CARD=Gone": there is no such card (here: vc4hdmi0, Headphones, ArrayUAC10)',
        ),
        ("plughw:1", '[audio] capture = "plughw:1": bcm2835 Headphones has no microphone'),
        ("hw:ArrayUAC10,1", "has its microphone as device 0"),
    ],
)
def test_a_name_that_cannot_work_is_told_with_its_setting(pi: Machine, device: str, words: str) -> None:
    heard, _ = choose(pi.cards(), device, "default")
    assert words in heard.problem
    assert heard.device == device, "the settings hold all the same"


def test_settings_name_a_card_or_what_alsa_knows(pi: Machine, laptop: Machine) -> None:
    heard, played = choose(pi.cards(), "hw:3,0", "plughw:CARD=Headphones,DEV=0")
    assert heard.card is not None and heard.card.id == "ArrayUAC10" and not heard.problem
    assert played.stream is not None and played.stream.name == "bcm2835 Headphones"
    heard, played = choose(pi.cards(), "pipewire", "default")
    assert heard.card is None and 'ALSA\'s "pipewire"' in heard.why
    assert "ALSA's own default" in played.why


def test_a_card_with_the_loudspeaker_alone_and_one_with_too_few_channels(desk: Machine) -> None:
    heard, _ = choose(desk.cards(), "hw:CARD=DAC", "default")
    assert heard.problem == '[audio] capture = "hw:CARD=DAC": Generic USB DAC has no microphone'
    _, played = choose(desk.cards(), "default", "hw:CARD=C920")
    assert played.problem == '[audio] playback = "hw:CARD=C920": HD Pro Webcam C920 has no loudspeaker'
    heard, _ = choose(desk.cards(), "hw:CARD=C920", "default", channels=4)
    assert heard.problem == "[audio] channels = 4: hw:CARD=C920 has 2"
