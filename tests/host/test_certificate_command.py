"""``kontor host certificate``: what it makes, keeps, says, and refuses."""

import ssl
from pathlib import Path

import pytest

from appliance.__main__ import main
from appliance.commands.host_certificate import own_names
from appliance.host import authority
from appliance.provisioning.files import sources
from appliance.settings import load


def settings(folder: Path, more: str = "") -> Path:
    path = folder / "kontor.toml"
    path.write_text(f'schema = 1\n[device]\nstate_dir = "{folder}/state"\n[host]\nport = 8443\n{more}')
    return path


def certificate(config: Path, *arguments: str) -> int:
    return main(["host", "certificate", "--config", str(config), *arguments])


def test_made_once_renewed_later_and_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = settings(tmp_path)
    assert certificate(config, "kontor.lan", "192.168.7.5") == 0
    first = capsys.readouterr().out
    folder = tmp_path / "state" / "host" / "authority"
    own = authority.load(folder)
    assert own is not None
    assert first.startswith(
        f"A new authority in {folder} signed for kontor.lan, 192.168.7.5, localhost, 127.0.0.1, until "
    )
    assert own.fingerprint[:47] in first and own.fingerprint[48:] in first
    assert f'[host.tls]\ncertificate = "{folder}/server.crt"\nkey = "{folder}/server.key"\n' in first
    assert first.rstrip().endswith("http://kontor.lan:8443/certificate")
    before = (folder / "server.crt").read_bytes()
    settings(tmp_path, first[first.index("[host.tls]") : first.index("Each computer")])
    assert certificate(config) == 0
    second = capsys.readouterr().out
    assert second.startswith(
        f"The authority in {folder} signed for kontor.lan, 192.168.7.5, localhost, 127.0.0.1, until "
    )
    assert "[host.tls]" not in second, "the settings have it"
    again = authority.load(folder)
    assert again is not None and again.fingerprint == own.fingerprint
    assert (folder / "server.crt").read_bytes() != before
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / "server.crt", folder / "server.key")


def test_a_name_it_may_not_sign_for_needs_a_new_authority(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = settings(tmp_path)
    assert certificate(config, "kontor.lan") == 0
    assert certificate(config, "kontor.example.org") == 78
    assert "--new-authority" in capsys.readouterr().err
    assert certificate(config, "kontor.example.org", "--new-authority") == 0
    assert capsys.readouterr().out.startswith("A new authority")


def test_junk_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = settings(tmp_path)
    assert certificate(config, "http://kontor") == 78
    assert "neither a name nor an address" in capsys.readouterr().err
    assert certificate(config, "kontor.lan") == 0
    (tmp_path / "state" / "host" / "authority" / "authority.pem").write_text("junk")
    assert certificate(config) == 78
    assert "damaged" in capsys.readouterr().err


def test_names_follow_from_the_settings(tmp_path: Path) -> None:
    def names(more: str) -> list[str]:
        return own_names(load(sources(settings(tmp_path, more)), ()))

    assert names('listen = "192.168.7.5"\n') == ["192.168.7.5"]
    assert names('url = "https://kontor.example.org:8443"\npublic_address = "203.0.113.5"\nlisten = "10.0.0.5"\n') == [
        "kontor.example.org",
        "203.0.113.5",
        "10.0.0.5",
    ]
    assert len(names('listen = "0.0.0.0"\n')) >= 1


def test_the_code_is_drawn_for_those_who_see_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(tmp_path)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert certificate(config, "kontor.lan") == 0
    assert "\u2580" in capsys.readouterr().out or "\u2588" in capsys.readouterr().out
