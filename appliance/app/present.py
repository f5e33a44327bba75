"""Whom a device knows in its room, counted as they come and go: a room of thousands costs it no more for what is said in it."""

from appliance.core.roster import Member


class Present:
    """Members by identity, and how many of them are in and want to speak. Loop only.

    :param own: the device's identity; its own hand is not counted.
    """

    def __init__(self, own: str) -> None:
        self._own = own
        self._members: dict[str, Member] = {}
        self.joined = 0
        """How many are in the room; the others are known, as a device with a closed door is."""
        self.hands = 0
        """How many others have a hand up."""

    def __contains__(self, who: str) -> bool:
        return who in self._members

    def __getitem__(self, who: str) -> Member:
        return self._members[who]

    def get(self, who: str) -> Member | None:
        """The member with this identity, if it is known."""
        return self._members.get(who)

    def take(self, member: Member) -> None:
        """A member is there, or is not as it was."""
        self.drop(member.id)
        self._members[member.id] = member
        self._count(member, 1)

    def drop(self, who: str) -> None:
        """A member is there no more; it need not have been."""
        before = self._members.pop(who, None)
        if before is not None:
            self._count(before, -1)

    def clear(self) -> None:
        """Nobody is known."""
        self._members.clear()
        self.joined = self.hands = 0

    def _count(self, member: Member, by: int) -> None:
        self.joined += by * member.joined
        self.hands += by * (member.hand and member.id != self._own)
