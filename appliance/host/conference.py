"""One room: who is in it, who watches it, what they are told, and when patience with them ends."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from appliance.core.events import EventName
from appliance.core.protocol import (
    Claims,
    ClientMessage,
    CloseCode,
    Terms,
    Who,
    dump,
    error,
    muted_by_admin,
    slots_changed,
    title_changed,
    welcome,
    with_members,
)
from appliance.core.roster import Member, Roster, new_member
from appliance.core.sdp import Offer
from appliance.core.state import RoomState
from appliance.host.admission import Admission
from appliance.host.audience import Audience, for_everybody
from appliance.host.config import RoomConfig
from appliance.host.fan_out import Address
from appliance.host.loudness import Loudness
from appliance.host.port import Ended
from appliance.host.recording import Recordings
from appliance.host.requests import Requests
from appliance.host.room_store import RoomStore
from appliance.host.services import Services
from appliance.host.session import Session
from appliance.host.stage import Stage
from appliance.host.watcher import Watcher

_SLOTS_EVERY = 0.1
"""Seconds between two messages of who has which slot: one member that mutes itself on and off could fill all queues by them."""

_TELLING = 0.001
"""Seconds between two messages of changes and levels for each watcher: telling one costs a tenth of that."""


class RoomFull(Exception):
    """There is no place for one more."""


class Conference:
    """One room of the host."""

    def __init__(self, config: RoomConfig, services: Services, store: RoomStore) -> None:
        self.id = config.id
        self.roster = Roster()
        self.store = store
        store.failed = self._not_written
        self.memory = store.memory
        self.audience = Audience(self.roster, services.limits.sockets_per_identity)
        self.admission = Admission(config.id, services, store)
        self.recordings = Recordings(config.id, services, self.audience)
        self._services = services
        self._stage = Stage(services.port.descriptor, services.counters, self._slots_changed, services.now())
        self._sessions: dict[str, Session] = {}
        self.requests = Requests(self, services, store)
        self._loudness = Loudness(self._sessions, last_spoke=services.last_spoke)
        self._ping_due = self._tell_due = self._slots_due = services.now()
        self._slots_owed = False

        if store.made is not None:
            services.tell(EventName.ROOM_KEY_MADE, room=self.id, key=store.made.id)

    def _not_written(self, error: OSError) -> None:
        self._services.counters.add("host_store_failures")
        self._services.tell(EventName.ROOM_STORE_FAILED, room=self.id, why=error.strerror or str(error))

    @property
    def title(self) -> str:
        """What people read."""
        return self.memory.title

    # ---- entering and leaving

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
        session.had_presence = bool(self.audience.of(claims.identity))
        self._sessions[claims.identity] = session
        services.port.add(session.peer)
        sign = services.signs.get(claims.identity)
        member = new_member(claims.identity, claims.name, claims.kind, claims.role, sign)
        admin_muted = self._muted_at_the_door(claims, came_back=old is not None) is not None
        self.roster.join(replace(member, muted=not unmuted, admin_muted=admin_muted))
        services.counters.add("host_joins")
        if claims.kind == "site":
            services.sites.add(claims.identity)
        services.tell(EventName.MEMBER_JOINED, room=self.id, member=claims.identity, kind=claims.kind)
        self.audience.member_changed(claims.identity)
        return session, answer

    def _muted_at_the_door(self, claims: Claims, *, came_back: bool) -> Who | None:
        """Who muted this member as it comes in. Only people who may speak are muted for being new: a device is the room's."""
        is_new = claims.kind == "person" and claims.role == "speaker" and not came_back
        if is_new and self.memory.muted_by(claims.identity) is None and self.memory.is_new(claims.identity):
            self.memory.mute(claims.identity, Who(self.id, self.title))
        return self.memory.muted_by(claims.identity)

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
        self._loudness.forget(session.who)
        self._services.counters.add("host_leaves")
        self._services.tell(EventName.MEMBER_LEFT, room=self.id, member=session.who, why=why)
        self.audience.member_changed(session.who)

    def _replace(self, old: Session) -> None:
        """A newer session takes over. Its socket is the newest one; others of the identity are the old session's."""
        self._drop_media(old)
        self._services.counters.add("host_replaced")
        self._services.tell(EventName.MEMBER_REPLACED, room=self.id, member=old.who)
        for watcher in self.audience.of(old.who)[:-1]:
            watcher.close(CloseCode.REPLACED)

    def send_out(self, identity: str) -> None:
        """End the session and the sockets of this identity."""
        self._end(lambda claims: claims.identity == identity, CloseCode.REMOVED, "removed")

    def revoke(self, key_id: str) -> int:
        """End whatever came in by this key; how many members that were."""
        return self._end(lambda claims: claims.key_id == key_id, CloseCode.BAD_TOKEN, "revoked")

    def _end(self, concerns: Callable[[Claims], bool], code: CloseCode, why: str) -> int:
        for watcher in self.audience:
            if concerns(watcher.claims):
                watcher.close(code, why)
        ended = [session for session in self._sessions.values() if concerns(session.claims)]
        if code is CloseCode.BAD_TOKEN:
            self._services.counters.add("host_ended_tokens", len(ended))
        for session in ended:
            self.leave(session, why)
        return len(ended)

    def _drop_media(self, session: Session) -> None:
        session.silence()
        self._stage.unlisten(session.who)
        self._stage.release(session.who, self._services.now())
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
        self._stage.release(session.who, self._services.now())

    def _slots_changed(self, _holders: Sequence[str | None]) -> None:
        self._slots_owed = True
        self._tell_slots(self._services.now())

    def _tell_slots(self, now: float) -> None:
        if self._slots_owed and now >= self._slots_due:
            self._slots_owed, self._slots_due = False, now + _SLOTS_EVERY
            self.broadcast(slots_changed(self._stage.holders))

    # ---- presence

    @property
    def is_crowded(self) -> bool:
        """No further presence socket is taken: there are as many again as may be in the room, and some."""
        return len(self.audience) >= 2 * self._services.max_members + 16

    def bring_up_to_date(self, changed: Collection[str], *, for_admin: bool) -> list[str]:
        """The messages that tell what these members are now."""
        return self.audience.texts.news(changed, for_admin=for_admin)

    def attach(self, watcher: Watcher) -> None:
        """Let ``watcher`` see the room."""
        identity = watcher.claims.identity
        self.audience.add(watcher)
        greeting = welcome(watcher.claims, self.title, None, self._stage.holders, terms=self._terms(watcher))
        watcher.send(with_members(greeting, self.audience.texts.all(for_admin=watcher.is_admin)))
        levels = self._loudness.all()
        if levels.levels:
            watcher.send_levels(levels)
        muted_by = self.memory.muted_by(identity)
        if muted_by is not None:  # it may not have been told while its socket was gone
            watcher.send(dump(muted_by_admin(muted_by)))
        session = self._sessions.get(identity)
        if session is not None:
            session.had_presence = True
            self._refresh(session, self._services.now())

    def _terms(self, watcher: Watcher) -> Terms:
        return Terms(
            ice_servers=self._services.ice_servers(watcher.claims.identity),
            listen_only=watcher.listen_only,
            mute_new=self.memory.mute_new,
            recording=self.recordings.state,
            now=round(self._services.unix_now(), 3),
            last_spoke=self._loudness.last_spoke,
        )

    def detach(self, watcher: Watcher) -> None:
        """``watcher`` is gone. Its member stays, shown as connecting when nobody else watches for it."""
        self.audience.remove(watcher)
        session = self._sessions.get(watcher.claims.identity)
        if session is not None:
            self._refresh(session, self._services.now())

    def handle(self, watcher: Watcher, message: ClientMessage) -> None:
        """Do what ``watcher`` asks for, if it may."""
        self.requests.handle(watcher, message)

    def broadcast(self, message: dict[str, Any]) -> None:
        """Tell everybody who watches."""
        self.audience.broadcast(message)

    def send_to(self, identity: str, message: dict[str, Any]) -> None:
        """Tell one member, on all its sockets."""
        self.audience.send_to(identity, message)

    def claims_of(self, identity: str) -> Claims | None:
        """By what a member came in."""
        session = self._sessions.get(identity)
        return None if session is None else session.claims

    def call(self, title: str) -> None:
        """The room has another title."""
        self.memory.set_title(title)
        self.broadcast(title_changed(title))

    def change(self, identity: str, **fields: Any) -> None:
        """Change a member, tell everybody if that is news, and let its media pass or not."""
        before = self.roster.get(identity)
        session = self._sessions.get(identity)
        if before is None or session is None:
            return
        member = self.roster.change(identity, **fields)
        self._let_pass(session, member)
        if for_everybody(member) != for_everybody(before):
            self.audience.member_changed(identity)
        elif member != before:
            self.audience.inside_changed(identity)

    def _let_pass(self, session: Session, member: Member) -> None:
        """A session that came in as a listener's stays one: whoever may speak meanwhile joins anew, with a microphone."""
        may_speak = member.may_speak and session.claims.role != "listener"
        passes = session.connected and may_speak and not (member.muted or member.admin_muted)
        if session.passes and not passes:
            session.silence()
            self._stage.release(session.who, self._services.now())
        session.passes = passes

    # ---- time

    def tick(self, now: float) -> None:
        """Called some 15 times a second."""
        self._stage.expire(now)
        self._tell_slots(now)
        for session in list(self._sessions.values()):
            if now >= session.attend_due:
                session.attend_due = now + self._services.times.report / 2
                self._attend(session, now)
        if now >= self._tell_due:
            self._tell_due = now + len(self.audience) * _TELLING
            self.audience.flush()
            levels = self._loudness.news(now, self._services.unix_now())
            if levels is not None:
                self.audience.send_levels(levels)
        if now >= self._ping_due:
            self._ping_due = now + self._services.times.ping
            self.audience.ping(now, self._services.times.gone)
            self.recordings.look(lambda who: who in self._sessions or bool(self.audience.of(who)))
            self._end_expired(self._services.unix_now())

    def _attend(self, session: Session, now: float) -> None:
        times = self._services.times
        if not session.connected:
            if now - session.began > times.join:
                text = "No media came: a firewall may block UDP to the room's server."
                self.send_to(session.who, error("no_media", text))
                self._time_out(session, "never connected")
            return
        if now - max(session.peer.heard, self.audience.pong_at(session.who)) > times.gone:
            self._time_out(session, "silent")
            for watcher in self.audience.of(session.who):
                watcher.close(CloseCode.REMOVED)
            return
        self._refresh(session, now)
        if now >= session.report_due:
            session.report_due = now + times.report
            for packet in session.reports(now, self._services.unix_now()):
                self._services.port.send_rtcp(session.peer, packet)

    def _refresh(self, session: Session, now: float) -> None:
        """Show a member as connecting while it cannot be reached; its slot is free meanwhile."""
        member = self.roster.get(session.who)
        connecting = self._is_unreachable(session, now)
        if member is not None and member.connecting != connecting:
            if connecting:
                self._stage.release(session.who, self._services.now())
            self.change(session.who, connecting=connecting)

    def _is_unreachable(self, session: Session, now: float) -> bool:
        times = self._services.times
        if not session.connected:
            return True
        if session.had_presence and now - self.audience.pong_at(session.who) > times.pong:
            return True
        return now - session.peer.heard > (times.site if session.is_site else times.person)

    def _time_out(self, session: Session, why: str) -> None:
        self._services.counters.add("host_timeouts")
        self._services.tell(EventName.MEMBER_TIMED_OUT, room=self.id, member=session.who, why=why)
        self.leave(session, why)

    def _end_expired(self, now_unix: float) -> None:
        """A link lets in until its time, and lets stay no longer. A device gets a new token whenever it comes back."""
        self._end(lambda who: who.expires <= now_unix and who.kind != "site", CloseCode.BAD_TOKEN, "expired")

    # ---- the end, and what is told of the room

    def close(self) -> list[Watcher]:
        """The host stops: end every session, close every socket. Gives the sockets, to wait for."""
        watchers = list(self.audience)
        for watcher in watchers:
            watcher.close(CloseCode.GOING_AWAY)
        for session in list(self._sessions.values()):
            self.leave(session, "host stops")
        return watchers

    def state(self) -> RoomState:
        """Counts, without names."""
        connected = sum(session.connected for session in self._sessions.values())
        return RoomState(self.id, members=self.roster.count, connected=connected, speaking=len(self._loudness.speaking))
