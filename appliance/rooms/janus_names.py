"""What a participant of the AudioBridge is shown as, and what ours say in it.

The plugin of Janus 1.1.2 carries one text for each participant, and nothing else that others could read. So a member of ours
says in it who it is: ``Meeting room [kontor site meeting-room hand]``. Others read a name; ours read an identity, whether it
is a device, and what else stands there. Whoever comes by another client is a person with an identity made from their number.
"""

import re
from dataclasses import dataclass, replace
from typing import cast

from appliance.core.roster import Kind, Member, new_member
from appliance.core.text import one_line
from appliance.core.wire import MOST_NAME
from appliance.rooms.janus_messages import Participant

_OURS = re.compile(
    r"(.{1,64}) \[kontor (site|person|bridge) ([a-z0-9._-]{1,64})"
    r"((?: hand)?(?: knock)?(?: admin)?(?: recording)?(?: [0-9a-f]{16}){0,4})\]"
)
_WORDS = ("hand", "knock", "admin", "recording")
_NAMELESS = "Member"


@dataclass(frozen=True, slots=True)
class Shown:
    """A member, as it can be read from what it is shown as."""

    identity: str
    name: str
    kind: Kind
    hand: bool = False
    knocks: bool = False
    """It knocks just now."""
    by_admin: bool = False
    """It is muted because an admin did it."""
    records: bool = False
    """It records what is heard, or has announced it."""
    proofs: tuple[str, ...] = ()
    """What it shows to earlier sessions of its own (janus_twins.py)."""

    def display(self) -> str:
        """What it is shown as."""
        says = {"hand": self.hand, "knock": self.knocks, "admin": self.by_admin, "recording": self.records}
        words = [word for word, on in says.items() if on]
        return f"{self.name} [{' '.join(('kontor', self.kind, self.identity, *words, *self.proofs))}]"

    def member(self, *, muted: bool, connecting: bool) -> Member:
        """The member that the roster shows."""
        return replace(
            new_member(self.identity, self.name, self.kind, "speaker"),
            muted=muted,
            admin_muted=muted and self.by_admin,
            hand=self.hand,
            connecting=connecting,
        )


def shown(participant: Participant) -> Shown:
    """Who a participant is."""
    found = _OURS.fullmatch(participant.display)
    if found is not None and found[1].isprintable() and not found[1].isspace():
        words = found[4].split()
        hand, knocks, by_admin, records = (word in words for word in _WORDS)
        proofs = tuple(word for word in words if word not in _WORDS)
        return Shown(found[3], found[1], cast(Kind, found[2]), hand, knocks, by_admin, records, proofs)
    name = one_line(participant.display)[:MOST_NAME].strip()
    return Shown(f"janus-{participant.id}", name or _NAMELESS, "person")
