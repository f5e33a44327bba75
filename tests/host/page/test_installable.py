"""The page installed: its manifest, its worker, and what is to be seen without a network."""

import asyncio
import json
import shutil
from pathlib import Path

from aiohttp import ClientSession

from appliance.host.pages import Pages
from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit, visiting
from tools.page_icons import ICONS, PAGE, draw, encode

OWN_WORKER = {"service_workers": "allow"}

ACTIVE = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return [registration.active.state, registration.scope, navigator.serviceWorker.controller !== null];
}"""

STORED = """async () => {
  const stores = {};
  for (const name of await caches.keys()) {
    const store = await caches.open(name);
    const told = async (request) => [request.url, await (await store.match(request)).text()];
    stores[name] = await Promise.all((await store.keys()).map(told));
  }
  return stores;
}"""


async def installed(visit: Visit) -> None:
    """Open, join, and wait for the worker, which comes with the first stay."""
    await visit.open()
    await visit.join()
    await visit.page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=15_000)


async def stored(visit: Visit) -> dict[str, list[tuple[str, str]]]:
    """What the worker keeps: address and text, by store."""
    return dict(await visit.page.evaluate(STORED))


def test_icons_are_those_that_are_drawn() -> None:
    for name, icon in ICONS.items():
        drawn = draw(icon)
        assert (PAGE / name).read_bytes() == encode(drawn), "python3 -m tools.page_icons"
        assert drawn.shape == (icon.side, icon.side, 4)
        middle = icon.side // 2
        assert tuple(drawn[middle, middle]) == (0x1A, 0x1A, 0x19, 255)
        assert (drawn[0, 0, 3] == 255) == (icon.corner == 0), "only what is cut by others has corners"
    ring = draw(ICONS["icon-maskable.png"])[:, 256]
    lit = [row for row, pixel in enumerate(ring) if tuple(pixel) == (0xED, 0xEB, 0xE6, 255)]
    assert lit and min(lit) > 0.1 * 512, "the mark is within what nobody cuts off"


def test_the_manifest_names_what_is_there() -> None:
    manifest = json.loads((PAGE / "kontor.webmanifest").read_text())
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == ("/", "/", "standalone")
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in manifest["icons"]:
        picture = (PAGE / icon["src"].removeprefix("/page/")).read_bytes()
        assert f"{int.from_bytes(picture[16:20])}x{int.from_bytes(picture[20:24])}" == icon["sizes"]


@visiting(**OWN_WORKER)
async def test_chromium_finds_nothing_that_keeps_it_from_being_installed(visit: Visit) -> None:
    await installed(visit)
    devtools = await visit.page.context.new_cdp_session(visit.page)
    manifest = await devtools.send("Page.getAppManifest")
    assert manifest["url"].endswith("/page/kontor.webmanifest")
    assert manifest["errors"] == []
    assert json.loads(manifest["data"])["name"] == "Kontor"
    found = (await devtools.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert [error["errorId"] for error in found if error["errorId"] != "in-incognito"] == []
    state, scope, controlled = await visit.page.evaluate(ACTIVE)
    assert state == "activated" and controlled
    assert scope == f"http://localhost:{visit.host.port}/"


@visiting(**OWN_WORKER)
async def test_before_the_first_stay_there_is_no_worker(visit: Visit) -> None:
    await visit.open()
    await visit.page.wait_for_timeout(500)
    assert await visit.page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0


@visiting(**OWN_WORKER)
async def test_only_the_pages_own_files_are_kept(visit: Visit) -> None:
    await installed(visit)
    await visit.page.reload()
    await visit.page.wait_for_function("() => document.querySelector('#count').textContent !== ''")
    await visit.host.speak(ben=-14)
    (store,) = (await stored(visit)).values()
    base = f"http://localhost:{visit.host.port}"
    assert {url for url, _ in store} >= {
        f"{base}/",
        f"{base}/page/main.js",
        f"{base}/page/style.css",
        f"{base}/page/icon-512.png",
    }
    for url, text in store:
        assert url == f"{base}/" or url.startswith(f"{base}/page/"), "no room, no token, no presence"
        assert visit.host.token not in url + text
        assert "Ben Adeyemi" not in text


@visiting(**OWN_WORKER)
async def test_without_a_network_the_page_is_there_and_says_so(visit: Visit) -> None:
    await installed(visit)
    port = visit.host.port
    await visit.host.stop()
    await visit.page.reload()
    await visit.page.wait_for_selector("#notice:not([hidden])", timeout=10_000)
    assert await visit.text("#notice b") == "No network."
    assert await visit.text("#notice .second") == "Trying again by itself."
    assert await visit.page.evaluate("location.pathname") == "/studio"
    ground = await visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground in ("rgb(230, 228, 222)", "rgb(17, 17, 16)"), "it has its style"
    await visit.host.start(port)
    await visit.page.wait_for_function(
        "() => document.querySelector('#count').textContent.endsWith(' here')", timeout=20_000
    )
    assert await visit.page.locator("#notice").is_hidden()


def with_another_room(host: MockHost) -> None:
    """An overview of two rooms, then."""
    host.add("workshop", "Workshop")


@visiting(host=with_another_room, **OWN_WORKER)
async def test_without_a_network_the_overview_says_so_in_each_room(visit: Visit) -> None:
    await visit.page.goto(visit.host.overview)
    await visit.page.wait_for_selector(".card")
    await installed(visit)
    await visit.host.stop()
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.page.wait_for_function(
        "() => document.body.innerText.split('No network.').length === 3", timeout=20_000
    )
    assert await visit.page.get_by_text("Trying again by itself.").count() == 2
    assert await visit.page.get_by_text("Empty", exact=True).count() == 0, "nothing is known of who is there"


def signed_in(host: MockHost) -> None:
    """A proxy has signed us in: there is no link."""
    host.named = host.token


@visiting(host=signed_in, **OWN_WORKER)
async def test_whom_a_proxy_names_waits_for_the_network_too(visit: Visit) -> None:
    address = f"http://localhost:{visit.host.port}/studio"
    await visit.page.goto(address)
    await visit.wait_text("#count", "5 here")
    await visit.join()
    await visit.page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=15_000)
    port = visit.host.port
    await visit.host.stop()
    await visit.page.reload()
    await visit.page.wait_for_selector("#notice:not([hidden])", timeout=10_000)
    assert await visit.text("#notice b") == "No network."
    await visit.host.start(port)
    await visit.page.wait_for_function(
        "() => document.querySelector('#count').textContent.endsWith(' here')", timeout=20_000
    )


@visiting(**OWN_WORKER)
async def test_a_proxy_whose_host_is_away_counts_as_no_network(visit: Visit) -> None:
    await installed(visit)
    visit.host.away = True
    await visit.page.reload()
    await visit.wait_text("#count", "5 here")


@visiting(**OWN_WORKER)
async def test_a_new_version_is_there_on_reload_and_the_old_one_goes(visit: Visit, tmp_path: Path) -> None:
    await installed(visit)
    (before,) = await stored(visit)
    newer = tmp_path / "page"
    shutil.copytree(PAGE, newer)
    index = newer / "index.html"
    index.write_text(index.read_text().replace("<body>", '<body data-newer="yes">'))
    visit.host.pages = Pages(newer)
    await visit.page.reload()
    assert await visit.page.get_attribute("body", "data-newer") == "yes", (
        "with a network nobody works with the page of yesterday"
    )
    async with asyncio.timeout(15):
        while list(found := await stored(visit)) == [before] or len(found) > 1:
            await asyncio.sleep(0.2)
    (kept,) = map(dict, found.values())
    assert "data-newer" in kept[f"http://localhost:{visit.host.port}/"], "and without one neither"


LAUNCHES = """
const setConsumer = (take) => { window.launch = (targetURL) => take({ targetURL }); };
Object.defineProperty(window, "launchQueue", { value: { setConsumer } });
"""


@visiting(script=LAUNCHES, **OWN_WORKER)
async def test_a_link_that_is_opened_in_the_window_ends_no_stay(visit: Visit) -> None:
    await installed(visit)
    base = f"http://localhost:{visit.host.port}"
    await visit.page.evaluate("(link) => launch(link)", f"{base}/studio#{visit.host.token}")
    await visit.own_is("muted")
    await visit.page.evaluate("(link) => launch(link)", f"{base}/workshop#e30.signature")
    await visit.page.wait_for_function("() => location.pathname === '/workshop'")
    assert await visit.page.get_attribute("body", "data-stay") == "away"
    assert not visit.host.deleted, "still in the room"


@visiting(script=LAUNCHES, **OWN_WORKER)
async def test_a_link_that_is_opened_outside_of_a_room_is_followed(visit: Visit) -> None:
    await installed(visit)
    await visit.page.click("#leave")
    await visit.own_is("join")
    link = f"http://localhost:{visit.host.port}/workshop#e30.signature"
    async with visit.page.expect_navigation():
        await visit.page.evaluate("(link) => launch(link)", link)
    assert await visit.page.evaluate("location.pathname") == "/workshop"


@visiting(**OWN_WORKER)
async def test_a_notification_of_the_worker_leads_to_its_room_and_ends_no_stay(visit: Visit) -> None:
    await installed(visit)
    (worker,) = visit.page.context.service_workers
    # Only a real press may bring the window to the front; that it goes there is to be seen without.
    await worker.evaluate("show({ close() {}, data: { path: '/workshop' } }).catch(() => {})")
    await visit.page.wait_for_function("() => location.pathname === '/workshop'")
    assert await visit.page.get_attribute("body", "data-stay") == "away"
    assert not visit.host.deleted, "still in the room"


async def test_what_is_no_file_of_the_page_is_not_in_the_workers_list(tmp_path: Path) -> None:
    files = {"index.html": "<p>", "main.js": "a = 1", "worker.js": "b = 2", "notes.txt": "secret", "types.d.ts": "x"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    first = await _line(Pages(tmp_path))
    assert first.endswith('SHELL=["/","/page/main.js"];')
    (tmp_path / "main.js").write_text("a = 2")
    assert await _line(Pages(tmp_path)) != first, "every change is another version"
    (tmp_path / "main.js").write_text("a = 1 // said otherwise")
    assert await _line(Pages(tmp_path)) == first, "but not one that is not served"


async def _line(pages: Pages) -> str:
    """The first line of the worker."""
    host = MockHost()
    host.pages = pages
    await host.start()
    try:
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{host.port}/worker.js") as response:
            return (await response.text()).splitlines()[0]
    finally:
        await host.stop()
