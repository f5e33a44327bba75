"""Where sound listens: handed over by systemd or made by itself, and watched."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from appliance.app import exchange_path
from appliance.media.exchange import Client


def test_a_path_of_our_own(short_dir: Path) -> None:
    listener = exchange_path.listen(short_dir / "exchange")
    assert (short_dir / "exchange").is_socket()
    listener.close()
    assert not (short_dir / "exchange").exists()


@pytest.mark.parametrize("there", [True, False])
def test_a_socket_that_is_handed_over_counts_while_its_path_is_there(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    path = short_dir / "exchange"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as given:
        given.bind(str(path))
        given.listen()
        handed = os.dup(given.fileno())
    if not there:
        path.unlink()
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setattr(exchange_path, "_FIRST_LISTEN_FD", handed)
    listener = exchange_path.listen(path)
    client = Client(path, timeout=0.5)
    client.receive()  # connects
    assert listener.poll(), "whoever comes by the path is heard"
    client.close()
    listener.close()
    assert path.exists() is there, "what systemd made stays"
    if not there:
        os.close(handed)


@pytest.mark.virtual_time
async def test_a_removed_path_is_noticed_once_nobody_is_connected_any_more(short_dir: Path) -> None:
    listener = exchange_path.listen(short_dir / "exchange")
    connected = [True]
    watching = asyncio.create_task(exchange_path.watch(short_dir / "exchange", lambda: connected[0]))
    await asyncio.sleep(5)
    (short_dir / "exchange").unlink()
    await asyncio.sleep(5)
    assert not watching.done(), "whoever is connected stays so"
    connected[0] = False
    await asyncio.wait_for(watching, 2)
    listener.close()


@pytest.mark.virtual_time
async def test_a_path_that_stays_is_no_reason_to_end(short_dir: Path) -> None:
    listener = exchange_path.listen(short_dir / "exchange")
    watching = asyncio.create_task(exchange_path.watch(short_dir / "exchange", lambda: False))
    await asyncio.sleep(60)
    assert not watching.done()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    listener.close()
