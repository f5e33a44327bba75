"""One room: who is in it, who watches it, what they are told, and when patience with them ends."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from appliance.core.events import EventName
from appliance.core.protocol import (
    Claims,
    ClientMessage,
    CloseCode,
    dump,
    error,
    member_changed,
    member_left,
    muted_by_admin,
    slots_changed,
    verify,
    welcome,
)
from appliance.core.roster import Member, Roster, new_member
from appliance.core.sdp import Offer
from appliance.core.state import RoomState
from appliance.core.units import SILENCE
from appliance.host.config import RoomConfig
from appliance.host.fan_out import Address
from appliance.host.port import Ended
from appliance.host.requests import Requests
from appliance.host.services import Services
from appliance.host.session import Session
from appliance.host.stage import Stage
from appliance.host.watcher import Levels, Watcher
from appliance.media.rtp import receiver_report

_SILENT = round(SILENCE)
_CNAME = "room"


class RoomFull(Exception):
    """There is no place for one more."""


class Conference:
    """One room of the host."""

    def __init__(self, config: RoomConfig, services: Services) -> None:
        self.id = config.id
        self.title = config.title
        self.roster = Roster()
        self._keys = config.keys
        self._services = services
        self._stage = Stage(services.port.descriptor, services.counters, self._slots_changed, services.now())
        self._sessions: dict[str, Session] = {}
        self._watchers: dict[str, list[Watcher]] = {}
        self._requests = Requests(self, services)
        self._speaking: frozenset[str] = frozenset()
        self._ping_due = services.now()

    # ---- entering and leaving

    def verify(self, token: str, *, expiry: bool = True) -> Claims:
        """Who the holder of ``token`` is here.

        :param expiry: False lets an expired token pass: leaving is always allowed.
        :raises TokenError: it opens nothing in this room.
        """
        return verify(token, self._keys, self._services.unix_now() if expiry else 0.0, self.id)

    def join(self, claims: Claims, offer: Offer, address: Address, *, unmuted: bool = False) -> tuple[Session, str]:
        """Take a member in, connecting and muted; an older session of the same identity ends.

        :param unmuted: it speaks from the start: a client that can only send has no way to unmute itself.
        :returns: the session, and the SDP answer.
        :raises RoomFull: there is no place.
        :raises SdpError: the offer has nothing that this member may do.
        """
        services = self._services
        old = self._sessions.get(claims.identity)
        if old is None and self.roster.count >= services.max_members:
            services.counters.add("host_full")
            services.tell(EventName.ROOM_FULL, room=self.id, members=self.roster.count)
            raise RoomFull
        session = Session(claims, offer, self._stage, self, services.counters, services.now())
        answer = session.answer(services.fingerprint, address)
        if old is not None:
            self._replace(old)
        watchers = self._watchers.get(claims.identity, [])
        session.had_presence = bool(watchers)
        self._sessions[claims.identity] = session
        services.port.add(session.peer)
        sign = services.signs.get(claims.identity)
        member = new_member(claims.identity, claims.name, claims.kind, claims.role, sign)
        admin_muted = self._requests.admin_mute_of(claims.identity) is not None
        self.roster.join(replace(member, muted=not unmuted, admin_muted=admin_muted))
        services.counters.add("host_joins")
        services.tell(EventName.MEMBER_JOINED, room=self.id, member=claims.identity, kind=claims.kind)
        self._tell_member(claims.identity)
        return session, answer

    def session(self, session_id: str) -> Session | None:
        """The session with this id."""
        return next((s for s in self._sessions.values() if s.id == session_id), None)

    def leave(self, session: Session, why: str) -> None:
        """End a session; its presence sockets go on watching. A second time does nothing."""
        if self._sessions.get(session.who) is not session:
            return
        self._drop_media(session)
        del self._sessions[session.who]
        self.roster.leave(session.who)
        self._services.counters.add("host_leaves")
        self._services.tell(EventName.MEMBER_LEFT, room=self.id, member=session.who, why=why)
        self.broadcast(member_left(session.who))

    def _replace(self, old: Session) -> None:
        """A newer session takes over. Its socket is the newest one; others of the identity are the old session's."""
        self._drop_media(old)
        self._services.counters.add("host_replaced")
        self._services.tell(EventName.MEMBER_REPLACED, room=self.id, member=old.who)
        for watcher in self._watchers.get(old.who, [])[:-1]:
            watcher.close(CloseCode.REPLACED)

    def _drop_media(self, session: Session) -> None:
        session.silence()
        self._stage.unlisten(session.who)
        self._stage.release(session.who)
        self._services.port.remove(session.peer)

    # ---- what a session tells (Watching)

    def session_up(self, session: Session) -> None:
        self.change(session.who, connecting=self._is_unreachable(session, self._services.now()))

    def session_moved(self, session: Session) -> None:
        self._services.tell(EventName.MEMBER_MOVED, room=self.id, member=session.who)

    def session_ended(self, session: Session, why: str) -> None:
        if why == Ended.CERTIFICATE:
            self._services.tell(EventName.MEMBER_REFUSED, room=self.id, member=session.who, why=why)
        self.leave(session, why)

    def source_ended(self, session: Session) -> None:
        self._stage.release(session.who)

    def _slots_changed(self, holders: Sequence[str | None]) -> None:
        self.broadcast(slots_changed(holders))

    # ---- presence

    @property
    def is_crowded(self) -> bool:
        """No further presence socket is taken: there are as many again as may be in the room, and some."""
        return sum(map(len, self._watchers.values())) >= 2 * self._services.max_members + 16

    def attach(self, watcher: Watcher) -> None:
        """Let ``watcher`` see the room."""
        identity = watcher.claims.identity
        own = self._watchers.setdefault(identity, [])
        own.append(watcher)
        for surplus in own[: -self._services.limits.sockets_per_identity]:
            surplus.close(CloseCode.REPLACED)
        watcher.send(dump(welcome(watcher.claims, self.title, self.roster.members, self._stage.holders)))
        levels = {who: session.level for who, session in self._sessions.items() if session.level > _SILENT}
        if levels:
            watcher.send_levels(Levels(levels, self._speaking))
        muted_by = self._requests.admin_mute_of(identity)
        if muted_by is not None:  # it may not have been told while its socket was gone
            watcher.send(dump(muted_by_admin(muted_by)))
        session = self._sessions.get(identity)
        if session is not None:
            session.had_presence = True
            self._refresh(session, self._services.now())

    def detach(self, watcher: Watcher) -> None:
        """``watcher`` is gone. Its member stays, shown as connecting when nobody else watches for it."""
        own = self._watchers.get(watcher.claims.identity, [])
        if watcher in own:
            own.remove(watcher)
        if not own:
            self._watchers.pop(watcher.claims.identity, None)
        session = self._sessions.get(watcher.claims.identity)
        if session is not None:
            self._refresh(session, self._services.now())

    def handle(self, watcher: Watcher, message: ClientMessage) -> None:
        """Do what ``watcher`` asks for, if it may."""
        self._requests.handle(watcher, message)

    def broadcast(self, message: dict[str, Any]) -> None:
        """Tell everybody who watches."""
        text = dump(message)
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.send(text)

    def send_to(self, identity: str, message: dict[str, Any]) -> None:
        """Tell one member, on all its sockets."""
        for watcher in self._watchers.get(identity, []):
            watcher.send(dump(message))

    def change(self, identity: str, **fields: Any) -> None:
        """Change a member, tell everybody if that is news, and let its media pass or not."""
        before = self.roster.get(identity)
        session = self._sessions.get(identity)
        if before is None or session is None:
            return
        member = self.roster.change(identity, **fields)
        self._let_pass(session, member)
        if member != before:
            self._tell_member(identity)

    def _let_pass(self, session: Session, member: Member) -> None:
        passes = session.connected and not (member.muted or member.admin_muted or member.role == "listener")
        if session.passes and not passes:
            session.silence()
            self._stage.release(session.who)
        session.passes = passes

    def _tell_member(self, identity: str) -> None:
        member = self.roster.get(identity)
        if member is not None:
            self.broadcast(member_changed(member))

    # ---- time

    def tick(self, now: float) -> None:
        """Called some 15 times a second."""
        self._stage.expire(now)
        for session in list(self._sessions.values()):
            self._attend(session, now)
        self._publish_levels(now)
        if now >= self._ping_due:
            self._ping_due = now + self._services.times.ping
            self._ping(now)

    def _attend(self, session: Session, now: float) -> None:
        times = self._services.times
        if not session.connected:
            if now - session.began > times.join:
                text = "No media came: a firewall may block UDP to the room's server."
                self.send_to(session.who, error("no_media", text))
                self._time_out(session, "never connected")
            return
        if now - max(session.peer.heard, self._pong_at(session.who)) > times.gone:
            self._time_out(session, "silent")
            for watcher in self._watchers.get(session.who, []):
                watcher.close(CloseCode.REMOVED)
            return
        self._refresh(session, now)
        if now >= session.report_due:
            session.report_due = now + times.report
            self._services.port.send_rtcp(session.peer, receiver_report(session.report_source, cname=_CNAME))

    def _refresh(self, session: Session, now: float) -> None:
        """Show a member as connecting while it cannot be reached; its slot is free meanwhile."""
        member = self.roster.get(session.who)
        connecting = self._is_unreachable(session, now)
        if member is not None and member.connecting != connecting:
            if connecting:
                self._stage.release(session.who)
            self.change(session.who, connecting=connecting)

    def _is_unreachable(self, session: Session, now: float) -> bool:
        times = self._services.times
        if not session.connected:
            return True
        if session.had_presence and now - self._pong_at(session.who) > times.pong:
            return True
        return now - session.peer.heard > (times.site if session.is_site else times.person)

    def _pong_at(self, identity: str) -> float:
        return max((watcher.pong_at for watcher in self._watchers.get(identity, [])), default=float("-inf"))

    def _time_out(self, session: Session, why: str) -> None:
        self._services.counters.add("host_timeouts")
        self._services.tell(EventName.MEMBER_TIMED_OUT, room=self.id, member=session.who, why=why)
        self.leave(session, why)

    def _publish_levels(self, now: float) -> None:
        changed: dict[str, float] = {}
        speaking = set()
        for who, session in self._sessions.items():
            level = session.meter.read(now)
            if level != session.level:
                changed[who] = session.level = level
            if session.speaking.update(level, now):
                speaking.add(who)
        if changed or speaking != self._speaking:
            self._speaking = frozenset(speaking)
            levels = Levels(changed, self._speaking)
            for watchers in self._watchers.values():
                for watcher in watchers:
                    watcher.send_levels(levels)

    def _ping(self, now: float) -> None:
        for watchers in self._watchers.values():
            for watcher in watchers:
                if now - watcher.pong_at > self._services.times.gone:
                    watcher.close(CloseCode.REMOVED)
                else:
                    watcher.ping()

    # ---- the end, and what is told of the room

    def close(self) -> list[Watcher]:
        """The host stops: end every session, close every socket. Gives the sockets, to wait for."""
        watchers = [watcher for own in self._watchers.values() for watcher in own]
        for watcher in watchers:
            watcher.close(CloseCode.GOING_AWAY)
        for session in list(self._sessions.values()):
            self.leave(session, "host stops")
        return watchers

    def state(self) -> RoomState:
        """Counts, without names."""
        connected = sum(session.connected for session in self._sessions.values())
        return RoomState(self.id, members=self.roster.count, connected=connected, speaking=len(self._speaking))
