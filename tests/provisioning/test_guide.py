"""What docs/fleet.md shows is so: commands, settings, the table of faults."""

import re
import shlex
from pathlib import Path

import pytest

from appliance.__main__ import parser
from appliance.core.documents import Why
from appliance.provisioning.publication import read_comment
from appliance.settings import Source, load

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "fleet.md").read_text()
UPDATES = (ROOT / "docs" / "update.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
CALLS = [line.partition("#")[0] for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]


@pytest.mark.parametrize("call", [call for call in CALLS if call.startswith("kontor ")])
def test_commands_are_understood(call: str) -> None:
    parser().parse_args(shlex.split(call)[1:])


@pytest.mark.parametrize("call", sorted(set(re.findall(r"`kontor ([^`]+)`", GUIDE))))
def test_what_is_called_in_passing_is_understood(call: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*shlex.split(call), "--help"])
    assert ended.value.code == 0


def test_settings_are_accepted() -> None:
    (text,) = [text for kind, text in BLOCKS if kind == "toml"]
    assert load([Source("fleet.md", text.encode())], ()).provisioning.group == "bonn"


def test_the_table_has_every_fault() -> None:
    rows = re.findall(r"^\|[^|]+\| (`[a-z_`, ]+`) \|$", GUIDE, re.MULTILINE)
    of_images = {Why.OTHER_BOARD, Why.TOO_LARGE, Why.DAMAGED}
    assert sorted(word.strip("`") for row in rows for word in row.split(", ")) == sorted(set(Why) - of_images)
    assert all(f"*{why}*" in UPDATES for why in of_images)


def test_the_comment_signed_by_hand_is_one_of_ours() -> None:
    (comment,) = re.findall(r"-t '([^']+)'", GUIDE)
    assert read_comment(comment).version == 43


def test_files_that_are_named_exist() -> None:
    for name in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (ROOT / "docs" / name).exists(), name
