"""Make the lock files anew, prove that each locked package has a wheel for every target, and note their sizes.

``make lock`` runs this. It needs a network, and fetches every locked wheel once for each target.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from tools import dependencies
from tools.bootstrap import BUILT, entries, split

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
UV = "uv==0.13.9"
TARGETS = [(python, machine) for python in ("3.11", "3.13") for machine in ("x86_64", "aarch64")]
GLIBC = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
"""The oldest C library among our targets is that of Debian 12 (2.36); wheels for 2.28 and older do."""


def main() -> int:
    """Lock, check, measure."""
    tools = ROOT / ".cache" / "lock"
    if not (tools / "bin" / "uv").exists():
        _run(sys.executable, "-m", "venv", str(tools))
        _run(str(tools / "bin" / "pip"), "install", "-q", "--only-binary", ":all:", UV)
    _compile(tools, "core")
    _compile(tools, "dev", "--group", "dev", "-c", "requirements/core.lock", *_allow_built())
    _compile(tools, "device", *("--extra", "device", "-c", "requirements/dev.lock"), *_from_debian())
    _leave_out("device", "core")
    _compile(
        tools, "engines", *("--extra", "livekit", "--extra", "telegram", "-c", "requirements/dev.lock"), *_from_debian()
    )
    _leave_out("engines", "core")
    _leave_out("engines", "device")
    _compile(tools, "bench", "--group", "bench", "-c", "requirements/dev.lock", *_allow_built())
    _leave_out("bench", "dev")
    _compile(tools, "training", "--group", "training", "-c", "requirements/dev.lock", "-c", "requirements/bench.lock")
    _leave_out("training", "dev")
    _leave_out("training", "bench")
    _compile(tools, "hardware", "--group", "hardware", "-c", "requirements/dev.lock", *_allow_built())
    _leave_out("hardware", "dev")
    sizes = {name: {} for name in ("core", "dev", "device", "engines", "bench", "training", "hardware")}  # type: dict[str, dict[str, dict[str, int]]]
    for name, by_target in sizes.items():
        for python, machine in TARGETS:
            by_target[f"{python}-{machine}"] = found = _measure(tools, name, python, machine)
            print(f"{name:5} Python {python} {machine:8} {found}", flush=True)
    _write("sizes.json", sizes)
    _write("facts.json", _facts(tools))
    return 0


def _write(name: str, document: object) -> None:
    (REQUIREMENTS / name).write_text(json.dumps(document, indent=1) + "\n")


def _facts(tools: Path) -> dict[str, dict[str, Any]]:
    """Age, wheels and licence of every package, those of the extras included."""
    with tempfile.TemporaryDirectory() as directory:
        project, files = Path(directory) / "project", Path(directory) / "files"
        project.mkdir()
        text = (ROOT / "pyproject.toml").read_text()
        (project / "pyproject.toml").write_text(text.replace('dynamic = ["version"]', 'version = "0"'))
        _run(str(tools / "bin" / "uv"), "lock", "--quiet", "--fork-strategy", "fewest", "--project", str(project))
        pip = (str(tools / "bin" / "pip"), "download", "-q", "--no-deps", "--dest", str(files))
        wheels_only = Path(directory) / "wheels.lock"
        wheels_only.write_text(split((REQUIREMENTS / "dev.lock").read_text())[0])
        _run(*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(wheels_only))
        locked = tomllib.loads((project / "uv.lock").read_text())["package"]
        have = {re.sub(r"[-_.]+", "-", path.name.split("-")[0]).lower() for path in files.iterdir()}
        more = [f"{package['name']}=={package['version']}" for package in locked if package["name"] not in have]
        for requirement in more:
            if not requirement.startswith("kontor=="):
                _run(*pip, requirement)
        return dependencies.gather(project / "uv.lock", files)


def _compile(tools: Path, name: str, *extra: str) -> None:
    """One version of each package for all targets: what is tested on one is what runs on the other."""
    output = f"requirements/{name}.lock"
    _run(
        *(
            str(tools / "bin" / "uv"),
            "pip",
            "compile",
            "pyproject.toml",
            *extra,
            "--universal",
            "--python-version",
            "3.11",
        ),
        *("--fork-strategy", "fewest", "--generate-hashes", "--only-binary", ":all:", "--upgrade"),
        *("--no-header", "--quiet", "--output-file", output),
    )


def _from_debian() -> list[str]:
    """What has no wheels a device has from Debian: its package depends on python3-alsaaudio and python3-pyaes."""
    return [word for name in ("pyalsaaudio", "pyaes") for word in ("--no-binary", name, "--no-emit-package", name)]


def _allow_built() -> list[str]:
    return [word for name in BUILT for word in ("--no-binary", name)]


def _leave_out(name: str, base: str) -> None:
    """Take out of one lock what another has: it is installed over that one."""
    path, there = REQUIREMENTS / f"{name}.lock", entries((REQUIREMENTS / f"{base}.lock").read_text())
    path.write_text("".join(text for package, text in entries(path.read_text()).items() if package not in there))


def _measure(tools: Path, name: str, python: str, machine: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as directory:
        wheels_only = Path(directory) / "wheels.lock"
        wheels_only.write_text(split((REQUIREMENTS / f"{name}.lock").read_text())[0])
        platforms = [word for glibc in GLIBC for word in ("--platform", f"{glibc}_{machine}")]
        abis = ["--abi", f"cp{python.replace('.', '')}", "--abi", "abi3", "--abi", "none"]
        _run(
            *(str(tools / "bin" / "pip"), "download", "-q", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *("--implementation", "cp", "--python-version", python, *abis, *platforms),
            *("--dest", directory, "-r", str(wheels_only)),
        )
        wheels = list(Path(directory).glob("*.whl"))
        return {
            "packages": len(wheels),
            "download": sum(wheel.stat().st_size for wheel in wheels),
            "installed": sum(_unpacked(wheel) for wheel in wheels),
        }


def _unpacked(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
