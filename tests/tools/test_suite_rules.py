"""The suite's own rules, each shown to bite: a leak of every kind fails, by name, the test that made it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
        command, cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, timeout=50, check=False
    )
    return done.stdout + done.stderr


def counted(output: str) -> str:
    """The closing line."""
    lines: list[str] = re.findall(r"^kontor: (\d+ passed, \d+ failed, \d+ skipped)$", output, re.MULTILINE)
    return lines[-1]


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (
            "async def test_it(): kept.append(asyncio.create_task(asyncio.sleep(99), name='lost')); await asyncio.sleep(0)",
            "task 'lost' running sleep",
        ),
        (
            (
                "async def test_it():\n    async def boom(): raise ValueError('unseen')\n"
                "    asyncio.create_task(boom())\n    await asyncio.sleep(0.01)"
            ),
            "ValueError: unseen",
        ),
        (
            "def test_it(): threading.Thread(target=time.sleep, args=(4,), name='sleepy', daemon=True).start()",
            "thread 'sleepy' (daemon)",
        ),
        ("def test_it(): kept.append(subprocess.Popen(['sleep', '30']))", "sleep 30"),
        ("def test_it(): subprocess.run(['sh', '-c', 'sleep 31 & exit 0'])", "sleep 31"),
        ("def test_it(): kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))", "AF_INET SOCK_DGRAM"),
        ("def test_it(): socket.socket(); ", "unclosed <socket.socket"),
        ("def test_it():\n    import warnings; warnings.warn('old ways', DeprecationWarning)", "old ways"),
        (
            (
                "@pytest.fixture(scope='module')\ndef wide():\n"
                "    threading.Thread(target=time.sleep, args=(4,), name='wide', daemon=True).start(); yield\n"
                "def test_it(wide): pass"
            ),
            "thread 'wide' (daemon)",
        ),
        ("@pytest.mark.timeout(0.1)\nasync def test_it(): await asyncio.sleep(9)", "took longer than 0.1 s"),
        ("@pytest.mark.timeout(-4.9)\ndef test_it(): time.sleep(9)", "was here:"),
        (
            (
                "import tests.support.virtual_time as v\n@pytest.mark.virtual_time\n"
                "async def test_it(monkeypatch):\n    monkeypatch.setattr(v, 'STUCK_AFTER', 0.1)\n"
                "    await asyncio.get_running_loop().create_future()"
            ),
            "no timer is set and nothing has woken the loop",
        ),
    ],
)
def test_it_fails_and_is_named(tmp_path: Path, source: str, named: str) -> None:
    output = run(tmp_path, source)
    assert named in output
    assert "1 failed" in counted(output)


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
