"""SRTP in place, on buffers of ours, by libsrtp (RFC 3711, RFC 7714).

pylibsrtp's own methods copy every packet twice; its cffi functions work where the packet lies. In the host this file
is the only one that touches them; media/srtp.py is the device's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import pylibsrtp
from pylibsrtp import Policy, Session

_private: Any = pylibsrtp
ffi = _private.ffi
lib = _private.lib

Pointer: TypeAlias = Any
"""A cffi pointer: it has no type of its own at run time."""

OVERHEAD = 16
"""Most bytes that protecting adds to an RTP packet."""

_WINDOW = 1024
"""Packets that may come late and still pass the replay check."""

MOST_STREAMS = 8
"""Sources (SSRC) that one peer may send from: libsrtp keeps a state for each."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One protection profile and its key sizes, in bytes (RFC 5764, RFC 7714)."""

    number: int
    key: int
    salt: int


PROFILES: Mapping[bytes, Profile] = MappingProxyType(
    {
        b"SRTP_AEAD_AES_128_GCM": Profile(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
        b"SRTP_AES128_CM_SHA1_80": Profile(Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
    }
)
"""What the host can, by OpenSSL's names, best first."""


class Datagram:
    """A receive buffer that libsrtp can work on. ``view[:size]`` is the packet."""

    def __init__(self, capacity: int = 2048) -> None:
        self.data = bytearray(capacity)
        self.view = memoryview(self.data)
        self.size = 0
        self.pointer: Pointer = ffi.from_buffer("char[]", self.data)
        self.length: Pointer = ffi.new("int *")


class Inbound:
    """The peer's streams: verified and deciphered."""

    def __init__(self, profile: Profile, key: bytes) -> None:
        policy = Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile.number)
        policy.window_size = _WINDOW
        self._session = Session(policy)
        self._srtp: Pointer = self._session._srtp[0]  # noqa: SLF001  # pylibsrtp has no in-place call
        self._sources: set[bytes] = set()

    def open(self, packet: Datagram) -> bool:
        """Verify and decipher an RTP packet in place; ``packet.size`` becomes that of the plain packet.

        False when it is forged, replayed or damaged, or comes from one source too many; it is then rubbish.
        """
        return self._open(packet, packet.data[8:12], lib.srtp_unprotect)

    def open_rtcp(self, packet: Datagram) -> bool:
        """The same for an RTCP packet."""
        return self._open(packet, packet.data[4:8], lib.srtp_unprotect_rtcp)

    def _open(self, packet: Datagram, ssrc: bytearray, unprotect: Any) -> bool:
        source = bytes(ssrc)
        if source not in self._sources and len(self._sources) >= MOST_STREAMS:
            return False
        packet.length[0] = packet.size
        if unprotect(self._srtp, packet.pointer, packet.length) != lib.srtp_err_status_ok:
            return False
        self._sources.add(source)
        packet.size = packet.length[0]
        return True


class Outbound:
    """Our streams to one peer. Rows of a fan-out protect in place through :attr:`srtp`."""

    def __init__(self, profile: Profile, key: bytes) -> None:
        policy = Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile.number)
        policy.window_size = _WINDOW
        policy.allow_repeat_tx = True  # a late packet of a talker is sent late, and libsrtp must not mind
        self._session = Session(policy)
        self.srtp: Pointer = self._session._srtp[0]  # noqa: SLF001  # pylibsrtp has no in-place call

    def seal_rtcp(self, packet: bytes) -> bytes | None:
        """A protected copy of an RTCP packet; None when libsrtp refuses."""
        try:
            return self._session.protect_rtcp(packet)
        except pylibsrtp.Error:
            return None
