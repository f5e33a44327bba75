# ruff: noqa: SLF001  # the session inside pylibsrtp's Session, to work in place
"""The device's SRTP: ready packets protected and deciphered in place (RFC 3711), by libsrtp through pylibsrtp.

pylibsrtp's own methods copy each packet twice; its cffi binding works on our buffers. What is private there is listed and
guarded together with webrtc.py.
"""

import threading
from collections.abc import Callable
from typing import Any

import pylibsrtp

MOST_BYTES = 1472
"""The largest datagram: what fits into an Ethernet frame over IPv4."""

_TRAILER = 148  # SRTP and SRTCP add at most this much (SRTP_MAX_TRAILER_LEN + 4)

_private: Any = pylibsrtp
_ffi = _private.ffi
_protect, _protect_rtcp = _private.lib.srtp_protect, _private.lib.srtp_protect_rtcp
_unprotect, _unprotect_rtcp = _private.lib.srtp_unprotect, _private.lib.srtp_unprotect_rtcp


Leave = Callable[[memoryview], None]
"""Sends one datagram; raises OSError when it did not leave."""


class Outgoing:
    """What leaves: protected in place, handed to its way by the calling thread.

    Packets of media come from the exchange thread, RTCP from the loop; the lock keeps them apart in the SRTP session and
    makes closing final: after it nothing leaves any more.

    :param leave: sends one datagram, or raises OSError.
    """

    def __init__(self, session: pylibsrtp.Session, leave: Leave) -> None:
        self.buffer = bytearray(MOST_BYTES + _TRAILER)
        self._rtcp_buffer = bytearray(MOST_BYTES + _TRAILER)
        self._cdata = _ffi.from_buffer(self.buffer)
        self._rtcp_cdata = _ffi.from_buffer(self._rtcp_buffer)
        self._view = memoryview(self.buffer)
        self._rtcp_view = memoryview(self._rtcp_buffer)
        self._length = _ffi.new("int *")
        self._session = session  # owns what is next
        self._srtp = session._srtp[0]
        self._leave: Leave | None = leave
        self._lock = threading.Lock()
        self.rtp_packets = 0
        """Packets of media that were to leave here, counted where nothing of ours comes after."""

    def rtp(self, length: int) -> bool:
        """Protect and send the first ``length`` bytes of :attr:`buffer`; False when it did not leave."""
        with self._lock:
            self.rtp_packets += 1
            return self._send(_protect, self._cdata, self._view, length)

    def rtcp(self, packet: bytes) -> bool:
        """Protect and send one RTCP packet; False when it did not leave."""
        with self._lock:
            self._rtcp_buffer[: len(packet)] = packet
            return self._send(_protect_rtcp, self._rtcp_cdata, self._rtcp_view, len(packet))

    def _send(self, protect: Callable[..., int], cdata: object, view: memoryview, length: int) -> bool:
        if self._leave is None:
            return False
        self._length[0] = length
        if protect(self._srtp, cdata, self._length) != 0:
            return False
        try:
            self._leave(view[: self._length[0]])
        except OSError:  # the buffer is full, or the network is away: the watchdog tells the second one
            return False
        return True

    def move(self, leave: Leave) -> None:
        """Send another way from now on, unless it is closed."""
        with self._lock:
            if self._leave is not None:
                self._leave = leave

    def close(self) -> None:
        """Let nothing leave any more."""
        with self._lock:
            self._leave = None


class Incoming:
    """What comes: deciphered in place and given on; no queue."""

    def __init__(
        self,
        session: pylibsrtp.Session,
        on_rtp: Callable[[memoryview, float], None],
        on_rtcp: Callable[[memoryview, float], None],
        count: Callable[[str], None],
    ) -> None:
        self._session = session  # owns what is next
        self._srtp = session._srtp[0]
        self._lock = threading.Lock()
        self._buffer = bytearray(MOST_BYTES + _TRAILER)
        self._cdata = _ffi.from_buffer(self._buffer)
        self._view = memoryview(self._buffer)
        self._length = _ffi.new("int *")
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._count = count

    def take(self, data: bytes | memoryview, now: float) -> bool:
        """Take one datagram; whether it was a packet of the host. The loop and a polling thread may meet here."""
        with self._lock:
            return self._take(data, now)

    def _take(self, data: bytes | memoryview, now: float) -> bool:
        if not 12 <= len(data) <= len(self._buffer):
            self._count("packets_junk")
            return False
        self._buffer[: len(data)] = data
        self._length[0] = len(data)
        rtcp = 192 <= data[1] <= 223  # RFC 5761, 4
        unprotect = _unprotect_rtcp if rtcp else _unprotect
        if unprotect(self._srtp, self._cdata, self._length) != 0:
            self._count("packets_refused")
            return False
        (self._on_rtcp if rtcp else self._on_rtp)(self._view[: self._length[0]], now)
        return True
