"""Two devices of one room that look alike on every ring: refused where it was written, told where it is chance."""

import json
from itertools import combinations
from pathlib import Path

import pytest

from appliance.core.roster import HUES, sign_of
from appliance.settings.checks_signs import same_by_chance
from tests.settings.support import loaded, only, problems
from tests.settings.test_command_config import kontor

ROOMS = '[[host.rooms]]\nid = "lobby"\n[[host.rooms]]\nid = "attic"\n'


def device(name: str, room: str = "lobby", hue: str = "", place: int | None = None) -> str:
    lines = [
        "[[host.devices]]",
        f'id = "{name}"',
        f'name = "{name}"',
        f'room = "{room}"',
        f'public_key = "{"A" * 43}="',
    ]
    lines += [f'hue = "{hue}"'] * bool(hue) + [f"place = {place}"] * (place is not None)
    return "\n".join(lines) + "\n"


def alike() -> tuple[str, str]:
    """Two ids that have the same sign by chance."""
    names = [f"box-{number}" for number in range(100)]
    return next((a, b) for a, b in combinations(names, 2) if sign_of(a) == sign_of(b))


def test_signs_that_differ_are_right_also_over_two_rooms() -> None:
    text = ROOMS + device("one", hue="rust", place=3) + device("two", hue="rust", place=4)
    assert problems(text + device("three", hue="jade", place=3)) == ()
    assert problems(text + device("three", "attic", "rust", 3)) == ()


def test_the_same_sign_set_twice_is_refused_with_a_place_that_is_free() -> None:
    text = ROOMS + device("one", hue="rust", place=3) + device("two", hue="rust", place=0)
    text += device("other", hue="jade", place=5) + device("far", "attic", "rust", 6)
    problem = only(text + device("three", hue="rust", place=3))
    assert problem.key == "host.devices[5].hue"
    assert problem.line == text.count("\n") + 1 + 6
    assert problem.allowed == 'gives three the sign of "one": nobody in lobby could tell them apart'
    assert problem.hint == "Free with rust: place 1, 2, 4, 5, 6, 7, 8, 9, 10, 11."


def test_a_sign_set_to_what_another_device_has_by_its_id_is_refused_whichever_comes_first() -> None:
    own = sign_of("one")
    chosen = device("two", hue=HUES[own.hue], place=own.place)
    for text, number in ((device("one") + chosen, 2), (chosen + device("one"), 1)):
        problem = only(ROOMS + text)
        assert problem.key == f"host.devices[{number}].hue"
        assert 'sign of "one"' in problem.allowed


def test_a_place_alone_is_told_as_the_place() -> None:
    own, other = next(
        (a, b) for a, b in combinations([f"d{n}" for n in range(60)], 2) if sign_of(a).hue == sign_of(b).hue
    )
    problem = only(ROOMS + device(own) + device(other, place=sign_of(own).place))
    assert problem.key == "host.devices[2].place"


def test_a_hue_that_is_used_up_is_told() -> None:
    text = ROOMS + "".join(device(f"d{place}", hue="blue", place=place) for place in range(12))
    assert only(text + device("last", hue="blue", place=5)).hint == "Take another hue."


def test_three_with_one_sign_are_two_problems() -> None:
    text = ROOMS + "".join(device(name, hue="wine", place=7) for name in ("a1", "b2", "c3"))
    assert [problem.key for problem in problems(text)] == ["host.devices[2].hue", "host.devices[3].hue"]


def test_the_same_by_chance_is_only_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = alike()
    text = ROOMS + device(first) + device(second)
    (told,) = same_by_chance(loaded(text))
    hue = HUES[sign_of(first).hue]
    assert told.startswith(
        f'In lobby the devices "{second}" and "{first}" have the same sign. Give one of them another.'
    )
    assert f"Free with {hue}: place" in told
    assert same_by_chance(loaded(ROOMS + device(first) + device(second, "attic"))) == []
    assert same_by_chance(loaded(text.replace(f'id = "{second}"', 'id = "other"'))) == []
    path = tmp_path / "kontor.toml"
    path.write_text("schema = 1\n" + text)
    assert kontor("check", "--config", str(path)) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [told]
    assert kontor("check", "--json", "--config", str(path)) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == [told]
