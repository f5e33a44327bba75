"""The import contracts bite: a forbidden import of each kind is found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, with one forbidden import of every kind in it."""
    root = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "appliance", root / "appliance", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for module, line in WRONG.items():
        path = root / "appliance" / f"{module}.py"
        path.write_text(line + "\n")
    (root / "appliance" / "attic.py").write_text("")  # a room that is in no layer
    return root


WRONG = {
    "core/wrong_time": "import time",
    "media/wrong_up": "import appliance.audio",
    "panel/wrong_sibling": "import appliance.host",
    "panel/wrong_sound": "import alsaaudio",
    "audio/wrong_pins": "import gpiozero",
    "host/wrong_engine": "import livekit.rtc",
    "app/wrong_systemd": "import systemd.daemon",
    "rooms/wrong_aiortc": "from aiortc import RTCPeerConnection",
    "audio/wrong_av": "import av",
    "rooms/wrong_aioice": "import aioice",
}
"""Module → what it must not import. The names are made up so that no real file is replaced."""


def test_every_forbidden_import_is_found(house: Path) -> None:
    output = lint(house)
    for module in WRONG:
        name = f"appliance.{module.replace('/', '.')}"
        assert f"{name} -> " in output, name
    assert "attic" in lint_layers_only(house)


def lint(root: Path) -> str:
    (root / "appliance" / "attic.py").unlink(missing_ok=True)
    return _run(root)


def lint_layers_only(root: Path) -> str:
    (root / "appliance" / "attic.py").touch()
    return _run(root)


def _run(root: Path) -> str:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr
