"""The command line as a whole: what is loaded for a command, and what is told of all."""

import subprocess
import sys

import pytest

from appliance.__main__ import _COMMANDS, main, parser
from appliance.core.exits import Exit


def test_every_command_is_listed() -> None:
    told = parser().format_help()
    assert all(f"\n    {name}" in told for name in _COMMANDS)


@pytest.mark.parametrize("name", ["sound", "link", "provision"])
def test_a_service_loads_no_other_command(name: str) -> None:
    """It is told to stop at once, by a wrong option, and what was loaded by then is looked at."""
    program = (
        "import atexit, sys; from appliance.__main__ import main; "
        "atexit.register(lambda: print(*[each for each in sys.modules if each.startswith('appliance.commands.')])); "
        f"main([{name!r}, '--no-such-option'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == Exit.USAGE
    loaded = {each.removeprefix("appliance.commands.") for each in done.stdout.split()}
    assert loaded <= {name, "part"}


@pytest.mark.parametrize("line", [[], ["soun"], ["--no-such-option", "sound"]])
def test_a_wrong_line_is_told(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == Exit.USAGE
    told = capsys.readouterr().err
    assert told.startswith("usage: kontor [-h] [--version] COMMAND")
    assert "soun" not in line or all(repr(name) in told for name in _COMMANDS)
