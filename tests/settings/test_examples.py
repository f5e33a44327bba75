"""What docs/operate.md and examples/ show is accepted: settings by the loader, commands by the command line, units by systemd."""

import os
import re
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from appliance.__main__ import parser
from appliance.settings import Source, load
from tests.support import need

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operate.md").read_text()
START = (ROOT / "docs" / "start.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
OURS = r"^(sudo )?kontor "
"""How a line begins that calls us."""
SETTINGS = [text for kind, text in BLOCKS if kind == "toml"]
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if re.search(OURS, line)]


def test_there_is_something_to_look_at() -> None:
    assert (len(SETTINGS), len(COMMANDS)) == (5, 5)


@pytest.mark.parametrize("text", SETTINGS)
def test_settings_of_the_guide_are_accepted(text: str) -> None:
    settings = load([Source("operate.md", text.encode(), Path("/etc/kontor"))], ())
    assert settings.host.rooms or settings.device.ssh_keys


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_of_the_guide_are_understood(line: str) -> None:
    parser().parse_args(shlex.split(re.sub(OURS, "", line)))


CALLS = sorted({" ".join(call.split()) for call in re.findall(r"`(?:sudo )?(kontor [a-z][^`]*)`", GUIDE + START)})


@pytest.mark.parametrize("call", CALLS)
def test_what_the_guide_calls_in_passing_is_understood(call: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(call)[1:]
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*words, "--help"])
    assert ended.value.code == 0, capsys.readouterr().err


def test_what_setup_says_in_the_guide_is_what_it_says() -> None:
    ours = "".join(path.read_text() for path in sorted((ROOT / "appliance").glob("*/*.py")))
    said = re.findall(r"^\| (.+?) \| .+ \|$", START[START.index("asks three questions") :], re.MULTILINE)[1:]
    for words in said:
        for part in re.split(' ?(?:…|"…"|: …)', words.partition(" (")[0]):
            assert part.strip() in ours, part
    assert len(said) == 5


def test_files_that_the_guide_names_exist() -> None:
    named = re.findall(r"\]\(([^)#]+)\)", GUIDE) + re.findall(r" (examples/[\w./-]+)", GUIDE)
    for name in named:
        place = ROOT / name if name.startswith("examples/") else ROOT / "docs" / name
        assert name.startswith("https:") or place.exists(), name


@pytest.mark.parametrize("unit", sorted(ROOT.glob("examples/**/*.service")) + sorted(ROOT.glob("examples/**/*.timer")))
def test_units_are_understood_by_systemd(unit: Path, tmp_path: Path) -> None:
    verify = need("systemd-analyze", "Debian's systemd reads the unit")
    copies = []
    for path in unit.parent.glob("*.*"):  # a timer is looked at with the service that it starts
        if path.suffix in (".service", ".timer"):
            copy = tmp_path / path.name
            copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(), flags=re.MULTILINE))
            copies.append(copy)
    ended = subprocess.run(
        [verify, "verify", "--man=no", tmp_path / unit.name],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system"},
    )
    complaints = [line for line in ended.stderr.splitlines() if unit.stem in line]
    assert (ended.returncode, complaints) == (0, [])


def test_scripts_are_understood_by_the_shell() -> None:
    script = ROOT / "examples" / "acme" / "kontor-acme"
    subprocess.run(["/bin/sh", "-n", script], check=True)
    without = subprocess.run([script], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert without.returncode != 0 and "KONTOR_NAME" in without.stderr


def test_what_acme_brings_can_be_read_by_the_group_of_the_server_and_by_nobody_else(tmp_path: Path) -> None:
    programs, state, to = tmp_path / "bin", tmp_path / "state", tmp_path / "etc" / "tls"
    programs.mkdir()
    lego = programs / "lego"
    made = f"{state}/certificates/kontor.example.org"
    lego.write_text(f"#!/bin/sh\nmkdir -p {state}/certificates\necho key > {made}.key\necho chain > {made}.crt\n")
    lego.chmod(0o755)
    environment = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "STATE_DIRECTORY": str(state),
        "KONTOR_NAME": "kontor.example.org",
        "KONTOR_MAIL": "admin@example.org",
        "KONTOR_DNS": "none",
        "KONTOR_TLS": str(to),
        "KONTOR_GROUP": str(os.getgid()),
    }
    for _ in range(2):
        subprocess.run([ROOT / "examples" / "acme" / "kontor-acme"], check=True, env=environment, umask=0o022)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (to, *to.iterdir())}
        assert modes == {"tls": 0o750, "server.key": 0o640, "server.crt": 0o640}
        assert to.stat().st_gid == os.getgid()
