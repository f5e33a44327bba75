"""Where npm has put the clients of others (``make outside``)."""

from pathlib import Path

from tests.support.need import need
from tools.outside import FOLDER

MODULES = FOLDER / "node_modules"


def package(name: str) -> Path:
    """The folder of an installed package; the test skips without it."""
    need(MODULES / name, "`make outside` installs the clients of others, with npm")
    return MODULES / name
