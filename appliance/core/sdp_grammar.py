"""The grammar of session descriptions (RFC 8866): text into parts, and nothing about what they mean."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST_BYTES = 64 * 1024
MOST_SECTIONS = 16
MOST_LINE = 2048
MOST_LINES = 1024
"""A browser with cameras writes some 250. Each attribute is looked at once for each section and more."""
MOST_CANDIDATES = 128

# Every pattern here and in sdp.py is a plain run of characters, so that none can backtrack.
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~/-]{1,64}")
"""A word that may be repeated in an answer."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MID = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,16}")
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_CANDIDATE = re.compile(
    r"[A-Za-z0-9+/]{1,32} [0-9]{1,3} [A-Za-z-]{3,8} [0-9]{1,10} [A-Za-z0-9.:%-]{1,255} [0-9]{1,5} typ [a-z]{4,8}"
    r"(?: [!-~]{1,128}){0,32}"
)


class SdpError(ValueError):
    """A description that is not accepted; the text is one sentence for whoever wrote the other end."""


class UnfitOffer(SdpError):
    """It is sound, and has nothing that can be done here."""


@dataclass(slots=True)
class Part:
    """The session part (``head`` empty) or one m= section, as name and value of its attributes."""

    head: str
    attributes: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        """The values of all attributes of this name."""
        return [value for key, value in self.attributes if key == name]

    def first(self, name: str) -> str | None:
        """The value of the first attribute of this name ("" for a flag), None without one."""
        return next((value for key, value in self.attributes if key == name), None)


def read_number(text: str, most: int, what: str) -> int:
    """The number that ``text`` is, in plain digits.

    :raises SdpError: it is none, or greater than ``most``.
    """
    # isdigit() alone lets superscripts through, which int() refuses.
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= most):
        raise SdpError(f"The {what} is not a number of at most {most}.")
    return int(text)


def read_mid(part: Part) -> str:
    """The name of a section; "" when it has none.

    :raises SdpError: it is no token.
    """
    mid = part.first("mid")
    if mid is not None and not _MID.fullmatch(mid):
        raise SdpError("An a=mid is not a token of at most 16 characters.")
    return mid or ""


def check_credentials(ufrag: str, pwd: str) -> None:
    """Whether these can be credentials of ICE (RFC 8839).

    :raises SdpError: they cannot.
    """
    if not (_UFRAG.fullmatch(ufrag) and _PWD.fullmatch(pwd)):
        raise SdpError("The description lacks valid ICE credentials (a=ice-ufrag, a=ice-pwd).")


def read_candidates(parts: Iterable[Part]) -> tuple[str, ...]:
    """All candidates in ``parts``, each once, without the leading "candidate:".

    :raises SdpError: one is malformed, or there are too many.
    """
    found = dict.fromkeys(value for part in parts for value in part.all("candidate"))
    if len(found) > MOST_CANDIDATES:
        raise SdpError(f"The description has more than {MOST_CANDIDATES} candidates.")
    for value in found:
        if not _CANDIDATE.fullmatch(value):
            raise SdpError("The description has a malformed candidate.")
        read_number(value.split(" ")[5], 65535, "port of a candidate")
    return tuple(found)


def _lines(text: str | bytes) -> list[str]:
    if len(text) > MOST_BYTES:
        raise SdpError("The description is larger than 64 KiB.")
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            raise SdpError("The description is not UTF-8 text.") from None
    text = text.replace("\r\n", "\n")
    if "\r" in text or _CONTROL.search(text):
        raise SdpError("The description has control characters.")
    lines = [line for line in text.split("\n") if line]
    if len(lines) > MOST_LINES:
        raise SdpError(f"The description has more than {MOST_LINES} lines.")
    if any(len(line) > MOST_LINE for line in lines):
        raise SdpError(f"The description has a line of more than {MOST_LINE} characters.")
    if any(line[1:2] != "=" for line in lines):
        raise SdpError("The description has a line that is not of the form letter=value.")
    return lines


def parse_parts(text: str | bytes) -> tuple[Part, list[Part]]:
    """The session part and the m= sections. Lines other than m= and a= have to be there, and are not read.

    :raises SdpError: it is too big, not text, or not made of lines of SDP.
    """
    lines = _lines(text)
    if lines[:1] != ["v=0"] or not lines[1:2] or not lines[1].startswith("o="):
        raise SdpError("The description does not begin with v=0 and o=.")
    return _parts(lines[2:])


def parse_fragment_parts(text: str | bytes) -> tuple[Part, list[Part]]:
    """The same of a fragment (RFC 8840, section 9), which has attributes and m= lines only.

    :raises SdpError: it is too big, not text, or not made of such lines.
    """
    lines = _lines(text)
    if not all(line[0] in "am" for line in lines):
        raise SdpError("The fragment has lines other than m= and a=.")
    return _parts(lines)


def _parts(lines: Iterable[str]) -> tuple[Part, list[Part]]:
    session = part = Part("", [])
    sections: list[Part] = []
    for line in lines:
        if line[0] == "m":
            part = Part(line[2:], [])
            sections.append(part)
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            part.attributes.append((name, value.strip()))
    if len(sections) > MOST_SECTIONS:
        raise SdpError(f"The description has more than {MOST_SECTIONS} sections.")
    return session, sections
