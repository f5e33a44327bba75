"""The packages of the last commit, each made when it is first asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deb.roots import CHECKOUT
from tests.support.need import need
from tools.package import build, source
from tools.package.targets import TARGETS, Target


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Target], Path]:
    """Makes the package of a target; the same one for whoever asks again."""
    need("eu-strip", "elfutils is not installed: python3 -m tools.system packages")
    folder, made = tmp_path_factory.mktemp("packages"), dict[Target, Path]()
    origin = source.read(CHECKOUT)

    def of(target: Target) -> Path:
        if target not in made:
            made[target] = build.build(target, origin, folder, CHECKOUT / ".cache" / "wheels")
        return made[target]

    return of


def targets(architecture: str) -> list[object]:
    """The targets of a processor, as parameters of a test."""
    return [pytest.param(target, id=target.name) for target in TARGETS if target.architecture == architecture]
