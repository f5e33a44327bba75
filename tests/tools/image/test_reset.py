"""The image's factory reset, as its script does it: a real file system in a file, lamps and boot partition as folders."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.need import need

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "image/root/usr/lib/kontor-image/reset.sh"
UNIT = ROOT / "image/root/usr/lib/systemd/system/kontor-reset.service"
MKFS = need("mkfs.ext4", "a data partition is made")
SIZE = 16 * 1024 * 1024


class Box:
    """A card with a data partition and a boot partition, and two lamps of the kernel."""

    def __init__(self, folder: Path) -> None:
        self.data, self.boot, self.leds, self.bin = (folder / name for name in ("data", "boot", "leds", "bin"))
        for made in (self.boot, self.bin):
            made.mkdir()
        self.lamps = {name: self.leds / f"kontor:{name}" for name in ("amber:fault", "white:speak")}
        for lamp, most in zip(self.lamps.values(), ("1", "255"), strict=True):
            lamp.mkdir(parents=True)
            (lamp / "max_brightness").write_text(f"{most}\n")
            (lamp / "brightness").write_text("0\n")
        (self.lamps["amber:fault"] / "trigger").write_text("default-on\n")
        with self.data.open("wb") as file:
            file.truncate(SIZE)
        subprocess.run([MKFS, "-q", "-F", self.data], check=True)
        self.put("a secret of the old owner")

    def put(self, text: str) -> None:
        """Something in the midst of the data, as a block of a file."""
        with self.data.open("r+b") as file:
            file.seek(SIZE // 2)
            file.write(text.encode())

    def instead(self, program: str, script: str) -> None:
        """Another program in the place of a real one."""
        path = self.bin / program
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self, *before: str) -> subprocess.CompletedProcess[str]:
        env: Mapping[str, str] = os.environ | {"PATH": f"{self.bin}:{os.environ['PATH']}:/usr/sbin:/sbin"}
        argv = [*before, "/bin/sh", str(SCRIPT), str(self.data), str(self.boot), str(self.leds)]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)

    def lit(self) -> list[str]:
        return [(lamp / "brightness").read_text().strip() for lamp in self.lamps.values()]

    def label(self) -> str:
        found = subprocess.run(["e2label", self.data], check=False, capture_output=True, text=True)
        return found.stdout.strip()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.mark.parametrize("name", ["factory-reset", "factory-reset.txt"])
def test_the_data_is_made_anew_and_the_file_goes(box: Box, name: str) -> None:
    (box.boot / name).write_text("")
    (box.boot / "kontor.toml").write_text("schema = 1\n")
    done = box.start()
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "factory reset: done")
    assert box.label() == "kontor-data"
    assert b"a secret" not in box.data.read_bytes(), "where the card takes back what is not used"
    assert os.listdir(box.boot) == ["kontor.toml"]
    assert box.lit() == ["1", "0"], "FAULT stays lit until sound has it"
    assert (box.lamps["amber:fault"] / "trigger").read_text() == "none\n"


def test_the_file_is_there_until_the_data_is_new_and_lamps_blink(box: Box) -> None:
    """A power cut before that leads to one more reset."""
    asks = box.boot / "factory-reset"
    asks.touch()
    lamp = box.lamps["white:speak"] / "brightness"
    seen = f"test -e {asks} && for n in 1 2 3 4 5 6 7 8 9 10; do cat {lamp}; sleep 0.1; done >{box.bin}/seen"
    box.instead("mkfs.ext4", f'{MKFS} "$@" && {seen}')
    box.instead("rm", f'test "$(e2label {box.data})" = kontor-data && exec {shutil.which("rm")} "$@"')
    assert box.start().returncode == 0
    assert {"255", "0"} <= set((box.bin / "seen").read_text().split())
    assert not asks.exists()


def test_a_card_that_does_not_take_it_is_asked_again_at_the_next_start(box: Box) -> None:
    asks = box.boot / "factory-reset"
    asks.touch()
    box.instead("mkfs.ext4", "exit 1")
    done = box.start()
    assert done.returncode == 1 and "tried again" in done.stderr
    assert asks.exists()
    assert box.lit() == ["1", "0"]


def test_what_could_not_be_removed_wipes_nothing(box: Box) -> None:
    """Or it would do so at every start: a folder of this name, a boot partition that cannot be written to."""
    (box.boot / "factory-reset").mkdir()
    done = box.start()
    assert done.returncode == 1 and "nothing is wiped" in done.stderr
    assert box.label() == ""
    (box.boot / "factory-reset").rmdir()
    mounted = (
        f'mount -t tmpfs none {box.boot} && touch {box.boot}/factory-reset && mount -o remount,ro {box.boot} && "$@"'
    )
    done = box.start(need("unshare", "a mount of our own"), "-rm", "/bin/sh", "-c", mounted, "sh")
    assert done.returncode == 1 and "nothing is wiped" in done.stderr
    assert box.label() == ""


def test_the_script_is_what_a_shell_of_the_image_understands() -> None:
    text = UNIT.read_text()
    assert "Before=kontor-data.service" in text
    for name in ("factory-reset", "factory-reset.txt"):
        assert f"ConditionPathExists=|/boot/firmware/{name}\n" in text
    subprocess.run([need("dash", "the image's /bin/sh"), "-n", SCRIPT], check=True)
