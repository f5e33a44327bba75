"""An update over the network: only parts of a file are asked for, and whatever a server does leads to one clear word."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from appliance.app.update_service import KEYS, act
from appliance.core.boot_slots import encode, factory
from appliance.core.updating import BLOCK, State
from appliance.provisioning.minisign import PublicKey
from appliance.provisioning.publication import pointer_path
from appliance.provisioning.signing import public_file
from appliance.update import source as update_source
from tests.provisioning.published import Answer, Server, shown
from tests.updating.machine import KEY, NEW_KEY, Machine, image, published

OLD = image(100)
NEW = image(200, like=OLD, changed=40)


class Site:
    """A machine, and the server that it looks at."""

    def __init__(self, machine: Machine, server: Server) -> None:
        self.machine, self.server = machine, server
        self.ranges: list[str] = []
        server.answer = self.show
        self.configure()

    async def show(self, request: web.Request) -> web.StreamResponse:
        """As a plain web server does, which sends parts when it is asked for them."""
        path = self.server.folder / request.path.lstrip("/")
        if not path.is_file():
            return web.Response(status=404)
        if "Range" in request.headers:
            self.ranges.append(request.headers["Range"])
        return web.FileResponse(path)

    def configure(self, keys: tuple[PublicKey, ...] = (KEY.public,), url: str | None = None) -> None:
        names = ", ".join(f'"{key}"' for key in keys)
        (self.machine.root / "etc/kontor/kontor.toml").write_text(f"""schema = 1
[device]
state_dir = "{self.machine.root / "state"}"
runtime_dir = "{self.machine.root / "run"}"
[update]
keys = [{names}]
url = "{self.server.url if url is None else url}"
""")

    async def act(self, verb: str = "apply") -> dict[str, object]:
        assert await asyncio.to_thread(act, verb, self.machine.root) == 0  # type: ignore[arg-type]
        return self.machine.status

    def ask_for(self, source: str) -> None:
        asked = self.machine.root / "run/asked"
        asked.mkdir(exist_ok=True)
        text = f'{{"full": false, "reason": "", "by_hand": false, "again": true, "source": "{source}"}}'
        (asked / "update.json").write_text(text)


@asynccontextmanager
async def site_in(folder: Path) -> AsyncIterator[Site]:
    machine = Machine(folder / "card", OLD)
    machine.images[NEW.built] = NEW
    (folder / "www").mkdir()
    async with shown(folder / "www") as server:
        site = Site(machine, server)
        await site.act("confirm")
        yield site


async def test_what_a_channel_has_is_fetched_in_parts(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        published(tmp_path / "www", NEW)
        status = await site.act()
        assert status["state"] == State.READY, status
        assert site.machine.runs("b") == NEW
        assert len(site.ranges) == sum(path.endswith(".blocks") for path, _ in site.server.asked)
        whole = sum(path.stat().st_size for path in (tmp_path / "www/images").glob("*.blocks"))
        assert 41 * BLOCK <= int(str(status["fetched"])) < whole
        assert (await site.act())["state"] == State.READY, "it waits for its start, and is not made twice"


async def test_a_channel_that_has_nothing(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        assert (await site.act())["state"] == State.UP_TO_DATE
        site.configure(url="")
        assert (await site.act())["state"] == State.UP_TO_DATE


async def test_an_older_pointer_is_not_followed_once_a_newer_one_was_seen(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        folder = tmp_path / "www"
        published(folder, NEW)
        old = (folder / pointer_path("images/stable")).read_bytes()
        newer = image(300, like=NEW, changed=1)
        site.machine.images[300] = newer
        published(folder, newer)
        assert (await site.act())["state"] == State.READY
        (folder / pointer_path("images/stable")).write_bytes(old)
        site.machine.start()
        await site.act("confirm")
        status = await site.act()
        assert (status["state"], status["kind"]) == (State.REFUSED, "older")


async def test_a_server_that_goes_away_in_the_middle_is_gone_on_with(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        base = image(500, 90)
        site.machine.images[500] = base
        published(tmp_path / "www", base)
        left = 2

        async def breaks(request: web.Request) -> web.StreamResponse:
            nonlocal left
            if request.path.endswith(".blocks"):
                left -= 1
                if left < 0:
                    response = web.StreamResponse(status=206, headers={"Content-Range": span(request, site)})
                    response.content_length = 8 * BLOCK
                    await response.prepare(request)
                    await response.write(bytes(BLOCK))
                    assert request.transport is not None
                    request.transport.abort()
                    return response
            return await site.show(request)

        site.server.answer = breaks
        status = await site.act()
        assert (status["state"], status["kind"]) in {(State.FAILED, "cut_off"), (State.FAILED, "unreachable")}
        assert site.machine.start() == "a"
        site.machine.updater().confirm(full=False)
        site.server.answer = site.show
        assert (await site.act())["state"] == State.READY
        assert site.machine.runs("b") == base


def span(request: web.Request, site: Site) -> str:
    size = (site.server.folder / request.path.lstrip("/")).stat().st_size
    return f"{request.headers['Range'].replace('=', ' ')}/{size}"


def always(status: int, path_ends: str = ".blocks", **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith(path_ends):
            return web.Response(
                status=status, body=bytes(BLOCK), headers={k.replace("_", "-"): v for k, v in headers.items()}
            )
        raise LookupError

    return answer


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (always(200), "status", "cannot send parts of a file"),
        (always(416), "cut_off", "is shorter than"),
        (always(206, Content_Range="bytes 0-4095/4096"), "cut_off", "has not the size"),
        (always(500), "status", "answers 500"),
        (always(302, Location="http://portal.example/"), "redirect", "captive portal"),
        (always(404), "missing", "is not there"),
        (always(404, ".index"), "missing", "is not there"),
        (always(404, ".toml"), "missing", "is not there"),
        (always(200, ".index"), "too_long", "has not as many bytes"),
        (always(200, ".minisig"), "not_signed", "is no signature file"),
    ],
)
async def test_a_server_that_does_it_wrong(tmp_path: Path, answer: Answer, kind: str, words: str) -> None:
    async with site_in(tmp_path) as site:
        published(tmp_path / "www", NEW)
        before = [site.machine.copies(), site.machine.runs("b")]

        async def wrong(request: web.Request) -> web.StreamResponse:
            try:
                return await answer(request)
            except LookupError:
                return await site.show(request)

        site.server.answer = wrong
        status = await site.act()
        assert status["kind"] == kind, status
        assert words in str(status["why"])
        assert [site.machine.copies(), site.machine.runs("b")] == before


async def test_an_address_or_a_file_may_be_named(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        manifest = published(tmp_path / "www", NEW)
        site.configure(url="")
        site.ask_for(f"{site.server.url}/images/{manifest.name}")
        assert (await site.act())["state"] == State.READY
        for number in range(2):
            (site.machine.devices / f"record-{number}").write_bytes(encode(factory()))
        site.machine.fill("b", OLD)
        site.ask_for(str(manifest))
        assert (await site.act())["state"] == State.READY
        site.machine.start()
        await site.act("confirm")
        site.ask_for(f"{site.server.url}/images/none.toml")
        assert (await site.act())["kind"] == "missing"


async def test_who_may_sign_stands_in_the_settings_or_in_the_image(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        published(tmp_path / "www", NEW)
        site.configure(keys=())
        status = await site.act()
        assert (status["state"], status["kind"]) == (State.REFUSED, "foreign_key")
        file = site.machine.root / KEYS
        file.parent.mkdir(parents=True)
        for content in (b"", b"nonsense\n"):
            file.write_bytes(content)
            assert (await site.act())["kind"] == "foreign_key"
        file.write_bytes(public_file(NEW_KEY.public) + public_file(KEY.public))
        assert (await site.act())["state"] == State.READY


async def test_nobody_listens(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        site.configure(url="http://127.0.0.1:9")
        status = await site.act()
        assert (status["state"], status["kind"]) == (State.FAILED, "unreachable")
        site.ask_for("http://127.0.0.1:9/x.toml")
        assert (await site.act())["kind"] == "unreachable"
        for source in ("http://updates.example.org/x.toml", "ftp://x/x.toml", "https://[/x.toml"):
            site.ask_for(source)
            status = await site.act()
            assert (status["kind"], "must be like https://" in str(status["why"])) == ("missing", True)


@pytest.mark.parametrize(
    "source", ["https://ada:s3cret@x.org/k.toml", "https://x.org/k.toml?token=s3cret", "https://x.org/"]
)
async def test_what_was_typed_with_an_address_is_told_to_nobody(
    tmp_path: Path, source: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with site_in(tmp_path) as site:
        site.ask_for(source)
        status = await site.act()
        assert status["kind"] == "missing", status
        assert "s3cret" not in str(status) and "s3cret" not in "".join(capfd.readouterr())


async def test_a_server_that_sends_a_byte_now_and_then_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_source, "LONGEST", 0.5)
    async with site_in(tmp_path) as site:
        published(tmp_path / "www", NEW)

        async def drips(request: web.Request) -> web.StreamResponse:
            if not request.path.endswith(".index"):
                return await site.show(request)
            response = web.StreamResponse()
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                while True:
                    await response.write(b"x")
                    await asyncio.sleep(0.05)
            return response

        site.server.answer = drips
        status = await site.act()
        assert (status["state"], status["kind"]) == (State.FAILED, "slow"), status
