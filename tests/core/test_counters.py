"""Counters by declared names."""

import re

import pytest

from appliance.core.counters import ALWAYS_SHOWN, HELP, Counters, total


def test_they_start_at_0_and_grow() -> None:
    counters = Counters()
    assert counters.get("joins") == 0
    counters.add("joins")
    counters.add("joins", 4)
    assert counters.get("joins") == 5
    assert counters.get("packets_sent") == 0


def test_an_unknown_name_is_an_error_everywhere() -> None:
    counters = Counters()
    with pytest.raises(KeyError):
        counters.add("jions")
    with pytest.raises(KeyError):
        counters.get("jions")
    assert "jions" not in counters.snapshot()


def test_they_never_shrink() -> None:
    counters = Counters()
    counters.add("joins", 0)
    with pytest.raises(ValueError, match="joins can only grow"):
        counters.add("joins", -1)
    assert counters.get("joins") == 0


def test_the_snapshot_has_what_counted_and_what_must_be_seen_at_0() -> None:
    counters = Counters()
    assert counters.snapshot() == {"proof_violations": 0}
    counters.add("joins")
    snapshot = counters.snapshot()
    counters.add("joins")
    assert snapshot == {"joins": 1, "proof_violations": 0}
    assert HELP.keys() >= ALWAYS_SHOWN


def test_every_name_is_plain_and_explained() -> None:
    for name, text in HELP.items():
        assert re.fullmatch("[a-z][a-z_]*", name), name
        assert re.fullmatch("[a-zA-Z].*[^.]", text), name


def test_snapshots_add_up() -> None:
    assert total({"joins": 1, "packets_sent": 2}, {"joins": 3}, {}) == {"joins": 4, "packets_sent": 2}
    assert total() == {}
