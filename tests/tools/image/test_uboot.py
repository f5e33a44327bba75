"""U-Boot's files are those that its own tools make."""

import subprocess
from pathlib import Path

import pytest

from tests.support.need import need
from tools.image import uboot
from tools.image.boards import BOOT_SCRIPT
from tools.image.errors import ImageError
from tools.system import find

EPOCH = 1_764_000_000


def test_a_script_is_what_mkimage_makes(tmp_path: Path) -> None:
    mkimage = need(find("mkimage"), "mkimage is not installed: apt-get install u-boot-tools")
    made = tmp_path / "made.scr"
    words = ["-A", "arm64", "-T", "script", "-C", "none", "-n", "Kontor", "-d", str(BOOT_SCRIPT), str(made)]
    environment = {"SOURCE_DATE_EPOCH": str(EPOCH), "TZ": "UTC"}
    subprocess.run([mkimage, *words], env=environment, capture_output=True, check=True)
    assert uboot.script(BOOT_SCRIPT.read_text(), EPOCH) == made.read_bytes()


def test_an_environment_is_what_mkenvimage_makes(tmp_path: Path) -> None:
    mkenvimage = need(find("mkenvimage"), "mkenvimage is not installed: apt-get install u-boot-tools")
    text, made = tmp_path / "text", tmp_path / "uboot.env"
    text.write_text("".join(f"{key}={value}\n" for key, value in sorted(uboot.ENVIRONMENT.items())))
    words = ["-p", "0", "-s", hex(uboot.ENVIRONMENT_SIZE), "-o", str(made), str(text)]
    subprocess.run([mkenvimage, *words], capture_output=True, check=True)
    assert uboot.environment(uboot.ENVIRONMENT) == made.read_bytes()


def test_nobody_can_type_and_nothing_but_the_card_is_started() -> None:
    said = uboot.ENVIRONMENT
    assert (said["bootdelay"], said["stdin"]) == ("-2", "nulldev")
    assert not {"usb", "pxe", "dhcp", "bootflow"} & set(said["bootcmd"].replace(";", " ").split())
    assert said["bootcmd"].endswith("reset")


def built_in(end: bytes = b"\0\0") -> bytes:
    text = (
        b"bootcmd=bootflow scan\0bootdelay=2\0preboot=pci enum; usb start;\0arch=arm\0boot_targets=mmc usb pxe dhcp\0"
    )
    text += b"dhcpuboot=usb start; dhcp u-boot.uimg; bootm\0stdin=serial,usbkbd\0stdout=serial,vidconsole\0"
    text += b"stderr=serial,vidconsole\0pxefile_addr_r=0x02500000\0usb_ignorelist=0x1050:*,"
    return b"code \0help of a command\n\0" + text + end + b"more code\0"


def test_a_card_whose_environment_cannot_be_read_lets_nobody_type_and_starts_nothing_else() -> None:
    program = built_in()
    sealed = uboot.sealed(program)
    assert len(sealed) == len(program)
    assert sealed.startswith(b"code \0help of a command\n\0bootcmd=") and sealed.endswith(b"\0\0more code\0")
    begin = sealed.index(b"bootcmd=")
    said = dict(line.split("=", 1) for line in sealed[begin : sealed.index(b"\0\0", begin)].decode().split("\0"))
    assert said == uboot.ENVIRONMENT | {"arch": "arm"}


def test_a_u_boot_that_is_another_one_is_told() -> None:
    for program in (b"", built_in() * 2, built_in(b"")[:-10], built_in().replace(b"bootflow scan", b"run distro")):
        with pytest.raises(ImageError, match="is not where it was"):
            uboot.sealed(program)
    with pytest.raises(ImageError, match="has no room"):
        uboot.sealed(b"\0bootcmd=bootflow scan\0\0")
