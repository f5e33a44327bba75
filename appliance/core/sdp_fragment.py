"""Fragments of session descriptions: the candidates that a client of WHIP or WHEP tells after its offer (RFC 8840, RFC 9725).

An ICE-lite host has no use for candidates: it answers checks from wherever they come. The fragment is read all the same, so
that what is malformed is refused, and what wants to restart ICE is told from what merely adds candidates.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from appliance.core.sdp_grammar import (
    Part,
    SdpError,
    check_credentials,
    parse_fragment_parts,
    read_candidates,
    read_mid,
)

MEDIA_TYPE = "application/trickle-ice-sdpfrag"


@dataclass(frozen=True, slots=True)
class Fragment:
    """A checked fragment."""

    ufrag: str
    pwd: str
    mids: tuple[str, ...]
    """The sections that it speaks of."""
    candidates: tuple[str, ...]
    """Without the leading "candidate:"."""


def parse_fragment(text: str | bytes, known: Collection[str] | None = None) -> Fragment:
    """Read and check a fragment that may speak of the sections in ``known`` (their mids; None: of any).

    :raises SdpError: it is malformed or too big, or its parts belong to different sessions of ICE.
    """
    session, parts = parse_fragment_parts(text)
    mids = [read_mid(part) for part in parts]
    if not all(mids) or len(set(mids)) != len(mids):
        raise SdpError("The sections of the fragment lack an a=mid of their own.")
    if known is not None and not set(mids) <= set(known):
        raise SdpError("The fragment has a section that the offer does not have.")
    if not all(len(part.head.split(" ")) >= 4 for part in parts):
        raise SdpError("The fragment has a malformed m= line.")
    if not parts and session.first("candidate") is not None:
        raise SdpError("The fragment has candidates that belong to no section.")
    everything = (session, *parts)
    ufrag, pwd = _one("ice-ufrag", everything), _one("ice-pwd", everything)
    check_credentials(ufrag, pwd)
    return Fragment(
        ufrag=ufrag,
        pwd=pwd,
        mids=tuple(mids),
        candidates=read_candidates(everything),
    )


def _one(name: str, parts: Sequence[Part]) -> str:
    """The value that all parts with this attribute agree on; "" when none has it."""
    values = {value for part in parts for value in part.all(name)}
    if len(values) > 1:
        raise SdpError(f"The parts of the fragment differ in a={name}.")
    return next(iter(values), "")
