"""The packages for amd64, in clean roots of both releases."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deb import life
from tests.deb.conftest import targets
from tests.deb.roots import CHECKOUT, Root, dependencies, root
from tools.package import source
from tools.package.targets import Target

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("target", targets("amd64"))
@pytest.mark.timeout(900)
def test_from_installation_to_purge(target: Target, package: Callable[[Target], Path], tmp_path: Path) -> None:
    """Installed, used, set up at a terminal, upgraded, removed, installed again, purged: nothing is left."""
    made = package(target)
    version = source.read(CHECKOUT).version
    with root(target, dependencies(made)) as clean:
        before = life.untouched(clean)
        life.install(clean, made)
        life.works(clean, version)
        life.units_are_right(clean)
        is_in_a_room(clean)
        life.is_set_up_at_a_terminal(clean, 18431, 60)
        life.is_upgraded(clean, life.later_version(made, tmp_path, "99.0"), "99.0")
        life.is_removed(clean)
        life.install(clean, made)
        life.is_purged(clean, before)


def is_in_a_room(clean: Root) -> None:
    """The demo of the installed package: host, sound and link, without PyAV, and a call between them."""
    with subprocess.Popen(
        clean.command("timeout", "-s", "INT", "60", "kontor", "demo", "--port", "18430"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            end = time.monotonic() + 40
            while True:
                told = clean.run("kontor", "status", "--json", check=False).stdout
                if told and json.loads(told).get("link", {}).get("phase") == "in_room":
                    break
                assert time.monotonic() < end, told
                time.sleep(0.5)
        finally:
            demo.terminate()
            demo.communicate()
