"""Writes docs/configuration.md from the settings themselves. ``--check`` only tells whether it is current."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.provisioning.files import BESIDE, BOOT, MACHINE
from appliance.settings import SCHEMA, Effect, Settings
from appliance.settings.describe import toml_value
from appliance.settings.setting import Items, Section, Setting, members
from tools.documents import write_or_check

TARGET = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

_EFFECTS = {
    Effect.LIVE: "at once",
    Effect.REJOIN: "the device leaves its room and joins anew: a moment without sound",
    Effect.RESTART: "the process starts anew",
    Effect.HAND: "the microphone closes, and stays closed until a hand acts on the panel",
}

_START = f"""# Configuration
This page is made from the settings themselves by `python -m tools.configuration_doc`; do not edit it.

Settings are [TOML](https://toml.io). A file says which set of keys it was written for, and only what it wants changed:

```toml
schema = {SCHEMA}

[device]
name = "Meeting room 2"

[room]
url = "https://rooms.example.org"
id = "lobby"
```

**Where they are read from.** Later files have the last word, key by key; lists such as `[[host.rooms]]` add up.

1. the defaults below
2. `/{MACHINE}`
3. `/{BESIDE}/*.toml`, by name
4. a room that was found nearby and joined by a press on the panel ([enrolment.md](enrolment.md))
5. `kontor.toml` on the boot partition (`/{BOOT[0]}`)
6. signed documents from afar: for all, for the group, for this device ([fleet.md](fleet.md))

4 to 6 are read by `kontor provision` alone, and hold once it has accepted them ([provisioning.md](provisioning.md)). With
`--config FILE` that file is read, and none of these.

**Is it right?** `kontor config check` tells everything that is wrong at once: file, line, key, what is allowed, and what
was probably meant. A key that does not exist is an error, so a slip of the pen never goes unnoticed. `kontor config show`
prints what is in force and where each value was written, `kontor config diff` only what differs from the defaults, or between
two files, and `kontor config schema` the JSON Schema for an editor.
Wrong settings end a command with 78, a wrong command line with 64.

**Secrets** are never written here: a setting names a file that holds the secret. Such a file must not be open to
everybody on the machine (`chmod o= FILE`), and what is in it is shown nowhere. On the boot partition alone the secret itself may
stand there, under the name without `_file`, until the device has moved it. A room's key is made with
`kontor config new-key FILE`.

**Paths** that do not begin with `/` start at the folder of the file they are written in.

**When a change takes effect:**

| | |
|---|---|
"""


def render() -> str:
    """The whole page."""
    effects = "".join(f"| {effect.value} | {text} |\n" for effect, text in _EFFECTS.items())
    return _START + effects + "".join(_sections(Settings, ""))


def _sections(cls: type[Any], prefix: str) -> Iterator[str]:
    for name, member in members(cls).items():
        if isinstance(member, Setting):
            continue
        heading = f"[[{prefix}{name}]]" if isinstance(member, Items) else f"[{prefix}{name}]"
        yield f"\n## `{heading}`\n{member.about}\n{_note(member)}\n"
        yield "| key | what it is | allowed | default | takes effect |\n|---|---|---|---|---|\n"
        yield from (_row(inner) for inner in members(member.cls).values() if isinstance(inner, Setting))
        yield from _sections(member.cls, f"{prefix}{name}.")


def _note(member: Section | Items) -> str:
    return f"Each has an `{member.unique}` of its own.\n" if isinstance(member, Items) else ""


def _row(setting: Setting) -> str:
    allowed = setting.kind.allowed.removeprefix("must be ")
    unit = f" ({setting.unit})" if setting.unit else ""
    cells = [f"`{setting.name}`", setting.about, f"{allowed}{unit}", _default(setting), setting.effect.value]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(setting: Setting) -> str:
    if setting.required:
        return "must be set"
    value = setting.kind.plain(setting.default)
    return "left out" if value is None else f"`{toml_value(value)}`"


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` return 1 when it is not current."""
    return write_or_check(TARGET, render(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
