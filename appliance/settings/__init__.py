"""Every setting of Kontor: typed, checked all at once, each with its origin.

:func:`load` turns sources (see appliance/provisioning/files.py) into one frozen :class:`Settings`. The keys stand in
model.py and nowhere else; docs/configuration.md is made from them.
"""

from appliance.settings.loader import Resolved, load, resolve
from appliance.settings.migrations import SCHEMA
from appliance.settings.model import (
    AudioBackend,
    AudioSettings,
    ChimeLevel,
    DeviceSettings,
    DoorSettings,
    Echo,
    EngineName,
    LogLevel,
    LogSettings,
    Noise,
    Relay,
    RoomSettings,
    Settings,
    identity_of,
)
from appliance.settings.model_host import (
    HostedDevice,
    HostedRoom,
    HostSettings,
    Hue,
    ProxySettings,
    TlsSettings,
    TurnSettings,
)
from appliance.settings.model_metrics import MetricsSettings
from appliance.settings.model_panel import FirstMute, Level, PanelKind, PanelSettings, PixelDirection, PixelLayout
from appliance.settings.model_provisioning import ProvisioningSettings
from appliance.settings.model_quiet import QuietSettings
from appliance.settings.problems import Problem, SettingsError
from appliance.settings.reader import Origin
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Effect
from appliance.settings.sources import Source
from appliance.settings.special import page_url

__all__ = [
    "SCHEMA",
    "AudioBackend",
    "AudioSettings",
    "ChimeLevel",
    "DeviceSettings",
    "DoorSettings",
    "Echo",
    "Effect",
    "EngineName",
    "FirstMute",
    "HostSettings",
    "HostedDevice",
    "HostedRoom",
    "Hue",
    "Level",
    "LogLevel",
    "LogSettings",
    "MetricsSettings",
    "Noise",
    "Origin",
    "PanelKind",
    "PanelSettings",
    "PixelDirection",
    "PixelLayout",
    "Problem",
    "ProvisioningSettings",
    "ProxySettings",
    "QuietSettings",
    "Relay",
    "Resolved",
    "RoomSettings",
    "SecretFile",
    "Settings",
    "SettingsError",
    "Source",
    "TlsSettings",
    "TurnSettings",
    "identity_of",
    "load",
    "page_url",
    "resolve",
]
