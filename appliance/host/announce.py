"""One room of the host is told to the local network (mDNS, RFC 6762), so that a device without a room finds it."""

import asyncio
import contextlib
import hashlib
import ipaddress
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from appliance.core.events import EventName
from appliance.core.nearby import SERVICE, NearbyRoom
from appliance.host.certificate import CertificateError, load_or_make
from appliance.host.config import HostConfig, RoomConfig

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

_GOODBYE = 2.0
"""Seconds that taking it back may last."""


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
        certificate, _ = await asyncio.to_thread(load_or_make, config.certificate_path)
        authority = hashlib.sha256(config.authority_pem.encode()).hexdigest() if config.authority_pem else ""
        nearby = NearbyRoom(
            room.id, room.title, certificate.fingerprint.hex(), config.page_url, config.tls is not None, authority
        )
        responder = _responder(config)
        await _register(responder, _service(nearby, config, port))
        tell(EventName.ROOM_ANNOUNCED, room=room.id)
    except (OSError, Error, CertificateError) as error:
        tell(EventName.ANNOUNCEMENT_FAILED, room=room.id, why=str(error) or type(error).__name__)
    try:
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


async def _register(responder: "AsyncZeroconf", service: "AsyncServiceInfo") -> None:
    done = await responder.async_register_service(service, allow_name_change=True)
    await done


def _service(nearby: NearbyRoom, config: HostConfig, port: int) -> "AsyncServiceInfo":
    from zeroconf.asyncio import AsyncServiceInfo  # noqa: PLC0415

    listen = ipaddress.ip_address(config.listen_host)
    addresses = _own_addresses() if listen.is_unspecified else [config.listen_host]
    label = nearby.room.replace(".", "-")
    return AsyncServiceInfo(
        SERVICE,
        f"{label}.{SERVICE}",
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
