"""From what somebody writes on the card to what NetworkManager is told."""

import json
from pathlib import Path

from appliance.provisioning.boot import take
from appliance.provisioning.network_check import check
from appliance.provisioning.network_profiles import profiles
from appliance.settings import load
from tests.provisioning.test_network_check import certificate, private


def test_secrets_on_the_card_reach_the_network_and_are_blanked_there(tmp_path: Path) -> None:
    key = private().decode()
    boot = tmp_path / "kontor.toml"
    boot.write_text(f'''schema = 1
[[network.wifi]]
ssid = "Office"
password = "correct horse"
[network.ethernet]
security = "eap_tls"
identity = "lobby"
key = {json.dumps(key)}
ca = """
{certificate()}"""
certificate = """
{certificate()}"""
''')
    taken = take(boot, tmp_path / "secrets")
    assert taken.problems == ()
    settings = load([taken.layer.source], secrets={"network"})
    assert check(settings) == []
    cable, wifi = profiles(settings.network, tmp_path / "network")
    assert wifi.table["802-11-wireless-security"]["psk"] == ("s", "correct horse")
    assert key.encode() in cable.files.values()
    left = boot.read_text()
    assert "correct horse" not in left
    assert "PRIVATE KEY" not in left
    assert left.count("(moved)") == 2
    assert take(boot, tmp_path / "secrets").layer == taken.layer  # the next start finds the same
