"""What all HTTP handlers of the host share: refusals of one sentence, bounded bodies, bearer tokens."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from appliance.core.wire import ProtocolError, read_object

MOST_BODY = 64 * 1024
"""Bytes of any request's body."""
_MOST_JSON = 4096

MOST_TYPE = 128
"""Characters of the type of a body, with its parameters."""


REFUSAL = "Kontor-Refusal"
"""The header with the code of a refusal: by it the page finds its own words for it."""


class Refusal(Exception):
    """A request that is not granted: status, one sentence, perhaps headers.

    :param code: why, for programs; what the page may show has one, and tests/host/page/test_refusals.py that it has words.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None, *, code: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers
        self.code = code

    def response(self) -> web.Response:
        """As it is sent."""
        headers = {**(self.headers or {}), **({REFUSAL: self.code} if self.code else {})}
        return web.Response(status=self.status, text=f"{self}\n", headers=headers)


def bearer(request: web.Request) -> str:
    """The request's bearer token (RFC 6750).

    :raises Refusal: 401, it has none.
    """
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal(401, "A token is missing.", {hdrs.WWW_AUTHENTICATE: "Bearer"}, code="malformed")
    return token.strip()


async def read_body(request: web.Request, content_type: str, seconds: float) -> bytes:
    """The body of the request.

    :raises Refusal: 415 it is of another type, 413 it is too big, 408 it does not come.
    """
    # aiohttp reads parameters of the type by the parser for mail: 8 KiB of them take it 150 ms.
    if len(request.headers.get(hdrs.CONTENT_TYPE, "")) > MOST_TYPE or request.content_type != content_type:
        raise Refusal(415, f"The body has to be {content_type}.", code="bad_request")
    return await read_bounded(request, seconds)


async def read_bounded(request: web.Request, seconds: float) -> bytes:
    """The body of the request, of whatever type.

    :raises Refusal: 415 it is compressed, 413 it is too big, 408 it does not come.
    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        accepted: Mapping[str, str] = {hdrs.ACCEPT_ENCODING: "identity"}
        raise Refusal(415, "The body must not be compressed.", accepted, code="bad_request")
    if (request.content_length or 0) > MOST_BODY:
        raise Refusal(413, f"The body is larger than {MOST_BODY} bytes.", code="bad_request")
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refusal(413, f"The body is larger than {MOST_BODY} bytes.", code="bad_request") from None
    except TimeoutError:
        raise Refusal(408, "The body did not come in time.", code="too_slow") from None


async def read_json(request: web.Request, seconds: float) -> dict[str, Any]:
    """The JSON object in the body of the request, at most 4 KiB: no request of ours has more to say.

    :raises Refusal: as :func:`read_body`, and 400 when it is none.
    """
    body = await read_body(request, "application/json", seconds)
    try:
        return read_object(body, _MOST_JSON)
    except ProtocolError as error:
        raise Refusal(400, str(error), code="bad_request") from None


def json_response(content: Mapping[str, Any]) -> web.Response:
    """``content``, not to be kept anywhere."""
    return web.Response(
        text=json.dumps(content), content_type="application/json", headers={hdrs.CACHE_CONTROL: "no-store"}
    )
