"""A colleague at home: https by an own authority, addresses translated on both sides, UDP to the relay alone or none at all."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from appliance.host.relay import ice_servers
from tests.e2e.afar import Afar, Distant, afar
from tests.host.harness import token
from tests.host.member import Presence
from tests.host.sound import share_of
from tests.support import need, until

need("module:aiortc", "aiortc is one of the members")

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer  # noqa: E402  # it may be missing
from aiortc.rtcconfiguration import RTCIceTransportPolicy  # noqa: E402

from tests.host.test_aiortc import Stock  # noqa: E402

KEEP = """window.made = []; const Real = RTCPeerConnection;
window.RTCPeerConnection = class extends Real { constructor(...a) { super(...a); made.push(this); } };"""
WAY = """async () => {
  const all = await made.at(-1).getStats();
  const transport = [...all.values()].find((s) => s.type === "transport");
  const local = all.get(all.get(transport.selectedCandidatePairId).localCandidateId);
  const energy = [...all.values()].reduce((sum, s) => sum + (s.type === "inbound-rtp" ? s.totalAudioEnergy ?? 0 : 0), 0);
  return [local.candidateType, local.relayProtocol ?? "", energy];
}"""


@asynccontextmanager
async def stock(rig: Afar, place: str, name: str, hertz: float, **how: Any) -> AsyncIterator[tuple[Stock, Distant]]:
    """A stock aiortc member, joined and unmuted; all its sockets are in ``place``."""
    async with rig.seen_from(place) as home:
        member = Stock(
            home, hertz, RTCConfiguration(**{"iceServers": [], "bundlePolicy": RTCBundlePolicy.MAX_BUNDLE, **how})
        )
        try:
            await member.join(name)
            async with Presence(house=home, hello=token(name)) as presence:
                await presence.send(type="muted", muted=False)
                await until(lambda: presence.state(name) == "listening")
                yield member, home
        finally:
            await member.close()


async def hears(member: Stock, hertz: float, seconds: float = 20.0) -> None:
    """Wait until half a second of what it hears is the tone."""

    def tone() -> bool:
        frames = max(member.sound, key=len, default=[])[-25:]
        return len(frames) == 25 and share_of(np.concatenate(frames).astype(np.float64), hertz) > 0.9

    await until(tone, seconds, f"{hertz} Hz is not heard")


async def test_through_the_relay_alone_one_speaks_and_hears(tmp_path: Path) -> None:
    async with afar(tmp_path) as rig:
        login = ice_servers(rig.turn, "far", time.time())[0]
        servers = [RTCIceServer(**login)]
        relayed = {"iceServers": servers, "iceTransportPolicy": RTCIceTransportPolicy.RELAY}
        async with (
            stock(rig, "member", "far", 880, **relayed) as (far, _),
            stock(rig, "inet", "near", 440) as (near, _),
        ):
            await asyncio.gather(hears(far, 440), hears(near, 880))
        log = rig.relay_log.read_text(errors="replace")
        assert f"user <{login['username']}>: incoming packet ALLOCATE processed, success" in log
