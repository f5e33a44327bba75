"""Data centre and sound server in a process of their own, so that they can be killed, for the contract suite.

Reads its configuration as JSON from standard input, writes its port as one line of JSON, and serves until it is ended.
"""

import asyncio
import json
import signal
import sys
from typing import Any

from tests.telegram.data_centre import DataCentre
from tests.telegram.people import Group, Person


def world(given: dict[str, Any]) -> DataCentre:
    """Everybody is a member of every group but those who are in ``outside``; the first person is the admin."""
    people = [Person(number, name, name.capitalize()) for number, name in enumerate(given["people"], 1)]
    for person in people:
        person.fault = tuple(fault) if (fault := given["faults"].get(person.username)) else None
    inside = {person.id for person in people if person.username not in given["outside"]}
    groups = [
        Group(number, name, f"Group {name}", set(inside), {people[0].id})
        for number, name in enumerate(given["groups"], 1000)
    ]
    return DataCentre(given["host"], people, groups, given["secret"])


async def main() -> None:
    given = json.load(sys.stdin)
    centre = world(given)
    for group in centre.groups.values():
        centre.start_call(group)
    await centre.start(given["port"])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"port": centre.port}), flush=True)
    await stop.wait()
    await centre.stop()


if __name__ == "__main__":
    asyncio.run(main())
