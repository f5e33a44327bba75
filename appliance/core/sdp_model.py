"""What session descriptions say, once they have been read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup: TypeAlias = Literal["actpass", "active", "passive"]

PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF", "RTP/SAVP")


@dataclass(frozen=True, slots=True)
class MediaSection:
    """One m= section. ``opus`` and ``red`` are payload types, ``fmtp`` the parameters of Opus, ``extensions`` URI to id."""

    kind: str
    mid: str
    """Its name; empty when it has none, as a section outside of a bundle may."""
    direction: Direction
    port: int
    protocol: str
    opus: int | None
    red: int | None
    """Redundancy (RFC 2198) that carries this section's Opus; None when it is not offered."""
    prefers_red: bool
    """Redundancy is listed before plain Opus: whoever wrote this wants to be sent it."""
    fmtp: str
    extensions: Mapping[str, int]
    ssrcs: tuple[int, ...]
    rejected: bool
    rtcp_mux: bool
    first_format: str
    """The first format of the section, and in ``first_codec`` its name: what a rejection repeats."""
    first_codec: str

    @property
    def sends(self) -> bool:
        """Whether the side that wrote this sends in it."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def receives(self) -> bool:
        """Whether the side that wrote this receives in it."""
        return self.direction in ("sendrecv", "recvonly")

    def turned(self, *, sends: bool, receives: bool) -> "MediaSection":
        """The same section, in which its author does at most this."""
        directions: dict[tuple[bool, bool], Direction] = {
            (True, True): "sendrecv",
            (True, False): "sendonly",
            (False, True): "recvonly",
            (False, False): "inactive",
        }
        return replace(self, direction=directions[self.sends and sends, self.receives and receives])

    @property
    def keepable(self) -> bool:
        """Whether this section can stay in an answer, if only inactive."""
        return not self.rejected and self.protocol in PROTOCOLS and self.rtcp_mux and self.first_codec != ""

    @property
    def problem(self) -> str:
        """Why this section cannot carry audio, as a sentence; empty when it can."""
        checks = (
            (self.kind != "audio", "This section is not audio."),
            (self.rejected, "The audio section is rejected (port 0)."),
            (self.direction == "inactive", "The audio section is inactive."),
            (self.protocol not in PROTOCOLS, "The audio section uses a transport other than DTLS-SRTP."),
            (self.opus is None, "The audio section has no Opus at 48000 Hz."),
            (not self.rtcp_mux, "The audio section lacks a=rtcp-mux."),
        )
        return next((sentence for wrong, sentence in checks if wrong), "")


@dataclass(frozen=True, slots=True)
class Offer:
    """A checked offer. All of ``audio`` shares one transport, one payload type of Opus and one set of extension ids."""

    ufrag: str
    pwd: str
    fingerprint: bytes
    """SHA-256 of the other end's certificate, 32 bytes."""
    setup: Setup
    media: tuple[MediaSection, ...]
    candidates: tuple[str, ...]
    """As aioice and RFC 8839 write them, without the leading "candidate:"."""
    bundle: tuple[str, ...]
    """The mids of the BUNDLE group; empty without one."""
    ice_lite: bool

    @property
    def audio(self) -> tuple[MediaSection, ...]:
        """The sections that can carry audio, in their order."""
        return tuple(section for section in self.media if not section.problem)

    @property
    def carrier(self) -> str | None:
        """The mid of the section that the bundle's transport hangs on, when that can be accepted; None otherwise."""
        section = next((section for section in self.media if section.mid in self.bundle[:1]), None)
        return section.mid if section and section.keepable else None

    @property
    def talking(self) -> MediaSection | None:
        """The one section in which the offering side is heard: the first that sends."""
        return next((section for section in self.audio if section.sends), None)

    @property
    def listening(self) -> tuple[MediaSection, ...]:
        """The sections that the offering side receives in: one slot each, in this order."""
        return tuple(section for section in self.audio if section.receives)

    def turned(self, *, sends: bool = True, receives: bool = True) -> "Offer":
        """The same offer, in which its author does at most this; perhaps without any audio that is left."""
        return replace(self, media=tuple(section.turned(sends=sends, receives=receives) for section in self.media))

    @property
    def single(self) -> bool:
        """Whether the offering side receives in exactly one section: it cannot take slots, and is sent the mix."""
        return len(self.listening) == 1

    @property
    def answered_setup(self) -> Literal["passive", "active"]:
        """The part in DTLS of whoever answers: the passive one, unless the offer insists on that (RFC 8842)."""
        return "active" if self.setup == "passive" else "passive"


@dataclass(frozen=True, slots=True)
class Answer(Offer):
    """A checked answer: as an offer, with a setup that is decided."""


@dataclass(frozen=True, slots=True)
class HostTransport:
    """What a host says of itself: one UDP port for everybody, ICE-lite."""

    ufrag: str
    pwd: str
    fingerprint_hex: str
    address: str
    port: int
    session_id: int


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """What a device says of itself."""

    ufrag: str
    pwd: str
    fingerprint_hex: str
