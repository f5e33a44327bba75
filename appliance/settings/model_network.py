"""The settings of the network: ``[network]``. While a part of it is left out, that part stays as the machine has it."""

# ruff: noqa: RUF009  # setting(), section() and items() make dataclass fields, they are no mutable defaults

from dataclasses import dataclass
from enum import StrEnum

from appliance.settings.addresses import Certificates, HostName, OwnAddress, Pem
from appliance.settings.kinds import Choice, Flag, Many, MaybeSecret, Text, Whole, one_of
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Effect, items, section, setting
from appliance.settings.special import Address, Url

_INTERFACE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}"
_SUFFIX = r"\.?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"


class Security(StrEnum):
    """How the network knows who may be in it."""

    OPEN = "open"
    PERSONAL = "personal"
    """WPA2 or WPA3 with one password for all."""
    WPA3 = "wpa3"
    """WPA3 (SAE) alone."""
    PEAP = "peap"
    """802.1X with a name and a password, inside TLS (MSCHAPv2)."""
    EAP_TLS = "eap_tls"
    """802.1X with a certificate of the device's own."""

    @property
    def enterprise(self) -> bool:
        """Whether there is a server that is asked (802.1X)."""
        return self in (Security.PEAP, Security.EAP_TLS)


def _identity() -> str:
    about = "As whom the device logs in, for peap and eap_tls."
    return setting(Text(253, 0), "", about=about, effect=Effect.LIVE)


def _anonymous() -> str:
    about = "The name that is shown before the connection is encrypted, for peap. Left empty it is the identity."
    return setting(Text(253, 0), "", about=about, effect=Effect.LIVE)


def _password() -> SecretFile | None:
    about = "A file with the password. On the boot partition write password instead: it is moved to a safe place."
    return setting(MaybeSecret(), None, about=about, effect=Effect.LIVE)


def _authority() -> Certificates | None:
    about = "The authority (PEM) that the network's login server must be signed by. Needed for peap and eap_tls."
    return setting(Pem(), None, about=about, effect=Effect.LIVE)


def _server() -> str:
    about = "The name that the login server's certificate must have, or the end of it. Needed with a public authority."
    words = "a name like radius.example.org, or the end of one"
    return setting(Text(253, 0, _SUFFIX, words), "", about=about, effect=Effect.LIVE)


def _certificate() -> Certificates | None:
    about = "The device's own certificate (PEM), for eap_tls."
    return setting(Pem(), None, about=about, effect=Effect.LIVE)


def _key() -> SecretFile | None:
    about = "A file with the private key of that certificate (PEM, without a password of its own)."
    return setting(MaybeSecret(), None, about=about, effect=Effect.LIVE)


def _address() -> str:
    return setting(
        OwnAddress(), "", about="The device's address, like 192.0.2.7/24. Empty: by DHCP.", effect=Effect.LIVE
    )


def _gateway() -> str:
    about = "Where everything outside of that network goes, when the address is not by DHCP."
    return setting(Address(optional=True), "", about=about, effect=Effect.LIVE)


def _dns() -> tuple[str, ...]:
    return setting(
        Many(Address(optional=True), 3), (), about="Name servers, instead of those that DHCP names.", effect=Effect.LIVE
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EthernetSettings:
    """The cable."""

    security: Security = setting(
        Choice({word.value: word for word in (Security.OPEN, Security.PEAP, Security.EAP_TLS)}),
        Security.OPEN,
        about="How the network knows the device: open (it does not ask), or 802.1X: peap (a password), eap_tls (a certificate).",
        effect=Effect.LIVE,
    )
    interface: str = setting(
        Text(15, 0, _INTERFACE, "the name of a network interface like eth0"),
        "",
        about="Which socket it is, where there are several. Empty: whichever has the cable in it.",
        effect=Effect.LIVE,
    )
    vlan: int = setting(Whole(0, 4094), 0, about="The VLAN (802.1Q) to be in. 0: none.", effect=Effect.LIVE)
    identity: str = _identity()
    anonymous_identity: str = _anonymous()
    password_file: SecretFile | None = _password()
    ca: Certificates | None = _authority()
    server_name: str = _server()
    certificate: Certificates | None = _certificate()
    key_file: SecretFile | None = _key()
    address: str = _address()
    gateway: str = _gateway()
    dns: tuple[str, ...] = _dns()


@dataclass(frozen=True, slots=True, kw_only=True)
class WifiSettings:
    """A Wi-Fi network."""

    ssid: str = setting(Text(32), about="The network's name.", effect=Effect.LIVE)
    security: Security = setting(
        one_of(Security),
        Security.PERSONAL,
        about="How the network knows the device: personal is WPA2 or WPA3 with a password; peap and eap_tls are WPA enterprise.",
        effect=Effect.LIVE,
    )
    hidden: bool = setting(Flag(), False, about="Whether the network does not tell its name.", effect=Effect.LIVE)
    identity: str = _identity()
    anonymous_identity: str = _anonymous()
    password_file: SecretFile | None = _password()
    ca: Certificates | None = _authority()
    server_name: str = _server()
    certificate: Certificates | None = _certificate()
    key_file: SecretFile | None = _key()
    address: str = _address()
    gateway: str = _gateway()
    dns: tuple[str, ...] = _dns()


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOutSettings:
    """The proxy that https goes through."""

    url: str = setting(
        Url(),
        "",
        about="The proxy for https, like http://proxy.example.org:3128. The sound itself does not go through it.",
        effect=Effect.REJOIN,
    )
    direct: tuple[str, ...] = setting(
        Many(HostName(), 32),
        (),
        about="Servers that are reached without it; a name stands for all that end in it, too.",
        effect=Effect.REJOIN,
    )

    def on_the_way_to(self, server: str) -> str:
        """The proxy that leads to ``server``; "" when none does."""
        near = any(server == name or server.endswith(f".{name}") for name in self.direct)
        return "" if near else self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The network."""

    country: str = setting(
        Text(2, 0, "[A-Z]{2}", 'two letters like DE (ISO 3166), or ""'),
        "",
        about="Where the Wi-Fi radio is used, on the SD image: the law says there which channels it may have.",
        effect=Effect.LIVE,
    )
    ntp: tuple[str, ...] = setting(
        Many(HostName(), 4),
        (),
        about="Time servers, instead of those that the machine knows or DHCP names.",
        effect=Effect.LIVE,
    )
    ca: Certificates | None = setting(
        Pem(),
        None,
        about="The certificate of an own authority (PEM) that is believed for everything the device fetches by https.",
        effect=Effect.REJOIN,
    )
    ethernet: EthernetSettings = section(
        EthernetSettings, "The cable. Left out: as the machine has it, mostly by DHCP."
    )
    wifi: tuple[WifiSettings, ...] = items(
        WifiSettings,
        "Wi-Fi networks; the first that is in range is taken. Left out: as the machine has it.",
        unique="ssid",
    )
    proxy: WayOutSettings = section(WayOutSettings, "The proxy that https goes through, where there is one.")
