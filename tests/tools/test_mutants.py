"""The mutator changes one thing at a time, and the list of what no test can notice is no longer than it must be."""

import ast
from pathlib import Path

import pytest

from tools import mutants
from tools.mutate import changes, mutated

ENUM = "class Door(Enum):\n    A = 'a'\n    B = 'b'\n\n\n"


def variants(source: str) -> set[str]:
    return {ast.unparse(mutated(source, change)).replace("\n", ";") for change in changes(source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a == b", {"x = a != b"}),
        ("x = a < b", {"x = a <= b"}),
        ("x = a is b", {"x = a is not b"}),
        ("x = a in b", {"x = a not in b"}),
        ("x = a < b < c", set()),
        ("x = a and b", {"x = a or b", "x = a", "x = b"}),
        ("x = not a", {"x = a"}),
        ("x = a - b", {"x = a + b", "x = a"}),
        ("x = a | b", {"x = a & b", "x = a"}),
        ("x = a ** b", set()),
        ("x = 5", {"x = 6"}),
        ("x = 0.5", {"x = 1.5"}),
        ("x = True", {"x = False"}),
        ("x = 'text'", set()),
        ("x = None", set()),
        ("x = a if b else c", {"x = c if b else a", "x = a", "x = c"}),
        ("x = min(a)", {"x = max(a)"}),
        ("x = {a, b}", {"x = {b}", "x = {a}"}),
        ("x = {a: b, **c}", {"x = {**c}", "x = {a: b}"}),
        ("x = f(a=b, c=d)", {"x = f(c=d)", "x = f(a=b)"}),
        ("f(a)", {"pass"}),
        ("a.b = c", {"pass"}),
        ("a += b", {"pass"}),
        ("if a:\n    return b", {"if a:;    pass"}),
        ("'''A docstring.'''", set()),
        ("import a", set()),
        ("def f(a: 1 = b) -> 2:\n    return c", set()),
        ("@f(1)\nclass A(B[1], metaclass=C(2)):\n    pass", set()),
        ("x: f(1) = a", set()),
    ],
)
def test_every_kind_of_change(source: str, expected: set[str]) -> None:
    assert variants(source) == expected


def test_a_member_of_an_enumeration_becomes_the_next() -> None:
    assert {variant.rpartition(";")[2] for variant in variants(ENUM + "x = Door.A")} == {"x = Door.B"}
    assert {variant.rpartition(";")[2] for variant in variants(ENUM + "x = Door.B")} == {"x = Door.A"}
    assert variants(ENUM + "x = Other.A") == set()


def test_changes_tell_where_they_are_and_none_is_named_twice() -> None:
    source = "class A:\n    def f(self):\n        return g(1) + g(1)\n\n\nT = {a: 1}\n"
    names = [str(change) for change in changes(source)]
    assert "A.f: 1 -> 2 in `return g(1) + g(1)`" in names
    assert "A.f: 1 -> 2 in `return g(1) + g(1)` (no. 2)" in names
    assert "T: 1 -> 2 in `T = {a: 1}`" in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("file", mutants.TARGETS)
def test_mutants_of_the_targets_compile_and_differ(file: str) -> None:
    source = (mutants.ROOT / file).read_text()
    original = ast.dump(ast.parse(source))
    for change in changes(source)[::11]:  # one in eleven: enough to meet every kind
        tree = mutated(source, change)
        compile(tree, file, "exec")
        assert ast.dump(tree) != original, change


def test_what_no_test_can_notice_is_a_mutant_and_has_a_reason() -> None:
    made = {mutant.name for mutant in mutants.made_of(list(mutants.TARGETS))}
    assert mutants.equivalent() <= made


def test_the_tests_that_must_notice_exist() -> None:
    for file, tests in mutants.TARGETS.items():
        assert (mutants.ROOT / file).is_file()
        assert all((mutants.ROOT / test).is_file() for test in tests)


def test_the_score_is_of_those_that_can_be_noticed() -> None:
    mutant = mutants.made_of(["appliance/audio/gate.py"])[0]
    score = mutants.Score(killed=3, survivors=[mutant], equivalent={"another"})
    assert score.killed_percent == 75.0
    assert mutants.Score().killed_percent == 0.0


def test_a_file_without_tests_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mutants.main(["appliance/core/units.py"])
    assert "no tests are named for appliance/core/units.py" in capsys.readouterr().err


def test_they_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(["--list", "appliance/audio/gate.py"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(mutants.made_of(["appliance/audio/gate.py"]))
    assert all(Path(line.partition(":")[0]) == Path("appliance/audio/gate.py") for line in lines)


def test_libraries_are_imported_before_and_our_own_modules_anew_by_each_child() -> None:
    names = {"_asyncio", "aiohttp", "aiohttp.web", "appliance", "appliance.core", "tests.support", "tools", "yarl"}
    assert mutants._libraries(names) == ["aiohttp", "yarl"]
