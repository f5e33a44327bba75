"""USB cards that are pulled and put back, hang, are muted, in use, or not what the settings say: real ones to Linux."""

from statistics import median
from typing import Any

import pytest

from tests.kernel.inside import usb
from tools.kernel.machine import SOUND, USB_BUS, Machine
from tools.measurements import Figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

REPLUGS = 20
NOTICED, BACK = 1.0, 5.0
"""Seconds that are failures; the goals stand in the figures."""
MODEL = "an emulated processor of 1000 million instructions a second"


def _column(told: dict[str, Any], name: str) -> list[Any]:
    return [row[name] for row in told["rows"]]


def _within(told: dict[str, Any]) -> None:
    assert max(_column(told, "noticed")) < NOTICED
    assert max(_column(told, "back")) < BACK


def test_an_array_unplugged_and_plugged_in_works_again_without_a_hand(array: Machine, figures: list[Figure]) -> None:
    told = array.call(usb.replugs, REPLUGS, seconds=300)
    _within(told)
    assert told["counts"]["capture_losses"] == told["counts"]["playback_losses"] == REPLUGS
    assert told["jumps"].count("capture") >= REPLUGS
    assert told["jumps"].count("playback") >= REPLUGS
    assert (told["usb_id"], told["channels"]) == ("2886:0018", 6)
    assert told["alike"], "no channel slips against the others"
    assert all(80 < pace < 120 for pace in _column(told, "asked_a_second")), "the room goes on by the clock"
    back, noticed = _column(told, "back"), _column(told, "noticed")
    note = (
        f"{REPLUGS} times, six microphones and two loudspeakers of one USB card; until its own sound is heard; {MODEL}"
    )
    figures.append(Figure("alsa.replug_median_s", round(median(back), 3), "s", "<= 2", note=note))
    figures.append(Figure("alsa.replug_max_s", round(max(back), 3), "s", "<= 2"))
    figures.append(Figure("alsa.loss_noticed_median_s", round(median(noticed), 4), "s", "<= 0.5"))
    figures.append(Figure("alsa.loss_noticed_max_s", round(max(noticed), 4), "s", "<= 0.5"))


def test_a_card_that_comes_back_under_another_number_is_the_same_card(array: Machine) -> None:
    told = array.call(usb.another_number)
    print(told)
    assert told["in_between"] == told["before"] != told["after"]
    assert "CARD=Array" in told["device"] or told["device"].startswith("hw:Array")


@pytest.mark.parametrize("settings", ["hw:CARD=Array", "auto"])
def test_a_card_that_is_plugged_in_late_is_taken(plugging: Machine, settings: str) -> None:
    told = plugging.call(usb.plugged_late, settings)
    print(told)
    assert 100 < told["asked"] < 200, "a block every 10 ms without any card"
    assert told["changes"] == [False, True, False]
    assert told["problem"]
    assert told["back"] < BACK
    assert "Array" in told["device"][0]
    assert told["stop_took"] < 1


def test_a_card_that_hangs_is_noticed_and_comes_back(array: Machine, figures: list[Figure]) -> None:
    told = array.call(usb.goes_wrong, "nothing")
    print(told)
    assert told["noticed"] < NOTICED
    assert told["counts"]["capture_stuck"] >= 1
    assert told["handed_on"] == 0
    figures.append(
        Figure("alsa.stuck_noticed_s", round(told["noticed"], 3), "s", "<= 2", note="no sample comes any more")
    )
    figures.append(Figure("alsa.stuck_back_s", round(told["back"], 3), "s", note="since the card gives samples again"))


def test_microphones_that_give_zeros_are_noticed_and_come_back(array: Machine, figures: list[Figure]) -> None:
    told = array.call(usb.goes_wrong, "silence")
    print(told)
    assert told["noticed"] < 3
    assert told["counts"]["capture_dead"] >= 1
    assert "[audio] capture" in told["problem"]
    figures.append(Figure("alsa.zeros_noticed_s", round(told["noticed"], 3), "s", "<= 2", note="muted on the device"))
    figures.append(Figure("alsa.zeros_back_s", round(told["back"], 3), "s", note="since they give sound again"))


def test_a_card_in_use_is_said_to_be_and_taken_when_it_is_free(array: Machine) -> None:
    told = array.call(usb.in_use)
    print(told)
    assert "in use" in told["problem"]
    assert "[audio] capture" in told["problem"]
    assert told["told"] == [False]
    assert told["back"] < BACK


def test_settings_that_cannot_be_right_are_one_sentence_each(array: Machine) -> None:
    for name in ("slow", "mute", "deaf"):
        array.cards[name].plug()
    told = array.call(usb.mistakes, seconds=120)
    print(told)
    for name, words in {
        "channels": "[audio] channels = 4",
        "rate": "16000",
        "no microphone": "[audio] capture",
        "no loudspeaker": "[audio] playback",
        "no device": "[audio] capture",
    }.items():
        assert told[name].startswith("CardMistakeError"), name
        assert words in told[name]
        assert "\n" not in told[name]


def test_other_channels_and_samples_of_24_bits(plugging: Machine) -> None:
    plugging.cards["wide"].plug()
    told = plugging.call(usb.formats, "Wide")
    print(told)
    assert (told["channels"], told["format"]) == (4, "S24_3LE")
    assert told["whole"] >= 20, "the emulated card has gaps of its own when its host is busy"


def test_a_loudspeaker_alone_is_lost_and_back_and_nobody_is_heard_who_cannot_hear(
    machine: Machine, figures: list[Figure]
) -> None:
    machine.monitor("device_add", driver="usb-audio", id="speaker", bus=USB_BUS, audiodev=SOUND)
    told = machine.call(usb.loudspeaker_alone, 5, seconds=120)
    machine.monitor("device_del", id="speaker")
    print(told)
    _within(told)
    assert all(80 < asked < 120 for _heard, asked in _column(told, "paces")), "a block every 10 ms"
    assert all(heard == 0 for heard, _asked in _column(told, "paces")), "nobody is heard who cannot hear"
    figures.append(
        Figure(
            "alsa.speaker_replug_median_s",
            round(median(_column(told, "back")), 3),
            "s",
            "<= 2",
            note="QEMU's usb-audio, 5 times, beside a microphone that stays; until the kernel counts samples as played",
        )
    )


def test_a_card_on_no_bus_is_lost_and_back(machine: Machine) -> None:
    told = machine.call(usb.loop_torn, 3)
    print(told)
    _within(told)
