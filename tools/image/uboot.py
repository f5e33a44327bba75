"""U-Boot's own formats: a script that it runs, and the environment that it starts with.

Script: the old image header of include/image.h (``mkimage -T script``), 64 bytes, big endian. Environment: CRC32, little endian,
of what follows; ``key=value`` with a zero byte each, a further one, zeroes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from tools.image.errors import ImageError

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
"""What a Raspberry Pi's U-Boot has instead of its own. Only ever read: the slots have a record of their own. The program has the
same within (:func:`sealed`), for a card whose file cannot be read."""
_OF_ITS_OWN = (b"\0bootcmd=bootflow scan\0", b"\0\0")
"""Between which bytes of the program its own environment stands (default_environment in include/env_default.h)."""
_OTHER_WAYS = frozenset({"preboot", "boot_targets", "dhcpuboot", "usb_ignorelist", "pxefile_addr_r"})
"""What in it starts USB and the network."""


def environment(variables: Mapping[str, str], size: int = ENVIRONMENT_SIZE) -> bytes:
    """The file uboot.env."""
    text = b"".join(f"{key}={variables[key]}".encode() + b"\0" for key in sorted(variables))
    body = text.ljust(size - 4, b"\0")
    return zlib.crc32(body).to_bytes(4, "little") + body


def sealed(program: bytes) -> bytes:
    """U-Boot with :data:`ENVIRONMENT` in the place of what is built into it.

    That one waits two seconds for a key, and without a boot.scr starts what USB or a server in the network has.

    :raises ImageError: it is not where this program of Debian's has it.
    """
    begin, end = (program.find(_OF_ITS_OWN[0]) + 1, program.find(_OF_ITS_OWN[1], program.find(_OF_ITS_OWN[0]) + 1))
    if begin == 0 or end < begin or program.count(_OF_ITS_OWN[0]) != 1:
        raise ImageError("u-boot-rpi: the environment within U-Boot is not where it was: look at tools/image/uboot.py")
    was = dict(line.partition("=")[::2] for line in program[begin:end].decode("ascii").split("\0"))
    variables = {name: value for name, value in was.items() if name not in _OTHER_WAYS} | ENVIRONMENT
    now = b"\0".join(f"{name}={value}".encode() for name, value in variables.items())
    if len(now) > end - begin:
        raise ImageError("u-boot-rpi: the environment within U-Boot has no room for ours")
    return program[:begin] + now.ljust(end - begin, b"\0") + program[end:]


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
