"""The hosted room's HTTP: a token for a device, joining (POST of an offer) and leaving (DELETE), as WHIP does (RFC 9725)."""

import base64
import io
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from appliance.core import protocol, sdp, wire
from appliance.core.reconnect import Fault, FaultKind
from appliance.media.relay import RelayServer
from appliance.rooms import trust
from appliance.rooms.relays import relays_of

_MOST_BODY = sdp.MOST_BYTES
_TIMEOUT = aiohttp.ClientTimeout(total=4.0, sock_connect=1.5)
_HANDING_IN = aiohttp.ClientTimeout(total=60.0, sock_connect=1.5)
_LEAVING = aiohttp.ClientTimeout(total=0.8)

_UNTRUSTED_AGAIN = 5.0
"""Seconds until a server whose https is not to be trusted is asked again."""

Sign = Callable[[bytes], bytes]
"""Signs with the device's Ed25519 key; the signature has 64 bytes."""

_FAULTS: Mapping[int, tuple[FaultKind, str]] = {
    401: ("refused", "The room does not accept this key."),
    403: ("refused", "This key is for another room, or its member was taken out of this one."),
    404: ("gone", "The server has no such room."),
    503: ("full", "The room is full."),
}


class Lost(Exception):
    """A stay in the room ended, or did not begin. ``str()`` is one sentence without secrets."""

    def __init__(self, fault: Fault, why: str, *, token_refused: bool = False, for_good: bool = False) -> None:
        super().__init__(why)
        self.fault = fault
        self.for_good = for_good
        """Asking again would undo what somebody did on purpose."""
        self.token_refused = token_refused
        """Another token might be accepted."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The host took us in."""

    answer: sdp.Answer
    location: URL
    token: str
    relays: tuple[RelayServer, ...] = ()
    """Through which the host lets us come when no direct way is found."""


class Signalling:
    """One room of one host, over a client session that somebody else opens and closes."""

    def __init__(self, http: aiohttp.ClientSession, base: URL, room: str, tls: ssl.SSLContext | None = None) -> None:
        self._http = http
        self._base = base
        self.room = room
        self.tls = tls
        """Checks certificates, also those of relays; None believes what the system does."""
        self.skew: float | None = None
        """Seconds that our clock is ahead of the host's, once it has answered."""

    @property
    def presence_url(self) -> URL:
        """Where the presence socket is."""
        return (
            self._base.with_scheme("wss" if self._base.scheme == "https" else "ws") / "rooms" / self.room / "presence"
        )

    async def device_token(self, device: str, sign: Sign) -> str:
        """Answer the host's challenge with the device's key, and get a token for ten minutes.

        :raises Lost: the host cannot be reached, or does not know the device or its key.
        """
        challenge = await self._json("challenge", {"device": device, "room": self.room})
        nonce = challenge.get("nonce")
        try:
            text = protocol.challenge_text(self.room, nonce if isinstance(nonce, str) else "")
        except protocol.ProtocolError:
            raise _odd() from None
        signature = base64.b64encode(sign(text)).decode()
        answer = await self._json(
            "token", {"device": device, "nonce": nonce, "signature": signature, "room": self.room}
        )
        token = answer.get("token")
        if not isinstance(token, str) or not 0 < len(token) <= protocol.MOST_TOKEN or not token.isprintable():
            raise _odd()
        return token

    async def enrol(self, body: Mapping[str, object]) -> int:
        """Ask the host to take this device's key (rooms/enrolment.py); the HTTP status that it answers.

        :raises Lost: the host cannot be reached, or has no time for it now.
        """
        data = protocol.dump(body).encode()
        headers = {"Content-Type": "application/json"}
        status, _, answered = await self._request(self._base / "devices" / "enrol", data, headers)
        if status == 429 or status >= 500:
            raise _refused(status, answered)
        return status

    async def join(self, token: str, offer: str) -> Joined:
        """Offer a media connection.

        :raises Lost: the host cannot be reached, refuses, or answers something that is no answer.
        """
        url = self._base / "rooms" / self.room / "media"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
        status, text, answered = await self._request(url, offer.encode(), headers)
        if status != 201:
            raise _refused(status, answered)
        try:
            answer = sdp.parse_answer(text, mids=[section.mid for section in sdp.parse_offer(offer).media])
            location = url.join(URL(answered["Location"]))
            is_ours = location.origin() == url.origin()  # the token goes to nobody else
        except (sdp.SdpError, KeyError, ValueError):  # ValueError: no address, or one without an origin
            raise _odd() from None
        if not is_ours:
            raise _odd()
        return Joined(answer, location, token, relays_of(answered.getall("Link", [])))

    async def hand_in(self, token: str, word: str, bundle: bytes) -> None:
        """Upload the support bundle that the host asked for with ``word``.

        :raises Lost: it does not take it.
        """
        url = self._base / "rooms" / self.room / "bundles" / word
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/gzip"}
        status, _, answered = await self._request(url, io.BytesIO(bundle), headers, method="PUT", patience=_HANDING_IN)
        if status != 201:
            raise _refused(status, answered)

    async def leave(self, joined: Joined) -> None:
        """Take our session out of the room. It does not matter if that fails: the host notices by itself."""
        headers = {"Authorization": f"Bearer {joined.token}"}
        try:
            async with self._http.delete(joined.location, headers=headers, timeout=_LEAVING, allow_redirects=False):
                pass
        except (aiohttp.ClientError, TimeoutError, OSError):
            return

    async def _json(self, name: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        data = protocol.dump(body).encode()
        status, text, answered = await self._request(
            self._base / "devices" / name, data, {"Content-Type": "application/json"}
        )
        if status != 200:
            raise _refused(status, answered)
        try:
            return wire.read_object(text, _MOST_BODY)
        except protocol.ProtocolError:
            raise _odd() from None

    async def fault(self, error: BaseException, otherwise: str) -> Lost:
        """What it means that a connection failed; ``otherwise`` tells of an ordinary failure."""
        wrong = trust.certificate_fault(error)
        if wrong is None:
            return Lost(Fault("network"), otherwise)
        why, by_clock = wrong
        clock = trust.clock_words(await trust.ask_the_time(self._base)) if by_clock else ""
        return Lost(Fault("untrusted", _UNTRUSTED_AGAIN), f"{clock} That may be why: {_small(why)}" if clock else why)

    async def _request(
        self,
        url: URL,
        data: bytes | io.BytesIO,
        headers: Mapping[str, str],
        *,
        method: str = "POST",
        patience: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> tuple[int, bytes, CIMultiDictProxy[str]]:
        try:
            async with self._http.request(
                method, url, data=data, headers=headers, timeout=patience, allow_redirects=False
            ) as response:
                body = await response.content.read(_MOST_BODY + 1)
                while len(body) <= _MOST_BODY and (more := await response.content.read(_MOST_BODY + 1)):
                    body += more
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise await self.fault(error, "The server does not answer.") from None
        self.skew = trust.skew_of(response.headers.get("Date"))
        if len(body) > _MOST_BODY:
            raise _odd()
        return response.status, body, response.headers


def _small(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _odd() -> Lost:
    return Lost(Fault("server"), "The server answered something that is not understood.")


def _refused(status: int, headers: Mapping[str, str]) -> Lost:
    kind, why = _FAULTS.get(status, ("server", f"The server answered with status {status}."))
    return Lost(Fault(kind, _seconds(headers.get("Retry-After"))), why, token_refused=status == 401)


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; a date is as good as nothing, as our clock may be wrong."""
    try:
        seconds = float(text) if text else math.nan
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


Credentials = Callable[[Signalling], Awaitable[str]]
"""Gives a token that is good now."""


def device_credentials(device: str, sign: Sign) -> Credentials:
    """Those of a device: a token for its signature."""

    async def token(signalling: Signalling) -> str:
        return await signalling.device_token(device, sign)

    return token


def fixed_credentials(token: str) -> Credentials:
    """Those of a person's link: the token itself."""

    async def give(_signalling: Signalling) -> str:
        return token

    return give
