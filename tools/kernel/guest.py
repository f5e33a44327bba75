"""What code in the guest may ask for: modules, and devices that QEMU plugs and unplugs."""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
from pathlib import Path
from typing import Any

from tools.kernel.agent import ASKS, port
from tools.kernel.channel import Channel


@functools.cache
def _asks() -> Channel:
    return Channel(port(ASKS))


def monitor(command: str, **arguments: Any) -> Any:
    """Have QEMU do something to this machine (QMP); gives its answer when it is done.

    :raises RuntimeError: QEMU refuses.
    """
    _asks().send({"execute": command, "arguments": arguments})
    answer = _asks().receive() or {}
    if "error" in answer:
        raise RuntimeError(f"{command}: {answer['error']}")
    return answer.get("return")


def plug(driver: str, name: str, **properties: Any) -> None:
    """Put a device in; on USB the guest then finds it by itself. ``name`` is for :func:`unplug`."""
    monitor("device_add", driver=driver, id=name, **properties)


def unplug(name: str) -> None:
    """Pull a device out."""
    monitor("device_del", id=name)


def plug_card(card: str) -> None:
    """Put in a card of ``Machine(cards=…)``."""
    monitor("plug", card=card)


def unplug_card(card: str) -> None:
    """Pull it out."""
    monitor("unplug", card=card)


def let_card_hear(card: str, what: str) -> None:
    """What its microphones give: see :meth:`tools.kernel.usb_card.UsbCard.hear`."""
    monitor("hear", card=card, what=what)


def modprobe(*words: str) -> None:
    """Load a module, with its parameters; or unload it (``-r``). Raises CalledProcessError."""
    subprocess.run(["modprobe", *words], check=True)


def write(path: str, text: str) -> None:
    """Write to a file of /sys or /proc."""
    Path(path).write_text(text)


def system_call(number: int, *arguments: int) -> int:
    """A system call that Python does not know. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    result: int = library.syscall(ctypes.c_long(number), *(ctypes.c_long(value) for value in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
