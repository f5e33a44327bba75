"""Session descriptions: real offers of browsers and tools, and answers that real ends accept."""

import asyncio
from dataclasses import replace

import pytest
from aioice import Candidate
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

from appliance.core.sdp import (
    DEVICE_OPUS,
    DEVICE_RED,
    LEVEL_URI,
    MID_URI,
    SdpError,
    build_answer,
    build_offer,
    fingerprint_text,
    parse_answer,
    parse_offer,
)
from tests.core.sdp_offers import DIGEST, HOST, LOCAL, OFFERS, ROOM, SSRCS, lines, sections


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


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


def test_redundancy_is_read_and_answered_first() -> None:
    offer = parse_offer(ROOM)
    assert [(section.red, section.prefers_red) for section in offer.media] == [(63, False)] * 3
    answer = parse_answer(build_answer(offer, HOST, SSRCS))
    assert [(section.red, section.prefers_red) for section in answer.media] == [(63, True)] * 3


@pytest.mark.parametrize(
    "change",
    [
        ("a=fmtp:63 111/111", "a=fmtp:63 9/9"),
        ("a=fmtp:63 111/111", "a=fmtp:63 111/9"),
        ("a=fmtp:63 111/111", "a=fmtp:63 111"),  # one frame, nothing that is redundant
        ("a=fmtp:63 111/111", "a=fmtp:64 111/111"),
        ("a=rtpmap:63 red/48000/2", "a=rtpmap:63 red/8000"),
        ("111 63 9", "111 9"),
    ],
)
def test_redundancy_that_carries_something_else_is_none(change: tuple[str, str]) -> None:
    assert change[0] in ROOM
    offer = parse_offer(ROOM.replace(*change))
    assert {section.red for section in offer.media} == {None}
    assert "red" not in build_answer(offer, HOST, SSRCS)


def test_whoever_lists_redundancy_first_wants_to_be_sent_it() -> None:
    offer = parse_offer(ROOM.replace(" 111 63 9", " 63 111 9"))
    assert all(section.prefers_red for section in offer.media)


@pytest.mark.parametrize(
    ("name", "single"), [("chromium-room", False), ("ffmpeg-whip", False), ("chromium-whep", True)]
)
def test_one_section_to_listen_in_takes_the_mix(name: str, single: bool) -> None:
    text = OFFERS["gstreamer-whip"].replace("a=sendonly", "a=recvonly") if name == "chromium-whep" else OFFERS[name]
    assert parse_offer(text).single == single


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
        assert section[0] == "m=audio 7000 UDP/TLS/RTP/SAVPF 63 111"
        assert section[1] == "c=IN IP4 192.0.2.1"
        assert set(section[2:]) == {
            "a=sendrecv" if index == 0 else "a=sendonly",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 minptime=10",
            "a=rtpmap:63 red/48000/2",
            "a=fmtp:63 111/111",
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
    assert answer.setup == offer.answered_setup
    assert answer.ice_lite
    assert answer.candidates == ("1 1 udp 2130706431 192.0.2.1 7000 typ host",)
    assert [s.mid for s in answer.audio] == [s.mid for s in offer.audio]
    assert [s.mid for s in answer.audio if s.receives] == [s.mid for s in offer.audio if s == offer.talking]
    assert [s.ssrcs for s in answer.audio if s.sends] == [(ssrc,) for ssrc in SSRCS[: len(offer.listening)]]
    for own, other in zip(answer.audio, offer.audio, strict=True):
        assert (own.opus, own.red) == (other.opus, other.red)
        assert own.extensions == {u: i for u, i in other.extensions.items() if u in (LEVEL_URI, MID_URI)}


def test_an_ipv6_host_says_so() -> None:
    answer = build_answer(parse_offer(ROOM), replace(HOST, address="2001:db8::1"), SSRCS)
    assert "o=- 4711 2 IN IP6 2001:db8::1" in lines(answer)
    assert "c=IN IP6 2001:db8::1" in lines(answer)
    assert parse_answer(answer).candidates == ("1 1 udp 2130706431 2001:db8::1 7000 typ host",)


def test_sections_beyond_the_slots_are_rejected() -> None:
    answer = build_answer(parse_offer(ROOM), HOST, SSRCS[:2])
    assert [section[0] for section in sections(answer)] == [
        "m=audio 7000 UDP/TLS/RTP/SAVPF 63 111",
        "m=audio 7000 UDP/TLS/RTP/SAVPF 63 111",
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


@pytest.mark.parametrize(("offered", "own"), [("actpass", "passive"), ("active", "passive"), ("passive", "active")])
def test_the_host_takes_the_part_in_dtls_that_is_left_to_it(offered: str, own: str) -> None:
    offer = parse_offer(ROOM.replace("a=setup:actpass", f"a=setup:{offered}"))
    assert parse_answer(build_answer(offer, HOST, SSRCS)).setup == own


def test_a_single_section_needs_no_name() -> None:
    """RFC 8843 asks for a=mid in bundles only; without one there is no use for the extension that carries it."""
    bare = OFFERS["gstreamer-whip"].replace("a=group:BUNDLE audio0\n", "").replace("a=mid:audio0\n", "")
    offer = parse_offer(bare.replace("a=sendonly", f"a=sendrecv\na=extmap:3 {MID_URI}"))
    assert [section.mid for section in offer.audio] == [""]
    assert MID_URI not in offer.media[0].extensions
    answer = build_answer(offer, HOST, SSRCS)
    assert "a=mid" not in answer
    assert "a=sendrecv" in lines(answer)
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\na=rtcp-mux\na=rtpmap:96 VP8/90000\n"
    both = sections(build_answer(parse_offer(bare + video), HOST, SSRCS))
    assert [section[0].split()[1] for section in both] == ["7000", "0"]


# ---- what a device says and hears


@pytest.mark.parametrize("send", [True, False])
def test_a_device_and_its_host_understand_each_other(send: bool) -> None:
    candidates = ["1 1 udp 2130706431 192.0.2.44 40000 typ host"]
    offer = parse_offer(build_offer(LOCAL, candidates, send=send, ssrc=77, session_id=9))
    assert offer.candidates == tuple(candidates)
    assert offer.fingerprint == DIGEST
    assert lines(build_offer(LOCAL, []))[1] == "o=- 1 2 IN IP4 0.0.0.0"
    assert offer.setup == "active"
    assert [s.mid for s in offer.listening] == ["0", "1", "2"]
    assert (offer.talking is not None) == send
    assert offer.media[0].ssrcs == ((77,) if send else ())
    assert offer.media[1].ssrcs == ()
    answer = parse_answer(build_answer(offer, HOST, SSRCS), ["0", "1", "2"])
    assert [s.direction for s in answer.media] == ["sendrecv" if send else "sendonly", "sendonly", "sendonly"]
    assert answer.media[0].extensions == {MID_URI: 1, LEVEL_URI: 2}
    assert {(section.opus, section.red) for section in offer.media} == {(DEVICE_OPUS, DEVICE_RED)}
    assert not offer.media[0].prefers_red
    assert answer.media[0].prefers_red


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
