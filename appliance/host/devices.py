"""How a device gets its token: it signs a challenge with the Ed25519 key whose public half the settings list (RFC 8032).

A challenge costs no memory: it carries its age and the host's own signature. Only those that were answered rightly are
remembered, for as long as they would be good, so that each is good once.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core.events import EventName
from appliance.core.protocol import Claims, challenge_text, issue
from appliance.core.wire import Fields, ProtocolError, identity
from appliance.host.config import DeviceConfig, RoomConfig
from appliance.host.http import Refusal, json_response, read_json
from appliance.host.services import Services

_MOST_BODY = 4096
_MOST_USED = 4096
_RANDOM, _TIME, _MAC = 16, 8, 16


class Nonces:
    """Challenges that are good once, for ``life`` seconds."""

    def __init__(self, life: float) -> None:
        self._life = life
        self._secret = secrets.token_bytes(32)
        self._used: dict[str, float] = {}

    def make(self, device: str, now: float) -> str:
        """A challenge for ``device``: 80 hexadecimal digits."""
        body = secrets.token_bytes(_RANDOM) + int(now * 1000).to_bytes(_TIME, "big")
        return (body + self._mac(device, body)).hex()

    def is_good(self, device: str, nonce: str, now: float) -> bool:
        """Whether it was made for ``device``, is young enough, and has not been used."""
        try:
            raw = bytes.fromhex(nonce)
        except ValueError:
            return False
        body, mac = raw[:-_MAC], raw[-_MAC:]
        if len(raw) != _RANDOM + _TIME + _MAC or not hmac.compare_digest(mac, self._mac(device, body)):
            return False
        made = int.from_bytes(body[_RANDOM:], "big") / 1000
        return now - made <= self._life and raw.hex() not in self._used

    def use(self, nonce: str, now: float) -> bool:
        """Take it as used; False when too many are remembered to remember one more."""
        self._used = {used: at for used, at in self._used.items() if now - at <= self._life}
        if len(self._used) >= _MOST_USED:
            return False
        self._used[nonce.lower()] = now
        return True

    def _mac(self, device: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, device.encode() + b"\0" + body, hashlib.sha256)[:_MAC]


class Devices:
    """Serves ``/devices``."""

    def __init__(self, devices: tuple[DeviceConfig, ...], rooms: Mapping[str, RoomConfig], services: Services) -> None:
        self._devices = {device.id: device for device in devices}
        self._rooms = rooms
        self._services = services
        self._nonces = Nonces(services.times.nonce)

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [web.post("/devices/challenge", self.challenge), web.post("/devices/token", self.token)]

    async def challenge(self, request: web.Request) -> web.Response:
        """``POST /devices/challenge``. Whether the device is known is not told."""
        fields = await self._read(request)
        return json_response({"nonce": self._nonces.make(_field(fields, "device"), self._services.now())})

    async def token(self, request: web.Request) -> web.Response:
        """``POST /devices/token``."""
        fields = await self._read(request)
        device, room = _field(fields, "device"), _field(fields, "room")
        config = self._devices.get(device)
        if config is None or not self._is_answered(config, room, fields):
            self._services.counters.add("host_refused")
            self._services.tell(EventName.MEMBER_REFUSED, device=device, why="challenge not answered")
            raise Refusal(401, "This device is not known here, or its answer is not right.")
        if config.room != room or room not in self._rooms:
            self._services.counters.add("host_refused")
            self._services.tell(EventName.MEMBER_REFUSED, device=device, why="foreign room")
            raise Refusal(403, "This device belongs to another room.")
        return json_response({"token": self._issue(config, self._rooms[room])})

    async def _read(self, request: web.Request) -> Fields:
        return await read_json(request, _MOST_BODY, self._services.times.body)

    def _is_answered(self, config: DeviceConfig, room: str, fields: Fields) -> bool:
        nonce, signature = fields.get("nonce"), fields.get("signature")
        now = self._services.now()
        if not isinstance(nonce, str) or not self._nonces.is_good(config.id, nonce, now):
            return False
        try:
            signed = base64.b64decode(signature if isinstance(signature, str) else "", validate=True)
            Ed25519PublicKey.from_public_bytes(config.public_key).verify(signed, challenge_text(room, nonce))
        except (InvalidSignature, binascii.Error, ProtocolError, ValueError):
            return False
        return self._nonces.use(nonce, now)

    def _issue(self, device: DeviceConfig, room: RoomConfig) -> str:
        key_id, key = next(iter(room.keys.items()))
        claims = Claims(
            room=room.id,
            identity=device.id,
            name=device.name,
            role="speaker",
            kind="site",
            expires=int(self._services.unix_now() + self._services.times.token),
            key_id=key_id,
        )
        return issue(claims, key)


def _field(fields: Fields, key: str) -> str:
    try:
        return identity(fields, key)
    except ProtocolError as error:
        raise Refusal(400, str(error)) from None
