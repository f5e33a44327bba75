"""What the two words of ``kontor bridge A B`` stand for: links into rooms of a Kontor host, or settings of any engine."""

import ipaddress
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from yarl import URL

from appliance.app.engines import make_engine
from appliance.app.one_box import place_of, room_of
from appliance.app.process import NotAllowed
from appliance.core.tokens import Claims, TokenError, peek
from appliance.provisioning.files import sources
from appliance.rooms import trust
from appliance.rooms.bridge_end import EndSettings
from appliance.rooms.hosted import HostedEngine, HostedSettings
from appliance.rooms.nowhere import Nowhere
from appliance.rooms.signalling import fixed_credentials
from appliance.settings import Settings, load
from appliance.settings.model import EngineName
from appliance.settings.secrets import SecretFile

_LINK = re.compile(r"https?://", re.IGNORECASE)
_DIGITS = 8
_HOW = 'Make one with: kontor host link ROOM --bridge --name "Bridge to …"'


@dataclass(frozen=True, slots=True)
class _Link:
    """A link as ``kontor host link`` prints it, taken apart."""

    url: str
    room: str
    token: str
    claims: Claims


def read_side(word: str) -> EndSettings:
    """The side that ``word`` names: a link, a file with a link in it, or a file with settings.

    :raises NotAllowed: it cannot be used; one sentence, which never has the token in it.
    :raises SettingsError: the settings cannot be used.
    """
    word = word.strip()
    if _LINK.match(word):
        return _by_link(word, "the link")
    address, has_token, _ = word.partition("#")
    if has_token:  # perhaps a link that was not copied whole: what is behind its # is shown to nobody
        raise NotAllowed(f"{address}#… is neither a file nor a link: a link begins with https:// {_HOW}")
    path = Path(word)
    try:
        with path.open("rb") as file:
            begins_with_link = _LINK.match(file.read(8).decode("latin-1").lstrip())
    except OSError as error:
        raise NotAllowed(f"{word}: {error.strerror}. Name a file with settings, or with a link. {_HOW}") from error
    if begins_with_link:
        return _by_link(SecretFile(path, str(path)).read().decode("latin-1"), str(path))
    # Whoever may read the file reads its secrets too: a bridge is a process of its own.
    return _by_settings(load(sources(path)), str(path))


def check_apart(a: EndSettings, b: EndSettings) -> None:
    """Refuse what is plainly one room; what has two addresses is found once both sides are in it.

    :raises NotAllowed: both sides are the same room.
    """
    if a.digest == b.digest:
        raise NotAllowed(f"both sides are the same room, {a.room}: name another one.")


def _by_link(text: str, where: str) -> EndSettings:
    link = _taken_apart(text, where)
    settings = HostedSettings(
        link.url, link.room, link.claims.identity, fixed_credentials(link.token), tls=trust.context(None)
    )
    return EndSettings(
        HostedEngine(settings),
        link.room,
        link.claims.identity,
        digest(_of_host(link.url), link.room),
        frame_ms=settings.codec.frame_ms,
    )


def _taken_apart(text: str, where: str) -> _Link:
    try:
        url = URL(text.strip())
    except ValueError:
        raise NotAllowed(f"{where} is no link. {_HOW}") from None
    if "&" in url.fragment:
        raise NotAllowed(f"{where} leads into several rooms, and a side of a bridge is one. {_HOW}")
    if not url.fragment or not url.name or not url.host:
        raise NotAllowed(f"{where} is no link into a room: it ends in /ROOM#TOKEN. {_HOW}")
    claims = _checked(url.fragment, url.name, where)
    return _Link(str(url.with_fragment(None).parent).rstrip("/"), url.name, url.fragment, claims)


def _checked(token: str, room: str, where: str) -> Claims:
    """What the token says; the host would say the same later, in other words."""
    try:
        claims = peek(token)
    except TokenError as error:
        raise NotAllowed(f"{where}: {error} {_HOW}") from None
    if claims.room != room:
        raise NotAllowed(f"{where} is for the room {claims.room}, not for {room}. {_HOW}")
    if claims.kind != "bridge":
        raise NotAllowed(f"{where} is for a person: as such a bridge could not say whom it brings. {_HOW}")
    if claims.role not in ("speaker", "admin"):
        raise NotAllowed(f"{where} is for a {claims.role}, who may not speak. {_HOW}")
    if claims.expires <= time.time():
        raise NotAllowed(f"{where} has expired. {_HOW}")
    return claims


def _by_settings(settings: Settings, where: str) -> EndSettings:
    room, address, name = _place(settings)
    identity = settings.device.identity
    if settings.room.engine is EngineName.HOSTED:
        if settings.room.token_file is None:
            raise NotAllowed(f"{where}: [room] token_file is missing: a bridge comes in by a link. {_HOW}")
        token = settings.room.token_file.read().decode("latin-1").strip()
        identity = _checked(token, room, f"{where}: the token of [room] token_file").identity
    engine = make_engine(settings, of_device=False)
    if isinstance(engine, Nowhere):
        raise NotAllowed(f"{where}: no server is named: set [room] url, or [room] engine and its section.")
    return EndSettings(
        engine, name, identity, digest(address, room), settings.room.engine.value, settings.audio.frame_ms
    )


def _place(settings: Settings) -> tuple[str, str, str]:
    """The room, its server, and what people call it."""
    kind = settings.room.engine
    if kind is EngineName.HOSTED:
        place = place_of(settings)
        return place.room, _of_host(place.url), place.room
    section = getattr(settings, kind.value)
    room = str(getattr(section, "room", "") or getattr(section, "group", "") or settings.room.id)
    urls = getattr(section, "urls", None) or (getattr(section, "url", ""),)
    url = min(urls)
    address = f"{kind.value} {url}{_where(URL(url).host or '') if url else ''}"
    shown = room_of(settings)  # people of the other room read it too
    return room, address, f"{kind.value} {shown}" if shown.isdecimal() else shown


def _of_host(url: str) -> str:
    """The same for all spellings of one server's address."""
    at = URL(url) if url else URL()
    return f"hosted {at.host}:{at.port}{at.path.rstrip('/')}{_where(at.host or '')}"


def _where(host: str) -> str:
    """Which machine it is that says this address, when the same one means another server elsewhere: 192.168.1.2, kontor.local.

    Bridges of one room on two machines of one network are then found by their names, or by their marks.
    """
    try:
        elsewhere_too = ipaddress.ip_address(host).is_private
    except ValueError:
        elsewhere_too = "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa"))
    return f" of {_machine()}" if elsewhere_too else ""


@cache
def _machine() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return platform.node()


def digest(address: str, room: str) -> str:
    """What stands for a room where bridges tell each other of it; it does not tell where that is."""
    return sha256(f"kontor-bridge\0{address}\0{room}".encode()).hexdigest()[:_DIGITS]


def sides_as_dict(a: EndSettings, b: EndSettings) -> Mapping[str, str]:
    """For the journal."""
    return {"a": f"{a.kind}: {a.room}", "b": f"{b.kind}: {b.room}"}
