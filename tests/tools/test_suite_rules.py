"""The suite's own rules, each shown to bite: a leak of every kind fails, by name, the test that made it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(180)  # each starts whole suites of its own
ROOT = Path(__file__).resolve().parent.parent.parent
HEAD = "import asyncio, socket, subprocess, sys, threading, time\nimport pytest\nfrom tests.support import need\nkept = []\n"


def run(tmp_path: Path, source: str, *arguments: str, **environment: str) -> str:
    """Run a suite of one file under the suite's plugins; what pytest printed."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_probe.py").write_text(HEAD + source)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--config-file={ROOT / 'pyproject.toml'}"]
    command += [f"--rootdir={tmp_path}", "--confcutdir", str(tmp_path), str(tmp_path), *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KONTOR_")}
    done = subprocess.run(
        command, cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, timeout=170, check=False
    )
    return done.stdout + done.stderr


def counted(output: str) -> str:
    """The closing line."""
    lines: list[str] = re.findall(r"^kontor: (\d+ passed, \d+ failed, \d+ skipped)$", output, re.MULTILINE)
    return lines[-1]


LEAKY = """
async def test_task(): kept.append(asyncio.create_task(asyncio.sleep(99), name='lost'))

async def test_unseen():
    async def boom(): raise ValueError('unseen')
    asyncio.create_task(boom())
    await asyncio.sleep(0.01)

def test_thread(): threading.Thread(target=time.sleep, args=(4,), name='sleepy', daemon=True).start()
def test_child(): kept.append(subprocess.Popen(['sleep', '30']))
def test_orphan(): subprocess.run(['sh', '-c', 'sleep 31 & exit 0'])
def test_socket(): kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
def test_unclosed(): socket.socket()

def test_warning():
    import warnings
    warnings.warn('old ways', DeprecationWarning)

@pytest.mark.timeout(0.1)
async def test_slow_coroutine(): await asyncio.sleep(9)

@pytest.mark.timeout(-4.9)  # the limit of a plain test is 5 s later
def test_slow(): time.sleep(9)

@pytest.mark.virtual_time
async def test_stuck(monkeypatch):
    import tests.support.virtual_time
    monkeypatch.setattr(tests.support.virtual_time, 'STUCK_AFTER', 0.1)
    await asyncio.get_running_loop().create_future()

@pytest.fixture(scope='module')
def wide():
    threading.Thread(target=time.sleep, args=(5,), name='wide', daemon=True).start()
    yield

def test_wide(wide): pass
"""
NAMED = {
    "task": "task 'lost' running sleep",
    "unseen": "ValueError: unseen",
    "thread": "thread 'sleepy' (daemon)",
    "child": "sleep 30",
    "orphan": "sleep 31",
    "socket": "AF_INET SOCK_DGRAM",
    "unclosed": "unclosed <socket.socket",
    "warning": "old ways",
    "slow_coroutine": "took longer than 0.1 s",
    "slow": "was here:",
    "stuck": "no timer is set and nothing has woken the loop",
    "wide": "thread 'wide' (daemon)",
}


def test_every_leak_fails_its_test_and_is_named(tmp_path: Path) -> None:
    output = run(tmp_path, LEAKY)
    parts = re.split(r"^_+ (?:ERROR at teardown of )?test_(\w+) _+$", output, flags=re.MULTILINE)[1:]
    told = dict(zip(parts[::2], parts[1::2], strict=True))
    assert told.keys() == NAMED.keys()
    assert {name for name, words in NAMED.items() if words not in told[name]} == set()
    assert counted(output).split(", ")[1] == f"{len(NAMED)} failed"


def test_what_a_wide_fixture_starts_may_stay_as_long_as_the_fixture(tmp_path: Path) -> None:
    source = (
        "@pytest.fixture(scope='module')\ndef wide():\n"
        "    stop = threading.Event(); thread = threading.Thread(target=stop.wait); thread.start()\n"
        "    child = subprocess.Popen(['sleep', '32'])\n"
        "    yield\n"
        "    stop.set(); thread.join(); child.kill(); child.wait()\n"
        "def test_one(wide): pass\n"
        "def test_two(wide): pass\n"
    )
    assert counted(run(tmp_path, source)) == "2 passed, 0 failed, 0 skipped"


def test_hypothesis_runs_coroutines(tmp_path: Path) -> None:
    source = (
        "from hypothesis import given, strategies as st\nloops = []\n"
        "@given(st.integers())\nasync def test_it(number):\n"
        "    await asyncio.sleep(0); loops.append(asyncio.get_running_loop()); assert isinstance(number, int)\n"
        "def test_each_example_had_a_loop_of_its_own(): assert len(set(map(id, loops))) > 1\n"
    )
    assert counted(run(tmp_path, source)) == "2 passed, 0 failed, 0 skipped"


OPT_IN = "".join(
    f"@pytest.mark.{name}\ndef test_{name}(): pass\n" for name in ("slow", "bench", "engines", "board", "browser")
)


def test_what_runs_only_when_asked_for_is_counted(tmp_path: Path) -> None:
    output = run(tmp_path, OPT_IN)
    assert counted(output) == "1 passed, 0 failed, 0 skipped"
    assert "run only when asked for: 1 slow, 1 benchmarks, 1 of other engines, 1 need a board" in output
    assert counted(run(tmp_path, OPT_IN, KONTOR_WITH="slow,board")) == "3 passed, 0 failed, 0 skipped"
    assert counted(run(tmp_path, OPT_IN, "-m", "slow")) == "1 passed, 0 failed, 0 skipped"


def test_ci_may_not_skip_what_can_be_installed(tmp_path: Path) -> None:
    source = "def test_it(): need('no-such-program', 'type: sudo apt-get install no-such-program')"
    assert counted(run(tmp_path, source)) == "0 passed, 0 failed, 1 skipped"
    output = run(tmp_path, source, KONTOR_REQUIRE="all")
    assert counted(output) == "0 passed, 1 failed, 0 skipped"
    assert "missing, and KONTOR_REQUIRE=all: type: sudo" in output
