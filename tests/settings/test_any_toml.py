"""Whatever is written into a settings file, only SettingsError comes of it, and it has a place and a sentence."""

import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.settings import Problem, Settings, SettingsError, Source, load, resolve
from appliance.settings.describe import as_dict, as_toml, toml_value
from appliance.settings.setting import Items, Section, Setting, Where, members

_WORDS = [
    "hosted",
    "virtual",
    "latching",
    "silence",
    "tone:440",
    "0.0.0.0",
    "https://a.b",
    "a.wav",
    "lobby",
    "",
    "~",
    "\0",
]
_TEXT = st.one_of(st.sampled_from(_WORDS), st.text(st.characters(codec="utf-8"), max_size=70))
_SCALARS = st.one_of(_TEXT, st.booleans(), st.integers(-(2**70), 2**70), st.sampled_from([0, 1, 10, 20, 100, 8080]))
_ANY = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3))


def tables(cls: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables that look like a section: often the right keys, sometimes others, with any value."""
    fields = {name: _ANY | _inside(member) for name, member in members(cls).items()}
    known = st.fixed_dictionaries({}, optional=fields)
    return known | st.tuples(known, st.dictionaries(_TEXT, _ANY, max_size=2)).map(lambda both: both[1] | both[0])


def _inside(member: Setting | Section | Items) -> st.SearchStrategy[Any]:
    if isinstance(member, Section):
        return tables(member.cls)
    if isinstance(member, Items):
        return st.lists(tables(member.cls), max_size=3)
    right = "lobby" if member.required else member.kind.plain(member.default)
    return _ANY if right is None else st.just(right)


def document(table: dict[str, Any]) -> bytes:
    return "".join(f"{toml_value(key)} = {toml_value(value)}\n" for key, value in table.items()).encode()


def check(sources: list[Source]) -> None:
    try:
        found = resolve(sources, secrets=())
    except SettingsError as error:
        check_problems(error.problems, {source.name for source in sources})
        return
    as_dict(found)
    again = load([Source("shown", as_toml(found).encode(), Path("/"))], secrets=())
    assert "(hidden)" in as_toml(found) or again == found.settings


def check_problems(problems: Sequence[Problem], names: Collection[str]) -> None:
    assert problems
    for problem in problems:
        assert problem.file in names
        assert problem.allowed
        assert not problem.allowed.endswith(".")
        assert str(problem).isprintable()
        assert len(str(problem)) < 500


@given(st.lists(tables(Settings), min_size=1, max_size=3))
@settings(max_examples=150)
def test_anything_that_looks_like_settings(written: list[dict[str, Any]]) -> None:
    check([Source(f"{n}.toml", b"schema = 1\n" + document(table)) for n, table in enumerate(written)])


@given(st.dictionaries(_TEXT.filter(lambda key: key != "schema"), _ANY, max_size=5))
def test_any_table(written: dict[str, Any]) -> None:
    check([Source("a.toml", document(written))])
    check([Source("a.toml", b"schema = 1\n" + document(written))])


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"b{n}.{'a.' * 190}c = 1\n" for n in range(500)),
        "".join(f"k{n} = 1\n" for n in range(20_000)),
        "[[host.rooms]]\n" * 10_000,
        'x = """' + '"" \n' * 50_000 + '"""',
        "x = [\n" + "'',\n" * 50_000 + "]",
    ],
    ids=["dots", "keys", "rooms", "quotes", "list"],
)
def test_a_large_file_takes_seconds_at_most(text: str) -> None:
    began = time.process_time()
    check([Source("a.toml", b"schema = 1\n" + text.encode())])
    assert time.process_time() - began < 10


@given(st.binary(max_size=200))
def test_any_bytes(written: bytes) -> None:
    check([Source("a.toml", written)])


@given(st.text("schema=1[].#\"'\\\n {},adeuiolgrmsv_-" + "\x00\x1b\u202e", max_size=120))
def test_any_text_of_the_letters_of_toml(written: str) -> None:
    check([Source("a.toml", written.encode())])
    check([Source("a.toml", b"schema = 1\n" + written.encode())])


@given(st.sampled_from(sorted(members(Settings))), st.data())
def test_any_value_for_any_setting(section: str, data: st.DataObject) -> None:
    member = members(Settings)[section]
    assert isinstance(member, Section)
    name = data.draw(st.sampled_from(sorted(members(member.cls))))
    value = data.draw(_ANY)
    inner = members(member.cls)[name]
    source = Source("a.toml", f"schema = 1\n[{section}]\n{name} = {toml_value(value)}".encode())
    try:
        found = getattr(getattr(load([source], secrets=()), section), name)
    except SettingsError as error:
        check_problems([problem for problem in error.problems if problem.line == 3], {"a.toml"})
        return
    if isinstance(inner, Setting):
        assert inner.kind.convert(value, Where(f"{section}.{name}", Path("/"))) == found
