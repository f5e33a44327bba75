"""The exchange over real sockets: sound never blocks or raises, whatever link does."""

import socket
import threading
import time
from pathlib import Path

import pytest

from appliance.core.controls import Door
from appliance.media import exchange
from appliance.media.exchange import (
    MAX_MESSAGE,
    WINDOW,
    Client,
    Downlink,
    ExchangeClosed,
    ExchangeJunk,
    Listener,
    Uplink,
    encode_downlink,
    encode_uplink,
)

BLOCK = bytes(range(240)) * 4


def raw(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(str(path))
    sock.settimeout(1)
    return sock


def downlink_bytes(seq: int) -> bytes:
    buffer = bytearray(MAX_MESSAGE)
    return bytes(buffer[: encode_downlink(Downlink(seq, block=BLOCK), buffer)])


def test_a_block_goes_up_and_its_answer_comes_down(listener: Listener, client: Client) -> None:
    assert listener.send(Uplink(7, block=BLOCK, level=-20, door=Door.LISTENING))
    got = client.receive()
    assert got is not None
    assert (got.seq, got.block, got.level, got.door) == (7, BLOCK, -20, Door.LISTENING)
    assert client.send(Downlink(got.seq, block=BLOCK[::-1], members=3))
    answer = listener.receive()
    assert answer is not None
    assert (answer.seq, answer.block, answer.members) == (7, BLOCK[::-1], 3)
    assert listener.receive() is None
    assert listener.counts.as_dict() == dict.fromkeys(listener.counts.as_dict(), 0) | {
        "accepted": 1,
        "sent": 1,
        "received": 1,
    }
    assert listener.turnaround.count == 1
    assert 0 < listener.turnaround.percentile_ms(99) < 1000


def test_turnaround_is_the_time_that_link_took(listener: Listener, client: Client) -> None:
    listener.send(Uplink(1))
    client.receive()
    time.sleep(0.03)
    client.send(Downlink(1))
    time.sleep(0.05)  # sound looks late: no fault of link
    assert listener.receive() is not None
    assert 30 <= listener.turnaround.percentile_ms(50) < 60


def test_a_claimed_time_that_cannot_be_is_counted_and_not_measured(path: Path, listener: Listener) -> None:
    with raw(path) as link:
        listener.poll()
        for seq, answered in enumerate((0, time.monotonic_ns() + 10**12)):
            listener.send(Uplink(seq))
            buffer = bytearray(MAX_MESSAGE)
            link.send(buffer[: encode_downlink(Downlink(seq, answered=answered), buffer)])
            assert listener.receive() is not None
    assert (listener.counts.odd_stamps, listener.turnaround.count) == (2, 0)


def test_only_the_newest_answer_is_taken(listener: Listener, client: Client) -> None:
    for seq in range(3):
        listener.send(Uplink(seq))
    for seq in range(3):
        client.receive()
        client.send(Downlink(seq))
    newest = listener.receive()
    assert newest is not None
    assert newest.seq == 2
    assert listener.counts.skipped == 2


def test_without_link_nothing_happens(listener: Listener) -> None:
    assert not listener.poll()
    assert not listener.connected
    assert not listener.send(Uplink(1))
    assert listener.receive() is None


def test_a_newer_link_replaces_the_older(path: Path, listener: Listener, client: Client) -> None:
    second = Client(path, timeout=0.02)
    assert listener.poll()
    with pytest.raises(ExchangeClosed):
        client.receive()
    with pytest.raises(ExchangeClosed):
        client.send(Downlink(0))
    listener.send(Uplink(5))
    got = second.receive()
    assert got is not None
    assert got.seq == 5
    second.close()
    assert (listener.counts.accepted, listener.counts.replaced) == (2, 1)


@pytest.mark.parametrize("junk", [b"x", b"Kd", bytes(1019), b"\xff" * 4000, downlink_bytes(0)[:-1]])
def test_junk_closes_the_connection_and_the_next_link_works(path: Path, listener: Listener, junk: bytes) -> None:
    with raw(path) as bad:
        listener.poll()
        listener.send(Uplink(0))
        bad.send(junk)
        assert listener.receive() is None
        assert not listener.connected
        assert listener.counts.junk == 1
        assert len(bad.recv(2000)) < MAX_MESSAGE
        assert bad.recv(2000) == b""
    good = Client(path, timeout=0.02)
    assert listener.poll()
    assert listener.send(Uplink(1))
    assert good.receive() is not None
    good.close()


@pytest.mark.parametrize("seqs", [[4], [3, 3]])
def test_an_answer_to_nothing_is_junk(path: Path, listener: Listener, seqs: list[int]) -> None:
    with raw(path) as bad:
        listener.poll()
        listener.send(Uplink(3))
        for seq in seqs:
            bad.send(downlink_bytes(seq))
        listener.receive()
    assert (listener.connected, listener.counts.junk) == (False, 1)


def test_a_flood_closes_the_connection(path: Path, listener: Listener) -> None:
    with raw(path) as bad:
        listener.poll()
        for epoch in range(9):
            assert listener.send(Uplink(epoch, epoch=epoch))
        for seq in range(9):
            bad.send(downlink_bytes(seq))
        assert listener.receive() is None
    assert (listener.connected, listener.counts.floods) == (False, 1)


def test_eight_answers_are_no_flood(path: Path, listener: Listener) -> None:
    with raw(path) as link:
        listener.poll()
        for epoch in range(8):
            listener.send(Uplink(epoch, epoch=epoch))
        for seq in range(8):
            link.send(downlink_bytes(seq))
        newest = listener.receive()
        assert newest is not None
        assert (newest.seq, listener.connected, listener.counts.floods) == (7, True, 0)


def test_a_link_that_goes_is_counted_and_sound_goes_on(path: Path, listener: Listener) -> None:
    link = Client(path)
    listener.poll()
    link.close()
    assert listener.receive() is None
    assert (listener.connected, listener.counts.lost) == (False, 1)
    link = Client(path)
    listener.poll()
    link.close()
    assert not listener.send(Uplink(1))
    assert (listener.connected, listener.counts.lost) == (False, 2)


def test_a_link_that_dies_with_messages_unread_is_counted_once(path: Path, listener: Listener) -> None:
    link = Client(path)
    listener.poll()
    listener.send(Uplink(1))
    link.close()  # the kernel tells sound of a reset
    assert listener.receive() is None
    assert (listener.connected, listener.counts.lost, listener.counts.missing) == (False, 1, 0)


def test_a_kernel_queue_that_is_full_holds_back(listener: Listener, client: Client) -> None:
    assert listener._link is not None
    listener._link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the kernel's smallest
    sent = sum(listener.send(Uplink(seq, block=BLOCK, epoch=seq)) for seq in range(10))
    assert 0 < sent < 10
    assert listener.counts.held_back == 10 - sent
    assert listener.connected


def test_of_many_that_connect_at_once_the_last_stays(path: Path, listener: Listener) -> None:
    links = [Client(path, timeout=0.02) for _ in range(5)]
    listener.poll()
    listener.poll()
    listener.send(Uplink(1))
    for link in links[:-1]:
        with pytest.raises(ExchangeClosed):
            link.receive()
    assert links[-1].receive() is not None
    assert listener.counts.replaced == 4
    for link in links:
        link.close()


def test_link_reads_a_bounded_number_at_once_and_learns_of_a_reset(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(path))
    server.listen()
    client = Client(path)
    sound, _ = server.accept()
    buffer = bytearray(MAX_MESSAGE)
    for seq in range(70):
        sound.send(buffer[: encode_uplink(Uplink(seq), buffer)])
    assert client.receive() is not None
    assert client.counts.as_dict() == {"received": 64, "sent": 0, "unsent": 0, "stale": 0}
    client.send(Downlink(0))
    sound.close()  # with the answer unread
    with pytest.raises(ExchangeClosed):
        [client.receive() for _ in range(100)]
    client.close()
    server.close()


def test_a_stopped_link_is_sent_no_more_than_the_window(listener: Listener, client: Client) -> None:
    for seq in range(100):
        listener.send(Uplink(seq, block=BLOCK))
        assert listener.receive() is None
    assert listener.counts.sent == WINDOW
    assert listener.counts.held_back == 96
    assert listener.counts.missing == 100
    first = client.receive()
    assert first is not None
    assert (first.seq, client.counts.stale) == (0, 0)
    client.send(Downlink(first.seq))
    assert listener.receive() is not None
    assert listener.send(Uplink(100))


def test_a_close_passes_a_full_window_and_nothing_from_before_it_is_left(listener: Listener, client: Client) -> None:
    for seq in range(10):
        listener.send(Uplink(seq, block=BLOCK))
    assert listener.send(Uplink(10, epoch=1))
    got = client.receive()
    assert got is not None
    assert (got.seq, got.block, got.epoch) == (10, None, 1)
    assert client.counts.stale == WINDOW


def test_a_close_throws_away_what_link_has_in_hand(listener: Listener, client: Client) -> None:
    for seq in range(3):
        listener.send(Uplink(seq, block=BLOCK))
    got = client.receive()
    assert got is not None
    assert got.seq == 0
    listener.send(Uplink(3, epoch=1))
    got = client.receive()
    assert got is not None
    assert (got.seq, got.block) == (3, None)


def test_closed_and_opened_during_a_stall_keeps_only_what_is_after(listener: Listener, client: Client) -> None:
    listener.send(Uplink(0, block=BLOCK))
    listener.send(Uplink(1, epoch=1))
    listener.send(Uplink(2, epoch=1, block=BLOCK))
    listener.send(Uplink(3, epoch=2, block=BLOCK))
    got = client.receive()
    assert got is not None
    assert (got.seq, got.epoch) == (3, 2)


def test_even_closes_do_not_fill_memory(listener: Listener, client: Client) -> None:
    for seq in range(1000):
        listener.send(Uplink(seq, epoch=seq, block=BLOCK))
    assert listener.counts.sent == exchange.MOST_UNANSWERED


def test_receive_returns_none_when_nothing_comes_in_time(client: Client) -> None:
    before = time.monotonic()
    assert client.receive() is None
    assert 0.015 <= time.monotonic() - before < 1


def test_link_learns_of_junk_and_of_the_end(path: Path) -> None:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(path))
    server.listen()
    client = Client(path)
    sound, _ = server.accept()
    sound.send(b"no message")
    with pytest.raises(ExchangeJunk):
        client.receive()
    sound.close()
    with pytest.raises(ExchangeClosed):
        client.receive()
    client.close()
    server.close()


def test_a_sound_that_does_not_read_blocks_nothing(listener: Listener, client: Client) -> None:
    results = [client.send(Downlink(seq, block=BLOCK)) for seq in range(2000)]
    assert results[0] is True
    assert results[-1] is False
    assert client.counts.unsent == results.count(False)


def test_stop_wakes_a_waiting_link(path: Path, listener: Listener) -> None:
    client = Client(path, timeout=30)
    raised: list[Exception] = []

    def wait() -> None:
        try:
            client.receive()
        except ExchangeClosed as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.02)
    client.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert raised
    client.close()


def test_a_thousand_blocks_between_two_threads_lose_nothing(path: Path, listener: Listener) -> None:
    client = Client(path, timeout=5)
    listener.poll()
    seen: list[int] = []

    def link() -> None:
        while len(seen) < 1000:
            got = client.receive()
            assert got is not None
            seen.append(got.seq)
            client.send(Downlink(got.seq, block=got.block))

    thread = threading.Thread(target=link)
    thread.start()
    answered = 0
    end = time.monotonic() + 20
    seq = 0
    while answered < 1000 and time.monotonic() < end:
        answer = listener.receive()
        if answer is not None:
            answered += 1 + listener.counts.skipped
            listener.counts.skipped = 0
        if seq < 1000 and listener.send(Uplink(seq, block=BLOCK)):
            seq += 1
        time.sleep(0.0002)
    thread.join(5)
    client.close()
    assert seen == list(range(1000))
    assert answered == 1000
