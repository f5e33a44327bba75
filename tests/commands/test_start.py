"""What a command loads before it knows what it is to do."""

import subprocess
import sys

SLOW = ("numpy", "asyncio", "gpiozero", "gpiod", "importlib.resources")


def test_a_command_line_is_read_without_what_takes_long_to_load() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['kontor', 'status', '--help']\n"
        "try:\n    runpy.run_module('appliance', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--runtime" in done.stdout
    assert [name for name in SLOW if name in done.stderr.split()] == []
