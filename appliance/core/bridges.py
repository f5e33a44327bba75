"""What a bridge tells in each of its two rooms, and how bridges find out that they close a ring.

Every bridge has a name of its own, drawn when it starts. In each of its rooms it tells its name and those of all bridges that
can be reached through it on the other side (:class:`Hop`), each with the way there. So a bridge sees on both of its sides which
bridges there are without going through itself: if one is on both, the rooms form a ring. No address has to be known for that,
and two addresses of one room are no trouble. Where an engine passes nothing on, the digest of the far room's address still
tells two bridges between the same rooms from two that are not.

All bridges of a ring see the same ring, so they agree on which of them began last: that one ends (docs/adr/0231).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from appliance.core.roster import Member
from appliance.core.site_details import LAST_SECOND
from appliance.core.wire import Fields, ProtocolError, array, array_of, choice, flag, is_name, name, number

MOST_HOPS = 16
"""Bridges that are told of, the nearest first: with all else a report stays below what a host takes."""
MOST_NAMES = 8
MOST_SPEAKERS = 3
MOST_NAME = 32
"""Characters of a name on the other side; the rest is cut off."""
_MOST_MORE = 100_000
_MOST_WHY = 24
_DIGITS = frozenset("0123456789abcdef")
_NAME_LENGTH = 8

Side: TypeAlias = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Hop:
    """One bridge on a way through rooms."""

    id: str
    """Eight hexadecimal digits, drawn at its start."""
    born: int
    """When it started, Unix seconds by its own clock. Wrong clocks end the wrong one of a ring, and one only."""
    room: str
    """The room on its far side: eight hexadecimal digits of its address's hash."""
    via: int = 0
    """Of the list in which it stands, which one leads to it; the first leads to itself."""


Way: TypeAlias = tuple[Hop, ...]
"""Bridges from the nearest to the one that it leads to."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a bridge says in one of its rooms."""

    side: Side
    """Which of its two members says it."""
    to: str
    """The room on the other side, as people call it."""
    names: tuple[str, ...]
    """Who is there, at most :data:`MOST_NAMES`."""
    more: int
    """How many besides."""
    speaking: tuple[str, ...]
    """Who of them speaks; nobody while nothing of them is sent here."""
    heard: bool
    """Whether what is said here is heard there."""
    why: str
    """Why not, in the words of a gate's reasons, and ``away``, ``ring``."""
    hops: Way
    """Itself, and which bridges are reached through it."""

    def as_fields(self) -> dict[str, Any]:
        """As a site's report carries it."""
        return {
            "side": self.side,
            "to": self.to,
            "names": list(self.names),
            "more": self.more,
            "speaking": list(self.speaking),
            "heard": self.heard,
            "why": self.why,
            "hops": [[hop.id, hop.born, hop.room, hop.via] for hop in self.hops],
        }


def read_told(fields: Fields) -> dict[str, Any]:
    """Check what a bridge says of itself, and keep what is known.

    :raises ProtocolError: a field is missing or not of its type.
    """
    why = fields.get("why")
    return {
        "side": choice(fields, "side", ("a", "b")),
        "to": name(fields, "to"),
        "names": list(array_of(fields, "names", MOST_NAMES, _is_short)),
        "more": number(fields, "more", 0, _MOST_MORE),
        "speaking": list(array_of(fields, "speaking", MOST_SPEAKERS, _is_short)),
        "heard": flag(fields, "heard"),
        "why": why if is_name(why, _MOST_WHY) else "",
        "hops": [[hop.id, hop.born, hop.room, hop.via] for hop in _hops(fields)],
    }


def _is_short(value: object) -> bool:
    return is_name(value, MOST_NAME)


def _hops(fields: Fields) -> Way:
    found = tuple(_hop(value, at) for at, value in enumerate(array(fields, "hops", MOST_HOPS)))
    if not found:
        raise ProtocolError('The field "hops" has to name at least one bridge.')
    return found


def _hop(value: object, at: int) -> Hop:
    if isinstance(value, list) and len(value) == 4 and _is_digest(value[0]) and _is_digest(value[2]):
        numbers = {"born": value[1], "via": value[3]}
        born, via = number(numbers, "born", 0, LAST_SECOND), number(numbers, "via", 0, max(0, at - 1))
        return Hop(value[0], born, value[2], via)
    raise ProtocolError('The field "hops" has to be a list of bridges.')


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == _NAME_LENGTH and _DIGITS.issuperset(value)


def told_by(member: Member) -> tuple[Side, Way] | None:
    """What ``member`` says as a bridge: which side of it is here, and its hops; None when it is none, or not here now."""
    told = member.site.get("bridge") if member.site is not None else None
    if not isinstance(told, Mapping) or member.connecting or not member.joined:
        return None
    try:
        return choice(told, "side", ("a", "b")), _hops(told)
    except ProtocolError:  # another engine may have passed it on without looking
        return None


def ways(told: Iterable[Way], own: str) -> dict[str, Way]:
    """To each bridge that others in a room tell of, the shortest way; none that leads through ``own``."""
    found: dict[str, Way] = {}
    for hops in told:
        for way in _spelled_out(hops):
            steps = [hop.id for hop in way]
            if own in steps or len(set(steps)) < len(steps):
                continue
            known = found.get(steps[-1])
            if known is None or len(way) < len(known):
                found[steps[-1]] = way
    return found


def _spelled_out(hops: Way) -> list[Way]:
    made: list[Way] = []
    for at, hop in enumerate(hops):
        made.append((*(made[hop.via] if at else ()), hop))
    return made


def announced(own: Hop, beyond: Mapping[str, Way]) -> Way:
    """What a bridge tells in one room: itself, and the bridges ``beyond``, on its other side."""
    told = [own]
    place = {own.id: 0}
    for way in sorted(beyond.values(), key=lambda way: (len(way), way[-1].id))[: MOST_HOPS - 1]:
        before = way[-2].id if len(way) > 1 else own.id
        place[way[-1].id] = len(told)
        told.append(Hop(way[-1].id, way[-1].born, way[-1].room, place[before]))
    return tuple(told)


def ring(here: Mapping[str, Way], there: Mapping[str, Way], room_here: str, room_there: str) -> Mapping[str, int]:
    """The others of the shortest ring that a bridge between two rooms closes, each with when it began; empty: there is none.

    :param here: the ways in the one room, as :func:`ways` gives them, and
    :param there: those in the other.
    :param room_here: the rooms' digests.
    """
    found = [_begun(here[who] + there[who]) for who in here if who in there]
    found += [_begun(way) for way in here.values() if way[-1].room == room_there]
    found += [_begun(way) for way in there.values() if way[-1].room == room_here]
    for one in here.values():
        found += [_begun(one + other) for other in there.values() if one[-1].room == other[-1].room]
    return min(found, key=lambda ring: (len(ring), sorted(ring)), default={})


def _begun(hops: Sequence[Hop]) -> dict[str, int]:
    return {hop.id: hop.born for hop in hops}


def is_youngest(own: Hop, others: Mapping[str, int]) -> bool:
    """Whether ``own`` began last of a ring: exactly one of its bridges did."""
    return all((own.born, own.id) > (born, who) for who, born in others.items())


Rank: TypeAlias = tuple[bool, str, str, str]
"""Where a member stands in a list, by comparison; the last is its name."""


def rank(member: Member) -> Rank:
    """Where a member stands: devices first, then by name."""
    return member.kind != "site", member.name.casefold(), member.id, member.name


def short_list(ranked: Sequence[Rank], speaking: Iterable[Rank]) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """Names of those who are there, how many more, and who of them speaks.

    :param ranked: all of them, sorted.
    """
    names = tuple(short(place[-1]) for place in ranked[:MOST_NAMES])
    loud = tuple(short(place[-1]) for place in sorted(speaking)[:MOST_SPEAKERS])
    return names, max(0, len(ranked) - MOST_NAMES), loud


def short(text: str, most: int = MOST_NAME) -> str:
    """A name that people can read on one line, of ``most`` characters at most."""
    plain = "".join(filter(str.isprintable, text)).strip() or "?"
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
