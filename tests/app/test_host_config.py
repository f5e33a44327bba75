"""What the settings of [host] come to."""

import resource
from pathlib import Path

import pytest

from appliance.app.host import allow_descriptors, host_config
from appliance.provisioning.files import sources
from appliance.settings import load


@pytest.mark.parametrize(
    ("lines", "listens", "tells"),
    [
        ('listen = "127.0.0.1"', ("127.0.0.1", "127.0.0.1"), "127.0.0.1"),
        ('listen = "0.0.0.0"', ("0.0.0.0", "0.0.0.0"), "0.0.0.0"),
        ('listen = "10.1.0.2"\npublic_address = "203.0.113.1"', ("10.1.0.2", "10.1.0.2"), "203.0.113.1"),
        ('listen = "127.0.0.1"\npublic_address = "203.0.113.1"', ("127.0.0.1", "0.0.0.0"), "203.0.113.1"),
        ('listen = "127.0.0.1"\npublic_address = "127.0.0.1"', ("127.0.0.1", "127.0.0.1"), "127.0.0.1"),
    ],
)
def test_where_http_and_sound_are_listened_for(
    tmp_path: Path, lines: str, listens: tuple[str, str], tells: str
) -> None:
    config = tmp_path / "kontor.toml"
    config.write_text(f'schema = 1\n[device]\nstate_dir = "{tmp_path}"\n[host]\n{lines}\n[[host.rooms]]\nid = "a"\n')
    found = host_config(load(sources(config), {"host"}))
    assert ((found.listen_host, found.udp_host), found.public_address) == (listens, tells)


@pytest.mark.parametrize(
    "error", [PermissionError(1, "not permitted"), ValueError("not allowed to raise maximum limit")]
)
def test_a_sandbox_that_forbids_more_descriptors_does_not_forbid_the_host(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    asked: list[tuple[int, int]] = []

    def forbid(_what: int, limits: tuple[int, int]) -> None:
        asked.append(limits)
        raise error

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 65_536))
    monkeypatch.setattr(resource, "setrlimit", forbid)
    allow_descriptors()
    assert asked == [(16_384, 65_536)]
