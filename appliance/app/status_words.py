"""What provision and the machine say, in the lines of ``kontor status`` that people read."""

import time
from collections.abc import Mapping
from typing import Any

from appliance.health.machine import Machine

Said = Mapping[str, Any]
_AT = 13
"""Column in which what is told begins."""
_STATES = {
    "defaults": "only what this machine itself says",
    "kept": "accepted",
    "trying": "new ones are on trial",
    "reverted": "the last ones were taken back, those before hold",
    "refused": "the last ones are wrong, those before hold",
}
_HOT = 80.0
"""°C."""


def row(name: str, text: str) -> str:
    """One line; without a name it goes on with the one before."""
    return f"{name:<{_AT}}{text}"


def provision(said: Said) -> list[str]:
    """Settings, network, what is missing, and what the device did to mend itself."""
    return [
        *_settings(said.get("config") or {}),
        *_network(said.get("network") or {}),
        *_needs(str(said.get("needs", "")), said.get("found") or ()),
        *_health(said.get("recovery") or {}),
        *_update(said.get("update") or {}),
        *_around(said.get("machine") or {}),
    ]


def _settings(config: Said) -> list[str]:
    if not config:
        return []
    versions = ", ".join(f"{scope} {version}" for scope, version in config.get("versions", {}).items())
    digest = f" ({config['digest'][:8]})" if config.get("digest") else ""
    since = f", since {_when(config['since'])}" if config.get("since") else ""
    lines = [row("settings", f"{_STATES.get(config['state'], config['state'])}{digest}{since}")]
    if versions:
        lines.append(row("", f"versions: {versions}"))
    if config.get("expires"):
        lines.append(row("", f"{'expired' if config.get('expired') else 'valid until'} {_when(config['expires'])}"))
    return [*lines, *(row("", str(text)) for text in (config.get("why"), *config.get("faults", ())) if text)]


def _network(network: Said) -> list[str]:
    if not network:
        return []
    none = ["none is up"] if network.get("manager") else []  # without one nobody looks: another has the network
    lines = [_connection(each) for each in network.get("connections", ())] or none
    if network.get("trial"):
        lines.append("a change waits to be kept")
    if network.get("why"):
        lines.append(str(network["why"]))
    return [row("network" if not number else "", text) for number, text in enumerate(lines)]


def _connection(each: Said) -> str:
    why = f" ({each['why']})" if each.get("why") else ""
    addresses = "".join(f", {address}" for address in each.get("addresses", ()))
    return f"{each['name']}: {each['state']}{addresses}{why}"


def _needs(needs: str, found: Any) -> list[str]:
    if not needs:
        return []
    nearby = [row("", f"nearby: {each['name']} ({each['room']}) at {each['url']}") for each in found]
    if len(nearby) == 1:
        nearby.append(row("", "to join it hold ROOM for a second, or press KNOCK"))
    return [row("needs", needs), *nearby]


def _health(recovery: Said) -> list[str]:
    ills = [f"{ill} for {seconds} s" for ill, seconds in recovery.get("ills", {}).items()]
    lines = [row("health" if not number else "", text) for number, text in enumerate(ills)]
    if recovery.get("last"):
        lines.append(row("" if lines else "health", f"last step: {recovery['last']}"))
    return lines


_UPDATES = {
    "no_image": "this machine was not started from an image: its packages are updated as it has them",
    "starting": "this start has yet to prove itself",
    "up_to_date": "up to date",
    "working": "an update is fetched",
    "paused": "an update waits until nobody talks",
    "ready": "a newer version waits for a start when nobody talks",
    "on_trial": "this version is on trial",
    "refused": "the last update was not taken",
    "left": "the last update was left again",
    "failed": "the last update could not be made, and is tried again",
}


def update(said: Said) -> list[str]:
    """How the image stands to updates."""
    if not said:
        return []
    runs = f"version {said['version']} in slot {said['slot']}, " if said.get("version") else ""
    lines = [f"{runs}{_UPDATES.get(said['state'], said['state'])}"]
    if said["state"] in ("working", "paused") and said.get("of"):
        part = f"{100 * said['blocks'] // said['of']} % of {said.get('found')}"
        lines.append(f"{part} is there, {said['fetched'] / 1e6:.1f} MB of {said['size'] / 1e6:.1f} MB were fetched")
    elif said.get("found") and said["state"] in ("ready", "left", "refused"):
        lines.append(f"found: version {said['found']}")
    if said.get("asked") and said["state"] != "working":
        lines.append("somebody asked for one now: it begins when nobody talks")
    elif said.get("looks") is False:
        lines.append("none are looked for: [update] url is empty")
    lines += [str(said["why"])] if said.get("why") else []
    return [row("updates" if not number else "", text) for number, text in enumerate(lines)]


def _update(said: Said) -> list[str]:
    """Where there is an image: elsewhere nobody asked."""
    return [] if said.get("state") == "no_image" else update(said)


_DATA = {
    "anew": "the data partition was beyond repair and made anew: this is a new device to its server",
    "memory": "nothing is kept beyond this start: the data partition cannot be used",
}


def _around(done: Said) -> list[str]:
    """What of the image somebody should know: that ssh is on, and what could not be done for the settings."""
    lines = [_DATA[done["data"]]] if done.get("data") in _DATA else []
    lines += ["ssh is on: whose keys are in the settings can log in as admin"] if done.get("ssh") else []
    lines += [f"{about} is not as the settings say: {why}" for about, why in (done.get("failed") or {}).items()]
    return [row("image" if not number else "", text) for number, text in enumerate(lines)]


def machine(found: Machine) -> list[str]:
    """What of the machine people should look at; nothing while all is well."""
    told = [f"{found.temperature:.0f} °C hot"] if (found.temperature or 0) >= _HOT else []
    told += [f"slowed down: {word.replace('_', ' ')}" for word in found.throttled]
    told += [
        f"{disk} has {100 * used:.0f} % of its life behind it" for disk, used in found.life_used.items() if used >= 0.9
    ]
    return [row("machine", ", ".join(told))] if told else []


def _when(unix: float) -> str:
    return time.strftime("%a %d %b %Y %H:%M", time.localtime(unix))
