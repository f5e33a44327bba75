"""Session descriptions that are broken, hostile, or at the limit."""

import contextlib
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.sdp import (
    LEVEL_URI,
    MOST_BYTES,
    MOST_SECTIONS,
    SdpError,
    build_answer,
    fingerprint_text,
    parse_offer,
)
from tests.core.sdp_offers import HOST, OFFERS, ROOM, sections

VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:video1\na=rtcp-mux\na=rtpmap:96 VP8/90000\n"

REFUSED = [
    ("", "does not begin"),
    ("v=0", "does not begin"),
    ("v=1\no=- 1 2 IN IP4 0.0.0.0\n", "does not begin"),
    ("v=0\no=- 1 2 IN IP4 0.0.0.0\ns=-\nt=0 0\n", "no audio section"),
    ("junk", "letter=value"),
    ("x" * (MOST_BYTES + 1), "64 KiB"),
    (ROOM + "a=" + "x" * 3000, "2048 characters"),
    (ROOM + "a=b\n" * 1024, "1024 lines"),
    (ROOM.replace("t=0 0\n", "t=0 0\n" + "a=extmap:1 u\n" * 65), "64 header extensions"),
    (ROOM.replace("a=mid:1", "a=mid:\x00"), "control characters"),
    (ROOM.replace("a=mid:1", "a=mid:1\ra=x"), "control characters"),
    (ROOM.replace("a=mid:1", "a=mid:0"), "same a=mid"),
    (ROOM.replace("a=mid:1\n", ""), "not all in one BUNDLE"),
    (ROOM.replace("a=mid:1", "a=mid:" + "m" * 17), "at most 16"),
    (ROOM.replace("a=mid:1", "a=mid:ä"), "not a token"),
    (ROOM.replace("a=mid:1", "a=mid:"), "not a token"),
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
    (
        ROOM.replace("a=rtpmap:63 red/48000/2", "a=rtpmap:13 red/48000/2", 1).replace("fmtp:63", "fmtp:13", 1),
        "number their codecs differently",
    ),
    (
        ROOM.replace(f"a=extmap:1 {LEVEL_URI}", "a=extmap:1 urn:another", 1),
        "number their header extensions differently",
    ),
    (OFFERS["gstreamer-whip"].replace("BUNDLE audio0", "BUNDLE video1") + VIDEO, "not all in one BUNDLE"),
    (ROOM.replace("111 63", "111 63" + " 9" * 120), "malformed m="),
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


def test_limits_are_reached_and_not_passed() -> None:
    filler = "b=" + "x" * 2046 + "\n"
    room = ROOM.replace("t=0 0\n", "t=0 0\n" + filler * ((MOST_BYTES - len(ROOM)) // len(filler)))
    room += "b=" + "x" * (MOST_BYTES - len(room) - 3) + "\n"
    assert len(room) == MOST_BYTES == 65_536
    assert parse_offer(room).media == parse_offer(ROOM).media
    more = "".join(f"m=text 0 x y\na=mid:t{i}\n" for i in range(MOST_SECTIONS - 3))
    assert len(parse_offer(ROOM + more).media) == 16
    known = {*parse_offer(ROOM).candidates}
    candidates = "".join(f"a=candidate:x{i} 1 udp 1 192.0.2.1 9 typ host\n" for i in range(128 - len(known)))
    assert len(parse_offer(ROOM + candidates).candidates) == 128
    assert parse_offer(ROOM + "a=ssrc:4294967295 cname:x\n").media[2].ssrcs == (2**32 - 1,)
    with pytest.raises(SdpError, match="SSRC"):
        parse_offer(ROOM + "a=ssrc:4294967296 cname:x\n")


@pytest.mark.parametrize("payload_type", [63, 96, 127])
def test_payload_types_beside_those_of_rtcp_are_good(payload_type: int) -> None:
    text = OFFERS["gstreamer-whip"].replace("SAVPF 96", f"SAVPF {payload_type}").replace(":96 ", f":{payload_type} ")
    assert parse_offer(text).audio[0].opus == payload_type


@pytest.mark.parametrize("payload_type", [64, 95, 128])
def test_payload_types_of_rtcp_and_beyond_are_not(payload_type: int) -> None:
    text = OFFERS["gstreamer-whip"].replace("SAVPF 96", f"SAVPF {payload_type}").replace(":96 ", f":{payload_type} ")
    with pytest.raises(SdpError, match="payload type"):
        parse_offer(text)


def test_codecs_of_other_sections_are_none_of_our_business() -> None:
    video = VIDEO.replace("96 VP8/90000", "77 opus/48000").replace("SAVPF 96", "SAVPF 77")
    offer = parse_offer(OFFERS["gstreamer-whip"] + video)
    assert offer.media[1].opus is None
    red = parse_offer(OFFERS["gstreamer-whip"] + video.replace("opus", "red"))
    assert red.media[1].red is None


def test_a_codec_that_is_no_token_is_not_repeated() -> None:
    for line in ("a=rtpmap:96 VP8/90000 x", "a=rtpmap:96 ", "a=rtpmap:97 VP8/90000"):
        offer = parse_offer(OFFERS["gstreamer-whip"] + VIDEO.replace("a=rtpmap:96 VP8/90000", line))
        assert offer.media[1].first_codec == ""
        assert sections(build_answer(offer, HOST, ()))[1][:4] == [
            "m=video 0 UDP/TLS/RTP/SAVPF 96",
            "c=IN IP4 0.0.0.0",
            "a=inactive",
            "a=mid:video1",
        ]


def test_only_ids_that_fit_into_a_short_header_are_kept() -> None:
    text = ROOM.replace("a=sendrecv", "a=sendrecv\na=extmap:14 urn:last\na=extmap:15 urn:reserved\na=extmap:12")
    extensions = parse_offer(text).media[0].extensions
    assert extensions["urn:last"] == 14
    assert not {"urn:reserved", ""} & extensions.keys()


def test_redundancy_may_be_offered_in_some_sections() -> None:
    assert parse_offer(ROOM.replace("a=rtpmap:63 red/48000/2", "a=x", 1)).media[0].red is None


def test_the_transport_may_stand_in_the_first_section_of_the_bundle_alone() -> None:
    rows = [
        line if not line.startswith("m=audio") else line.replace("m=audio 9", "m=audio 0")
        for line in OFFERS["chromium-max-bundle"].split("\n")
    ]
    first, *others = "\n".join(rows).split("\nm=")[1:]
    head = "\n".join(rows).split("\nm=")[0]
    bare = [
        "\n".join(row for row in section.split("\n") if not row.startswith(("a=ice-", "a=finger", "a=setup")))
        + "a=bundle-only\n"
        for section in (section.rstrip("\n") + "\n" for section in others)
    ]
    offer = parse_offer("\nm=".join((head, first, *(section.rstrip("\n") for section in bare))) + "\n")
    whole = parse_offer(OFFERS["chromium-max-bundle"])
    assert (offer.ufrag, offer.pwd, offer.fingerprint) == (whole.ufrag, whole.pwd, whole.fingerprint)
    assert [section.mid for section in offer.audio] == ["1", "2", "3"]
    with pytest.raises(SdpError, match="ICE credentials"):
        parse_offer("\nm=".join((head, *(section.rstrip("\n") for section in bare))) + "\n")


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


@pytest.mark.parametrize("filler", ["a=\n", "a=extmap:1 x\n", "a=rtpmap:111 opus/48000/2\n", "a=fmtp:9 9\n"])
def test_an_offer_of_many_sections_takes_no_longer_than_a_few_usual_ones(filler: str) -> None:
    """Sound is on the same loop: who may only listen must not hold it up by an offer a second."""
    sections = "".join(f"m=text 9 UDP/TLS/RTP/SAVPF 96\na=mid:t{i}\n" for i in range(MOST_SECTIONS - 3))
    text = ROOM.replace("t=0 0\n", "t=0 0\n" + filler * 4000) + sections
    fastest = []
    for offer in (ROOM, text[:MOST_BYTES]):
        taken = []
        for _ in range(5):
            begin = time.process_time()
            with contextlib.suppress(SdpError):
                parse_offer(offer)
            taken.append(time.process_time() - begin)
        fastest.append(min(taken))
    assert fastest[1] < 40 * fastest[0]


def test_a_fingerprint_is_written_as_browsers_write_it() -> None:
    assert fingerprint_text(b"\x0a\xff" + bytes(30)) == "0A:FF" + ":00" * 30
