"""What ``kontor setup`` makes of its three answers: a settings file, a secret beside it, and a device that runs."""

import base64
import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.app.places import state_of
from appliance.app.setup_room import Way
from appliance.app.supervisor import kontor
from appliance.audio.choice import AUTO, choose
from appliance.audio.inventory import Card
from appliance.audio.port import Side
from appliance.settings import Settings, SettingsError, Source, resolve
from appliance.settings.edit import with_values
from appliance.settings.store import atomic_write

NONE = "none"
"""The answer of whoever has no sound card."""
OLD = ".old"
"""Behind the name of the file that was there before."""
_BEGUN = "schema = 1\n"
_ANYBODY = 0o644
_SERVICE = 0o640
_SECRETS = Path("secrets/link")
"""In the state folder: what link alone may read; its group comes from the folder."""

_DEVICES = ("audio", "gpio", "spi")
"""The groups of those who use sound cards, lines and lamps, as in kontor-sound.service."""


@dataclass(frozen=True, slots=True)
class Answers:
    """To the three questions."""

    way: Way
    name: str
    card: str
    """``auto``, ``none``, the id or number of a card, or a name of ALSA's."""


class Draft:
    """The settings file that is to be written: the one that is there, with the answers in it.

    :raises SettingsError: the one that is there is wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.older = path.read_text("utf-8-sig") if path.exists() else ""
        self._text = self.older or _BEGUN
        self.settings: Settings = self._resolved(self._text)

    def refusal(self, values: Mapping[str, object]) -> str:
        """What is wrong with ``values``, as the end of a sentence; empty: nothing.

        :raises NotHere: the file has one of them where it cannot be changed.
        """
        try:
            self._resolved(with_values(self._text, values))
        except SettingsError as error:
            return error.problems[0].allowed
        return ""

    def write(self, values: Mapping[str, object]) -> bool:
        """Write it with ``values``; a file that was there and said something else is kept beside it. Whether it was.

        :raises NotHere: as above.
        :raises SettingsError: what comes out is wrong.
        :raises OSError: it cannot be written; what was there is untouched then.
        """
        text = with_values(self._text, values)
        self.settings = self._resolved(text)
        kept = bool(self.older) and self.older != text
        if kept:
            atomic_write(self.path.with_name(self.path.name + OLD), self.older.encode(), _ANYBODY)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self.path, text.encode(), _ANYBODY)
        return kept

    def _resolved(self, text: str) -> Settings:
        return resolve([Source(str(self.path), text.encode(), self.path.absolute().parent)], ()).settings


def values_of(answers: Answers, cards: Sequence[Card], before: Settings) -> dict[str, object]:
    """The settings that the answers are, but for files with a token or an authority."""
    values: dict[str, object] = {"device.name": answers.name, "room.url": answers.way.url}
    if answers.way.url:
        values["room.id"] = answers.way.room
    if before.room.token_file is not None:
        values["room.token_file"] = ""
    if before.room.ca_file is not None and before.room.url != answers.way.url:
        values["room.ca_file"] = ""
    return values | _audio(answers.card, cards)


def _audio(answer: str, cards: Sequence[Card]) -> dict[str, object]:
    if answer == NONE:
        return {"audio.backend": "virtual"}
    capture, playback = answer, answer
    card = next((card for card in cards if answer in {card.id, str(card.number)}), None)
    if card is not None:
        capture, playback = (_pcm(card, side) for side in (Side.CAPTURE, Side.PLAYBACK))
    return {"audio.backend": "alsa", "audio.capture": capture, "audio.playback": playback}


def _pcm(card: Card, side: Side) -> str:
    stream = card.stream(side)
    return card.pcm(stream) if stream else AUTO


def best(cards: Sequence[Card]) -> Card | None:
    """The card that "auto" would listen with; None: none of them."""
    return choose(cards, AUTO, AUTO)[0].card


def keep_files(path: Path, way: Way, settings: Settings) -> dict[str, object]:
    """Write the token and the authority of ``way``; the settings that name them.

    :raises OSError: one cannot be written.
    """
    values: dict[str, object] = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    if way.token:
        secrets = settings.device.state_dir / _SECRETS
        token = (secrets if secrets.is_dir() else path.absolute().parent) / "setup.token"
        atomic_write(token, way.token.encode() + b"\n", _SERVICE)
        values["room.token_file"] = str(token)
    if way.authority:
        authority = path.absolute().parent / "room-authority.pem"
        atomic_write(authority, way.authority.encode(), _ANYBODY)
        values["room.ca_file"] = str(authority)
    return values


def overridden(found: Sequence[Source], path: Path, values: Mapping[str, object]) -> list[str]:
    """The keys of ``values`` on which another file has the last word, each with that file.

    :raises SettingsError: another file is wrong.
    """
    origins = resolve(found, ()).origins
    others = [(key, origins[key]) for key in values if key in origins and origins[key].file != str(path)]
    return [f"{key} ({origin})" for key, origin in others]


def as_service(folder: Path, groups: Sequence[str] = ()) -> dict[str, Any]:
    """What makes a child process of root's run as the service whose state is in ``folder``: what it keeps there is its own.

    :param groups: by which its unit may use devices.
    """
    if os.geteuid() != 0 or not folder.is_dir():
        return {}
    found = folder.stat()
    owner = pwd.getpwuid(found.st_uid)
    more = [group.gr_gid for group in grp.getgrall() if group.gr_name in groups]
    return {"user": owner.pw_uid, "group": found.st_gid, "extra_groups": [owner.pw_gid, *more]}


def try_sound(settings: Settings, config: Sequence[str]) -> bool:
    """Let the doctor listen, as the user that sound will be; it says itself what it finds. Whether nothing is wrong."""
    as_sound = as_service(state_of(settings, "sound"), _DEVICES)
    return subprocess.run(kontor("doctor", "--sound", *config), check=False, **as_sound).returncode == 0


def public_key(settings: Settings, config: Sequence[str]) -> bytes:
    """The device's public key, made if it has none yet; empty: it could not be, which has been said."""
    as_link = as_service(state_of(settings, "link"))
    done = subprocess.run(kontor("key", *config), check=False, stdout=subprocess.PIPE, **as_link)
    return base64.b64decode(done.stdout)


class Services:
    """The device's units, by systemd.

    :param running: systemd's own folder, which is there while it runs this machine.
    """

    TARGET = "kontor.target"

    def __init__(self, running: Path = Path("/run/systemd/system")) -> None:
        self._systemctl = shutil.which("systemctl") if running.is_dir() else None

    def are_here(self) -> bool:
        """Whether systemd runs, and knows them."""
        if self._systemctl is None:
            return False
        return subprocess.run([self._systemctl, "cat", self.TARGET], check=False, capture_output=True).returncode == 0

    def stop(self) -> bool:
        """Let go of the sound card."""
        return self._do("stop", self.TARGET)

    def start(self) -> bool:
        """Now, and whenever the machine starts."""
        return self._do("enable", self.TARGET) and self._do("restart", self.TARGET)

    def _do(self, *words: str) -> bool:
        command = [self._systemctl or "systemctl", *words]
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode == 0
