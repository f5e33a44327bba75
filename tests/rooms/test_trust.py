"""https that is not to be trusted: each fault is one sentence that says what to do, over real TLS."""

import datetime as dt
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from appliance.host import authority
from appliance.rooms import trust
from appliance.rooms.signalling import Lost, Signalling
from tests.support import ports

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@asynccontextmanager
async def https(folder: Path, name: str = "127.0.0.1", made: dt.datetime = NOW, date: str = "") -> AsyncIterator[URL]:
    """A server whose certificate is for ``name`` and was made then; ``date`` is what it says the time is."""
    names = authority.general_names([name])
    own = authority.make(names, made)
    authority.store(folder, own)
    authority.issue(folder, own, names, made)

    async def token(_request: web.Request) -> web.Response:
        return web.json_response({"nonce": "ab" * 20, "token": "t"})

    async def tell_the_time(_request: web.BaseRequest, response: web.StreamResponse) -> None:
        response.headers["Date"] = date or formatdate(usegmt=True)

    app = web.Application()
    app.router.add_post("/devices/challenge", token)
    app.router.add_post("/devices/token", token)
    app.on_response_prepare.append(tell_the_time)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / authority.CHAIN, folder / authority.KEY)
    runner = web.AppRunner(app)
    await runner.setup()
    port = ports.free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield URL(f"https://127.0.0.1:{port}")
    finally:
        await runner.cleanup()


async def fault(url: URL, ca_file: Path | None) -> Lost:
    """What asking for a token ends with."""
    context = trust.context(ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as http:
        with pytest.raises(Lost) as caught:
            await Signalling(http, url, "main").device_token("amber", lambda _: bytes(64))
    return caught.value


async def test_an_own_authority_is_believed_beside_the_known_ones(tmp_path: Path) -> None:
    async with https(tmp_path) as url:
        context = trust.context(tmp_path / authority.PUBLIC)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as http:
            signalling = Signalling(http, url, "main")
            assert await signalling.device_token("amber", lambda _: bytes(64)) == "t"
            assert signalling.skew is not None
            assert abs(signalling.skew) < 60
    assert context.get_ca_certs()


async def test_an_unknown_authority(tmp_path: Path) -> None:
    async with https(tmp_path) as url:
        lost = await fault(url, None)
    assert lost.fault.kind == "untrusted"
    assert (
        str(lost)
        == "The server's certificate is from an unknown authority: name that one in [room] ca_file to trust it."
    )
    assert lost.fault.retry_after is not None


async def test_another_name(tmp_path: Path) -> None:
    async with https(tmp_path, "192.0.2.7") as url:
        lost = await fault(url, tmp_path / authority.PUBLIC)
    assert str(lost) == "The server's certificate is for another address than the one in [room] url."


async def test_an_expired_certificate(tmp_path: Path) -> None:
    async with https(tmp_path, made=NOW - 500 * DAY) as url:
        lost = await fault(url, tmp_path / authority.PUBLIC)
    assert str(lost) == "The server's certificate has expired."


async def test_a_clock_that_is_behind(tmp_path: Path) -> None:
    then = NOW + 300 * DAY
    async with https(tmp_path, made=then, date=formatdate(then.timestamp(), usegmt=True)) as url:
        lost = await fault(url, tmp_path / authority.PUBLIC)
    assert str(lost) == (
        "This device's clock is about 300 days behind the server's."
        " That may be why: the server's certificate is not valid yet."
    )


async def test_a_clock_that_is_ahead(tmp_path: Path) -> None:
    async with https(tmp_path, made=NOW - 500 * DAY, date=formatdate((NOW - DAY).timestamp(), usegmt=True)) as url:
        lost = await fault(url, tmp_path / authority.PUBLIC)
    assert str(lost) == (
        "This device's clock is about a day ahead of the server's."
        " That may be why: the server's certificate has expired."
    )


async def test_no_https_there(tmp_path: Path) -> None:
    app = web.Application()
    runner = web.AppRunner(app)
    await runner.setup()
    port = ports.free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        lost = await fault(URL(f"https://127.0.0.1:{port}"), None)
    finally:
        await runner.cleanup()
    assert lost.fault.kind == "untrusted"
    assert "does not speak https" in str(lost)


async def test_an_ordinary_failure_is_the_networks(tmp_path: Path) -> None:
    lost = await fault(URL(f"https://127.0.0.1:{ports.free_port()}"), None)
    assert (lost.fault.kind, str(lost)) == ("network", "The server does not answer.")


async def test_a_server_that_cannot_be_asked_tells_no_time() -> None:
    assert await trust.ask_the_time(URL(f"https://127.0.0.1:{ports.free_port()}")) is None


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (None, ""),
        (0.0, ""),
        (3600.0, ""),
        (86_400.0, "This device's clock is about a day ahead of the server's."),
        (-86_400.0, "This device's clock is about a day behind the server's."),
        (-50_000.0, "This device's clock is about a day behind the server's."),
        (10 * 86_400.0, "This device's clock is about 10 days ahead of the server's."),
    ],
)
def test_a_clock_is_called_wrong_when_it_is_half_a_day_off(skew: float | None, words: str) -> None:
    assert trust.clock_words(skew) == words


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Nov 2026 00:00:00 GMT", "\0", "0" * 1000])
def test_a_date_that_is_none(date: str | None) -> None:
    assert trust.skew_of(date) is None


def test_a_date_is_compared_with_our_clock() -> None:
    skew = trust.skew_of(formatdate(time.time() - 100, usegmt=True))
    assert skew is not None
    assert 98 < skew < 105


def test_a_ca_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No such file|not found"):
        trust.context(tmp_path / "none.pem")
    (tmp_path / "junk.pem").write_text("junk")
    with pytest.raises(OSError, match=r"."):
        trust.context(tmp_path / "junk.pem")
