"""A Unix socket that nobody but our own user may open: whoever can says what it likes there, and is believed."""

import contextlib
import errno
import os
import socket
from pathlib import Path


def listen_privately(path: Path) -> socket.socket:
    """A socket at ``path``, not even for a moment open to others; a name that a killed process left there is replaced.

    :raises OSError: it cannot be had; with ``EADDRINUSE`` somebody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:  # nobody is there: at most a name that was left
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), os.fspath(path))
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(os.fspath(path))
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening
