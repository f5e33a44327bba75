"""Puts ``kontor host`` together: rooms, keys and devices of the settings become a running host."""

import asyncio
import contextlib
import ipaddress
import resource
from pathlib import Path

from appliance.app import figures
from appliance.app.one_box import is_member, place_of
from appliance.app.places import state_of
from appliance.app.process import NotAllowed, beat, make_folders, until_stopped
from appliance.health.journal import Journal
from appliance.health.notify import Notifier
from appliance.host import authority
from appliance.host.announce import announcement
from appliance.host.certificate import CertificateError
from appliance.host.config import DeviceConfig, HostConfig, Proxy, RoomConfig, Turn
from appliance.host.control import CONTROL, ControlError
from appliance.host.room_store import StoreError
from appliance.host.server import Host
from appliance.rooms.device_key import DeviceKey
from appliance.settings import HostSettings, Settings

_DESCRIPTORS = 16_384
"""Twice as many as connections are taken."""


def host_config(settings: Settings) -> HostConfig:
    """What the settings say of the host, as the host wants it.

    :raises NotAllowed: there is no room to hold.
    """
    host = settings.host
    if not host.rooms:
        raise NotAllowed("there is no room to hold: add one under [[host.rooms]]")
    turn, state = host.turn, state_of(settings, "host")
    certificate, key = host.tls.certificate, host.tls.key
    return HostConfig(
        listen_host=host.listen,
        http_port=host.port,
        udp_host=_udp_listen(host),
        udp_port=host.udp_port or host.port,
        public_address=host.public_address or host.listen,
        max_members=host.max_members,
        rooms=tuple(
            RoomConfig(room.id, room.label, {name: file.read() for name, file in room.key_files.items()}, room.mute_new)
            for room in host.rooms
        ),
        devices=_devices(settings),
        certificate_path=state / "host.pem",
        authority=state / "authority",
        state_dir=state,
        control_path=Path(settings.device.runtime_dir) / CONTROL,
        tls=(certificate, key.path) if certificate and key else None,
        announce=host.announce,
        page_url=host.url,
        last_spoke=host.last_spoke,
        strangers=host.strangers.value,
        authority_pem=_authority_pem(state / "authority", certificate),
        turn=Turn(turn.urls, turn.secret_file.read(), turn.lifetime_s) if turn.urls and turn.secret_file else None,
        proxy=Proxy(host.proxy.trusted, host.proxy.name_header),
    )


def _authority_pem(folder: Path, certificate: Path | None) -> str:
    """The authority that devices have to know: ours, when our https is signed by it."""
    if certificate is None or certificate.parent != folder:
        return ""
    try:
        return (folder / authority.PUBLIC).read_text("ascii")
    except (OSError, ValueError):
        return ""  # the host itself says what is wrong with it


def _udp_listen(host: HostSettings) -> str:
    """Where sound is listened for: where HTTP is, but everywhere when HTTP is left to a reverse proxy on this machine."""
    public = host.public_address and not ipaddress.ip_address(host.public_address).is_loopback
    behind_proxy = ipaddress.ip_address(host.listen).is_loopback
    return "0.0.0.0" if public and behind_proxy else host.listen  # noqa: S104  # that is what was asked for


def _devices(settings: Settings) -> tuple[DeviceConfig, ...]:
    """Those of the settings, and the device of this very box when it is a member here.

    :raises NotAllowed: its key cannot be used.
    """
    found = [
        DeviceConfig(device.id, device.name, device.room, device.public_key, device.sign)
        for device in settings.host.devices
    ]
    own = settings.device
    if is_member(settings) and all(device.id != own.identity for device in found):
        try:
            key = DeviceKey.public_in(state_of(settings, "link"))
        except (OSError, ValueError) as error:
            raise NotAllowed(f"the device's key: {error}") from error
        found.append(DeviceConfig(own.identity, own.name, place_of(settings).room, key))
    return tuple(found)


def allow_descriptors() -> None:
    """As many open files as the system lets us have: each member holds a connection, and 1024 would be a small room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it: a smaller room is better than none
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def main(settings: Settings, stop: asyncio.Event, journal: Journal, config: HostConfig | None = None) -> None:
    """``kontor host``.

    :param config: that of one shard; None: all rooms are held here.
    :raises NotAllowed: the settings name no room, or an address that cannot be had.
    """
    make_folders(settings.device.state_dir, state_of(settings, "host"), settings.device.runtime_dir)
    allow_descriptors()
    host = Host(config or host_config(settings), journal.write)
    try:
        await host.start()
    except OSError as error:
        raise NotAllowed(f"[host] listen and port: {error}") from error
    except (CertificateError, ControlError, StoreError) as error:
        raise NotAllowed(str(error)) from error

    async def state() -> figures.State:
        return host.state()

    notifier = Notifier()
    try:
        notifier.tell("READY=1")
        parts: dict[str, figures.Part] = {
            "host": host.wait,
            "watchdog": lambda: beat(notifier, lambda: True, journal),
            # Where there are several, their front answers for all.
            **(figures.of_host(settings, state, journal) if config is None else {}),
            **announcement(host.config, lambda: host.address[1], journal.tell),
        }
        await until_stopped(stop, parts)
    finally:
        notifier.close()
        await host.stop()
