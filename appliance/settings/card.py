"""The ``kontor.toml`` of one device, to be dropped on its card: which room it is for, and what lets it in once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from appliance.core.text import one_line, quoted
from appliance.settings.migrations import SCHEMA


@dataclass(frozen=True, slots=True)
class Card:
    """What stands in the file. ``enrolment`` is a secret until it was used."""

    id: str
    name: str
    url: str
    room: str
    enrolment: str = field(repr=False)
    expires: int
    """When the one-use token ends, Unix seconds."""
    certificate_sha256: bytes
    """Of the host's media certificate."""
    authority_pem: str = ""
    """The host's own authority, when its https is signed by one."""


def kontor_toml(card: Card) -> str:
    """The file. It names a card with sound, as every device has one; everything else is as it is by default."""
    until = datetime.fromtimestamp(card.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        f"# Settings of {one_line(card.name)}. Put this file onto the boot partition of its card, as kontor.toml.",
        f"# What stands behind enrolment lets one device in, once, until {until}. Give it to nobody else.",
        f"schema = {SCHEMA}",
        "",
        "[device]",
        f"name = {quoted(card.name)}",
        f"id = {quoted(card.id)}",
        "",
        "[room]",
        f"url = {quoted(card.url)}",
        f"id = {quoted(card.room)}",
        f"enrolment = {quoted(card.enrolment)}",
        f"certificate_sha256 = {quoted(card.certificate_sha256.hex(':').upper())}",
        "",
        "[audio]",
        'backend = "alsa"',
        'capture = "auto"',
        'playback = "auto"',
        *(["", "[network]", f'ca = """\n{card.authority_pem.strip()}\n"""'] if card.authority_pem else []),
    ]
    return "\n".join(lines) + "\n"


def follow_toml(url: str, keys: Sequence[str], group: str = "") -> str:
    """What lets a device follow settings that are published, to stand behind :func:`kontor_toml`."""
    names = f"keys = [{', '.join(map(quoted, keys))}]"
    own = f"group = {quoted(group)}\n" if group else ""
    return f"\n[provisioning]\nurl = {quoted(url)}\n{names}\n{own}"


def wifi_toml(ssid: str, password: str) -> str:
    """What tells a device of a Wi-Fi network, to stand behind :func:`kontor_toml`; "" for no password.

    It is put there by whoever knows the password: the host, which makes the rest, is not told it.
    """
    secret = f"password = {quoted(password)}" if password else 'security = "open"'
    return f"\n[[network.wifi]]\nssid = {quoted(ssid)}\n{secret}\n"
