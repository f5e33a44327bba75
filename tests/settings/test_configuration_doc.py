from pathlib import Path

import pytest

from appliance.settings import Settings
from appliance.settings.setting import Setting
from tests.settings.test_model import all_of
from tools import configuration_doc


def test_the_page_is_current() -> None:
    assert configuration_doc.TARGET.read_text() == configuration_doc.render(), (
        "docs/configuration.md is old: python -m tools.configuration_doc"
    )


def test_the_page_has_every_section_and_setting() -> None:
    page = configuration_doc.render()
    for key, member in all_of(Settings):
        if isinstance(member, Setting):
            assert f"| `{member.name}` | {member.about} | " in page
        else:
            assert f"## `[{key}]`" in page or f"## `[[{key}]]`" in page


def test_tells_whether_the_page_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_doc, "TARGET", tmp_path / "configuration.md")
    assert configuration_doc.main(["--check"]) == 1
    assert configuration_doc.main([]) == 0
    assert configuration_doc.main(["--check"]) == 0
    (tmp_path / "configuration.md").write_text("old")
    assert configuration_doc.main(["--check"]) == 1
