"""How a device gets its token: it signs a challenge with the Ed25519 key whose public half the host has (RFC 8032).

A challenge costs no memory: it carries its age and the host's own signature. Only those that were answered rightly are
remembered, for as long as they would be good, so that each is good once.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Literal, TypeAlias

from aiohttp import hdrs, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.events import EventName
from appliance.core.protocol import challenge_text
from appliance.core.wire import Fields, ProtocolError, identity
from appliance.host.conference import Conference
from appliance.host.config import DeviceConfig
from appliance.host.http import Refusal, json_response, read_json
from appliance.host.registry import is_signed
from appliance.host.services import Services

_MOST_USED = 4096
_RANDOM, _TIME, _MAC = 16, 8, 16

ChallengeFault: TypeAlias = Literal["forged", "expired", "replayed"]
"""We did not make it, or another key answered it; it is too old; it was answered before."""


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

    def fault(self, device: str, nonce: str, now: float) -> ChallengeFault | None:
        """What is wrong with it; None when it was made for ``device``, is young enough, and has not been used."""
        try:
            raw = bytes.fromhex(nonce)
        except ValueError:
            return "forged"
        body, mac = raw[:-_MAC], raw[-_MAC:]
        if len(raw) != _RANDOM + _TIME + _MAC or not hmac.compare_digest(mac, self._mac(device, body)):
            return "forged"
        if now - int.from_bytes(body[_RANDOM:], "big") / 1000 > self._life:
            return "expired"
        return "replayed" if raw.hex() in self._used else None

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

    def __init__(self, conferences: Mapping[str, Conference], services: Services) -> None:
        self._conferences = conferences
        self._services = services
        self._nonces = Nonces(services.times.nonce)
        # For a device that is not known its answer is checked all the same: how long it takes tells nothing.
        self._nobody = Ed25519PrivateKey.generate().public_key().public_bytes_raw()

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
        config = self._find(device, room)
        fault = self._fault(device, config.public_key if config else self._nobody, room, fields)
        if config is None:
            raise self._refusal("host_devices_unknown", device, "device not known")
        if fault is not None:
            raise self._refusal(f"host_challenges_{fault}", device, f"challenge {fault}")
        conference = self._conferences.get(room)
        if config.room != room or conference is None:
            self._refusal("host_tokens_foreign", device, "foreign room")
            raise Refusal(403, "This device belongs to another room.")
        if device in conference.memory.removed:
            self._refusal("host_tokens_removed", device, "revoked")
            raise Refusal(403, "This device was revoked.")
        token = conference.admission.speaker(config.id, config.name, "site", self._services.times.token)
        return json_response({"token": token})

    def _find(self, device: str, room: str) -> DeviceConfig | None:
        """A device of this room, or else of another one."""
        rooms = sorted(self._conferences.values(), key=lambda conference: conference.id != room)
        return next((found for each in rooms if (found := each.store.registry.device(device)) is not None), None)

    async def _read(self, request: web.Request) -> Fields:
        services = self._services
        if not services.gate.challenge(services.approach(request).address, services.now()):
            raise Refusal(429, "Too many requests of devices; wait a little.", {hdrs.RETRY_AFTER: "2"})
        return await read_json(request, services.times.body)

    def _refusal(self, counter: str, device: str, why: str) -> Refusal:
        """Count and tell; the sender learns no more than that it was refused."""
        self._services.counters.add("host_refused")
        self._services.counters.add(counter)
        self._services.tell(EventName.MEMBER_REFUSED, device=device, why=why)
        return Refusal(401, "This device is not known here, or its answer is not right.")

    def _fault(self, device: str, public_key: bytes, room: str, fields: Fields) -> ChallengeFault | None:
        """What is wrong with the answer to a challenge; None takes the challenge as used."""
        nonce = fields.get("nonce")
        now = self._services.now()
        if not isinstance(nonce, str):
            return "forged"
        fault = self._nonces.fault(device, nonce, now)
        if fault is not None:
            return fault
        try:
            text = challenge_text(room, nonce)
        except ProtocolError:
            return "forged"
        if not is_signed(fields, text, public_key):
            return "forged"
        return None if self._nonces.use(nonce, now) else "expired"


def _field(fields: Fields, key: str) -> str:
    try:
        return identity(fields, key)
    except ProtocolError as error:
        raise Refusal(400, str(error)) from None
