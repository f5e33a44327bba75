"""A host in a process of its own, for the contract suite: so that it can be killed, and does not share our interpreter.

Reads its configuration as JSON from standard input, writes its ports as one line of JSON, and serves until it is ended.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from appliance.core.events import Event
from appliance.host.config import DeviceConfig, HostConfig, RoomConfig
from appliance.host.server import Host


def configuration(given: dict[str, Any]) -> HostConfig:
    address, tls = given.get("listen", "127.0.0.1"), given.get("tls")
    return HostConfig(
        certificate_path=Path(given["certificate"]),
        rooms=tuple(RoomConfig(room, f"Room {room}", {"k1": bytes.fromhex(given["key"])}) for room in given["rooms"]),
        devices=tuple(
            DeviceConfig(device, f"Device {device}", room, bytes.fromhex(given["public_key"]))
            for device, room in given["devices"].items()
        ),
        http_port=given["http_port"],
        udp_port=given["udp_port"],
        listen_host=address,
        udp_host=address,
        tls=(tls[0], tls[1]) if tls else None,
    )


def show(event: Event) -> None:
    sys.stderr.write(f"{event.name} {dict(event.fields)}\n")


async def main() -> None:
    host = Host(configuration(json.load(sys.stdin)), show)
    await host.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"http": host.address[1], "udp": host.udp_port}), flush=True)
    await stop.wait()
    await host.stop()


if __name__ == "__main__":
    asyncio.run(main())
