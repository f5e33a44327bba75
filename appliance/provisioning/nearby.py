"""Which rooms are announced nearby (mDNS, RFC 6762), for a device that has none.

It asks as RFC 6762, 5.1 has it for whoever only asks now and then: one query from a port of its own, answered to that port
alone. So nothing listens on this device, neither before nor after, and nobody is told that it is there but by the question.
"""

import asyncio
import hashlib
import ipaddress
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.core.mdns import BadMessage, question, read_answer
from appliance.core.nearby import SERVICE, NearbyRoom, read_nearby
from appliance.provisioning.body import read_body
from appliance.settings.special import page_url

_GROUP = ("224.0.0.251", 5353)
_WAIT = 1.5
"""Seconds for answers to come: a responder may take half a second for one that others could give too (RFC 6762, 6)."""
MOST_FOUND = 16
_MOST_PACKETS = 64
"""Looked at: the worst of them take 15 ms each on a fast machine, and nothing else runs meanwhile."""
_LARGEST_PEM = 16 * 1024
_PEM_SECONDS = aiohttp.ClientTimeout(total=3.0)


@dataclass(frozen=True, slots=True)
class Found:
    """A room that a device could join."""

    nearby: NearbyRoom
    url: str
    """Where the host is."""
    plain_url: str
    """Where it serves its authority's certificate."""
    authority_pem: str = field(default="", repr=False)

    def as_dict(self) -> dict[str, object]:
        """As status shows it."""
        return {"room": self.nearby.room, "name": self.nearby.title, "url": self.url}


async def look(addresses: Iterable[str] | None = None) -> list[Found]:
    """Ask once, and wait for the answers; in the order of their addresses. Never raises.

    :param addresses: own IPv4 addresses to ask from; None: all, this machine's own last.
    """
    loop = asyncio.get_running_loop()
    try:
        own = await asyncio.to_thread(_own_addresses) if addresses is None else addresses
    except OSError:
        return []  # a sandbox that lets nobody see them
    hearing = _Hearing()
    transports = []
    for address in own:
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: hearing, sock=_socket(address))
        except OSError:
            continue  # this interface takes no part
        transports.append(transport)
        transport.sendto(question(SERVICE), _GROUP)
    if transports:
        await asyncio.sleep(_WAIT)
    for transport in transports:
        transport.close()
    await asyncio.sleep(0)  # they close in the loop's next turn
    return sorted(hearing.found(), key=lambda found: (found.url, found.nearby.room))


async def with_authority(found: Found) -> Found | None:
    """The same with the certificate of its own authority, if it has one; None: it is not there, or another, or is none."""
    if not found.nearby.authority:
        return found
    try:
        async with (
            aiohttp.ClientSession(trust_env=False, timeout=_PEM_SECONDS) as http,
            http.get(f"{found.plain_url}/certificate/authority.pem", allow_redirects=False) as response,
        ):
            pem = await read_body(response, _LARGEST_PEM)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
    if pem is None or hashlib.sha256(pem).hexdigest() != found.nearby.authority:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None
    # Written anew: what else stands in that file is nothing for our settings.
    return replace(found, authority_pem=certificate.public_bytes(Encoding.PEM).decode())


def _own_addresses() -> list[str]:
    import ifaddr  # noqa: PLC0415 - only a device without a room waits for it

    every = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return sorted(every, key=lambda address: ipaddress.ip_address(address).is_loopback)


def _socket(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        made.bind((address, 0))
    except OSError:
        made.close()
        raise
    return made


class _Hearing(asyncio.DatagramProtocol):
    """Collects answers, of bounded number."""

    def __init__(self) -> None:
        self._packets: list[tuple[bytes, str]] = []

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if len(self._packets) < _MOST_PACKETS:
            self._packets.append((data, address[0]))

    def error_received(self, _error: Exception) -> None:
        """A network that cannot be asked now is asked again later."""

    def found(self) -> list[Found]:
        """Each room once, by whichever way it answered first: cable and Wi-Fi may lead to the same host."""
        every: dict[tuple[str, str], Found] = {}
        for data, sender in sorted(self._packets, key=lambda packet: ipaddress.ip_address(packet[1]).is_loopback):
            for found in read(data, sender):
                every.setdefault((found.nearby.certificate, found.nearby.room), found)
        return list(every.values())[:MOST_FOUND]


def read(data: bytes, sender: str) -> Iterator[Found]:
    """The rooms that an answer tells of; none when it is no answer. Never raises.

    :param sender: IPv4 address that it came from: a host that names no address of its page is there.
    """
    try:
        services = read_answer(data)
    except BadMessage:
        return
    for name, text in services.texts.items():
        port = services.ports.get(name, 0)
        found = _found(read_nearby(_properties(text)), sender, port) if port and name.endswith(f".{SERVICE}") else None
        if found is not None:
            yield found


def _found(nearby: NearbyRoom | None, sender: str, port: int) -> Found | None:
    if nearby is None:
        return None
    try:
        url = page_url(nearby.url or f"{'https' if nearby.https else 'http'}://{sender}:{port}")
    except ValueError:
        return None
    return Found(nearby, url, f"http://{urlsplit(url).hostname if nearby.url else sender}:{port}")


def _properties(text: bytes) -> dict[str, str]:
    """Key and value of each string of a TXT record (RFC 6763, 6.3); the first of a key counts."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        length = text[at]
        key, _, value = text[at + 1 : at + 1 + length].decode("utf-8", "replace").partition("=")
        found.setdefault(key.lower(), value)
        at += 1 + length
    return found
