"""Whether a socket has something to read: one system call, and no exception when it has not, as reading in vain costs."""

import fcntl
import socket
import termios
from array import array


class Waiting:
    """For the sockets of one thread."""

    def __init__(self) -> None:
        self._size = array("i", [0])

    def at(self, sock: socket.socket) -> bool:
        """Whether bytes wait at ``sock``. An empty message looks like none, and so does the end of a connection."""
        fcntl.ioctl(sock, termios.FIONREAD, self._size, True)
        return self._size[0] > 0
