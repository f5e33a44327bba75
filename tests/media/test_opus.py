"""libopus: found or one clear error, sound comes through, and after a reset nothing of before is left."""

import contextlib
import ctypes
import importlib.machinery
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.units import RATE, Pcm
from appliance.media import opus
from appliance.media.opus import Decoder, Encoder, OpusError, OpusMissing

FRAMES = pytest.mark.parametrize("frame_ms", [10, 20])


def tone(frequency: float, seconds: float = 1.0, peak: float = 0.5) -> Pcm:
    time = np.arange(int(RATE * seconds)) / RATE
    return (np.sin(2 * np.pi * frequency * time) * peak * 32767).astype(np.int16)


def voice(seconds: float = 1.0) -> Pcm:
    """Loud and voice-like: harmonics of 150 Hz that come and go, with some breath."""
    time = np.arange(int(RATE * seconds)) / RATE
    sound = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20))
    breath = np.random.default_rng(1).standard_normal(time.size)
    return ((sound * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)) * 0.3 + breath * 0.02) * 32767).astype(np.int16)


def encoded(encoder: Encoder, pcm: Pcm) -> list[bytes]:
    n = encoder.samples
    return [encoder.encode(pcm[i : i + n]) for i in range(0, pcm.size - n + 1, n)]


def decoded(decoder: Decoder, packets: list[bytes]) -> Pcm:
    out = np.zeros(5760, np.int16)
    return np.concatenate([out[: decoder.decode(packet, out)].copy() for packet in packets])


def peak_dbfs(pcm: Pcm) -> float:
    peak = int(np.abs(pcm.astype(np.int32)).max())
    return 20 * float(np.log10(peak / 32768)) if peak else -200.0


def snr(signal: Pcm, noisy: Pcm) -> float:
    true = signal.astype(np.float64)
    return float(10 * np.log10((true**2).sum() / ((true - noisy) ** 2).sum()))


# Finding the library


def without_system_opus(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ctypes.CDLL

    def load(name: str) -> ctypes.CDLL:
        if name == "libopus.so.0":
            raise OSError("not there")
        return real(name)

    monkeypatch.delenv("KONTOR_LIBOPUS", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", load)


def with_av_at(monkeypatch: pytest.MonkeyPatch, place: Path | None) -> None:
    spec = importlib.machinery.ModuleSpec("av", None, is_package=True)
    spec.submodule_search_locations = [str(place)]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None if place is None else spec)


def path_of_opus() -> Path:
    maps = Path("/proc/self/maps").read_text().split()
    opus.version()
    return next(Path(part) for part in maps if "libopus" in part)


def test_the_version_is_told() -> None:
    assert opus.version().startswith("libopus ")


def test_the_chosen_library_is_used_and_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    link = tmp_path / "my-opus.so"
    link.symlink_to(path_of_opus())
    monkeypatch.setenv("KONTOR_LIBOPUS", str(link))
    assert opus.find_library()._name == str(link)
    for wrong in (str(tmp_path / "missing.so"), "libm.so.6"):
        monkeypatch.setenv("KONTOR_LIBOPUS", wrong)
        with pytest.raises(OpusMissing, match="which is no Opus library: correct or unset it"):
            opus.find_library()


def test_the_copy_of_pyav_is_taken_when_the_system_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "av").mkdir()
    (tmp_path / "av.libs").mkdir()
    (tmp_path / "av.libs" / "libopus-9broken.so.0").write_text("no library")
    copy = tmp_path / "av.libs" / "libopus-1a2b.so.0.11.1"
    copy.symlink_to(path_of_opus())
    without_system_opus(monkeypatch)
    with_av_at(monkeypatch, tmp_path / "av")
    assert opus.find_library()._name == str(copy)


@pytest.mark.parametrize("with_av", [False, True])
def test_no_library_is_one_sentence_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, with_av: bool
) -> None:
    without_system_opus(monkeypatch)
    with_av_at(monkeypatch, tmp_path / "av" if with_av else None)
    with pytest.raises(OpusMissing) as raised:
        opus.find_library()
    assert str(raised.value) == (
        "The Opus library was not found: install it (on Debian: sudo apt install libopus0) "
        "or set KONTOR_LIBOPUS to the path of libopus.so.0."
    )


# Sound comes through


@FRAMES
def test_a_tone_comes_through(frame_ms: int) -> None:
    packets = encoded(Encoder(frame_ms), tone(440))
    out = decoded(Decoder(), packets)
    assert out.size == RATE
    spectrum = np.abs(np.fft.rfft(out[RATE // 2 :] * np.hanning(RATE // 2)))
    assert abs(int(spectrum.argmax()) * 2 - 440) <= 2
    assert -8 <= peak_dbfs(out[RATE // 2 :]) <= -4
    rate = 8 * sum(map(len, packets))
    assert 20_000 <= rate <= 44_000


def test_the_settings_reach_libopus() -> None:
    sound = voice()

    def size(encoder: Encoder) -> int:
        return sum(map(len, encoded(encoder, sound)))

    assert size(Encoder(bitrate=64_000)) > 1.5 * size(Encoder(bitrate=24_000))
    assert encoded(Encoder(complexity=0), sound) != encoded(Encoder(complexity=10), sound)
    assert encoded(Encoder(fec=True), sound) != encoded(Encoder(fec=False), sound)
    tuned = Encoder(bitrate=24_000, expected_loss=0)
    tuned.tune(bitrate=64_000)
    assert size(tuned) > 1.5 * size(Encoder(bitrate=24_000))
    tuned.tune(expected_loss=30)
    tuned.reset()
    assert encoded(tuned, sound) == encoded(Encoder(bitrate=64_000, expected_loss=30), sound)


def test_dtx_makes_tiny_packets_in_silence_only() -> None:
    sound = np.concatenate([voice(), np.zeros(2 * RATE, np.int16)])
    with_dtx = encoded(Encoder(dtx=True), sound)
    assert sum(len(packet) <= 2 for packet in with_dtx[50:]) > 80
    assert all(len(packet) > 2 for packet in with_dtx[:50])
    assert all(len(packet) > 2 for packet in encoded(Encoder(dtx=False), sound))


def lost_frames_snr(how: str) -> float:
    sound = voice(2.0)
    packets = encoded(Encoder(20, expected_loss=20), sound)
    perfect = decoded(Decoder(), packets)
    decoder, out = Decoder(), np.zeros(960, np.int16)
    signal, got = [], []
    for i, packet in enumerate(packets[:-1]):
        if i % 5 != 3:
            decoder.decode(packet, out)
            continue
        if how == "fec":
            assert decoder.decode_fec(packets[i + 1], out, 960) == 960
        elif how == "conceal":
            assert decoder.conceal(out, 960) == 960
        else:
            out.fill(0)
        signal.append(perfect[i * 960 : (i + 1) * 960])
        got.append(out.copy())
    return snr(np.concatenate(signal), np.concatenate(got))


def test_fec_restores_more_than_concealment_and_that_more_than_nothing() -> None:
    nothing, conceal, fec = (lost_frames_snr(how) for how in ("nothing", "conceal", "fec"))
    assert abs(nothing) < 0.1
    assert conceal > 1
    assert fec > conceal + 3


def test_a_packet_that_has_fec_says_so() -> None:
    for frame_ms in (10, 20):
        assert [opus.has_fec(p) for p in encoded(Encoder(frame_ms, expected_loss=20), voice())[:9]] == [False] + [
            True
        ] * 8
        assert not any(map(opus.has_fec, encoded(Encoder(frame_ms, fec=False), voice())))
    assert opus.has_fec(bytes([3 << 3, 0b0001_0000]))  # SILK, 60 ms: three voice bits, then the flag
    assert not opus.has_fec(bytes([3 << 3, 0b1110_0000]))
    assert not opus.has_fec(bytes([31 << 3, 0xFF]))  # CELT
    assert not opus.has_fec(b"\x78")
    assert not opus.has_fec(b"")


@given(st.binary(max_size=80))
def test_junk_decodes_or_raises_opus_error(data: bytes) -> None:
    decoder, out = Decoder(), np.zeros(5760, np.int16)
    samples = opus.packet_samples(data)
    assert 0 <= samples <= 5760
    with contextlib.suppress(OpusError):
        assert decoder.decode(data, out) == samples
    with contextlib.suppress(OpusError):
        assert decoder.decode_fec(data, out, 960) == 960
    assert opus.has_fec(data) in {True, False}


def test_the_length_of_a_packet_is_known_before_decoding() -> None:
    assert opus.packet_samples(Encoder(10).encode(np.zeros(480, np.int16))) == 480
    assert opus.packet_samples(memoryview(Encoder(20).encode(np.zeros(960, np.int16)))) == 960
    assert opus.packet_samples(b"") == 0
    assert opus.packet_samples(b"\xff\x00") == 0  # three frames said, none there


# Nothing of before


@FRAMES
@pytest.mark.parametrize("fec", [False, True])
def test_after_a_reset_the_encoder_is_as_new(frame_ms: int, fec: bool) -> None:
    used, new = Encoder(frame_ms, fec=fec), Encoder(frame_ms, fec=fec)
    encoded(used, voice())
    used.reset()
    assert encoded(used, tone(700)) == encoded(new, tone(700))


def loudest_heard(decoder: Decoder, packets: list[bytes]) -> float:
    """The loudest peak, dBFS, of packets that are decoded, and of every second one brought back by the FEC of the next."""
    out = np.zeros(960, np.int16)
    peaks = []
    for before, packet in zip(packets[::2], packets[1::2], strict=True):
        peaks.append(peak_dbfs(decoded(decoder, [before])))
        samples = decoder.decode_fec(packet, out, opus.packet_samples(packet))
        peaks.append(peak_dbfs(out[:samples]))
    return max(peaks)


@FRAMES
@pytest.mark.parametrize("fresh", [True, False])
def test_after_a_reset_nothing_of_before_is_in_the_packets(frame_ms: int, fresh: bool) -> None:
    encoder, decoder = Encoder(frame_ms, expected_loss=30), Decoder()
    decoded(decoder, encoded(encoder, voice(0.5)))
    encoder.reset()
    if fresh:
        decoder = Decoder()
    else:
        decoder.reset()
    packets = encoded(encoder, np.zeros(RATE // 5, np.int16))
    assert not opus.has_fec(packets[0])
    assert loudest_heard(decoder, packets) <= -80


@FRAMES
def test_without_a_reset_it_would_be(frame_ms: int) -> None:
    """The test above can fail: in a live encoder that is fed zeros the old sound goes on, in packet and FEC."""
    encoder = Encoder(frame_ms, expected_loss=30)
    encoded(encoder, voice(0.5))
    packets = encoded(encoder, np.zeros(RATE // 5, np.int16))
    assert opus.has_fec(packets[0])
    out = np.zeros(960, np.int16)
    assert peak_dbfs(out[: Decoder().decode_fec(packets[0], out, opus.packet_samples(packets[0]))]) > -30
    assert loudest_heard(Decoder(), packets) > -30


def test_a_decoder_that_was_reset_conceals_with_silence() -> None:
    decoder, out = Decoder(), np.zeros(480, np.int16)
    decoded(decoder, encoded(Encoder(), voice(0.5)))
    decoder.reset()
    decoder.conceal(out, 480)
    assert peak_dbfs(out) <= -80


# Misuse is told


def test_a_wrong_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="10 or 20 ms, not 60"):
        Encoder(60)
    encoder = Encoder(20)
    for wrong in (np.zeros(480, np.int16), np.zeros((1, 960), np.int16), np.zeros(960, np.float32)):
        with pytest.raises(ValueError, match="960 int16 samples"):
            encoder.encode(wrong)  # type: ignore[arg-type]


def test_values_out_of_range_are_libopus_errors() -> None:
    makers: tuple[Callable[[], Encoder], ...] = (
        lambda: Encoder(complexity=11),
        lambda: Encoder(expected_loss=101),
        lambda: Encoder(bitrate=0),
    )
    for make in makers:
        with pytest.raises(OpusError, match="invalid argument") as raised:
            make()
        assert raised.value.code == -1


def test_a_packet_longer_than_the_buffer_changes_nothing() -> None:
    packets = encoded(Encoder(20), voice(0.2))
    careful, plain = Decoder(), Decoder()
    small = np.zeros(480, np.int16)
    with pytest.raises(OpusError, match="buffer too small"):
        careful.decode(packets[0], small)
    assert not small.any()
    np.testing.assert_array_equal(decoded(careful, packets), decoded(plain, packets))


def test_concealment_has_limits() -> None:
    decoder, out = Decoder(), np.zeros(8000, np.int16)
    for samples in (100, 6000):
        with pytest.raises(OpusError):
            decoder.conceal(out, samples)
        with pytest.raises(OpusError):
            decoder.decode_fec(b"\x00\x00", out, samples)
    with pytest.raises(OpusError, match="buffer too small"):
        decoder.conceal(out[:480], 960)
    with pytest.raises(OpusError, match="corrupted"):
        decoder.decode(b"", out)
    with pytest.raises(OpusError, match="corrupted"):
        decoder.decode_fec(b"", out, 960)


def test_what_is_closed_stays_closed_and_does_not_crash() -> None:
    with Encoder() as encoder, Decoder() as decoder:
        packet = encoder.encode(np.zeros(960, np.int16))
    encoder.close()
    calls: tuple[Callable[[], object], ...] = (
        lambda: encoder.encode(np.zeros(960, np.int16)),
        lambda: encoder.tune(bitrate=20_000),
        lambda: decoder.decode(packet, np.zeros(960, np.int16)),
        lambda: decoder.conceal(np.zeros(960, np.int16), 960),
        encoder.reset,
        decoder.reset,
    )
    for call in calls:
        with pytest.raises(OpusError, match="closed"):
            call()


def test_memory_is_given_back_without_close() -> None:
    encoder = Encoder()
    finalizer = encoder._finalizer
    gone = weakref.ref(encoder)
    del encoder
    assert gone() is None
    assert not finalizer.alive
