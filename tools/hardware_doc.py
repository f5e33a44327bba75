"""Writes docs/hardware.md: sound cards by USB id, of what people have tried (hardware/sound_cards.toml) and what the code knows.

``--check`` only tells whether that is current. A line that :mod:`appliance.app.card_report` would not print is refused here.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from appliance.app.card_report import CardReport, parse
from appliance.core.arrays import ARRAYS, Array
from tools.documents import write_or_check

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "hardware" / "sound_cards.toml"
TARGET = ROOT / "docs" / "hardware.md"

NAMES: Mapping[str, str] = {
    "2886:0018": "ReSpeaker USB 4-mic (Mic Array v2.0)",
    "2886:001a": "ReSpeaker XVF3800",
    "0b0e:0410": "Jabra Speak 410",
    "0b0e:0412": "Jabra Speak 410 (another id)",
    "0b0e:0420": "Jabra Speak 510",
    "0b0e:0422": "Jabra Speak 510 (another id)",
    "0b0e:2456": "Jabra Speak 810",
}
"""What the USB ids of :mod:`appliance.core.arrays` are sold as (the hardware database of udev, and Seeed's pages)."""

_HEAD = """\
# Sound cards

Made from [hardware/sound_cards.toml](../hardware/sound_cards.toml) and the arrays that Kontor knows: `make docs`. What to buy
for which room, how it is placed and set: [sound.md](sound.md). Panels and wiring: [hardware/](../hardware/README.md).

- **tested**: this project has had the card, with all of [sound.md](sound.md).
- **reported**: its owner has, and says that it works.
- **expected**: nobody has told yet; its id is known, and what it can do was read, not measured.

Any other USB sound card that Linux knows (class-compliant; `kontor devices` lists it) is used, too: as one microphone with full
duplex, without direction.

"""
_FOOT = """
**No card of plastic and metal has been tested by us so far.** What was: cards that a virtual machine shows to Linux's own USB
driver, real to everything above it, with 6 microphones at 48 kHz, with 4 at 24 bits, with one at 16 kHz, without a loudspeaker,
without a microphone, unplugged and plugged in again ([kernel-bench.md](kernel-bench.md)); and front end and echo in simulated
rooms ([acoustics.md](acoustics.md)).

## Report yours

```
kontor doctor --sound
kontor devices --report
```

The first says how good it is in your room. The second prints a line for each USB card: what it is, what it can do, which Kontor
and which Linux; no name of yours, no serial number. Put the line into `reported` of hardware/sound_cards.toml, run
`make docs`, and send the change; or send the line alone. Say beside it what the doctor said.
"""


def render(reports: Mapping[str, Sequence[CardReport]]) -> str:
    """The page."""
    lines = ["| USB id | card | | hears | plays | known as |", "|---|---|---|---|---|---|"]
    told = set()
    for state in ("tested", "reported"):
        for report in sorted(reports[state], key=lambda report: (report.usb, report.name)):
            lines.append(_row(report.usb, report.name, state, report.hears, report.plays, report.array))
            told.add(report.usb)
    for array in ARRAYS:
        lines += [_expected(array, usb_id) for usb_id in array.usb_ids if usb_id not in told]
    return _HEAD + "\n".join(lines) + "\n" + "\n".join(["", *_without_id(), ""]) + _FOOT


def _row(usb: str, name: str, state: str, hears: str, plays: str, array: str) -> str:
    return f"| `{usb}` | {name} | {state} | {hears or 'nothing'} | {plays or 'nothing'} | {f'`{array}`' if array else '`mono`'} |"


def _expected(array: Array, usb_id: str) -> str:
    return _row(usb_id, NAMES[usb_id], "expected", _hears(array), "not read", array.name)


def _hears(array: Array) -> str:
    if array.cancels:
        return "one finished channel, echo cancelled inside"
    return f"{len(array.microphones)} raw microphones of {array.channels} channels"


def _without_id() -> Iterator[str]:
    yield "Known by what they call themselves, whatever their id:"
    yield ""
    for array in ARRAYS:
        if array.card_names and not array.usb_ids:
            names = ", ".join(f'"{name}"' for name in array.card_names)
            yield f"- {names}: `{array.name}`, expected, {_hears(array)}"


def main(arguments: Sequence[str] = ()) -> int:
    """Write the page, or check it."""
    try:
        reports = {state: [parse(one) for one in found] for state, found in tomllib.loads(SOURCE.read_text()).items()}
        page = render(reports)
    except (ValueError, KeyError) as error:
        print(f"kontor: hardware/sound_cards.toml: {error}")
        return 1
    return write_or_check(TARGET, page, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
