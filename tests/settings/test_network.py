"""``[network]``: what it takes, and every sentence about what it does not."""

import pytest

from appliance.settings import Problem, Settings
from appliance.settings.addresses import Certificates
from appliance.settings.model_network import NetworkSettings, Security, WayOutSettings
from tests.settings.support import loaded, only, problems

PEM = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"


def told(problem: Problem) -> str:
    """The sentence without the file."""
    return str(problem).partition(": ")[2]


def test_left_out_kontor_has_no_say_over_the_network() -> None:
    assert Settings().network == NetworkSettings()


def test_everything_at_once() -> None:
    found = loaded(f'''
[network]
ntp = ["Time.Example.org", "192.0.2.9"]
ca = """
{PEM}"""
[network.ethernet]
security = "eap_tls"
identity = "lobby"
ca = "ca.pem"
certificate = "lobby.pem"
key_file = "lobby.key"
vlan = 20
address = "192.0.2.7/24"
gateway = "192.0.2.1"
dns = ["192.0.2.2", "192.0.2.3"]
[[network.wifi]]
ssid = "Office"
password_file = "wifi"
[[network.wifi]]
ssid = "Old office"
security = "peap"
identity = "lobby"
anonymous_identity = "anonymous"
password_file = "peap"
ca = "ca.pem"
server_name = "radius.example.org"
[network.proxy]
url = "http://proxy.example.org:3128"
direct = ["example.org"]
''').network
    assert found.ntp == ("time.example.org", "192.0.2.9")
    assert found.ca == Certificates(text=PEM)
    assert found.ethernet.security is Security.EAP_TLS
    assert [wifi.ssid for wifi in found.wifi] == ["Office", "Old office"]
    assert str(found.wifi[1].ca) == "/etc/kontor/ca.pem"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[network.ethernet]\naddress = "192.0.2.7"',
            (
                'network.ethernet.address = "192.0.2.7": must be an IPv4 address with its network, like 192.0.2.7/24, or "" for'
                " DHCP. The length of the network's prefix is missing."
            ),
        ),
        (
            '[network.ethernet]\naddress = "192.0.2.0/24"',
            (
                'network.ethernet.address = "192.0.2.0/24": must be an IPv4 address with its network, like 192.0.2.7/24, or ""'
                " for DHCP. This one is the network's own, no device can have it."
            ),
        ),
        (
            '[network.ethernet]\naddress = "127.0.0.1/8"',
            (
                'network.ethernet.address = "127.0.0.1/8": must be an IPv4 address with its network, like 192.0.2.7/24, or "" for'
                " DHCP. No device can have this one."
            ),
        ),
        (
            '[network.ethernet]\naddress = "lobby/24"',
            'network.ethernet.address = "lobby/24": must be an IPv4 address with its network, like 192.0.2.7/24, or "" for DHCP.',
        ),
        (
            '[network.ethernet]\naddress = "192.0.2.7/24"\ngateway = "192.0.3.1"',
            'network.ethernet.gateway = "192.0.3.1": must be in the network of address, 192.0.2.0/24.',
        ),
        (
            '[network.ethernet]\naddress = "192.0.2.7/24"\ngateway = "192.0.2.7"',
            'network.ethernet.gateway = "192.0.2.7": must be another one than address, the device\'s own.',
        ),
        (
            '[network.ethernet]\ngateway = "192.0.2.1"',
            'network.ethernet.gateway = "192.0.2.1": needs address beside it: with DHCP the gateway is told.',
        ),
        ("[network.ethernet]\nvlan = 4095", "network.ethernet.vlan = 4095: must be a whole number from 0 to 4094."),
        (
            '[network.ethernet]\ninterface = "eth 0"',
            'network.ethernet.interface = "eth 0": must be the name of a network interface like eth0.',
        ),
        (
            '[network.ethernet]\nsecurity = "personal"',
            'network.ethernet.security = "personal": must be "open", "peap" or "eap_tls".',
        ),
        (
            '[network.ethernet]\nsecurity = "eap_tsl"',
            'network.ethernet.security = "eap_tsl": must be "open", "peap" or "eap_tls". Did you mean "eap_tls"?',
        ),
        (
            '[network.ethernet]\nsecurity = "peap"',
            (
                'network.ethernet.security = "peap": needs identity, password_file and ca beside it, with security "peap".'
                " Without ca anybody could pass for the network."
            ),
        ),
        (
            '[[network.wifi]]\nssid = "Office"',
            'network.wifi[1].ssid = "Office": needs password_file beside it, with security "personal".',
        ),
        (
            '[[network.wifi]]\nssid = "Office"\nsecurity = "eap_tls"\nidentity = "x"\nca = "ca.pem"',
            'network.wifi[1].ssid = "Office": needs certificate and key_file beside it, with security "eap_tls".',
        ),
        (
            '[[network.wifi]]\nssid = "Office"\npassword_file = "wifi"\nidentity = "x"',
            'network.wifi[1].identity = "x": has no use with security "personal".',
        ),
        ('[[network.wifi]]\nssid = ""', 'network.wifi[1].ssid = "": must be text of 1 to 32 printable characters.'),
        (
            '[[network.wifi]]\nssid = "A"\nsecurity = "open"\n[[network.wifi]]\nssid = "A"\nsecurity = "open"',
            'network.wifi[2].ssid = "A": is there already, at 1.toml:3.',
        ),
        (
            '[network]\nntp = ["ntp://time.example.org"]',
            (
                "network.ntp = (a list): must be the name or the address of a server, like time.example.org."
                ' Wrong: "ntp://time.example.org". Only the name, without what stands before and behind it.'
            ),
        ),
        (
            '[network.proxy]\ndirect = ["example.org"]',
            "network.proxy.direct = (a list): needs network.proxy.url beside it.",
        ),
        (
            '[network.proxy]\nurl = "proxy:3128"',
            (
                'network.proxy.url = "proxy:3128": must be like https://rooms.example.org or http://192.0.2.7:8080, or "".'
                " Begin it with https:// or http://."
            ),
        ),
        (
            '[network]\nca = "-----BEGIN PRIVATE KEY-----"',
            (
                'network.ca = (hidden): must be a certificate (PEM) between """ and """, the path of its file, or "".'
                " A private key is a secret and has a setting of its own."
            ),
        ),
        (
            '[network]\nca = "-----BEGIN CSR-----"',
            'network.ca = (hidden): must be a certificate (PEM) between """ and """, the path of its file, or "".',
        ),
        (
            '[network.ethernet]\nserver_name = "*.example.org"\nsecurity = "peap"',
            'network.ethernet.server_name = "*.example.org": must be a name like radius.example.org, or the end of one.',
        ),
        (
            '[[network.wifi]]\nssid = "A"\npassword = "hunter22"',
            'network.wifi[1].password is no setting of Kontor. Did you mean "password_file"?',
        ),
    ],
)
def test_what_is_refused_and_how_it_is_told(text: str, words: str) -> None:
    assert words in [told(problem) for problem in problems(text)]


def test_a_wrong_network_hides_no_other() -> None:
    text = '[[network.wifi]]\nssid = "A"\n[[network.wifi]]\nssid = "B"\nvlan = 3\n[[network.wifi]]\nssid = "C"\n'
    found = [problem.key for problem in problems(text)]
    # Of the second only what is certain: it may be that its wrong key is what is missing.
    assert found == ["network.wifi[1].ssid", "network.wifi[2].vlan", "network.wifi[3].ssid"]


def test_a_password_that_cannot_be_read_is_not_told_to_be_missing() -> None:
    assert only('[[network.wifi]]\nssid = "A"\npassword_file = 5\n').key == "network.wifi[1].password_file"


def test_who_is_reached_without_the_proxy() -> None:
    way = WayOutSettings(url="http://proxy:3128", direct=("example.org", "10.0.0.1"))
    assert way.on_the_way_to("rooms.example.com") == "http://proxy:3128"
    assert way.on_the_way_to("notexample.org") == "http://proxy:3128"
    for near in ("example.org", "rooms.example.org", "10.0.0.1"):
        assert way.on_the_way_to(near) == ""
