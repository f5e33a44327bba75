"""U-Boot's own formats: a script that it runs, and the environment that it starts with.

Script: the old image header of include/image.h (``mkimage -T script``), 64 bytes, big endian. Environment: CRC32, little endian,
of what follows; ``key=value`` with a zero byte each, a further one, zeroes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

_MAGIC, _LINUX, _ARM64, _SCRIPT, _NOT_PACKED = 0x27051956, 5, 22, 6, 0
ENVIRONMENT_SIZE = 0x4000
"""CONFIG_ENV_SIZE of U-Boot's rpi_arm64."""

ENVIRONMENT = {
    # No countdown, and no key that ends it; nothing types.
    "bootdelay": "-2",
    "stdin": "nulldev",
    "stdout": "serial,vidconsole",
    "stderr": "serial,vidconsole",
    "baudrate": "115200",
    "devtype": "mmc",
    # The card is the first or the second controller. There is no other way: not by USB, not by the network.
    "bootcmd": "for devnum in 0 1 2; do setenv devnum ${devnum}; "
    "if load mmc ${devnum}:1 0x02400000 boot.scr; then source 0x02400000; fi; done; sleep 10; reset",
}
"""What a Raspberry Pi's U-Boot has instead of its own. Only ever read: the slots have a record of their own. If the file cannot
be read, U-Boot's own environment finds boot.scr, too, after two seconds in which a key on the serial port stops it."""


def environment(variables: Mapping[str, str], size: int = ENVIRONMENT_SIZE) -> bytes:
    """The file uboot.env."""
    text = b"".join(f"{key}={variables[key]}".encode() + b"\0" for key in sorted(variables))
    body = text.ljust(size - 4, b"\0")
    return zlib.crc32(body).to_bytes(4, "little") + body


def script(text: str, epoch: int, name: str = "Kontor") -> bytes:
    """The file boot.scr.

    :param text: the script, in U-Boot's shell.
    :param epoch: Unix time of its making.
    """
    code = text.encode()
    data = struct.pack(">II", len(code), 0) + code
    kind = (_LINUX, _ARM64, _SCRIPT, _NOT_PACKED)
    head = (epoch, len(data), 0, 0, zlib.crc32(data), *kind, name.encode())
    form = ">IIIIIIIBBBB32s"
    checksum = zlib.crc32(struct.pack(form, _MAGIC, 0, *head))
    return struct.pack(form, _MAGIC, checksum, *head) + data
