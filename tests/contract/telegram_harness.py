"""A Telegram group for the contract suite: stand-ins for data centre and sound server (tests/telegram), the real libraries.

Everybody has an account of their own, and each device of an account a key of its own. Admin acts are what an admin's program
would ask of Telegram. ntgcalls offers no loopback, so all of it is in a network of the tests' own (apart.py).
"""

import contextlib
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from telethon.sessions import StringSession
from telethon.tl import functions as f
from telethon.tl import types as t

from appliance.core.roster import Role
from appliance.core.units import Pcm
from appliance.rooms.contract import Engine
from appliance.rooms.telegram import TelegramEngine
from appliance.rooms.telegram_account import Login, client_of
from appliance.rooms.telegram_sound import Up
from appliance.rooms.telegram_stay import TelegramSettings
from tests.contract.apart import apart
from tests.contract.rig import Rig
from tests.support import free_port, need
from tests.telegram.data_centre import KEYS
from tests.telegram.wire import key_of, session_string

GROUPS = 40
ADMIN = "ada"
PEOPLE = (ADMIN, "friend", "other", "late", "stranger", "revoked", "banned", "deleted", "kontor_0", "kontor_1")
FAULTS = {
    "revoked": (401, "AUTH_KEY_UNREGISTERED"),
    "banned": (401, "USER_DEACTIVATED_BAN"),
    "deleted": (401, "USER_DEACTIVATED"),
}
_ROOT = Path(__file__).parents[2]
API_HASH = "SECRET-hash"


class TelegramServer:
    """Both stand-ins in a process of their own.

    :param talkers: how many of its own people talk in the first groups, for ever.
    """

    name = "telegram"

    def __init__(self, folder: Path, talkers: Sequence[int] = ()) -> None:
        self._talkers = talkers
        self._log = folder / "telegram.log"
        self._process: subprocess.Popen[str] | None = None
        self._inside = contextlib.ExitStack()
        self._port = free_port()
        self._used = 0
        self.keys = {name: itertools.cycle(range(KEYS)) for name in PEOPLE}
        self.host = ""

    def start(self) -> None:
        if not self.host:
            self.host = self._inside.enter_context(apart())
        given = {
            "host": self.host,
            "port": self._port,
            "secret": "s",
            "people": PEOPLE,
            "outside": ["stranger"],
            "faults": FAULTS,
            "groups": [f"room{number}" for number in range(GROUPS)],
            "talkers": self._talkers,
        }
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.telegram.serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=_ROOT,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        json.dump(given, self._process.stdin)
        self._process.stdin.close()
        assert self._process.stdout.readline(), self._log.read_text()

    def kill(self) -> None:
        self._finish(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        self._finish(signal.SIGTERM)
        self._inside.close()

    def _signal(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    def _finish(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def room(self) -> "TelegramRoom":
        self._used += 1
        assert self._used <= GROUPS, "more tests than groups: raise GROUPS"
        return TelegramRoom(self, f"room{self._used - 1}", 1000 + self._used - 1)

    def login(self, who: str) -> Login:
        key = key_of("s", PEOPLE.index(who) + 1, next(self.keys[who]))
        return Login(1, API_HASH, session_string(self.host, self._port, key))


class TelegramRoom:
    """One group, in which a voice chat runs."""

    def __init__(self, server: TelegramServer, group: str, number: int) -> None:
        self._server, self.group, self._number = server, group, number

    @property
    def mutants(self) -> "TelegramMutants":
        return TelegramMutants(self)

    def settings(self, who: str, login: Login | None = None, group: str = "") -> TelegramSettings:
        return TelegramSettings(login or self._server.login(who), group or f"@{self.group}", who, who.capitalize())

    def site(self, index: int = 0) -> Rig:
        return self._rig(f"kontor_{index}")

    def person(self, name: str, role: Role = "speaker") -> Rig:
        return self._rig(name)

    def _rig(self, name: str) -> Rig:
        return Rig(TelegramEngine(self.settings(name)), name)

    def strangers(self) -> Mapping[str, Engine]:
        foreign = session_string(self._server.host, self._server._port, bytes(range(256)))
        return {
            what: TelegramEngine(settings)
            for what, settings in {
                "a session that is none": self.settings("friend", Login(1, API_HASH, "1SECRET")),
                "no session at all": self.settings("friend", Login(1, API_HASH, "")),
                "a key that Telegram does not know": self.settings("friend", Login(1, API_HASH, foreign)),
                "a session that was ended from another device": self.settings("revoked"),
                "an account that is banned": self.settings("banned"),
                "an account that was deleted": self.settings("deleted"),
                "an account that is not in the group": self.settings("stranger"),
                "a group that is not there": self.settings("friend", group="@nobody_has_this"),
                "a name that is a person's": self.settings("friend", group="@other"),
                "a link that is good no more": self.settings("friend", group="https://t.me/+SECRET"),
            }.items()
        }

    async def mute(self, target: Rig) -> None:
        await self._as_ada(lambda call: self._edit(call, target, muted=True))

    async def lift(self, target: Rig) -> None:
        await self._as_ada(lambda call: self._edit(call, target, muted=False))

    async def remove(self, target: Rig) -> None:
        channel, who = t.InputChannel(self._number, self._number * 3), self._peer(target)
        rights = t.ChatBannedRights(None, view_messages=True)
        await self._as_ada(lambda _: f.channels.EditBannedRequest(channel, who, rights))

    async def record(self, target: Rig, *, on: bool) -> None:
        await self._as_ada(lambda call: f.phone.ToggleGroupCallRecordRequest(call, start=on or None))

    async def ask(self, target: Rig) -> None:
        raise NotImplementedError("nobody can ask for it in Telegram")

    async def shut_door(self, target: Rig) -> None:
        raise NotImplementedError("Telegram knows no doors")

    def _peer(self, target: Rig) -> t.InputPeerUser:
        number = PEOPLE.index(target.identity) + 1
        return t.InputPeerUser(number, number * 11)

    def _edit(self, call: Any, target: Rig, *, muted: bool) -> Any:
        return f.phone.EditGroupCallParticipantRequest(call, self._peer(target), muted=muted)

    async def _as_ada(self, request: Any) -> None:
        """Ask one thing as the group's admin."""
        login = self._server.login(ADMIN)
        client = client_of(StringSession(login.session), login.api_id, login.api_hash)
        await client.connect()
        try:
            channel = t.InputChannel(self._number, self._number * 3)
            full = await client(f.channels.GetFullChannelRequest(channel))
            await client(request(full.full_chat.call))
        finally:
            await client.disconnect()


class _LetsOneBlockThrough(Up):
    """At closing it sends the block of before once more."""

    _last: Pcm | None = None

    def take(self, pcm: Pcm | None) -> None:
        last, self._last = self._last, pcm
        super().take(pcm)
        if pcm is None and last is not None:
            self._send(last)


class _KeepsABlock(Up):
    """It is always one block behind, and closing does not empty what waits."""

    _waits: Pcm | None = None

    def _send(self, block: Pcm) -> None:
        late, self._waits = self._waits, block.copy()
        if late is not None:
            super()._send(late)

    def _kept(self) -> bool:
        return self._waits is not None and bool(self._waits.any())


class _RepeatsBlocks(Up):
    """The block that it sent last before closing it sends once more after it."""

    _sent_last: Pcm | None = None
    _again: Pcm | None = None

    def take(self, pcm: Pcm | None) -> None:
        if pcm is None and self._sent_last is not None:
            self._again, self._sent_last = self._sent_last, None
        super().take(pcm)

    def _send(self, block: Pcm) -> None:
        again, self._again, self._sent_last = self._again, None, block.copy()
        if again is not None:
            super()._send(again)
        super()._send(block)

    def _kept(self) -> bool:
        return self._again is not None


class TelegramMutants:
    """The engine with a way up that is broken."""

    def __init__(self, room: TelegramRoom) -> None:
        self._room = room

    def lets_one_block_through(self) -> Engine:
        return self._with(_LetsOneBlockThrough)

    def forgets_to_reset(self) -> Engine:
        return self._with(_KeepsABlock)

    def repeats_frames(self) -> Engine:
        return self._with(_RepeatsBlocks)

    def _with(self, up: type[Up]) -> Engine:
        return TelegramEngine(self._room.settings("kontor_0"), up=up)


def available() -> None:
    """Skip where the libraries are missing."""
    for module in ("telethon", "ntgcalls"):
        try:
            __import__(module)
        except ImportError:
            need(False, f"{module} is missing: python3 -m tools.bootstrap")
