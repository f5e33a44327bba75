"""The two messages between sound and link, as bytes.

Sound sends an :class:`Uplink` for each block, link answers with a :class:`Downlink`. Both have a fixed little-endian
header and, when there is audio, one block of 480 int16 samples after it. Decoding is strict: whatever does not fit is
:class:`ExchangeJunk`.

One-shot events (a knock, a mute by an admin) travel as counters, not as flags: a message that is lost or skipped then
loses nothing. The receiver compares with the value it saw last; the first value on a new connection is the base.

What the gate hides, nothing else tells (UX.md, mute rule 9): a closed uplink is written without level and direction and
with a steady MIC lamp, whatever the caller filled in, and one that has them is junk.
"""

import struct
from typing import Any, NamedTuple

from appliance.core.controls import Door, Reason
from appliance.core.lamps import LampSigns, LinkPhase, Sign
from appliance.core.units import BLOCK, SLOTS

BLOCK_BYTES = 2 * BLOCK
"""Bytes of the block in a message: 480 samples, int16, little-endian."""

_VERSION = 2
_UPLINK_MAGIC = b"Ku"
_DOWNLINK_MAGIC = b"Kd"
# magic, version, flags, seq, epoch, knocks, until, reasons, direction, level, loudspeaker, door, four lamps, zero
_UPLINK = struct.Struct("<2sBB4I2H2b6B")
# magic, version, flags, seq, answered, five counters, members, hands, link, door, how many speakers, zero, speakers
_DOWNLINK = struct.Struct("<2sBBIQ5I2H4B" + "2BbB" * SLOTS)
_FLAGS_AT, _SEQ_AT = 3, 4
_UPLINK_SAYS_AT, _DOWNLINK_SAYS_AT = 8, 16  # behind the number, and behind the time of answering
_REPEATED = struct.Struct("<IQ")  # seq, answered
_SEQ = struct.Struct("<I")

MAX_MESSAGE = _DOWNLINK.size + BLOCK_BYTES
"""Bytes of the largest message; a buffer for either kind."""

CLOSED_BYTES = _UPLINK.size
"""Bytes of an uplink without a block."""

_BLOCK_FLAG, _HAND_FLAG, _RECORDS_FLAG = 1, 2, 4
_RECORDING_FLAG, _TRIAL_FLAG, _VIOLATION_FLAG = 2, 4, 8
_NO_DIRECTION = 0xFFFF
_QUIETEST = -127
_ALL_REASONS = (1 << len(Reason)) - 1
_SIGNS = tuple(Sign)
_SIGN_NUMBERS = {sign: number for number, sign in enumerate(_SIGNS)}
_DOORS = tuple(Door)
_PHASES = tuple(LinkPhase)
_HUES, _PLACES = 8, 12
_NOBODY = (0, 0, 0, 0)
_U16, _U32 = 0xFFFF, 0xFFFFFFFF


class ExchangeJunk(ValueError):
    """Bytes on the exchange that are no message of ours; the text is one sentence."""


class Uplink(NamedTuple):
    """What sound tells link once per block."""

    seq: int
    """Number of the message, modulo 2**32; the answer repeats it."""
    block: bytes | memoryview | None = None
    """960 bytes, int16 little-endian; None: the gate is closed."""
    epoch: int = 0
    """Grows at each close, modulo 2**32. A value other than the last one means: reset the encoder and drop what is half
    filled, even when the message has a block (closed and opened again between two messages)."""
    level: int = _QUIETEST
    """dBov of the block, -127 to 0."""
    direction: int | None = None
    """Degrees, 0 to 359, where the voice comes from; None: not known."""
    reasons: int = 0
    """Bit mask of :class:`~appliance.core.controls.Reason`."""
    door: Door = Door.OPEN
    hand: bool = False
    knocks: int = 0
    """Counter of presses on KNOCK."""
    lamps: LampSigns = (Sign.STEADY, Sign.SLOW, Sign.OFF, Sign.OFF)
    loudspeaker: int = _QUIETEST
    """dBov of what the loudspeaker played last, -127 to 0."""
    quiet_until: int = 0
    """When quiet hours end, Unix time in seconds; 0: they do not hold, or nobody knows."""
    recording: bool = False
    """Somebody at this device records what it hears, or has announced that: the room has to know."""


class Speaker(NamedTuple):
    """Who speaks in the room, as SPEAK and the ring show it."""

    hue: int
    """0 to 7."""
    place: int
    """0 to 11."""
    level: int
    """dBov, -127 to 0."""
    site: bool


class Downlink(NamedTuple):
    """What link answers."""

    seq: int
    """Number of the uplink that this answers."""
    block: bytes | memoryview | None = None
    """960 bytes, int16 little-endian, for the loudspeaker; None: there is nothing to play."""
    link: LinkPhase = LinkPhase.STARTING
    speakers: tuple[Speaker, ...] = ()
    """At most three."""
    members: int = 0
    hands: int = 0
    """Members that want to speak."""
    knocks: int = 0
    """Counter of knocks by others."""
    admin_muted: int = 0
    """Counter of mutes from afar."""
    admin_lifted: int = 0
    """Counter of lifted admin mutes: they tell a lamp and open nothing."""
    asked: int = 0
    """Counter of requests to unmute."""
    door_commands: int = 0
    """Counter of commands to the door; ``door`` is the last one."""
    door: Door = Door.LISTENING
    recording: bool = False
    trial: bool = False
    """Settings are on trial."""
    violation: bool = False
    """A block left after the gate had closed (UX.md, mute rule 6): sound closes, and a hand has to act."""
    answered: int = 0
    """Monotonic clock of the machine in ns when link sent this: a claim, used for statistics only."""


def _level(level: int) -> int:
    return max(_QUIETEST, min(0, level))


def _put_block(block: bytes | memoryview | None, buffer: bytearray, start: int) -> int:
    if block is None:
        return start
    if len(block) != BLOCK_BYTES:
        raise ValueError(f"a block has {BLOCK_BYTES} bytes, not {len(block)}")
    end = start + BLOCK_BYTES
    buffer[start:end] = block
    return end


def encode_uplink(message: Uplink, buffer: bytearray) -> int:
    """Write ``message`` into ``buffer`` (at least MAX_MESSAGE bytes) and return its length.

    :raises ValueError: the block has not 960 bytes.
    """
    closed = message.block is None
    mic, room, speak, fault = message.lamps
    direction = None if closed else message.direction
    _UPLINK.pack_into(
        buffer,
        0,
        _UPLINK_MAGIC,
        _VERSION,
        (not closed) * _BLOCK_FLAG | message.hand * _HAND_FLAG | message.recording * _RECORDS_FLAG,
        message.seq & _U32,
        message.epoch & _U32,
        message.knocks & _U32,
        message.quiet_until & _U32,
        message.reasons & _ALL_REASONS,
        _NO_DIRECTION if direction is None else direction % 360,
        _QUIETEST if closed else _level(message.level),
        _level(message.loudspeaker),
        message.door,
        _SIGN_NUMBERS[Sign.STEADY if mic is Sign.SLOW else mic],
        _SIGN_NUMBERS[room],
        _SIGN_NUMBERS[speak],
        _SIGN_NUMBERS[fault],
        0,
    )
    return _put_block(message.block, buffer, _UPLINK.size)


def _check(good: bool, what: str) -> None:
    if not good:
        raise ExchangeJunk(what)


def _check_head(data: memoryview, header: struct.Struct, magic: bytes, flags: int) -> int:
    """The flags of a message whose size, magic, version and flags are right."""
    size = len(data)
    _check(size in (header.size, header.size + BLOCK_BYTES), "the message has a wrong size")
    _check(data[:2] == magic, "the message has a wrong kind")
    _check(data[2] == _VERSION, "the message has a wrong version")
    _check(not data[3] & ~flags, "the message has unknown flags")
    _check(bool(data[3] & _BLOCK_FLAG) == (size > header.size), "the message's block and flag disagree")
    return data[3]


def _block_of(data: memoryview, header: struct.Struct) -> bytes | None:
    return bytes(data[header.size :]) if len(data) > header.size else None


def decode_uplink(data: bytes | bytearray | memoryview) -> Uplink:
    """The message in ``data``.

    :raises ExchangeJunk: anything in it is not as it must be.
    """
    view = memoryview(data)
    flags = _check_head(view, _UPLINK, _UPLINK_MAGIC, _BLOCK_FLAG | _HAND_FLAG | _RECORDS_FLAG)
    (_, _, _, seq, epoch, knocks, until, reasons, direction, level, loudspeaker, door, *lamps, zero) = (
        _UPLINK.unpack_from(view)
    )
    is_open = bool(flags & _BLOCK_FLAG)
    _check(zero == 0, "the uplink's spare byte is not zero")
    _check(not reasons & ~_ALL_REASONS, "the uplink has unknown reasons")
    _check(_QUIETEST <= level <= 0 and _QUIETEST <= loudspeaker <= 0, "the uplink has a wrong level")
    _check(direction < 360 or direction == _NO_DIRECTION, "the uplink has a wrong direction")
    _check(door < len(_DOORS) and max(lamps) < len(_SIGNS), "the uplink has a wrong door or lamp")
    _check(is_open or (level == _QUIETEST and direction == _NO_DIRECTION), "the closed uplink tells of the room")
    mic, room, speak, fault = (_SIGNS[number] for number in lamps)
    _check(mic is not Sign.SLOW, "the uplink tells that somebody talks while muted")
    return Uplink(
        seq=seq,
        block=_block_of(view, _UPLINK),
        epoch=epoch,
        level=level,
        direction=None if direction == _NO_DIRECTION else direction,
        reasons=reasons,
        door=_DOORS[door],
        hand=bool(flags & _HAND_FLAG),
        knocks=knocks,
        lamps=(mic, room, speak, fault),
        loudspeaker=loudspeaker,
        quiet_until=until,
        recording=bool(flags & _RECORDS_FLAG),
    )


def _speaker_fields(speaker: Speaker) -> tuple[int, int, int, int]:
    return speaker.hue % _HUES, speaker.place % _PLACES, _level(speaker.level), speaker.site


def encode_downlink(message: Downlink, buffer: bytearray) -> int:
    """Write ``message`` into ``buffer`` (at least MAX_MESSAGE bytes) and return its length.

    :raises ValueError: the block has not 960 bytes, or there are more than three speakers.
    """
    count = len(message.speakers)
    if count > SLOTS:
        raise ValueError(f"at most {SLOTS} speakers, not {count}")
    speakers = [field for speaker in message.speakers for field in _speaker_fields(speaker)]
    _DOWNLINK.pack_into(
        buffer,
        0,
        _DOWNLINK_MAGIC,
        _VERSION,
        (message.block is not None) * _BLOCK_FLAG
        | message.recording * _RECORDING_FLAG
        | message.trial * _TRIAL_FLAG
        | message.violation * _VIOLATION_FLAG,
        message.seq & _U32,
        message.answered,
        message.knocks & _U32,
        message.admin_muted & _U32,
        message.admin_lifted & _U32,
        message.asked & _U32,
        message.door_commands & _U32,
        min(message.members, _U16),
        min(message.hands, _U16),
        message.link,
        message.door,
        count,
        0,
        *speakers,
        *_NOBODY * (SLOTS - count),
    )
    return _put_block(message.block, buffer, _DOWNLINK.size)


def repeat_downlink(seq: int, block: bytes | memoryview | None, buffer: bytearray, now_ns: int) -> int:
    """Make a downlink in ``buffer``, encoded before without a block, into the answer to ``seq``; returns its length.

    What does not change from block to block is not encoded again.

    :raises ValueError: the block has not 960 bytes.
    """
    buffer[_FLAGS_AT] = buffer[_FLAGS_AT] & ~_BLOCK_FLAG | (block is not None) * _BLOCK_FLAG
    _REPEATED.pack_into(buffer, _SEQ_AT, seq & _U32, now_ns)
    return _put_block(block, buffer, _DOWNLINK.size)


def _speakers(count: int, fields: list[int]) -> tuple[Speaker, ...]:
    _check(count <= SLOTS, "the downlink has too many speakers")
    _check(not any(fields[4 * count :]), "the downlink has a speaker too many")
    speakers = []
    for at in range(0, 4 * count, 4):
        hue, place, level, site = fields[at : at + 4]
        _check(hue < _HUES and place < _PLACES and site <= 1, "the downlink has a wrong sign")
        _check(_QUIETEST <= level <= 0, "the downlink has a wrong level")
        speakers.append(Speaker(hue, place, level, bool(site)))
    return tuple(speakers)


def decode_downlink(data: bytes | bytearray | memoryview) -> Downlink:
    """The message in ``data``.

    :raises ExchangeJunk: anything in it is not as it must be.
    """
    view = memoryview(data)
    known = _BLOCK_FLAG | _RECORDING_FLAG | _TRIAL_FLAG | _VIOLATION_FLAG
    flags = _check_head(view, _DOWNLINK, _DOWNLINK_MAGIC, known)
    (_, _, _, seq, answered, knocks, muted, lifted, asked, commands, members, hands, link, door, count, zero, *rest) = (
        _DOWNLINK.unpack_from(view)
    )
    _check(zero == 0, "the downlink's spare byte is not zero")
    _check(link < len(_PHASES) and door < len(_DOORS), "the downlink has a wrong phase or door")
    return Downlink(
        seq=seq,
        block=_block_of(view, _DOWNLINK),
        link=_PHASES[link],
        speakers=_speakers(count, rest),
        members=members,
        hands=hands,
        knocks=knocks,
        admin_muted=muted,
        admin_lifted=lifted,
        asked=asked,
        door_commands=commands,
        door=_DOORS[door],
        recording=bool(flags & _RECORDING_FLAG),
        trial=bool(flags & _TRIAL_FLAG),
        violation=bool(flags & _VIOLATION_FLAG),
        answered=answered,
    )


class UplinkReader:
    """Decodes uplinks, and knows again what has not changed but for number and block: most are like the one before."""

    def __init__(self) -> None:
        self._head = b""
        self._size = 0
        self._says: tuple[Any, ...] = ()

    def read(self, view: memoryview) -> Uplink:
        """The message in ``view``.

        :raises ExchangeJunk: anything in it is not as it must be.
        """
        head = view[:_SEQ_AT].tobytes() + view[_UPLINK_SAYS_AT : _UPLINK.size].tobytes()
        if head == self._head and len(view) == self._size:
            (seq,) = _SEQ.unpack_from(view, _SEQ_AT)
            return Uplink._make((seq, _block_of(view, _UPLINK), *self._says))
        message = decode_uplink(view)
        self._head, self._size, self._says = head, len(view), message[2:]
        return message


class DownlinkReader:
    """The same for downlinks, in which the time of answering changes too."""

    def __init__(self) -> None:
        self._head = b""
        self._size = 0
        self._says: tuple[Any, ...] = ()

    def read(self, view: memoryview) -> Downlink:
        """The message in ``view``.

        :raises ExchangeJunk: anything in it is not as it must be.
        """
        head = view[:_SEQ_AT].tobytes() + view[_DOWNLINK_SAYS_AT : _DOWNLINK.size].tobytes()
        if head == self._head and len(view) == self._size:
            seq, answered = _REPEATED.unpack_from(view, _SEQ_AT)
            return Downlink._make((seq, _block_of(view, _DOWNLINK), *self._says, answered))
        message = decode_downlink(view)
        self._head, self._size, self._says = head, len(view), message[2:-1]
        return message
