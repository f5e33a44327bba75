"""The settings of metrics: ``[metrics]``."""

import ipaddress
from dataclasses import dataclass, field

from appliance.settings.problems import Refused
from appliance.settings.setting import Effect, Where, setting

_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An IPv4 address of this machine with a port, or "" for none."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default='must be an IPv4 address of this machine with a port, like 127.0.0.1:9464, or ""')

    def convert(self, value: object, _where: Where, /) -> str:
        """The address as it is."""
        if value == "":
            return ""
        if not isinstance(value, str):
            raise Refused(self.allowed)
        host, colon, port = value.rpartition(":")
        if not colon:
            raise Refused(self.allowed, "The port is missing.")
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT and port == str(int(port))):
            raise Refused(self.allowed, f"A port is a number from 1 to {_HIGHEST_PORT}.")
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            raise Refused(self.allowed, "0.0.0.0 is every address of this machine." if not host else "") from None
        if address.is_multicast:
            raise Refused(self.allowed)
        return value

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": r"^([0-9]{1,3}(\.[0-9]{1,3}){3}:[1-9][0-9]{0,4})?$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Figures for Prometheus."""

    listen: str = setting(
        ListenAddress(),
        "",
        about="Where a device answers Prometheus, under /metrics, without a password. Left empty, nowhere.",
        effect=Effect.RESTART,
    )
    host_listen: str = setting(
        ListenAddress(),
        "",
        about="Where kontor host does. A machine that is device and host needs two ports.",
        effect=Effect.RESTART,
    )
