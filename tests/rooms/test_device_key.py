"""The device's key: made once, kept private, and told when it is damaged."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.__main__ import main as kontor
from appliance.rooms.device_key import DeviceKey


def test_made_once_and_private(tmp_path: Path) -> None:
    key = DeviceKey.load_or_make(tmp_path)
    assert stat.S_IMODE((tmp_path / "device.key").stat().st_mode) == 0o600
    again = DeviceKey.load_or_make(tmp_path)
    assert again.public == key.public


def test_signs_for_the_public_key(tmp_path: Path) -> None:
    key = DeviceKey.load_or_make(tmp_path)
    public = Ed25519PublicKey.from_public_bytes(key.public)
    public.verify(key.sign(b"room"), b"room")
    with pytest.raises(InvalidSignature):
        public.verify(key.sign(b"room"), b"another room")


@pytest.mark.parametrize("content", [b"", b"worn out", base64.b64encode(b"short"), b"\xff" * 50])
def test_damaged_is_told_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "device.key").write_bytes(content)
    with pytest.raises(ValueError, match="is damaged: remove it"):
        DeviceKey.load_or_make(tmp_path)
    assert (tmp_path / "device.key").read_bytes() == content


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "kontor.toml"
    config.write_text(f'schema = 1\n[device]\nstate_dir = "{tmp_path}/state"\n')
    assert kontor(["key", "--config", str(config)]) == 0
    printed = base64.b64decode(capsys.readouterr().out)
    assert printed == DeviceKey.load_or_make(tmp_path / "state" / "link").public
    (tmp_path / "state" / "link" / "device.key").write_text("worn out")
    assert kontor(["key", "--config", str(config)]) == 78
    assert "is damaged" in capsys.readouterr().err
    config.write_text("schema = 1\n[device]\nnome = 1\n")
    assert kontor(["key", "--config", str(config)]) == 78


def test_its_public_half_is_read_without_the_key(tmp_path: Path) -> None:
    key = DeviceKey.load_or_make(tmp_path)
    assert stat.S_IMODE((tmp_path / "device.pub").stat().st_mode) == 0o644
    (tmp_path / "device.key").write_text("nobody else reads this")
    assert DeviceKey.public_in(tmp_path) == key.public


@pytest.mark.parametrize("left", [None, b"", b"worn out", b"\xff"])
def test_a_public_half_that_is_missing_or_damaged_is_made_anew(tmp_path: Path, left: bytes | None) -> None:
    key = DeviceKey.load_or_make(tmp_path)
    (tmp_path / "device.pub").unlink()
    if left is not None:
        (tmp_path / "device.pub").write_bytes(left)
    assert DeviceKey.public_in(tmp_path) == key.public
