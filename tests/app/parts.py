"""Small real parts that the tests of app/ share."""

import io
from pathlib import Path

from appliance.core.lamps import Lamps
from appliance.health.journal import Journal
from appliance.panel.port import View
from appliance.settings import Settings, Source, load


def settings(folder: Path, more: str = "") -> Settings:
    """The settings of a device that lives in ``folder``, with what its service manager makes for it."""
    if folder.is_dir():
        for part in ("sound", "link"):
            (folder / part).mkdir(exist_ok=True)
    text = f"""schema = 1
[device]
state_dir = "{folder}"
runtime_dir = "{folder}"
{more}"""
    return load([Source("test.toml", text.encode(), folder)])


def kept(folder: Path) -> Path:
    """Where the sound of such a device keeps what must survive; made when it is not there yet."""
    state = folder / "sound"
    state.mkdir(exist_ok=True)
    return state


class Lines(io.StringIO):
    """A journal's output that can be asked for."""

    def lines(self, event: str) -> list[str]:
        """The lines that tell ``event``."""
        return [line for line in self.getvalue().splitlines() if f"event={event}" in line]


def journal() -> tuple[Journal, Lines]:
    """A journal and what it writes."""
    out = Lines()
    return Journal("test", out), out


class LampRow:
    """The part of a panel that shows; ``order`` tells when, among other things."""

    def __init__(self, order: list[object]) -> None:
        self.order = order
        self.shown: Lamps | None = None
        self.view: View | None = None

    def show(self, view: View) -> None:
        self.view, self.shown = view, view.lamps
        self.order.append(("lamp", view.lamps.mic))


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
