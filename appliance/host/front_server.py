"""A host whose rooms are in shards: the process that has the port, the certificate and the page (front.py)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NoReturn

from aiohttp import web

from appliance.core.counters import Counters
from appliance.core.events import Event, EventName
from appliance.host import authority
from appliance.host.authority_page import AuthorityPage
from appliance.host.config import HostConfig
from appliance.host.entrance import Entrance
from appliance.host.front import Front, Shard
from appliance.host.guard import Guard
from appliance.host.http import MOST_BODY
from appliance.host.pages import Pages


class FrontServer:
    """Serves ``shards`` from :meth:`start` to :meth:`stop`.

    :param config: the whole host's; its rooms and its UDP port are the shards' affair.
    :param on_event: told what happens, on the loop.
    """

    def __init__(self, config: HostConfig, shards: Sequence[Shard], on_event: Callable[[Event], None]) -> None:
        self.counters = Counters()
        self._config = config
        self._on_event = on_event
        self._guard = Guard(self.counters, self._tell)
        self._front = Front(shards, config.proxy, tls=_is_encrypted, rooms=[room.id for room in config.rooms])
        self._entrance: Entrance | None = None
        self._watching: asyncio.Task[NoReturn] | None = None

    async def start(self) -> None:
        """Open the port.

        :raises CertificateError: the TLS files cannot be used.
        :raises OSError: the address is taken or not ours.
        """
        config, loop = self._config, asyncio.get_running_loop()
        own = await asyncio.to_thread(authority.load, config.authority) if config.authority else None
        pages = await asyncio.to_thread(Pages)
        about = [*AuthorityPage(own).routes(), web.get("/page/{file:.+}", pages.file)]
        app = web.Application(client_max_size=MOST_BODY, middlewares=[self._guard.handle])
        app.add_routes([*self._front.routes(), *about, *pages.routes()])
        self._entrance = Entrance(config, self.counters, self._guard.handle, about, self._tell)
        await self._front.open()
        try:
            await self._entrance.open(app)
        except BaseException:
            await self.stop()
            raise
        self._watching = asyncio.create_task(self._entrance.watch(loop.time), name="host certificate")
        self._tell(EventName.HOST_STARTED, http=self.address[1], rooms=len(config.rooms))

    async def wait(self) -> NoReturn:
        """Wait for as long as it runs; raises what ended it."""
        if self._watching is None:
            raise RuntimeError("The front has not been started.")
        await asyncio.shield(self._watching)
        raise RuntimeError("The front no longer looks after its certificate.")

    async def stop(self) -> None:
        """Close the port, and let go of the shards. A second time does nothing."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            self._watching = None
        if self._entrance is not None:
            await self._entrance.close()
            self._entrance = None
        await self._front.close()

    @property
    def address(self) -> tuple[str, int]:
        """Where HTTP is served."""
        if self._entrance is None:
            raise RuntimeError("The front has not been started.")
        return self._entrance.address

    def _tell(self, name: EventName, **fields: object) -> None:
        self._on_event(Event(name, asyncio.get_running_loop().time(), fields))


def _is_encrypted(request: web.Request) -> bool:
    return request.transport is not None and request.transport.get_extra_info("sslcontext") is not None
