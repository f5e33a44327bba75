"""Samples of every format there and back."""

import numpy as np
import pytest

from appliance.audio.alsa_samples import SAMPLE_BYTES, Packer, Unpacker
from appliance.core.units import BLOCK

FORMATS = sorted(SAMPLE_BYTES)
STEP = {"S16_LE": 2**-15, "S24_LE": 2**-22, "S24_3LE": 2**-22, "S32_LE": 2**-22}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_there_and_back(form: str, channels: int) -> None:
    block = np.random.default_rng(3).uniform(-1, 1, BLOCK).astype(np.float32)
    packed = Packer(form, channels, BLOCK).pack(block)
    assert len(packed) == BLOCK * channels * SAMPLE_BYTES[form]
    out = np.zeros((channels, BLOCK), np.float32)
    Unpacker(form, channels, BLOCK).unpack(bytes(packed), 0, BLOCK, out)
    assert np.abs(out - block).max() <= 2 * STEP[form]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_too_loud_is_limited_and_does_not_turn_over(form: str) -> None:
    block = np.array([1.0, 1.5, -1.0, -9.0], np.float32)
    out = np.zeros((1, 4), np.float32)
    Unpacker(form, 1, 4).unpack(bytes(Packer(form, 1, 4).pack(block)), 0, 4, out)
    assert out[0] == pytest.approx([1, 1, -1, -1], abs=1e-4)


def test_channels_are_parted_and_parts_can_be_taken() -> None:
    frames = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], "<i2") * 256
    out = np.zeros((4, 2), np.float32)
    Unpacker("S16_LE", 4, 3).unpack(frames.tobytes(), 1, 2, out)
    assert (out * 128).tolist() == [[5, 9], [6, 10], [7, 11], [8, 12]]


@pytest.mark.parametrize("fourth", [0x00, 0x5A, 0xFF])
def test_the_fourth_byte_of_24_bits_in_four_says_nothing(fourth: int) -> None:
    data = bytes([0x00, 0x00, 0xC0, fourth, 0x00, 0x00, 0x40, fourth])
    out = np.zeros((1, 2), np.float32)
    Unpacker("S24_LE", 1, 2).unpack(data, 0, 2, out)
    assert out.tolist() == [[-0.5, 0.5]]


def test_three_bytes_are_little_endian_with_a_sign() -> None:
    out = np.zeros((1, 3), np.float32)
    Unpacker("S24_3LE", 1, 3).unpack(b"\x00\x00\x80\xff\xff\x7f\xff\xff\xff", 0, 3, out)
    assert out[0] == pytest.approx([-1.0, 1.0, -(2.0**-23)], abs=2.0**-22)
