"""How a device becomes known to a room: by a one-use token, or by asking until somebody lets it in (docs/enrolment.md).

``POST /devices/enrol`` is the device's side. ``/rooms/{room}/devices`` is that of the room's admins, on the page. What the
host's keeper does (control.py) goes through the same functions.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from aiohttp import hdrs, web

from appliance.core.enrolment import enrolment_text, fingerprint, is_enrolment
from appliance.core.events import EventName
from appliance.core.protocol import Who, device_asks
from appliance.core.wire import Fields, ProtocolError, identity, name
from appliance.host.conference import Conference
from appliance.host.config import DeviceConfig, Strangers
from appliance.host.for_admins import admin_of
from appliance.host.http import Refusal, json_response, read_json
from appliance.host.registry import MOST_DEVICES, Asking, Invitation, Registry, RegistryError, is_signed, read_key
from appliance.host.services import Services
from appliance.settings import identity_of
from appliance.settings.card import Card, kontor_toml
from appliance.settings.special import page_url

T = TypeVar("T")

_WAIT = "Somebody who looks after the room has to let this device in."
_USED = "The one-use token was used already, has expired, or is for another device."


class Enrolment:
    """Serves the way in.

    :param strangers: what becomes of a device that shows no token.
    :param authority_pem: of our own authority, which a device has to know; "" when there is none.
    """

    def __init__(
        self,
        conferences: Mapping[str, Conference],
        services: Services,
        strangers: Strangers,
        authority_pem: str,
    ) -> None:
        self._conferences = conferences
        self._services = services
        self._strangers = strangers
        self._authority_pem = authority_pem

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        devices = "/rooms/{room}/devices"
        return [
            web.post("/devices/enrol", self.enrol),
            web.get(devices, self.list_devices),
            web.post(devices, self.invite),
            web.post(devices + "/{device}/admit", self.admit),
        ]

    # ---- the device's side

    async def enrol(self, request: web.Request) -> web.Response:
        """``POST /devices/enrol``: 200 when the device is known from now on, 202 when it has to wait until it is let in."""
        services = self._services
        if not services.gate.challenge(services.approach(request).address, services.now()):
            raise Refusal(
                429, "Too many requests of devices; wait a little.", {hdrs.RETRY_AFTER: "2"}, code="too_often"
            )
        fields = await read_json(request, services.times.body)
        try:
            device, room = identity(fields, "device"), identity(fields, "room")
            device_name, public_key = name(fields, "name"), read_key(fields, "key")
            token = _proven(fields, room, device, public_key)
        except ProtocolError as error:
            raise Refusal(400, str(error), code="bad_name") from None
        conference = self._conferences.get(room)
        if conference is None:
            raise Refusal(404, "There is no such room.", code="no_room")
        if token:
            await self._by_token(conference, device, token, public_key)
        elif not await self._by_asking(conference, device, device_name, public_key):
            response = json_response({"waits": _WAIT})
            response.set_status(202)
            return response
        return json_response({"enrolled": device})

    async def _by_token(self, conference: Conference, device: str, token: str, public_key: bytes) -> None:
        registry, known = conference.store.registry, conference.store.registry.device(device)
        if known is not None and known.public_key == public_key:
            return  # the answer to the first time was lost
        try:
            good = await registry.enrol(device, token, public_key, self._services.unix_now())
        except OSError as error:
            raise _not_kept(error) from error
        if not good:
            raise self._refused(device, "token used, expired or of another", _USED)
        self._enrolled(conference, device, public_key, "token")

    async def _by_asking(self, conference: Conference, device: str, device_name: str, public_key: bytes) -> bool:
        """Whether it is in; else it waits."""
        registry, now = conference.store.registry, self._services.unix_now()
        if self._strangers == "refuse" or device in conference.memory.removed:
            raise self._refused(device, "not known", "This device is not known here.")
        if _person(conference, device):
            raise self._refused(
                device, "a person has this id", "Somebody is in the room under this id: take another one."
            )
        is_new = all(each.id != device for each in registry.asking(now))
        if not registry.ask(device, device_name, public_key, now):
            raise self._refused(device, "cannot wait", "Another device of this id waits, or too many do.")
        if self._strangers == "let_in" and registry.device(device) is None:
            await _kept(registry.add(device, device_name, public_key, now))
            self._enrolled(conference, device, public_key, "nobody")
            return True
        if is_new:
            conference.audience.tell_admins(device_asks(Who(device, device_name)))
            self._services.tell(EventName.DEVICE_ASKS, room=conference.id, device=device, key=fingerprint(public_key))
        return False

    def _refused(self, device: str, why: str, sentence: str) -> Refusal:
        self._services.counters.add("host_enrolments_refused")
        self._services.tell(EventName.MEMBER_REFUSED, device=device, why=why)
        return Refusal(403, sentence)

    # ---- the admins' side

    async def list_devices(self, request: web.Request) -> web.Response:
        """``GET /rooms/{room}/devices``: who is known, who is awaited, who asks to be let in."""
        conference, _ = admin_of(request, self._conferences, self._services)
        return json_response(devices_of(conference, self._services.unix_now()))

    async def invite(self, request: web.Request) -> web.Response:
        """``POST /rooms/{room}/devices``: a one-use token for a new device, in a ``kontor.toml`` for its card."""
        conference, fields = await self._asked(request)
        return json_response(await self.card(conference, fields, by_keeper=False))

    async def admit(self, request: web.Request) -> web.Response:
        """``POST /rooms/{room}/devices/{device}/admit``: let one in that asks, by the fingerprint that the admin has read."""
        conference, fields = await self._asked(request)
        return json_response(await self.let_in(conference, request.match_info["device"], fields.get("key")))

    async def _asked(self, request: web.Request) -> tuple[Conference, Fields]:
        """The room of an admin's request, and what it says."""
        admin_of(request, self._conferences, self._services)
        fields = await read_json(request, self._services.times.body)
        conference, _ = admin_of(request, self._conferences, self._services)  # its key may have been revoked meanwhile
        return conference, fields

    # ---- what both admins and the host's keeper do

    async def card(self, conference: Conference, fields: Fields, *, by_keeper: bool) -> dict[str, Any]:
        """Invite the device that ``fields`` tell of (name, url of this host, perhaps id): its ``kontor.toml``.

        Without an id it gets one of its own; with that of a device that is here, it takes its place.

        :raises Refusal: it cannot be invited.
        """
        try:
            device_name = name(fields, "name")
            device = identity(fields, "id") if "id" in fields else self._free_id(conference, device_name)
            url = page_url(str(fields.get("url")))
        except ProtocolError as error:
            raise Refusal(400, str(error), code="bad_name") from None
        except ValueError as error:
            raise Refusal(400, f"The address of this server {error}.", code="bad_address") from None
        if not url:
            raise Refusal(400, "The address of this server is missing.", code="bad_address")
        self._may_come(conference, device, by_keeper=by_keeper)
        registry, now = conference.store.registry, self._services.unix_now()
        token = await _kept(registry.invite(device, device_name, now))
        expires = next(each.expires for each in registry.invitations(now) if each.id == device)
        self._services.tell(EventName.DEVICE_INVITED, room=conference.id, device=device)
        card = Card(
            device, device_name, url, conference.id, token, expires, self._services.fingerprint, self._authority_pem
        )
        return {"id": device, "expires": expires, "toml": kontor_toml(card)}

    def _free_id(self, conference: Conference, device_name: str) -> str:
        registry, base = conference.store.registry, identity_of(device_name)[:60]
        invited = {each.id for each in registry.invitations(self._services.unix_now())}
        taken = {*(device.id for device in registry.devices), *invited, *self._services.devices}
        names = (base, *(f"{base}-{number}" for number in range(2, MOST_DEVICES + 3)))
        return next(each for each in names if each not in taken and conference.roster.get(each) is None)

    async def let_in(self, conference: Conference, device: str, key: object) -> dict[str, Any]:
        """Let in a device that asks.

        :param key: the fingerprint that was read; it must not have become another's meanwhile.
        :raises Refusal: it does not ask, or has another key.
        """
        registry, now = conference.store.registry, self._services.unix_now()
        asking = next((each for each in registry.asking(now) if each.id == device), None)
        if asking is None:
            text = "This device does not ask to be let in; it asks every half minute."
            raise Refusal(404, text, code="device_not_asking")
        if key != fingerprint(asking.public_key):
            text = f"The key of this device is {fingerprint(asking.public_key)}."
            raise Refusal(409, text, code="device_other_key")
        _no_person(conference, device)
        await _kept(registry.add(device, asking.name, asking.public_key, now))
        self._enrolled(conference, device, asking.public_key, "admin")
        return {"admitted": device}

    async def add(self, conference: Conference, fields: Fields) -> dict[str, Any]:
        """Take a device by its public key, as ``kontor key`` prints it there; one of the same id gives way.

        :raises Refusal: it cannot be taken.
        """
        try:
            device, device_name, public_key = identity(fields, "id"), name(fields, "name"), read_key(fields, "key")
        except ProtocolError as error:
            raise Refusal(400, str(error), code="bad_name") from None
        self._may_come(conference, device, by_keeper=True)
        await _kept(conference.store.registry.add(device, device_name, public_key, self._services.unix_now()))
        self._enrolled(conference, device, public_key, "keeper")
        return {"id": device, "key": fingerprint(public_key)}

    async def forget(self, conference: Conference, device: str) -> dict[str, Any]:
        """Know a device no more, and end its stay.

        :raises Refusal: it is not known, or the settings list it.
        """
        if not await _kept(conference.store.registry.forget(device, self._services.unix_now())):
            raise Refusal(404, "There is no such device.", code="no_device")
        conference.send_out(device)
        self._services.tell(EventName.DEVICE_FORGOTTEN, room=conference.id, device=device)
        return {"forgotten": device}

    def _may_come(self, conference: Conference, device: str, *, by_keeper: bool) -> None:
        if device in conference.memory.removed and not by_keeper:
            text = "This device was sent out on the server, and is let in again there."
            raise Refusal(409, text, code="device_sent_out")
        conference.memory.allow(device)
        _no_person(conference, device)

    def _enrolled(self, conference: Conference, device: str, public_key: bytes, how: str) -> None:
        """It is known from now on. Whoever is in the room by another key of it goes."""
        conference.send_out(device)
        self._services.counters.add("host_devices_enrolled")
        self._services.tell(
            EventName.DEVICE_ENROLLED, room=conference.id, device=device, how=how, key=fingerprint(public_key)
        )


def devices_of(conference: Conference, now: float) -> dict[str, Any]:
    """The devices of a room, ready for JSON; without any secret.

    :param now: Unix seconds.
    """
    registry = conference.store.registry
    return {
        "devices": [device_of(conference, device) for device in registry.devices],
        "invited": [_invited(each) for each in registry.invitations(now)],
        "asking": [_asking(registry, each) for each in registry.asking(now)],
    }


def device_of(conference: Conference, device: DeviceConfig) -> dict[str, Any]:
    """One device, with what it last said of itself."""
    registry: Registry = conference.store.registry
    return {
        "id": device.id,
        "name": device.name,
        "room": device.room,
        "key": fingerprint(device.public_key),
        "in_settings": registry.is_fixed(device.id),
        "revoked": device.id in conference.memory.removed,
        "here": conference.roster.get(device.id) is not None,
        "report": registry.report(device.id),
    }


def _person(conference: Conference, device: str) -> str:
    """The name of somebody who is there under this id, "" for nobody: the links of an id end when it is a device's."""
    member = conference.roster.get(device)
    if member is not None and member.kind != "site":
        return member.name
    people = (watcher.claims for watcher in conference.audience if watcher.claims.kind != "site")
    return next((claims.name for claims in people if claims.identity == device), "")


def _no_person(conference: Conference, device: str) -> None:
    """:raises Refusal: somebody is there under this id."""
    if person := _person(conference, device):
        raise Refusal(409, f"{person} is in the room under this id: take another one.", code="name_of_person")


def _invited(invitation: Invitation) -> dict[str, Any]:
    return {"id": invitation.id, "name": invitation.name, "expires": invitation.expires}


def _asking(registry: Registry, asking: Asking) -> dict[str, Any]:
    replaces = registry.device(asking.id) is not None
    return {"id": asking.id, "name": asking.name, "key": fingerprint(asking.public_key), "replaces": replaces}


def _proven(fields: Fields, room: str, device: str, public_key: bytes) -> str:
    """The token, "" for none, once the sender has shown that it has the key.

    :raises ProtocolError: it has not, or the token is none.
    """
    token = fields.get("token", "")
    if token != "" and not is_enrolment(token):
        raise ProtocolError('The field "token" has to be a one-use token.')
    if not is_signed(fields, enrolment_text(room, device, token), public_key):
        raise ProtocolError("The signature is not of this key.")
    return str(token)


async def _kept(change: Awaitable[T]) -> T:
    """What ``change``, a change of a registry, gives.

    :raises Refusal: it cannot be, or could not be written.
    """
    try:
        return await change
    except RegistryError as error:
        raise Refusal(409, str(error), code=error.code) from error
    except OSError as error:
        raise _not_kept(error) from error


def _not_kept(error: OSError) -> Refusal:
    return Refusal(500, f"It could not be written: {error.strerror}.", code="not_written")
