"""The grammar of session descriptions (RFC 8866): text into parts, and nothing about what they mean."""

import re
from dataclasses import dataclass

MOST_BYTES = 64 * 1024
MOST_SECTIONS = 16
MOST_LINE = 2048

# Every pattern here and in sdp.py is a plain run of characters, so that none can backtrack.
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~/-]{1,64}")
"""A word that may be repeated in an answer."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class SdpError(ValueError):
    """A description that is not accepted; the text is one sentence for whoever wrote the other end."""


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
    session = part = Part("", [])
    sections: list[Part] = []
    for line in lines[2:]:
        if line[0] == "m":
            part = Part(line[2:], [])
            sections.append(part)
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            part.attributes.append((name, value.strip()))
    if len(sections) > MOST_SECTIONS:
        raise SdpError(f"The description has more than {MOST_SECTIONS} sections.")
    return session, sections
