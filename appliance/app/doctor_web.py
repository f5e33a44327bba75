"""The doctor's checks of name, port, https, answer, clock and proxy: what happens before any sound."""

import asyncio
import datetime as dt
import errno
import ipaddress
import json
import os
import ssl
from collections.abc import Callable, Mapping

import aiohttp
from cryptography import x509
from yarl import URL

from appliance.app.doctor_findings import Finding, Target
from appliance.media import names
from appliance.provisioning.body import read_body
from appliance.rooms import trust

_SECONDS = 5.0
_SOON = dt.timedelta(days=14)
_MOST_BODY = 64 * 1024
_CLOCK_WARNS = 300.0
"""Seconds of skew; nothing of ours minds them, but logs do."""
_EXPIRED, _NOT_YET, _WRONG_NAME, _WRONG_ADDRESS = 10, 9, 62, 64

Note = Callable[[Finding], None]


async def examine_web(target: Target, tls: ssl.SSLContext, note: Note) -> bool:
    """Check until something answers over HTTP; returns whether it does."""
    if not await _name(target, note):
        for check in ("port", "tls", "http", "clock"):
            note(Finding(check, "skipped", "Without an address there is nothing to ask."))
        return False
    if not await _port(target, note):
        for check in ("tls", "http", "clock"):
            note(Finding(check, "skipped", "Nothing answers on the port."))
        _proxy(note, reached=False)
        return False
    trusted = await _tls(target, tls, note)
    reached = await _http(target, tls, note, trusted=trusted)
    _proxy(note, reached=reached)
    return reached


async def _name(target: Target, note: Note) -> bool:
    try:
        ipaddress.ip_address(target.host)
    except ValueError:
        pass
    else:
        note(Finding("name", "good", f"{target.host} is an address: no name has to be known."))
        return True
    try:
        async with asyncio.timeout(_SECONDS):
            found = await names.look_up(target.host, target.port)
    except (OSError, TimeoutError):
        note(
            Finding(
                "name",
                "bad",
                f"Nobody here knows the name {target.host}.",
                "Look for a typing error in the address; else ask whoever runs this network about its name server (DNS).",
            )
        )
        return False
    addresses = ", ".join(dict.fromkeys(address for address, _ in found))
    note(Finding("name", "good", f"{target.host} is {addresses}."))
    return True


async def _port(target: Target, note: Note) -> bool:
    where = f"{target.host}, TCP port {target.port}"
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(target.host, target.port)
    except TimeoutError:
        says, way_out = (
            f"No answer from {where}.",
            "A firewall may block it: let this TCP port through, here and there.",
        )
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            says, way_out = f"Nothing listens at {where}.", "Start the server, or mend the port in the address."
        else:
            says = f"There is no way to {where}: {error.strerror or error}."
            way_out = "Look whether this machine is on the network at all, and by which gateway."
    else:
        writer.close()
        note(Finding("port", "good", f"Something listens at {where}."))
        return True
    note(Finding("port", "bad", says, way_out))
    return False


# ---- https


async def _tls(target: Target, tls: ssl.SSLContext, note: Note) -> bool:
    """Whether what is asked next is encrypted and trusted, or needs to be neither."""
    if target.url.scheme != "https":
        note(_plain(target))
        return True
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(target.host, target.port, ssl=tls, server_hostname=target.host)
    except (OSError, TimeoutError) as error:
        note(await _untrusted(target, error))
        return False
    certificate = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(True))
    writer.close()
    note(_trusted(certificate))
    return True


def _plain(target: Target) -> Finding:
    try:
        local = ipaddress.ip_address(target.host).is_loopback
    except ValueError:
        local = target.host == "localhost"
    if local:
        return Finding("tls", "good", "http, on this machine itself: no encryption is needed.")
    return Finding(
        "tls",
        "bad",
        "http, over a network: whoever comes so may only listen.",
        "Set up https, in one of the four ways of docs/operate.md.",
    )


def _trusted(certificate: x509.Certificate) -> Finding:
    ends = certificate.not_valid_after_utc
    says = f"The certificate of {_issuer(certificate)} is trusted, and good until {ends.date()}."
    if ends - dt.datetime.now(dt.UTC) < _SOON:
        return Finding("tls", "warning", says, "Renew it on the server, which reads the new file by itself.")
    return Finding("tls", "good", says)


async def _untrusted(target: Target, error: BaseException) -> Finding:
    why = trust.certificate_fault(error)
    if why is None:
        return Finding(
            "tls",
            "bad",
            f"The TLS handshake does not come to an end: {getattr(error, 'strerror', None) or type(error).__name__}.",
            "Something between may cut it off; try from another network.",
        )
    code = getattr(error, "verify_code", 0)
    shown = await _shown_certificate(target)
    says = why[0] if shown is None else f"{why[0]} It is from {_issuer(shown)}, good {_span(shown)}."
    if code in (_EXPIRED, _NOT_YET):
        clock = trust.clock_words(await trust.ask_the_time(target.url))
        if clock:
            return Finding("tls", "bad", f"{clock} {says}", "Set this machine's clock first (systemd-timesyncd, NTP).")
        return Finding("tls", "bad", says, "Renew it on the server, which reads the new file by itself.")
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        return Finding(
            "tls", "bad", says, "Use the name that the certificate is for, or have it made for this one too."
        )
    return Finding(
        "tls",
        "bad",
        says,
        f"If the server has an authority of its own: http://{target.url.authority}/certificate tells how to trust it. "
        "If not, something between opens the encryption (a proxy): have this server's name excepted there.",
    )


async def _shown_certificate(target: Target) -> x509.Certificate | None:
    """What the server shows, unchecked: only to be told of."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(
                target.host, target.port, ssl=context, server_hostname=target.host
            )
        der = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.close()
        return x509.load_der_x509_certificate(der)
    except (OSError, TimeoutError, ValueError):
        return None


def _issuer(certificate: x509.Certificate) -> str:
    names = [str(attribute.value) for attribute in certificate.issuer]
    return f'"{names[-1]}"' if names and names[-1].isprintable() else "somebody without a name"


def _span(certificate: x509.Certificate) -> str:
    return f"from {certificate.not_valid_before_utc.date()} to {certificate.not_valid_after_utc.date()}"


# ---- the answer


async def _http(target: Target, tls: ssl.SSLContext, note: Note, *, trusted: bool) -> bool:
    if not trusted:
        note(Finding("http", "skipped", "Nothing is asked over a connection that is not trusted."))
        _clock(await trust.ask_the_time(target.url), note)
        return False
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as http,
            http.get(target.url / "health", ssl=tls, allow_redirects=False) as answer,
        ):
            body = await read_body(answer, _MOST_BODY) or b""
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        says = f"The connection stands, but no answer comes: {type(error).__name__}."
        note(Finding("http", "bad", says, "Look at the server, and at a reverse proxy in front of it."))
        note(Finding("clock", "skipped", "No answer told the time."))
        return False
    finding = _judge(target, answer.status, body, answer.headers)
    note(finding)
    _clock(trust.skew_of(answer.headers.get("Date")), note)
    return finding.state == "good"


def _judge(target: Target, status: int, body: bytes, headers: Mapping[str, str]) -> Finding:
    """Whether it is a Kontor server that answered, and if not, what it may be."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if status == 200 and isinstance(said, dict) and said.get("status") == "ok":
        return Finding("http", "good", "A Kontor server answers.")
    if status in (502, 503, 504):
        says = f"A reverse proxy answers (status {status}), and Kontor behind it does not."
        return Finding(
            "http", "bad", says, "Start kontor host, and compare its port with the one in the proxy's settings."
        )
    if status in (301, 302, 303, 307, 308):
        try:
            to = target.url.join(URL(headers.get("Location", "")))
        except ValueError:
            to = target.url
        if to.host == target.host and to.scheme == "https" and target.url.scheme == "http":
            return Finding("http", "bad", "The server wants https.", "Write https:// in the address, and its port.")
        says = f"Something sends us elsewhere, to {to.host}: a login page of this network, perhaps."
        return Finding("http", "bad", says, "Sign this machine in to the network, or take one without a login.")
    says = f"Something else than a Kontor server answers (status {status})."
    return Finding("http", "bad", says, "Look at the address, and at the proxy's settings: all paths go to Kontor.")


def _clock(skew: float | None, note: Note) -> None:
    if skew is None:
        note(Finding("clock", "skipped", "The server does not tell the time."))
    elif abs(skew) >= trust.CLOCK_OFF:
        way_out = "Set it (systemd-timesyncd, NTP): certificates are judged by it."
        note(Finding("clock", "bad", trust.clock_words(skew), way_out))
    elif abs(skew) >= _CLOCK_WARNS:
        says = (
            f"This machine's clock is {abs(skew) / 60:.0f} minutes {'ahead of' if skew > 0 else 'behind'} the server's."
        )
        note(Finding("clock", "warning", says, "Set one of them (systemd-timesyncd, NTP)."))
    else:
        note(Finding("clock", "good", "This machine's clock agrees with the server's."))


def _proxy(note: Note, *, reached: bool) -> None:
    """Kontor goes straight to its server unless [network.proxy] names one; the environment's does not count."""
    names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY")
    named = next((name for name in names if os.environ.get(name)), None)
    if named is None:
        note(Finding("proxy", "good", "No proxy is set on this machine."))
    elif reached:
        note(Finding("proxy", "good", f"{named} names a proxy; Kontor goes past it, and gets through."))
    else:
        way_out = "Name it in [network.proxy] url, or have this machine let out to the server: TCP for https and UDP for sound."
        note(Finding("proxy", "bad", f"{named} names a proxy, so this network may let nothing else out.", way_out))
