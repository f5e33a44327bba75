"""What an engine does not give, in words: for ``kontor status`` and docs/engines.md."""

from appliance.rooms.contract import Capabilities

WORDS = {
    "real_levels": ("Levels: real, in dBov", "Levels: only on or off"),
    "audio_per_member": ("A volume for each member", "One volume for all members"),
    "hands": ("Hands", "No hands"),
    "knocks": ("Knocks", "No knocks"),
    "admin_mute": ("An admin mutes a device", "No mute by an admin"),
    "mute_enforced": (
        "The server enforces that mute",
        "The device itself obeys that mute, the server does not enforce it",
    ),
    "asks": ("A device can be asked to unmute", "Nobody can ask a device to unmute"),
    "doors": ("A door can be closed from afar", "No door from afar"),
    "reports": ("Devices show gate, lamps and health", "Nobody sees a device's lamps and health"),
    "recording": ("Recordings are announced", "Recordings are not announced"),
    "bundles": ("Support bundles from afar", "No support bundles from afar"),
}
"""Of each capability what is there with it, and what without."""


def limits(capabilities: Capabilities) -> tuple[str, ...]:
    """What is missing."""
    return tuple(without for name, (_, without) in WORDS.items() if not getattr(capabilities, name))
