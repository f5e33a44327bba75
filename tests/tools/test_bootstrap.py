"""The way in: an environment from a lock, and one sentence for everything that can be in its way."""

import base64
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import bootstrap, debian, speech

SIZE = {"packages": 1, "download": 1000, "installed": 2000}
"""Bytes, as requirements/sizes.json has them."""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one locked package, an index that is a directory, and the demo's speech already fetched."""
    root = tmp_path / "a check out"  # with spaces
    (root / "requirements").mkdir(parents=True)
    (root / ".cache").mkdir()
    digest = make_wheel(tmp_path / "index")
    (root / "requirements" / "core.lock").write_text(f"kontorprobe==1.0 --hash=sha256:{digest}\n")
    (root / "requirements" / "sizes.json").write_text(json.dumps({"core": {"3.11-x86_64": SIZE}}))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(bootstrap, "ROOT", root)
    monkeypatch.setattr(bootstrap, "check_opus", lambda _root, _venv: None)
    monkeypatch.setattr(speech, "tried", lambda: True)
    return root


def make_wheel(directory: Path) -> str:
    """A package with one module; its SHA-256."""
    directory.mkdir()
    files = {
        "kontorprobe.py": "WORD = 'here'\n",
        "kontorprobe-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: kontorprobe\nVersion: 1.0\n",
        "kontorprobe-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for name, text in files.items()
    )
    wheel = directory / "kontorprobe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, "kontorprobe-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_installs_what_is_locked_and_returns_at_once_the_second_time(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main(["core"]) == 0
    said = capsys.readouterr().out
    assert said.index("MiB to fetch") < said.index("installed into .venv")
    python = checkout / ".venv" / "bin" / "python"
    found = subprocess.run(
        [python, "-c", "import kontorprobe; print(kontorprobe.WORD)"], capture_output=True, check=True
    )
    assert found.stdout == b"here\n"

    # The package and the command are the checkout's own, from wherever they are called.
    (checkout / "appliance").mkdir()
    (checkout / "appliance" / "__init__.py").touch()
    (checkout / "appliance" / "__main__.py").write_text("import sys; print(sys.argv[1:])")
    kontor = subprocess.run([checkout / ".venv/bin/kontor", "a b"], cwd="/", capture_output=True, check=True)
    assert kontor.stdout == b"['a b']\n"

    shutil.rmtree(checkout.parent / "index")  # no way to any package from here on
    begun = time.monotonic()
    assert bootstrap.main(["core"]) == 0
    assert time.monotonic() - begun < 0.5
    assert capsys.readouterr().out == ""


def test_a_package_that_is_not_the_locked_one_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "requirements" / "core.lock").write_text(f"kontorprobe==1.0 --hash=sha256:{'0' * 64}\n")
    assert bootstrap.main(["core"]) == bootstrap.TRY_AGAIN
    assert "is not the one that was locked" in capsys.readouterr().out
    assert bootstrap.read_stamp(checkout / ".venv") == {}


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    venv = checkout / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/nowhere/python3")
    (venv / "pyvenv.cfg").touch()
    (venv / "kontor-stamp.json").write_text(
        json.dumps({"core": hashlib.sha256((checkout / "requirements/core.lock").read_bytes()).hexdigest()})
    )
    (venv / "leftover").touch()
    assert bootstrap.main(["core"]) == 0
    assert not (venv / "leftover").exists()
    assert subprocess.run([venv / "bin/python", "-c", "import kontorprobe"], check=False).returncode == 0


@pytest.fixture
def without_venv(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bootstrap, "has_venv", lambda: False)
    yield
    assert not (checkout / ".venv").exists()


@pytest.mark.usefixtures("without_venv")
def test_without_venv_and_without_root_it_prints_the_line_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(debian, "available", lambda: True)
    monkeypatch.setattr(debian, "elevation", lambda: None)
    assert bootstrap.main(["core"]) == bootstrap.CHANGE_FIRST
    assert last_line(capsys).endswith("type: sudo apt-get install python3-venv")


@pytest.mark.usefixtures("without_venv")
def test_without_venv_root_installs_it_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(debian, "available", lambda: True)
    monkeypatch.setattr(debian, "elevation", list)
    monkeypatch.setattr(debian, "install", lambda *names: asked.extend(names))
    assert bootstrap.main(["core"]) == bootstrap.TRY_AGAIN
    assert asked == ["python3-venv"]
    assert "python3-venv could not be installed" in last_line(capsys)


@pytest.mark.usefixtures("without_venv")
def test_without_venv_and_without_apt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(debian, "available", lambda: False)
    assert bootstrap.main(["core"]) == bootstrap.CHANGE_FIRST
    assert "install your system's package" in last_line(capsys)


def test_a_full_disk_is_told_before_the_first_byte(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=2000))
    assert bootstrap.main(["core"]) == bootstrap.TRY_AGAIN
    assert "the disk is full (1 MiB are needed, 0 are free)" in last_line(capsys)
    assert not (checkout / ".venv").exists()


def test_a_disk_that_fills_up_meanwhile(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_space(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bootstrap, "link_checkout", no_space)
    assert bootstrap.main(["core"]) == bootstrap.TRY_AGAIN
    assert last_line(capsys) == "kontor: the disk is full: free some space and run the same command again."


def test_a_directory_that_is_not_ours(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/a/b")

    monkeypatch.setattr(bootstrap, "bootstrap", refused)
    assert bootstrap.main(["core"]) == bootstrap.CHANGE_FIRST
    assert last_line(capsys) == (
        "kontor: /a/b cannot be written (Permission denied): make it yours, or clone elsewhere."
    )


def test_an_old_python_looks_for_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", {"python3.12": "/bin/python3.12"}.get)
    assert bootstrap.usable_python((3, 10)) == "/bin/python3.12"
    assert bootstrap.usable_python((3, 11)) is None
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(bootstrap.Stop, match=r"Python 3\.9 is too old: Kontor needs 3\.11") as stopped:
        bootstrap.usable_python((3, 9))
    assert stopped.value.status == bootstrap.CHANGE_FIRST


@pytest.mark.parametrize(
    ("output", "status", "sentence"),
    [
        (
            (
                "WARNING: Retrying (Retry(total=1, …)) after connection broken by 'NewConnectionError('<…>: Failed to "
                "establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/aiohttp/\n"
                "ERROR: Could not find a version that satisfies the requirement aiohttp==3.14.5 (from versions: none)\n"
                "ERROR: No matching distribution found for aiohttp==3.14.5\n"
            ),
            bootstrap.TRY_AGAIN,
            "no way to the Python package index",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
            bootstrap.TRY_AGAIN,
            "the disk is full",
        ),
        (
            (
                "ERROR: Could not find a version that satisfies the requirement av==18.1.0 (from versions: none)\n"
                "ERROR: No matching distribution found for av==18.1.0\n"
            ),
            bootstrap.CHANGE_FIRST,
            "no ready-made wheel",
        ),
        (
            "The virtual environment was not created successfully because ensurepip is not available.",
            bootstrap.CHANGE_FIRST,
            "sudo apt-get install python3-venv",
        ),
        ("something\n\nnobody has seen before\n", bootstrap.BROKEN, "nobody has seen before"),
        ("", bootstrap.BROKEN, "no word why"),
    ],
)
def test_what_a_tool_says_at_length_becomes_one_sentence(output: str, status: int, sentence: str) -> None:
    stop = bootstrap.explain(output, "installing")
    assert stop.status == status
    assert sentence in str(stop)
    assert "\n" not in str(stop)


@pytest.mark.parametrize(
    ("stderr", "status", "sentence"),
    [
        (
            "Traceback …\nappliance.media.opus.OpusMissing: none here: do this",
            bootstrap.CHANGE_FIRST,
            "^none here: do this$",
        ),
        ("Traceback …\nImportError: odd", bootstrap.BROKEN, "ImportError: odd"),
    ],
)
def test_no_codec(tmp_path: Path, stderr: str, status: int, sentence: str) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nprintf '%s\\n' '{stderr}' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(bootstrap.Stop, match=sentence) as stopped:
        bootstrap.check_opus(tmp_path, tmp_path)
    assert stopped.value.status == status


def test_nothing_leads_pip_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_TARGET", "PIP_PREFIX", "PYTHONPATH", "PYTHONHOME"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    kept = bootstrap.environment(TMPDIR="/t")
    assert "/elsewhere" not in kept.values()
    assert (kept["PIP_USER"], kept["TMPDIR"]) == ("0", "/t")


def test_an_unknown_set_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["everything"]) == bootstrap.CHANGE_FIRST
    assert last_line(capsys) == "kontor: 'everything' is none of core, dev, bench, training, hardware."


def test_the_committed_locks_fit_this_python_and_name_no_place() -> None:
    root = Path(bootstrap.__file__).resolve().parent.parent
    for name in ("core", "dev"):
        size = bootstrap.size_of(root, name)
        lock = (root / "requirements" / f"{name}.lock").read_text()
        assert lock.count("==") >= size["packages"] > 20
        assert "://" not in lock
        assert "--hash=sha256:" in lock
    assert sys.version_info >= bootstrap.OLDEST


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


LOCK = """cython==3.3.1 \\
    --hash=sha256:aa
    # via pesq
pesq==0.0.4 \\
    --hash=sha256:bb
setuptools==84.2.1 ; python_version < '4' \\
    --hash=sha256:cc
"""


def test_what_has_no_wheel_is_parted_from_what_has() -> None:
    wheels, built = bootstrap.split(LOCK)
    assert list(bootstrap.entries(wheels)) == ["cython", "setuptools"]
    assert built == "pesq==0.0.4 \\\n    --hash=sha256:bb\n"
    assert bootstrap.split("numpy==2.4.6 \\\n    --hash=sha256:dd\n")[1] == ""


def test_the_benches_are_installed_over_the_tests_and_built_with_nothing_fetched_beside(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = (checkout / "requirements" / "core.lock").read_text()
    (checkout / "requirements" / "dev.lock").write_text(locked)
    (checkout / "requirements" / "bench.lock").write_text(LOCK)
    (checkout / "requirements" / "sizes.json").write_text(
        json.dumps({name: {"3.11-x86_64": SIZE} for name in ("core", "dev", "bench")})
    )
    assert bootstrap.main(["dev"]) == 0
    installed: list[tuple[str, tuple[str, ...]]] = []
    monkeypatch.setattr(
        bootstrap, "install", lambda _root, _venv, lock, _size, *more: installed.append((lock.split("=")[0], more))
    )
    assert bootstrap.main(["bench"]) == 0
    assert installed == [
        ("cython", ("--only-binary", ":all:")),
        ("pesq", ("--no-binary", ",".join(bootstrap.BUILT), "--no-build-isolation", "--use-pep517")),
    ]
    assert set(bootstrap.read_stamp(checkout / ".venv")) == {"core", "dev", "bench"}
    assert bootstrap.main(["bench"]) == bootstrap.main(["dev"]) == 0
    assert len(installed) == 2


def test_a_missing_compiler_is_told_with_the_line_to_type() -> None:
    for said in (
        "x.c:1: fatal error: Python.h: No such file or directory",
        "error: command 'x-gcc' failed: No such file",
    ):
        stop = bootstrap.explain(said, "installing")
        assert stop.status == bootstrap.CHANGE_FIRST
        assert str(stop).endswith("python3-dev")
