"""What LiveKit's errors mean: a class of fault each, and one sentence of ours.

The texts of the library hold the whole token (docs/adr/0220), so none of them is passed on.
"""

import logging
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from appliance.core.reconnect import Fault, FaultKind
from appliance.rooms.livekit_tokens import redacted
from appliance.rooms.signalling import Lost

CLIENT_INITIATED, DUPLICATE, SHUTDOWN, REMOVED, DELETED = 1, 2, 3, 4, 5
"""DisconnectReason of LiveKit's protocol, as far as they differ for us."""
_CLOSED: Final = 10
"""ROOM_CLOSED: the last member that counts has left, or its time is over."""

_ENDED: Mapping[int, tuple[FaultKind, str]] = MappingProxyType(
    {
        DUPLICATE: ("replaced", "Another session with this device's identity took its place."),
        SHUTDOWN: ("server", "The LiveKit server is going away."),
        REMOVED: ("refused", "An admin sent this member out of the room."),
        DELETED: ("gone", "The room was deleted on the LiveKit server."),
        _CLOSED: ("server", "The LiveKit server closed the room."),
    }
)

_REFUSALS: tuple[tuple[str, FaultKind, str], ...] = (
    (r"expired|exp claim", "refused", "The LiveKit server says that this device's token has ended: see both clocks."),
    (
        r"not valid yet|nbf claim",
        "refused",
        "The LiveKit server says that this device's token is of later: see both clocks.",
    ),
    (r"max(imum)? (number of )?participants|room is full|limit exceeded|\b429\b", "full", "The LiveKit room is full."),
    (r"room does not exist|could not find room|no such room", "gone", "The LiveKit server has no such room."),
    (
        r"\b401\b|unauthori[sz]ed|invalid (api key|token)|permission|\b403\b",
        "refused",
        "The LiveKit server does not accept this key.",
    ),
    (r"\b404\b", "server", "There is no LiveKit server at this address: it answers, but not as one."),
    (
        r"certificate|unknownissuer|notvalidforname",
        "untrusted",
        "The certificate of the LiveKit server is not trusted: name its authority in [network] ca.",
    ),
    (
        r"tls|ssl|handshake (failure|eof)|corrupt message|invalidcontenttype",
        "server",
        "The LiveKit server speaks no TLS there: wss:// leads to a port without it.",
    ),
    (
        r"protocol version|unsupported protocol|too (new|old)",
        "server",
        "The LiveKit server speaks another version of its protocol: update this device or the server.",
    ),
    (
        r"timed? ?out|timeout|unreachable|refused|reset|dns|resolve|lookup|broken pipe|connection closed|eof",
        "network",
        "The LiveKit server does not answer.",
    ),
    (  # the server does not say which
        r"\b500\b",
        "full",
        "The LiveKit server does not take this device now: its room may be full, or the server is in trouble.",
    ),
    (r"\b5\d\d\b", "server", "The LiveKit server has trouble of its own."),
)
"""What stands in an error that the library raises when joining fails, from the surest to the vaguest."""


def of_joining(error: str) -> Lost:
    """Why joining failed, by what the library says."""
    said = re.sub(r"https?://\S+|wss?://\S+", "", redacted(error)).lower()
    for pattern, kind, sentence in _REFUSALS:
        if re.search(pattern, said):
            return Lost(Fault(kind), sentence)
    return Lost(Fault("server"), "The LiveKit server did not let this device in, and it is not known why.")


def of_ending(reason: int) -> Lost:
    """Why a stay ended, by the library's reason (DisconnectReason)."""
    kind, sentence = _ENDED.get(reason, ("network", "The LiveKit room was lost."))
    return Lost(Fault(kind), sentence, for_good=reason in (DUPLICATE, REMOVED))


class _WithoutTokens(logging.Filter):
    """Takes tokens out of what the library logs, whatever shows it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        if record.exc_info and record.exc_info[1] is not None:
            record.msg += f" ({type(record.exc_info[1]).__name__}: {redacted(str(record.exc_info[1]))})"
            record.exc_info = record.exc_text = None
        return True


def keep_tokens_out_of_logs() -> None:
    """From now on no token stands in the library's log, which is off unless somebody has set a level for it.

    What it says of connections that fail and of its own is no news: the engine tells in its words what matters.
    """
    os.environ.setdefault("RUST_LOG", "off")  # what it writes past the logger, when a process ends
    logger = logging.getLogger("livekit")
    if not any(isinstance(known, _WithoutTokens) for known in logger.filters):
        logger.addFilter(_WithoutTokens())
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
