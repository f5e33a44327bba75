"""Cable, VLAN, 802.1X and Wi-Fi through the real NetworkManager, against Debian's hostapd, in a booted kernel.

What this cannot show: a switch that blocks the port until the login (hostapd's wired driver only answers it), real radios, and a
FreeRADIUS or Active Directory at the other end (hostapd has a login server of its own).
"""

from typing import Any

import pytest

from tests.network.inside import device, world
from tools.kernel.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RIGHT = f'password_file = "secret:{world.PASSWORD}"\n'
WRONG = 'password_file = "secret:a wrong password"\n'
CA = f'ca = "{world.FOLDER}/ca.pem"\n'
STRANGER = f'ca = "{world.FOLDER}/stranger.pem"\n'
IDENTITY = f'identity = "{world.IDENTITY}"\n'
OWN = f'certificate = "{world.FOLDER}/device.pem"\nkey_file = "{world.FOLDER}/device.key"\n'
PEAP = 'security = "peap"\n'
EAP_TLS = 'security = "eap_tls"\n'
NAMED = f'server_name = "{world.SERVER}"\n'


def wifi(ssid: str, *words: str) -> str:
    """A Wi-Fi network in the settings."""
    return f'[[network.wifi]]\nssid = "{ssid}"\n' + "".join(words)


def cable(interface: str, *words: str) -> str:
    """The cable in the settings."""
    return f'[network.ethernet]\ninterface = "{interface}"\n' + "".join(words)


FIRST = wifi("open", 'security = "open"\naddress = "10.2.4.7/24"\n')
"""What is there before, and works."""


def tried(machine: Machine, text: str, first: str = "") -> dict[str, Any]:
    """Try these settings where ``first`` were kept, and take them back."""
    done: dict[str, Any] = machine.call(device.tried_with, first, text, seconds=300)
    print(done)
    return done


@pytest.mark.parametrize(
    ("net", "text"),
    [
        ("10.2.1.", wifi("wpa2", RIGHT)),
        ("10.2.2.", wifi("wpa3", RIGHT, 'security = "wpa3"\n')),
        ("10.2.2.", wifi("wpa3", RIGHT)),
        ("10.2.3.", wifi("enterprise", PEAP, IDENTITY, RIGHT, CA, NAMED)),
        ("10.2.3.", wifi("enterprise", EAP_TLS, IDENTITY, OWN, CA, NAMED)),
        ("10.2.4.", wifi("open", 'security = "open"\n')),
        ("10.2.1.9/24", wifi("wpa2", RIGHT, 'address = "10.2.1.9/24"\ngateway = "10.2.1.1"\n')),
        ("10.1.0.", cable("eth0", 'dns = ["10.1.0.1"]\n')),
        ("10.1.20.", cable("eth0", "vlan = 20\n")),
        ("10.1.1.", cable("eth1", PEAP, IDENTITY, RIGHT, CA)),
        ("10.1.1.", cable("eth1", EAP_TLS, IDENTITY, OWN, CA, NAMED)),
    ],
    ids=[
        "wpa2",
        "wpa3",
        "personal_is_either",
        "peap",
        "eap_tls",
        "open",
        "static",
        "cable",
        "vlan",
        "wired_peap",
        "wired_eap_tls",
    ],
)
def test_comes_up(machine: Machine, net: str, text: str) -> None:
    done = tried(machine, text)
    assert done["problems"] == []
    assert done["why"] == ""
    assert done["trial"] is True
    addresses = [address for found in done["addresses"].values() for address in found]
    assert any(address.startswith(net) for address in addresses), done
    assert not any(address.startswith(net) for found in done["after"].values() for address in found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (wifi("wpa2", WRONG), "wpa2: the password is wrong or missing"),
        (wifi("wpa3", WRONG, 'security = "wpa3"\n'), "wpa3: the network did not let the device in"),
        (wifi("enterprise", PEAP, IDENTITY, WRONG, CA), "enterprise: the login failed"),
        (wifi("enterprise", PEAP, IDENTITY, RIGHT, STRANGER), "enterprise: the login failed"),
        (
            wifi("enterprise", PEAP, IDENTITY, RIGHT, CA, 'server_name = "radius.elsewhere.test"\n'),
            "enterprise: the login failed",
        ),
        (wifi("nowhere", RIGHT), "No connection came up"),
        (cable("eth0", "vlan = 30\n"), "vlan: "),
        (cable("eth1", PEAP, IDENTITY, WRONG, CA), "ethernet: the login"),
        (cable("eth1", PEAP, IDENTITY, RIGHT, STRANGER), "ethernet: the login"),
    ],
    ids=["wpa2", "wpa3", "peap", "authority", "server", "range", "vlan", "wired_peap", "wired_authority"],
)
def test_a_wrong_network_falls_back_to_the_one_that_worked(machine: Machine, text: str, why: str) -> None:
    done = tried(machine, text, FIRST)
    assert done["before"] == {"wlan0": ["10.2.4.7/24"]}
    assert why in done["why"]
    assert done["up"] == ["open"]
    assert done["after"] == done["before"]


def test_nobody_keeps_it_since_provision_is_dead(machine: Machine) -> None:
    done = machine.call(device.abandoned, FIRST, wifi("wpa2", RIGHT, 'address = "10.2.1.7/24"\n'), seconds=300)
    assert done["trial"] == {"wlan0": ["10.2.1.7/24"]}
    assert done["after"] == {"wlan0": ["10.2.4.7/24"]}


def test_the_first_in_range_is_taken_and_the_next_when_it_goes(machine: Machine) -> None:
    both = wifi("nowhere", RIGHT) + wifi("wpa3", RIGHT, 'security = "wpa3"\n') + wifi("wpa2", RIGHT)
    done = machine.call(device.kept_with, both, seconds=300)
    assert done["after"]["wlan0"][0].startswith("10.2.2.")
    gone = machine.call(device.moved, "wpa3", seconds=300)
    assert gone["after"]["wlan0"][0].startswith("10.2.1.")


def test_only_these_verbs_are_for_provision_and_none_for_link(machine: Machine) -> None:
    ours = machine.call(device.verbs, "kontor-provision")
    prefix = "org.freedesktop.NetworkManager."
    may = {name.removeprefix(prefix) for name, answer in ours.items() if answer == "yes"}
    assert may >= {
        "settings.modify.system",
        "network-control",
        "wifi.scan",
        "enable-disable-wifi",
        "checkpoint-rollback",
    }
    others = {
        name.removeprefix(prefix)
        for name, answer in machine.call(device.verbs, "kontor-link").items()
        if answer == "yes"
    }
    assert may - others >= {"settings.modify.system", "network-control", "enable-disable-wifi", "checkpoint-rollback"}
    assert not may & {
        "sleep-wake",
        "reload",
        "settings.modify.hostname",
        "settings.modify.global-dns",
        "enable-disable-wwan",
    }
    done = machine.call(device.tried_as, wifi("open", 'security = "open"\n'), "kontor-link", seconds=120)
    assert "does not let kontor-provision change the network" in done["why"]


def test_time_servers_are_named_to_timesyncd(machine: Machine) -> None:
    assert machine.call(device.time_servers) == [["time.example.org"], []]


@pytest.mark.parametrize("check", device.CHECKS)
def test_the_contract_over_wifi(machine: Machine, check: str) -> None:
    machine.call(device.contract, check, seconds=300)
