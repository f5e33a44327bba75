"""A whole host: HTTP, presence and media of all its rooms, in one process on one loop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from aiohttp import web

from appliance.core.counters import Counters
from appliance.core.events import Event, EventName
from appliance.core.state import HostState
from appliance.host import authority
from appliance.host.authority_page import AuthorityPage
from appliance.host.bundles import Bundles
from appliance.host.certificate import Certificate, load_or_make
from appliance.host.conference import Conference
from appliance.host.config import HostConfig
from appliance.host.control import Control
from appliance.host.devices import Devices
from appliance.host.dtls import server_context
from appliance.host.enrolment import Enrolment
from appliance.host.entrance import Entrance
from appliance.host.for_admins import ForAdmins
from appliance.host.guard import Guard
from appliance.host.http import MOST_BODY, json_response
from appliance.host.limits import Gate
from appliance.host.named import Named
from appliance.host.pages import Pages
from appliance.host.port import Port
from appliance.host.presence import Presence
from appliance.host.room_store import open_stores
from appliance.host.services import Services
from appliance.host.signalling import Signalling

_TICK = 1 / 15
"""Seconds between looks at all members: levels are published at most so often."""

_UNSPECIFIED = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # told apart from real addresses, not bound


class Host:
    """The rooms of ``config``, served from :meth:`start` to :meth:`stop`.

    :param on_event: told what happens, on the loop.
    :param extra_routes: routes of the demo.
    """

    def __init__(
        self, config: HostConfig, on_event: Callable[[Event], None], extra_routes: Sequence[web.RouteDef] = ()
    ) -> None:
        self.config = config
        self.counters = Counters()
        self._on_event = on_event
        self._guard = Guard(self.counters, self._tell)
        self._extra_routes = extra_routes
        self._conferences: dict[str, Conference] = {}
        self._control: Control | None = None
        self._port: Port | None = None
        self._entrance: Entrance | None = None
        self._vital: list[asyncio.Task[NoReturn]] = []
        self._began = 0.0

    async def start(self) -> None:
        """Open both ports and let members in.

        :raises StoreError: what a room keeps cannot be read.
        :raises CertificateError: the stored certificate or the TLS files cannot be used.
        :raises OSError: an address is taken or not ours.
        """
        config, loop = self.config, asyncio.get_running_loop()
        certificate, made = await asyncio.to_thread(load_or_make, config.certificate_path)
        own = await asyncio.to_thread(authority.load, config.authority) if config.authority else None
        pages = await asyncio.to_thread(Pages)
        about = [*AuthorityPage(own).routes(), web.get("/page/{file:.+}", pages.file)]
        self._began = loop.time()
        if made:
            self._tell(EventName.CERTIFICATE_MADE, fingerprint=certificate.fingerprint.hex())
        stores = await asyncio.to_thread(open_stores, config.rooms, config.devices, config.state_dir, time.time())
        port = Port(server_context(certificate), self.counters, self._guard.broke)
        port.open(config.udp_host, config.udp_port)
        self._port = port
        self._entrance = Entrance(config, self.counters, self._guard.handle, about, self._tell)
        try:
            services = self._services(port, certificate)
            self._conferences = {room.id: Conference(room, services, stores[room.id]) for room in config.rooms}
            enrolment = Enrolment(self._conferences, services, config.strangers, config.authority_pem)
            await self._entrance.open(self._application(services, enrolment, pages, about))
            if config.control_path is not None:
                self._control = Control(self._conferences, enrolment, services, self.state)
                await self._control.open(config.control_path)
        except BaseException:
            await self.stop()
            raise
        self._vital = [
            asyncio.create_task(self._tick(), name="host ticks"),
            asyncio.create_task(self._entrance.watch(loop.time), name="host certificate"),
        ]
        self._tell(EventName.HOST_STARTED, http=self.address[1], udp=self.udp_port, rooms=len(self._conferences))

    async def wait(self) -> NoReturn:
        """Wait for as long as the host runs; raises what ended it."""
        if not self._vital:
            raise RuntimeError("The host has not been started.")
        done, _ = await asyncio.wait(self._vital, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
        raise RuntimeError("The host no longer looks after its members.")

    async def stop(self) -> None:
        """Tell everybody, close both ports. A second time does nothing."""
        for task in self._vital:
            task.cancel()
        if self._vital:
            await asyncio.wait(self._vital)
            self._vital = []
        if self._control is not None:
            await self._control.close()
            self._control = None
        for conference in self._conferences.values():
            conference.close()
            await conference.store.written()
        if self._entrance is not None:
            await self._entrance.close()
            self._entrance = None
        if self._port is not None:
            self._port.close()
            self._port = None
            self._tell(EventName.HOST_STOPPED)
        self._conferences.clear()

    @property
    def address(self) -> tuple[str, int]:
        """Where HTTP is served."""
        if self._entrance is None:
            raise RuntimeError("The host has not been started.")
        return self._entrance.address

    @property
    def udp_port(self) -> int:
        """The port of all media."""
        if self._port is None:
            raise RuntimeError("The host has not been started.")
        return self._port.address[1]

    def state(self) -> dict[str, Any]:
        """Rooms, ports and counters, ready for JSON."""
        running = self._entrance is not None
        return HostState(
            rooms=tuple(conference.state() for conference in self._conferences.values()),
            http_port=self.address[1] if running else 0,
            udp_port=self.udp_port if running else 0,
            uptime=asyncio.get_running_loop().time() - self._began,
            counters=self.counters.snapshot(),
        ).as_dict()

    # ---- putting it together

    def _services(self, port: Port, certificate: Certificate) -> Services:
        config = self.config
        return Services(
            port=port,
            fingerprint=certificate.fingerprint,
            counters=self.counters,
            on_event=self._on_event,
            now=asyncio.get_running_loop().time,
            unix_now=time.time,
            times=config.times,
            limits=config.limits,
            max_members=config.max_members,
            signs={device.id: device.sign for device in config.devices if device.sign is not None},
            devices=frozenset(device.id for device in config.devices),
            turn=config.turn,
            proxy=config.proxy,
            last_spoke=config.last_spoke,
            tls=config.tls is not None,
            gate=Gate(config.limits, self.counters),
        )

    def _application(
        self, services: Services, enrolment: Enrolment, pages: Pages, about: Sequence[web.RouteDef]
    ) -> web.Application:
        config = self.config
        public = "" if config.public_address in _UNSPECIFIED else config.public_address
        signalling = Signalling(self._conferences, services, public)
        devices = Devices(self._conferences, services)
        named = Named(self._conferences, services)
        presence = Presence(self._conferences, services, self._guard.broke)
        app = web.Application(client_max_size=MOST_BODY, middlewares=[self._guard.handle])
        app.add_routes(
            [
                *signalling.routes(),
                *presence.routes(),
                *devices.routes(),
                *enrolment.routes(),
                *named.routes(),
                *ForAdmins(self._conferences, services, config.page_url).routes(),
                *Bundles(self._conferences, services).routes(),
                web.get("/health", self._health),
                *self._extra_routes,
                *about,
                *pages.routes(),
            ]
        )
        return app

    async def _health(self, _request: web.Request) -> web.Response:
        """That it runs, for anybody; how many are where is told on the control socket only."""
        return json_response({"status": "ok"})

    # ---- running

    async def _tick(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            now = loop.time()
            for conference in self._conferences.values():
                conference.tick(now)

    def _tell(self, name: EventName, **fields: object) -> None:
        self._on_event(Event(name, asyncio.get_running_loop().time(), fields))
