"""Who may come into one room, and as what: tokens of links and devices, and what the room has made of their holders since."""

from collections.abc import Mapping
from dataclasses import replace

from appliance.core.protocol import Claims, TokenError, TokenFault, verify
from appliance.core.roster import Kind
from appliance.core.tokens import issue
from appliance.host.approach import Approach
from appliance.host.room_store import RoomStore
from appliance.host.services import Services

_COUNTED: Mapping[TokenFault, str] = {
    "malformed": "host_tokens_malformed",
    "unknown_key": "host_tokens_revoked",
    "bad_signature": "host_tokens_forged",
    "expired": "host_tokens_expired",
    "foreign_room": "host_tokens_foreign",
    "removed": "host_tokens_removed",
}


class Admission:
    """The door of the room ``room``."""

    def __init__(self, room: str, services: Services, store: RoomStore) -> None:
        self._room = room
        self._services = services
        self._store = store

    def verify(self, token: str, *, expiry: bool = True, approach: Approach | None = None) -> Claims:
        """Who the holder of ``token`` is here, on the way that it came.

        :param expiry: False lets an expired token, and one of somebody sent out, pass: leaving is always allowed.
        :raises TokenError: it opens nothing in this room.
        """
        try:
            claims = self._read(token, expiry=expiry)
        except TokenError as fault:
            self._services.counters.add(_COUNTED[fault.code])
            if approach is not None and not self._services.gate.wrong_token(approach.address, self._services.now()):
                raise TokenError("limited") from None
            raise
        claims = replace(claims, role=self._store.memory.role_of(claims), link_role=claims.role)
        return claims if approach is None else approach.limited(claims)

    def _read(self, token: str, *, expiry: bool) -> Claims:
        claims = verify(token, self._store.secrets, self._services.unix_now() if expiry else 0.0, self._room)
        if claims.kind != "site" and self.is_device(claims.identity):
            raise TokenError("unknown_key")  # a link that is older than the device: it would take its place
        issued = claims.expires - self._services.times.token
        if claims.kind == "site" and issued <= self._store.registry.ended(claims.identity):
            raise TokenError("unknown_key")  # the key that it was given for was taken back meanwhile
        if expiry and claims.identity in self._store.memory.removed:
            raise TokenError("removed")
        return claims

    def is_device(self, identity: str) -> bool:
        """Whether this is the identity of a device: no link lets anybody in by it."""
        return identity in self._services.devices or self._store.registry.device(identity) is not None

    def issue(self, claims: Claims) -> str:
        """A token that says what ``claims`` do, signed by the newest key."""
        key = self._store.keys[0]
        return issue(replace(claims, room=self._room, key_id=key.id), key.secret)

    def speaker(self, identity: str, name: str, kind: Kind, life: float) -> str:
        """A token for a speaker, good for ``life`` seconds."""
        expires = int(self._services.unix_now() + life)
        return self.issue(Claims(self._room, identity, name, "speaker", kind, expires, ""))
