"""What stands around the image under test does its part: no image, no QEMU."""

from __future__ import annotations

import socket
import struct

from tests.image import dhcp, outside, sniffer
from tests.image.card import behind
from tests.image.inside.panel import LAMPS
from tools.pinmap import load

SERVER, DEVICE = socket.inet_aton("10.77.0.1"), socket.inet_aton("10.77.0.23")
MAC = bytes.fromhex("5254004b6f17")


def asked(kind: int, name: bytes = b"amber") -> bytes:
    """A message of a DHCP client."""
    head = dhcp._HEAD.pack(
        *(1, 1, 6, 0, 0x1234, 0, 0x8000, *[bytes(4)] * 4, MAC.ljust(16, b"\0"), bytes(64), bytes(128)),
        b"\x63\x82\x53\x63",
    )
    return head + bytes([53, 1, kind, 12, len(name)]) + name + b"\xff"


def test_the_dhcp_server_offers_and_then_gives_the_address() -> None:
    for kind, said in ((1, 2), (3, 5)):
        answer = dhcp.answer(asked(kind), SERVER, DEVICE)
        assert answer is not None
        assert answer[16:20] == DEVICE
        assert answer[28:34] == MAC
        assert struct.unpack_from("!I", answer, 4) == (0x1234,)
        assert dhcp.options(answer)[53] == bytes([said])
        assert 6 not in dhcp.options(answer), "no name server"


def test_the_dhcp_server_answers_nothing_else() -> None:
    assert dhcp.answer(asked(8), SERVER, DEVICE) is None
    assert dhcp.answer(b"junk", SERVER, DEVICE) is None
    assert dhcp.answer(bytes(300), SERVER, DEVICE) is None


def test_the_sniffer_tells_what_a_packet_is() -> None:
    ether = MAC + MAC
    addresses = SERVER + DEVICE
    udp = b"\x08\x00" + b"\x45" + bytes(8) + b"\x11" + bytes(2) + addresses + struct.pack("!HH", 68, 67) + bytes(4)
    assert sniffer.told(ether + udp) == "udp4 68 > 10.77.0.23:67"
    report = b"\x86\xdd" + bytes([0x60, 0, 0, 0, 0, 16, 0, 1]) + bytes(16) + b"\xff\x02" + bytes(13) + b"\x16"
    assert sniffer.told(ether + report + b"\x3a\0" + bytes(6) + b"\x8f\0") == "icmp6 type 143 > ff02::16"
    assert sniffer.told(ether + b"\x08\x06" + bytes(28)) == "ether 0806"


def test_what_a_device_has_no_reason_to_send_is_found() -> None:
    good = ["ether 0806", "udp4 68 > 255.255.255.255:67", "tcp4 40000 > 10.77.0.1:8443", "udp4 33333 > 10.77.0.1:8443"]
    assert outside.unexpected(good) == []
    bad = ["udp4 5353 > 224.0.0.252:5355", "tcp4 40000 > 10.77.0.1:80", "tcp4 40000 > 192.0.2.1:443"]
    assert outside.unexpected([*good, *bad]) == bad


def test_udp_may_be_open_for_dhcp_and_the_call_alone() -> None:
    listening = ["udp 0.0.0.0 123", "udp 0.0.0.0 5353", "udp 0.0.0.0 41234", "tcp 0.0.0.0 2222"]
    assert outside.allowed_udp(listening) == {68, 41234}


def test_the_lamps_stand_where_the_pin_map_has_them() -> None:
    lines = load().lines
    assert {lamp: lines[f"{lamp}_lamp"].gpio for lamp in LAMPS} == {lamp: line for lamp, (line, _) in LAMPS.items()}


def test_an_archive_stands_behind_the_first_at_a_multiple_of_four() -> None:
    assert behind(b"12345", b"0707") == b"12345\0\0\x000707"
    assert behind(b"1234", b"") == b"1234"
