"""What bridges tell, and how they find out that they close a ring: maps of rooms, drawn and followed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.bridges import (
    MOST_HOPS,
    MOST_NAMES,
    Hop,
    Told,
    Way,
    announced,
    is_youngest,
    rank,
    read_told,
    ring,
    short,
    short_list,
    told_by,
    ways,
)
from appliance.core.controls import Door
from appliance.core.presence_client import MOST_CLIENT_BYTES, Report, client_text, parse_client, read_site
from appliance.core.roster import Member, new_member
from appliance.core.wire import ProtocolError
from appliance.rooms.contract import SiteReport
from appliance.rooms.presence import site_message

TOLD = Told("a", "Berlin", ("Ada", "Ben"), 3, ("Ada",), heard=False, why="admin", hops=(Hop("0" * 8, 7, "1" * 8),))


def test_what_is_told_is_read_as_it_was() -> None:
    assert read_told(TOLD.as_fields()) == TOLD.as_fields()
    assert read_told({**TOLD.as_fields(), "newer": 1}) == TOLD.as_fields()
    assert read_told({**TOLD.as_fields(), "why": "x" * 25})["why"] == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": "c"},
        {"to": ""},
        {"names": ["x" * 33]},
        {"names": ["Ada"] * (MOST_NAMES + 1)},
        {"names": ["a\n"]},
        {"more": -1},
        {"speaking": ["Ada"] * 4},
        {"heard": 1},
        {"hops": []},
        {"hops": [1]},
        {"hops": [["0" * 8, 7, "1" * 8]]},
        {"hops": [["x" * 8, 7, "1" * 8, 0]]},
        {"hops": [["0" * 8, 7, "1" * 7, 0]]},
        {"hops": [["0" * 8, True, "1" * 8, 0]]},
        {"hops": [["0" * 8, 7, "1" * 8, 1]]},
        {"hops": [["0" * 8, 7, "1" * 8, 0]] * (MOST_HOPS + 1)},
    ],
)
def test_what_is_told_wrongly_is_refused(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        read_told({**TOLD.as_fields(), **wrong})


def bridge_member(name: str, site: Mapping[str, Any] | None, **changed: Any) -> Member:
    return replace(new_member(name, name, "bridge", "speaker"), connecting=False, site=site, **changed)


def test_only_a_bridge_that_is_here_tells_something() -> None:
    site = {"bridge": TOLD.as_fields()}
    assert told_by(bridge_member("b", site)) == ("a", TOLD.hops)
    for member in (
        bridge_member("b", None),
        bridge_member("b", {}),
        bridge_member("b", {"bridge": "x"}),
        bridge_member("b", {"bridge": {**TOLD.as_fields(), "hops": "x"}}),
        replace(bridge_member("b", site), connecting=True),
        replace(bridge_member("b", site), joined=False),
    ):
        assert told_by(member) is None


class Map:
    """Rooms and the bridges between them, which tell each other what they know until nobody has anything new."""

    def __init__(self, bridges: Iterable[tuple[int, int]], *, digests: bool = True) -> None:
        self.bridges = [(f"{number:08x}", *rooms, 1000 + number) for number, rooms in enumerate(bridges)]
        self.digests = digests
        self.told: dict[tuple[str, int], Way] = {}
        while self._tell():
            pass

    def _digest(self, number: int, room: int) -> str:
        return f"{room:08x}" if self.digests else f"{1000 + 100 * number + room:08x}"

    def heard(self, name: str, room: int) -> dict[str, Way]:
        return ways([hops for (who, where), hops in self.told.items() if where == room and who != name], name)

    def _tell(self) -> bool:
        before = dict(self.told)
        for name, a, b, born in self.bridges:
            for here, there in ((a, b), (b, a)):
                own = Hop(name, born, self._digest(born, there))
                self.told[name, here] = announced(own, self.heard(name, there))
        return self.told != before

    def ring_of(self, at: int) -> Mapping[str, int]:
        name, a, b, born = self.bridges[at]
        return ring(self.heard(name, a), self.heard(name, b), self._digest(born, a), self._digest(born, b))

    def ending(self) -> list[int]:
        """Who of them ends."""
        found = []
        for at, (name, _, _, born) in enumerate(self.bridges):
            others = self.ring_of(at)
            if others and is_youngest(Hop(name, born, ""), others):
                found.append(at)
        return found


@pytest.mark.parametrize("digests", [True, False])
@pytest.mark.parametrize(
    ("bridges", "ending"),
    [
        ([(1, 2)], []),
        ([(1, 2), (2, 3), (3, 4)], []),
        ([(1, 2), (1, 3), (1, 4), (4, 5)], []),
        ([(1, 2), (2, 1)], [1]),
        ([(1, 2), (2, 3), (3, 1)], [2]),
        ([(1, 2), (2, 3), (3, 4), (4, 1)], [3]),
        ([(1, 2), (2, 3), (3, 1), (3, 4), (4, 5)], [2]),  # the youngest hangs on the ring and is not part of it
        ([(1, 2), (2, 1), (2, 1)], [1, 2]),
    ],
)
def test_the_youngest_of_a_ring_ends(bridges: list[tuple[int, int]], ending: list[int], digests: bool) -> None:
    assert Map(bridges, digests=digests).ending() == ending


def test_what_is_told_of_a_ring_never_grows_beyond_it() -> None:
    ring_of_five = Map([(n, (n + 1) % 5) for n in range(5)])
    assert all(len(hops) <= 5 for hops in ring_of_five.told.values())
    assert [sorted(ring_of_five.ring_of(at)) for at in range(5)] == [
        [name for name, *_ in ring_of_five.bridges if name != f"{at:08x}"] for at in range(5)
    ]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda e: e[0] != e[1]), max_size=9))
def test_whatever_rooms_are_joined_the_youngest_end_until_no_ring_is_left(bridges: list[tuple[int, int]]) -> None:
    """And never one that is needed: whoever was connected is so still."""
    left = list(bridges)
    for _ in range(len(bridges) + 1):
        ending = Map(left).ending()
        if not ending:
            break
        left = [each for at, each in enumerate(left) if at not in ending]
    assert _islands(left) == _islands(bridges)
    assert len(left) == 6 - len(_islands(left)), "a forest"


def _islands(bridges: list[tuple[int, int]]) -> set[frozenset[int]]:
    islands = [{room} for room in range(6)]
    for a, b in bridges:
        one = next(each for each in islands if a in each)
        other = next(each for each in islands if b in each)
        if one is not other:
            islands.remove(other)
            one |= other
    return {frozenset(each) for each in islands}


def test_where_no_report_passes_addresses_tell() -> None:
    """Two bridges to one far room that tell of each other only on this side."""
    own, other = Hop("0" * 8, 1, "b" * 8), Hop("1" * 8, 2, "b" * 8)
    assert ring(ways([(other,)], own.id), {}, "a" * 8, "b" * 8) == {other.id: 2}
    assert ring({}, ways([(other,)], own.id), "b" * 8, "a" * 8) == {other.id: 2}
    assert ring(ways([(other,)], own.id), {}, "a" * 8, "c" * 8) == {}
    third = Hop("2" * 8, 3, "b" * 8)
    assert ring(ways([(other,)], own.id), ways([(third,)], own.id), "a" * 8, "c" * 8) == {other.id: 2, third.id: 3}


def test_ways_through_oneself_and_in_circles_lead_nowhere() -> None:
    own, one, two = (Hop(str(n) * 8, n, "f" * 8) for n in range(3))
    assert ways([(one, replace(own, via=0), replace(two, via=1))], own.id) == {one.id: (one,)}
    assert ways([(one, replace(two, via=0), replace(one, via=1))], own.id).keys() == {one.id, two.id}
    far = ways([(one, replace(two, via=0)), (two,)], own.id)
    assert far[two.id] == (two,), "the shortest"
    assert ways([(two,), (one, replace(two, via=0))], own.id)[two.id] == (two,)


def test_of_many_bridges_the_nearest_are_told() -> None:
    chain = ways([tuple(Hop(f"{n:08x}", n, "f" * 8, max(0, n - 1)) for n in range(30))], "x")
    told = announced(Hop("e" * 8, 1, "f" * 8), chain)
    assert len(told) == MOST_HOPS
    assert [hop.id for hop in told[1:]] == [f"{n:08x}" for n in range(MOST_HOPS - 1)]
    assert [hop.via for hop in told] == [0, *range(MOST_HOPS - 1)]


def test_names_are_few_short_and_harmless() -> None:
    people = [new_member(f"p{n}", f"Person {n:02}", "person", "speaker") for n in range(10)]
    site = new_member("site", "Zimmer", "site", "speaker")
    ranked = sorted(rank(member) for member in (*people, site))
    names, more, speaking = short_list(ranked, (rank(member) for member in (people[3], site)))
    assert names == ("Zimmer", *(f"Person {n:02}" for n in range(7)))
    assert (more, speaking) == (3, ("Zimmer", "Person 03"))
    assert short("x" * 40) == "x" * 31 + "…"
    assert short("\u202e \n") == "?"
    assert short(" Ada\n") == "Ada"


def test_a_report_carries_it_and_one_that_is_wrong_is_refused() -> None:
    site: dict[str, Any] = {"gate": "open", "reasons": [], "door": "open", "loudspeaker": -60}
    site["lamps"] = {"mic": "off", "room": "steady", "speak": "off", "fault": "off"}
    assert read_site({**site, "bridge": TOLD.as_fields()})["bridge"] == TOLD.as_fields()
    assert "bridge" not in read_site({**site, "bridge": None})
    with pytest.raises(ProtocolError):
        read_site({**site, "bridge": {"side": "a"}})


def test_the_longest_that_can_be_told_fits_a_message() -> None:
    name = "é" * MOST_NAMES * 4
    hops = tuple(Hop(f"{n:08x}", 4_000_000_000, "f" * 8, max(0, n - 1)) for n in range(MOST_HOPS))
    told = Told(
        "a", name[:64], (name[:32],) * MOST_NAMES, 99_999, (name[:32],) * 3, heard=False, why="recording", hops=hops
    )
    lamps = {"mic": "steady", "room": "steady", "speak": "off", "fault": "slow"}
    report = SiteReport(False, ("admin", "away"), Door.OPEN, lamps, -60, extra={"limited": name[:64]}, bridge=told)
    text = client_text(site_message(report))
    assert len(text.encode()) < MOST_CLIENT_BYTES
    assert isinstance(parse_client(text), Report)
