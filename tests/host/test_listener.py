"""The listener's look at who is connected."""

import asyncio
import ssl
from types import SimpleNamespace
from typing import Any, cast

from appliance.core.counters import Counters
from appliance.host.listener import Doors, Listener


async def test_a_connection_that_is_closing_counts_and_stops_nobody() -> None:
    """Asyncio's TLS transport raises AttributeError for its peer's name once it was closed twice."""

    class Closed(asyncio.Transport):
        def is_closing(self) -> bool:
            return True

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            raise AttributeError(name)

    class Open(asyncio.Transport):
        def is_closing(self) -> bool:
            return False

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return ("192.0.2.7", 5)

    connections = [SimpleNamespace(transport=transport) for transport in (Closed(), Open(), None)]
    main = SimpleNamespace(connections=connections)
    context: ssl.SSLContext | None = None
    listener = Listener(Doors(cast(Any, main), None, lambda: context), Counters(), 100, lambda _: False)
    assert not listener._is_full("192.0.2.9")
    assert listener._standing["192.0.2.7"] == 1
    assert listener._standing[""] == 2
    assert listener._total == 4
