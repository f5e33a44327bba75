"""The parts of the kernel bench that need no kernel: messages, the first file system, and the USB card as QEMU sees it."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.kernel import audio_class, fetch, initrd, redirection, ticks
from tools.kernel.audio_class import CardModel
from tools.kernel.channel import Channel
from tools.kernel.spi_wire import SpiWire
from tools.kernel.usb_card import UsbCard, UsbCards

IN, OUT = audio_class.IN_ENDPOINT, audio_class.OUT_ENDPOINT


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(5)
        yield ours, theirs


def test_messages_come_whole_however_they_are_cut(ends: tuple[socket.socket, socket.socket]) -> None:
    channel, other = Channel(ends[0].fileno()), ends[1]
    for part in (b'{"a": ', b'1}\n{"b": 2}\n{"c"', b": 3}\n"):
        other.sendall(part)
    assert [channel.receive(1), channel.receive(1), channel.receive(1)] == [{"a": 1}, {"b": 2}, {"c": 3}]
    assert channel.receive(0) is None
    assert not channel.waits
    channel.send({"said": "ä\n"})
    assert other.recv(100).endswith(b"\n")
    other.shutdown(socket.SHUT_RDWR)
    with pytest.raises(EOFError):
        channel.receive(1)


@pytest.mark.parametrize(
    "model",
    [CardModel(), CardModel(microphones=0), CardModel(loudspeakers=0), CardModel(microphones=4, sample_bytes=3)],
)
def test_descriptors_are_as_long_as_they_say(model: CardModel) -> None:
    whole = audio_class.configuration(model)
    assert struct.unpack_from("<H", whole, 2)[0] == len(whole)
    at, kinds = 0, []
    while at < len(whole):
        kinds.append(whole[at + 1])
        at += whole[at]
    assert at == len(whole)
    assert kinds.count(5) == bool(model.microphones) + bool(model.loudspeakers), "an endpoint each way"
    assert len(audio_class.device(model)) == 18
    assert audio_class.string(model, 9) is None


class Qemu:
    """The other end of a card's socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._wire = redirection.Wire(end)
        self._messages: list[redirection.Message] = []

    def next(self, kind: int) -> redirection.Message:
        while True:
            while self._messages:
                message = self._messages.pop(0)
                if message.kind == kind:
                    return message
            self._messages += self._wire.receive()

    def send(self, kind: int, body: bytes, number: int = 0) -> None:
        self._wire.send(kind, body, number)

    def asks(self, value: int, length: int, request: int = 6) -> redirection.Message:
        self.send(redirection.CONTROL, struct.pack("<BBBBHHH", 0x80, request, 0x80, 0, value, 0, length), 7)
        return self.next(redirection.CONTROL)


def test_a_card_tells_what_it_is_and_lets_its_microphones_hear_what_is_played(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    clock, guest = socket.socketpair()
    card, qemu = UsbCard(CardModel(), ends[0]), Qemu(ends[1])
    with guest, UsbCards({"card": card}, clock):
        assert qemu.next(redirection.HELLO).body.startswith(b"kontor")
        qemu.send(redirection.HELLO, redirection.hello())
        card.plug()
        connected = qemu.next(redirection.CONNECT)
        assert struct.unpack_from("<BBBBHH", connected.body)[4:] == (0x2886, 0x0018)
        told = qemu.asks(0x0100, 64)
        assert (told.number, told.body[10:]) == (7, audio_class.device(card.model))
        assert qemu.asks(0x0200, 9).body[10:] == audio_class.configuration(card.model)[:9]
        assert qemu.asks(0x0309, 64).body[3] == redirection.STALL
        qemu.send(redirection.START_ISO, bytes((IN, 10, 6)))
        qemu.next(redirection.ISO_STATUS)
        sound = struct.pack("<96h", *range(96))
        for number in range(30):
            qemu.send(redirection.ISO, struct.pack("<BBH", OUT, 0, len(sound)) + sound, number)
        qemu.send(redirection.GET_ALTERNATE, bytes((2,)))
        qemu.next(redirection.ALTERNATE_STATUS)  # all of it has been taken
        guest.sendall(ticks.TIME.pack(1000)[:3])
        guest.sendall(ticks.TIME.pack(1000)[3:])
        heard = qemu.next(redirection.ISO).body[4:]
        assert struct.unpack_from("<12h", heard) == (0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3)
        assert len(heard) == 48 * 6 * 2
        card.hear("silence")
        guest.sendall(ticks.TIME.pack(1100))
        while any(heard):
            heard = qemu.next(redirection.ISO).body[4:]
        card.unplug()
        qemu.next(redirection.DISCONNECT)
        assert not card.plugged


def test_the_first_file_system_is_an_archive_that_ends() -> None:
    archive = b"".join(initrd._cpio(["bin"], {"init": b"#!/bin/sh\n", "bin/x": b"12345"}, {}))
    names, at = [], 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        size, length = int(archive[at + 54 : at + 62], 16), int(archive[at + 94 : at + 102], 16)
        names.append(archive[at + 110 : at + 110 + length - 1].decode())
        at += (110 + length + 3) // 4 * 4 + (size + 3) // 4 * 4
    assert names == ["bin", "init", "bin/x", "TRAILER!!!"]


def test_no_kernel_is_cached_where_none_was_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PLACE", tmp_path)
    assert fetch.cached() is None


def _note(address: int, value: int) -> str:
    return f"parallel_ioport_write write [SW] addr 0x{address:02x} val 0x{value:02x}\n"


def test_bits_of_the_parallel_port_are_bytes_of_the_wire(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    wire = SpiWire(notes)
    idle, selected, data, clock = 0x04, 0x0C, 0x80, 0x01

    def sent(*values: int) -> str:
        bits = "".join(f"{value:08b}" for value in values)
        rows = [_note(0, data * (bit == "1") | edge | 0x62) for bit in bits for edge in (0, clock, 0)]
        return _note(2, selected) + "".join(rows) + _note(2, idle)

    found_by_driver = _note(0, 0xAA) + _note(0, 0x55) + _note(2, idle)
    notes.write_text(found_by_driver + sent(0x00, 0xFF, 0x81) + sent(0x12))
    assert wire.sent() == [b"\x00\xff\x81", b"\x12"]
    assert wire.sent() == []
    with notes.open("a") as file:
        file.write(_note(1, 0) + sent(0x34))
    assert wire.sent() == [b"\x34"]
    assert str(notes) in wire.options[-1]
