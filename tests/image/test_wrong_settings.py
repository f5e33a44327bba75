"""A card with a slip in its kontor.toml: lamp and journal say so, the journal with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.image.card import Card
from tests.image.conftest import running, virt
from tests.image.inside import look, panel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

WRONG = """schema = 1
[device]
name = "Amber"
[room]
url = "http://10.77.0.1:8080"
[audio]
volume_db = 60
"""
LINE = 7


def test_a_slip_is_told_with_its_line_and_mended_on_the_card(image: Path, archive: bytes, tmp_path: Path) -> None:
    card = Card(image, tmp_path / "card.img")
    card.put("kontor.toml", WRONG.encode())
    with running(card, virt(card, tmp_path, archive), None) as device:
        told = device.until(look.journal, "settings_refused")
        print(told)
        assert any(f"kontor.toml:{LINE}" in line or f"kontor.toml line {LINE}" in line for line in told)
        assert any("volume_db" in line for line in told)
        device.until(look.status, "sound")
        seen = device.call(panel.watched, "fault", 6.0)
        print(seen)
        assert len(seen) >= 3, "FAULT pulses: degraded"
        assert device.call(panel.lit, "mic"), "nobody is heard"
    assert card.get("kontor.toml").decode() == WRONG, "what somebody has to mend stays as it is"
