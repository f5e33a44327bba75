"""The signed comment of a pointer: what is written comes back, and what is not ours is not read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.documents import HIGHEST_VERSION, NotTaken, Pointer, Why
from appliance.provisioning.publication import comment, document_path, pointer_path, read_comment

GOOD = "kontor scope=all version=42 expires=2027-01-31T00:00:00Z file=all.42.toml"
names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
scopes = st.one_of(st.just("all"), names.map("groups/".__add__), names.map("devices/".__add__))


@given(
    st.builds(
        Pointer,
        scopes,
        st.integers(1, HIGHEST_VERSION),
        names.map(lambda name: f"{name}.toml"),
        st.none() | st.integers(0, 253_402_300_799).map(float),
    )
)
def test_what_is_written_comes_back(pointer: Pointer) -> None:
    assert read_comment(comment(pointer)) == pointer


def test_the_comment_of_the_guide() -> None:
    assert read_comment(GOOD) == Pointer("all", 42, "all.42.toml", 1_801_353_600.0)
    assert comment(read_comment(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kontor ", ""),
        ("kontor ", " kontor "),
        ("scope=all", "scope=everybody"),
        ("scope=all", "scope=groups/"),
        ("scope=all", "scope=groups/../all"),
        ("scope=all", "scope=devices/A"),
        ("version=42", "version=0"),
        ("version=42", "version=042"),
        ("version=42", "version=-1"),
        ("version=42", "version=2147483648"),
        ("version=42", "version=99999999999"),
        ("version=42", "version=٤٢"),
        ("2027-01-31", "2027-02-31"),
        ("2027-01-31T00", "2027-01-31 00"),
        ("00:00Z", "00:00"),
        ("file=all.42.toml", "file=../all.42.toml"),
        ("file=all.42.toml", "file=groups/bonn.toml"),
        ("file=all.42.toml", "file=.toml"),
        ("file=all.42.toml", "file=all.42.txt"),
        ("file=all.42.toml", ""),
        (".toml", ".toml more=1"),
        (".toml", ".toml\n"),
    ],
)
def test_what_is_none_of_ours(old: str, new: str) -> None:
    with pytest.raises(
        NotTaken, match="The signed comment does not say which scope, version and file it is for"
    ) as caught:
        read_comment(GOOD.replace(old, new))
    assert caught.value.why is Why.NOT_SIGNED


def test_where_things_lie() -> None:
    assert (pointer_path("all"), document_path(Pointer("all", 1, "x.toml"))) == ("all.minisig", "x.toml")
    assert pointer_path("groups/bonn") == "groups/bonn.minisig"
    assert document_path(Pointer("groups/bonn", 1, "bonn.1.toml")) == "groups/bonn.1.toml"
