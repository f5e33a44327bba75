"""A USB sound card with microphones for the guest, which QEMU's own ``usb-audio`` lacks: plugged and unplugged at will.

It is a thread of the host's that speaks to QEMU's ``usb-redir``. What the guest plays comes back in its microphones (see
:class:`Echo`) or anything else that a function makes. Every millisecond of the host's clock is one packet.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from tools.kernel import audio_class as audio
from tools.kernel import redirection as wire
from tools.kernel.audio_class import CardModel

_TURN = 0.004
"""Seconds between two looks at the clock: QEMU holds 60 ms in front of the guest."""
_AT_ONCE = 40
"""Packets at most that are made up for after a stall: more would only be dropped."""
_GET_STATUS, _GET_DESCRIPTOR = 0, 6

Microphones = Callable[[int], bytes]
"""Gives what the microphones hear in one packet of that many bytes."""


class Echo:
    """Microphones that hear what is played: channel n hears loudspeaker n modulo their number, one packet later."""

    def __init__(self, model: CardModel, depth: int = 400) -> None:
        self._model = model
        self._played: deque[bytes] = deque(maxlen=depth)

    def played(self, packet: bytes) -> None:
        """A packet for the loudspeakers."""
        self._played.append(packet)

    def __call__(self, size: int) -> bytes:
        frame = self._model.frame(self._model.loudspeakers)
        packet = self._played.popleft() if self._played else b""
        heard = bytearray()
        for at in range(0, len(packet), frame):
            samples = packet[at : at + frame]
            heard += (samples * self._model.microphones)[: self._model.frame(self._model.microphones)]
        return bytes(heard[:size]).ljust(size, b"\0")


class UsbCard:
    """A card on a cable. ``with UsbCard(model, socket) as card:``; unplugged until :meth:`plug`."""

    def __init__(self, model: CardModel, connection: socket.socket) -> None:
        self.model = model
        self.echo = Echo(model)
        self.microphones: Microphones = self.echo
        """May be put in place of the echo at any time."""
        self.dead = False
        """True: it stays on the bus and sends no sound any more."""
        self.packets_played = 0
        self._socket = connection
        self._wire = wire.Wire(connection)
        self._lock = threading.Lock()
        self._plugged = False
        self._alternates = {audio.PLAYING: 0, audio.CAPTURING: 0}
        self._capturing: float | None = None
        self._sent = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, name="usb-card", daemon=True)

    def __enter__(self) -> Self:
        self._wire.send(wire.HELLO, wire.hello())
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()

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
            self._plugged, self._capturing = True, None

    def unplug(self) -> None:
        """Pull it out."""
        with self._lock:
            if self._plugged:
                self._plugged, self._capturing = False, None
                self._alternates = dict.fromkeys(self._alternates, 0)
                self._wire.send(wire.DISCONNECT, b"")

    def _live(self) -> None:
        with contextlib.suppress(EOFError):  # QEMU has ended: so does the card
            while not self._ending.is_set():
                readable, _, _ = select.select([self._wire], [], [], _TURN)
                with self._lock:
                    for message in self._wire.receive() if readable else ():
                        if self._plugged:
                            self._answer(message)
                    self._speak()

    def _speak(self) -> None:
        """Send the packets whose milliseconds have passed."""
        if self._capturing is None:
            return
        due = int((time.monotonic() - self._capturing) * 1000)
        self._sent = max(self._sent, due - _AT_ONCE)
        size = self.model.packet(self.model.microphones)
        for number in range(self._sent, due):
            data = self.microphones(size)
            if not self.dead:
                head = struct.pack("<BBH", audio.IN_ENDPOINT, wire.OK, size)
                self._wire.send(wire.ISO, head + data, number)
        self._sent = max(self._sent, due)

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
                    self._capturing = time.monotonic() if message.kind == wire.START_ISO else None
                    self._sent = 0
                self._wire.send(wire.ISO_STATUS, bytes((wire.OK, body[0])), number)
            case wire.ISO:
                self.packets_played += 1
                self.echo.played(body[4:])

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
