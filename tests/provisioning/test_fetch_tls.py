"""Fetching over https: whose certificate is believed, what of it is told, and the way through a proxy. Over real TLS."""

import asyncio
import contextlib
import datetime as dt
import ssl
from pathlib import Path

from appliance.core.documents import Why
from appliance.host import authority
from appliance.provisioning.fetch import Fetcher, Look, Place
from appliance.provisioning.signing import SecretKey
from appliance.settings.addresses import Certificates
from tests.provisioning.published import publish, shown
from tests.support import ports

KEY = SecretKey(bytes(range(8)), bytes(32))
NOW = 1_800_000_000.0
ONE = b"schema = 1\n"


def why(look: Look) -> tuple[Why, str]:
    return look.faults["all"].why, look.faults["all"].text


DAY = dt.timedelta(days=1)


def certified(folder: Path, name: str, made: dt.datetime) -> ssl.SSLContext:
    """An https server's side: a certificate for ``name``, made then by an authority of its own, whose PEM lies there too."""
    names = authority.general_names([name])
    own = authority.make(names, made)
    folder.mkdir(exist_ok=True)
    authority.store(folder, own)
    authority.issue(folder, own, names, made)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / authority.CHAIN, folder / authority.KEY)
    publish(folder / "public", KEY, "all", 1, ONE)
    return tls


async def over_tls(
    folder: Path, name: str, made: dt.datetime, believe: Certificates | None = None, proxy: str = ""
) -> Look:
    """A look at an https server whose certificate is for ``name`` and was made then."""
    tls = certified(folder, name, made)
    async with shown(folder / "public", tls) as server:
        place = Place(server.url, (KEY.public,), believe or Certificates(path=folder / authority.PUBLIC), proxy)
        return await Fetcher(place, lambda: NOW).look(["all"])


async def test_an_own_authority_is_believed(tmp_path: Path) -> None:
    look = await over_tls(tmp_path, "127.0.0.1", dt.datetime.now(dt.UTC))
    assert look.news == ("all",)


async def test_a_dns_that_lies_leads_to_a_certificate_for_another_name(tmp_path: Path) -> None:
    kind, words = why(await over_tls(tmp_path, "192.0.2.7", dt.datetime.now(dt.UTC)))
    assert kind is Why.CERTIFICATE
    assert words.startswith("127.0.0.1 is not to be trusted: IP address mismatch")


async def test_a_certificate_from_the_future_and_one_that_has_expired(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    kind, words = why(await over_tls(tmp_path, "127.0.0.1", now + 300 * DAY))
    assert (kind, words) == (Why.CERTIFICATE, "127.0.0.1 is not to be trusted: certificate is not yet valid.")
    kind, words = why(await over_tls(tmp_path, "127.0.0.1", now - 5000 * DAY))
    assert (kind, words) == (Why.CERTIFICATE, "127.0.0.1 is not to be trusted: certificate has expired.")


async def test_an_authority_that_cannot_be_used(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    gone = Certificates(path=tmp_path / "gone.pem")
    kind, words = why(await over_tls(tmp_path, "127.0.0.1", now, gone))
    assert kind is Why.CERTIFICATE
    assert words.startswith(f"The own authority {tmp_path}/gone.pem cannot be read: ")
    kind, words = why(await over_tls(tmp_path, "127.0.0.1", now, Certificates(text="nothing")))
    assert (kind, words.endswith("is no certificate.")) == (Why.CERTIFICATE, True)


async def test_an_authority_that_was_renewed_in_its_file_is_read_anew(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    certified(tmp_path / "old", "127.0.0.1", now)
    tls, file = certified(tmp_path / "new", "127.0.0.1", now), tmp_path / "ca.pem"
    file.write_bytes((tmp_path / "old" / authority.PUBLIC).read_bytes())
    async with shown(tmp_path / "new" / "public", tls) as server:
        looking = Fetcher(Place(server.url, (KEY.public,), Certificates(path=file)), lambda: NOW)
        assert why(await looking.look(["all"]))[0] is Why.CERTIFICATE
        file.write_bytes((tmp_path / "new" / authority.PUBLIC).read_bytes())
        assert (await looking.look(["all"])).news == ("all",)


async def test_through_a_proxy_the_server_itself_is_looked_at(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        host, port = asked[-1].split()[1].decode().rsplit(":", 1)
        there, to = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, to))
            both.create_task(_copy(there, writer))

    port = ports.free_port()
    async with await asyncio.start_server(lead, "127.0.0.1", port):
        look = await over_tls(tmp_path, "127.0.0.1", dt.datetime.now(dt.UTC), proxy=f"http://127.0.0.1:{port}")
        assert look.news == ("all",)
        lied = await over_tls(tmp_path, "192.0.2.7", dt.datetime.now(dt.UTC), proxy=f"http://127.0.0.1:{port}")
        assert why(lied)[0] is Why.CERTIFICATE
        await asyncio.sleep(0.1)  # both ends hang up
    assert [line.split()[0] for line in asked] == [b"CONNECT"] * 2, "one connection a look"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


async def test_no_https_there(tmp_path: Path) -> None:
    async with shown(tmp_path) as server:
        look = await Fetcher(Place(server.url.replace("http:", "https:"), (KEY.public,)), lambda: NOW).look(["all"])
    assert why(look) == (
        Why.CERTIFICATE,
        "127.0.0.1 does not speak https there, or not a version of it that is safe.",
    )
