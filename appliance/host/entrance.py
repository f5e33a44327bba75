"""Where HTTP comes in: a TCP port, encrypted or not, or the Unix socket of a front; and what keeps the certificate fresh."""

import asyncio
import datetime as dt
import ipaddress
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from aiohttp import hdrs, web

from appliance.core.counters import Counters
from appliance.core.events import EventName
from appliance.host import authority
from appliance.host.approach import NO_HTTPS
from appliance.host.authority_page import host_of
from appliance.host.certificate import CertificateError
from appliance.host.config import HostConfig
from appliance.host.http import Refusal
from appliance.host.listener import Doors, Listener
from appliance.host.private_socket import listen_privately
from appliance.host.tls import Tls

_GOODBYE = 1.5
"""Seconds that closing presence sockets may take."""
_IDLE = 15.0
"""Seconds without a whole request after which a connection is closed, also before the first one."""
_RENEW_EVERY = 6 * 3600.0


class Entrance:
    """The host's HTTP, from :meth:`open` to :meth:`close`.

    :param open_routes: what may be had without encryption where there is some.
    :param guard: makes one sentence of whatever goes wrong.
    :param tell: called with the name and the fields of an event.
    """

    def __init__(
        self,
        config: HostConfig,
        counters: Counters,
        guard: Any,
        open_routes: Sequence[web.RouteDef],
        tell: Callable[..., None],
    ) -> None:
        self._config = config
        self._counters = counters
        self._guard = guard
        self._open_routes = open_routes
        self._tell = tell
        self._tls: Tls | None = None
        self._listener: Listener | None = None
        self._runners: list[web.AppRunner] = []
        self._networks = [ipaddress.ip_network(network) for network in config.proxy.trusted]

    async def open(self, app: web.Application) -> None:
        """Serve ``app``.

        :raises CertificateError: the TLS files cannot be used.
        :raises OSError: the address is taken or not ours.
        """
        config = self._config
        if config.tls is not None:
            self._tls = await asyncio.to_thread(self._certificate, *map(Path, config.tls))
        main = await self._serve(app)
        if config.unix_path is not None:
            await web.SockSite(self._runners[0], listen_privately(config.unix_path)).start()
            return
        plain = await self._serve(self._plain()) if self._tls else None
        doors = Doors(main, plain, lambda: self._tls.context if self._tls else None)
        self._listener = Listener(doors, self._counters, config.limits.connections, self._is_proxy)
        self._listener.open(config.listen_host, config.http_port)
        if self._tls is None and not config.proxy.trusted and not _is_loopback(config.listen_host):
            self._tell(EventName.LISTEN_ONLY, why=NO_HTTPS, way_out="docs/operate.md: four ways to https")

    async def close(self) -> None:
        """Take nothing more, and end what stands."""
        if self._listener is not None:
            await self._listener.close()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        self._listener = self._tls = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; a front's Unix socket has port 0."""
        if self._listener is not None:
            return self._listener.address
        if not self._runners:
            raise RuntimeError("The host has not been started.")
        return str(self._config.unix_path), 0

    async def watch(self, now: Callable[[], float]) -> NoReturn:
        """Keep the certificate fresh, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew())
            if self._tls is not None:
                tasks.create_task(self._tls.watch(now))
            await asyncio.Event().wait()
        raise RuntimeError("Nobody looks after the certificate.")

    # ---- parts

    async def _serve(self, app: web.Application) -> web.Server:
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_silent(),
            handle_signals=False,
            shutdown_timeout=_GOODBYE,
            keepalive_timeout=_IDLE,
            lingering_time=2.0,
            auto_decompress=False,  # before anybody looks at it, a few bytes would become as many megabytes as one likes
        )
        self._runners.append(runner)
        await runner.setup()
        if runner.server is None:
            raise RuntimeError("aiohttp gave no server.")
        return runner.server

    def _certificate(self, chain: Path, key: Path) -> Tls:
        try:
            return Tls(chain, key, self._tell)
        except CertificateError:
            if not (self._own_folder and authority.mend(self._own_folder, dt.datetime.now(dt.UTC))):
                raise
            return Tls(chain, key, self._tell)

    @property
    def _own_folder(self) -> Path | None:
        """The folder of our own authority, when the certificate in use is in it."""
        folder = self._config.authority
        return folder if self._config.tls is not None and Path(self._config.tls[0]).parent == folder else None

    def _plain(self) -> web.Application:
        app = web.Application(client_max_size=1024, middlewares=[self._guard])
        app.add_routes([*self._open_routes, web.route("*", "/{path:.*}", _to_https)])
        return app

    async def _renew(self) -> NoReturn:
        """Renew what our own authority signed, long before it ends."""
        folder = self._own_folder
        while True:
            if folder is not None:
                try:
                    end = await asyncio.to_thread(authority.renew, folder, dt.datetime.now(dt.UTC))
                except (CertificateError, OSError) as error:
                    self._tell(EventName.TLS_REFUSED, why=f"not renewed: {error}")
                else:
                    if end is not None:
                        self._tell(EventName.TLS_RENEWED, expires=end.date().isoformat())
            await asyncio.sleep(_RENEW_EVERY)

    def _is_proxy(self, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        return any(found in network for network in self._networks)


async def _to_https(request: web.Request) -> web.Response:
    """Everything else, for whoever came without encryption."""
    if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        raise Refusal(403, "This server is spoken to by https.")
    return web.Response(status=308, headers={hdrs.LOCATION: f"https://{host_of(request)}{request.path_qs}"})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _silent() -> logging.Logger:
    """For aiohttp, which would write what strangers send; what matters is told as events."""
    logger = logging.getLogger("kontor.host.http")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
