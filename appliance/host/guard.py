"""What stands around every HTTP handler: refusals become one sentence, and so does whatever else goes wrong."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from appliance.core.counters import Counters
from appliance.core.events import EventName
from appliance.host.http import REFUSAL, Refusal
from appliance.host.pages import HEADERS

_BROKEN = {REFUSAL: "bad_request"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """A middleware of aiohttp: :meth:`handle`.

    :param tell: called with the name and the fields of an event.
    """

    def __init__(self, counters: Counters, tell: Callable[..., None]) -> None:
        self._counters = counters
        self._tell = tell

    def broke(self, error: Exception) -> None:
        """Something of ours broke on input from outside, and was contained."""
        self._tell(EventName.BAD_REQUEST, error=type(error).__name__, text=str(error))

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve ``request``; nothing of what goes wrong leaves it."""
        try:
            response = await handler(request)
        except Refusal as refusal:
            response = refusal.response()
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=f"{error.reason}\n")
            if hdrs.ALLOW in error.headers:
                response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        except Exception as error:  # noqa: BLE001  # whatever an offer or a request does inside, its sender is told 400
            self.broke(error)
            response = web.Response(status=400, text="The request is not understood.\n", headers=_BROKEN)
        if not response.prepared:
            response.headers.update(HEADERS)
        if response.status in (400, 408, 413, 415):
            self._counters.add("host_bad_requests")
            self._tell(EventName.BAD_REQUEST, status=response.status, path=request.path)
        return response
