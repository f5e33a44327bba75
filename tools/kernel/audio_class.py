"""Descriptors of a USB sound card that has microphones, a loudspeaker or both: USB Audio Class 1.0, full speed.

Source: "Universal Serial Bus Device Class Definition for Audio Devices", release 1.0, chapter 4; numbers of requests and
descriptors from USB 2.0, chapter 9.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

OUT_ENDPOINT, IN_ENDPOINT = 0x01, 0x82
PLAYING, CAPTURING = 1, 2
"""Numbers of the streaming interfaces; 0 is the one that controls."""
_AUDIO, _CONTROL, _STREAMING = 1, 1, 2
_INTERFACE, _CS_INTERFACE, _CS_ENDPOINT = 4, 0x24, 0x25
_STREAM_TERMINAL, _SPEAKER, _MICROPHONE_ARRAY = 0x0101, 0x0301, 0x0205


@dataclass(frozen=True, slots=True)
class CardModel:
    """What a card says of itself. ``microphones`` or ``loudspeakers`` may be 0; ``sample_bytes`` 2, 3 or 4."""

    vendor: int = 0x2886
    product: int = 0x0018
    maker: str = "Kontor"
    name: str = "Bench Array"
    serial: str = "1"
    microphones: int = 6
    loudspeakers: int = 2
    rate: int = 48_000
    sample_bytes: int = 2

    def frame(self, channels: int) -> int:
        """Bytes of one sample of all channels."""
        return channels * self.sample_bytes

    def packet(self, channels: int) -> int:
        """Bytes of a millisecond, which is a packet on a full-speed bus."""
        return self.frame(channels) * self.rate // 1000


def device(model: CardModel) -> bytes:
    """The device descriptor."""
    return struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0110, 0, 0, 0, 64, model.vendor, model.product, 0x0100, 1, 2, 3, 1)


def string(model: CardModel, index: int) -> bytes | None:
    """A string descriptor; None for one that is not there."""
    if index == 0:
        return struct.pack("<BBH", 4, 3, 0x0409)
    texts = {1: model.maker, 2: model.name, 3: model.serial}
    if index not in texts:
        return None
    text = texts[index].encode("utf-16-le")
    return struct.pack("<BB", 2 + len(text), 3) + text


def configuration(model: CardModel) -> bytes:
    """The one configuration, with all that belongs to it."""
    streams = [number for number, there in ((PLAYING, model.loudspeakers), (CAPTURING, model.microphones)) if there]
    body = _control_interface(model, streams)
    if model.loudspeakers:
        body += _stream(model, PLAYING, OUT_ENDPOINT, model.loudspeakers, terminal=1)
    if model.microphones:
        body += _stream(model, CAPTURING, IN_ENDPOINT, model.microphones, terminal=4)
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 1 + len(streams), 1, 0, 0x80, 50) + body


def _interface(number: int, alternate: int, endpoints: int, subclass: int) -> bytes:
    return struct.pack("<BBBBBBBBB", 9, _INTERFACE, number, alternate, endpoints, _AUDIO, subclass, 0, 0)


def _control_interface(model: CardModel, streams: list[int]) -> bytes:
    """USB to loudspeaker is terminal 1 to 2, microphones to USB is 3 to 4."""
    units = b""
    if model.loudspeakers:
        units += _input(1, _STREAM_TERMINAL, model.loudspeakers) + _output(2, _SPEAKER, source=1)
    if model.microphones:
        units += _input(3, _MICROPHONE_ARRAY, model.microphones) + _output(4, _STREAM_TERMINAL, source=3)
    size = 8 + len(streams)
    header = struct.pack("<BBBHHB", size, _CS_INTERFACE, 1, 0x0100, size + len(units), len(streams)) + bytes(streams)
    return _interface(0, 0, 0, _CONTROL) + header + units


def _input(number: int, kind: int, channels: int) -> bytes:
    return struct.pack("<BBBBHBBHBB", 12, _CS_INTERFACE, 2, number, kind, 0, channels, 3 if channels == 2 else 0, 0, 0)


def _output(number: int, kind: int, *, source: int) -> bytes:
    return struct.pack("<BBBBHBBB", 9, _CS_INTERFACE, 3, number, kind, 0, source, 0)


def _stream(model: CardModel, number: int, endpoint: int, channels: int, *, terminal: int) -> bytes:
    """Alternate 0 is silent and takes no bandwidth; alternate 1 streams PCM."""
    general = struct.pack("<BBBBBH", 7, _CS_INTERFACE, 1, terminal, 1, 1)
    size, bits = model.sample_bytes, 8 * model.sample_bytes
    form = struct.pack("<BBBBBBBB", 11, _CS_INTERFACE, 2, 1, channels, size, bits, 1) + model.rate.to_bytes(3, "little")
    packet = model.packet(channels) + model.frame(channels)
    iso = (
        0x0D if endpoint < 0x80 else 0x05
    )  # the loudspeaker follows the bus, the microphones have a clock of their own
    pipe = struct.pack("<BBBBHBBB", 9, 5, endpoint, iso, packet, 1, 0, 0)
    more = struct.pack("<BBBBBH", 7, _CS_ENDPOINT, 1, 0, 0, 0)
    return _interface(number, 0, 0, _STREAMING) + _interface(number, 1, 1, _STREAMING) + general + form + pipe + more
