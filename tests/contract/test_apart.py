"""The network in which engines and their servers meet."""

import asyncio
import socket
import threading

from tests.contract.apart import ADDRESS, apart


def _interfaces() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def test_it_is_another_network_and_the_thread_comes_back_out_of_it() -> None:
    before = _interfaces()
    for _ in range(2):
        with apart() as address:
            assert _interfaces() == {"lo", "near", "far"}
            with socket.create_server((address, 0)) as server, socket.create_connection(server.getsockname()) as client:
                assert client.getpeername()[0] == ADDRESS
        assert _interfaces() == before


def test_threads_of_inside_stay_inside_and_it_may_be_entered_twice() -> None:
    seen: list[set[str]] = []
    with apart():
        thread = threading.Thread(target=lambda: seen.append(_interfaces()))
        with apart():
            pass
        assert "near" in _interfaces()
        thread.start()
        thread.join()
    assert seen == [{"lo", "near", "far"}]


async def test_datagrams_pass() -> None:
    with apart() as address:
        loop = asyncio.get_running_loop()
        with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
            one.setblocking(False)
            one.bind((address, 0))
            other.sendto(b"here", one.getsockname())
            assert await asyncio.wait_for(loop.sock_recv(one, 10), 5) == b"here"
