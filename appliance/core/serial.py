"""Numbers that wrap, as RTP counts packets and samples (RFC 3550; RFC 1982): how far one is from another."""


def sequence_distance(to: int, start: int) -> int:
    """How many packets ``to`` is after ``start`` (modulo 2**16): -32768 to 32767."""
    return ((to - start + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(to: int, start: int) -> int:
    """How many samples ``to`` is after ``start`` (modulo 2**32): -2**31 to 2**31 - 1."""
    return ((to - start + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
