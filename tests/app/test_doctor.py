"""What the doctor says of real servers, good ones and broken ones; UDP and relays are tests/e2e/test_doctor_afar.py."""

import datetime as dt
import email.utils
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from appliance.__main__ import main
from appliance.app.doctor import by_link, by_settings, examine
from appliance.app.doctor_findings import Finding, Target
from appliance.app.process import NotAllowed
from appliance.host.authority import CHAIN, KEY, PUBLIC, general_names
from appliance.provisioning.files import sources
from appliance.settings import load
from tests.host.harness import ROOM, house, token
from tests.host.test_tls import NOW, own_authority

Answer = Callable[[web.Request], web.Response]


def healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@asynccontextmanager
async def server(
    folder: Path, answer: Answer = healthy, *, made: dt.datetime | None = None, **how: Any
) -> AsyncIterator[int]:
    """Something that answers, by https when ``made`` says when its certificate was; gives its port."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    context = None
    if made is not None:
        own_authority(folder, made, **how)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / CHAIN, folder / KEY)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def findings(url: str, ca_file: Path | None = None, **fields: Any) -> dict[str, Finding]:
    """What is found of a server that lets nobody in, by check; the last finding of each."""
    told: list[Finding] = []
    found = await examine(Target(URL(url), ROOM, ca_file, **fields), told.append)
    assert told == found
    assert all(finding.says.endswith(".") and (finding.state != "bad" or finding.way_out) for finding in found)
    return {finding.check: finding for finding in found}


async def test_all_is_well_with_a_real_host(tmp_path: Path) -> None:
    own = tmp_path / "authority"
    own_authority(own)
    async with house(tmp_path, tls=(own / CHAIN, own / KEY)) as home:
        link = f"https://127.0.0.1:{home.host.address[1]}/{ROOM}#{token('ada')}"
        found: list[Finding] = []
        await examine(by_link(link, own / PUBLIC), found.append)
        assert [(finding.check, finding.state) for finding in found] == [
            ("name", "good"),
            ("port", "good"),
            ("tls", "good"),
            ("http", "good"),
            ("clock", "good"),
            ("proxy", "good"),
            ("udp", "good"),
            ("relay", "skipped"),
        ]
        assert home.count("host_leaves") == 1, "it leaves nobody behind"


async def test_a_token_that_opens_nothing_is_told_with_the_way_out(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        found = await findings(home.base, credentials=by_link(f"{home.base}/{ROOM}#junk", None).credentials)
        assert found["udp"].state == "skipped" and "The room does not accept this key." in found["udp"].says
        assert "kontor key" in found["udp"].way_out


async def test_an_expired_certificate(tmp_path: Path) -> None:
    async with server(tmp_path, made=NOW - dt.timedelta(days=500)) as port:
        found = await findings(f"https://localhost:{port}", tmp_path / PUBLIC)
        assert found["tls"].state == "bad"
        assert found["tls"].says.startswith("The server's certificate has expired. It is from \"Kontor at")
        assert found["tls"].way_out.startswith("Renew it on the server")
        assert (found["http"].state, found["clock"].state, found["udp"].state) == ("skipped", "good", "skipped")


async def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path) -> None:
    async with server(tmp_path, made=NOW - dt.timedelta(days=390)) as port:
        found = await findings(f"https://localhost:{port}", tmp_path / PUBLIC)
        assert (found["tls"].state, found["http"].state) == ("warning", "good")


async def test_an_unknown_authority_is_named(tmp_path: Path) -> None:
    async with server(tmp_path, made=NOW) as port:
        found = await findings(f"https://localhost:{port}")
        assert "unknown authority" in found["tls"].says and '"Kontor at kontor.example.org"' in found["tls"].says
        assert f"http://localhost:{port}/certificate" in found["tls"].way_out


async def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    async with server(tmp_path, made=NOW, names=general_names(["box.lan"])) as port:
        found = await findings(f"https://localhost:{port}", tmp_path / PUBLIC)
        assert found["tls"].says.startswith("The server's certificate is for another name")


async def test_no_https_there(tmp_path: Path) -> None:
    async with server(tmp_path) as port:
        found = await findings(f"https://localhost:{port}")
        assert found["tls"].says.startswith("The server does not speak https there")


def dated(skew: float) -> Answer:
    """A server whose clock is behind by ``skew`` seconds, so that ours is ahead."""

    def answer(_request: web.Request) -> web.Response:
        date = email.utils.formatdate(time.time() - skew, usegmt=True)
        return web.json_response({"status": "ok"}, headers={"Date": date})

    return answer


@pytest.mark.parametrize(
    ("skew", "state", "says"),
    [
        (0, "good", "agrees"),
        (600, "warning", "10 minutes ahead of"),
        (-86_400, "bad", "about a day behind"),
        (3 * 86_400, "bad", "about 3 days ahead of"),
    ],
)
async def test_the_clock(tmp_path: Path, skew: float, state: str, says: str) -> None:
    async with server(tmp_path, dated(skew)) as port:
        found = (await findings(f"http://localhost:{port}"))["clock"]
        assert (found.state, says in found.says) == (state, True), found


async def test_a_clock_that_makes_a_good_certificate_look_expired_is_what_is_told(tmp_path: Path) -> None:
    async with server(tmp_path, dated(500 * 86_400), made=NOW - dt.timedelta(days=500)) as port:
        found = await findings(f"https://localhost:{port}", tmp_path / PUBLIC)
        assert found["tls"].says.startswith("This device's clock is about 500 days ahead of the server's.")
        assert found["tls"].way_out.startswith("Set this machine's clock first")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda _: web.Response(status=502), "A reverse proxy answers (status 502), and Kontor behind it does not."),
        (lambda _: web.Response(status=302, headers={"Location": "http://login.test/"}), "elsewhere, to login.test"),
        (lambda r: web.Response(status=308, headers={"Location": f"https://{r.host}/"}), "The server wants https."),
        (lambda _: web.Response(text="<html>"), "Something else than a Kontor server answers (status 200)."),
        (lambda _: web.json_response([1]), "Something else than a Kontor server answers (status 200)."),
    ],
)
async def test_who_answers(tmp_path: Path, answer: Answer, says: str) -> None:
    async with server(tmp_path, answer) as port:
        found = (await findings(f"http://localhost:{port}"))["http"]
        assert (found.state, says in found.says) == ("bad", True), found


async def test_a_name_that_nobody_knows_and_a_port_where_nothing_is(tmp_path: Path, free_port: int) -> None:
    found = await findings("https://nowhere.invalid")
    assert found["name"].state == "bad" and found["http"].state == "skipped"
    found = await findings(f"https://127.0.0.1:{free_port}")
    assert found["port"].says == f"Nothing listens at 127.0.0.1, TCP port {free_port}."


async def test_a_proxy_that_is_all_the_network_lets_out(
    monkeypatch: pytest.MonkeyPatch, free_port: int, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.test:3128")
    found = (await findings(f"http://127.0.0.1:{free_port}"))["proxy"]
    assert found.state == "bad" and "HTTPS_PROXY" in found.says and "secret" not in found.says
    async with server(tmp_path) as port:
        assert (await findings(f"http://127.0.0.1:{port}"))["proxy"].state == "good"


async def test_http_over_a_network_is_bad_news() -> None:
    from appliance.app.doctor_web import _plain

    assert _plain(Target(URL("http://192.0.2.7:8080"), ROOM)).state == "bad"
    assert _plain(Target(URL("http://localhost:8080"), ROOM)).state == "good"


# ---- where it looks


def settings(folder: Path, text: str) -> Path:
    path = folder / "kontor.toml"
    path.write_text(f'schema = 1\n[device]\nid = "amber"\nstate_dir = "{folder}"\nruntime_dir = "{folder}"\n{text}')
    return path


def target(folder: Path, text: str) -> Target:
    return by_settings(load(sources(settings(folder, text)), ()))


def test_a_device_looks_at_its_server_and_a_server_at_itself(tmp_path: Path) -> None:
    device = target(tmp_path, '[room]\nurl = "https://kontor.example.org"\nid = "a"\n')
    assert (device.url, device.room, device.port) == (URL("https://kontor.example.org"), "a", 443)
    assert device.credentials is not None and device.runtime == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["kontor.toml"], "a look makes no key, of whoever looks"
    secret = tmp_path / "turn.secret"
    secret.write_text("s" * 20)
    secret.chmod(0o600)
    own = target(
        tmp_path,
        f'[host]\nurl = "https://k.example.org:8443"\n[host.turn]\nurls = ["turn:r.example.org:3478?transport=udp"]\n'
        f'secret_file = "{secret}"\n[[host.rooms]]\nid = "b"\n',
    )
    assert (str(own.url), own.room, own.credentials) == ("https://k.example.org:8443", "b", None)
    assert [(relay.host, relay.port) for relay in own.relays] == [("r.example.org", 3478)]
    with pytest.raises(NotAllowed, match="no server is named"):
        target(tmp_path, "")


@pytest.mark.parametrize("link", ["", "junk", "https://a/b", "https://a#t", "ftp://a/b#t", "http://[/b#t"])
def test_a_link_that_is_none(link: str) -> None:
    with pytest.raises(NotAllowed, match="has to be one of kontor host link"):
        by_link(link, None)


# ---- the command


def test_the_command_for_people_and_for_programs(
    tmp_path: Path, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(tmp_path, f'[room]\nurl = "http://127.0.0.1:{free_port}"\n')
    assert main(["doctor", "--network", "--config", str(config)]) == 69
    text = capsys.readouterr().out
    assert f"  BAD   port     Nothing listens at 127.0.0.1, TCP port {free_port}.\n" in text
    assert "                -> Start the server" in text
    assert main(["doctor", "--network", "--json", "--config", str(config)]) == 69
    said = json.loads(capsys.readouterr().out)
    assert said["good"] is False
    assert {"check": "proxy", "state": "good", "says": "No proxy is set on this machine.", "way_out": ""} in said[
        "findings"
    ]
    assert main(["doctor", "--network", "--config", str(settings(tmp_path, ""))]) == 78
    assert "no server is named" in capsys.readouterr().err
    assert main(["doctor", "--network", "--link", "http://127.0.0.1:9/a#t", "--ca-file", str(tmp_path / "none")]) == 78
    assert "kontor doctor: --ca-file: " in capsys.readouterr().err
    there = f'[room]\nurl = "https://127.0.0.1:9"\nca_file = "{tmp_path}/none"\n'
    assert main(["doctor", "--network", "--config", str(settings(tmp_path, there))]) == 78
    assert "kontor doctor: [room] ca_file: " in capsys.readouterr().err
