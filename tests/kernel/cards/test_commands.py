"""``kontor devices`` and ``kontor doctor`` with cards that are real to Linux."""

import pytest

from tests.kernel.inside import commands
from tools.kernel.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_devices_tells_what_the_kernel_and_alsa_say(array: Machine) -> None:
    told = array.call(commands.told, "devices")
    print(told["stream"])
    cards = {card["id"]: card for card in told["cards"]}
    heard, played = cards["Array"]["streams"]
    assert told["code"] == 0
    assert (cards["Array"]["usb_id"], cards["Array"]["array"]) == ("2886:0018", "respeaker_usb_4")
    assert heard["abilities"][0]["channels"] == 6 and played["abilities"][0]["channels"] == 2
    assert heard["native"] and heard["pcm"] == "hw:CARD=Array,DEV=0"
    assert told["use"]["capture"]["device"] == told["use"]["playback"]["device"] == "hw:CARD=Array,DEV=0"
    loop = cards["Loopback"]["streams"][0]
    assert "S16_LE" in loop["abilities"][0]["formats"], "libasound was asked: the kernel does not tell"
    assert 48_000 in range(loop["abilities"][0]["rates"][0], loop["abilities"][0]["rates"][-1] + 1)


def test_the_doctor_hears_the_chirp_of_a_usb_card(array: Machine) -> None:
    told = array.call(commands.told, "doctor", "--sound", seconds=180)
    print(told["findings"], told.get("sound"))
    found = {finding["check"]: finding for finding in told["findings"]}
    assert "echo" in found, found
    assert 5 < told["sound"]["round_trip_ms"] < 500
    assert told["sound"]["array"] == "respeaker_usb_4"
    assert all(channel["hears"] for channel in told["sound"]["channels"])
    assert "same sound" in found["channels"]["says"], "the bench's microphones are one"
    assert found["array"]["state"] == "skipped"
