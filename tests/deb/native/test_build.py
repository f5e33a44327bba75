"""The real packages: the same bytes from another folder, umask, time zone and language; libraries of the right processor."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deb.roots import CHECKOUT
from tests.support.need import need
from tools.package import build, source
from tools.package.targets import TARGETS, Target

pytestmark = pytest.mark.slow

ELSEWHERE = ["env", "TZ=Pacific/Chatham", "LANG=de_DE.UTF-8", "LC_ALL=C", "sh", "-c", 'umask 077; exec "$@"', "sh"]
MACHINES = {"amd64": 62, "arm64": 183}
"""e_machine of ELF (elf.h): EM_X86_64 and EM_AARCH64."""


@pytest.mark.parametrize("name", ["trixie-amd64", "bookworm-arm64"])
@pytest.mark.timeout(900)
def test_two_builds_are_identical(name: str, tmp_path: Path) -> None:
    """One made here, one by `make deb`'s own program in a clone of the same commit."""
    need("eu-strip", "elfutils is not installed: python3 -m tools.system packages")
    target = next(target for target in TARGETS if target.name == name)
    commit = told("git", "-C", str(CHECKOUT), "rev-parse", "HEAD").strip()
    cache = CHECKOUT / ".cache" / "wheels"
    first = build.build(target, source.read(CHECKOUT, commit), tmp_path / "first", cache)
    clone = tmp_path / "a clone of it"
    told("git", "clone", "-q", "--shared", "--no-checkout", str(CHECKOUT), str(clone))
    told(*ELSEWHERE, "git", "-C", str(clone), "checkout", "-q", commit)
    program = [sys.executable, "-m", "tools.package.build", name, "--wheels", str(cache)]
    subprocess.run([*ELSEWHERE, *program], cwd=clone, check=True, capture_output=True)
    second = clone / "dist" / first.name
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.timeout(600)
def test_libraries_are_for_the_processor_and_python_of_the_target(
    target: Target, package: Callable[[Target], Path], tmp_path: Path
) -> None:
    told("dpkg-deb", "-x", str(package(target)), str(tmp_path))
    site = tmp_path / f"usr/lib/kontor/lib/python{target.python}/site-packages"
    libraries = list(site.rglob("*.so*"))
    assert len(libraries) > 30
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in libraries} == {MACHINES[target.architecture]}
    python = f"cpython-{target.python.replace('.', '')}-"
    assert not [path.name for path in libraries if ".cpython-" in path.name and python not in path.name]
    assert not (site / "av").exists()


@pytest.mark.timeout(600)
def test_debians_checker_has_nothing_to_say(package: Callable[[Target], Path]) -> None:
    """Nothing but what packaging/lintian says is meant."""
    need("lintian", "lintian is not installed: python3 -m tools.system packages")
    made = package(TARGETS[0])
    done = subprocess.run(["lintian", "--fail-on", "warning", str(made)], capture_output=True, text=True, check=False)
    said = [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:"))]
    assert (said, done.returncode) == ([], 0), done.stderr


def told(*words: str) -> str:
    """What a command says."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
