"""Ann and Bob in one LiveKit room, each with its list of servers; tells what they hear. For test_livekit_nodes.py."""

import asyncio
import sys
import time

from appliance.core.lamps import LinkPhase
from appliance.rooms.livekit import LiveKitEngine, LiveKitSettings
from appliance.rooms.livekit_tokens import own_tokens
from tests.contract.livekit_harness import KEY, SECRET
from tests.contract.rig import Rig, power, tone

HERTZ = {"ann": 440.0, "bob": 880.0}
_GAP = 8
"""Fifths of a second that are more than a slip."""


def member(name: str, urls: str) -> Rig:
    tokens = own_tokens(KEY, SECRET, "office", name, name.capitalize())
    return Rig(LiveKitEngine(LiveKitSettings(tuple(urls.split(",")), name, tokens)), name)


async def main(*urls: str) -> None:
    rigs = {name: member(name, of) for name, of in zip(HERTZ, urls, strict=True)}
    for name, rig in rigs.items():
        await rig.start(wait=False)
        rig.open(tone(HERTZ[name]))
    hear, otherwise = False, 0
    phases = dict.fromkeys(rigs, LinkPhase.STARTING)
    while True:
        ann, bob = await asyncio.gather(*(rig.listen(0.2) for rig in rigs.values()))
        both = power(ann, HERTZ["bob"]) > -20 and power(bob, HERTZ["ann"]) > -20
        otherwise = otherwise + 1 if both is not hear else 0
        if otherwise >= (_GAP if hear else 1):
            hear, otherwise = both, 0
            print("both hear" if hear else "not both", round(time.monotonic(), 2), flush=True)
        for name, rig in rigs.items():
            rig._heard.clear()
            if rig.phase is not phases[name]:
                phases[name] = rig.phase
                print(name, rig.phase.name.lower(), round(time.monotonic(), 2), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
