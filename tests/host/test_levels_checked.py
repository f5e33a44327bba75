"""Claims of loudness are checked by decoding; who claims nothing is measured."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.core.counters import Counters
from appliance.core.units import RATE
from appliance.host.hearing import MOST_MEASURED, SILENT, Hearing
from appliance.media.opus import Encoder
from tests.host.frames import SILENCE, loud, tagged
from tests.host.harness import house
from tests.host.member import inside
from tests.support import until


def levels(
    hearing: Hearing, who: str, payload: bytes, claimed: int | None, count: int, begin: float = 0.0
) -> list[int]:
    """The levels that count for ``count`` packets of ``who``, who is forwarded."""
    return [hearing.level(who, claimed, memoryview(payload), True, begin + i * 0.02)[0] for i in range(count)]


def test_a_true_claim_counts_as_it_is() -> None:
    counters = Counters()
    hearing = Hearing(counters)
    assert set(levels(hearing, "a", loud(30), 27, 200)) == {27}
    assert counters.get("host_claims_belied") == 0


@pytest.mark.parametrize("payload", [SILENCE, loud(60), b"\xff\xff no Opus at all", bytes(60)])
def test_a_false_claim_is_measured_from_the_first_look_on(payload: bytes) -> None:
    counters = Counters()
    hearing = Hearing(counters)
    counted = levels(hearing, "a", payload, 0, 100)
    assert counted[:9] == [0] * 9
    assert min(counted[10:]) > 50
    assert counters.get("host_claims_belied") == 1
    assert min(levels(hearing, "a", loud(20), 0, 20, 3.0)[5:]) == pytest.approx(20, abs=2), "it is heard as it is"


def test_who_has_no_slot_is_not_looked_at() -> None:
    hearing = Hearing(Counters())
    for i in range(100):
        assert hearing.level("a", 0, memoryview(SILENCE), False, i * 0.02) == (0, False)


def test_speech_of_every_kind_of_encoder_is_believed() -> None:
    """Real levels, taken before the encoder, and what a decoder finds that begins somewhere in the stream."""
    noise = np.random.default_rng(1).normal(0, 1, RATE * 4)
    envelope = 10 ** (-(35 + 25 * np.sin(np.arange(noise.size) / RATE * 7)) / 20)
    wave = (noise * envelope * 32_000).clip(-32_768, 32_767).astype(np.int16)
    for frame_ms, bitrate, complexity in ((20, 32_000, 5), (20, 12_000, 0), (10, 64_000, 10), (10, 24_000, 5)):
        counters = Counters()
        hearing, size = Hearing(counters), frame_ms * RATE // 1000
        with Encoder(frame_ms=frame_ms, bitrate=bitrate, complexity=complexity) as encoder:
            for i in range(wave.size // size):
                pcm = wave[i * size : (i + 1) * size]
                claimed = round(-20 * np.log10(max(1e-6, np.sqrt(np.mean((pcm / 32_768) ** 2)))))
                hearing.level("a", claimed, memoryview(encoder.encode(pcm)), True, i * frame_ms / 1000)
        assert counters.get("host_claims_belied") == 0, (frame_ms, bitrate)


def test_of_who_spoke_nothing_is_kept_beyond_a_minute_but_for_false_claims() -> None:
    hearing: Any = Hearing(Counters())
    levels(hearing, "honest", loud(20), 20, 20)
    levels(hearing, "liar", SILENCE, 0, 20)
    assert hearing.level("unclaimed", None, memoryview(loud(20)), False, 1.0)[0] < 30
    hearing.forget(45.0)
    assert set(hearing._checks) == {"honest", "liar", "unclaimed"}
    hearing.forget(60.0)
    assert set(hearing._checks) == {"liar"}
    assert not hearing._looking._lent and not hearing._measuring._lent, "decoders have the last sound in them"


def test_only_so_many_are_measured_at_a_time_and_the_rest_count_as_silent() -> None:
    counters = Counters()
    hearing = Hearing(counters)
    packet = memoryview(loud(20))
    for i in range(10):
        for n in range(MOST_MEASURED + 2):
            level, _ = hearing.level(f"m{n}", None, packet, False, i * 0.02)
            assert level == SILENT if n >= MOST_MEASURED else level < 30
    assert counters.get("host_levels_unmeasured") == 20
    assert hearing.level("m9", None, packet, False, 5.0)[0] < 30, "a decoder that rests is lent to somebody else"
    assert hearing.level("m0", None, memoryview(SILENCE), False, 5.0) == (SILENT, False)


async def test_whoever_claims_to_shout_all_the_time_loses_its_slot_and_the_tone_flows_on(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben", "cleo") as ((anna, annas), (ben, bens), (cleo, _)):
        talking = asyncio.create_task(anna.talk(2.0, level=30))
        shouting = asyncio.create_task(ben.talk(2.0, level=80, claim=0))
        await until(lambda: bens.of("slots") and "ben" in bens.of("slots")[-1]["slots"])
        await until(lambda: "ben" not in bens.of("slots")[-1]["slots"])
        assert len(cleo.heard_of("ben")) < 20
        sent = await talking
        await shouting
        assert home.count("host_claims_belied") == 1
        assert len(cleo.heard_of("ben")) < 20
        assert len(cleo.heard_of("anna")) >= sent - 2
        assert (annas.level("ben") or 0) <= -70, "the level that is shown is the measured one"
        assert {packet.level for packet in cleo.heard_of("anna")} == {30}


async def test_a_talker_without_levels_is_measured_and_shown(tmp_path: Path) -> None:
    async with house(tmp_path) as home, inside(home, "anna", "ben") as ((anna, _), (ben, bens)):
        await anna.talk(0.8, level=30, claim=None)
        await until(lambda: bens.level("anna") is not None)
        assert max(m["levels"].get("anna", -127) for m in bens.of("levels")) == pytest.approx(-30, abs=3)
        heard = ben.heard_of("anna")
        assert len(heard) > 20
        assert heard[-1].level == pytest.approx(30, abs=3)
        for _ in range(90):
            anna.say(tagged(loud(90), b"quiet"), None)
            await asyncio.sleep(0.02)
        await until(lambda: bens.of("slots")[-1]["slots"] == [None] * 3)
