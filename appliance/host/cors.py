"""What browsers of other origins may do with the media resources: everything, for whoever has a token.

Nothing here goes by cookies or by where a request comes from; the token is the only right there is, and a page that has none
learns nothing (docs/adr/0070-any-origin.md).
"""

from collections.abc import Iterable, Mapping

from aiohttp import hdrs, web

SDP = "application/sdp"

OPEN: Mapping[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: (
        "Location, ETag, Link, Accept-Post, Accept-Patch, Allow, Retry-After, WWW-Authenticate, Date, "
        # Clients look there for PATCH, to know whether they may trickle.
        "Access-Control-Allow-Methods"
    ),
}
"""On every answer, refusals too: without them a page would see an error of the network and no reason."""

_PREFLIGHT: Mapping[str, str] = {
    # The same for endpoints and sessions: clients ask the endpoint what they will be allowed on the session.
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "OPTIONS, POST, PATCH, DELETE",
    # ETag is no header of requests, but there are clients that send it in place of If-Match.
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, Accept, If-Match, ETag",
    hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
    "Accept-Post": SDP,
}


def preflight(allow: Iterable[str]) -> web.Response:
    """The answer to OPTIONS, which browsers send without a token: what may be asked for at all."""
    return web.Response(headers={**_PREFLIGHT, hdrs.ALLOW: ", ".join(allow)})


def accepts(request: web.Request, media_type: str) -> bool:
    """Whether the sender of ``request`` takes an answer of ``media_type`` (RFC 9110, section 12.5.1)."""
    ranges = [entry for value in request.headers.getall(hdrs.ACCEPT, ()) for entry in value.split(",") if entry.strip()]
    if not ranges:
        return True
    found: dict[str, bool] = {}
    for entry in ranges:
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        found[name] = not any(_is_zero(parameter) for parameter in parameters)
    kind = media_type.partition("/")[0]
    return next((found[name] for name in (media_type, f"{kind}/*", "*/*") if name in found), False)


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in {"", "0", "0.", "."}
