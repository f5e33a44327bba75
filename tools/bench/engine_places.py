"""Where bench-engines lets its members be: each engine's server, the network, and who is who there, as plain values.

::

    10.77.0.1 room (server, friend, talkers: apart.py) -- router -- 10.78.0.2 device

A cut is a router that forwards nothing: nobody is told. Who is who: see engine_makers.py.
"""

import contextlib
import datetime as dt
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from appliance.host import authority
from tests.contract.apart import ADDRESS
from tests.contract.harness import Server

TALKERS = (1, 3, 10)
_ROOM_SIDE, _DEVICE_SIDE, _DEVICE = "10.77.0.254", "10.78.0.1", "10.78.0.2"
Given = Mapping[str, Any]


class Cable:
    """The network between the room and the device, made from inside the room's."""

    def __init__(self) -> None:
        self._router, self._device = f"kb{os.getpid()}router", f"kb{os.getpid()}device"

    def __enter__(self) -> Self:
        router, device = self._router, self._device
        try:
            for name in (router, device):
                _ip(f"netns add {name}")
                _ip(f"-n {name} link set lo up")
                self._set(name, "net.ipv6.conf.all.disable_ipv6=1")
            _ip(f"link add out type veth peer name room netns {router}")
            _ip(f"-n {router} link add device type veth peer name lan netns {device}")
            _ip(
                f"address delete {ADDRESS}/24 dev near"
            )  # Janus hears nothing that comes by another link than its address's
            for inside, link, address in (
                ("", "out", ADDRESS),
                (f"-n {router} ", "room", _ROOM_SIDE),
                (f"-n {router} ", "device", _DEVICE_SIDE),
                (f"-n {device} ", "lan", _DEVICE),
            ):
                _ip(f"{inside}address add {address}/24 dev {link}")
                _ip(f"{inside}link set {link} up")
            _ip(f"route add default via {_ROOM_SIDE}")
            _ip(f"-n {device} route add default via {_DEVICE_SIDE}")
            self.mend()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in (self._router, self._device):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip(f"netns delete {name}")

    @property
    def inside(self) -> Sequence[str]:
        """Before the command of what is to run where the device is."""
        return ["ip", "netns", "exec", self._device]

    def cut(self) -> None:
        """Nothing passes any more."""
        self._set(self._router, "net.ipv4.ip_forward=0")

    def mend(self) -> None:
        """Everything passes again."""
        self._set(self._router, "net.ipv4.ip_forward=1")

    def _set(self, name: str, what: str) -> None:
        command = ["ip", "netns", "exec", name, "sysctl", "-q", "-w", what]
        subprocess.run(command, check=True, timeout=10, capture_output=True)


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, timeout=10, capture_output=True)


class Room(Protocol):
    """One room of an engine."""

    def member(self, who: str) -> Given:
        """The device, ``"device"``, or its ``"friend"``, for engine_makers.py."""

    def talkers(self, count: int) -> Sequence[Given]:
        """So many others; none where the server itself lets them talk."""


class Place(Protocol):
    """An engine's server that runs."""

    server: Server

    def room(self, talkers: int = 0) -> Room:
        """One that nobody has used."""


@contextlib.contextmanager
def serving(name: str, folder: Path) -> Iterator[Place]:
    """The place of an engine. Skips, as tests do, where its server or its library is missing."""
    kinds: Mapping[str, Any] = {"hosted": Hosted, "livekit": LiveKit, "janus": Janus, "telegram": Telegram}
    place: Place = kinds[name](folder)
    place.server.start()
    try:
        yield place
    finally:
        place.server.end()


class Hosted:
    """Our own host, with https: whoever comes over a network may only listen without."""

    def __init__(self, folder: Path) -> None:
        from tests.contract.hosted_harness import HostedServer  # noqa: PLC0415

        names, now = authority.general_names([ADDRESS]), dt.datetime.now(dt.UTC)
        own = authority.make(names, now)
        authority.store(folder, own)
        authority.issue(folder, own, names, now)
        self.authority = str(folder / authority.PUBLIC)
        tls = [str(folder / authority.CHAIN), str(folder / authority.KEY)]
        self.server = HostedServer(folder, listen=ADDRESS, tls=tls)

    def room(self, talkers: int = 0) -> Room:  # noqa: ARG002
        """One of its rooms."""
        return _HostedRoom(self, self.server.room())


@dataclass
class _HostedRoom:
    place: Hosted
    own: Any

    def member(self, who: str) -> Given:
        token = self.own.token(who, expires=int(time.time()) + 7200)
        given = {"url": self.own.url, "room": self.own.room, "identity": who, "token": token}
        return {"engine": "hosted", **given, "authority": self.place.authority}

    def talkers(self, count: int) -> Sequence[Given]:
        return [self.member(f"talker{number}") for number in range(count)]


class LiveKit:
    """A real livekit-server."""

    def __init__(self, folder: Path) -> None:
        from tests.contract.livekit_harness import LiveKitServer  # noqa: PLC0415

        self.server = LiveKitServer(folder)

    def room(self, talkers: int = 0) -> Room:  # noqa: ARG002
        """One of its rooms."""
        return LiveKitRoom(self.server.room())


@dataclass
class LiveKitRoom:
    """Its talkers are the plain SDK's (engine_sdk.py)."""

    own: Any

    def member(self, who: str) -> Given:
        """With the server's key, for tokens of its own."""
        from tests.contract.livekit_harness import KEY, SECRET  # noqa: PLC0415

        given = {"url": self.own.url, "room": self.own.room, "identity": who}
        return {"engine": "livekit", **given, "key": KEY, "secret": SECRET.decode()}

    def plain(self, who: str, seed: int) -> Given:
        """A member by the plain SDK."""
        return {"url": self.own.url, "token": self.own.tokens(who)(), "seed": seed}

    def talkers(self, count: int) -> Sequence[Given]:
        """By the plain SDK."""
        return [self.plain(f"talker{number}", number) for number in range(count)]


class Janus:
    """Debian's Janus."""

    def __init__(self, folder: Path) -> None:
        from tests.contract.janus_harness import JanusServer  # noqa: PLC0415

        self.server = JanusServer(folder)

    def room(self, talkers: int = 0) -> Room:  # noqa: ARG002
        """One of its rooms."""
        return _JanusRoom(self.server.room())


@dataclass
class _JanusRoom:
    own: Any

    def member(self, who: str) -> Given:
        settings = asdict(self.own.settings(who, "person"))
        for its_own in ("codec", "tls", "secret"):
            del settings[its_own]
        return {"engine": "janus", **settings}

    def talkers(self, count: int) -> Sequence[Given]:
        return [self.member(f"talker{number}") for number in range(count)]


class Telegram:
    """Stand-ins for its data centre and sound server, which let the talkers of the first rooms talk."""

    def __init__(self, folder: Path) -> None:
        from tests.contract import telegram_harness  # noqa: PLC0415

        telegram_harness.available()
        self.server = telegram_harness.TelegramServer(folder, talkers=TALKERS)
        self._talking = {count: self.server.room() for count in TALKERS}

    def room(self, talkers: int = 0) -> Room:
        """One of its groups; one with talkers is always the same."""
        return _TelegramRoom(self._talking[talkers] if talkers else self.server.room())


@dataclass
class _TelegramRoom:
    own: Any

    def member(self, who: str) -> Given:
        settings = self.own.settings({"device": "kontor_0"}.get(who, who))
        login = settings.login.api_id, settings.login.api_hash, settings.login.session
        return {"engine": "telegram", "login": login, "group": settings.group, "identity": settings.identity}

    def talkers(self, count: int) -> Sequence[Given]:  # noqa: ARG002
        return ()
