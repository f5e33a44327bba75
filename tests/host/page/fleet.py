"""Six devices as the design's picture of the devices page shows them, told by the mock host."""

import time
from datetime import UTC, datetime
from typing import Any

from tests.host.page.mock_host import Message, MockHost, member, site
from tests.host.page.visits import Visit

HERE = {"timezone_id": "Europe/London"}
"""What a visit needs for the browser to stand at Greenwich."""

NOON = datetime(2026, 11, 27, 14, 30, tzinfo=UTC).timestamp()
"""The host's time when a visit begins; the browser is told that it stands at Greenwich."""
ADMIN = {"id": "mira", "name": "Mira Koch", "role": "admin", "kind": "person"}


def at(month: int, day: int, hour: int, minute: int = 0, second: int = 0) -> int:
    """Unix time of a moment in 2026."""
    return int(datetime(2026, month, day, hour, minute, second, tzinfo=UTC).timestamp())


def details(**more: Any) -> Message:
    """What a healthy device tells its admins."""
    return {
        "held": {
            "switch": [at(11, 27, 9, 12), at(11, 27, 9, 40)],
            "admin": [at(11, 3, 15), at(11, 3, 15, 20)],
            "door": [at(11, 27, 8, 1), at(11, 27, 8, 1, 20)],
            "quiet hours": [at(11, 26, 18), at(11, 27, 8)],
            "no audio": [at(11, 12, 10), at(11, 12, 10, 0, 2)],
            "starting": [at(11, 12, 9), at(11, 12, 9, 0, 4)],
        },
        "proof": {"violations": 0, "checked": 3_412_006, "since": at(11, 12, 9), "engine": "native"},
        "config": {"version": 41, "digest": "7f3a91c2", "signed_by": "ops-2", "applied": at(11, 27, 9, 2), "back_s": 4},
        "health": {
            "round_trip_ms": 24,
            "loss_percent": 0.2,
            "playout_ms": 46,
            "dropouts_day": 0,
            "processor_percent": 31,
            "temperature_c": 52,
        },
        "link": {"phase": "in_room", "since": at(11, 27, 9, 2)},
        "array": {"mics": [[-0.023, -0.023], [-0.023, 0.023], [0.023, -0.023], [0.023, 0.023]]},
        "direction_error": 3,
        "bundle": True,
    } | more


def reported(gate: str = "open", reasons: tuple[str, ...] = (), door: str = "open", **more: Any) -> Message:
    """A report with details; ``more`` takes the place of its other fields."""
    return site(gate, reasons) | {"door": door, "details": details()} | more


def devices() -> list[Message]:
    """Hamburg is well; an older one, one that reconnects, and closed doors are among the others."""
    lisbon = site("closed", ("switch",))
    listening = reported("closed", ("door",), "listening")
    shut = reported("closed", ("door",), "closed")
    shut["lamps"]["room"] = "off"
    return [
        member("hamburg", "Hamburg", 1, 11, kind="site", site=reported(direction=48)),
        member("lisbon", "Lisbon", 2, 3, kind="site", site=lisbon, state="connecting", muted=True),
        member("workshop", "Workshop", 3, 5, kind="site", site=site()),
        member("support", "Support desk", 4, 7, kind="site", site=listening, state="muted", muted=True),
        member("kitchen", "Kitchen", 5, 9, kind="site", site=reported()),
        member("board", "Board room", 6, 0, kind="site", site=shut, state="on_hold", muted=True),
    ]


def fleet(host: MockHost) -> None:
    """An admin looks at six devices."""
    host.you = dict(ADMIN)
    host.members = devices()
    host.clock = NOON - time.time()


async def look(visit: Visit, path: str = "/devices/hamburg", stage: str = "list") -> None:
    """Open the page at ``path`` with a key for every room, and wait until it shows something."""
    tokens = "&".join(one.token for one in (visit.host, *visit.host.others))
    await visit.page.goto(f"http://localhost:{visit.host.port}{path}#{tokens}")
    await visit.page.wait_for_selector(f'.devices[data-stage="{stage}"]', timeout=10_000)


async def rows(visit: Visit) -> list[list[str]]:
    """The list as it is read: name, place, MIC, ROOM."""
    read: list[list[str]] = await visit.page.locator(".device-list tbody tr").evaluate_all(
        """trs => trs.map(tr => [...tr.querySelectorAll("bdi, .second, td .reader")].map(n => n.textContent))"""
    )
    return read


async def facts(visit: Visit, where: str) -> dict[str, str]:
    """A list of terms and values."""
    read: dict[str, str] = await visit.page.locator(f"{where} dl > div").evaluate_all(
        """rows => Object.fromEntries(rows.filter(r => !r.hidden).map(r =>
             [r.querySelector("dt").textContent, r.querySelector("dd").textContent]))"""
    )
    return read
