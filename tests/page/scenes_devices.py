"""The devices page."""

import asyncio
import re

from tests.host.page.fleet import details, fleet, reported
from tests.host.page.mock_host import MockHost
from tests.host.page.visits import Visit
from tests.page.scenes import scene

_HERE = {"timezone_id": "Europe/London"}


async def devices(visit: Visit, path: str = "/devices/hamburg") -> None:
    """Open the page of a device."""
    tokens = "&".join(one.token for one in (visit.host, *visit.host.others))
    await visit.page.goto(f"http://localhost:{visit.host.port}{path}#{tokens}")
    await visit.page.locator('.devices[data-stage="list"]').wait_for()


@scene("devices-open", host=fleet, drawn=True, context=_HERE)
async def _open(visit: Visit) -> None:
    await devices(visit)
    for _ in range(3):
        await visit.host.speak(hamburg=-24)
        await visit.host.change("hamburg", site=reported(direction=48))
        await asyncio.sleep(0.2)


@scene("devices-closed", host=fleet, context=_HERE)
async def _closed(visit: Visit) -> None:
    await devices(visit)
    await visit.host.change("hamburg", site=reported("closed", ("switch", "quiet hours")), state="muted", muted=True)
    await visit.page.wait_for_timeout(300)


@scene("devices-in-trouble", host=fleet, context=_HERE)
async def _trouble(visit: Visit) -> None:
    await devices(visit)
    health = details()["health"] | {
        "loss_percent": 11.5,
        "dropouts_day": 24,
        "temperature_c": 84,
        "processor_percent": 96,
    }
    proof = details()["proof"] | {"violations": 2}
    bad = reported("closed", ("fault",), details=details(health=health, proof=proof))
    bad["lamps"] |= {"mic": "fast", "fault": "fast"}
    await visit.host.change("hamburg", site=bad, state="muted", muted=True)
    await visit.page.wait_for_timeout(300)


@scene("devices-without-details", host=fleet, context=_HERE)
async def _plain(visit: Visit) -> None:
    await devices(visit, "/devices/workshop")


def _nobody(host: MockHost) -> None:
    fleet(host)
    host.members = []


async def _bundle(visit: Visit) -> None:
    await devices(visit)
    await visit.page.locator("main .key", has_text=re.compile("Support bundle|Diagnosepaket")).first.click()
    await visit.page.locator("dialog[open] .bundle-words").wait_for()


@scene("bundle-waiting", host=fleet, resizes=False, context=_HERE)
async def _bundle_waiting(visit: Visit) -> None:
    await _bundle(visit)
    await visit.page.locator(".bundle-words", has_text="1 s").wait_for()


def _packed(host: MockHost) -> None:
    fleet(host)
    host.bundle = b"\x1f\x8bpacked"


@scene("bundle-ready", host=_packed, resizes=False, context=_HERE)
async def _bundle_ready(visit: Visit) -> None:
    await _bundle(visit)
    await visit.page.locator(".bundle-words", has_text="kontor-hamburg.tar.gz").wait_for()


def _no_bundle(host: MockHost) -> None:
    fleet(host)
    host.bundle_refuse = "device_away"


@scene("bundle-refused", host=_no_bundle, resizes=False, context=_HERE)
async def _bundle_refused(visit: Visit) -> None:
    await _bundle(visit)
    await visit.page.locator("dialog[open] .sheet-body > button.key:enabled").wait_for()


@scene("devices-none", host=_nobody, context=_HERE)
async def _none(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/devices#{visit.host.token}")
    await visit.page.locator(".devices").wait_for()
    await visit.page.wait_for_timeout(500)


@scene("devices-server-away", context=_HERE)
async def _away(visit: Visit) -> None:
    await visit.page.route("**/rooms", lambda route: route.fulfill(status=502))
    await visit.page.goto(f"http://localhost:{visit.host.port}/devices")
    await visit.page.locator('.devices[data-stage="away"]').wait_for()


@scene("devices-no-admin", context=_HERE)
async def _no_admin(visit: Visit) -> None:
    await visit.page.goto(f"http://localhost:{visit.host.port}/devices#{visit.host.token}")
    await visit.page.locator(".devices").wait_for()
    await visit.page.wait_for_timeout(500)
