"""Everybody who watches one room: who is told what, and how many changes become one message.

Changes of members are told on the next tick, all in one message whose text is made once: when hundreds come in at a time,
each watcher gets 15 messages a second and not one for each of them. Whatever else is said flushes them first, so that nobody
hears of somebody they do not know yet.

What a device tells of its inside (``site.details``: health, settings, proof of mute) is for the room's admins alone. Each
member is made text once for them and once for the others, who are not told at all when nothing else changed.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from appliance.core.protocol import CloseCode, dump, member_changed_text, member_left, members_changed, with_members
from appliance.core.roster import Member, Roster
from appliance.host.watcher import Levels, Watcher

_MOST_AT_ONCE = 200
"""Members in one message: a device takes 1 MiB."""


def for_everybody(member: Member) -> Member:
    """``member`` without what is for admins alone."""
    if member.site is None or "details" not in member.site:
        return member
    return replace(member, site={key: value for key, value in member.site.items() if key != "details"})


class Texts:
    """The members of a roster as text, each made once for each change: hundreds of newcomers read them all."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._made: dict[str, tuple[Member, str, str]] = {}

    def all(self, *, for_admin: bool) -> list[str]:
        """Everybody, in the roster's order."""
        return [self._of(member, for_admin) for member in self._roster.members]

    def news(self, changed: Collection[str], *, for_admin: bool) -> list[str]:
        """The messages that bring somebody up to date about ``changed``: what they are now, or that they left."""
        members = [self._of(member, for_admin) for who in changed if (member := self._roster.get(who)) is not None]
        left = [who for who in changed if self._roster.get(who) is None]
        for who in left:
            self._made.pop(who, None)
        if len(changed) == 1:
            return [member_changed_text(members[0]) if members else dump(member_left(left[0]))]
        many = range(0, max(len(members), len(left)), _MOST_AT_ONCE)
        return [
            with_members(members_changed(None, left[i : i + _MOST_AT_ONCE]), members[i : i + _MOST_AT_ONCE])
            for i in many
        ]

    def _of(self, member: Member, for_admin: bool) -> str:
        made = self._made.get(member.id)
        if made is None or made[0] is not member:
            text, public = dump(member.as_dict()), for_everybody(member)
            made = self._made[member.id] = (member, text if public is member else dump(public.as_dict()), text)
        return made[2] if for_admin else made[1]


class Audience:
    """The watchers of a room, by identity. ``most`` sockets an identity; the oldest is closed for a further one."""

    def __init__(self, roster: Roster, most: int) -> None:
        self.texts = Texts(roster)
        self._most = most
        self._watchers: dict[str, list[Watcher]] = {}
        self._changed: dict[str, None] = {}
        self._changed_inside: dict[str, None] = {}
        """Members of whom only what is for admins changed."""

    def __iter__(self) -> Iterator[Watcher]:
        for watchers in list(self._watchers.values()):
            yield from list(watchers)

    def __len__(self) -> int:
        return sum(map(len, self._watchers.values()))

    def of(self, identity: str) -> list[Watcher]:
        """The sockets of one identity, the newest last."""
        return self._watchers.get(identity, [])

    def add(self, watcher: Watcher) -> None:
        """One more."""
        own = self._watchers.setdefault(watcher.claims.identity, [])
        own.append(watcher)
        for surplus in own[: -self._most]:
            surplus.close(CloseCode.REPLACED)

    def remove(self, watcher: Watcher) -> None:
        """This one is gone. A second time does nothing."""
        own = self._watchers.get(watcher.claims.identity, [])
        if watcher in own:
            own.remove(watcher)
        if not own:
            self._watchers.pop(watcher.claims.identity, None)

    def pong_at(self, identity: str) -> float:
        """When this identity last showed on a socket that it lives; -inf without one."""
        return max((watcher.pong_at for watcher in self.of(identity)), default=float("-inf"))

    # ---- telling

    def member_changed(self, identity: str) -> None:
        """This member came, changed or left: told on the next tick, as it is then."""
        self._changed[identity] = None

    def inside_changed(self, identity: str) -> None:
        """The same of what is for admins alone."""
        self._changed_inside[identity] = None

    def flush(self) -> None:
        """Tell which members changed."""
        changed, inside = self._changed, {**self._changed_inside, **self._changed}
        self._changed, self._changed_inside = {}, {}
        if not inside:
            return
        texts, of_admins = self.texts.news(changed, for_admin=False), self.texts.news(inside, for_admin=True)
        for watcher in self:
            if watcher.is_admin:
                watcher.send_members(of_admins, inside)
            elif changed:
                watcher.send_members(texts, changed)

    def broadcast(self, message: dict[str, Any]) -> None:
        """Tell everybody."""
        self.flush()
        text = dump(message)
        for watcher in self:
            watcher.send(text)

    def send_to(self, identity: str, message: dict[str, Any]) -> None:
        """Tell one identity, on all its sockets."""
        self.flush()
        text = dump(message)
        for watcher in self.of(identity):
            watcher.send(text)

    def tell_admins(self, message: dict[str, Any]) -> None:
        """Tell the room's admins."""
        text = dump(message)
        for watcher in self:
            if watcher.is_admin:
                watcher.send(text)

    def send_levels(self, levels: Levels) -> None:
        """Tell everybody levels; whoever reads slowly gets them merged."""
        for watcher in self:
            watcher.send_levels(levels)

    def ping(self, now: float, patience: float) -> None:
        """Ask everybody for a sign of life; close whoever gave none for ``patience`` seconds."""
        for watcher in self:
            if now - watcher.pong_at > patience:
                watcher.close(CloseCode.REMOVED)
            else:
                watcher.ping()
