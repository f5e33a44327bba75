"""docs/engines.md says of each engine what the contract suite holds it to."""

from pathlib import Path

import pytest

from appliance.rooms.limits import WORDS
from tests.contract.harness import EXPECTED
from tools import engines_doc


def test_the_table_says_what_the_suite_expects() -> None:
    head, _, *rows = engines_doc.table()
    assert head.count("|") == len(EXPECTED) + 2
    cells = {row.split(" | ")[0].removeprefix("| "): row.removesuffix(" |").split(" | ")[1:] for row in rows}
    names = list(EXPECTED)
    levels = dict(zip(names, cells["Levels: real, in dBov"], strict=True))
    assert levels["hosted"] == "yes"
    assert levels["janus"] == "on or off"
    for row in cells.values():
        assert len(row) == len(names)
    told = sum(row.count("yes") for row in cells.values())
    assert told == sum(value is True for each in EXPECTED.values() for value in _flags(each))


def _flags(capabilities: object) -> list[object]:
    return [getattr(capabilities, name) for name in WORDS]


def test_every_capability_has_words() -> None:
    fields = set(EXPECTED["hosted"].__dataclass_fields__)
    assert set(WORDS) == fields - {"most_members"}


def test_each_engine_has_its_prose_and_an_old_page_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = engines_doc.page()
    for name in EXPECTED:
        assert (engines_doc.PROSE / f"{name}.md").read_text().strip() in page
    monkeypatch.setattr(engines_doc, "TARGET", tmp_path / "engines.md")
    assert engines_doc.main(["--check"]) == 1
    assert "is old" in capsys.readouterr().out
    assert engines_doc.main([]) == 0
    assert engines_doc.main(["--check"]) == 0
