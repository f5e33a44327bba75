"""Session descriptions: what two ends agree on before media flows. Audio only, over one bundled transport.

A strict subset of RFC 8866 (SDP), RFC 8829 (JSEP), RFC 8839 (ICE in SDP), RFC 8842 (DTLS), RFC 9143 (BUNDLE) and RFC 8285
(header extensions), as WHIP and WHEP use it. Both directions are parsed, since a device trusts its host no more than the
host trusts it. Whatever is wrong is an :class:`SdpError` with one sentence; nothing of the other side's text is repeated in
it, and what is repeated in an answer has been checked to be a plain token.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

from appliance.core.sdp_grammar import (
    MOST_BYTES,
    MOST_SECTIONS,
    TOKEN,
    Part,
    SdpError,
    UnfitOffer,
    check_credentials,
    parse_parts,
    read_candidates,
    read_mid,
    read_number,
)
from appliance.core.sdp_model import Answer, Direction, HostTransport, LocalTransport, MediaSection, Offer, Setup

__all__ = [
    "DEVICE_OPUS",
    "DEVICE_RED",
    "LEVEL_URI",
    "MID_URI",
    "MOST_BYTES",
    "MOST_SECTIONS",
    "OPUS_FMTP",
    "Answer",
    "HostTransport",
    "LocalTransport",
    "MediaSection",
    "Offer",
    "SdpError",
    "UnfitOffer",
    "build_answer",
    "build_offer",
    "fingerprint_text",
    "parse_answer",
    "parse_offer",
]

LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""RFC 6464: the level of each packet, readable without decoding it."""

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
"""RFC 9143: which section a packet belongs to."""

OPUS_FMTP = "minptime=10;useinbandfec=1;maxaveragebitrate=32000"
"""What an end is asked to send (RFC 7587): mono speech with in-band FEC."""

DEVICE_OPUS = 111
"""Payload type of Opus in our own offers."""

DEVICE_RED = 63
"""Payload type of Opus with redundancy (RFC 2198) in our own offers."""

_MOST_EXTENSIONS = 64
"""Header extensions of one section; browsers offer a dozen."""

_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}")


def fingerprint_text(digest: bytes) -> str:
    """A SHA-256 digest as ``a=fingerprint`` writes it (RFC 8122)."""
    return digest.hex(":").upper()


# ---- reading


def _codecs(part: Part, formats: Sequence[str]) -> dict[str, str]:
    """Format to codec ("opus/48000/2"), only of the formats of the section."""
    codecs: dict[str, str] = {}
    for value in part.all("rtpmap"):
        fmt, _, codec = value.partition(" ")
        if fmt in formats and TOKEN.fullmatch(codec):
            codecs.setdefault(fmt, codec)
    return codecs


def _payload_type(codecs: Mapping[str, str], formats: Sequence[str], name: str) -> int | None:
    """The first format with this codec at 48 kHz. GStreamer leaves the channels out."""
    for fmt in formats:
        if codecs.get(fmt, "").lower() in (f"{name}/48000", f"{name}/48000/1", f"{name}/48000/2"):
            kind = read_number(fmt, 127, "payload type")
            if 64 <= kind <= 95:  # with the marker bit these look like RTCP (RFC 5761)
                raise SdpError("A payload type from 64 to 95 cannot share a port with RTCP.")
            return kind
    return None


def _parameters(part: Part, payload_type: int | None) -> str:
    """The first a=fmtp of a payload type, without the type; "" when there is none."""
    return next(
        (
            rest
            for value in part.all("fmtp")
            if (words := value.partition(" "))[0] == str(payload_type) and (rest := words[2])
        ),
        "",
    )


def _redundancy(part: Part, codecs: Mapping[str, str], formats: Sequence[str], opus: int) -> int | None:
    """The payload type of redundancy, when it is such that carries this section's Opus and nothing else (RFC 2198)."""
    red = _payload_type(codecs, formats, "red")
    carried = _parameters(part, red).split("/") if red is not None else []
    return red if len(carried) > 1 and set(carried) == {str(opus)} else None


def _extensions(session: Part, part: Part, *, named: bool) -> Mapping[str, int]:
    """URI to id. Only ids of one-byte headers (RFC 8285); the first id of a URI counts. Without a mid none is sent."""
    found: dict[str, int] = {}
    values = session.all("extmap") + part.all("extmap")
    if len(values) > _MOST_EXTENSIONS:
        raise SdpError(f"A section has more than {_MOST_EXTENSIONS} header extensions.")
    for value in values:
        head, _, rest = value.partition(" ")
        ident = read_number(head.partition("/")[0], 65535, "extension id")
        uri = rest.partition(" ")[0]
        if 1 <= ident <= 14 and uri and (named or uri != MID_URI):
            found.setdefault(uri, ident)
    if len(set(found.values())) != len(found):
        raise SdpError("Two header extensions of a section have the same id.")
    return MappingProxyType(found)


def _direction(session: Part, part: Part) -> Direction:
    for attributes in (part.attributes, session.attributes):
        found = {name for name, _ in attributes if name in _DIRECTIONS}
        if len(found) > 1:
            raise SdpError("A section has two directions.")
        if found:
            return cast(Direction, found.pop())
    return "sendrecv"


def _section(session: Part, part: Part) -> MediaSection:
    words = part.head.split(" ")
    if not 4 <= len(words) <= 128 or not all(TOKEN.fullmatch(word) for word in words):
        raise SdpError("The description has a malformed m= line.")
    kind, port_text, protocol, *formats = words
    port = read_number(port_text, 65535, "port")
    mid = read_mid(part)
    codecs = _codecs(part, formats)
    opus = _payload_type(codecs, formats, "opus") if kind == "audio" else None
    red = _redundancy(part, codecs, formats, opus) if opus is not None else None
    ssrcs = [read_number(value.partition(" ")[0], 2**32 - 1, "SSRC") for value in part.all("ssrc")]
    return MediaSection(
        kind=kind,
        mid=mid,
        direction=_direction(session, part),
        port=port,
        protocol=protocol,
        opus=opus,
        red=red,
        prefers_red=red is not None and formats.index(str(red)) < formats.index(str(opus)),
        fmtp=_parameters(part, opus),
        extensions=_extensions(session, part, named=mid != ""),
        ssrcs=tuple(dict.fromkeys(ssrcs)),
        rejected=port == 0 and part.first("bundle-only") is None,
        rtcp_mux=part.first("rtcp-mux") is not None,
        first_format=formats[0],
        first_codec=codecs.get(formats[0], ""),
    )


def _bundle(session: Part, mids: Sequence[str]) -> Sequence[str]:
    """The mids of the BUNDLE group; empty when there is none. FFmpeg names sections that it does not send: those are left out."""
    groups = [words[1:] for value in session.all("group") if (words := value.split())[:1] == ["BUNDLE"]]
    if len(groups) > 1:
        raise SdpError("The description has more than one BUNDLE group.")
    group = [mid for mid in groups[0] if mid in mids] if groups else []
    if len(set(group)) != len(group):
        raise SdpError("The BUNDLE group names a section twice.")
    return group


def _check_alike(audio: Sequence[MediaSection]) -> None:
    if len({section.opus for section in audio}) > 1 or len({section.red for section in audio} - {None}) > 1:
        raise SdpError("The audio sections number their codecs differently.")
    pairs = {pair for section in audio for pair in section.extensions.items()}
    if len({uri for uri, _ in pairs}) < len(pairs) or len({ident for _, ident in pairs}) < len(pairs):
        raise SdpError("The audio sections number their header extensions differently.")


def _transport(sources: Sequence[Part]) -> tuple[str, str, bytes, Setup]:
    """ICE credentials, fingerprint and setup: each from the first of ``sources`` that has it."""

    def first(name: str) -> str:
        return next((value for part in sources if (value := part.first(name)) is not None), "")

    ufrag, pwd, setup = first("ice-ufrag"), first("ice-pwd"), first("setup")
    check_credentials(ufrag, pwd)
    for part in sources:
        for value in part.all("fingerprint"):
            algorithm, _, digest = value.partition(" ")
            if algorithm.lower() == "sha-256" and _FINGERPRINT.fullmatch(digest):
                if setup not in ("actpass", "active", "passive"):
                    raise SdpError("The description lacks a=setup with actpass, active or passive.")
                return ufrag, pwd, bytes.fromhex(digest.replace(":", "")), cast(Setup, setup)
    raise SdpError("The description lacks a valid sha-256 fingerprint.")


def parse_offer(text: str | bytes) -> Offer:
    """Read and check an offer: at least one section of Opus audio, all audio on one transport with rtcp-mux.

    :raises UnfitOffer: it is sound, and nothing in it is audio that a room can take.
    :raises SdpError: it is malformed, too big, or has no audio at all.
    """
    session, parts = parse_parts(text)
    media = tuple(_section(session, part) for part in parts)
    mids = [section.mid for section in media]
    if any(mid and mids.count(mid) > 1 for mid in mids):
        raise SdpError("Two sections have the same a=mid.")
    usable = [section for section in media if not section.problem]
    if not usable:
        problem = next((section.problem for section in media if section.kind == "audio"), None)
        raise UnfitOffer(problem) if problem else SdpError("The description has no audio section.")
    _check_alike(usable)
    group = _bundle(session, mids)
    if (group or len(usable) > 1) and not {section.mid for section in usable} <= set(group):
        raise SdpError("The audio sections are not all in one BUNDLE group.")
    # With bundle-only sections the transport stands in the first section of the group alone.
    order = [media.index(usable[0]), *(mids.index(mid) for mid in group[:1])]
    ufrag, pwd, fingerprint, setup = _transport([*(parts[index] for index in order), session])
    return Offer(
        ufrag=ufrag,
        pwd=pwd,
        fingerprint=fingerprint,
        setup=setup,
        media=media,
        candidates=read_candidates((session, *parts)),
        bundle=tuple(group),
        ice_lite=session.first("ice-lite") is not None,
    )


def parse_answer(text: str | bytes, mids: Sequence[str] | None = None) -> Answer:
    """Read and check an answer to an offer with these ``mids``. Candidates are those a device can use: UDP, component 1.

    :raises SdpError: it is malformed, too big, accepts no audio, or answers another offer.
    """
    parsed = parse_offer(text)
    if mids is not None and [section.mid for section in parsed.media] != list(mids):
        raise SdpError("The answer does not have the sections of the offer.")
    if parsed.setup == "actpass":
        raise SdpError("The answer does not decide who begins with DTLS (a=setup).")
    usable = tuple(c for c in parsed.candidates if (words := c.split(" "))[1] == "1" and words[2].lower() == "udp")
    return Answer(
        ufrag=parsed.ufrag,
        pwd=parsed.pwd,
        fingerprint=parsed.fingerprint,
        setup=parsed.setup,
        media=parsed.media,
        candidates=usable,
        bundle=parsed.bundle,
        ice_lite=parsed.ice_lite,
    )


# ---- writing


def _network(address: str) -> str:
    return f"IN {'IP6' if ':' in address else 'IP4'} {address}"


def _transport_lines(ufrag: str, pwd: str, fingerprint_hex: str, setup: Setup) -> list[str]:
    return [f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{pwd}", f"a=fingerprint:sha-256 {fingerprint_hex}", f"a=setup:{setup}"]


def _opus_lines(payload_type: int, fmtp: str) -> list[str]:
    return [f"a=rtpmap:{payload_type} opus/48000/2", f"a=fmtp:{payload_type} {fmtp}"]


def _red_lines(payload_type: int, opus: int) -> list[str]:
    return [f"a=rtpmap:{payload_type} red/48000/2", f"a=fmtp:{payload_type} {opus}/{opus}"]


def _place(address: str, port: int) -> list[str]:
    return [f"a=candidate:1 1 udp 2130706431 {address} {port} typ host", "a=end-of-candidates"]


def _kept(section: MediaSection, host: HostTransport) -> list[str]:
    """A section that carries nothing but the transport of the bundle."""
    head = [f"m={section.kind} {host.port} {section.protocol} {section.first_format}", f"c={_network(host.address)}"]
    return [
        *head,
        "a=inactive",
        f"a=rtpmap:{section.first_format} {section.first_codec}",
        *_place(host.address, host.port),
    ]


def _rejected(section: MediaSection) -> list[str]:
    """A section that is turned down, with one codec, which some ends insist on reading."""
    lines = [f"m={section.kind} 0 {section.protocol} {section.first_format}", "c=IN IP4 0.0.0.0", "a=inactive"]
    return lines + ([f"a=rtpmap:{section.first_format} {section.first_codec}"] if section.first_codec else [])


def build_answer(
    offer: Offer, host: HostTransport, ssrcs: Sequence[int], opus_fmtp: str = OPUS_FMTP, *, talk: bool = True
) -> str:
    """The host's answer: a slot for each section of ``offer.listening``, in order, as far as there are ``ssrcs``.

    With ``talk`` the section ``offer.talking`` is accepted too; every other section is answered inactive with port 0. But
    where the first section of the bundle is such a one (video), it is kept: a browser that was told to use one transport
    from the beginning (max-bundle) has it there, and fails when it is rejected. Where redundancy (RFC 2198) is offered it
    is answered, and listed first, which is how Chromium is told to send it.

    :raises UnfitOffer: nothing is left to send or to receive.
    """
    slots = dict(zip((section.mid for section in offer.listening), ssrcs, strict=False))
    talking = offer.talking.mid if talk and offer.talking else None
    accepted = [section.mid for section in offer.audio if section.mid in slots or section.mid == talking]
    if not accepted:
        raise UnfitOffer("The offer only sends, and nothing may be sent here.")
    lines = ["v=0", f"o=- {host.session_id} 2 {_network(host.address)}", "s=-", "t=0 0", "a=ice-lite"]
    bundle = [section.mid for section in offer.media if section.mid in accepted or section.mid == offer.carrier]
    if offer.bundle:
        lines.append("a=group:BUNDLE " + " ".join(bundle))
    lines.append("a=msid-semantic: WMS *")
    for section in offer.media:
        if not section.problem and section.mid in accepted:
            lines += _accepted(section, host, slots.get(section.mid), section.mid == talking, opus_fmtp)
        else:
            lines += _kept(section, host) if section.mid and section.mid in bundle else _rejected(section)
        lines += [f"a=mid:{section.mid}"] * (section.mid != "") + ["a=rtcp-mux"]
        lines += _transport_lines(host.ufrag, host.pwd, host.fingerprint_hex, offer.answered_setup)
    return "\r\n".join(lines) + "\r\n"


def _accepted(section: MediaSection, host: HostTransport, ssrc: int | None, receives: bool, fmtp: str) -> list[str]:
    opus = cast(int, section.opus)  # a section without Opus is never accepted
    direction = "recvonly" if ssrc is None else "sendrecv" if receives else "sendonly"
    formats = f"{opus}" if section.red is None else f"{section.red} {opus}"
    lines = [f"m=audio {host.port} {section.protocol} {formats}", f"c={_network(host.address)}", f"a={direction}"]
    lines += [] if section.red is None else _red_lines(section.red, opus)
    lines += _opus_lines(opus, fmtp)
    lines += [f"a=extmap:{section.extensions[uri]} {uri}" for uri in (MID_URI, LEVEL_URI) if uri in section.extensions]
    if ssrc is not None:
        lines += [f"a=msid:slot-{section.mid} track-{section.mid}", f"a=ssrc:{ssrc} cname:room"]
    return lines + _place(host.address, host.port)


def build_offer(
    local: LocalTransport,
    candidates: Sequence[str],
    slots: int = 3,
    send: bool = True,
    ssrc: int | None = None,
    session_id: int = 1,
) -> str:
    """A device's offer: ``slots`` sections to hear a talker in each, the first of which also sends when ``send``.

    ``ssrc`` is that of the stream that is sent. The device begins with DTLS (``a=setup:active``).
    """
    mids = [str(index) for index in range(slots)]
    lines = ["v=0", f"o=- {session_id} 2 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE " + " ".join(mids)]
    for mid in mids:
        sends = send and mid == mids[0]
        lines += [
            f"m=audio 9 UDP/TLS/RTP/SAVPF {DEVICE_OPUS} {DEVICE_RED}",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{mid}",
            "a=rtcp-mux",
        ]
        lines += _transport_lines(local.ufrag, local.pwd, local.fingerprint_hex, "active")
        lines.append("a=sendrecv" if sends else "a=recvonly")
        lines += _opus_lines(DEVICE_OPUS, OPUS_FMTP) + _red_lines(DEVICE_RED, DEVICE_OPUS)
        lines += [f"a=extmap:1 {MID_URI}", f"a=extmap:2 {LEVEL_URI}"]
        if sends and ssrc is not None:
            lines.append(f"a=ssrc:{ssrc} cname:device")
        lines += [*(f"a=candidate:{candidate}" for candidate in candidates), "a=end-of-candidates"]
    return "\r\n".join(lines) + "\r\n"
