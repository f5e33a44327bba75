"""What a host is told when it is made. app/ fills this from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from appliance.core.roster import Sign

Strangers: TypeAlias = Literal["refuse", "ask", "let_in"]
"""Devices that are not known: they are refused, wait until somebody lets them in, or come in at once."""


@dataclass(frozen=True, slots=True)
class RoomConfig:
    """A permanent room. ``keys`` sign its links, by key id; the first one signs. Without any it makes and keeps its own."""

    id: str
    title: str
    keys: Mapping[str, bytes] = field(repr=False, default_factory=dict)
    mute_new: bool = False
    """Whoever comes in anew is muted by the room until an admin lets them speak."""


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """A device that may enter ``room``, known by its Ed25519 public key (32 bytes)."""

    id: str
    name: str
    room: str
    public_key: bytes
    sign: Sign | None = None
    """Its sign when the hash of its id is not wanted."""


@dataclass(frozen=True, slots=True)
class Times:
    """When patience ends, in seconds."""

    hello: float = 5.0
    """From the opening of a presence socket to its hello."""
    ping: float = 1.0
    """Between pings on a presence socket."""
    report: float = 0.5
    """Between receiver reports to each member: a device that hears nothing for 2 s reconnects, and some may be lost."""
    pong: float = 2.0
    """Without an answer to pings: the member is shown connecting, and its slot is free."""
    site: float = 2.0
    """The same for a site from which no datagram comes."""
    person: float = 8.0
    """The same for people: a browser that is muted sends little more than a STUN check every few seconds."""
    gone: float = 15.0
    """Without datagram and without pong: the member is removed."""
    join: float = 10.0
    """From the answer to the end of the DTLS handshake."""
    body: float = 5.0
    """For the body of a request to arrive."""
    token: float = 600.0
    """Life of a device's token."""
    nonce: float = 60.0
    """Life of a challenge."""
    named: float = 43_200.0
    """Life of the token of somebody whom a trusted proxy named."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` at once, then ``per_second``."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken from one member."""

    joins: Rate = Rate(1.0, 10.0)
    """Offers, for each identity: a device in trouble comes back every 1.5 s at most."""
    messages: Rate = Rate(20.0, 60.0)
    """Presence messages, for each socket; more closes it."""
    sockets_per_identity: int = 4
    """Presence sockets; the oldest is closed for a further one."""
    queue: int = 256
    """Presence messages that wait for one slow reader; more closes its socket."""
    queue_characters: int = 1024 * 1024
    """The same in characters, beyond the one message that is always taken."""
    address_joins: Rate = Rate(20.0, 400.0)
    """Offers from one address: a whole office may be behind it, and come back at once."""
    address_sockets: Rate = Rate(20.0, 400.0)
    """New presence sockets from one address,"""
    sockets_per_address: int = 2048
    """and how many of them may be open."""
    address_challenges: Rate = Rate(5.0, 100.0)
    """Requests of devices for a challenge or a token, or to be enrolled, from one address."""
    address_wrong: Rate = Rate(1.0, 30.0)
    """Wrong tokens from one address; more of them are refused unread. Right ones always pass."""
    connections: int = 8192
    """TCP connections at a time; from half of them on, one address may hold an eighth."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A relay whose credentials are made from a secret it shares with us (coturn's use-auth-secret)."""

    urls: tuple[str, ...]
    secret: bytes = field(repr=False)
    lifetime: int = 3600
    """Seconds that credentials are good."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Reverse proxies in front of the host, and whether they name people."""

    trusted: tuple[str, ...] = ()
    """Networks (CIDR) whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    name_header: str = ""
    """The header that names whoever the proxy has signed in; empty: none is read."""


@dataclass(frozen=True, slots=True)
class HostConfig:
    """A whole host: one process, one HTTP port, one UDP port, its rooms."""

    certificate_path: Path
    """PEM file of the DTLS key and certificate; made when missing."""
    rooms: tuple[RoomConfig, ...]
    devices: tuple[DeviceConfig, ...] = ()
    state_dir: Path | None = None
    """The folder for what rooms keep (room_store.py); None: nothing outlives the host."""
    control_path: Path | None = None
    """The Unix socket for the keeper's commands (control.py); None: there is none."""
    listen_host: str = "127.0.0.1"
    http_port: int = 0
    """0 takes any free port."""
    udp_host: str = "127.0.0.1"
    """IPv4 only for now."""
    udp_port: int = 0
    public_address: str = ""
    """IPv4 address that members send media to. Empty or unspecified (0.0.0.0): the one they reached the HTTP port at."""
    max_members: int = 200
    """In each room; as many again may watch it without being in it."""
    tls: tuple[Path | str, Path | str] | None = None
    """Files of certificate chain and key for HTTPS; without them the host speaks plain HTTP."""
    authority: Path | None = None
    """The folder of our own certificate authority: it is offered on /certificate and renews what it signed."""
    unix_path: Path | None = None
    """A Unix socket for HTTP in place of the TCP port, behind a front of ours (see approach.py)."""
    announce: str = ""
    """The room that is told to the local network; "": none is."""
    page_url: str = ""
    """The address of the page where it is set; "": where the host listens."""
    last_spoke: bool = False
    """Whether whoever may enter a room is told when it was last spoken in, and by whom."""
    strangers: Strangers = "ask"
    """What becomes of a device that is not known and has no one-use token."""
    authority_pem: str = ""
    """The certificate of our own authority where https is signed by it, for the settings of devices; "" else."""
    turn: Turn | None = None
    proxy: Proxy = Proxy()
    times: Times = Times()
    limits: Limits = Limits()
