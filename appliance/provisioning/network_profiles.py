"""The network's settings as NetworkManager has them: one connection profile for the cable, its VLAN, and each Wi-Fi.

Source: NetworkManager's reference, nm-settings-dbus(5). Files and D-Bus are left to network_manager.py.
"""

import ipaddress
import json
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from appliance.provisioning.network_check import password_of
from appliance.settings import Problem, SettingsError
from appliance.settings.addresses import Certificates
from appliance.settings.model_network import EthernetSettings, NetworkSettings, Security, WifiSettings

PREFIX = "kontor-"
"""What the names of our profiles begin with; all others belong to the machine and are left alone."""
CABLE = f"{PREFIX}ethernet"
VLAN = f"{PREFIX}vlan"

_SPACE = uuid.UUID("5cf0c2c5-6b0a-4f0e-9f43-6f0d8f6f6b1e")
"""Our own, at random: a network has the same UUID on every device and after every start."""
_FIRST = 100
"""Priority of the first Wi-Fi. The machine's own profiles have 0: they are what is left when none of ours is in range."""
_FOR_EVER, _SYSTEM_OWNED, _NOT_NEEDED, _POWER_SAVING_OFF = 0, 0, 4, 2

Value = tuple[str, object]
"""D-Bus signature and value."""
Table = Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Profile:
    """One connection as it should be."""

    name: str
    """``kontor-ethernet``, ``kontor-vlan`` or ``kontor-wifi-SSID``."""
    table: Table
    files: Mapping[Path, bytes]
    """Certificates and keys that NetworkManager reads; named by their content, so an older profile keeps its own."""
    ssid: str = ""

    @property
    def uuid(self) -> str:
        """The same for the same name."""
        return str(uuid.uuid5(_SPACE, self.name))

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, secrets too: for our own eyes only."""
        text = json.dumps([self.table, [str(path) for path in self.files]], sort_keys=True, default=bytes.hex)
        return sha256(text.encode()).hexdigest()


def profiles(network: NetworkSettings, folder: Path) -> list[Profile]:
    """Those that follow from the settings: cable, VLAN, Wi-Fi in its order. Reads secrets.

    :param folder: where certificates and keys are to lie.
    :raises SettingsError: a secret or a certificate cannot be read.
    """
    found: list[Profile] = []
    if network.ethernet != EthernetSettings():
        found += _cable(network.ethernet, folder)
    found += [_wifi(wifi, _FIRST - place, folder) for place, wifi in enumerate(network.wifi)]
    return found


def _cable(cable: EthernetSettings, folder: Path) -> list[Profile]:
    login, files = _login(cable, folder)
    own: dict[str, Value] = {"interface-name": ("s", cable.interface)} if cable.interface else {}
    # The switch may be down for hours; the cable has no alternative, so it is tried for ever.
    own["autoconnect-retries"] = ("i", _FOR_EVER)
    ip = _no_ip() if cable.vlan else _ip(cable)
    wire: Table = {"connection": _named(CABLE, "802-3-ethernet", own), "802-3-ethernet": {}}
    base = Profile(CABLE, {**wire, **login, **ip}, files)
    if not cable.vlan:
        return [base]
    vlan: Mapping[str, Value] = {"id": ("u", cable.vlan), "parent": ("s", base.uuid), "flags": ("u", 1)}
    table: Table = {"connection": _named(VLAN, "vlan", {"autoconnect-retries": ("i", _FOR_EVER)}), "vlan": vlan}
    return [base, Profile(VLAN, {**table, **_ip(cable)}, {})]


def _wifi(wifi: WifiSettings, priority: int, folder: Path) -> Profile:
    name = f"{PREFIX}wifi-{wifi.ssid}"
    login, files = _login(wifi, folder)
    radio: dict[str, Value] = {
        "ssid": ("ay", wifi.ssid.encode()),
        "mode": ("s", "infrastructure"),
        "hidden": ("b", wifi.hidden),
        "powersave": ("u", _POWER_SAVING_OFF),  # a sleeping radio holds voice back for 100 ms and more
    }
    table: dict[str, Mapping[str, Value]] = {
        "connection": _named(name, "802-11-wireless", {"autoconnect-priority": ("i", priority)}),
        "802-11-wireless": radio,
    }
    if wifi.security is not Security.OPEN:
        table["802-11-wireless-security"] = _keys(wifi)
    return Profile(name, {**table, **login, **_ip(wifi)}, files, wifi.ssid)


def _named(name: str, kind: str, more: Mapping[str, Value]) -> Mapping[str, Value]:
    own = str(uuid.uuid5(_SPACE, name))
    return {"id": ("s", name), "uuid": ("s", own), "type": ("s", kind), "autoconnect": ("b", True), **more}


def _keys(wifi: WifiSettings) -> Mapping[str, Value]:
    if wifi.security.enterprise:
        return {"key-mgmt": ("s", "wpa-eap")}
    # wpa-psk takes WPA2 and, where radio and network can, WPA3; sae is WPA3 alone.
    kind = "sae" if wifi.security is Security.WPA3 else "wpa-psk"
    return {"key-mgmt": ("s", kind), "psk": ("s", password_of(wifi)), "psk-flags": ("u", _SYSTEM_OWNED)}


def _login(link: EthernetSettings | WifiSettings, folder: Path) -> tuple[Table, Mapping[Path, bytes]]:
    """802.1X, with its files; nothing where the network does not ask."""
    if not link.security.enterprise:
        return {}, {}
    files: dict[Path, bytes] = {}

    def place(data: bytes) -> Value:
        path = folder / f"{sha256(data).hexdigest()[:32]}.pem"
        files[path] = data
        return "ay", f"file://{path}".encode() + b"\0"

    found: dict[str, Value] = {"identity": ("s", link.identity)}
    if link.ca:
        found["ca-cert"] = place(_pem(link.ca))
    if link.server_name:
        found["domain-suffix-match"] = ("s", link.server_name.removeprefix("."))
    if link.security is Security.PEAP:
        found |= {"eap": ("as", ["peap"]), "phase2-auth": ("s", "mschapv2"), "password": ("s", password_of(link))}
        found["password-flags"] = ("u", _SYSTEM_OWNED)
        if link.anonymous_identity:
            found["anonymous-identity"] = ("s", link.anonymous_identity)
    elif link.certificate and link.key_file:
        found |= {"eap": ("as", ["tls"]), "client-cert": place(_pem(link.certificate))}
        found |= {"private-key": place(link.key_file.read() + b"\n"), "private-key-password-flags": ("u", _NOT_NEEDED)}
    return {"802-1x": found}, files


def _pem(given: Certificates) -> bytes:
    try:
        return given.pem().encode()
    except OSError:
        # check() has told which setting it is, before; here it has gone since.
        raise SettingsError([Problem("", None, "network", str(given), "cannot be read")]) from None


def _ip(link: EthernetSettings | WifiSettings) -> Table:
    # Rooms are reached by IPv4: a connection without it is none.
    four: dict[str, Value] = {"method": ("s", "auto"), "may-fail": ("b", False)}
    if link.address:
        own = ipaddress.IPv4Interface(link.address)
        data = {"address": ("s", str(own.ip)), "prefix": ("u", own.network.prefixlen)}
        four |= {"method": ("s", "manual"), "address-data": ("aa{sv}", [data])}
        if link.gateway:
            four["gateway"] = ("s", link.gateway)
    if link.dns:
        four["dns"] = (
            "au",
            [int.from_bytes(ipaddress.IPv4Address(server).packed, sys.byteorder) for server in link.dns],
        )
        four["ignore-auto-dns"] = ("b", True)
    return {"ipv4": four, "ipv6": {"method": ("s", "auto"), "may-fail": ("b", True)}}


def _no_ip() -> Table:
    return {"ipv4": {"method": ("s", "disabled")}, "ipv6": {"method": ("s", "disabled")}}
