"""docs/hardware.md: current, with every id that the code knows, and with what people report."""

import re
import tomllib
from pathlib import Path

import pytest

from appliance.app.card_report import CardReport, parse, report
from appliance.audio.inventory import Ability, Card, Stream
from appliance.audio.port import Side
from appliance.core.arrays import ARRAYS
from tests.audio.machine import lay_out
from tools import hardware_doc

LINE = {
    "usb": "0b0e:0420",
    "name": "Jabra SPEAK 510 USB",
    "hears": "1 channel, S16_LE, 16 kHz",
    "plays": "2 channels, S16_LE, 48 kHz",
    "array": "jabra_speak",
    "kontor": "0.1.0",
    "linux": "6.12.47",
}


def test_the_page_is_current() -> None:
    assert hardware_doc.main(["--check"]) == 0


def test_every_id_that_the_code_knows_is_there() -> None:
    page = hardware_doc.render({"tested": [], "reported": []})
    for array in ARRAYS:
        for usb_id in array.usb_ids:
            assert re.search(rf"\| `{usb_id}` \| .* \| expected \| .* \| `{array.name}` \|", page)


def test_what_is_reported_is_no_longer_only_expected() -> None:
    page = hardware_doc.render({"tested": [], "reported": [parse(LINE)]})
    assert (
        "| `0b0e:0420` | Jabra SPEAK 510 USB | reported | 1 channel, S16_LE, 16 kHz | 2 channels, S16_LE, 48 kHz"
        " | `jabra_speak` |\n"
    ) in page
    assert page.count("`0b0e:0420`") == 1
    speaker = CardReport("1234:5678", "Speaker", "", "2 channels", "", "0.1.0", "6.12")
    assert "| `1234:5678` | Speaker | tested | nothing | 2 channels | `mono` |\n" in hardware_doc.render(
        {"tested": [speaker], "reported": []}
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"serial": "42"}, "a line needs usb, name, hears, plays, array, kontor, linux, and nothing else"),
        ({"name": "a | b"}, "name has to be text of at most 120 characters"),
        ({"name": "a\nb"}, "name has to be text"),
        ({"name": 5}, "name has to be text"),
        ({"usb": "0B0E:0420"}, "usb has to be like 0b0e:0420"),
        ({"array": "unheard_of"}, "array one that Kontor knows"),
    ],
)
def test_a_line_that_nobody_printed(
    change: dict[str, object],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match=says):
        parse({**LINE, **change})
    source = tmp_path / "sound_cards.toml"
    source.write_text("tested = [5]\nreported = []\n")
    monkeypatch.setattr(hardware_doc, "SOURCE", source)
    assert hardware_doc.main() == 1
    assert capsys.readouterr().out.startswith("kontor: hardware/sound_cards.toml: a line needs ")


def test_what_is_told_of_a_card_is_a_line(tmp_path: Path) -> None:
    camera, jabra, speaker = lay_out("speakerphone", tmp_path).cards()
    told = report(jabra)
    assert (told.usb, told.name, told.array) == ("0b0e:0420", "Jabra SPEAK 510 USB", "jabra_speak")
    assert (report(speaker).hears, report(camera).plays) == ("", "")
    assert (
        report(camera).hears == "2 channels, S16_LE, 16 kHz or 2 channels, S16_LE, 24 kHz or 2 channels, S16_LE, 32 kHz"
    )
    assert re.fullmatch(r"\d+(\.\d+)*", told.linux)


def test_whatever_a_card_calls_itself_and_however_much_it_can_the_line_is_read_again() -> None:
    many = tuple(Ability(channels, ("S16_LE", "S24_3LE"), (8000, 48000), continuous=True) for channels in range(1, 9))
    card = Card(3, "X", 'a|b"\\' + "c" * 200, usb_id="1234:abcd", streams=(Stream(0, Side.CAPTURE, abilities=many),))
    line = report(card).line()
    (read,) = tomllib.loads(f"cards = [\n{line}\n]")["cards"]
    assert parse(read) == report(card)
    assert read["hears"].startswith("1 channel, S16_LE/S24_3LE, 8 to 48 kHz or 2 channels")
