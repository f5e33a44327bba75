"""Copies hardware/checklist.toml into the package, where ``kontor doctor --panel`` finds it.

``--check`` only tells whether that is current. What the program could not read is refused here.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from appliance.app.checklist import parse
from tools.documents import write_or_check

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "hardware" / "checklist.toml"
TARGET = ROOT / "appliance" / "app" / "checklist.toml"


def main(arguments: Sequence[str] = ()) -> int:
    """Write the copy, or check it."""
    text = SOURCE.read_text()
    try:
        parse(text)
    except ValueError as error:
        print(f"kontor: hardware/checklist.toml: {error}")
        return 1
    return write_or_check(TARGET, text, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
