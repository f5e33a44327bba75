"""The one vocabulary of what happens: names, how grave each is, and how often it may be written down.

Parts make :class:`Event`; health writes it out. A text from the network may be among the fields: :func:`format_line`
makes one harmless line of anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType

from appliance.core.text import escaped


class Severity(IntEnum):
    """How grave, numbered as syslog does (RFC 5424)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


class EventName(StrEnum):
    """Everything that is told."""

    # sound
    SOUND_STARTED = "sound_started"
    SOUND_STOPPED = "sound_stopped"
    GATE_CLOSED = "gate_closed"
    GATE_OPENED = "gate_opened"
    REASONS_CHANGED = "reasons_changed"
    DOOR_CHANGED = "door_changed"
    AUDIO_FOUND = "audio_found"
    AUDIO_LOST = "audio_lost"
    FRONT_END_DEGRADED = "front_end_degraded"
    PANEL_FOUND = "panel_found"
    PANEL_LOST = "panel_lost"
    PANEL_DEGRADED = "panel_degraded"
    MUTE_RESTORED = "mute_restored"
    MUTE_STORE_DAMAGED = "mute_store_damaged"
    MUTED_BY_ADMIN = "muted_by_admin"
    ADMIN_MUTE_LIFTED = "admin_mute_lifted"
    ASKED_TO_UNMUTE = "asked_to_unmute"
    RECORDING = "recording"
    VIOLATION = "violation"
    QUIET_OUTRANKED = "quiet_outranked"
    QUIET_NOT_KEPT = "quiet_not_kept"
    CLOCK_SET = "clock_set"
    CLOCK_TRUSTED = "clock_trusted"
    CLOCK_NOT_TRUSTED = "clock_not_trusted"
    VOLUME_CHANGED = "volume_changed"
    VOLUME_NOT_KEPT = "volume_not_kept"
    # exchange
    EXCHANGE_CONNECTED = "exchange_connected"
    EXCHANGE_LOST = "exchange_lost"
    EXCHANGE_JUNK = "exchange_junk"
    # link and room
    LINK_STARTED = "link_started"
    LINK_STOPPED = "link_stopped"
    LINK_CONNECTING = "link_connecting"
    LINK_UP = "link_up"
    LINK_LOST = "link_lost"
    LINK_REFUSED = "link_refused"
    # bridge
    BRIDGE_STARTED = "bridge_started"
    BRIDGE_STOPPED = "bridge_stopped"
    BRIDGE_PHASE = "bridge_phase"
    BRIDGE_CHANGED = "bridge_changed"
    BRIDGE_DELAY = "bridge_delay"
    BRIDGE_ASIDE = "bridge_aside"
    BRIDGE_ASIDE_OVER = "bridge_aside_over"
    MEMBER_JOINED = "member_joined"
    MEMBER_LEFT = "member_left"
    KNOCKED = "knocked"
    BUNDLE_HANDED_IN = "bundle_handed_in"
    BUNDLE_REFUSED = "bundle_refused"
    HAND_CHANGED = "hand_changed"
    JOIN_PRESSED = "join_pressed"
    RESET_HELD = "reset_held"
    NEARBY_JOINED = "nearby_joined"
    NEARBY_NOT_JOINED = "nearby_not_joined"
    # host
    HOST_STARTED = "host_started"
    HOST_STOPPED = "host_stopped"
    MEMBER_REFUSED = "member_refused"
    MEMBER_REPLACED = "member_replaced"
    MEMBER_TIMED_OUT = "member_timed_out"
    MEMBER_MOVED = "member_moved"
    MEMBER_ADMITTED = "member_admitted"
    MEMBER_REMOVED = "member_removed"
    MEMBER_ALLOWED = "member_allowed"
    MUTE_NEW_CHANGED = "mute_new_changed"
    TITLE_CHANGED = "title_changed"
    LINK_MADE = "link_made"
    ROOM_ANNOUNCED = "room_announced"
    ANNOUNCEMENT_FAILED = "announcement_failed"
    BUNDLE_ASKED = "bundle_asked"
    DEVICE_INVITED = "device_invited"
    DEVICE_ASKS = "device_asks"
    DEVICE_ENROLLED = "device_enrolled"
    DEVICE_FORGOTTEN = "device_forgotten"
    ROOM_KEY_MADE = "room_key_made"
    ROOM_KEY_REVOKED = "room_key_revoked"
    ROOM_STORE_FAILED = "room_store_failed"
    ROOM_FULL = "room_full"
    BAD_REQUEST = "bad_request"
    CERTIFICATE_MADE = "certificate_made"
    TLS_RELOADED = "tls_reloaded"
    TLS_REFUSED = "tls_refused"
    TLS_EXPIRES = "tls_expires"
    TLS_RENEWED = "tls_renewed"
    LISTEN_ONLY = "listen_only"
    # settings from afar
    DOCUMENT_FETCHED = "document_fetched"
    DOCUMENT_REFUSED = "document_refused"
    DOCUMENT_FAULT_OVER = "document_fault_over"
    # settings that are taken up
    PROVISION_STARTED = "provision_started"
    PROVISION_STOPPED = "provision_stopped"
    SETTINGS_CHANGED = "settings_changed"
    SETTINGS_TRIED = "settings_tried"
    SETTINGS_KEPT = "settings_kept"
    SETTINGS_REVERTED = "settings_reverted"
    SETTINGS_REFUSED = "settings_refused"
    SETTINGS_EXPIRED = "settings_expired"
    SETTINGS_NOT_STORED = "settings_not_stored"
    SETTINGS_RELOADED = "settings_reloaded"
    SECRETS_MOVED = "secrets_moved"
    SECRETS_NOT_BLANKED = "secrets_not_blanked"
    # updates of the image
    UPDATE_STARTED = "update_started"
    UPDATE_READY = "update_ready"
    UPDATE_REBOOTS = "update_reboots"
    UPDATE_KEPT = "update_kept"
    UPDATE_LEFT = "update_left"
    UPDATE_REFUSED = "update_refused"
    UPDATE_FAILED = "update_failed"
    # processes
    PROVISION_RESTARTED = "provision_restarted"
    SOUND_RESTARTED = "sound_restarted"
    LINK_RESTARTED = "link_restarted"
    HOST_RESTARTED = "host_restarted"
    SHARD_RESTARTED = "shard_restarted"
    CHILD_ENDED = "child_ended"
    TASK_FAILED = "task_failed"
    LOOP_STALLED = "loop_stalled"
    LONG_COLLECTION = "long_collection"
    METRICS_FAILED = "metrics_failed"
    RECOVERING = "recovering"
    RECOVERED = "recovered"
    REBOOTING = "rebooting"
    REBOOT_REFUSED = "reboot_refused"
    MACHINE_SET = "machine_set"
    MACHINE_NOT_SET = "machine_not_set"
    RESETTING = "resetting"
    RESET_REFUSED = "reset_refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """How one event is written down."""

    severity: Severity = Severity.INFO
    most: int = 20
    """How many are written in one window; the rest is counted and told with the next that is written."""
    window: float = 60.0
    """Seconds."""


_ERROR = Rule(Severity.ERROR)
_WARNING = Rule(Severity.WARNING)
_NOTICE = Rule(Severity.NOTICE)
# Anybody who reaches the network port can cause these: a handful tells enough.
_FROM_OUTSIDE = Rule(Severity.NOTICE, most=5)

_EXCEPTIONS = {
    EventName.AUDIO_LOST: _ERROR,
    EventName.MUTE_STORE_DAMAGED: _ERROR,
    EventName.FRONT_END_DEGRADED: _WARNING,
    EventName.PANEL_LOST: _ERROR,
    EventName.PANEL_DEGRADED: _WARNING,
    EventName.VIOLATION: _ERROR,
    EventName.QUIET_NOT_KEPT: _WARNING,
    EventName.CLOCK_NOT_TRUSTED: _WARNING,
    EventName.VOLUME_NOT_KEPT: _WARNING,
    EventName.LINK_REFUSED: _ERROR,
    EventName.TASK_FAILED: _ERROR,
    EventName.EXCHANGE_LOST: _WARNING,
    EventName.EXCHANGE_JUNK: Rule(Severity.WARNING, most=5),
    EventName.LINK_LOST: _WARNING,
    EventName.CHILD_ENDED: _WARNING,
    EventName.SOUND_RESTARTED: _WARNING,
    EventName.LINK_RESTARTED: _WARNING,
    EventName.HOST_RESTARTED: _WARNING,
    EventName.SHARD_RESTARTED: _WARNING,
    EventName.METRICS_FAILED: _WARNING,
    EventName.RECOVERING: _WARNING,
    EventName.REBOOTING: _ERROR,
    EventName.REBOOT_REFUSED: _ERROR,
    EventName.MACHINE_SET: _NOTICE,
    EventName.MACHINE_NOT_SET: _WARNING,
    EventName.RESETTING: _ERROR,
    EventName.RESET_REFUSED: _ERROR,
    EventName.LOOP_STALLED: Rule(Severity.WARNING, most=5),
    EventName.LONG_COLLECTION: Rule(Severity.INFO, most=5),
    EventName.SOUND_STARTED: _NOTICE,
    EventName.LINK_STARTED: _NOTICE,
    EventName.BRIDGE_STARTED: _NOTICE,
    EventName.BRIDGE_DELAY: _NOTICE,
    EventName.BRIDGE_ASIDE: _WARNING,
    EventName.BUNDLE_HANDED_IN: _NOTICE,
    EventName.BUNDLE_REFUSED: Rule(Severity.WARNING, most=5),
    EventName.HOST_STARTED: _NOTICE,
    EventName.MUTED_BY_ADMIN: _NOTICE,
    EventName.MEMBER_REMOVED: _NOTICE,
    EventName.ANNOUNCEMENT_FAILED: _WARNING,
    EventName.JOIN_PRESSED: _NOTICE,
    EventName.RESET_HELD: _WARNING,
    EventName.NEARBY_JOINED: _NOTICE,
    EventName.NEARBY_NOT_JOINED: _WARNING,
    EventName.BUNDLE_ASKED: _NOTICE,
    EventName.DEVICE_INVITED: _NOTICE,
    EventName.DEVICE_ASKS: _FROM_OUTSIDE,
    EventName.DEVICE_ENROLLED: _NOTICE,
    EventName.DEVICE_FORGOTTEN: _NOTICE,
    EventName.ROOM_KEY_MADE: _NOTICE,
    EventName.ROOM_KEY_REVOKED: _NOTICE,
    EventName.ROOM_STORE_FAILED: _ERROR,
    EventName.RECORDING: _NOTICE,
    EventName.TLS_REFUSED: _ERROR,
    EventName.TLS_EXPIRES: _WARNING,
    EventName.LISTEN_ONLY: _WARNING,
    EventName.DOCUMENT_FETCHED: _NOTICE,
    # A server that comes and goes all day is worth a few lines an hour.
    EventName.DOCUMENT_REFUSED: Rule(Severity.WARNING, most=5, window=3600.0),
    EventName.DOCUMENT_FAULT_OVER: Rule(most=5, window=3600.0),
    EventName.PROVISION_STARTED: _NOTICE,
    EventName.PROVISION_RESTARTED: _WARNING,
    EventName.SETTINGS_CHANGED: Rule(Severity.NOTICE, most=50),
    EventName.SETTINGS_TRIED: _NOTICE,
    EventName.SETTINGS_KEPT: _NOTICE,
    EventName.SETTINGS_REVERTED: _ERROR,
    EventName.SETTINGS_REFUSED: _ERROR,
    EventName.SETTINGS_EXPIRED: _WARNING,
    EventName.SETTINGS_NOT_STORED: Rule(Severity.ERROR, most=1, window=3600.0),
    EventName.SETTINGS_RELOADED: _NOTICE,
    EventName.SECRETS_MOVED: _NOTICE,
    EventName.SECRETS_NOT_BLANKED: Rule(Severity.WARNING, most=1, window=3600.0),
    EventName.UPDATE_STARTED: _NOTICE,
    EventName.UPDATE_READY: _NOTICE,
    EventName.UPDATE_REBOOTS: _NOTICE,
    EventName.UPDATE_KEPT: _NOTICE,
    EventName.UPDATE_LEFT: _ERROR,
    EventName.UPDATE_REFUSED: _ERROR,
    EventName.UPDATE_FAILED: Rule(Severity.WARNING, most=5, window=3600.0),
    EventName.MEMBER_REFUSED: _FROM_OUTSIDE,
    EventName.ROOM_FULL: _FROM_OUTSIDE,
    EventName.BAD_REQUEST: _FROM_OUTSIDE,
    EventName.REASONS_CHANGED: Rule(Severity.DEBUG),
}

RULES: Mapping[EventName, Rule] = MappingProxyType({name: _EXCEPTIONS.get(name, Rule()) for name in EventName})
"""Severity and rate limit of every event."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. Secrets, and levels of a closed microphone, are never among the fields."""

    name: EventName
    now: float
    fields: Mapping[str, object] = field(default_factory=dict)

    @property
    def severity(self) -> Severity:
        """How grave it is."""
        return RULES[self.name].severity


@dataclass(slots=True)
class _Window:
    began: float
    admitted: int = 0
    suppressed: int = 0


class RateLimiter:
    """Lets ``most`` events of a name through per window. Its memory is bounded by the vocabulary."""

    def __init__(self, rules: Mapping[EventName, Rule] = RULES) -> None:
        self._rules = rules
        self._windows: dict[EventName, _Window] = {}

    def admit(self, event: Event) -> tuple[bool, int]:
        """Whether to write ``event``, and how many of its name were left out before it (told once)."""
        rule = self._rules[event.name]
        window = self._windows.get(event.name)
        if window is None:
            window = self._windows[event.name] = _Window(event.now)
        elif event.now - window.began >= rule.window:
            window.began, window.admitted = event.now, 0
        if window.admitted >= rule.most:
            window.suppressed += 1
            return False, 0
        window.admitted += 1
        suppressed, window.suppressed = window.suppressed, 0
        return True, suppressed


LONGEST_VALUE = 240
"""Characters of one value that are written; the rest is cut off."""

MOST_FIELDS = 16
"""Fields of one event that are written."""


def format_line(event: Event, suppressed: int = 0) -> str:
    """``event`` as one line of ``key=value``, without its time (the journal has it) and without control characters."""
    return " ".join(f"{key}={_quoted(text)}" for key, text in words(event, suppressed))


def words(event: Event, suppressed: int = 0) -> list[tuple[str, str]]:
    """``event`` as pairs of a key and a harmless text of one line; the first says which event it is."""
    pairs: list[tuple[str, object]] = [("event", event.name.value), *list(event.fields.items())[:MOST_FIELDS]]
    if suppressed:
        pairs.append(("suppressed", suppressed))
    return [(_harmless(str(key)), _text(value)) for key, value in pairs]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else _harmless(str(value))


def _quoted(text: str) -> str:
    return f'"{text}"' if not text or any(sign in text for sign in ' "=\\') else text


def _harmless(text: str) -> str:
    return escaped(text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…")
