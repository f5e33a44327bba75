"""The packages for arm64, in clean roots of both releases, under qemu-user. No call: it would not be in time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deb import life
from tests.deb.conftest import targets
from tests.deb.roots import CHECKOUT, dependencies, emulated, root
from tools.package import source
from tools.package.targets import Target

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("target", targets("arm64"))
@pytest.mark.timeout(1800)
def test_from_installation_to_purge(target: Target, package: Callable[[Target], Path], tmp_path: Path) -> None:
    """Installed, every library loaded, set up at a terminal, upgraded, removed, purged: nothing is left."""
    made = package(target)
    with emulated(), root(target, dependencies(made)) as clean:
        before = life.untouched(clean)
        life.install(clean, made)
        life.works(clean, source.read(CHECKOUT).version)
        life.units_are_right(clean)
        life.is_set_up_at_a_terminal(clean, 18432, 480)
        life.is_upgraded(clean, life.later_version(made, tmp_path, "99.0"), "99.0")
        life.is_removed(clean)
        life.is_purged(clean, before)
