"""What a browser or a server withholds, and what a person takes away."""

from tests.host.page.visits import Visit
from tests.page.scenes import OWN_KEY_GROWS, scene
from tests.page.scenes_overview import overview, rooms


@scene(
    "room-microphone-failed",
    script='AudioContext.prototype.createMediaStreamSource = () => { throw new DOMException("", "InvalidStateError"); };',
    moves=OWN_KEY_GROWS,
)
async def _failed(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("failed")


@scene("overview-server-away")
async def _away(visit: Visit) -> None:
    await visit.page.route("**/rooms", lambda route: route.fulfill(status=502))
    await visit.page.goto(f"http://localhost:{visit.host.port}/")
    await visit.page.locator(".overview .none", has_text=".").wait_for()


@scene("overview-forget", host=rooms, resizes=False)
async def _forget(visit: Visit) -> None:
    await overview(visit)
    await visit.page.locator(".card").nth(3).hover()
    await visit.page.locator(".card .forget").nth(3).click()
    await visit.page.locator("dialog[open]").wait_for()
