"""Real offers, and the two ends of our own tests: what the tests of session descriptions share."""

from pathlib import Path

from appliance.core.sdp import HostTransport, LocalTransport, fingerprint_text

OFFERS = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "offers").glob("*.sdp"))}
ROOM = OFFERS["chromium-room"]
DIGEST = bytes(range(32))
HOST = HostTransport("hostfrag", "hostpassword0123456789", fingerprint_text(DIGEST), "192.0.2.1", 7000, 4711)
LOCAL = LocalTransport("devfrag", "devicepassword01234567", fingerprint_text(DIGEST))
SSRCS = (1001, 1002, 1003)


def lines(text: str) -> list[str]:
    """The lines of what we wrote."""
    assert text.endswith("\r\n")
    return text.split("\r\n")[:-1]


def sections(text: str) -> list[list[str]]:
    """The lines of each m= section of what we wrote."""
    found: list[list[str]] = []
    for line in lines(text):
        if line.startswith("m="):
            found.append([])
        if found:
            found[-1].append(line)
    return found
