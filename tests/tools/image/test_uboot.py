"""U-Boot's files are those that its own tools make."""

import subprocess
from pathlib import Path

from tests.support.need import need
from tools.image import uboot
from tools.image.boards import BOOT_SCRIPT
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
