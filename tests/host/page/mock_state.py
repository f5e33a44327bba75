"""What a mock host of page tests is told to say: its rooms' members, and how it answers."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

from appliance.core.roster import initials

Message = dict[str, Any]
Answer = Callable[[str], Awaitable[str]]


def member(identity: str, name: str, hue: int, place: int, **fields: Any) -> Message:
    """A member as presence carries it: listening and unmuted unless ``fields`` say otherwise."""
    return {
        "id": identity,
        "name": name,
        "initials": "".join(word[0] for word in name.split())[:2].upper() if " " in name else name[:2].upper(),
        "kind": "person",
        "role": "speaker",
        "state": "listening",
        "joined": True,
        "muted": False,
        "admin_muted": False,
        "hand": False,
        "sign": {"hue": hue, "place": place},
        "site": None,
    } | fields


def site(gate: str = "open", reasons: tuple[str, ...] = (), **lamps: str) -> Message:
    """What a device reports of itself."""
    lit = {"mic": "off" if gate == "open" else "steady", "room": "steady", "speak": "off", "fault": "off"}
    return {"gate": gate, "reasons": list(reasons), "door": "open", "lamps": lit | lamps, "loudspeaker": -127}


def studio() -> list[Message]:
    """The five who are in the design's pictures."""
    return [
        member("hamburg", "Hamburg", 1, 11, kind="site", site=site()),
        member("ben", "Ben Adeyemi", 5, 1),
        member("lena", "Lena Brandt", 2, 8, state="muted", muted=True),
        member("tomas", "Tomás Ruiz", 4, 3, state="hand", hand=True),
        member("yuki", "Yuki Tanaka", 7, 7),
    ]


def token(**claims: Any) -> str:
    """A token with these claims and a signature that nobody checks."""
    return f"{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"


class Requests:
    """What requests are answered with, and what was asked."""

    def __init__(self) -> None:
        self.asking: list[Message] = []
        """Devices that ask to be let in."""
        self.devices_refuse = ""
        """What a request for a new device is refused with: a code, or a sentence."""
        self.bundle: bytes | None = None
        """What the device has sent, once it has packed it."""
        self.bundle_refuse = ""
        """What a request for one is refused with, as above."""
        self.devices_asked: list[Message] = []
        """What the page asked of devices."""
        self.links_refuse = ""
        """What a request for a link is refused with, as above."""
        self.links_asked: list[Message] = []
        """What the page asked of links."""
        self.removed: list[Message] = []
        """Who was sent out."""
        self.title_refuse = ""
        """What a new title is refused with."""
        self.named: str | None = None
        """The token that a proxy's word gets."""
        self.media_status = 201
        self.relays: list[str] = []
        """Link headers of an answer."""
        self.rooms: list[Message] | None = None
        """What whom a proxy names is told of all rooms."""
        self.answer: Answer | None = None
        self.panel_received: list[Message] = []
        self.deleted: list[str] = []
        self.panel_state: Message | None = None
        self.violations: list[Any] = []


class RoomState(Requests):
    """One room as its host knows it; tests change it as they like."""

    def __init__(self, room: str, title: str) -> None:
        super().__init__()
        self.you: Message = {"id": "mira", "name": "Mira Koch", "role": "speaker", "kind": "person"}
        self.sign = (0, 6)
        self.members = studio()
        self.slots: list[str | None] = [None, None, None]
        self.levels = "real"
        self.token = token(name="Mira Koch", room=room)
        self.silent = False
        """Answer no hello."""
        self.title = title
        self.recording: Message | None = None
        self.clock = 0.0
        """Seconds by which the host's clock is ahead of everybody's."""
        self.refuse: int | None = None
        """Close code that answers the next hellos,"""
        self.reason = ""
        """and the reason given with it."""
        self.last_spoke: Message | None = None
        self.listen_only: str | None = None
        self.received: list[Message] = []
        """What the page said after its hello."""
        self.deaf = False
        """Tell nobody of a knock, as of one that comes too soon after another."""
        self.refuses: dict[str, str] = {}
        """Codes of what is refused, by the type of the message."""

    @property
    def own(self) -> Message:
        """The ``you`` of a welcome."""
        hue, place = self.sign
        return {"initials": initials(self.you["name"]), "sign": {"hue": hue, "place": place}} | self.you
