"""The fan-out: what each of many listeners really gets, deciphered with its own key."""

import ctypes
import errno
import secrets
import socket
import struct
from collections.abc import Iterator

import pylibsrtp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.counters import Counters
from appliance.host import fan_out, srtp
from appliance.host.fan_out import MOST_PAYLOAD, FanOut, Packet, Stream
from appliance.media import red

GCM = srtp.PROFILES[b"SRTP_AEAD_AES_128_GCM"]
CM = srtp.PROFILES[b"SRTP_AES128_CM_SHA1_80"]


class Listener:
    """One receiving end: a socket, and the key that the host protects with."""

    def __init__(self, name: str, profile: srtp.Profile = GCM) -> None:
        self.name = name
        self.ssrc = 0
        key = secrets.token_bytes(profile.key + profile.salt)
        self.outbound = srtp.Outbound(profile, key)
        self.inbound = srtp.Inbound(profile, key)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.packet = srtp.Datagram()

    def read(self) -> list[bytes]:
        found: list[bytes] = []
        while True:
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                return found
            self.packet.data[: len(data)] = data
            self.packet.size = len(data)
            assert self.inbound.open(self.packet)
            found.append(bytes(self.packet.view[: self.packet.size]))


def seqs(packets: list[bytes]) -> list[int]:
    return [int.from_bytes(packet[2:4], "big") for packet in packets]


class Bench:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.counters = Counters()
        self.fan = FanOut(self.socket.fileno(), self.counters)
        self.listeners: dict[str, Listener] = {}

    def add(self, name: str, profile: srtp.Profile = GCM, **stream: int | str | None) -> Listener:
        listener = Listener(name, profile)
        self.listeners[name] = listener
        agreed = {"ssrc": 1000 + len(self.listeners), "payload_type": 111, "first": 5, "level_id": 1, **stream}
        listener.ssrc = int(agreed["ssrc"] or 0)
        self.fan.add(name, listener.outbound, Stream(**agreed), listener.socket.getsockname())  # type: ignore[arg-type]
        return listener

    def send(self, seq: int, talker: str | None = None, payload: bytes = b"opus") -> None:
        self.fan.send(Packet(seq & 0xFFFF, (seq * 960) & 0xFFFFFFFF, False, 30, payload), talker)

    def outcome(self) -> tuple[int, int]:
        return self.counters.get("host_packets_out"), self.counters.get("host_packets_dropped")

    def close(self) -> None:
        self.socket.close()
        for listener in self.listeners.values():
            listener.socket.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_a_hundred_listeners_get_every_packet_with_their_own_header_and_key(bench: Bench) -> None:
    for i in range(100):
        bench.add(f"m{i}", CM if i % 3 == 0 else GCM, payload_type=96 + i % 20, first=i * 300, ssrc=7 * i)
    payload = secrets.token_bytes(MOST_PAYLOAD)
    for seq in range(65_530, 65_540):
        bench.send(seq, payload=payload)
    assert bench.outcome() == (1000, 0)
    for i, listener in enumerate(bench.listeners.values()):
        packets = listener.read()
        assert seqs(packets) == [(i * 300 + k) & 0xFFFF for k in range(10)]
        for k, packet in enumerate(packets):
            first, kind, _, timestamp, ssrc = struct.unpack("!BBHII", packet[:12])
            assert (first, kind, ssrc) == (0x90, 96 + i % 20, 7 * i)
            assert timestamp == ((65_530 + k) % 65_536 * 960 if k < 6 else (65_530 + k) * 960)
            assert packet[12:20] == b"\xbe\xde\x00\x01\x00\x00\x10" + bytes([30])
            assert packet[20:] == payload


def test_extensions_are_those_that_were_agreed_on(bench: Bench) -> None:
    both = bench.add("both", level_id=3, mid_id=14, mid="2")
    neither = bench.add("neither", level_id=None)
    long_mid = bench.add("long", level_id=1, mid_id=4, mid="audio0")
    bench.fan.send(Packet(1, 2, True, 55, b"x"))
    assert both.read()[0][12:20] == bytes([0xBE, 0xDE, 0, 1, 14 << 4, ord("2"), 3 << 4, 55])
    assert neither.read()[0][12:20] == bytes([0xBE, 0xDE, 0, 1, 0, 0, 0, 0])
    packet = long_mid.read()[0]
    assert packet[12:20] == bytes([0xBE, 0xDE, 0, 1, 0, 0, 1 << 4, 55])
    assert packet[1] == 111 | 0x80, "the marker is lost"


def test_the_talker_hears_others_and_misses_nothing_of_them(bench: Bench) -> None:
    for name in "abc":
        bench.add(name, first=100)
    for seq, talker in ((1, "a"), (2, "a"), (4, "a"), (5, "b"), (6, "b"), (7, "c"), (8, "a"), (9, None)):
        bench.send(seq, talker)
    heard = {name: listener.read() for name, listener in bench.listeners.items()}
    assert seqs(heard["a"]) == [100, 101, 102, 103]  # 5, 6, 7 and 9: in its own row nothing is missing
    assert seqs(heard["b"]) == [100, 101, 103, 104, 105, 106]  # 3 was lost before the host: that gap is real
    assert seqs(heard["c"]) == [100, 101, 103, 104, 105, 106, 107]
    assert [int.from_bytes(p[4:8], "big") // 960 for p in heard["a"]] == [5, 6, 7, 9]


def test_a_late_packet_goes_out_late(bench: Bench) -> None:
    listener = bench.add("a", first=10)
    for seq in (1, 2, 4, 3, 5):
        bench.send(seq)
    assert seqs(listener.read()) == [10, 11, 13, 12, 14]


def test_silence_for_one_row_leaves_no_gap(bench: Bench) -> None:
    listener, other = bench.add("a", first=10), bench.add("b", first=10)
    bench.send(1)
    for k in (1, 2, 3):
        bench.fan.send_extra("a", 960 * (1 + k), b"\xf8\xff\xfe")
    bench.send(2, "a")
    bench.send(3, "a")
    bench.send(9, "b")
    packets = listener.read()
    assert seqs(packets) == [10, 11, 12, 13, 14]
    assert [packet[20:] for packet in packets[1:4]] == [b"\xf8\xff\xfe"] * 3
    assert seqs(other.read()) == [10, 11, 12]
    bench.fan.send_extra("nobody", 0, b"")


def test_rows_move_and_go(bench: Bench) -> None:
    a, b, c = bench.add("a"), bench.add("b"), bench.add("c")
    bench.send(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.settimeout(2)
        bench.fan.move("b", elsewhere.getsockname())
        bench.fan.remove("a")
        bench.fan.remove("nobody")
        bench.send(2)
        assert elsewhere.recv(2048)
    assert (len(a.read()), len(b.read()), len(c.read())) == (1, 1, 2)
    assert "a" not in bench.fan
    assert "c" in bench.fan
    assert len(bench.fan) == 2


def test_one_refused_row_does_not_hold_back_the_others(bench: Bench) -> None:
    for name in "abcd":
        bench.add(name)
    knows_no_stream = pylibsrtp.Session()
    for row in (1, 3):
        bench.fan._srtp[row] = knows_no_stream._srtp[0]
    bench.send(1)
    bench.send(2)
    assert bench.outcome() == (4, 4)
    assert [len(listener.read()) for listener in bench.listeners.values()] == [2, 0, 2, 0]


def test_an_address_that_cannot_be_reached_is_skipped(bench: Bench) -> None:
    for name in "abc":
        bench.add(name)
    bench.fan.move("b", ("255.255.255.255", 9))  # broadcasting is not allowed on this socket: EACCES
    bench.send(1)
    assert bench.outcome() == (2, 1)
    assert len(bench.listeners["c"].read()) == 1


class Narrow:
    """A kernel that takes three packets, and then has no room until it is asked anew for another packet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._send = fan_out._libc.sendmmsg
        self.room = 3
        monkeypatch.setattr(fan_out, "_libc", self)

    def sendmmsg(self, descriptor: int, messages: int, count: int, flags: int) -> int:
        if self.room == 0:
            ctypes.set_errno(errno.EAGAIN)
            return -1
        sent = int(self._send(descriptor, messages, min(count, self.room), flags))
        self.room -= sent
        return sent


def test_when_the_socket_is_full_others_miss_the_next_packet(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdefgh":
        bench.add(name)
    narrow = Narrow(monkeypatch)
    for seq in range(8):
        narrow.room = 3
        bench.send(seq)
    assert bench.outcome() == (24, 40)
    assert [len(listener.read()) for listener in bench.listeners.values()] == [3] * 8


def frames(packet: bytes) -> list[tuple[int, int, bytes]]:
    """Payload type, distance and bytes of each frame of a redundant packet."""
    return [(frame.payload_type, frame.offset, bytes(frame.payload)) for frame in red.split(packet[20:])]


def test_earlier_frames_go_to_those_who_agreed_on_them_under_their_own_payload_types(bench: Bench) -> None:
    plain, other = bench.add("plain"), bench.add("other", payload_type=96, red=97)
    twice = bench.add("twice", red=63)
    bench.fan.protect_by("twice", 2)
    bench.fan.protect_by("plain", 2)  # it agreed on none
    bench.fan.protect_by("nobody", 2)
    earlier = ((1920, b"before last"), (960, b"last"))
    bench.fan.send(Packet(1, 9600, True, 30, b"now", earlier))
    bench.fan.send(Packet(2, 10_560, False, 30, b"alone"))
    assert [(p[1], p[20:]) for p in plain.read()] == [(111 | 0x80, b"now"), (111, b"alone")]
    first, second = other.read()
    assert (first[1], second[1]) == (97 | 0x80, 97)
    assert frames(first) == [(96, 960, b"last"), (96, 0, b"now")]
    assert frames(second) == [(96, 0, b"alone")]
    assert frames(twice.read()[0]) == [(111, 1920, b"before last"), (111, 960, b"last"), (111, 0, b"now")]
    bench.fan.protect_by("twice", 0)
    bench.fan.send(Packet(3, 11_520, False, 30, b"now", earlier))
    assert [len(frames(packet)) for packet in twice.read()] == [2]


def test_redundancy_that_does_not_fit_is_left_out_and_the_newest_frame_goes(bench: Bench) -> None:
    listener = bench.add("a", red=63)
    bench.fan.protect_by("a", 2)
    large, small = bytes(1000), bytes(200)
    bench.fan.send(Packet(1, 9600, False, 30, large, ((1920, large), (960, small))))
    bench.fan.send(Packet(2, 9600, False, 30, bytes(MOST_PAYLOAD), ((960, small),)))
    assert [[offset for _, offset, _ in frames(packet)] for packet in listener.read()] == [[960, 0], [0]]


def test_what_went_to_a_row_is_counted_for_its_sender_reports(bench: Bench) -> None:
    bench.add("a")
    bench.add("b", red=63)
    bench.send(1, payload=bytes(50))
    bench.send(2, "a", payload=bytes(50))
    assert bench.fan.sent("a") == (1, 50)
    assert bench.fan.sent("b") == (2, 102)


def test_who_leaves_learns_which_number_would_have_come_next(bench: Bench) -> None:
    bench.add("a", first=10)
    bench.add("b", first=70)
    for seq in (1, 2, 3):
        bench.send(seq, "b")
    assert bench.fan.remove("a") == 13
    assert bench.fan.remove("b") == 70
    assert bench.fan.remove("b") is None


STEPS = st.sampled_from(["add", "remove", "send", "protect"])


@given(st.lists(st.tuples(st.integers(0, 7), STEPS), max_size=80))
@settings(max_examples=50, deadline=None)
def test_whoever_comes_and_goes_each_sees_one_unbroken_sequence(steps: list[tuple[int, str]]) -> None:
    bench = Bench()
    expected: dict[str, int] = {}
    try:
        seq = 65_500
        for who, what in steps:
            name = str(who)
            if what == "add" and name not in bench.fan:
                if old := bench.listeners.pop(name, None):
                    old.socket.close()
                bench.add(name, first=who, red=63 if who % 2 else None)
                expected[name] = 0
            elif what == "remove":
                bench.fan.remove(name)
            elif what == "protect":
                bench.fan.protect_by(name, 1 + seq % 2)
            elif what == "send":
                seq += 1
                bench.send(seq, name)
                for other in expected:
                    expected[other] += other != name and other in bench.fan
        for name, listener in bench.listeners.items():
            packets = listener.read()
            assert seqs(packets) == [int(name) + k for k in range(expected[name])]
            assert {packet[1] for packet in packets} <= {63 if int(name) % 2 else 111}
            assert {int.from_bytes(packet[8:12], "big") for packet in packets} <= {listener.ssrc}
    finally:
        bench.close()
