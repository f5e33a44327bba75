"""Session descriptions: real offers of browsers and tools, answers that real ends accept, and whatever else comes."""

import asyncio
import contextlib
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from aioice import Candidate
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.sdp import (
    LEVEL_URI,
    MID_URI,
    MOST_BYTES,
    MOST_SECTIONS,
    HostTransport,
    LocalTransport,
    SdpError,
    build_answer,
    build_offer,
    fingerprint_text,
    parse_answer,
    parse_offer,
)

OFFERS = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "offers").glob("*.sdp"))}
ROOM = OFFERS["chromium-room"]
DIGEST = bytes(range(32))
HOST = HostTransport("hostfrag", "hostpassword0123456789", fingerprint_text(DIGEST), "192.0.2.1", 7000, 4711)
LOCAL = LocalTransport("devfrag", "devicepassword01234567", fingerprint_text(DIGEST))
SSRCS = (1001, 1002, 1003)


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def lines(text: str) -> list[str]:
    assert text.endswith("\r\n")
    return text.split("\r\n")[:-1]


def sections(text: str) -> list[list[str]]:
    """The lines of each m= section."""
    found: list[list[str]] = []
    for line in lines(text):
        if line.startswith("m="):
            found.append([])
        if found:
            found[-1].append(line)
    return found


# ---- offers of others


@pytest.mark.parametrize(
    ("name", "audio", "talking", "listening", "opus", "red", "level", "setup", "candidates"),
    [
        ("chromium-room", ["0", "1", "2"], "0", ["0", "1", "2"], 111, 63, 1, "actpass", 8),
        ("chromium-video-first", ["1", "2", "3"], "1", ["1", "2", "3"], 111, 63, 14, "actpass", 0),
        ("chromium-max-bundle", ["1", "2", "3"], "1", ["1", "2", "3"], 111, 63, 14, "actpass", 0),
        ("chromium-data", ["0", "1", "2"], "0", ["0", "1", "2"], 111, 63, 1, "actpass", 0),
        ("aiortc-room", ["0", "1", "2"], "0", ["0", "1", "2"], 96, None, 2, "actpass", 2),
        ("aiortc-data", ["0", "1", "2"], "0", ["0", "1", "2"], 96, None, 2, "actpass", 4),
        ("firefox-room", ["0", "1", "2"], "0", ["0", "1", "2"], 109, None, 1, "actpass", 0),
        ("ffmpeg-whip", ["0"], "0", [], 111, None, None, "active", 0),
        ("gstreamer-whip", ["audio0"], "audio0", [], 96, None, None, "actpass", 2),
        ("session-level", ["0"], "0", [], 111, None, None, "actpass", 1),
    ],
)
def test_real_offers_are_read(
    name: str,
    audio: list[str],
    talking: str,
    listening: list[str],
    opus: int,
    red: int | None,
    level: int | None,
    setup: str,
    candidates: int,
) -> None:
    for text in (OFFERS[name], crlf(OFFERS[name])):
        offer = parse_offer(text)
        assert [section.mid for section in offer.audio] == audio
        assert offer.talking is not None
        assert offer.talking.mid == talking
        assert [section.mid for section in offer.listening] == listening
        assert {(section.opus, section.red) for section in offer.audio} == {(opus, red)}
        assert offer.talking.extensions.get(LEVEL_URI) == level
        assert offer.setup == setup
        assert len(offer.candidates) == candidates
        assert parse_offer(text.encode()) == offer


def test_the_transport_of_an_offer_is_read() -> None:
    offer = parse_offer(OFFERS["firefox-room"])
    assert (offer.ufrag, offer.pwd) == ("1b2c3d4e", "6c7f2b0fd0cb3a1fb1e1d3a0c2f5e490")
    assert offer.fingerprint.hex().startswith("12488f1813")
    assert offer.bundle == ("0", "1", "2")
    assert not offer.ice_lite
    lower = parse_offer(OFFERS["session-level"])
    assert (lower.ufrag, lower.pwd) == ("oS9w", "3BkVwWlZVdRtJq9xvB2m7n")
    assert lower.fingerprint.hex().startswith("6c223d8f")
    assert lower.talking is not None
    assert lower.talking.fmtp.startswith("minptime=10;maxaveragebitrate=96000")
    assert lower.talking.ssrcs == (1339219862,)


def test_candidates_are_such_that_aioice_reads_them() -> None:
    for name in ("chromium-room", "aiortc-room", "gstreamer-whip"):
        for candidate in parse_offer(OFFERS[name]).candidates:
            assert Candidate.from_sdp(candidate).component == 1


def test_red_is_read_and_not_answered() -> None:
    assert "red" not in build_answer(parse_offer(ROOM), HOST, SSRCS)


# ---- answers


def test_the_answer_to_a_browser_line_by_line() -> None:
    answer = build_answer(parse_offer(ROOM), HOST, SSRCS, "minptime=10")
    session = lines(answer)[: lines(answer).index(sections(answer)[0][0])]
    assert session == [
        "v=0",
        "o=- 4711 2 IN IP4 192.0.2.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE 0 1 2",
        "a=msid-semantic: WMS *",
    ]
    for index, section in enumerate(sections(answer)):
        assert section[0] == "m=audio 7000 UDP/TLS/RTP/SAVPF 111"
        assert section[1] == "c=IN IP4 192.0.2.1"
        assert set(section[2:]) == {
            "a=sendrecv" if index == 0 else "a=sendonly",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 minptime=10",
            f"a=extmap:4 {MID_URI}",
            f"a=extmap:1 {LEVEL_URI}",
            f"a=msid:slot-{index} track-{index}",
            f"a=ssrc:{SSRCS[index]} cname:room",
            "a=candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host",
            "a=end-of-candidates",
            f"a=mid:{index}",
            "a=rtcp-mux",
            "a=ice-ufrag:hostfrag",
            "a=ice-pwd:hostpassword0123456789",
            f"a=fingerprint:sha-256 {fingerprint_text(DIGEST)}",
            "a=setup:passive",
        }


@pytest.mark.parametrize("name", OFFERS)
def test_every_answer_is_read_back_by_the_other_half(name: str) -> None:
    offer = parse_offer(OFFERS[name])
    answer = parse_answer(build_answer(offer, HOST, SSRCS), [section.mid for section in offer.media])
    assert (answer.ufrag, answer.pwd, answer.fingerprint) == (HOST.ufrag, HOST.pwd, DIGEST)
    assert answer.setup == "passive"
    assert answer.ice_lite
    assert answer.candidates == ("1 1 udp 2130706431 192.0.2.1 7000 typ host",)
    assert [s.mid for s in answer.audio] == [s.mid for s in offer.audio]
    assert [s.mid for s in answer.audio if s.receives] == [s.mid for s in offer.audio if s == offer.talking]
    assert [s.ssrcs for s in answer.audio if s.sends] == [(ssrc,) for ssrc in SSRCS[: len(offer.listening)]]
    for own, other in zip(answer.audio, offer.audio, strict=True):
        assert (own.opus, own.red) == (other.opus, None)
        assert own.extensions == {u: i for u, i in other.extensions.items() if u in (LEVEL_URI, MID_URI)}


def test_an_ipv6_host_says_so() -> None:
    answer = build_answer(parse_offer(ROOM), replace(HOST, address="2001:db8::1"), SSRCS)
    assert "o=- 4711 2 IN IP6 2001:db8::1" in lines(answer)
    assert "c=IN IP6 2001:db8::1" in lines(answer)
    assert parse_answer(answer).candidates == ("1 1 udp 2130706431 2001:db8::1 7000 typ host",)


def test_sections_beyond_the_slots_are_rejected() -> None:
    answer = build_answer(parse_offer(ROOM), HOST, SSRCS[:2])
    assert [section[0] for section in sections(answer)] == [
        "m=audio 7000 UDP/TLS/RTP/SAVPF 111",
        "m=audio 7000 UDP/TLS/RTP/SAVPF 111",
        "m=audio 0 UDP/TLS/RTP/SAVPF 111",
    ]
    assert "a=inactive" in sections(answer)[2]
    assert "a=group:BUNDLE 0 1" in lines(answer)


def test_without_slots_a_talker_is_only_received() -> None:
    assert "a=recvonly" in sections(build_answer(parse_offer(ROOM), HOST, ()))[0]


def test_a_listener_is_not_received() -> None:
    answer = build_answer(parse_offer(ROOM), HOST, SSRCS, talk=False)
    assert [section[2] for section in sections(answer)] == ["a=sendonly"] * 3
    with pytest.raises(SdpError, match="only sends"):
        build_answer(parse_offer(OFFERS["ffmpeg-whip"]), HOST, SSRCS, talk=False)


def test_one_section_is_received_of_those_that_send() -> None:
    everything = ROOM.replace("a=recvonly", "a=sendrecv")
    answer = build_answer(parse_offer(everything), HOST, SSRCS)
    assert [section[2] for section in sections(answer)] == ["a=sendrecv", "a=sendonly", "a=sendonly"]


def test_a_second_section_that_only_sends_is_rejected() -> None:
    offer = parse_offer(ROOM.replace("a=recvonly", "a=sendonly"))
    assert [s.mid for s in offer.listening] == ["0"]
    answer = build_answer(offer, HOST, SSRCS)
    assert [section[0].split()[1] for section in sections(answer)] == ["7000", "0", "0"]


def test_video_and_data_are_turned_down() -> None:
    offer = parse_offer(OFFERS["session-level"])
    answer = sections(build_answer(offer, HOST, ()))
    assert answer[1][:4] == [
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=inactive",
        "a=rtpmap:96 H264/90000",
    ]
    data = build_answer(parse_offer(OFFERS["aiortc-data"]), HOST, SSRCS)
    assert sections(data)[3][0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"
    assert "a=group:BUNDLE 0 1 2" in lines(data)


def test_the_section_that_a_bundle_hangs_on_is_kept() -> None:
    answer = build_answer(parse_offer(OFFERS["chromium-max-bundle"]), HOST, SSRCS)
    assert "a=group:BUNDLE 0 1 2 3" in lines(answer)
    assert sections(answer)[0][:4] == [
        "m=video 7000 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 192.0.2.1",
        "a=inactive",
        "a=rtpmap:96 VP8/90000",
    ]


@pytest.mark.parametrize(
    "change",
    [
        ("a=rtpmap:96 VP8/90000\n", ""),  # no codec that could be repeated
        ("m=video 9 UDP/TLS/RTP/SAVPF", "m=video 0 UDP/TLS/RTP/SAVPF"),
        ("m=video 9 UDP/TLS/RTP/SAVPF", "m=video 9 RTP/AVP"),
        ("a=group:BUNDLE 0 1 2 3", "a=group:BUNDLE 1 2 3"),
    ],
)
def test_a_section_that_cannot_be_kept_is_rejected(change: tuple[str, str]) -> None:
    text = OFFERS["chromium-max-bundle"].replace(*change)
    assert text != OFFERS["chromium-max-bundle"]
    answer = build_answer(parse_offer(text), HOST, SSRCS)
    assert sections(answer)[0][0].startswith("m=video 0 ")
    assert "a=group:BUNDLE 1 2 3" in lines(answer)


def test_a_single_section_needs_no_bundle() -> None:
    alone = OFFERS["gstreamer-whip"].replace("a=group:BUNDLE audio0\n", "")
    offer = parse_offer(alone)
    assert offer.bundle == ()
    assert offer.carrier is None
    assert "BUNDLE" not in build_answer(offer, HOST, SSRCS)


@pytest.mark.parametrize(
    ("offered", "own", "fits"),
    [
        ("actpass", "passive", True),
        ("actpass", "active", True),
        ("active", "passive", True),
        ("passive", "active", True),
        ("passive", "passive", False),
        ("active", "active", False),
    ],
)
def test_both_ends_cannot_have_the_same_part_in_dtls(
    offered: str, own: Literal["active", "passive"], fits: bool
) -> None:
    offer = parse_offer(ROOM.replace("a=setup:actpass", f"a=setup:{offered}"))
    host = replace(HOST, setup=own)
    if fits:
        assert parse_answer(build_answer(offer, host, SSRCS)).setup == own
    else:
        with pytest.raises(SdpError, match=f"a=setup:{own}, which is this host's part"):
            build_answer(offer, host, SSRCS)


# ---- what a device says and hears


@pytest.mark.parametrize("send", [True, False])
def test_a_device_and_its_host_understand_each_other(send: bool) -> None:
    candidates = ["1 1 udp 2130706431 192.0.2.44 40000 typ host"]
    offer = parse_offer(build_offer(LOCAL, candidates, send=send, ssrc=77, session_id=9))
    assert offer.candidates == tuple(candidates)
    assert offer.fingerprint == DIGEST
    assert offer.setup == "active"
    assert [s.mid for s in offer.listening] == ["0", "1", "2"]
    assert (offer.talking is not None) == send
    assert offer.media[0].ssrcs == ((77,) if send else ())
    assert offer.media[1].ssrcs == ()
    answer = parse_answer(build_answer(offer, HOST, SSRCS), ["0", "1", "2"])
    assert [s.direction for s in answer.media] == ["sendrecv" if send else "sendonly", "sendonly", "sendonly"]
    assert answer.media[0].extensions == {MID_URI: 1, LEVEL_URI: 2}


def test_a_device_may_have_no_ssrc_to_tell() -> None:
    assert "a=ssrc" not in build_offer(LOCAL, [])


def test_an_answer_to_another_offer_is_refused() -> None:
    answer = build_answer(parse_offer(ROOM), HOST, SSRCS)
    with pytest.raises(SdpError, match="sections of the offer"):
        parse_answer(answer, ["0", "1"])
    with pytest.raises(SdpError, match="does not decide"):
        parse_answer(answer.replace("a=setup:passive", "a=setup:actpass"))


def test_a_device_uses_candidates_for_udp_only() -> None:
    answer = build_answer(parse_offer(ROOM), HOST, SSRCS).replace(
        "a=end-of-candidates",
        "a=candidate:2 1 TCP 1 192.0.2.1 9 typ host tcptype passive\r\n"
        "a=candidate:3 2 UDP 1 192.0.2.1 7001 typ host\r\n"
        "a=candidate:4 1 UDP 1 192.0.2.2 7002 typ srflx raddr 0.0.0.0 rport 0",
        1,
    )
    assert parse_answer(answer).candidates == (
        "1 1 udp 2130706431 192.0.2.1 7000 typ host",
        "4 1 UDP 1 192.0.2.2 7002 typ srflx raddr 0.0.0.0 rport 0",
    )


# ---- real ends


@pytest.mark.parametrize("first", ["", "video", "data"])
async def test_aiortc_accepts_our_answers(first: str) -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    if first == "video":
        peer.addTransceiver("video", direction="recvonly")
    if first == "data":
        peer.createDataChannel("x")
    peer.addTransceiver(AudioStreamTrack(), direction="sendrecv")
    peer.addTransceiver("audio", direction="recvonly")
    peer.addTransceiver("audio", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    answer = build_answer(parse_offer(peer.localDescription.sdp), HOST, SSRCS)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    assert peer.signalingState == "stable"
    directions = [transceiver.currentDirection for transceiver in peer.getTransceivers()]
    assert directions[-3:] == ["sendrecv", "recvonly", "recvonly"]
    await peer.close()


async def test_aiortc_answers_our_offers_and_we_read_its_answers() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await peer.setRemoteDescription(RTCSessionDescription(build_offer(LOCAL, [], ssrc=77), "offer"))
    peer.addTrack(AudioStreamTrack())
    await peer.setLocalDescription(await peer.createAnswer())
    answer = parse_answer(peer.localDescription.sdp, ["0", "1", "2"])
    assert answer.setup == "passive"
    assert answer.media[0].opus == 111
    assert answer.media[0].direction == "sendrecv"
    assert len(answer.media[0].ssrcs) == 1
    await asyncio.sleep(0)
    await peer.close()


# ---- junk

REFUSED = [
    ("", "does not begin"),
    ("v=0", "does not begin"),
    ("v=1\no=- 1 2 IN IP4 0.0.0.0\n", "does not begin"),
    ("v=0\no=- 1 2 IN IP4 0.0.0.0\ns=-\nt=0 0\n", "no audio section"),
    ("junk", "letter=value"),
    ("x" * (MOST_BYTES + 1), "64 KiB"),
    (ROOM + "a=" + "x" * 3000, "2048 characters"),
    (ROOM.replace("a=mid:1", "a=mid:\x00"), "control characters"),
    (ROOM.replace("a=mid:1", "a=mid:1\ra=x"), "control characters"),
    (ROOM.replace("a=mid:1", "a=mid:0"), "same a=mid"),
    (ROOM.replace("a=mid:1\n", ""), "lacks a=mid"),
    (ROOM.replace("a=mid:1", "a=mid:" + "m" * 17), "at most 16"),
    (ROOM.replace("a=mid:1", "a=mid:ä"), "lacks a=mid"),
    (ROOM.replace("a=rtcp-mux", "a=nothing"), "lacks a=rtcp-mux"),
    (ROOM.replace("opus/48000/2", "opus/16000"), "no Opus"),
    (ROOM.replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:112 opus/48000/2"), "no Opus"),
    (ROOM.replace("a=sendrecv", "a=inactive").replace("a=recvonly", "a=inactive"), "is inactive"),
    (ROOM.replace("a=sendrecv", "a=sendrecv\na=inactive"), "two directions"),
    (ROOM.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "other than DTLS-SRTP"),
    (ROOM.replace("a=group:BUNDLE 0 1 2\n", ""), "not all in one BUNDLE"),
    (ROOM.replace("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1"), "not all in one BUNDLE"),
    (ROOM.replace("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1 2 2"), "names a section twice"),
    (ROOM.replace("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1 2\na=group:BUNDLE 0"), "more than one BUNDLE"),
    (ROOM.replace("a=ice-ufrag:", "a=ice-nothing:"), "ICE credentials"),
    (ROOM.replace("a=ice-ufrag:", "a=ice-ufrag:="), "ICE credentials"),
    (ROOM.replace("a=ice-pwd:", "a=ice-pwd:short\na=x:"), "ICE credentials"),
    (ROOM.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1"), "sha-256 fingerprint"),
    (ROOM.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:"), "sha-256 fingerprint"),
    (ROOM.replace("a=setup:actpass", "a=setup:holdconn"), "lacks a=setup"),
    (ROOM.replace("a=setup:actpass", "a=nothing"), "lacks a=setup"),
    (ROOM.replace("m=audio ", "m=audio  ", 1), "malformed m="),
    (ROOM.replace("m=audio ", "m=audio x", 1), "port is not a number"),
    (ROOM.replace("111 63 9", "111 63 " + "9 " * 200), "malformed m="),
    (ROOM.replace("111 63", "111 6\u00b3"), "malformed m="),
    (ROOM.replace("a=ssrc:", "a=ssrc:9999999"), "SSRC is not a number"),
    (ROOM.replace("a=ssrc:", "a=ssrc:\u0661"), "SSRC is not a number"),
    (ROOM.replace("a=extmap:1 ", "a=extmap:x "), "extension id is not a number"),
    (ROOM.replace("a=extmap:1 ", "a=extmap:4 "), "same id"),
    (ROOM.replace("a=extmap:1 ", "a=extmap:13 ", 1), "number their header extensions differently"),
    (ROOM.replace(" 111 ", " 77 ").replace(":111 ", ":77 "), "64 to 95"),
    (ROOM.replace(" 111 ", " 200 ").replace(":111 ", ":200 "), "payload type is not a number"),
    (ROOM.replace(" 111 ", " 112 ", 1).replace(":111 ", ":112 ", 1), "number their codecs differently"),
    (ROOM.replace("typ host", "type host"), "malformed candidate"),
    (ROOM + "a=candidate:1 1 udp 1 192.0.2.1 99999 typ host\n", "port of a candidate"),
    (
        ROOM + "".join(f"a=candidate:{i} 1 udp 1 192.0.2.1 9 typ host\n" for i in range(200)),
        "more than 128 candidates",
    ),
    (ROOM + "m=audio 9 UDP/TLS/RTP/SAVPF 111\n" * MOST_SECTIONS, "more than 16 sections"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED, ids=[f"{i}-{why[:24]}" for i, (_, why) in enumerate(REFUSED)])
def test_what_is_wrong_is_refused_with_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SdpError, match=sentence) as caught:
        parse_offer(text)
    message = str(caught.value)
    assert message[0].isupper()
    assert message.endswith(".")
    assert "\n" not in message


def test_a_rejected_section_says_so() -> None:
    with pytest.raises(SdpError, match="rejected"):
        parse_offer(OFFERS["gstreamer-whip"].replace("m=audio 9", "m=audio 0"))


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(SdpError, match="UTF-8"):
        parse_offer(ROOM.encode() + b"\xff")


def test_what_does_not_concern_us_is_left_alone() -> None:
    text = ROOM.replace(
        "a=extmap-allow-mixed",
        "b=AS:30\na=extmap-allow-mixed\na=extmap:4096 urn:big\na=extmap:13\na=x\nz=ä\na=extmap:15 urn:reserved",
    )
    assert text != ROOM
    assert replace(parse_offer(text), media=()) == replace(parse_offer(ROOM), media=())
    assert "urn:big" not in parse_offer(text).media[0].extensions


def test_the_first_codec_of_a_format_counts() -> None:
    text = OFFERS["gstreamer-whip"].replace("a=rtpmap:96 OPUS/48000", "a=rtpmap:96 OPUS/48000\na=rtpmap:96 PCMU/8000")
    assert parse_offer(text).audio[0].opus == 96


def test_nothing_of_an_offer_gets_into_an_answer_but_tokens() -> None:
    """A name that tries to add lines of its own to the answer."""
    for bad in ("a=mid:0\u2028a=ice-lite", "a=mid:0 a=ssrc:1", "a=mid:0\x0ba=setup:active"):
        with pytest.raises(SdpError):
            parse_offer(ROOM.replace("a=mid:0", bad))


def mutated(rng: random.Random, text: str) -> str:
    """An offer with a few things wrong: characters, lines, values, or parts of another offer."""
    rows = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        i = rng.randrange(len(rows))
        action = rng.randrange(7)
        if action == 0:
            rows.pop(i)
        elif action == 1:
            rows.insert(i, rng.choice(rows))
        elif action == 2:
            j = rng.randrange(len(rows))
            rows[i], rows[j] = rows[j], rows[i]
        elif action == 3:
            head, _, tail = rows[i].partition(":")
            rows[i] = (
                f"{head}:{rng.choice(('', '-1', '99999999999999999999999', 'ä', '²', tail * 40, tail[::-1], '0x10', ' '))}"
            )
        elif action == 4 and rows[i]:
            at = rng.randrange(len(rows[i]))
            rows[i] = (
                rows[i][:at]
                + chr(rng.choice((0, 10, 13, 32, 58, 0x2028, 0xD800, rng.randrange(256))))
                + rows[i][at + 1 :]
            )
        elif action == 5:
            rows[i] = rng.choice(rng.choice(list(OFFERS.values())).split("\n"))
        else:
            rows[i] = rows[i][: rng.randrange(len(rows[i]) + 1)]
        rows = rows or [""]
    return "\n".join(rows)


def test_ten_thousand_mutated_offers_raise_nothing_but_sdp_errors() -> None:
    rng = random.Random(20261126)
    texts = list(OFFERS.values())
    outcome = {"answered": 0, "refused": 0}
    for _ in range(10_000):
        try:
            offer = parse_offer(mutated(rng, rng.choice(texts)))
            answer = build_answer(offer, HOST, SSRCS)
        except SdpError:
            outcome["refused"] += 1
        else:
            # Whatever was in the offer, the answer to it is sound.
            assert parse_answer(answer, [section.mid for section in offer.media]).ufrag == HOST.ufrag
            outcome["answered"] += 1
    # Both happen often, so that the mutations are neither harmless nor hopeless.
    assert min(outcome.values()) > 2000


@given(st.one_of(st.text(), st.binary(), st.text(alphabet="vosmatc=:0 1\r\n/"), st.builds(ROOM.__add__, st.text())))
def test_any_text_is_an_offer_or_an_sdp_error(text: str | bytes) -> None:
    with contextlib.suppress(SdpError):
        assert parse_offer(text).audio


@pytest.mark.parametrize(
    "filler",
    [
        "a=\n",
        "a=extmap:1 x\n",
        "a=candidate:" + "1 " * 400 + "\n",
        "m=a 1 b c\n",
        "a=rtpmap:111 opus/48000/2\n",
        "a=ssrc:1\n",
    ],
)
def test_no_offer_takes_long(filler: str) -> None:
    text = (ROOM + filler * (MOST_BYTES // len(filler)))[:MOST_BYTES]
    begin = time.process_time()
    with contextlib.suppress(SdpError):
        parse_offer(text)
    assert time.process_time() - begin < 1.0


def test_a_fingerprint_is_written_as_browsers_write_it() -> None:
    assert fingerprint_text(b"\x0a\xff" + bytes(30)) == "0A:FF" + ":00" * 30
