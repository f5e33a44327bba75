"""The commands that look at cards, as somebody at the device runs them."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from appliance.__main__ import main
from tests.kernel.inside.listener import until

_SETTINGS = """schema = 1
[device]
state_dir = "{folder}"
runtime_dir = "{folder}"
[audio]
backend = "alsa"
capture = "auto"
playback = "auto"
"""


def told(*words: str) -> dict[str, Any]:
    """What a command says as JSON, with its exit code, on a device whose card is chosen by itself."""
    until(lambda: Path("/proc/asound/Array/stream0").exists(), 10.0, "the kernel has the array")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "kontor.toml"
        config.write_text(_SETTINGS.format(folder=folder))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main([*words, "--json", "--config", str(config)])
    return {**json.loads(out.getvalue()), "code": code, "stream": Path("/proc/asound/Array/stream0").read_text()}
