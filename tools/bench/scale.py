"""How large a room may become, and what that costs whom: ``make bench-scale``, three minutes; Streaming needs root.

Listeners a core of our host, of Janus' AudioBridge and Streaming plugin and of LiveKit's server, one after the other in one run;
a device's link in rooms of ten to five thousand, all at once; and a page that shows five thousand.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance.core.protocol import MOST_MEMBERS
from tests.contract.apart import apart
from tools import livekit, system
from tools.bench import scale_device
from tools.bench.janus_stream import streaming_cost
from tools.bench.page import busy, chromium
from tools.bench.priority import prefer
from tools.bench.room import BRIDGED, LISTENERS, Measured, measure
from tools.bench.room_load import speech_packets
from tools.bench.room_peers import Cost, audiobridge_cost, livekit_cost
from tools.bench.scale_device import Device
from tools.measurements import Figure, table, write

SECONDS = 15.0
STREAMED = 200
SIZES = (10, 100, 1000, 2000, 5000)
DEVICE_SECONDS = 30.0
ON_A_PAGE = 5000
FLAT = 1.2
"""So many times what a room of ten costs may one of thousands cost a device."""
PEER = "a room of our own"
_COMPLETE = 0.95

_JANUS = "Debian's Janus, plain RTP, no SRTP to pay for: it mixes and encodes for each"
_STREAM = (
    "Debian's Janus, the one mix of its AudioBridge forwarded (rtp_forward) by the Streaming plugin; WebRTC listeners"
)
_LIVEKIT = f"livekit-server {livekit.VERSION}"


def listeners_figures(hosted: Measured, theirs: Mapping[str, tuple[Cost, str]]) -> list[Figure]:
    """Listeners a core, each server's beside our host's.

    :param theirs: by the end of the figure's name, with what it was.
    """
    note = f"{hosted.listeners} listeners of one talker, SRTP; all on one machine, {os.cpu_count()} cores"
    own = round(hosted.per_core)
    figures = [_listeners("hosted", own, f"{note}; {hosted.troubles}" if hosted.troubles else note)]
    for name, (cost, words) in theirs.items():
        note = f"{cost.listeners} listeners of one talker: {words}"
        if cost.complete < _COMPLETE:
            note += f"; only {100 * cost.complete:.0f} % of their packets arrived, and only those are counted"
        arrived = min(1.0, cost.complete)
        figures.append(_listeners(name, round(arrived * cost.per_core), note, own))
    return figures


def _listeners(name: str, count: int, note: str, own: int | None = None) -> Figure:
    peer = "" if own is None else PEER
    return Figure(f"scale.listeners_per_core_{name}", count, "listeners", "", peer, own, note)


def device_figures(devices: Sequence[Device]) -> list[Figure]:
    """A link's CPU by the size of its room; the goal is that of the smallest, :data:`FLAT` times.

    :raises ValueError: there is none.
    """
    if not devices:
        raise ValueError("No device was measured.")
    smallest = devices[0]
    most = FLAT * smallest.percent
    figures = []
    for device in devices:
        goal = "" if device is smallest else f"<= {most:.2f}"
        peer = "" if device is smallest else f"a room of {smallest.members}"
        beside = None if device is smallest else round(smallest.percent, 2)
        name = f"scale.device_cpu_percent_{device.members}"
        figures.append(Figure(name, round(device.percent, 2), "% of a core", goal, peer, beside, _room(device)))
    return figures


def _room(device: Device) -> str:
    """What the room was."""
    joined, told = scale_device.others(device.members)
    note = f"link; {scale_device.TALKERS} talk and are heard, {scale_device.LEVELS:.0f} level updates a second"
    note += f"; {joined} others have really joined" if joined else f"; {told} others are only told of"
    if device.members > MOST_MEMBERS:
        note += f"; a room of ours has {MOST_MEMBERS} at most: the bound was lifted for this"
    return note


def page_figure(share: float, processor: float) -> Figure:
    """The page's main thread."""
    note = (
        f"main thread in tasks by the clock, 30 level updates a second; processor time of them: {processor:.3f};"
        f" a room of ours has {MOST_MEMBERS} at most, the page has no bound"
    )
    return Figure(f"scale.page_busy_{ON_A_PAGE}_members", round(share, 3), "of the time", "<= 0.2", note=note)


async def servers(seconds: float) -> list[Figure]:
    """Every server in turn."""
    packets = list(speech_packets(1)[0])
    hosted = await measure(LISTENERS, 1, seconds)
    theirs = {}
    if system.find("janus"):
        theirs["janus_audiobridge"] = await audiobridge_cost(BRIDGED, seconds, packets), _JANUS
    if system.find("janus") and os.geteuid() == 0:
        with apart() as address:
            theirs["janus_streaming"] = await streaming_cost(address, STREAMED, seconds, packets), _STREAM
    wrong = livekit.build()
    if wrong:
        print(f"kontor: {wrong}", flush=True)
    else:
        theirs["livekit"] = await livekit_cost(LISTENERS, seconds, packets), _LIVEKIT
    return listeners_figures(hosted, theirs)


async def page(seconds: float) -> Figure:
    """A room of thousands on a page."""
    async with chromium() as browser:
        return page_figure(*await busy(browser, ON_A_PAGE, seconds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; a short run only prints."""
    parser = argparse.ArgumentParser(prog="bench-scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds of each, printed and not written")
    quick = parser.parse_args(arguments).quick
    load, nice = os.getloadavg()[0], os.getpriority(os.PRIO_PROCESS, 0)
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        seconds = 6.0 if quick else DEVICE_SECONDS
        devices = asyncio.run(scale_device.costs(Path(folder), SIZES, seconds))
    listening = asyncio.run(servers(4.0 if quick else SECONDS))
    preferred = prefer()  # by the clock, what others do meanwhile would count as the page's
    shown = asyncio.run(page(6.0 if quick else DEVICE_SECONDS))
    note = f"of the machine before the run: what others did on it; nice {nice}, the page: {preferred}"
    found = [*listening, *device_figures(devices), shown, Figure("scale.load", round(load, 1), "", note=note)]
    if quick:
        print(table(found))
    else:
        write("scale", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
