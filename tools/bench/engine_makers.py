"""Engines from plain values, for engine_member.py. Each is imported when it is wanted: nothing else counts in its memory."""

import os
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from appliance.rooms.contract import Engine
from tools.bench.engine_watch import LEFT

_CHILD, _LOOKS = "appliance.rooms.telegram_child", "tools.bench.engine_child"


def engine_of(given: Mapping[str, Any]) -> Engine:
    """The engine that ``engine`` in ``given`` names, with the rest of it as its settings (engine_places.py)."""
    settings = {name: value for name, value in given.items() if name != "engine"}
    makers: Mapping[str, Callable[..., Engine]] = {
        "hosted": _hosted,
        "livekit": _livekit,
        "janus": _janus,
        "telegram": _telegram,
    }
    return makers[given["engine"]](**settings)


def _hosted(url: str, room: str, identity: str, token: str, authority: str) -> Engine:
    from appliance.rooms.hosted import HostedEngine, HostedSettings  # noqa: PLC0415
    from appliance.rooms.signalling import fixed_credentials  # noqa: PLC0415

    tls = ssl.create_default_context(cafile=authority)
    return HostedEngine(HostedSettings(url, room, identity, fixed_credentials(token), tls=tls))


def _livekit(url: str, room: str, identity: str, key: str, secret: str) -> Engine:
    from appliance.rooms.livekit import LiveKitEngine, LiveKitSettings  # noqa: PLC0415
    from appliance.rooms.livekit_tokens import own_tokens  # noqa: PLC0415

    tokens = own_tokens(key, secret.encode(), room, identity, identity)
    return LiveKitEngine(LiveKitSettings((url,), identity, tokens))


def _janus(**settings: Any) -> Engine:
    from appliance.rooms.janus import JanusEngine, JanusSettings  # noqa: PLC0415

    return JanusEngine(JanusSettings(**settings))


def _telegram(login: tuple[int, str, str], group: str, identity: str) -> Engine:
    from appliance.rooms import telegram_media  # noqa: PLC0415
    from appliance.rooms.telegram import TelegramEngine  # noqa: PLC0415
    from appliance.rooms.telegram_account import Login  # noqa: PLC0415
    from appliance.rooms.telegram_stay import TelegramSettings  # noqa: PLC0415

    telegram_media.CHILD = _LOOKS if LEFT in os.environ else _CHILD
    return TelegramEngine(TelegramSettings(Login(*login), group, identity, identity.capitalize()))
