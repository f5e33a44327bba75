"""The playout with libopus: what is heard on good and bad networks, and what is not."""

import numpy as np
import pytest

from appliance.core.units import BLOCK, RATE, Pcm
from appliance.media.opus import Decoder
from appliance.media.playout import Playout
from appliance.media.timing import NORMAL
from tests.media.play import Talker, encode, late, lose, play, still


def tone(frequency: float, seconds: float, peak: float = 0.3) -> Pcm:
    time = np.arange(int(RATE * seconds)) / RATE
    return (np.sin(2 * np.pi * frequency * time) * peak * 32767).astype(np.int16)


def voice(seconds: float, quietest: float = 0.0) -> Pcm:
    """Voice-like: harmonics of a gliding pitch, in syllables of a quarter of a second, with pauses."""
    time = np.arange(int(RATE * seconds)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 0.7 * time)) / RATE
    sound = np.sum([np.sin(k * phase) / k for k in range(1, 20)], axis=0)
    syllables = np.clip(3 * np.sin(2 * np.pi * 2 * time), quietest, 1)
    pcm: Pcm = (sound * syllables * 0.25 * 32767).astype(np.int16)
    return pcm


def direct(packets: list[bytes], frame: int) -> Pcm:
    decoder, out = Decoder(), np.zeros((len(packets), frame), np.int16)
    for packet, place in zip(packets, out, strict=True):
        decoder.decode(packet, place)
    return out.ravel()


def snr(signal: Pcm, other: Pcm) -> float:
    true = signal.astype(np.float64)
    return float(10 * np.log10((true**2).sum() / (((true - other) ** 2).sum() + 1e-9)))


def share_outside(pcm: Pcm, frequency: float) -> float:
    """Power that is not within 20 Hz of ``frequency``, dB."""
    power = np.abs(np.fft.rfft(pcm * np.hanning(pcm.size))) ** 2
    near = np.abs(np.fft.rfftfreq(pcm.size, 1 / RATE) - frequency) < 20
    return float(10 * np.log10(power[~near].sum() / power.sum()))


def level(pcm: Pcm) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)) / 32768 + 1e-9))


@pytest.mark.parametrize("frame_ms", [10, 20])
def test_on_a_good_network_every_bit_is_that_of_the_decoder(frame_ms: int) -> None:
    frame = frame_ms * 48
    packets = encode(tone(440, 3), frame_ms)
    played = play(still(Playout(Decoder())), Talker(frame).send(packets), 3)
    begin = 4 * BLOCK
    whole = direct(packets, frame)
    np.testing.assert_array_equal(played.pcm[begin + 240 :], whole[240 : played.pcm.size - begin])
    assert not played.pcm[:begin].any()


def heard_in_losses(expected_loss: int) -> float:
    """SNR of voice through a network that loses one packet in eight, against the same without loss."""
    talker = Talker(marker=False)
    packets = encode(voice(10, quietest=0.2), expected_loss=expected_loss)
    perfect = play(still(Playout(Decoder())), talker.send(packets), 10)
    pattern = [i == 5 for i in range(8)]
    playout = still(Playout(Decoder()))
    lossy = play(playout, lose(talker.send(packets), pattern), 10)
    if not expected_loss:
        assert playout.counts["frames_recovered"] == 0
    assert playout.counts["frames_concealed"] + playout.counts["frames_recovered"] == pytest.approx(124, abs=4)
    size = np.flatnonzero(perfect.pcm)[-1]
    return snr(perfect.pcm[:size], lossy.pcm[:size])


def test_losses_are_concealed_and_fec_makes_them_better() -> None:
    concealed, restored = heard_in_losses(0), heard_in_losses(20)
    assert concealed > 6
    assert restored > concealed + 2


def test_when_nothing_comes_there_is_exact_silence_after_60_ms() -> None:
    playout = still(Playout(Decoder()))
    played = play(playout, Talker().send(encode(tone(440, 1))), 3)
    end = 4 + 100
    invented = played.blocks[end : end + 6]
    assert all(played.heard[4 : end + 6])
    assert not any(played.heard[end + 6 :])
    assert level(invented[0]) > -30
    assert level(invented[5]) < level(invented[0]) - 6
    assert abs(int(invented[5, -1])) < 20
    assert not played.blocks[end + 6 :].any()


def largest_step(pcm: Pcm) -> int:
    return int(np.abs(np.diff(pcm.astype(int))).max())


@pytest.mark.parametrize("how", ["marker", "source"])
def test_a_change_of_talkers_clicks_not_and_mixes_not(how: str) -> None:
    low, high = encode(tone(300, 1.0)), encode(tone(1100, 1.0))
    old = Talker().send(low)
    if how == "marker":
        new = Talker(sequence=150, timestamp=5000 + 50 * 960, start=1.0).send(high)
    else:
        new = Talker(ssrc=9, start=1.0).send(high)
    played = play(Playout(Decoder()), old + new, 2.02)
    assert largest_step(played.pcm) < 1.3 * 2 * np.pi * 1100 / RATE * 0.3 * 32767
    after = played.pcm[int(1.15 * RATE) : int(1.95 * RATE)]
    assert share_outside(after, 1100) < -35
    power = np.abs(np.fft.rfft(after * np.hanning(after.size))) ** 2
    assert 10 * np.log10(power[int(300 * 0.8)] / power.max()) < -60


@pytest.mark.parametrize("ppm", [1000, -1000])
def test_taking_out_and_putting_in_is_not_heard_in_a_tone(ppm: float) -> None:
    """More drift than clocks have, so that there are changes."""
    packets = encode(tone(440, 30))
    playout = Playout(Decoder())
    played = play(playout, Talker(ppm=ppm).send(packets), 29)
    plain = play(Playout(Decoder()), Talker().send(packets), 29)
    changed, kept = played.pcm[2 * RATE :], plain.pcm[2 * RATE :]
    assert (changed[:RATE] != kept[:RATE]).any() or playout.counts["frames_dropped"] > 0 or ppm < 0
    assert share_outside(changed, 440) < share_outside(kept, 440) + 3
    assert np.nanmax(played.delays[200:]) <= 60
    assert playout.counts["packets_late"] == 0


def test_in_the_pauses_of_a_voice_the_delay_comes_down_to_the_target() -> None:
    packets = encode(voice(20))
    rough = [0.05 if i < 300 and i % 7 == 0 else 0.0 for i in range(len(packets))]
    playout = Playout(Decoder())
    played = play(playout, late(Talker().send(packets), rough), 19)
    assert np.nanmean(played.delays[300:600]) > 40 + NORMAL.margin
    assert playout.target_ms < NORMAL.least + 15
    assert played.delays[-1] <= playout.target_ms + 5
    assert all(played.heard[10:])
