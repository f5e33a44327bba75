"""The host of ``make bench-room``: the one of ``kontor host``, with patience for hundreds of members from one address."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from appliance.app.process import tune
from appliance.host.config import HostConfig, Limits, Rate, RoomConfig
from appliance.host.server import Host
from tools.bench.light_member import ROOM
from tools.bench.room_load import KEY

_MANY = Rate(1000.0, 2000.0)
"""All members come from one address here."""


async def main() -> None:
    """Serve until standard input ends; the first line says where."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        host = Host(
            HostConfig(
                certificate_path=Path(folder) / "host.pem",
                rooms=(RoomConfig(ROOM, "Bench", {"k": bytes.fromhex(os.environ[KEY])}),),
                max_members=2000,
                limits=Limits(joins=_MANY, address_joins=_MANY, address_sockets=_MANY),
            ),
            lambda _event: None,
        )
        await host.start()
        tune()
        print(f"http://127.0.0.1:{host.address[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await host.stop()


if __name__ == "__main__":
    asyncio.run(main())
