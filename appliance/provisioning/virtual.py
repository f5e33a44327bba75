"""A network that is not there, for tests, the demo and benches. It obeys the rules of the real one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.provisioning.network import GRACE, NOTHING_UP, TOO_LATE, NetworkError, connection, told
from appliance.provisioning.network_check import check, password_of
from appliance.settings import Problem, Settings
from appliance.settings.model_network import EthernetSettings, NetworkSettings, Security, WifiSettings


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """A Wi-Fi network in range."""

    ssid: str
    security: Security = Security.PERSONAL
    password: str = ""
    identity: str = ""
    """Who may be in it, for an enterprise network."""

    def lets_in(self, wifi: WifiSettings) -> bool:
        """Whether a device with these settings gets in."""
        if self.ssid != wifi.ssid or self.security is not wifi.security:
            return False
        if wifi.security is Security.EAP_TLS:
            return self.identity == wifi.identity
        known = not wifi.security.enterprise or self.identity == wifi.identity
        return known and (wifi.security is Security.OPEN or password_of(wifi) == self.password)


@dataclass(slots=True)
class VirtualNetwork:
    """A machine with a cable (or without) and Wi-Fi networks around it."""

    air: Sequence[AccessPoint] = ()
    cable: bool = True
    vlans: Sequence[int] = (0,)
    """VLANs that the cable carries; 0 is none."""
    identity: str = ""
    """Who may use the cable, where it asks (802.1X)."""
    seconds: float = 0.0
    """How long a connection takes."""
    grace: float = GRACE
    """Seconds beyond ``provisioning.confirm_s`` after which time takes back what was not kept."""
    changed: Callable[[], None] = lambda: None
    """Called after each change of what is in force."""
    _kept: NetworkSettings = field(default_factory=NetworkSettings)
    _tried: NetworkSettings | None = None
    _why: str = ""
    _late: bool = False
    _time: asyncio.TimerHandle | None = None

    @property
    def in_force(self) -> NetworkSettings:
        """The settings that the network has at this moment."""
        return self._tried or self._kept

    def check(self, settings: Settings) -> list[Problem]:
        return check(settings)

    async def apply(self, settings: Settings) -> None:
        await self.revert()
        wanted, kept = settings.network, self._kept
        self._why, self._late = "", False
        if (wanted.ethernet, wanted.wifi, wanted.ntp) == (kept.ethernet, kept.wifi, kept.ntp):
            return
        await asyncio.sleep(self.seconds)
        if not self._stands(wanted):
            self._why = NOTHING_UP
            raise NetworkError(self._why)
        self._tried = wanted
        self._time = asyncio.get_running_loop().call_later(settings.provisioning.confirm_s + self.grace, self._too_late)
        self.changed()

    async def keep(self) -> None:
        if self._tried is not None:
            self._kept = self._tried
            self._end()
        elif self._late:
            raise NetworkError(self._why)

    async def revert(self) -> None:
        if self._tried is not None:
            self._end()
            self.changed()

    def power_cut(self) -> None:
        """What was not kept is gone."""
        self._end()

    def state(self) -> Mapping[str, object]:
        network, up = self.in_force, []
        if self.cable and self._cable_stands(network):
            kind = "vlan" if network.ethernet.vlan else "ethernet"
            addresses = [network.ethernet.address or "192.0.2.10/24"]
            ours = network.ethernet != EthernetSettings()
            up.append(connection("ethernet", kind, "eth0", "up", addresses, ours=ours))
        if wifi := next(filter(self._reaches, network.wifi), None):
            up.append(connection(wifi.ssid, "wifi", "wlan0", "up", [wifi.address or "192.0.2.20/24"], ours=True))
        return told("virtual", self._tried is not None, self._why, up)

    async def run(self) -> None:
        await asyncio.Event().wait()

    def _stands(self, network: NetworkSettings) -> bool:
        """Whether one of ours stands; or the machine's own, and none of ours could even be tried."""
        own = network.ethernet == EthernetSettings()
        cable = self.cable and self._cable_stands(network)
        if (cable and not own) or any(map(self._reaches, network.wifi)):
            return True
        heard = {point.ssid for point in self.air}
        return cable and own and not any(wifi.ssid in heard for wifi in network.wifi)

    def _cable_stands(self, network: NetworkSettings) -> bool:
        ethernet = network.ethernet
        knows = not self.identity or (ethernet.security.enterprise and ethernet.identity == self.identity)
        return ethernet.vlan in self.vlans and knows

    def _reaches(self, wifi: WifiSettings) -> bool:
        return any(point.lets_in(wifi) for point in self.air)

    def _too_late(self) -> None:
        self._why, self._late = TOO_LATE, True
        self._end()
        self.changed()

    def _end(self) -> None:
        self._tried = None
        if self._time is not None:
            self._time.cancel()
            self._time = None
