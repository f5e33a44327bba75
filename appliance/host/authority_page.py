"""``/certificate``: how a computer comes to trust a host that has an authority of its own.

It is served without encryption too, since nobody can trust the host before having been here. What protects it is the
fingerprint: the page says to compare it with what ``kontor host certificate`` printed.
"""

import asyncio
import html
import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import segno
from aiohttp import hdrs, web

from appliance.host.authority import Authority
from appliance.host.config import Rate
from appliance.host.http import Refusal
from appliance.host.limits import Bucket
from appliance.host.pages import HEADERS

_MOST_HOST = 255

_CODES = Rate(per_second=1.0, burst=8.0)
"""Codes that are made: for whoever asks, and by whatever name they call us, at up to 20 ms each."""
_MOST_CODES = 16
"""Codes that are kept."""

_Language = Mapping[str, str]

_ENGLISH: _Language = MappingProxyType(
    {
        "title": "Certificate of this server",
        "why": "This server proves who it is by a certificate of its own authority. Each computer that joins has to "
        "install that once; without it the browser warns, and gives no microphone.",
        "compare": "First compare this fingerprint with the one that whoever runs the server has:",
        "get": "Certificate for Windows, macOS, phones (.crt)",
        "pem": "Certificate for Linux and Kontor devices (.pem)",
        "scan": "This page, to scan with a phone",
        "steps": "Installing it",
        "then": "Then open the room",
    }
)
_GERMAN: _Language = MappingProxyType(
    {
        "title": "Zertifikat dieses Servers",
        "why": "Dieser Server weist sich mit dem Zertifikat einer eigenen Stelle aus. Jeder Rechner, der mitmacht, muss "
        "es einmal installieren; ohne das warnt der Browser und gibt kein Mikrofon frei.",
        "compare": "Zuerst diesen Fingerabdruck mit dem vergleichen, den die Betreiber des Servers haben:",
        "get": "Zertifikat für Windows, macOS, Telefone (.crt)",
        "pem": "Zertifikat für Linux und Kontor-Geräte (.pem)",
        "scan": "Diese Seite, zum Scannen mit dem Telefon",
        "steps": "Installieren",
        "then": "Danach den Raum öffnen",
    }
)

_STEPS: Sequence[tuple[str, str, str]] = (
    (
        "Windows (Chrome, Edge)",
        "Open the .crt file, Install Certificate, Local Machine, place it in Trusted Root Certification Authorities.",
        (
            ".crt-Datei öffnen, Zertifikat installieren, Lokaler Computer, Speicher: Vertrauenswürdige "
            "Stammzertifizierungsstellen."
        ),
    ),
    (
        "macOS (Safari, Chrome)",
        "Open the .crt file, add it to the System keychain, open it there, Trust: Always Trust.",
        ".crt-Datei öffnen, zum Schlüsselbund System hinzufügen, dort öffnen, Vertrauen: Immer vertrauen.",
    ),
    (
        "iPhone, iPad",
        (
            "Open the .crt file in Safari; Settings, Profile Downloaded, Install; then General, About, Certificate Trust "
            "Settings: switch it on."
        ),
        (
            ".crt-Datei in Safari öffnen; Einstellungen, Profil geladen, Installieren; dann Allgemein, Info, "
            "Zertifikatsvertrauenseinstellungen: einschalten."
        ),
    ),
    (
        "Android",
        "Settings, search for CA certificate, Install anyway, choose the .crt file.",
        "Einstellungen, nach CA-Zertifikat suchen, Trotzdem installieren, die .crt-Datei wählen.",
    ),
    (
        "Firefox",
        "Settings, search for certificates, View Certificates, Authorities, Import the .pem file, trust it for websites.",
        (
            "Einstellungen, nach Zertifikate suchen, Zertifikate anzeigen, Zertifizierungsstellen, .pem-Datei importieren, "
            "für Websites vertrauen."
        ),
    ),
    (
        "Debian, Ubuntu",
        (
            "Copy the .pem file to /usr/local/share/ca-certificates/kontor.crt and run update-ca-certificates as root. "
            "Chromium keeps its own list: Settings, search for certificates, import it there."
        ),
        (
            ".pem-Datei nach /usr/local/share/ca-certificates/kontor.crt kopieren, als root update-ca-certificates "
            "ausführen. Chromium führt eine eigene Liste: Einstellungen, nach Zertifikate suchen, dort importieren."
        ),
    ),
    (
        "Kontor",
        'Copy the .pem file to the device and name it in its settings: [room] ca_file = "/etc/kontor/authority.pem"',
        '.pem-Datei auf das Gerät kopieren und in seinen Einstellungen nennen: [room] ca_file = "/etc/kontor/authority.pem"',
    ),
)


def qr_svg(text: str) -> bytes:
    """A QR code (ISO/IEC 18004) of ``text`` as SVG, dark on light whatever the page's colours are."""
    out = io.BytesIO()
    segno.make(text, micro=False).save(out, kind="svg", scale=5, border=3, light="#fff", xmldecl=False, nl=False)
    return out.getvalue()


class AuthorityPage:
    """Serves ``/certificate``; without an authority there is none."""

    def __init__(self, authority: Authority | None) -> None:
        self._authority = authority
        self._codes: dict[str, bytes] = {}
        self._allowance = Bucket(_CODES, 0.0)

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [
            web.get("/certificate", self.page),
            web.get("/certificate/authority.crt", self.crt),
            web.get("/certificate/authority.pem", self.pem),
            web.get("/certificate/code.svg", self.code),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """``GET /certificate``."""
        german = request.headers.get(hdrs.ACCEPT_LANGUAGE, "").strip().lower().startswith("de")
        text = _page(self._there(), host_of(request), german=german)
        headers = {**HEADERS, hdrs.CACHE_CONTROL: "no-store", hdrs.VARY: hdrs.ACCEPT_LANGUAGE}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def crt(self, _request: web.Request) -> web.Response:
        """``GET /certificate/authority.crt``: DER, by whose type phones and browsers offer to install it."""
        return _download(self._there().der, "application/x-x509-ca-cert", "kontor.crt")

    async def pem(self, _request: web.Request) -> web.Response:
        """``GET /certificate/authority.pem``."""
        return _download(self._there().pem, "application/x-pem-file", "kontor.pem")

    async def code(self, request: web.Request) -> web.Response:
        """``GET /certificate/code.svg``: where this page is without encryption."""
        self._there()
        body = await self._code(f"http://{host_of(request)}/certificate")
        return web.Response(
            body=body, content_type="image/svg+xml", headers={**HEADERS, hdrs.CACHE_CONTROL: "no-store"}
        )

    async def _code(self, page: str) -> bytes:
        made = self._codes.get(page)
        if made is None:
            if not self._allowance.take(asyncio.get_running_loop().time()):
                raise Refusal(429, "Too many pictures were asked for; wait a little.", {hdrs.RETRY_AFTER: "2"})
            made = await asyncio.to_thread(qr_svg, page)
            self._codes[page] = made
            if len(self._codes) > _MOST_CODES:
                del self._codes[next(iter(self._codes))]
        return made

    def _there(self) -> Authority:
        if self._authority is None:
            raise Refusal(404, "This server has no authority of its own.")
        return self._authority


def host_of(request: web.Request) -> str:
    """Where the request says that it went: shown, and never trusted.

    :raises Refusal: 400, it is no name of a server.
    """
    host = request.host
    if (
        len(host) > _MOST_HOST
        or not host.isascii()
        or not host.isprintable()
        or any(sign in host for sign in "/\\@?# ")
    ):
        raise Refusal(400, "The request names no server.")
    return host


def _download(content: bytes, content_type: str, name: str) -> web.Response:
    headers = {**HEADERS, hdrs.CACHE_CONTROL: "no-store", hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}
    return web.Response(body=content, content_type=content_type, headers=headers)


def _page(authority: Authority, host: str, *, german: bool) -> str:
    words = _GERMAN if german else _ENGLISH
    digits = authority.fingerprint
    steps = "\n".join(
        f"<dt>{html.escape(system)}</dt><dd>{html.escape(in_german if german else in_english)}</dd>"
        for system, in_english, in_german in _STEPS
    )
    return f"""<!doctype html>
<html lang="{"de" if german else "en"}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{words["title"]} · Kontor</title>
<link rel="stylesheet" href="/page/certificate.css">
</head>
<body>
<h1>{words["title"]}</h1>
<p>{words["why"]}</p>
<p>{words["compare"]}</p>
<p class="digits"><code>SHA-256</code><code>{digits[:47]}</code><code>{digits[48:]}</code></p>
<p><a class="key" href="/certificate/authority.crt">{words["get"]}</a>
<a class="key" href="/certificate/authority.pem">{words["pem"]}</a></p>
<h2>{words["steps"]}</h2>
<dl>
{steps}
</dl>
<p>{words["then"]}: <a href="https://{html.escape(host)}/">https://{html.escape(host)}/</a></p>
<figure><img src="/certificate/code.svg" alt=""><figcaption>{words["scan"]}</figcaption></figure>
</body>
</html>
"""
