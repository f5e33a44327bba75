"""The relays that a host names when it takes us in: ``Link`` headers with ``rel="ice-server"`` (RFC 9725, 4.6)."""

import re
from collections.abc import Iterator, Sequence

from appliance.media.relay import RelayServer

MOST_RELAYS = 6
_MOST_BYTES = 8192

_PARAMETER = r"""\s*;\s*([A-Za-z0-9*-]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))"""
_LINK = re.compile(rf"<([^<>]*)>((?:{_PARAMETER})*)")
_PARAMETERS = re.compile(_PARAMETER)
_URL = re.compile(
    r"(turns?):(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?(?:\?transport=(udp|tcp))?"
)


def relays_of(headers: Sequence[str]) -> tuple[RelayServer, ...]:
    """Every relay that we can use, in the host's order. What is not understood is left out; never raises."""
    return tuple(dict.fromkeys(_relays(headers)))[:MOST_RELAYS]


def _relays(headers: Sequence[str]) -> Iterator[RelayServer]:
    for header in headers:
        for link in _LINK.finditer(header[:_MOST_BYTES]):
            values = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
                for name, quoted, plain in _PARAMETERS.findall(link[2])
            }
            url = _URL.fullmatch(link[1])
            if "ice-server" not in values.get("rel", "").split() or url is None:
                continue
            tls = url[1] == "turns"
            transport = url[5] or ("tcp" if tls else "udp")
            port = int(url[4] or (5349 if tls else 3478))
            if not 0 < port <= 65_535 or (tls and transport == "udp"):  # over DTLS: nobody asks for it
                continue
            yield RelayServer(
                host=url[2] or url[3],
                port=port,
                transport="tcp" if transport == "tcp" else "udp",
                tls=tls,
                username=values.get("username", ""),
                credential=values.get("credential", ""),
            )
