"""What bench-engines makes of what was said, heard and pressed."""

import time
from pathlib import Path

import numpy as np
import pytest

from appliance.core.units import BLOCK, RATE
from appliance.media import red
from appliance.rooms.block_proof import BlockProof
from appliance.rooms.uplink import CodecSettings
from tools.bench import engines
from tools.bench.engine_lines import Failed, Process
from tools.bench.engine_sound import BURST, EVERY, Sound, back_after, blocks, bursts, last_sound, lateness, voice
from tools.bench.engine_watch import Watch, audible
from tools.bench.engines import Found, figures, merged, share_of_sound
from tools.bench.processes import family, ran_seconds
from tools.measurements import read, write

LOUDLY, QUIETLY = -20.0, -90.0


def looks(*parts: tuple[float, float, float]) -> list[tuple[float, float]]:
    """Blocks every 10 ms: from, to, level."""
    return [(at / 100, level) for begin, end, level in parts for at in range(round(begin * 100), round(end * 100))]


def later(sound: Sound, seconds: float, gain: float = 1.0) -> Sound:
    return np.concatenate((np.zeros(round(seconds * RATE), np.float32), sound))[: sound.size] * np.float32(gain)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.4, 1.2])
def test_how_late_a_burst_is_heard(seconds: float) -> None:
    said = bursts(5, 9.0)
    hiss = np.random.default_rng(1).normal(0, 0.001, said.size).astype(np.float32)
    found = lateness(said, later(said, seconds, gain=0.3) + hiss)
    assert len(found) == 5
    assert found == pytest.approx([seconds] * 5, abs=0.001)


def test_who_heard_something_else_heard_no_burst() -> None:
    assert lateness(bursts(5, 9.0), bursts(6, 9.0)) == []
    assert lateness(bursts(5, 9.0), np.zeros(9 * RATE, np.float32)) == []


def test_bursts_have_pauses_and_a_voice_has_none() -> None:
    loud = [bool(block.any()) for block in blocks(bursts(5, 9.0))]
    assert sum(loud) == pytest.approx(5 * BURST * 100, abs=10)
    assert not any(loud[round((BURST + 0.02) * 100) : round(EVERY * 100)])
    levels = [float(np.abs(block).mean()) for block in blocks(voice(1))]
    assert min(levels) > 300, "it never falls silent"


def test_sound_is_back_when_it_stays() -> None:
    after = looks((10, 12, QUIETLY), (12, 12.5, LOUDLY), (12.5, 13, QUIETLY), (13, 16, LOUDLY))
    assert back_after(after, 11) == pytest.approx(2.0, abs=0.02), "the half second before did not last"
    assert back_after(after[:-150], 11) is None, "nobody knows yet whether it stays"
    assert back_after(looks((10, 20, QUIETLY)), 11) is None
    assert back_after([], 11) is None


def test_a_short_gap_is_no_new_beginning() -> None:
    assert back_after(looks((10, 11, LOUDLY), (11, 11.2, QUIETLY), (11.2, 14, LOUDLY)), 10) == pytest.approx(0.0)


def test_the_last_sound_after_a_press() -> None:
    heard = looks((9, 10.1, LOUDLY), (10.1, 10.9, QUIETLY), (10.9, 11.5, LOUDLY))
    assert last_sound(heard, 10, 10.8) == pytest.approx(0.09)
    assert last_sound(heard, 10.2, 10.8) == 0.0


def test_how_much_was_heard() -> None:
    assert share_of_sound(looks((0, 1, LOUDLY), (1, 4, QUIETLY))) == pytest.approx(0.25)
    assert share_of_sound([]) == 0.0


@pytest.fixture
def watching(tmp_path: Path) -> Watch:
    return Watch(tmp_path / "left")


class Proven:
    """As an engine, it has a proof."""

    def __init__(self) -> None:
        self._proof = BlockProof()

    def hand_over(self, level: int) -> bool:
        block = np.full(BLOCK, level, np.int16)
        self._proof.entered(block)
        return self._proof.leaving(block)


def test_what_leaves_by_a_proof_is_seen(watching: Watch) -> None:
    engine = Proven()
    watching.look_at(engine)  # type: ignore[arg-type]
    began = time.monotonic()
    assert engine.hand_over(1000)
    sound = time.monotonic()
    assert engine.hand_over(0)
    last = watching.last_sound()
    assert last is not None
    assert began <= last <= sound, "silence is no sound"
    assert watching.last_sound() is None, "it was told already"


def test_what_another_process_wrote_is_read(watching: Watch, tmp_path: Path) -> None:
    (tmp_path / "left").write_text("41.5\n42.25\n")
    assert watching.last_sound() == 42.25
    watching.close()


def test_a_packet_that_holds_sound() -> None:
    encoder = CodecSettings().encoder()
    loud = bytes(encoder.encode((voice(1)[: 2 * BLOCK] * 32767).astype(np.int16)))
    encoder.reset()
    silent = bytes(encoder.encode(np.zeros(2 * BLOCK, np.int16)))
    assert audible(loud)
    assert not audible(silent)
    packet = bytearray(1200)
    end = red.build_into(packet, 0, 111, silent, [(2 * BLOCK, loud)])
    assert audible(bytes(packet[:end]), redundant=True), "an earlier frame comes again"
    end = red.build_into(packet, 0, 111, silent, [(2 * BLOCK, silent)])
    assert not audible(bytes(packet[:end]), redundant=True)


def test_goals_stand_where_issue_10_has_them() -> None:
    found = {
        "cpu_percent_1": Found(6.0, "n", peer=5.0),
        "cpu_percent_3": Found(7.0, peer=9.0),
        "cpu_percent_10": Found(8.0, peer=20.0),
        "mute_to_silence_ms": Found(70.0),
        "back_after_cut15_s": Found(4.0),
        "pss_mib": Found(50.0),
    }
    rows = {row.name: row for row in figures("livekit", found, "all of it calm")}
    assert rows["engine.livekit.cpu_percent_1"].goal == "<= 6.5"
    assert rows["engine.livekit.cpu_percent_1"].note == "all of it calm; n"
    assert rows["engine.livekit.cpu_percent_3"].goal == ""
    assert rows["engine.livekit.cpu_percent_3"].peer_value == 9.0
    assert rows["engine.livekit.cpu_percent_10"].met()
    assert rows["engine.livekit.mute_to_silence_ms"].met() is False
    assert rows["engine.livekit.back_after_cut15_s"].met()
    assert rows["engine.livekit.pss_mib"].unit == "MiB"
    hosted = {row.name: row for row in figures("hosted", found)}
    assert hosted["engine.hosted.back_after_cut15_s"].met() is False, "two seconds are its reach"
    assert figures("telegram", {"back_after_cut15_s": Found(9.0)})[0].goal == "", "Telegram has none"


def test_one_engine_measured_anew_leaves_the_others_and_says_when_they_were(tmp_path: Path) -> None:
    before = [
        *figures("hosted", {"join_s": Found(1.0, "a"), "pss_mib": Found(2.0)}),
        *figures("janus", {"join_s": Found(3.0)}),
    ]
    path = write("engines", before, tmp_path)
    commit = read(path)[0]["commit"]
    for _ in range(2):  # once more changes nothing of it
        rows = merged(path, figures("janus", {"join_s": Found(4.0)}))
        assert [(row.name, row.value) for row in rows] == [
            ("engine.hosted.join_s", 1.0),
            ("engine.hosted.pss_mib", 2.0),
            ("engine.janus.join_s", 4.0),
        ]
        assert rows[0].note.count("measured before") == 1
        assert f"commit {commit}; a" in rows[0].note
        assert not rows[1].note
        assert not rows[2].note
        write("engines", rows, tmp_path)
    assert len(merged(tmp_path / "none.json", before)) == 3


def test_an_engine_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        engines.main(["--only", "hosted,skype"])
    assert "no engine is called skype" in capsys.readouterr().err


def test_a_process_tells_what_went_wrong(tmp_path: Path) -> None:
    given = {"members": [{"engine": "hosted"}], "ears": False}
    with Process("tools.bench.engine_member", given, tmp_path / "log") as member:
        assert family(member.pid) == [member.pid]
        assert ran_seconds(member.pid) > 0
        with pytest.raises(Failed, match="missing 5 required"):
            member.ask("join")
    with pytest.raises(Failed, match="its process ended"):
        Process("tools.bench.there_is_none", given, tmp_path / "log")
