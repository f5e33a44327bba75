"""Fragments with candidates: as real clients send them, and broken ones."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.sdp import SdpError
from appliance.core.sdp_fragment import parse_fragment

CREDENTIALS = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
CANDIDATE = "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n"

MEDOOZE = (
    CREDENTIALS
    + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    + CANDIDATE
    + "a=candidate:3471623853 1 udp 2122194687 127.0.0.1 61765 typ host generation 0 ufrag EsAw\r\na=end-of-candidates\r\n"
)

EYEVINN = (  # the name of an address in place of it, and a component of 0
    CREDENTIALS + "m=audio 9 RTP/AVP 0\r\na=mid:1\r\n"
    "a=candidate:1 0 udp 2113937151 5bb5a5f4-0a56-4ee3-a4d2-2b0a8f2b8f4c.local 61764 typ host\r\n"
)

RFC = (  # RFC 9725, figure 5
    "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    + CREDENTIALS
    + CANDIDATE
    + "a=end-of-candidates\r\n"
)


@pytest.mark.parametrize(
    ("text", "mids", "candidates"),
    [(MEDOOZE, ("0",), 2), (EYEVINN, ("1",), 1), (RFC, ("0",), 1), (CREDENTIALS, (), 0)],
    ids=["medooze", "eyevinn", "rfc", "credentials alone"],
)
def test_fragments_of_real_clients_are_read(text: str, mids: tuple[str, ...], candidates: int) -> None:
    for form in (text, text.encode(), text.replace("\r\n", "\n")):
        fragment = parse_fragment(form, known=["0", "1"])
        assert (fragment.ufrag, fragment.pwd) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
        assert fragment.mids == mids
        assert len(fragment.candidates) == candidates


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "ICE credentials"),
        ("junk", "letter=value"),
        ("v=0\r\n" + MEDOOZE, "other than m= and a="),
        (MEDOOZE.replace("a=ice-pwd", "a=ice-nothing"), "ICE credentials"),
        (MEDOOZE.replace("a=ice-ufrag:EsAw", "a=ice-ufrag:="), "ICE credentials"),
        (MEDOOZE + "a=ice-ufrag:another\r\n", "differ in a=ice-ufrag"),
        (MEDOOZE + "a=ice-pwd:anotherpasswordofthisice\r\n", "differ in a=ice-pwd"),
        (MEDOOZE.replace("a=mid:0\r\n", ""), "a=mid of their own"),
        (MEDOOZE + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n", "a=mid of their own"),
        (MEDOOZE.replace("a=mid:0", "a=mid:7"), "does not have"),
        (MEDOOZE.replace("a=mid:0", "a=mid:\u00b2"), "not a token"),
        (MEDOOZE.replace("m=audio 9 UDP/TLS/RTP/SAVPF 0", "m=audio"), "malformed m="),
        (CREDENTIALS + CANDIDATE, "belong to no section"),
        (MEDOOZE.replace("typ host", "type host"), "malformed candidate"),
        (MEDOOZE.replace("61764", "99999"), "port of a candidate"),
        (MEDOOZE + "".join(f"a=candidate:{i} 1 udp 1 192.0.2.1 9 typ host\r\n" for i in range(130)), "more than 128"),
        (MEDOOZE + "".join(f"m=a 9 b c\r\na=mid:{i}\r\n" for i in range(1, 20)), "more than 16 sections"),
        (MEDOOZE + "a=" + "x" * 3000, "2048 characters"),
        ("a=x\r\n" * 20_000, "64 KiB"),
    ],
)
def test_what_is_wrong_is_refused_with_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SdpError, match=sentence) as caught:
        parse_fragment(text, known=["0", "1"])
    assert str(caught.value).endswith(".")


def test_without_an_offer_at_hand_every_section_is_known() -> None:
    assert parse_fragment(MEDOOZE.replace("a=mid:0", "a=mid:7")).mids == ("7",)


@given(st.one_of(st.text(), st.binary(), st.builds(MEDOOZE.__add__, st.text()), st.text(alphabet="am=:0 1\r\n/ice-")))
def test_any_text_is_a_fragment_or_an_sdp_error(text: str | bytes) -> None:
    with contextlib.suppress(SdpError):
        assert parse_fragment(text).ufrag
