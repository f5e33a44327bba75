"""The profiles that follow from the settings, as NetworkManager's reference has them."""

from pathlib import Path

from appliance.provisioning.network_profiles import CABLE, VLAN, Profile, profiles
from tests.provisioning.test_network_check import certificate, enterprise, private, wifi
from tests.settings.support import loaded

FOLDER = Path("/var/lib/kontor/provision/network")


def made(text: str) -> list[Profile]:
    """The profiles of these settings."""
    return profiles(loaded(text).network, FOLDER)


def test_none_where_kontor_has_no_say() -> None:
    assert made("") == []
    assert made('[network]\nntp = ["time.example.org"]\n') == []


def test_the_order_of_wifi_is_its_priority_and_the_radio_never_sleeps(tmp_path: Path) -> None:
    text = wifi(tmp_path, b"12345678") + '[[network.wifi]]\nssid = "B"\nsecurity = "open"\nhidden = true\n'
    first, second = made(text)
    assert first.table["connection"]["autoconnect-priority"] > second.table["connection"]["autoconnect-priority"]
    assert second.table["connection"]["autoconnect-priority"][1] > 0  # type: ignore[operator]  # the machine's own have 0
    assert first.table["802-11-wireless"]["powersave"] == ("u", 2)
    assert first.table["802-11-wireless-security"]["key-mgmt"] == ("s", "wpa-psk")
    assert first.table["802-11-wireless-security"]["psk"] == ("s", "12345678")
    assert second.table["802-11-wireless"]["hidden"] == ("b", True)
    assert "802-11-wireless-security" not in second.table


def test_wpa3_alone(tmp_path: Path) -> None:
    (profile,) = made(wifi(tmp_path, b"12345678", "wpa3"))
    assert profile.table["802-11-wireless-security"]["key-mgmt"] == ("s", "sae")


def test_a_static_address() -> None:
    (profile,) = made(
        '[network.ethernet]\naddress = "192.0.2.7/24"\ngateway = "192.0.2.1"\ndns = ["192.0.2.2"]\ninterface = "eth1"\n'
    )
    four = profile.table["ipv4"]
    assert four["method"] == ("s", "manual")
    assert four["address-data"] == ("aa{sv}", [{"address": ("s", "192.0.2.7"), "prefix": ("u", 24)}])
    assert four["gateway"] == ("s", "192.0.2.1")
    signature, servers = four["dns"]
    assert signature == "au"
    assert isinstance(servers, list)
    assert servers[0].to_bytes(4, "little") == bytes([192, 0, 2, 2])
    assert four["ignore-auto-dns"] == ("b", True)
    assert profile.table["connection"]["interface-name"] == ("s", "eth1")


def test_a_vlan_lies_on_a_cable_without_an_address() -> None:
    cable, vlan = made("[network.ethernet]\nvlan = 20\n")
    assert (cable.name, vlan.name) == (CABLE, VLAN)
    assert cable.table["ipv4"] == {"method": ("s", "disabled")}
    assert vlan.table["vlan"]["parent"] == ("s", cable.uuid)
    assert vlan.table["vlan"]["id"] == ("u", 20)
    assert vlan.table["ipv4"]["method"] == ("s", "auto")


def test_a_login_by_certificate_has_files_that_are_named_by_their_content(tmp_path: Path) -> None:
    (profile,) = made(enterprise(tmp_path, private()))
    login = profile.table["802-1x"]
    assert login["eap"] == ("as", ["tls"])
    places = {str(path): data for path, data in profile.files.items()}
    for name in ("ca-cert", "client-cert", "private-key"):
        signature, value = login[name]
        assert signature == "ay"
        assert isinstance(value, bytes)
        assert value.startswith(b"file:///var/lib/kontor/provision/network/")
        assert value.endswith(b".pem\0")
        assert value[7:-1].decode() in places
    again = enterprise(tmp_path, private(), own=certificate(31))
    (other,) = made(again)
    assert other.uuid == profile.uuid
    assert other.digest != profile.digest
    assert not {path for path in other.files if path not in profile.files} & set(profile.files)


def test_the_authority_is_never_left_out(tmp_path: Path) -> None:
    text = f'''[network.ethernet]
security = "peap"
identity = "lobby"
anonymous_identity = "anonymous"
server_name = ".example.org"
password_file = "{tmp_path}/secret"
ca = """
{certificate()}"""
'''
    wifi(tmp_path, b"hunter22")
    (profile,) = made(text)
    login = profile.table["802-1x"]
    assert set(login) >= {"ca-cert", "domain-suffix-match", "anonymous-identity"}
    assert login["domain-suffix-match"] == ("s", "example.org")
    assert login["phase2-auth"] == ("s", "mschapv2")
    assert login["password"] == ("s", "hunter22")


def test_another_password_is_another_profile(tmp_path: Path) -> None:
    (before,) = made(wifi(tmp_path, b"12345678"))
    (after,) = made(wifi(tmp_path, b"87654321"))
    assert before.uuid == after.uuid
    assert before.digest != after.digest
