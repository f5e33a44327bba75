"""Which array a card is, and where its microphones stand."""

from math import hypot

import pytest

from appliance.core.arrays import (
    ARRAYS,
    MOST_MICROPHONES,
    Array,
    GeometryError,
    by_card_name,
    by_name,
    by_usb_id,
    described,
    parse_geometry,
)


def test_presets_are_possible_arrays() -> None:
    assert len({array.name for array in ARRAYS}) == len(ARRAYS)
    for array in ARRAYS:
        assert 1 <= len(array.microphones) <= MOST_MICROPHONES
        assert array.reference not in array.microphones
        assert all(id_ == id_.lower() and len(id_) == 9 for id_ in array.usb_ids)
        text = ";".join(f"{1000 * x},{1000 * y},{1000 * z}" for x, y, z in array.positions)
        assert len(parse_geometry(text)) == len(array.positions)


def test_presets_are_centred_to_a_millimetre() -> None:
    for array in ARRAYS:
        x, y, _ = (sum(axis) / len(array.positions) for axis in zip(*array.positions, strict=True))
        assert hypot(x, y) < 1e-3, array.name


def test_the_number_of_channels_tells_two_firmwares_apart() -> None:
    six, one = by_usb_id("2886:0018", 6), by_usb_id("2886:0018", 1)
    assert six is not None
    assert (six.name, six.microphones, six.reference, six.cancels) == ("respeaker_usb_4", (1, 2, 3, 4), 5, False)
    assert one is not None
    assert (one.name, one.microphones, one.cancels) == ("respeaker_usb_4_processed", (0,), True)
    assert by_usb_id("2886:0018") == six


def test_channels_of_no_known_firmware_are_no_preset() -> None:
    assert by_card_name("seeed-8mic-voicecard", 8) is not None
    assert by_card_name("seeed-8mic-voicecard", 7) is None


def test_a_finished_channel_is_the_first_of_however_many() -> None:
    array = by_usb_id("2886:001A", 6)
    assert array is not None
    assert (array.name, array.channels, array.microphones, array.cancels) == ("respeaker_xvf3800", 6, (0,), True)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("Plantronics Poly Sync 20-M", "poly_sync"),
        ("Jabra SPEAK 510 USB", "jabra_speak"),
        ("seeed-8mic-voicecard", "respeaker_hat_6"),
        ("HDA Intel PCH", None),
    ],
)
def test_cards_are_known_by_what_they_call_themselves(name: str, array: str | None) -> None:
    found = by_card_name(name)
    assert (found.name if found else None) == array


def test_an_unknown_card_is_none() -> None:
    assert by_usb_id("1234:5678") is None
    assert by_usb_id("2886:001a") is not None
    with pytest.raises(KeyError):
        by_name("nothing")


def test_geometry_is_millimetres_and_is_centred() -> None:
    assert parse_geometry("0,0; 40,0") == ((-0.02, 0.0, 0.0), (0.02, 0.0, 0.0))
    assert parse_geometry("10,20,30") == ((0.0, 0.0, 0.0),)
    square = parse_geometry("32,0; 0,32; -32,0; 0,-32;")
    assert len(square) == 4
    assert described(square).microphones == (0, 1, 2, 3)
    assert described(square, 6).channels == 6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "microphone 1 is not"),
        ("1", "microphone 1 is not"),
        ("1,2; x,y", "microphone 2 is not"),
        ("1,2; 3,4,5,6", "microphone 2 is not"),
        ("1,nan; 3,4", "microphone 1 is not"),
        ("1,2;; 3,4", "microphone 2 is not"),
        ("0.032,0; -0.032,0", "same place"),
        ("0,0; 1500,0", "1.5 m apart"),
        (";".join(f"{10 * i},0" for i in range(9)), "9 microphones are more than the 8"),
    ],
)
def test_wrong_geometry_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(GeometryError, match=says):
        parse_geometry(text)


def test_positions_must_match_the_microphones() -> None:
    with pytest.raises(GeometryError, match="1 positions for 2 microphones"):
        Array("odd", 2, microphones=(0, 1))
    with pytest.raises(GeometryError, match="beyond the 1 channels"):
        Array("odd", 1, microphones=(1,))
