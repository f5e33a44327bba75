"""One guest for all tests of the services: a box that is device and server, in its room."""

from collections.abc import Iterator

import pytest

from tests.support.need import need
from tests.systemd.figures import FIGURES
from tests.systemd.guest import SERVICES, Guest, missing

SETTINGS = """schema = 1
[device]
name = "Amber"
[host]
enabled = true
listen = "127.0.0.1"
port = 8080
[[host.rooms]]
id = "main"
[audio]
backend = "virtual"
[panel]
kind = "virtual"
"""


def box() -> Guest:
    """The box, not yet started. Its panel is virtual, which our units do not allow by themselves."""
    need(not missing(), missing())
    guest = Guest(SETTINGS)
    guest.put(
        "usr/lib/systemd/system/kontor-sound.service.d/panel.conf",
        "[Service]\nEnvironment=KONTOR_VIRTUAL_PANEL=1\n",
    )
    for unit in ("kontor.target", "kontor-host.service"):
        guest.put(f"usr/lib/systemd/system/guest.target.d/{unit}.conf", f"[Unit]\nWants={unit}\n")
    return guest


def ready(guest: Guest) -> float:
    """From the start of the first service to READY of the last, seconds."""
    moments = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    found = [guest.show(f"kontor-{part}.service", *moments) for part in SERVICES]
    begins, ends = ([int(each[moment]) for each in found] for moment in moments)
    return (max(ends) - min(begins)) / 1e6


@pytest.fixture(scope="session")
def guest() -> Iterator[Guest]:
    """The box, in its room."""
    with box() as guest:
        guest.until_in_call(60)
        FIGURES.add(
            "systemd.ready_s", ready(guest), "s", note="four services at once, from the first start to the last READY"
        )
        yield guest
    FIGURES.write()
