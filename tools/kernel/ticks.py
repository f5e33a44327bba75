"""The guest's clock for the host: a process in the guest that writes the time into a virtio-serial port.

The guest's processor is counted in instructions, so its time stands still while the host does other things. What plays the
part of a device has to keep that time, not the host's.
"""

from __future__ import annotations

import os
import struct
import time

PORT = "kontor.ticks"
TIME = struct.Struct("<Q")
"""Milliseconds of the guest's monotonic clock."""
TICK = 0.005


def run(fd: int) -> None:
    """Write the time every 5 ms; ends with the host. In a process of its own."""
    due = time.monotonic()
    while True:
        try:
            os.write(fd, TIME.pack(int(time.monotonic() * 1000)))
        except OSError:
            return
        due = max(due + TICK, time.monotonic() - TICK)
        time.sleep(max(0.0, due - time.monotonic()))
