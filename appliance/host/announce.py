"""One room of the host is told to the local network (mDNS, RFC 6762), so that a device without a room finds it."""

import asyncio
import contextlib
import hashlib
import ipaddress
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from appliance.core.events import EventName
from appliance.core.nearby import SERVICE, NearbyRoom
from appliance.host.certificate import CertificateError, load_or_make
from appliance.host.config import HostConfig, RoomConfig
from appliance.host.room_store import folder_of, title_of

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

_GOODBYE = 2.0
"""Seconds that taking it back may last."""
_LOOK = 5.0
"""Seconds between two looks at what the room is called: whoever holds it may be another process."""


def announcement(
    config: HostConfig, port: Callable[[], int], tell: Callable[..., None]
) -> dict[str, Callable[[], Coroutine[Any, Any, NoReturn]]]:
    """What a process that holds rooms runs beside them to announce one: nothing where none is to be.

    A network that takes no announcement is told as an event: the rooms go on without it.

    :param port: of HTTP.
    :param tell: called with the name and the fields of an event.
    """
    room = next((each for each in config.rooms if each.id == config.announce), None)
    return {} if room is None else {"announcement": lambda: _announce(config, room, port(), tell)}


async def _announce(config: HostConfig, room: RoomConfig, port: int, tell: Callable[..., None]) -> NoReturn:
    from zeroconf import Error  # noqa: PLC0415 - a fifth of a second that hosts without announcement do not wait for

    responder: AsyncZeroconf | None = None
    try:
        try:
            nearby = await asyncio.to_thread(_nearby, config, room)
            responder = _responder(config)
            service = _service(nearby, config, port)
            await _done(responder.async_register_service(service, allow_name_change=True))
            tell(EventName.ROOM_ANNOUNCED, room=room.id)
            await _follow(config, room, nearby, responder, service, tell)
        except (OSError, ValueError, Error, CertificateError) as error:  # ValueError: more than a record holds
            tell(EventName.ANNOUNCEMENT_FAILED, room=room.id, why=_why(error))
        await asyncio.Event().wait()
    finally:
        if responder is not None:
            with contextlib.suppress(OSError, Error):
                async with asyncio.timeout(_GOODBYE):
                    await responder.async_close()
    raise RuntimeError("The announcement has ended.")


def _responder(config: HostConfig) -> "AsyncZeroconf":
    from zeroconf import InterfaceChoice, IPVersion  # noqa: PLC0415
    from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415

    everywhere = ipaddress.ip_address(config.listen_host).is_unspecified
    return AsyncZeroconf(
        interfaces=InterfaceChoice.All if everywhere else [config.listen_host], ip_version=IPVersion.V4Only
    )


async def _follow(
    config: HostConfig,
    room: RoomConfig,
    nearby: NearbyRoom,
    responder: "AsyncZeroconf",
    service: "AsyncServiceInfo",
    tell: Callable[..., None],
) -> NoReturn:
    """Tell it anew whenever the room is called something else, under the name that it has got in the network.

    What fails is told once, and tried again at every look: until then the room is announced as it was.
    """
    from zeroconf import Error  # noqa: PLC0415

    failed = ""
    while True:
        await asyncio.sleep(_LOOK)
        try:
            title = await asyncio.to_thread(_title, config, room)
            if title != nearby.title:
                changed = replace(nearby, title=title)
                service = _service(changed, config, service.port or 0, service.name)
                await _done(responder.async_update_service(service))
                nearby = changed
            failed = ""
        except (OSError, ValueError, Error) as error:
            if failed != _why(error):
                tell(EventName.ANNOUNCEMENT_FAILED, room=room.id, why=_why(error))
            failed = _why(error)


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _done(begun: Coroutine[Any, Any, Awaitable[object]]) -> None:
    """What zeroconf begins, up to its end: the awaitable that it gives."""
    await (await begun)


def _nearby(config: HostConfig, room: RoomConfig) -> NearbyRoom:
    """What is told of the room now.

    :raises CertificateError: the host's certificate cannot be had.
    """
    certificate, _ = load_or_make(config.certificate_path)
    authority = hashlib.sha256(config.authority_pem.encode()).hexdigest() if config.authority_pem else ""
    title, https = _title(config, room), config.tls is not None
    return NearbyRoom(room.id, title, certificate.fingerprint.hex(), config.page_url, https, authority)


def _title(config: HostConfig, room: RoomConfig) -> str:
    """What people read, by what whoever holds the room has written down."""
    return room.title if config.state_dir is None else title_of(folder_of(config.state_dir, room.id), room.title)


def _service(nearby: NearbyRoom, config: HostConfig, port: int, name: str = "") -> "AsyncServiceInfo":
    from zeroconf.asyncio import AsyncServiceInfo  # noqa: PLC0415

    listen = ipaddress.ip_address(config.listen_host)
    addresses = _own_addresses() if listen.is_unspecified else [config.listen_host]
    label = nearby.room.replace(".", "-")
    return AsyncServiceInfo(
        SERVICE,
        name or f"{label}.{SERVICE}",
        port=port,
        properties=nearby.properties(),
        parsed_addresses=addresses,
        server=f"kontor-{label}.local.",
    )


def _own_addresses() -> list[str]:
    """The IPv4 addresses of this machine that others can reach."""
    import ifaddr  # noqa: PLC0415

    every = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return [address for address in every if not ipaddress.ip_address(address).is_loopback]
