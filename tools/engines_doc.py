"""Writes docs/engines.md: what each engine gives, from what the contract suite expects, and what is different with it.

The table is :data:`tests.contract.harness.EXPECTED`, to which every engine is held by the suite; the words are those of
``kontor status`` (appliance/rooms/limits.py). The prose lies in docs/engines/, a file for each engine, and is copied as it is.
``--check`` only tells whether the page is current.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.rooms.contract import Capabilities
from appliance.rooms.limits import WORDS
from tests.contract.harness import EXPECTED
from tools.documents import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PROSE = ROOT / "docs" / "engines"
TARGET = ROOT / "docs" / "engines.md"

_TITLES = {"hosted": "hosted", "livekit": "LiveKit", "janus": "Janus", "telegram": "Telegram"}
_LESS = {"real_levels": "on or off", "audio_per_member": "one for all", "mute_enforced": "no: the device obeys"}
"""What there is instead, where that is not nothing."""
_HEAD = """# Engines: what carries the room

*Made by `make docs` from the contract suite and the files in docs/engines/.*

`[room] engine` says what carries the room: `hosted` is Kontor's own server, and what the rest of these pages is about. The box is
a member of any other room in the same way: mute, lamps, bar, door and reconnecting are the same everywhere. Where an engine gives
less, `kontor status` says so ("limited: Levels: only on or off"), and this table does. Each cell is what the contract suite holds
the engine to: one that gives less fails it.
"""
_AFTER = """
The proof of mute holds for each of them: what leaves a closed gate is counted where it is handed over, and always 0
([proof.md](proof.md)). Two rooms, of one engine or of two, are joined by a bridge ([bridges.md](bridges.md)).
"""


def table() -> Iterator[str]:
    """The lines of the table."""
    yield "| | " + " | ".join(_TITLES.get(name, name) for name in EXPECTED) + " |"
    yield "|---" * (len(EXPECTED) + 1) + "|"
    for name, (with_it, _) in WORDS.items():
        yield f"| {with_it} | " + " | ".join(_cell(each, name) for each in EXPECTED.values()) + " |"
    yield "| Most members | " + " | ".join(f"{each.most_members:,}" for each in EXPECTED.values()) + " |"


def _cell(capabilities: Capabilities, name: str) -> str:
    return "yes" if getattr(capabilities, name) else _LESS.get(name, "no")


def page() -> str:
    """The whole of it.

    :raises FileNotFoundError: an engine has no prose.
    """
    told = [f"## {_TITLES.get(name, name)}\n\n{(PROSE / f'{name}.md').read_text().strip()}\n" for name in EXPECTED]
    return "\n".join([_HEAD, "\n".join(table()) + "\n", _AFTER.lstrip("\n"), *told])


def main(arguments: Sequence[str] = ()) -> int:
    """Write the page, or check it."""
    return write_or_check(TARGET, page(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
