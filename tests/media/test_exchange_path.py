"""Where sound listens: whose path it is, and the socket that systemd hands over."""

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from appliance.media.exchange import Client, ExchangeBusy, ExchangeClosed, Listener, Uplink


def test_the_path_is_for_owner_and_group_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o077):
        before = os.umask(umask)
        try:
            listener = Listener(tmp_path / "exchange")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "exchange").stat().st_mode) == 0o660
        listener.close()
        assert not (tmp_path / "exchange").exists()


def test_a_stale_path_is_taken_over(path: Path) -> None:
    code = "import os, sys; from appliance.media.exchange import Listener; Listener(sys.argv[1]); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=30)
    assert path.is_socket()
    listener = Listener(path)
    client = Client(path)
    assert listener.poll()
    client.close()
    listener.close()


def test_a_living_listener_is_not_disturbed(path: Path, listener: Listener, client: Client) -> None:
    with pytest.raises(ExchangeBusy, match="is sound running already"):
        Listener(path)
    assert not listener.poll()
    listener.send(Uplink(1))
    assert client.receive() is not None


def test_a_file_at_the_path_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ExchangeBusy, match="is no socket"):
        Listener(path)
    assert path.read_text() == "precious"


def test_closing_leaves_a_successors_path(path: Path) -> None:
    first = Listener(path)
    path.unlink()
    second = Listener(path)
    first.close()
    assert path.is_socket()
    second.close()
    assert not path.exists()


def test_a_socket_from_systemd_is_used_and_its_path_stays(path: Path) -> None:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    opened.bind(str(path))
    opened.listen()
    listener = Listener(fd=opened.detach())
    client = Client(path)
    assert listener.poll()
    listener.close()
    with pytest.raises(ExchangeClosed):
        client.receive()
    client.close()
    assert path.is_socket()


def test_a_wrong_socket_from_systemd_is_refused(tmp_path: Path) -> None:
    for family, kind in ((socket.AF_UNIX, socket.SOCK_SEQPACKET), (socket.AF_UNIX, socket.SOCK_STREAM)):
        with socket.socket(family, kind) as wrong, pytest.raises(ValueError, match="ListenSequentialPacket="):
            Listener(fd=wrong.fileno())
    with pytest.raises(ValueError, match="either"):
        Listener()
    with pytest.raises(ValueError, match="either"):
        Listener(tmp_path / "x", fd=3)


def test_a_path_that_cannot_be_used_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Listener(tmp_path / "missing" / "exchange")
    with pytest.raises(OSError, match="too long"):
        Listener(tmp_path / ("x" * 120))


def test_link_waits_for_sound(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Client(path)
    listeners: list[Listener] = []
    timer = threading.Timer(0.1, lambda: listeners.append(Listener(path)))
    timer.start()
    client = Client(path, wait=10)
    timer.join()
    client.close()
    listeners[0].close()
