"""The control socket: what the keeper of the host asks of it while it runs (``kontor host key``, ``member`` and so on).

HTTP with JSON over a Unix socket that only the host's own user may open: whoever can open it could read the keys as well.
Errors are one sentence.
"""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from appliance.core.events import EventName
from appliance.core.protocol import Who
from appliance.core.roster import Member
from appliance.core.wire import Fields, ProtocolError, name
from appliance.host.conference import Conference
from appliance.host.enrolment import Enrolment, device_of, devices_of
from appliance.host.for_admins import removed_of
from appliance.host.http import Refusal, json_response, read_json
from appliance.host.private_socket import listen_privately
from appliance.host.recording import KEEPERS
from appliance.host.requests import Refused
from appliance.host.room_store import MOST_KEYS
from appliance.host.services import Services

KEEPER = Who("host", "The host")
"""Who acts here, as the others read it."""

CONTROL = "host.sock"
"""The socket's name in the runtime folder."""

_GOODBYE = 1.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlError(Exception):
    """The control socket cannot be had: one sentence."""


class Control:
    """Serves the control socket from :meth:`open` to :meth:`close`.

    :param state: gives the state of the whole host, ready for JSON.
    """

    def __init__(
        self,
        conferences: Mapping[str, Conference],
        enrolment: Enrolment,
        services: Services,
        state: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._conferences = conferences
        self._enrolment = enrolment
        self._services = services
        self._state = state
        self._runner: web.AppRunner | None = None

    async def open(self, path: Path) -> None:
        """Listen at ``path``; a socket that a killed host left there is replaced.

        :raises ControlError: it cannot be had, or another host listens there.
        """
        app = web.Application(middlewares=[_guard])
        app.add_routes(self._routes())
        runner = web.AppRunner(app, access_log=None, logger=_silent(), handle_signals=False, shutdown_timeout=_GOODBYE)
        listening = _listen(path)
        try:
            await runner.setup()
            await web.SockSite(runner, listening).start()
        except BaseException:
            listening.close()
            raise
        self._runner = runner

    async def close(self) -> None:
        """Listen no more; the socket's name is removed. A second time does nothing."""
        if self._runner is not None:
            (address,) = self._runner.addresses
            await self._runner.cleanup()
            self._runner = None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(address)

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/state", self._tell_state),
            web.get("/rooms/{room}/keys", self._list_keys),
            web.post("/rooms/{room}/keys", self._new_key),
            web.delete("/rooms/{room}/keys/{key}", self._revoke_key),
            web.get("/rooms/{room}/members", self._list_members),
            web.post("/rooms/{room}/members/{member}/{action}", self._act),
            web.post("/rooms/{room}/mute-new/{on:on|off}", self._mute_new),
            web.put("/rooms/{room}/title", self._set_title),
            web.post("/rooms/{room}/recording/{on:on|off}", self._record),
            web.get("/devices", self._list_devices),
            web.post("/devices/{device}/{action:revoke|allow}", self._act_on_device),
            web.post("/rooms/{room}/devices/{how:add|invite}", self._new_device),
            web.post("/rooms/{room}/devices/{device}/admit", self._admit_device),
            web.delete("/rooms/{room}/devices/{device}", self._forget_device),
        ]

    async def _tell_state(self, _request: web.Request) -> web.Response:
        return json_response(self._state())

    # ---- keys

    async def _list_keys(self, request: web.Request) -> web.Response:
        store = self._conference(request).store
        keys = [{"id": key.id, "made": key.made, "signs": key is store.keys[0]} for key in store.keys]
        return json_response({"keys": keys, "own": store.owns_keys})

    async def _new_key(self, request: web.Request) -> web.Response:
        conference = self._with_own_keys(request)
        if len(conference.store.keys) >= MOST_KEYS:
            raise Refusal(409, f"The room has {MOST_KEYS} keys already: revoke one first.")
        try:
            made = await conference.store.add_key(self._services.unix_now())
        except OSError as error:
            raise Refusal(500, f"The key could not be written: {error.strerror}.") from error
        self._services.tell(EventName.ROOM_KEY_MADE, room=conference.id, key=made.id)
        return json_response({"key": made.id})

    async def _revoke_key(self, request: web.Request) -> web.Response:
        conference, key_id = self._with_own_keys(request), request.match_info["key"]
        if key_id not in conference.store.secrets:
            raise Refusal(404, f"The room has no such key, it has: {', '.join(conference.store.secrets)}.")
        try:
            await conference.store.revoke_key(key_id, self._services.unix_now())
        except OSError as error:
            text = (
                f"The key opens nothing now, but that could not be written ({error.strerror}): it will after a restart."
            )
            raise Refusal(500, text) from error
        finally:
            ended = conference.revoke(key_id)
            self._services.counters.add("host_keys_revoked")
            self._services.tell(EventName.ROOM_KEY_REVOKED, room=conference.id, key=key_id, members=ended)
        return json_response({"revoked": key_id, "members": ended, "signs": conference.store.keys[0].id})

    def _with_own_keys(self, request: web.Request) -> Conference:
        conference = self._conference(request)
        if not conference.store.owns_keys:
            text = "The keys of this room are in the settings: change key_files there and start the host anew."
            raise Refusal(409, text)
        return conference

    # ---- members

    async def _list_members(self, request: web.Request) -> web.Response:
        conference = self._conference(request)
        return json_response(
            {
                "title": conference.title,
                "members": list(map(_member, conference.roster.members)),
                "removed": removed_of(conference),
                "mute_new": conference.memory.mute_new,
            }
        )

    async def _act(self, request: web.Request) -> web.Response:
        conference, who = self._conference(request), request.match_info["member"]
        requests = conference.requests
        try:
            match request.match_info["action"]:
                case "mute":
                    requests.mute(requests.member(who), KEEPER)
                case "unmute":
                    requests.let_speak(requests.member(who).id, KEEPER)
                case "admit":
                    requests.give_role(requests.member(who), "speaker", KEEPER)
                case "listen":
                    requests.give_role(requests.member(who), "listener", KEEPER)
                case "remove":
                    requests.remove(who, requests.member(who).name, KEEPER)
                case "allow":
                    requests.allow(who, KEEPER)
                case _:
                    raise Refusal(404, "A member can be muted, unmuted, admitted, made to listen, removed and allowed.")
        except Refused as refused:
            raise Refusal(404 if refused.code in ("unknown_member", "not_removed") else 409, str(refused)) from refused
        await conference.store.written()
        return json_response({"done": request.match_info["action"], "member": who})

    async def _mute_new(self, request: web.Request) -> web.Response:
        conference = self._conference(request)
        conference.requests.set_mute_new(request.match_info["on"] == "on", KEEPER)
        await conference.store.written()
        return json_response({"mute_new": conference.memory.mute_new})

    async def _set_title(self, request: web.Request) -> web.Response:
        conference, fields = self._conference(request), await self._fields(request)
        title = fields.get("title")
        try:
            conference.requests.set_title(title.strip() if isinstance(title, str) else "", KEEPER)
        except Refused as refused:
            raise Refusal(400, str(refused)) from refused
        await conference.store.written()
        return json_response({"title": conference.title})

    async def _record(self, request: web.Request) -> web.Response:
        """Announce a recording for a program that has no presence, or tell that it has ended."""
        conference, fields = self._conference(request), await self._fields(request)
        try:
            who = Who(KEEPER.id, name(fields, "name")) if "name" in fields else None
        except ProtocolError as error:
            raise Refusal(400, str(error)) from None
        conference.recordings.set(KEEPERS, who, request.match_info["on"] == "on")
        state = conference.recordings.state
        begins = max(0.0, state.starts - self._services.unix_now()) if state else 0.0
        return json_response({"recording": state.as_dict() if state else None, "begins_in": round(begins, 3)})

    # ---- devices

    async def _list_devices(self, _request: web.Request) -> web.Response:
        found = [
            (room, devices_of(conference, self._services.unix_now())) for room, conference in self._conferences.items()
        ]
        return json_response(
            {
                what: [{"room": room, **device} for room, devices in found for device in devices[what]]
                for what in ("devices", "invited", "asking")
            }
        )

    async def _act_on_device(self, request: web.Request) -> web.Response:
        devices = {
            device.id: (conference, device)
            for conference in self._conferences.values()
            for device in conference.store.registry.devices
        }
        found = devices.get(request.match_info["device"])
        if found is None:
            raise Refusal(404, f"There is no such device, there are: {', '.join(devices) or 'none'}.")
        conference, device = found
        if request.match_info["action"] == "revoke":
            conference.requests.remove(device.id, device.name, KEEPER)
        elif device.id not in conference.memory.removed:
            raise Refusal(404, "This device is not revoked.")
        else:
            conference.requests.allow(device.id, KEEPER)
        await conference.store.written()
        return json_response(device_of(conference, device))

    async def _new_device(self, request: web.Request) -> web.Response:
        conference, fields = self._conference(request), await self._fields(request)
        if request.match_info["how"] == "add":
            return json_response(await self._enrolment.add(conference, fields))
        return json_response(await self._enrolment.card(conference, fields, by_keeper=True))

    async def _admit_device(self, request: web.Request) -> web.Response:
        conference, fields = self._conference(request), await self._fields(request)
        return json_response(await self._enrolment.let_in(conference, request.match_info["device"], fields.get("key")))

    async def _forget_device(self, request: web.Request) -> web.Response:
        return json_response(await self._enrolment.forget(self._conference(request), request.match_info["device"]))

    async def _fields(self, request: web.Request) -> Fields:
        return await read_json(request, self._services.times.body)

    def _conference(self, request: web.Request) -> Conference:
        conference = self._conferences.get(request.match_info["room"])
        if conference is None:
            raise Refusal(404, f"There is no such room, there are: {', '.join(self._conferences)}.")
        return conference


def _member(member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "name": member.name,
        "kind": member.kind,
        "role": member.role,
        "state": member.state,
        "admin_muted": member.admin_muted,
    }


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.response()


def _listen(path: Path) -> socket.socket:
    """The socket, for this user alone.

    :raises ControlError: it cannot be had, or somebody listens there.
    """
    try:
        return listen_privately(path)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ControlError(f"another host is running: it listens at {path}.") from error
        raise ControlError(f"the socket {path} cannot be made: {error.strerror or error}.") from error


def _silent() -> logging.Logger:
    logger = logging.getLogger("kontor.host.control")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
