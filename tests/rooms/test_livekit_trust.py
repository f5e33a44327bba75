"""Which authorities LiveKit's library is shown, and that its environment stands still around it."""

import os
import ssl
from pathlib import Path

import pytest

pytest.importorskip("livekit")

from appliance.rooms.livekit import LiveKitEngine, LiveKitSettings
from appliance.rooms.livekit_trust import believing


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "")  # so that it is put back as it was
        monkeypatch.delenv(name)


def engine() -> LiveKitEngine:
    return LiveKitEngine(LiveKitSettings(("ws://127.0.0.1:1",), "site", lambda: "token"))


def shown() -> str:
    return Path(os.environ["SSL_CERT_FILE"]).read_text("utf-8")


def test_from_the_first_engine_on_no_variable_comes_or_goes() -> None:
    """The library's threads may read the environment at any moment."""
    engine()
    names, before = list(os.environ), shown()
    engine()
    with believing("OFFICE"):
        assert shown().endswith("OFFICE")
        assert shown().startswith(before)
        with believing("WORKSHOP"):
            assert "OFFICE\nWORKSHOP" in shown()
            assert list(os.environ) == names
        assert "WORKSHOP" not in shown()
    assert list(os.environ) == names
    assert shown() == before


def test_a_name_that_was_just_read_leads_to_what_is_believed_now() -> None:
    with believing("OFFICE"):
        read = os.environ["SSL_CERT_FILE"]
        with believing("WORKSHOP"):
            assert Path(read).read_text("utf-8").endswith("WORKSHOP")
        assert Path(read).read_text("utf-8").endswith("OFFICE")
    assert "BEGIN CERTIFICATE" in Path(read).read_text("utf-8") or not ssl.create_default_context().get_ca_certs()


def test_what_an_admin_has_named_for_the_process_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("OWN")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    engine()
    with believing("OFFICE"):
        assert shown() == "OWN\nOFFICE"
    assert os.environ["SSL_CERT_FILE"] == str(tmp_path / "own.pem")
