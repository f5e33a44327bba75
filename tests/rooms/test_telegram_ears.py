"""When the last datagram came to this process, as Linux has it."""

import socket
import time

from appliance.rooms.telegram_ears import _age, heard_ago


def test_what_came_last_is_known_without_being_taken() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
    ):
        ours.bind(("127.0.0.1", 0))
        assert _age(ours.fileno()) is None
        theirs.sendto(b"hello", ours.getsockname())
        assert ours.recv(10) == b"hello"
        age = heard_ago()
        assert age is not None
        assert age < 5.0
        time.sleep(0.3)
        later = _age(ours.fileno())
        assert later is not None
        assert later >= 0.3
        assert _age(other.fileno()) is None
        assert _age(theirs.fileno()) is None
    assert _age(10**6) is None
