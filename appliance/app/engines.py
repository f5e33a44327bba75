"""Which engine the settings ask for."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from yarl import URL

from appliance.app.one_box import place_of
from appliance.app.places import state_of
from appliance.app.process import NotAllowed
from appliance.rooms import trust
from appliance.rooms.contract import Engine
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.enrolment import enrolling_credentials
from appliance.rooms.held import MediaSettings
from appliance.rooms.hosted import HostedEngine, HostedSettings
from appliance.rooms.janus import JanusEngine, JanusSettings
from appliance.rooms.nowhere import Nowhere
from appliance.rooms.signalling import fixed_credentials
from appliance.rooms.uplink import CodecSettings
from appliance.settings import Settings
from appliance.settings.model import EngineName
from appliance.settings.secrets import SecretFile


def make_engine(settings: Settings, *, of_device: bool = True) -> Engine:
    """The engine of ``[room] engine``, or one that is in no room while no server is named.

    :param of_device: it may use the device's key, and make one; a bridge is not the device of the machine that it runs on.
    :raises NotAllowed: what the engine needs is not installed, or the device's key, token or secret cannot be used.
    """
    match settings.room.engine:
        case EngineName.LIVEKIT:
            return _livekit(settings)
        case EngineName.JANUS:
            return _janus(settings, _secret(settings) if of_device else _drawn())
        case EngineName.TELEGRAM:
            return _telegram(settings)
        case _:
            return _hosted(settings)


def _livekit(settings: Settings) -> Engine:
    with _installed("livekit"):
        from appliance.rooms.livekit import LiveKitEngine, LiveKitSettings  # noqa: PLC0415  # its library may be missing
        from appliance.rooms.livekit_tokens import fixed_token, own_tokens  # noqa: PLC0415
    given, identity, name = settings.livekit, settings.device.identity, settings.device.name
    room = given.room or settings.room.id
    if given.token_file is not None:
        try:
            tokens = fixed_token(_ascii(given.token_file, "[livekit] token_file"))
        except ValueError as error:
            raise NotAllowed(f"[livekit] token_file: {error}") from None
    elif given.api_secret_file is not None:
        tokens = own_tokens(given.api_key, given.api_secret_file.read(), room, identity, name)
    else:
        raise NotAllowed("[livekit] needs api_key and api_secret_file, or token_file")
    bitrate, authorities = settings.audio.bitrate, _authorities(settings)
    return LiveKitEngine(LiveKitSettings(given.urls, identity, tokens, bitrate, authorities=authorities))


def _janus(settings: Settings, secret: bytes) -> Engine:
    given, device, audio = settings.janus, settings.device, settings.audio
    pin = _ascii(given.pin_file, "[janus] pin_file") if given.pin_file is not None else ""
    token = _ascii(given.token_file, "[janus] token_file") if given.token_file is not None else ""
    codec = CodecSettings(bitrate=audio.bitrate, complexity=audio.complexity)
    proxy = settings.network.proxy.on_the_way_to(URL(given.url).host or "")
    return JanusEngine(
        JanusSettings(
            url=given.url,
            room=given.room,
            identity=device.identity,
            name=device.name,
            pin=pin,
            token=token,
            secret=secret,
            codec=codec,
            tls=_trusted(settings),
            proxy=proxy,
        )
    )


def _secret(settings: Settings) -> bytes:
    """What nobody knows but who has this device's key; where that can be neither read nor made, one that is drawn now.

    :raises NotAllowed: the key cannot be used.
    """
    try:
        key = DeviceKey.load_or_make(state_of(settings, "link"))
    except OSError:
        return _drawn()
    except ValueError as error:
        raise NotAllowed(f"the device's key: {error}") from error
    return sha256(key.sign(b"kontor: one device in a room of Janus")).digest()


def _drawn() -> bytes:
    return os.urandom(32)


def _telegram(settings: Settings) -> Engine:
    with _installed("telegram"):
        from appliance.rooms.telegram import TelegramEngine  # noqa: PLC0415  # its libraries may be missing
        from appliance.rooms.telegram_account import Login  # noqa: PLC0415
        from appliance.rooms.telegram_stay import TelegramSettings  # noqa: PLC0415
    given, device = settings.telegram, settings.device
    if given.api_hash_file is None or given.session_file is None:
        raise NotAllowed("[telegram] needs api_hash_file and session_file: kontor telegram login makes the session")
    api_hash = _ascii(given.api_hash_file, "[telegram] api_hash_file")
    login = Login(given.api_id, api_hash, _ascii(given.session_file, "[telegram] session_file"))
    return TelegramEngine(TelegramSettings(login, given.group, device.identity, device.name, given.create))


def _trusted(settings: Settings) -> ssl.SSLContext:
    """Which certificates are believed."""
    try:
        own = settings.network.ca.pem() if settings.network.ca else ""
        return trust.context(settings.room.ca_file, own)
    except OSError as error:
        raise NotAllowed(f"[room] ca_file or [network] ca: {error}") from error


def _authorities(settings: Settings) -> str:
    """The same as text, without those of the system, for a library that takes no context."""
    _trusted(settings)
    try:
        file = settings.room.ca_file.read_text("utf-8") if settings.room.ca_file else ""
        return "\n".join(part for part in (file, settings.network.ca.pem() if settings.network.ca else "") if part)
    except (OSError, ValueError) as error:
        raise NotAllowed(f"[room] ca_file or [network] ca: {error}") from error


@contextmanager
def _installed(extra: str) -> Iterator[None]:
    """What is imported here may be missing.

    :raises NotAllowed: it is, with what to install.
    """
    try:
        yield
    except ImportError as error:
        missing = error.name or "a library of it"
        raise NotAllowed(
            f"the {extra} engine is not installed ({missing} is missing): install kontor[{extra}]"
        ) from error


def _ascii(file: SecretFile, what: str) -> str:
    try:
        return file.read().decode("ascii")
    except UnicodeDecodeError:
        raise NotAllowed(f"{what} holds something else than a secret of plain characters") from None


def _hosted(settings: Settings) -> Engine:
    room, audio = settings.room, settings.audio
    place = place_of(settings)
    if not place.url:
        return Nowhere("no server is named: set [room] url")
    identity = settings.device.identity
    if room.token_file:
        try:
            credentials = fixed_credentials(room.token_file.read().decode("ascii").strip())
        except UnicodeDecodeError:
            raise NotAllowed("[room] token_file holds no token: it is the part of a link behind its #") from None
    else:
        try:
            key = DeviceKey.load_or_make(state_of(settings, "link"))
        except (OSError, ValueError) as error:
            raise NotAllowed(f"the device's key: {error}") from error
        token = room.enrolment_file.read().decode("ascii", "replace") if room.enrolment_file else ""
        credentials = enrolling_credentials(identity, settings.device.name, key, token)
    tls = _trusted(settings)
    codec = CodecSettings(audio.frame_ms, audio.bitrate, audio.complexity)
    media = MediaSettings(room.certificate_sha256, room.relay.value)
    proxy = settings.network.proxy.on_the_way_to(URL(place.url).host or "")
    return HostedEngine(HostedSettings(place.url, place.room, identity, credentials, codec, media, tls, proxy))
