"""What a process of ours ends with: read by whoever started it, a person, systemd or ``kontor run``."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes (sysexits.h)."""

    OK = 0
    USAGE = 64
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    TRY_AGAIN = 75
    CONFIGURATION = 78
