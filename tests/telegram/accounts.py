"""Logging in at the stand-in data centre: code, and the second password by SRP (core.telegram.org/api/srp).

What it answers follows auth.sentCode#5e002502, auth.authorization#2ea2c0d4 and account.password#957b50fb of Telethon 1.45.
"""

import hashlib
import secrets
from typing import Any

from telethon import password as kdf
from telethon.tl import functions as f
from telethon.tl import types as t

from tests.telegram.data_centre import DataCentre
from tests.telegram.people import Group, Person
from tests.telegram.wire import Refusal, Wire, key_id, key_of, made, session_string

NOBODY = 0
PHONE, CODE, PASSWORD = "491701234567", "24680", "two steps"
_OPEN = (
    f.auth.SendCodeRequest,
    f.auth.SignInRequest,
    f.account.GetPasswordRequest,
    f.auth.CheckPasswordRequest,
)
_G = 3
_PRIME = bytes.fromhex(
    "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac92513"
    "9543aed44cce7c3720fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc4988"
    "0708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4"
    "b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f"
    "0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b"
)
"""The prime that Telegram uses."""


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _bytes(number: int) -> bytes:
    return number.to_bytes(256, "big")


class LoginCentre(DataCentre):
    """One account, with a phone number, and a second password if ``second`` is set."""

    def __init__(self, host: str, groups: tuple[Group, ...] = ()) -> None:
        nobody = Person(NOBODY, "", "", (401, "AUTH_KEY_UNREGISTERED"))
        super().__init__(host, [nobody, Person(7, "ada", "Ada")], groups)
        self.second = False
        self._private = secrets.randbits(2048)
        salts = secrets.token_bytes(16), secrets.token_bytes(16)
        self._algo = t.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(*salts, _G, _PRIME)
        self._verifier = pow(_G, _number(kdf.compute_hash(self._algo, PASSWORD)), _number(_PRIME))

    def start_of_login(self) -> str:
        """A session that nobody is logged in with."""
        return session_string(self.host, self.port, key_of(self._secret, NOBODY, 0))

    async def _answer(self, wire: Wire, request: Any) -> Any:
        if isinstance(request, _OPEN):
            self.people[NOBODY].fault, fault = None, self.people[NOBODY].fault
            try:
                return await super()._answer(wire, request)
            finally:
                self.people[NOBODY].fault = fault
        return await super()._answer(wire, request)

    async def on_send_code(self, request: Any, _: Wire) -> Any:
        if request.phone_number != PHONE:
            raise Refusal(400, "PHONE_NUMBER_INVALID")
        return t.auth.SentCode(t.auth.SentCodeTypeApp(len(CODE)), "hash-of-code")

    async def on_sign_in(self, request: Any, wire: Wire) -> Any:
        assert request.phone_code_hash == "hash-of-code"
        if request.phone_code != CODE:
            raise Refusal(400, "PHONE_CODE_INVALID")
        if self.second:
            raise Refusal(401, "SESSION_PASSWORD_NEEDED")
        return self._let_in(wire)

    def _let_in(self, wire: Wire) -> Any:
        key = key_of(self._secret, NOBODY, 0)
        self._keys[key_id(key)] = 7, key
        wire.user = 7
        return made(t.auth.Authorization, user=self._user(7, 7))

    @property
    def _public(self) -> int:
        prime = _number(_PRIME)
        return (_number(_hash(_PRIME, _bytes(_G))) * self._verifier + pow(_G, self._private, prime)) % prime

    async def on_get_password(self, _: Any, __: Wire) -> Any:
        return t.account.Password(
            t.PasswordKdfAlgoUnknown(),
            t.SecurePasswordKdfAlgoUnknown(),
            b"",
            has_password=True,
            current_algo=self._algo,
            srp_B=_bytes(self._public),
            srp_id=5,
        )

    async def on_check_password(self, request: Any, wire: Wire) -> Any:
        theirs, ours, prime = request.password.A, _bytes(self._public), _number(_PRIME)
        scramble = _number(_hash(theirs, ours))
        shared = pow(_number(theirs) * pow(self._verifier, scramble, prime) % prime, self._private, prime)
        both = bytes(a ^ b for a, b in zip(_hash(_PRIME), _hash(_bytes(_G)), strict=True))
        salts = _hash(self._algo.salt1), _hash(self._algo.salt2)
        expected = _hash(both, *salts, theirs, ours, _hash(_bytes(shared)))
        if not secrets.compare_digest(request.password.M1, expected):
            raise Refusal(400, "PASSWORD_HASH_INVALID")
        return self._let_in(wire)
