"""USB sound cards with microphones for the guest, which QEMU's own ``usb-audio`` lacks: plugged and unplugged at will.

One thread of the host's speaks for all of them to QEMU's ``usb-redir``. What the guest plays comes back in a card's
microphones (see :class:`Echo`), or what :meth:`UsbCard.hear` says. The guest's clock says when a packet is due, a millisecond
each: it is slower than the host's when that has other things to do (see :mod:`tools.kernel.ticks`).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Self

from tools.kernel import audio_class as audio
from tools.kernel import redirection as wire
from tools.kernel import ticks
from tools.kernel.audio_class import CardModel
from tools.kernel.channel import readable

_LOOK = 0.2
"""Seconds between two looks whether to end."""
_AT_ONCE = 40
"""Packets at most that are made up for after a stall: more would only be dropped."""
_GET_STATUS, _GET_DESCRIPTOR = 0, 6

Microphones = Callable[[int], bytes]
"""Gives what the microphones hear in one packet of that many bytes."""


class Echo:
    """Microphones that hear what is played: number n hears loudspeaker n modulo their number, 20 ms later."""

    _CUSHION, _MOST = 20, 60

    def __init__(self, model: CardModel) -> None:
        self._model = model
        self._played: deque[bytes] = deque(maxlen=self._MOST)
        self._filling = True

    def played(self, packet: bytes) -> None:
        """A packet for the loudspeakers."""
        self._played.append(packet)

    def begin(self) -> None:
        """The microphones are switched on: nothing of what was played before."""
        self._played.clear()
        self._filling = True

    def __call__(self, size: int) -> bytes:
        """What they hear in one packet."""
        self._filling = len(self._played) < (self._CUSHION if self._filling else 1)
        packet = b"" if self._filling else self._played.popleft()
        frame, wanted = self._model.frame(self._model.loudspeakers), self._model.frame(self._model.microphones)
        heard = b"".join((packet[at : at + frame] * wanted)[:wanted] for at in range(0, len(packet), frame or 1))
        return heard[:size].ljust(size, b"\0")


def silence(size: int) -> bytes:
    """Microphones that are muted on the device: zeros."""
    return bytes(size)


def hum(size: int) -> bytes:
    """Microphones with something live on them, whatever is played."""
    return bytes(range(1, 256)) * (size // 255) + bytes(range(1, 1 + size % 255))


class UsbCard:
    """A card on a cable; unplugged until :meth:`plug`. Any thread may call it while its :class:`UsbCards` run."""

    def __init__(self, model: CardModel, connection: socket.socket) -> None:
        self.model = model
        self.connection = connection
        self.packets_played = 0
        self._echo = Echo(model)
        self._ways: dict[str, Microphones | None] = {
            "echo": self._echo,
            "silence": silence,
            "hum": hum,
            "nothing": None,
        }
        self._microphones: Microphones | None = self._echo
        self._wire = wire.Wire(connection)
        self._lock = threading.Lock()
        self._plugged = False
        self._alternates = {audio.PLAYING: 0, audio.CAPTURING: 0}
        self._capturing = False
        self._sent = 0
        """The guest's millisecond up to which packets were sent."""
        self._wire.send(wire.HELLO, wire.hello())

    @property
    def plugged(self) -> bool:
        return self._plugged

    def plug(self) -> None:
        """Put it in."""
        with self._lock:
            if self._plugged:
                return
            streams, classes = {}, {0: (1, 1, 0)}
            if self.model.loudspeakers:
                classes[audio.PLAYING] = (1, 2, 0)
                streams[audio.OUT_ENDPOINT] = (audio.PLAYING, self.model.packet(self.model.loudspeakers) + 16)
            if self.model.microphones:
                classes[audio.CAPTURING] = (1, 2, 0)
                streams[audio.IN_ENDPOINT] = (audio.CAPTURING, self.model.packet(self.model.microphones) + 16)
            self._wire.send(wire.INTERFACES, wire.interfaces(classes))
            self._wire.send(wire.ENDPOINTS, wire.endpoints(streams))
            self._wire.send(wire.CONNECT, wire.connect(self.model.vendor, self.model.product))
            self._plugged, self._capturing = True, False

    def hear(self, what: str) -> None:
        """What the microphones give from now on: echo (at first), silence, hum, or nothing: a card that hangs.

        :raises KeyError: it is none of these.
        """
        with self._lock:
            self._microphones = self._ways[what]

    def unplug(self) -> None:
        """Pull it out."""
        with self._lock:
            if self._plugged:
                self._plugged = self._capturing = False
                self._alternates = dict.fromkeys(self._alternates, 0)
                self._wire.send(wire.DISCONNECT, b"")

    def receive(self) -> None:
        """Answer what QEMU says; waits for it. Raises EOFError when QEMU has ended."""
        messages = self._wire.receive()
        with self._lock:
            for message in messages:
                if self._plugged:
                    self._answer(message)

    def tick(self, now: int) -> None:
        """The guest's clock shows ``now``, milliseconds: send the packets that are due."""
        with self._lock:
            size, hears = self.model.packet(self.model.microphones), self._microphones
            head = struct.pack("<BBH", audio.IN_ENDPOINT, wire.OK, size)
            if self._capturing and hears is not None:
                for number in range(max(self._sent, now - _AT_ONCE), now):
                    self._wire.send(wire.ISO, head + hears(size), number)
            self._sent = now

    def _answer(self, message: wire.Message) -> None:
        body, number = message.body, message.number
        match message.kind:
            case wire.CONTROL:
                self._control(number, body)
            case wire.SET_CONFIGURATION:
                self._wire.send(wire.CONFIGURATION_STATUS, bytes((wire.OK, body[0])), number)
            case wire.GET_CONFIGURATION:
                self._wire.send(wire.CONFIGURATION_STATUS, bytes((wire.OK, 1)), number)
            case wire.SET_ALTERNATE:
                self._alternates[body[0]] = body[1]
                self._wire.send(wire.ALTERNATE_STATUS, bytes((wire.OK, body[0], body[1])), number)
            case wire.GET_ALTERNATE:
                alternate = self._alternates.get(body[0], 0)
                self._wire.send(wire.ALTERNATE_STATUS, bytes((wire.OK, body[0], alternate)), number)
            case wire.START_ISO | wire.STOP_ISO:
                if body[0] == audio.IN_ENDPOINT:
                    self._capturing = message.kind == wire.START_ISO
                    self._echo.begin()
                self._wire.send(wire.ISO_STATUS, bytes((wire.OK, body[0])), number)
            case wire.ISO:
                self.packets_played += 1
                self._echo.played(body[4:])

    def _control(self, number: int, body: bytes) -> None:
        """A request on endpoint 0; what this card has no answer for is refused by a stall."""
        endpoint, request, kind, _status, value, index, length = struct.unpack_from("<BBBBHHH", body)
        data: bytes | None = None
        if not kind & 0x80:
            data = b""  # nothing can be set that would matter
        elif request == _GET_DESCRIPTOR and kind == 0x80:
            which = {1: audio.device, 2: audio.configuration}.get(value >> 8)
            data = which(self.model) if which else audio.string(self.model, value & 0xFF) if value >> 8 == 3 else None
        elif request == _GET_STATUS:
            data = bytes(2)
        given = (data or b"")[:length]
        size = length if not kind & 0x80 else len(given)
        status = wire.STALL if data is None else wire.OK
        head = struct.pack("<BBBBHHH", endpoint, request, kind, status, value, index, size)
        self._wire.send(wire.CONTROL, head + given, number)


class UsbCards:
    """All cards of a guest, and their thread while ``with UsbCards(…):`` lasts."""

    def __init__(self, cards: Mapping[str, UsbCard], clock: socket.socket) -> None:
        """``clock`` is the host's end of the port into which the guest writes its time."""
        self._cards, self._clock = dict(cards), clock
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usb-cards", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._thread.join()
        for end in (self._clock, *(card.connection for card in self._cards.values())):
            end.close()

    def _run(self) -> None:
        ends = {card.connection.fileno(): card for card in self._cards.values()}
        rest = b""
        with contextlib.suppress(EOFError, OSError):  # QEMU has ended: so do they
            while not self._ending.is_set():
                for fd in readable([*ends, self._clock.fileno()], _LOOK):
                    if fd in ends:
                        ends[fd].receive()
                        continue
                    chunk = self._clock.recv(1 << 12)
                    if not chunk:
                        return
                    rest = self._ticks(rest + chunk)

    def _ticks(self, data: bytes) -> bytes:
        """Pass on the last whole time of ``data``; gives what is left of it."""
        whole = len(data) - len(data) % ticks.TIME.size
        if whole:
            (now,) = ticks.TIME.unpack_from(data, whole - ticks.TIME.size)
            for card in self._cards.values():
                card.tick(now)
        return data[whole:]
