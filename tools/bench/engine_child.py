"""Telegram's process for sound (rooms/telegram_child.py), which also writes down when sound is handed to the library."""

import os
import sys
import time
from pathlib import Path

from appliance.core.units import Pcm
from appliance.rooms import telegram_child
from appliance.rooms.block_proof import BlockProof
from tools.bench.engine_watch import LEFT, audible


class Looking(BlockProof):
    """The proof, which is asked before each block is handed over."""

    def leaving(self, pcm: Pcm) -> bool:
        """Whether it may, and when it did."""
        may = super().leaving(pcm)
        if may and audible(pcm):
            with Path(os.environ[LEFT]).open("a") as file:
                file.write(f"{time.monotonic()}\n")
        return may


if __name__ == "__main__":
    telegram_child.BlockProof = Looking  # type: ignore[attr-defined]
    telegram_child.main(sys.argv[1:])
