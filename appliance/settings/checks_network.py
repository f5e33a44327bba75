"""What in ``[network]`` must fit each other."""

import ipaddress
from collections.abc import Iterator, Sequence

from appliance.settings.clash import Clash
from appliance.settings.model import Settings
from appliance.settings.model_network import EthernetSettings, Security, WifiSettings


def network(settings: Settings) -> Iterator[Clash]:
    """Logins without what they need, passwords where none are asked for, addresses outside of their network."""
    given = settings.network
    yield from _login("network.ethernet", given.ethernet, 0)
    yield from _addresses("network.ethernet", given.ethernet, 0)
    for item, wifi in enumerate(given.wifi):
        yield from _login("network.wifi[]", wifi, item)
        yield from _addresses("network.wifi[]", wifi, item)
    if given.proxy.direct and not given.proxy.url:
        yield Clash("network.proxy.direct", "needs network.proxy.url beside it", beside=("network.proxy.url",))


_NEEDS = {
    Security.OPEN: (),
    Security.PERSONAL: ("password_file",),
    Security.WPA3: ("password_file",),
    Security.PEAP: ("identity", "password_file", "ca"),
    Security.EAP_TLS: ("identity", "certificate", "key_file", "ca"),
}
_USES = {
    Security.PEAP: ("anonymous_identity", "server_name"),
    Security.EAP_TLS: ("server_name",),
}
_LOGIN = ("identity", "anonymous_identity", "password_file", "ca", "server_name", "certificate", "key_file")


def _login(key: str, link: EthernetSettings | WifiSettings, item: int) -> Iterator[Clash]:
    needs = _NEEDS[link.security]
    missing = [name for name in needs if not getattr(link, name)]
    if missing:
        told = f"{key}.ssid" if isinstance(link, WifiSettings) else f"{key}.security"
        hint = "Without ca anybody could pass for the network." if "ca" in missing else ""
        words = f'needs {_listed(missing)} beside it, with security "{link.security.value}"'
        yield Clash(told, words, hint, item, (key,))
    for name in _LOGIN:
        if getattr(link, name) and name not in (*needs, *_USES.get(link.security, ())):
            yield Clash(
                f"{key}.{name}", f'has no use with security "{link.security.value}"', "", item, (f"{key}.security",)
            )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _addresses(key: str, link: EthernetSettings | WifiSettings, item: int) -> Iterator[Clash]:
    beside = (f"{key}.address", f"{key}.gateway")
    if not link.address:
        if link.gateway:
            yield Clash(f"{key}.gateway", "needs address beside it: with DHCP the gateway is told", "", item, beside)
        return
    own = ipaddress.IPv4Interface(link.address)
    if link.gateway and ipaddress.IPv4Address(link.gateway) not in own.network:
        yield Clash(f"{key}.gateway", f"must be in the network of address, {own.network}", "", item, beside)
    elif link.gateway == str(own.ip):
        yield Clash(f"{key}.gateway", "must be another one than address, the device's own", "", item, beside)
