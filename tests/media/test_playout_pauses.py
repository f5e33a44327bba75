"""Pauses whose sender says nothing (DTX): filled with what the background sounds like, and told from loss."""

import numpy as np
import pytest

from appliance.core.levels import dbov
from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media.opus import Decoder, Encoder
from appliance.media.playout import Playout
from tests.media.play import Played, Sent, Talker, encode, play
from tests.media.test_playout_sound import largest_step, voice

BACKGROUND = -52.0


def room(seconds: float, level: float = BACKGROUND) -> Pcm:
    """The noise of a room, falling off from a few kHz on."""
    noise = np.random.default_rng(5).standard_normal(int(seconds * RATE))
    noise = np.convolve(noise, np.hanning(14), "same")
    noise *= 10 ** (level / 20) * 32_768 / noise.std()
    return noise.astype(np.int16)


def sparse(pcm: Pcm, say_so: bool = True) -> list[Sent]:
    """What a sender with DTX sends of ``pcm``: of packets that say nothing only the first of a pause, or none."""
    with Encoder(20, complexity=7, dtx=True, expected_loss=0) as encoder:
        packets = [encoder.encode(pcm[at : at + 960]) for at in range(0, pcm.size - 959, 960)]
    silent = [len(packet) <= 2 for packet in packets]
    sent: list[Sent] = []
    for i, whole in enumerate(Talker().send(packets)):
        if not silent[i] or (say_so and not silent[i - 1]):
            sent.append(Sent(whole.at, whole.packet._replace(sequence=100 + len(sent))))
    assert len(sent) < 0.8 * len(packets)
    return sent


@pytest.fixture(params=[True, False], ids=["announced", "silent"])
def paused(request: pytest.FixtureRequest) -> tuple[Played, Playout]:
    """Voice, four seconds of nothing but the room, voice."""
    pcm = room(10)
    pcm[: 2 * RATE] += voice(2, quietest=0.3)
    pcm[6 * RATE :] += voice(4, quietest=0.3)
    playout = Playout(Decoder())
    return play(playout, sparse(pcm, request.param), 9.5), playout


def coded(pcm: Pcm) -> float:
    """How loud the middle of ``pcm`` is behind the codec: it takes something off noise."""
    played = play(Playout(Decoder()), Talker().send(encode(pcm)), pcm.size / RATE)
    return dbov(played.pcm[pcm.size // 3 : pcm.size * 2 // 3])


def test_the_background_goes_on_in_a_pause(paused: tuple[Played, Playout]) -> None:
    played, playout = paused
    pause = played.blocks[300:590]  # the encoder goes silent 200 ms after the voice
    levels = np.array([dbov(block) for block in pause])
    assert np.median(levels) == pytest.approx(coded(room(3)), abs=3)
    assert (np.abs(levels - np.median(levels)) < 8).mean() > 0.97
    assert all(played.heard[300:590])
    assert playout.counts["packets_lost"] == playout.counts["packets_late"] == 0


def test_voice_and_pause_follow_one_another_without_a_click(paused: tuple[Played, Playout]) -> None:
    played, _ = paused
    whole = largest_step(played.pcm[20 * BLOCK : 180 * BLOCK])
    assert largest_step(played.pcm[230 * BLOCK : 590 * BLOCK]) < whole / 4
    assert largest_step(played.pcm) <= 1.2 * whole


def test_after_a_second_without_anything_there_is_silence() -> None:
    pcm = room(6)
    pcm[: 2 * RATE] += voice(2, quietest=0.3)
    sent = [s for s in sparse(pcm) if s.at < 4]
    played = play(Playout(Decoder()), sent, 6)
    gone = round((sent[-1].at + 1.3) * 100)
    assert not any(played.heard[gone:])
    assert not played.pcm[gone * BLOCK :].any()
    last = [dbov(block) for block in played.blocks[gone - 80 : gone]]
    assert np.median(last[:15]) == pytest.approx(coded(room(3)), abs=4)
    assert min(last) < BACKGROUND - 10  # it dies away


def test_a_sender_without_dtx_that_stops_leaves_no_noise() -> None:
    pcm = room(3)
    with Encoder(20) as encoder:
        packets = [encoder.encode(pcm[at : at + 960]) for at in range(0, pcm.size - 959, 960)]
    played = play(Playout(Decoder()), Talker().send(packets), 5)
    assert not any(played.heard[320:])
    assert not played.pcm[320 * BLOCK :].any()


def test_losses_in_loud_voice_of_a_sender_with_dtx_are_concealed_not_filled_with_noise() -> None:
    pcm = room(8)
    pcm[: 2 * RATE] += voice(2, quietest=0.3)
    pcm[5 * RATE :] += voice(3, quietest=0.3)
    sent = sparse(pcm)
    playout = Playout(Decoder())
    before = playout.counts["frames_concealed"]
    lost = [s for i, s in enumerate(sent) if not (s.at > 5.5 and i % 10 == 0)]
    played = play(playout, lost, 7.5)
    assert playout.counts["frames_concealed"] - before >= 2 * 8
    loud = [dbov(block) for block in played.blocks[560:740]]
    assert min(loud) > BACKGROUND + 8
