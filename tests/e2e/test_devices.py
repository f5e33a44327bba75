"""Two devices in a room: real processes, ICE, DTLS, SRTP and Opus; the mute, and what is killed and comes back."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from appliance.core.levels import dbov
from tests.app.parts import gone
from tests.e2e.rig import Rig, strength, until

TONES = {"amber": "tone:440", "birch": "tone:880"}


async def hears(rig: Rig, name: str, frequency: float) -> bool:
    sound = rig.devices[name].played(0.5)
    return len(sound) == 24_000 and strength(sound, frequency) > -30


async def both_hear(rig: Rig) -> None:
    await until(lambda: hears(rig, "amber", 880))
    await until(lambda: hears(rig, "birch", 440))


async def test_each_hears_the_other_and_not_itself(short_dir: Path, free_port: int) -> None:
    async with Rig(short_dir, free_port, TONES) as rig:
        await both_hear(rig)
        await asyncio.sleep(4)
        for name, other, own in (("amber", 880, 440), ("birch", 440, 880)):
            # A tone that leaks is there all the time, while a busy machine spoils some windows with a lost packet.
            windows = np.split(rig.devices[name].played(4.0), 8)
            apart = [strength(window, other) - strength(window, own) for window in windows]
            assert max(apart) >= 50, apart
            link = await rig.devices[name].status("link")
            assert link["proof"]["violations"] == 0
            assert link["members"] == 2


async def test_the_mute_switch_silences_at_once_and_only_a_hand_opens(short_dir: Path, free_port: int) -> None:
    async with Rig(short_dir, free_port, TONES) as rig:
        amber, birch = rig.devices["amber"], rig.devices["birch"]
        await both_hear(rig)
        sent = (await amber.status("link"))["counters"]["packets_sent"]
        await amber.panel(switch="closed")
        await until(lambda: is_closed(rig), 2)
        assert (await amber.panel())["lamps"]["mic"] in {"steady", "slow"}
        await asyncio.sleep(1.5)
        assert dbov(birch.played(0.5).astype(np.float32)) < -80
        after = (await amber.status("link"))["counters"]["packets_sent"]
        await asyncio.sleep(1)
        status = await amber.status("link")
        assert status["counters"]["packets_sent"] == after, "nothing leaves while muted"
        assert after - sent <= 3
        for proof in (status["proof"], (await amber.status("sound"))["proof"]):
            assert proof["violations"] == 0
            assert proof["checks"] > 0, "each has looked behind the closed gate meanwhile"
        assert (await amber.status("sound"))["microphone"] is None
        assert strength(amber.played(0.5), 880) > -30, "muted is not deaf"
        await amber.panel(switch="open")
        await until(lambda: hears(rig, "birch", 440))


@pytest.mark.parametrize("mute", ["latching", "momentary"])
async def test_muted_stays_muted_through_kill_and_restart(short_dir: Path, free_port: int, mute: str) -> None:
    async with Rig(short_dir, free_port, {"amber": "tone:440"}, mute) as rig:
        amber = rig.devices["amber"]
        await until(lambda: is_open(rig))
        await amber.panel(**({"switch": "closed"} if mute == "latching" else {"press": "mute"}))
        await until(lambda: is_closed(rig))
        await asyncio.sleep(0.3)
        pid = await amber.kill("sound")
        await until(lambda: changed(rig, "sound", pid))
        reason = "switch" if mute == "latching" else "button"
        await until(lambda: only(rig, reason))
        await amber.kill("link")
        assert await amber.reasons() == [reason]
        await amber.stop()
        await amber.start()
        await until(amber.in_room)
        await until(lambda: only(rig, reason))
        await amber.panel(**({"switch": "open"} if mute == "latching" else {"press": "mute"}))
        await until(lambda: is_open(rig))


async def is_open(rig: Rig) -> bool:
    return await rig.devices["amber"].gate() == "open"


async def is_closed(rig: Rig) -> bool:
    return await rig.devices["amber"].gate() == "closed"


async def only(rig: Rig, reason: str) -> bool:
    return await rig.devices["amber"].reasons() == [reason]


async def changed(rig: Rig, part: str, pid: int) -> bool:
    now = await rig.devices["amber"].pid(part)
    return now not in (0, pid)


async def lamp(rig: Rig, name: str, sign: str) -> bool:
    return bool((await rig.devices["amber"].panel())["lamps"][name] == sign)


async def test_killed_link_leaves_gate_and_lamps_right_and_comes_back(short_dir: Path, free_port: int) -> None:
    async with Rig(short_dir, free_port, TONES) as rig:
        amber = rig.devices["amber"]
        await both_hear(rig)
        sound = await amber.pid("sound")
        pid = await amber.kill("link")
        await until(lambda: lamp(rig, "room", "slow"))
        assert await amber.gate() == "open"
        await amber.panel(switch="closed")
        await until(lambda: is_closed(rig))
        await until(lambda: changed(rig, "link", pid))
        await until(amber.in_room)
        await until(lambda: lamp(rig, "room", "steady"))
        assert await amber.pid("sound") == sound
        await amber.panel(switch="open")
        await both_hear(rig)
        assert gone(pid)


async def test_stopped_link_is_noticed_silenced_and_replaced(short_dir: Path, free_port: int) -> None:
    async with Rig(short_dir, free_port, TONES) as rig:
        amber = rig.devices["amber"]
        await both_hear(rig)
        pid = await amber.kill("link", signal.SIGSTOP)
        await until(lambda: lamp(rig, "room", "slow"), 5)
        assert dbov(amber.played(0.2).astype(np.float32)) < -80, "the loudspeaker fades to silence"
        assert (await amber.status("sound"))["under_runs"] > 0
        await until(lambda: changed(rig, "link", pid))
        await both_hear(rig)
        assert gone(pid)


async def test_killed_sound_closes_for_the_room_and_comes_back(short_dir: Path, free_port: int) -> None:
    async with Rig(short_dir, free_port, TONES) as rig:
        amber = rig.devices["amber"]
        await both_hear(rig)
        pid = await amber.kill("sound", signal.SIGSTOP)
        began = time.monotonic()
        while dbov(rig.devices["birch"].played(0.2).astype(np.float32)) > -80:
            assert time.monotonic() - began < 3
            await asyncio.sleep(0.05)
        await until(lambda: changed(rig, "sound", pid))
        await both_hear(rig)
        assert (await amber.status("link"))["proof"]["violations"] == 0


async def test_flood_and_junk_on_the_exchange_do_not_disturb_the_gate(short_dir: Path, free_port: int) -> None:
    async with Rig(short_dir, free_port, TONES) as rig:
        amber = rig.devices["amber"]
        await both_hear(rig)
        sound = await amber.pid("sound")

        def attack(message: bytes, count: int) -> None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as foreign:
                foreign.connect(str(amber.folder / "exchange"))
                foreign.setblocking(False)
                for _ in range(count):
                    try:
                        foreign.send(message)
                    except BlockingIOError:
                        time.sleep(0.001)
                    except OSError:
                        return

        for message, count in ((b"junk", 1), (os.urandom(1030), 1), (b"", 1), (os.urandom(200), 500)):
            await asyncio.to_thread(attack, message, count)
            await asyncio.sleep(0.1)
        await amber.panel(switch="closed")
        await until(lambda: is_closed(rig))
        await amber.panel(switch="open")
        await both_hear(rig)
        assert await amber.pid("sound") == sound

        async def three_sent_away() -> bool:
            # The device's own link is quick to take its place again: an attack that it overtakes is counted as replaced.
            await asyncio.to_thread(attack, b"junk", 1)
            exchange = (await amber.status("sound"))["exchange"]
            return bool(exchange["junk"] + exchange["floods"] + exchange["lost"] >= 3)

        await until(three_sent_away, every=0.1)
        await both_hear(rig)


async def test_nothing_is_left_running_when_run_is_killed(short_dir: Path, free_port: int) -> None:
    async with Rig(short_dir, free_port, {"amber": "silence"}) as rig:
        amber = rig.devices["amber"]
        pids = [await amber.pid("sound"), await amber.pid("link")]
        assert amber.process is not None
        amber.process.kill()
        await amber.process.wait()

        async def all_gone() -> bool:
            return all(gone(pid) for pid in pids)

        await until(all_gone, 5)
        await amber.start()
        await until(amber.in_room)
