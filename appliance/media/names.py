"""Names of servers looked up beside the loop, by threads that nobody waits for.

The loop's own way (``loop.getaddrinfo``) has a few threads for everything: names that the network holds up would hold up all
else that they do, and the end of the process.
"""

import asyncio
import contextlib
import socket
import threading

from appliance.media.ways import Address


async def look_up(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> list[Address]:
    """The addresses of a name, as the system orders them.

    :raises OSError: it has none, or nobody tells.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Address]] = loop.create_future()

    def tell(error: OSError | None, places: list[Address]) -> None:
        if found.done():
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(places)

    def look() -> None:
        error, places = None, []
        try:
            answers = socket.getaddrinfo(host, port, type=kind)
            places = [(str(address[0]), int(address[1])) for *_, address in answers]
        except OSError as failure:
            error = failure
        except UnicodeError:
            error = socket.gaierror(socket.EAI_NONAME, "not a name")
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, error, places)

    threading.Thread(target=look, name="look-up", daemon=True).start()
    return await found
