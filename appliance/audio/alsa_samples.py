"""Samples as sound cards have them, interleaved integers, and as the house has them, float32 and one row a channel.

Four formats, named as ALSA does: ``S16_LE``; ``S24_LE``, 24 bits in the lower three of four bytes, whatever the fourth holds;
``S24_3LE``, the same in three bytes; ``S32_LE``. Nothing is allocated for what 16 bits need; the others use one buffer each.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.core.units import Block, Blocks

SAMPLE_BYTES = {"S16_LE": 2, "S24_LE": 4, "S24_3LE": 3, "S32_LE": 4}
"""Bytes a sample, by format."""

_INT16 = np.float32(1 / 2**15)
_INT32 = np.float32(1 / 2**31)
_MOST = {"S16_LE": np.float32(2**15 - 1), "S24_LE": np.float32(2**23 - 1)}
# float32 has 24 bits: this is the largest below 2**31, and one more would be the most negative integer there is.
_MOST_32 = np.float32(2**31 - 128)


class Unpacker:
    """From what a card was read to rows of float32. ``most`` frames at a time."""

    def __init__(self, form: str, channels: int, most: int) -> None:
        self._form, self._channels = form, channels
        self.frame_bytes = SAMPLE_BYTES[form] * channels
        self._wide = np.zeros((most, channels), np.int32)
        self._bytes = self._wide.view(np.uint8).reshape(most, channels, 4)

    def unpack(self, data: bytes, first: int, frames: int, out: Blocks) -> None:
        """Frames ``first`` to ``first + frames`` of ``data`` into ``out``, shape (channels, frames), range [-1, 1)."""
        count, offset = frames * self._channels, first * self.frame_bytes
        if self._form == "S16_LE":
            samples = np.frombuffer(data, "<i2", count, offset).reshape(frames, self._channels)
            np.multiply(samples.T, _INT16, out=out)
            return
        wide = self._wide[:frames]
        if self._form == "S24_3LE":
            three = np.frombuffer(data, np.uint8, 3 * count, offset).reshape(frames, self._channels, 3)
            self._bytes[:frames, :, 1:] = three  # the lowest byte is 0 for good
        else:
            samples4 = np.frombuffer(data, "<i4", count, offset).reshape(frames, self._channels)
            np.left_shift(samples4, 8 if self._form == "S24_LE" else 0, out=wide)
        np.copyto(out, wide.T, casting="unsafe")
        np.multiply(out, _INT32, out=out)


class Packer:
    """From one block to what is written to a card: the same on every channel. ``most`` frames at a time."""

    def __init__(self, form: str, channels: int, most: int) -> None:
        self._form = form
        self.frame_bytes = SAMPLE_BYTES[form] * channels
        self._scratch = np.zeros(most, np.float32)
        self._frames: NDArray[Any] = np.zeros((most, channels), np.int16 if form == "S16_LE" else np.int32)
        if form == "S24_3LE":
            self._frames = np.zeros((most, channels, 3), np.uint8)
        self._wide = np.zeros(most, np.int32)
        self._wide_bytes = self._wide.view(np.uint8).reshape(most, 4)
        self._most = _MOST.get(form, _MOST_32)
        self._memory = memoryview(self._frames.reshape(-1).view(np.uint8).data)

    def pack(self, block: Block) -> memoryview:
        """``block``, shape (n,), as bytes of n frames, limited to [-1, 1]; valid until the next call."""
        n = len(block)
        scratch = self._scratch[:n]
        np.multiply(block, self._most, out=scratch)
        np.maximum(scratch, -self._most, out=scratch)
        np.minimum(scratch, self._most, out=scratch)
        if self._form == "S24_3LE":
            np.copyto(self._wide[:n], scratch, casting="unsafe")
            self._frames[:n] = self._wide_bytes[:n, np.newaxis, 1:]
        else:
            self._frames[:n] = scratch[:, np.newaxis]
        return self._memory[: n * self.frame_bytes]
