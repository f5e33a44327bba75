"""Who is in a LiveKit room, by what its participants carry: names, rights, microphones, and attributes.

A Kontor tells what LiveKit has no place for in attributes of its own: that it is a device, a raised hand, its report
(docs/site-report.md). They come from whoever may set them, so nothing in them is believed before it was read.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from appliance.core import protocol
from appliance.core.roster import KNOCK_SECONDS, Member, new_member
from appliance.core.text import one_line
from appliance.rooms import contract
from appliance.rooms.contract import RoomEvent
from appliance.rooms.livekit_tokens import KIND

HAND: Final = "kontor.hand"
SITE: Final = "kontor.site"
ADMIN_MUTED: Final = "kontor.admin_muted"
RECORDS: Final = "kontor.recording"
KNOCK: Final = "kontor.knock"
"""Attributes that a member sets of itself. That an admin took the right to speak is told to whoever comes later and cannot see
that it was ever there."""

ASK: Final = "kontor.ask_unmute"
DOOR: Final = "kontor.door"
"""Attributes that only the server's own interface can set with us, and so an admin: who asks; "closed" or "listening"."""

MOST_MEMBERS = 5000
"""Of one room, whatever its server tells."""
_LONGEST_NAME = 64
_MOST_SITE = 4096
"""Characters of a report."""
_AUDIO: Final = 1
"""TrackKind of LiveKit's protocol."""


class Publication(Protocol):
    """A microphone of LiveKit's library, as far as it is looked at here."""

    @property
    def sid(self) -> str: ...
    @property
    def kind(self) -> int: ...
    @property
    def muted(self) -> bool: ...


class Participant(Protocol):
    """A participant of the library."""

    @property
    def identity(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def permissions(self) -> Any: ...
    @property
    def track_publications(self) -> Mapping[str, Any]: ...


def microphone(participant: Participant) -> Publication | None:
    """What a participant talks into; None while it has nothing."""
    there: Iterable[Publication] = participant.track_publications.values()
    return next((one for one in there if one.kind == _AUDIO), None)


class Roomful:
    """Makes events of what changes. Loop only.

    :param own: by what name this member is known here, whatever its token calls it.
    """

    def __init__(self, own: str) -> None:
        self._own = own
        self._members: dict[str, Member] = {}
        self._knocks: dict[str, float] = {}
        self._knock_words: dict[str, str] = {}
        """Of each member the knock that is known."""
        self._could_speak: set[str] = set()
        self._by_server = False
        self._recording: set[str] = set()
        """Devices that record."""
        self._recorded = False

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def knocked(self, participant: Participant, now: float) -> Iterator[RoomEvent]:
        """A member came, or its attributes changed: it may have knocked. Of each one knock in 10 s is passed on.

        :param now: seconds.
        """
        who, word = participant.identity, participant.attributes.get(KNOCK, "")
        if not word or who not in self._members or self._knock_words.get(who) == word:
            return
        self._knock_words[who] = word
        self._knocks = {one: at for one, at in self._knocks.items() if now - at < KNOCK_SECONDS}
        if who not in self._knocks:
            self._knocks[who] = now
            yield contract.Knocked(self._members[who].name)

    def welcome(self, own: Participant, others: Iterable[Participant], *, recorded: bool) -> Iterator[RoomEvent]:
        """These are there now."""
        there = [own, *others]
        ids = {self._own, *(one.identity for one in there[1:])}
        for who in [who for who in self._members if who not in ids]:
            yield from self.left(who)
        for one in there:
            yield from self.came(one, own=one is own, anew=True)
            self._knock_words[one.identity] = one.attributes.get(KNOCK, "")  # it was before we came
        yield from self.recording(on=recorded)

    def came(self, participant: Participant, *, own: bool = False, anew: bool = False) -> Iterator[RoomEvent]:
        """One came, or is otherwise now.

        :param anew: it is told even if it is as it was.
        """
        who = self._own if own else participant.identity
        if not who or (who == self._own and not own):
            return
        if who not in self._members and len(self._members) >= MOST_MEMBERS:
            return  # a server that makes up members without end does not fill our memory
        member = self._member(who, participant)
        (self._recording.add if participant.attributes.get(RECORDS) == "1" else self._recording.discard)(who)
        if anew or self._members.get(who) != member:
            self._members[who] = member
            yield contract.MemberChanged(member)
        yield from self._records()

    def left(self, who: str) -> Iterator[RoomEvent]:
        """One is gone."""
        self._could_speak.discard(who)
        self._recording.discard(who)
        self._knock_words.pop(who, None)
        if self._members.pop(who, None) is not None:
            yield contract.MemberLeft(who)
        yield from self._records()

    def recording(self, *, on: bool) -> Iterator[RoomEvent]:
        """Whether the server says that the room is recorded."""
        self._by_server = on
        yield from self._records()

    def _records(self) -> Iterator[RoomEvent]:
        recorded = self._by_server or bool(self._recording)
        if recorded is not self._recorded:
            self._recorded = recorded
            yield contract.Recording(recorded)

    def empty(self) -> Iterator[RoomEvent]:
        """We are out of the room: nobody is in it as far as we know, and nobody records us."""
        yield from self.recording(on=False)
        for who in list(self._members):
            yield from self.left(who)

    def _member(self, who: str, participant: Participant) -> Member:
        attributes = participant.attributes
        may_speak = bool(participant.permissions.can_publish)
        if may_speak:
            self._could_speak.add(who)
        silenced = not may_speak and (who in self._could_speak or attributes.get(ADMIN_MUTED) == "1")
        source = microphone(participant)
        name = one_line(participant.name or participant.identity)[:_LONGEST_NAME]
        made = new_member(
            who,
            name,
            "site" if attributes.get(KIND) == "site" else "person",
            "speaker" if may_speak or silenced else "listener",
        )
        return replace(
            made,
            connecting=False,
            muted=source is None or source.muted,
            admin_muted=silenced,
            hand=attributes.get(HAND) == "1",
            site=read_report(attributes.get(SITE, "")),
        )


def read_report(text: str) -> dict[str, Any] | None:
    """What a site reports of itself, by its attribute; None: nothing that is understood."""
    if not text or len(text) > _MOST_SITE:
        return None
    try:
        site = json.loads(text)
        return protocol.read_site(site) if isinstance(site, dict) else None
    except (ValueError, RecursionError, protocol.ProtocolError):
        return None
