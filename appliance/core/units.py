"""The units that every part of Kontor counts in."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
"""Samples a second."""

BLOCK = 480
"""Samples in a block: 10 ms of mono audio."""

BLOCK_SECONDS = BLOCK / RATE

SILENCE = -127.0
"""The quietest level there is, in dBov (RFC 6464)."""

SLOTS = 3
"""Talkers that a member hears at a time."""

Block: TypeAlias = NDArray[np.float32]
"""Shape (480,), range [-1, 1]: audio inside the house."""

Blocks: TypeAlias = NDArray[np.float32]
"""Shape (n, 480): the blocks of n microphones, captured at the same time."""

Pcm: TypeAlias = NDArray[np.int16]
"""Shape (n,), int16: audio at the edges (codec, exchange, sound card)."""
