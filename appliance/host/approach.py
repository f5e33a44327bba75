"""How a request came to us: from which address, encrypted all the way or not, and as whom a reverse proxy names its sender.

A connection over a Unix socket comes from a front of our own: it has added the address of whoever connected to it to
X-Forwarded-For, and has overwritten X-Forwarded-Proto unless that was a trusted proxy; what it says is believed.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from aiohttp import hdrs, web

from appliance.core.protocol import Claims, is_name
from appliance.host.config import Proxy

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

NO_HTTPS: Literal["no_https"] = "no_https"
"""Why somebody may only listen: what they send, and the token they show, could be read on the way."""

REACHED = "Kontor-Reached"
"""The header by which a front of ours says which of its addresses was reached: there the sound is to be sent too."""

_MOST_HOPS = 16
"""Entries of X-Forwarded-For that are looked at, from its end."""


@dataclass(frozen=True, slots=True)
class Approach:
    """The way of one request."""

    address: str
    """Of the sender itself, as far as trusted proxies tell it; "" when a front of ours does not say."""
    secure: bool
    """Encrypted on its whole way, or from this machine."""
    name: str | None = None
    """Whom a trusted proxy has signed in."""
    local: bool = False
    """From this machine itself, and through no proxy."""

    @property
    def listen_only(self) -> Literal["no_https"] | None:
        """Why the sender may only listen, as the welcome says it; None when nothing stands against speaking."""
        return None if self.secure else NO_HTTPS

    def limited(self, claims: Claims) -> Claims:
        """``claims`` as they hold on this way: over an open network everybody is a listener."""
        return claims if self.secure else replace(claims, role="listener")


def approach_of(request: web.Request, proxy: Proxy, *, tls: bool) -> Approach:
    """The way of ``request``.

    :param proxy: whose headers are believed.
    :param tls: whether we serve https ourselves, so that what reaches us directly is encrypted.
    """
    near, forwarded, fronted = _end(request, "peername"), _forwarded_for(request), _is_fronted(request)
    if fronted:  # the last entry is who connected to the front
        near, forwarded = (_parse(forwarded[0]) if forwarded else None), forwarded[1:]
    trusted = _networks(proxy.trusted)
    by_proxy = near is not None and _within(near, trusted)
    sender = _sender(near, forwarded, trusted) if by_proxy else near
    encrypted = _says_https(request) if by_proxy or fronted else tls and near is not None
    here = sender is not None and (sender.is_loopback or (not by_proxy and sender == _reached(request)))
    # A proxy on this machine that nobody told us of: whoever is behind it may come from anywhere, in the clear.
    here = here and (by_proxy or not forwarded)
    return Approach(
        address="" if sender is None else str(sender),
        secure=encrypted or here,
        name=_name(request, proxy) if by_proxy else None,
        local=here and not forwarded,
    )


def is_trusted(address: str, proxy: Proxy) -> bool:
    """Whether a reverse proxy of ours is at ``address``."""
    found = _parse(address)
    return found is not None and _within(found, _networks(proxy.trusted))


def reached(request: web.Request) -> str | None:
    """The address of ours that ``request`` came to; over a Unix socket what the front says. None: nobody knows."""
    found = _reached(request)
    return None if found is None else str(found)


def _is_fronted(request: web.Request) -> bool:
    """Whether the request came over a Unix socket. One whose sender is gone meanwhile has no address either, and did not."""
    return request.transport is not None and isinstance(request.transport.get_extra_info("sockname"), str)


def _reached(request: web.Request) -> _Address | None:
    if _is_fronted(request):
        return _parse(request.headers.get(REACHED, ""))
    return _end(request, "sockname")


def _end(request: web.Request, which: Literal["peername", "sockname"]) -> _Address | None:
    """The address of one end of the connection; None over a Unix socket."""
    name = request.transport.get_extra_info(which) if request.transport is not None else None
    return _parse(name[0]) if isinstance(name, tuple) else None


def _parse(text: str) -> _Address | None:
    """An address as X-Forwarded-For has it: some write a port behind it, some brackets around it."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _forwarded_for(request: web.Request) -> list[str]:
    """X-Forwarded-For, the nearest first: each proxy adds at its end whom it heard."""
    entries = ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, ())).rsplit(",", _MOST_HOPS)
    return [entry for entry in reversed(entries[-_MOST_HOPS:]) if entry.strip()]


def _sender(near: _Address | None, forwarded: Iterable[str], trusted: tuple[_Network, ...]) -> _Address | None:
    """The first on the way back that is no proxy of ours. What stands before it anybody may have written."""
    sender = near
    for entry in forwarded:
        address = _parse(entry)
        if address is None:
            break
        sender = address
        if not _within(address, trusted):
            break
    return sender


def _says_https(request: web.Request) -> bool:
    values = ",".join(request.headers.getall(hdrs.X_FORWARDED_PROTO, ())).split(",")
    return all(value.strip().lower() in ("https", "wss") for value in values)


def _name(request: web.Request, proxy: Proxy) -> str | None:
    """The one name that the proxy gives; several, or one that nobody could read, are as good as none."""
    names = request.headers.getall(proxy.name_header, ()) if proxy.name_header else ()
    return names[0] if len(names) == 1 and is_name(names[0]) else None


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in trusted)


def _within(address: _Address, networks: Iterable[_Network]) -> bool:
    return any(address in network for network in networks)
