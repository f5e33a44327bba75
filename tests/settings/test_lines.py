import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.settings.lines import KeyPath, line_numbers, line_of

EXAMPLE = '''\
# comment with = and [brackets]
schema = 1 # = [x]

[device] # the device
name = "a = [b] # c"
"odd key=]".'x.y'.z = 1

[host]
list = [
  "a", # ]
  { k = "]" },
]
text = """
[not.a.table]
key = 1 \\""" ""still""""
raw = \'\'\'
[nor.this]
'quoted' ''\'\'\'
after = 2

  [[host.rooms]]
id = "a"
[host.rooms.key_files]
k1 = "x"
[[host.rooms]]
id = "b"
[[host.rooms.deep]]
x = 1
[[host.rooms.deep]]
x = 2'''


def at(path: KeyPath) -> int | None:
    return line_of(path, line_numbers(EXAMPLE))


def test_the_example_is_right_toml() -> None:
    table = tomllib.loads(EXAMPLE)
    assert table["host"]["text"].endswith('still"')
    assert table["host"]["rooms"][1]["deep"][1]["x"] == 2


def test_finds_keys_and_tables() -> None:
    assert at(("schema",)) == 2
    assert at(("device",)) == 4
    assert at(("device", "name")) == 5
    assert at(("device", "odd key=]", "x.y", "z")) == 6
    assert at(("host", "list")) == 9
    assert at(("host", "text")) == 13
    assert at(("host", "raw")) == 16
    assert at(("host", "after")) == 19


def test_finds_tables_of_lists() -> None:
    assert at(("host", "rooms", 0)) == 21
    assert at(("host", "rooms", 0, "id")) == 22
    assert at(("host", "rooms", 0, "key_files")) == 23
    assert at(("host", "rooms", 0, "key_files", "k1")) == 24
    assert at(("host", "rooms", 1, "id")) == 26
    assert at(("host", "rooms", 1, "deep", 0, "x")) == 28
    assert at(("host", "rooms", 1, "deep", 1, "x")) == 30


def test_what_has_no_line_has_that_of_what_is_around_it() -> None:
    assert at(("host", "list", 1, "k")) == 9
    assert at(("host", "rooms", 0, "missing")) == 21
    assert at(("nowhere",)) is None


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
_VALUES = st.one_of(
    st.integers().map(str),
    _TEXT.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    _TEXT.map(lambda text: '"""\n' + text.replace("\\", "").replace('"', "") + '\n[x]\ny = 1"""'),
    _TEXT.map(lambda text: "'" + text.replace("'", "") + "'"),
    _TEXT.map(lambda text: "'''\n#" + text.replace("'", "") + "\n'''"),
    st.lists(_TEXT, max_size=3).map(
        lambda items: "[\n" + "".join(f"  '{i.replace(chr(39), '')}', # ]\n" for i in items) + "]"
    ),
    st.just("{ a = 1, b = '}' }"),
)
_KEY = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
_BETWEEN = st.sampled_from(["", "\n", "# x = [\n", "\n   \n"])


@given(
    st.dictionaries(_KEY, st.dictionaries(_KEY, st.tuples(_BETWEEN, _VALUES), max_size=4), max_size=4),
    st.lists(st.dictionaries(_KEY, st.tuples(_BETWEEN, _VALUES), max_size=3), max_size=3),
)
def test_finds_every_key_of_any_document(tables: dict[str, dict[str, Any]], rooms: list[dict[str, Any]]) -> None:
    text, expected = "", {}

    def write(line: str, path: KeyPath) -> None:
        nonlocal text
        expected[path] = text.count("\n") + 1
        text += line + "\n"

    def fill(path: KeyPath, table: dict[str, Any]) -> None:
        nonlocal text
        for key, (between, value) in table.items():
            text += between
            write(f"{key} = {value}", (*path, key))

    for name, table in tables.items():
        write(f"[{name}]", (name,))
        fill((name,), table)
    for number, table in enumerate(rooms):
        write("[[long.rooms]]", ("long", "rooms", number))
        fill(("long", "rooms", number), table)
    tomllib.loads(text)
    found = line_numbers(text)
    assert {path: found.get(path) for path in expected} == expected
