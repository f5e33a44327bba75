"""What ``kontor setup`` makes of the address of a room, and what the server there says to it."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from yarl import URL

from appliance.app.doctor_findings import Finding, Target
from appliance.app.doctor_web import examine_web
from appliance.provisioning.body import read_body
from appliance.rooms import trust
from appliance.settings import page_url

_SECONDS = 5.0
_MOST_BODY = 64 * 1024
_SDP = "application/sdp"
_BUSY = 429
EXAMPLE = "like https://rooms.example.org/lobby"


@dataclass(frozen=True, slots=True)
class Way:
    """The way to a room."""

    url: str
    """Of the server; empty: there is no room yet."""
    room: str = ""
    """Its id; empty: the address did not say."""
    token: str = field(default="", repr=False)
    authority: str = ""
    """The certificate (PEM) of an own authority of the server, which somebody has compared."""


NOWHERE = Way("")


def way_of(text: str) -> Way:
    """The way that an address or a link tells; https where it does not say.

    :raises ValueError: it is no address of a room; one sentence without a full stop, and without the token.
    """
    text = text.strip()
    if not text:
        return NOWHERE
    try:
        url = URL(text if "://" in text else f"https://{text}")
        server = page_url(str(url.origin()))
    except ValueError:
        raise ValueError(f"this is no address of a room: it has to be {EXAMPLE}") from None
    parts = [part for part in url.path.split("/") if part]
    if len(parts) > 1 or url.query_string:
        raise ValueError(f"the address has to end with the room: {EXAMPLE}")
    return Way(server, parts[0] if parts else "", url.raw_fragment)


async def look(way: Way, note: Callable[[Finding], None]) -> bool:
    """Ask the server whether the room is there, and a token is good; ``note`` is given what stands in the way.

    Returns whether nothing does.
    """
    tls = _tls(way)

    def bad_alone(finding: Finding) -> None:
        if finding.state in ("bad", "warning"):
            note(finding)

    if not await examine_web(Target(URL(way.url), way.room), tls, bad_alone):
        return False
    finding = await _room(way, tls)
    note(finding)
    return finding.state != "bad"


def _tls(way: Way) -> ssl.SSLContext:
    made = trust.context(None)
    if way.authority:
        made.load_verify_locations(cadata=way.authority)
    return made


async def _room(way: Way, tls: ssl.SSLContext) -> Finding:
    """What the server says to a join without an offer, which it refuses in any case: only why is of interest."""
    headers = {"Content-Type": _SDP, "Accept": _SDP}
    if way.token:
        headers["Authorization"] = f"Bearer {way.token}"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS), trust_env=False) as http,
            http.post(
                URL(way.url) / "rooms" / way.room / "media", data=b"", headers=headers, ssl=tls, allow_redirects=False
            ) as answer,
        ):
            status, body = answer.status, await read_body(answer, _MOST_BODY)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Finding("room", "bad", f"The server does not answer for the room: {type(error).__name__}.")
    says = _sentence(body or b"")
    if status == 404:
        return Finding("room", "bad", f'The server has no room "{way.room}".', "Compare the end of the address.")
    if way.token and status in (401, 403):
        return Finding("room", "bad", says or "The link is not valid.", "Have a new one made: kontor host link ROOM")
    if status == _BUSY:
        return Finding("room", "warning", says or "The server wants us to wait, and does not say more.")
    return Finding("room", "good", f'The server is there, and has the room "{way.room}".')


def _sentence(body: bytes) -> str:
    """What a server says in words; nothing that is long or would move a terminal's cursor."""
    text = body.decode("utf-8", "replace").strip()
    return text if text.isprintable() and len(text) <= 200 else ""


async def authority_of(way: Way) -> tuple[str, str] | None:
    """The own authority that the server names, PEM, and its SHA-256 fingerprint as ``kontor host certificate`` prints it.

    It comes over a connection that nobody could check yet: whoever uses it has compared the fingerprint. None: the
    server names none.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS), trust_env=False) as http,
            http.get(URL(way.url) / "certificate" / "authority.pem", ssl=False, allow_redirects=False) as answer,
        ):
            body = await read_body(answer, _MOST_BODY) if answer.status == 200 else None
        certificate = x509.load_pem_x509_certificate(body or b"")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    return certificate.public_bytes(Encoding.PEM).decode(), fingerprint


def trusting(way: Way, authority: str) -> Way:
    """The same way, with an authority (PEM) that is believed.

    :raises ValueError: it holds no certificate.
    """
    try:
        ssl.create_default_context().load_verify_locations(cadata=authority)
    except ssl.SSLError:
        raise ValueError("it holds no certificate (PEM)") from None
    return replace(way, authority=authority)
