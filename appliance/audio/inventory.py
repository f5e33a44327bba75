"""The sound cards of this machine, as the kernel shows them: nothing is opened for it.

Read from /proc/asound (proc(5), Documentation/sound/designs/procfile.rst of Linux) and, for USB ids that it does not
tell, /sys/class/sound. What a stream can do stands in the ``streamN`` files of USB cards; of other cards libasound has to be
asked, which opens them for a moment: see :mod:`appliance.audio.probe`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.audio.port import Side
from appliance.core.arrays import Array, by_card_name, by_usb_id
from appliance.core.units import RATE

PROC, SYS, PROCESSES = Path("/proc/asound"), Path("/sys/class/sound"), Path("/proc")

_MOST_CHANNELS = 8
"""That Kontor captures."""
_LARGEST = 64 * 1024
_CARD = re.compile(r"^\s*\d+ \[(?P<id>\S+)\s*\]: (?P<driver>.+?) - (?P<name>.*)$")
_PCM = re.compile(r"^pcm(\d+)([cp])$")
_USB_ID = re.compile(r"^[0-9a-f]{4}:[0-9a-f]{4}$")
_PRODUCT = re.compile(r"^PRODUCT=([0-9a-f]{1,4})/([0-9a-f]{1,4})/", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ability:
    """One way in which a stream can be opened."""

    channels: int
    formats: tuple[str, ...]
    """As ALSA names them: S16_LE, S24_3LE, S32_LE …"""
    rates: tuple[int, ...]
    """Samples a second; with ``continuous`` the lowest and the highest."""
    continuous: bool = False

    def takes(self, rate: int) -> bool:
        """Whether it runs at ``rate``."""
        if self.continuous:
            return self.rates[0] <= rate <= self.rates[-1]
        return rate in self.rates


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has opened a stream."""

    pid: int | None
    """None: the kernel does not tell."""
    program: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return "another program"
        return f"{self.program or 'a program'} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction of one PCM device of a card."""

    device: int
    side: Side
    name: str = ""
    abilities: tuple[Ability, ...] = ()
    """Empty: not known without opening it."""
    holder: Holder | None = None

    @property
    def native(self) -> bool:
        """Whether it is known to run at our rate without being resampled."""
        return any(ability.takes(RATE) for ability in self.abilities)

    @property
    def channels(self) -> int | None:
        """The most channels that it has and Kontor can use; None: not known."""
        counts = [ability.channels for ability in self.abilities]
        return max((count for count in counts if count <= _MOST_CHANNELS), default=min(counts, default=None))


@dataclass(frozen=True, slots=True)
class Card:
    """A sound card."""

    number: int
    """It may be another one after the next start, or when it is plugged in again."""
    id: str
    """By which ALSA names it; it stays."""
    name: str
    long_name: str = ""
    driver: str = ""
    usb_id: str = ""
    """``vendor:product`` in lower-case hexadecimal; empty: no USB device."""
    streams: tuple[Stream, ...] = ()
    array: Array | None = None
    """The microphone array that it is known to be."""

    @property
    def usb(self) -> bool:
        """Whether it is a USB device."""
        return bool(self.usb_id)

    @property
    def loops_back(self) -> bool:
        """Whether it is no real card: it gives back what is played into it (snd-aloop), or nothing (snd-dummy)."""
        return self.driver.lower() in {"loopback", "dummy"}

    def stream(self, side: Side, device: int | None = None) -> Stream | None:
        """The stream of this direction with the lowest device number, or of that device."""
        for stream in self.streams:
            if stream.side is side and device in {None, stream.device}:
                return stream
        return None

    def pcm(self, stream: Stream) -> str:
        """The name by which ALSA opens ``stream``: itself where it runs at our rate, else with libasound's resampler."""
        plug = "" if stream.native else "plug"
        return f"{plug}hw:CARD={self.id},DEV={stream.device}"


def cards(proc: Path = PROC, sys: Path = SYS, processes: Path = PROCESSES) -> list[Card]:
    """All sound cards, by number; an empty list where there is none, or no ALSA at all."""
    lines = _headings(_read(proc / "cards"))
    found = [
        (int(folder.name.removeprefix("card")), folder) for folder in _inside(proc, "card[0-9]*") if folder.is_dir()
    ]
    return [_card(number, folder, lines.get(number), sys, processes) for number, folder in sorted(found)]


def _read(path: Path) -> str:
    """The text of a small file; empty when it is not there (any more): a card may go at any moment.

    Devices and programs choose their names themselves: what would move a terminal's cursor is not taken over.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    return character if character.isprintable() or character in "\n\t" else "?"


def _inside(folder: Path, pattern: str) -> list[Path]:
    """What is in a folder; nothing when it is not there (any more), as above."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _headings(text: str) -> dict[int, tuple[str, str, str, str]]:
    """Of /proc/asound/cards: id, driver, name and the line below, by number."""
    lines, found = text.splitlines(), dict[int, tuple[str, str, str, str]]()
    for at, line in enumerate(lines):
        match = _CARD.match(line)
        if match:
            below = lines[at + 1].strip() if at + 1 < len(lines) else ""
            found[int(line.split()[0])] = (match["id"], match["driver"], match["name"].strip(), below)
    return found


def _card(number: int, folder: Path, heading: tuple[str, str, str, str] | None, sys: Path, processes: Path) -> Card:
    name_of, driver, name, long_name = heading or ("", "", "", "")
    identity = _read(folder / "id").strip() or name_of or str(number)
    usb_id = _usb_id(folder, sys / f"card{number}")
    streams = tuple(sorted(_streams(folder, processes), key=lambda stream: (stream.device, stream.side)))
    capture = next((stream for stream in streams if stream.side is Side.CAPTURE), None)
    return Card(
        number,
        identity,
        name or identity,
        long_name,
        driver,
        usb_id,
        streams,
        _array(usb_id, f"{name} {long_name}", capture) if capture else None,
    )


def _array(usb_id: str, names: str, capture: Stream) -> Array | None:
    by_id = by_usb_id(usb_id, capture.channels) if usb_id else None
    return by_id or by_card_name(names, capture.channels)


def _usb_id(folder: Path, sys: Path) -> str:
    told = _read(folder / "usbid").strip().lower()
    if _USB_ID.match(told):
        return told
    # cardN/device is the USB interface; PRODUCT of its uevent is vendor/product/version, in hexadecimal without zeros.
    product = _PRODUCT.search(_read(sys / "device" / "uevent"))
    return f"{product[1]:0>4}:{product[2]:0>4}".lower() if product else ""


def _streams(folder: Path, processes: Path) -> Iterator[Stream]:
    for place in _inside(folder, "pcm*"):
        match = _PCM.match(place.name)
        if not match:
            continue
        device, side = int(match[1]), Side.CAPTURE if match[2] == "c" else Side.PLAYBACK
        facts = _fields(_read(place / "info"))
        abilities = _abilities(_read(folder / f"stream{device}"), side)
        yield Stream(device, side, facts.get("name", ""), abilities, _holder(place, facts, processes))


def _fields(text: str) -> dict[str, str]:
    """Lines ``key: value``."""
    parts = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in parts if colon}


def _holder(place: Path, facts: dict[str, str], processes: Path) -> Holder | None:
    """Who has the device open; None when one more can open it."""
    if facts.get("subdevices_avail") != "0":
        return None
    for status in _inside(place, "sub*/status"):
        owner = _fields(_read(status)).get("owner_pid", "")
        if owner.isdecimal():
            return Holder(int(owner), " ".join(_read(processes / owner / "comm").split()))
    return Holder(None)


def _abilities(text: str, side: Side) -> tuple[Ability, ...]:
    """Of a ``streamN`` file of snd-usb-audio: one for each alternate setting of this direction."""
    found: list[Ability] = []
    inside, setting = False, dict[str, str]()

    def add() -> None:
        if "Channels" in setting and "Rates" in setting:
            rates, continuous = _rates(setting["Rates"])
            found.append(Ability(int(setting["Channels"]), tuple(setting.get("Format", "").split()), rates, continuous))
        setting.clear()

    for line in text.splitlines():
        if line in {"Capture:", "Playback:"}:
            add()
            inside = line == f"{side.value.capitalize()}:"
        elif inside and line.strip().startswith("Altset "):
            add()
        elif inside:
            setting.update((key, value) for key, value in _fields(line).items() if _wanted(key, value))
    add()
    return tuple(dict.fromkeys(found))  # the same ability may stand there once for each interface


def _wanted(key: str, value: str) -> bool:
    if key == "Channels":
        return value.isdecimal() and int(value) > 0
    return key == "Format" or (key == "Rates" and re.search(r"\d", value) is not None)


def _rates(text: str) -> tuple[tuple[int, ...], bool]:
    """``"44100, 48000"``, or ``"8000 - 48000 (continuous)"``."""
    return tuple(int(rate) for rate in re.findall(r"\d+", text)), "continuous" in text
