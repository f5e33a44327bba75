"""Whether a signed document may be followed: every refusal, and what is told of faults that last."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.documents import (
    HIGHEST_VERSION,
    KINDS,
    Fault,
    Faults,
    Floor,
    NotTaken,
    Pointer,
    Told,
    Verdict,
    Why,
    expired,
    judge_content,
    judge_pointer,
    kind_of,
    scopes_of,
)

NOW = 1_800_000_000.0
FLOOR = Floor(42, "aa")


def pointer(**facts: Any) -> Pointer:
    return Pointer(**{"scope": "all", "version": 43, "file": "all.43.toml", "expires": None, **facts})


def refused(each: Pointer, floor: Floor | None = FLOOR, scope: str = "all") -> tuple[Why, str]:
    with pytest.raises(NotTaken) as caught:
        judge_pointer(each, scope, floor, NOW)
    return caught.value.why, str(caught.value)


def test_a_device_follows_one_document_of_each_kind_the_weakest_first() -> None:
    assert tuple(map(kind_of, scopes_of("meeting", "lobby"))) == KINDS


def test_a_device_follows_all_its_group_and_its_own() -> None:
    assert scopes_of("bonn", "lobby") == ("all", "groups/bonn", "devices/lobby")
    assert scopes_of("", "lobby") == ("all", "devices/lobby")


def test_a_newer_version_is_taken() -> None:
    assert judge_pointer(pointer(), "all", FLOOR, NOW) is Verdict.NEWER
    assert judge_pointer(pointer(version=1), "all", None, NOW) is Verdict.NEWER
    assert judge_pointer(pointer(expires=NOW + 1), "all", FLOOR, NOW) is Verdict.NEWER
    assert judge_content(pointer(expires=NOW + 1), "bb", FLOOR) == Floor(43, "bb", NOW + 1)
    assert judge_content(pointer(), "bb", None) == Floor(43, "bb", None)


def test_the_same_version_is_the_same() -> None:
    assert judge_pointer(pointer(version=42), "all", FLOOR, NOW) is Verdict.SAME
    assert judge_content(pointer(version=42), "aa", FLOOR) == FLOOR


def test_an_older_one_is_not_taken_again() -> None:
    assert refused(pointer(version=41)) == (
        Why.OLDER,
        "It is version 41, and version 42 was here already: an older one is not taken.",
    )


def test_a_document_of_others_is_not_taken() -> None:
    assert refused(pointer(scope="groups/bonn")) == (
        Why.OTHER_SCOPE,
        "It was signed for groups/bonn, and lies where all belongs.",
    )
    assert refused(pointer(), None, "devices/lobby")[0] is Why.OTHER_SCOPE


def test_an_expired_one_is_not_taken_and_one_that_was_taken_in_time_stays() -> None:
    assert refused(pointer(expires=NOW)) == (
        Why.EXPIRED,
        "Version 43 has expired: sign it anew, with a higher version.",
    )
    taken = Floor(43, "bb", NOW - 1)
    assert judge_pointer(pointer(expires=NOW - 1), "all", taken, NOW) is Verdict.SAME
    assert expired(NOW - 1, NOW)
    assert not expired(None, NOW)


def test_a_version_says_one_thing_for_ever() -> None:
    words = "Version 42 was here already, with another expiry: raise the version."
    assert refused(pointer(version=42, expires=NOW + 9)) == (Why.REWRITTEN, words)
    with pytest.raises(NotTaken, match="Version 42 was here already, with other content: raise the version") as caught:
        judge_content(pointer(version=42), "bb", FLOOR)
    assert caught.value.why is Why.REWRITTEN


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from("abc"), st.sampled_from([None, NOW + 5])), max_size=30))
def test_whatever_comes_the_floor_never_falls_and_no_version_has_two_contents(
    offers: list[tuple[int, str, Any]],
) -> None:
    floor: Floor | None = None
    contents: dict[int, str] = {}
    for version, digest, expires in offers:
        try:
            judge_pointer(pointer(version=version, expires=expires), "all", floor, NOW)
            new = judge_content(pointer(version=version, expires=expires), digest, floor)
        except NotTaken:
            continue
        assert floor is None or new.version >= floor.version
        assert contents.setdefault(new.version, digest) == digest
        floor = new
    assert HIGHEST_VERSION > 9


def met(scope: str, why: Why, text: str = "") -> dict[str, Fault]:
    return {scope: Fault(scope, why, text)}


def test_a_fault_that_lasts_is_told_once_and_so_is_its_end() -> None:
    faults = Faults()
    fault = met("all", Why.FORGED)
    assert faults.look(fault, ["all"]) == [Told(fault["all"])]
    for number in range(1000):
        assert faults.look(met("all", Why.FORGED, str(number)), ["all"]) == []
    assert faults.open == met("all", Why.FORGED, "999")
    assert faults.look({}, ["all"]) == [Told(None, Fault("all", Why.FORGED, "999"), 1001)]
    assert faults.open == {}
    assert faults.look({}, ["all"]) == []


def test_an_outage_is_one_fault_however_many_documents_were_asked_for() -> None:
    faults = Faults()
    scopes = ["all", "groups/bonn", "devices/lobby"]
    outage = {scope: Fault(scope, Why.UNREACHABLE, "") for scope in scopes}
    assert faults.look(outage, scopes) == [Told(outage["all"])]
    half = {"devices/lobby": outage["devices/lobby"]}
    assert faults.look(half, scopes) == []
    assert faults.look({}, scopes) == [Told(None, outage["devices/lobby"], 2)]


def test_the_same_kind_in_two_documents_is_two_faults() -> None:
    faults = Faults()
    both = met("all", Why.OLDER) | met("devices/lobby", Why.OLDER)
    assert faults.look(both, ["all", "devices/lobby"]) == [Told(both["all"]), Told(both["devices/lobby"])]


def test_another_fault_in_its_place_is_told() -> None:
    faults = Faults()
    faults.look(met("all", Why.STATUS), ["all"])
    forged = met("all", Why.FORGED)
    assert faults.look(forged, ["all"]) == [Told(forged["all"]), Told(None, met("all", Why.STATUS)["all"], 1)]


def test_what_is_not_followed_any_more_has_no_fault() -> None:
    faults = Faults()
    faults.look(met("groups/bonn", Why.FORGED), ["all", "groups/bonn"])
    faults.look(met("groups/bonn", Why.FORGED), ["all"])
    assert faults.open == {}
