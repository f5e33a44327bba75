"""What of a panel can be seen on this machine without touching a line: the board, and its GPIO chips by their label."""

from dataclasses import dataclass
from pathlib import Path

from appliance.core.pins import BOARDS
from appliance.panel.lines import LinesError
from appliance.settings.model_panel import AUTO, PanelSettings

_MODEL = Path("/proc/device-tree/model")
_DEV = Path("/dev")


@dataclass(frozen=True, slots=True)
class Chip:
    """One GPIO chip."""

    path: Path
    label: str
    lines: int


def model(path: Path = _MODEL) -> str:
    """What the firmware calls this machine; empty where there is no device tree."""
    try:
        return path.read_text("ascii", "replace").rstrip("\0\n")
    except OSError:
        return ""


def board(of: str) -> str | None:
    """The board (key of :data:`~appliance.core.pins.BOARDS`) whose model text this is."""
    return next((name for name, known in BOARDS.items() if known.fits(of)), None)


def chips(dev: Path = _DEV) -> list[Chip]:
    """The GPIO chips that may be opened.

    :raises OSError: one may not: its file belongs to another group.
    """
    import gpiod  # noqa: PLC0415 - it is there on a device only

    found = []
    for path in sorted(dev.glob("gpiochip*"), key=lambda path: (len(path.name), path.name)):
        if not path.is_symlink() and gpiod.is_gpiochip_device(str(path)):
            with gpiod.Chip(str(path)) as chip:
                info = chip.get_info()
            found.append(Chip(path, info.label, info.num_lines))
    return found


def labels(panel: PanelSettings, of: str) -> tuple[str, ...]:
    """What the chip with the panel's pins may be called.

    :param of: the model text of this machine.
    :raises LinesError: it is to be found out, and this is no board that Kontor knows.
    """
    if panel.chip:
        return (panel.chip,)
    name = panel.board if panel.board != AUTO else board(of)
    if name is None:
        names = ", ".join(f'"{known}"' for known in BOARDS)
        what = f'this machine ("{of}")' if of else "this machine"
        raise LinesError(f"{what} is no board that Kontor knows: set [panel] board ({names}), or [panel] chip")
    return BOARDS[name].chip_labels


def chip(panel: PanelSettings) -> Chip:
    """The chip with the panel's pins. It is looked for by its label: its number differs between kernels.

    :raises LinesError: it is not there, or not ours to open.
    """
    wanted = labels(panel, model())
    try:
        there = chips()
    except OSError as error:
        raise LinesError(f"{error.filename or 'a GPIO chip'} cannot be opened: {error.strerror}") from error
    found = next((one for one in there if one.label in wanted), None)
    if found is None:
        here = ", ".join(one.label for one in there) or "none"
        raise LinesError(f"there is no GPIO chip {' or '.join(wanted)} (here: {here}): see [panel] board and chip")
    return found


@dataclass(frozen=True, slots=True)
class Misfit:
    """A setting that does not fit this machine."""

    key: str
    allowed: str
    """The end of a sentence, as in :class:`appliance.settings.Problem`."""
    hint: str = ""


def is_here(panel: PanelSettings, of: str) -> bool:
    """Whether the settings can be compared with this machine: a desk computer has no device tree, and no such pins."""
    return bool(of or panel.chip)


def misfits(panel: PanelSettings) -> list[Misfit]:
    """What ``kontor config check`` refuses on the machine that has the panel. No line is touched."""
    of = model()
    if not is_here(panel, of):
        return []
    found = []
    here = board(of)
    if panel.board != AUTO and here not in (None, panel.board):
        words = f"must be {here}: that is what this machine is ({of})"
        found.append(Misfit("panel.board", words, "auto finds it out."))
    else:
        try:
            chip(panel)
        except LinesError as error:
            found.append(Misfit("panel.chip" if panel.chip else "panel.board", f"cannot be: {error}"))
        except ImportError as error:
            found.append(Misfit("panel.kind", f"needs {error.name}", "Install kontor[device] with pip."))
    if panel.pixels and not Path(panel.spi).exists():
        hint = "firmware/ has the overlay that makes it; without a ring set panel.pixels = 0."
        found.append(Misfit("panel.spi", "must be a device of this machine, which is not there", hint))
    return found
