"""https of the host's own: its own authority, certificates that change while it runs, and plain HTTP on the same port."""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector

from appliance.core.events import Event, EventName
from appliance.host import authority
from appliance.host.authority import CHAIN, KEY, Authority, general_names
from appliance.host.certificate import CertificateError
from appliance.host.config import HostConfig, Limits, Proxy, RoomConfig
from appliance.host.server import Host
from appliance.host.tls import Tls
from tests.host.harness import House, house, token
from tests.support import until

NOW = dt.datetime.now(dt.UTC)
NAMES = general_names(["kontor.example.org", "localhost", "127.0.0.1", "203.0.113.5"])


def own_authority(folder: Path, now: dt.datetime = NOW, names: Any = NAMES) -> Authority:
    """An authority in ``folder``, and a certificate that it signed at ``now``."""
    made = authority.load(folder) or authority.make(NAMES, now)
    authority.store(folder, made)
    authority.issue(folder, made, names, now)
    return made


@asynccontextmanager
async def encrypted(folder: Path, **settings: Any) -> AsyncIterator[tuple[House, ClientSession]]:
    """A host with a certificate of its own authority, and a client that trusts that and nothing else."""
    own = folder / "authority"
    made = own_authority(own)
    async with house(folder, tls=(own / CHAIN, own / KEY), authority=own, **settings) as home:
        home.base = home.base.replace("http:", "https:")
        trusting = ssl.create_default_context(cadata=made.pem.decode())
        async with ClientSession(connector=TCPConnector(ssl=trusting, limit=0)) as http:
            home.http, before = http, home.http
            yield home, before
            home.http = before
            await asyncio.sleep(0.05)  # TLS says goodbye


def certificate_of(address: tuple[str, int], made: Authority) -> dict[str, Any]:
    """The certificate that a new connection is shown."""
    trusting = ssl.create_default_context(cadata=made.pem.decode())
    with (
        socket.create_connection(address) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        return wrapped.getpeercert() or {}


async def test_whoever_trusts_the_authority_gets_in_by_name_and_by_address(tmp_path: Path) -> None:
    async with encrypted(tmp_path) as (home, _):
        for name in ("127.0.0.1", "localhost"):
            async with home.http.get(f"https://{name}:{home.host.address[1]}/health") as answer:
                assert answer.status == 200
        async with home.http.ws_connect(home.url("/rooms/studio/presence")) as presence:
            await presence.send_json({"type": "hello", "v": 1, "token": token("ada")})
            assert (await presence.receive_json())["type"] == "welcome"


async def test_whoever_does_not_is_not_served_and_disturbs_nobody(tmp_path: Path) -> None:
    async with encrypted(tmp_path) as (home, stranger):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get(home.url("/health"))
        await until(lambda: home.count("host_connections_failed") == 1)
        async with home.http.get(home.url("/health")) as answer:
            assert answer.status == 200


async def test_a_changed_certificate_is_used_for_new_connections_and_the_old_ones_stay(tmp_path: Path) -> None:
    async with encrypted(tmp_path) as (home, _), home.http.ws_connect(home.url("/rooms/studio/presence")) as presence:
        await presence.send_json({"type": "hello", "v": 1, "token": token("ada")})
        await presence.receive_json()
        folder = tmp_path / "authority"
        made = authority.load(folder)
        assert made is not None
        before = await asyncio.to_thread(certificate_of, home.host.address, made)
        authority.issue(folder, made, general_names(["localhost", "fd00::1"]), NOW)
        await until(lambda: home.told(EventName.TLS_RELOADED), 10)
        after = await asyncio.to_thread(certificate_of, home.host.address, made)
        assert (before["serialNumber"] != after["serialNumber"]) and ("IP Address", "FD00:0:0:0:0:0:0:1") in after[
            "subjectAltName"
        ]
        await presence.send_json({"type": "knock"})
        assert (await presence.receive_json())["type"] == "knock"


def _tls(folder: Path) -> tuple[Tls, list[Event]]:
    events: list[Event] = []
    own_authority(folder)
    return Tls(folder / CHAIN, folder / KEY, lambda name, **fields: events.append(Event(name, 0.0, fields))), events


def test_a_broken_new_file_keeps_the_old_certificate_and_is_told_once(tmp_path: Path) -> None:
    tls, events = _tls(tmp_path)
    context, expires = tls.context, tls.expires
    good = (tmp_path / CHAIN).read_bytes()
    (tmp_path / CHAIN).write_text("junk")
    assert not any(tls.look() for _ in range(5))
    assert (tls.context, tls.expires) == (context, expires)
    assert [event.name for event in events] == [EventName.TLS_REFUSED]
    (tmp_path / CHAIN).unlink()
    assert not any(tls.look() for _ in range(3))
    assert len(events) == 2
    (tmp_path / CHAIN).write_bytes(good)
    assert [tls.look() for _ in range(3)] == [False, True, False]
    assert tls.context is not context and events[-1].name is EventName.TLS_RELOADED


def test_certificate_and_key_that_do_not_belong_together_wait_for_each_other(tmp_path: Path) -> None:
    tls, events = _tls(tmp_path)
    other = own_authority(tmp_path / "other")
    chain, key = other.sign(NAMES, NOW)
    (tmp_path / CHAIN).write_bytes(chain)
    assert not tls.look(), "it has changed this moment"
    (tmp_path / KEY).write_bytes(key)
    assert not tls.look(), "the key has changed this moment"
    assert tls.look()
    assert [event.name for event in events] == [EventName.TLS_RELOADED]


def test_the_end_of_a_certificate_is_told_of_once_a_day(tmp_path: Path) -> None:
    tls, events = _tls(tmp_path)
    tls.remind(0.0, tls.expires - dt.timedelta(days=20))
    assert not events
    for hour in range(30):
        tls.remind(3600.0 * hour, tls.expires - dt.timedelta(days=3))
    assert [event.name for event in events] == [EventName.TLS_EXPIRES] * 2


def test_a_start_with_files_that_cannot_be_used_is_refused_with_the_way_out(tmp_path: Path) -> None:
    own_authority(tmp_path)
    with pytest.raises(CertificateError, match=r"\[host.tls\].*No such file"):
        Tls(tmp_path / "none.crt", tmp_path / KEY, print)
    (tmp_path / CHAIN).write_text("junk")
    with pytest.raises(CertificateError, match="PEM"):
        Tls(tmp_path / CHAIN, tmp_path / KEY, print)


async def test_when_the_power_went_between_key_and_certificate_a_new_pair_is_signed(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    folder.mkdir()
    own_authority(folder)
    other = tmp_path / "other"
    other.mkdir()
    own_authority(other)
    (folder / KEY).write_bytes((other / KEY).read_bytes())
    files: dict[str, Any] = {"authority": folder, "tls": (folder / CHAIN, folder / KEY)}
    async with house(tmp_path, **files) as home:
        made = authority.load(folder)
        assert made is not None
        trusted = ssl.create_default_context(cadata=made.pem.decode())
        async with home.http.get(home.url("/health").replace("http:", "https:"), ssl=trusted) as answer:
            assert answer.status == 200
    (folder / CHAIN).write_bytes((other / CHAIN).read_bytes())
    with pytest.raises(CertificateError, match="PEM"):
        async with house(tmp_path, **files):
            pass


# ---- plain HTTP on the same port


@asynccontextmanager
async def from_outside(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """127.0.0.1 counts as a foreign address while this lasts."""
    with monkeypatch.context() as patch:
        patch.setattr("appliance.host.listener._is_ours", lambda *_: False)
        yield


async def test_without_encryption_there_is_only_the_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with encrypted(tmp_path) as (home, plain), from_outside(monkeypatch):
        base = home.base.replace("https:", "http:")
        async with plain.get(f"{base}/studio?a=%20b", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (308, f"{home.base}/studio?a=%20b")
        async with plain.post(f"{base}/rooms/studio/media", data="v=0", allow_redirects=False) as answer:
            assert answer.status == 403
        async with plain.get(f"{base}/health", headers={"Host": "a/b@c"}, allow_redirects=False) as answer:
            assert answer.status == 400
        made = authority.load(tmp_path / "authority")
        assert made is not None
        async with plain.get(f"{base}/certificate", headers={"Accept-Language": "de-DE,de"}) as answer:
            text = await answer.text()
            assert "Zertifikat dieses Servers" in text and f"<code>{made.fingerprint[:47]}</code>" in text
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        async with plain.get(f"{base}/certificate/authority.pem") as answer:
            assert await answer.read() == made.pem
        async with plain.get(f"{base}/certificate/authority.crt") as answer:
            assert (await answer.read(), answer.content_type) == (made.der, "application/x-x509-ca-cert")
        async with plain.get(f"{base}/certificate/code.svg") as answer:
            assert (await answer.read()).startswith(b"<svg ")
        async with plain.get(f"{base}/page/certificate.css") as answer:
            assert answer.status == 200


async def test_this_machine_needs_no_encryption(tmp_path: Path) -> None:
    async with (
        encrypted(tmp_path) as (home, plain),
        plain.get(f"{home.base.replace('https:', 'http:')}/health") as answer,
    ):
        assert answer.status == 200


async def test_without_an_authority_there_is_no_certificate_page(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for path in ("/certificate", "/certificate/authority.crt", "/certificate/code.svg"):
            async with home.http.get(home.url(path)) as answer:
                assert (answer.status, await answer.text()) == (404, "This server has no authority of its own.\n")


# ---- how much is taken


async def ends(address: tuple[str, int], *said: bytes) -> float:
    """Seconds after which the host ends a connection on which these are said, one every 50 ms, the last over and over."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection(*address)
    began = loop.time()
    reading = asyncio.create_task(reader.read())
    try:
        while not reading.done() and loop.time() - began < 10:
            if said:
                writer.write(said[0])
                said = said[1:] or said
            await asyncio.wait([reading], timeout=0.05)
        with contextlib.suppress(ConnectionError):
            assert await reading == b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return loop.time() - began


async def test_a_connection_that_says_nothing_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.host.listener._FIRST_BYTE", 0.2)
    async with encrypted(tmp_path) as (home, _):
        assert await ends(home.host.address) < 5
        assert await ends(home.host.address, b"\x16\x03", b"") < 5, "a handshake that does not go on"
        assert home.count("host_connections_failed") == 2


async def test_a_request_that_drips_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.host.entrance._IDLE", 0.5)
    monkeypatch.setattr("appliance.host.listener._FIRST_BYTE", 0.5)
    async with house(tmp_path) as home:
        assert 0.3 < await ends(home.host.address, b"GET /health HTTP/1.1\r\n", b"X-A: b\r\n") < 5
        assert 0.3 < await ends(home.host.address, b"") < 5


async def test_one_address_cannot_take_all_connections(tmp_path: Path) -> None:
    async with house(tmp_path, limits=Limits(connections=16)) as home:
        standing = [await asyncio.open_connection(*home.host.address) for _ in range(12)]
        await until(lambda: home.count("host_connections_refused") == 4)
        ended = [reader.at_eof() for reader, _ in standing]
        assert ended[:8] == [False] * 8
        for _, writer in standing:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        async def served() -> bool:
            try:
                async with home.http.get(home.url("/health")) as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        while not await served():
            await asyncio.sleep(0.05)


# ---- listen-only, said where an operator reads it


@pytest.mark.parametrize(("proxies", "told"), [((), 1), (("127.0.0.1",), 0)])
async def test_a_host_that_gives_no_microphone_says_so(tmp_path: Path, proxies: tuple[str, ...], told: int) -> None:
    async with house(tmp_path, listen_host="0.0.0.0", proxy=Proxy(proxies)) as home:
        assert len(home.told(EventName.LISTEN_ONLY)) == told


async def test_a_front_reaches_the_host_over_a_unix_socket(short_dir: Path) -> None:
    host = Host(
        HostConfig(short_dir / "host.pem", (RoomConfig("a", "A", {"k": b"k" * 16}),), unix_path=short_dir / "http"),
        lambda _: None,
    )
    await host.start()
    try:
        connector = aiohttp.UnixConnector(str(short_dir / "http"))
        async with ClientSession(connector=connector) as http, http.get("http://kontor/health") as answer:
            assert answer.status == 200
        assert host.address == (str(short_dir / "http"), 0)
    finally:
        await host.stop()
