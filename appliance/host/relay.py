"""Credentials for the relay (TURN, RFC 8656) that members behind firewalls send through.

The relay shares a secret with us and no list of users: a name says until when it is good, and its password is a signature of
the name (coturn's ``use-auth-secret``, draft-uberti-behave-turn-rest-00). Whoever reads the credentials of a member can relay
through it until then, and nothing more.
"""

import base64
import hmac
from typing import Any

from appliance.host.config import Turn


def ice_servers(turn: Turn | None, identity: str, unix_now: float) -> list[dict[str, Any]]:
    """What ``identity`` may use as a relay from ``unix_now`` (seconds) on, in the form of RTCIceServer; empty without one."""
    if turn is None:
        return []
    username = f"{int(unix_now) + turn.lifetime}:{identity}"
    # SHA-1 is what the relay computes; as an HMAC it is sound.
    credential = base64.b64encode(hmac.digest(turn.secret, username.encode(), "sha1")).decode()
    return [{"urls": list(turn.urls), "username": username, "credential": credential}]
