"""Telling the service manager how we are: the sd_notify protocol (sd_notify(3)), spoken to systemd and to ``kontor run``."""

import os
import socket

_ABSTRACT = "@"


class Notifier:
    """Does nothing without NOTIFY_SOCKET. Never raises and never blocks: a full socket drops the message."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            self._address = "\0" + address[1:] if address.startswith(_ABSTRACT) else address

    def tell(self, *lines: str) -> bool:
        """Send one message such as "READY=1"; returns whether it was taken."""
        if not self._socket:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the socket back."""
        if self._socket:
            self._socket.close()
            self._socket = None
