"""Which engine the settings ask for."""

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
from appliance.rooms.nowhere import Nowhere
from appliance.rooms.signalling import fixed_credentials
from appliance.rooms.uplink import CodecSettings
from appliance.settings import Settings


def make_engine(settings: Settings) -> Engine:
    """The engine of ``[room] engine``, or one that is in no room while no server is named.

    :raises NotAllowed: the device's key or token cannot be used.
    """
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
    try:
        own = settings.network.ca.pem() if settings.network.ca else ""
        tls = trust.context(room.ca_file, own)
    except OSError as error:
        raise NotAllowed(f"[room] ca_file or [network] ca: {error}") from error
    codec = CodecSettings(audio.frame_ms, audio.bitrate, audio.complexity)
    media = MediaSettings(room.certificate_sha256, room.relay.value)
    proxy = settings.network.proxy.on_the_way_to(URL(place.url).host or "")
    return HostedEngine(HostedSettings(place.url, place.room, identity, credentials, codec, media, tls, proxy))
