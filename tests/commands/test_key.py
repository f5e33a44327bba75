"""``kontor key``: the same key each time, and as a code that a phone reads."""

import base64
import subprocess
from pathlib import Path

import pytest

from appliance.__main__ import main
from appliance.core.enrolment import fingerprint
from tests.support import need

Output = pytest.CaptureFixture[str]
_HALVES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
"""Upper and lower module of a character; where it is printed, a terminal is light."""


def picture(lines: list[str]) -> str:
    """What a terminal with light letters on black shows of ``lines``, as a plain PBM of eight pixels a module."""
    rows = [[1 - _HALVES[sign][half] for sign in line] for line in lines for half in (0, 1)]
    wide = [[bit for bit in row for _ in range(8)] for row in rows for _ in range(8)]
    return f"P1 {len(wide[0])} {len(wide)}\n" + "\n".join(" ".join(map(str, row)) for row in wide)


def test_the_key_is_printed_and_read_by_a_phone(tmp_path: Path, capsys: Output) -> None:
    config = tmp_path / "kontor.toml"
    config.write_text(f'schema = 1\n[device]\nname = "Room 3"\nstate_dir = "{tmp_path}"\n')
    assert main(["key", "--config", str(config)]) == 0
    public = capsys.readouterr().out.strip()
    assert main(["key", "--qr", "--config", str(config)]) == 0
    first, second, *code = capsys.readouterr().out.splitlines()
    shown = fingerprint(base64.b64decode(public))
    assert (first, second) == (public, f"room-3: {shown}")
    reader = need("zbarimg", "zbar-tools is not installed: apt install zbar-tools")
    image = tmp_path / "code.pbm"
    image.write_text(picture([line for line in code if line]))
    read = subprocess.run([reader, "--quiet", "--raw", image], capture_output=True, text=True, check=True, timeout=20)
    assert read.stdout.strip() == f"room-3\n{shown}\n{public}"


def test_a_damaged_key_is_named(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "device.key").write_text("x")
    config = tmp_path / "kontor.toml"
    config.write_text(f'schema = 1\n[device]\nstate_dir = "{tmp_path}"\n')
    assert main(["key", "--config", str(config)]) == 78
    assert "device.key is damaged" in capsys.readouterr().err
