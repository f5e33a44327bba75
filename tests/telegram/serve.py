"""Data centre and sound server in a process of their own, so that they can be killed, for the contract suite.

Reads its configuration as JSON from standard input, writes its port as one line of JSON, and serves until it is ended.
"""

import asyncio
import itertools
import json
import signal
import sys
from typing import Any

from tests.telegram.data_centre import DataCentre
from tests.telegram.people import Call, Group, Person, Seat

_FOR_EVER = 86_400.0


def world(given: dict[str, Any]) -> DataCentre:
    """Everybody is a member of every group but those who are in ``outside``; the first person is the admin."""
    talkers = [f"talker{number}" for number in range(max(given["talkers"], default=0))]
    people = [Person(n, name, name.capitalize()) for n, name in enumerate([*given["people"], *talkers], 1)]
    for person in people:
        person.fault = tuple(fault) if (fault := given["faults"].get(person.username)) else None
    inside = {person.id for person in people if person.username not in given["outside"]}
    groups = [
        Group(number, name, f"Group {name}", set(inside), {people[0].id})
        for number, name in enumerate(given["groups"], 1000)
    ]
    return DataCentre(given["host"], people, groups, given["secret"])


async def talk(call: Call, person: Person) -> None:
    """Sit in a voice chat without a connection of one's own, and say a tone."""
    source = 1_000_000 + person.id
    call.seats[person.id] = Seat(person, source, muted=False)
    await call.sfu.speak(source, 300.0 + 20 * person.id, _FOR_EVER)


async def main() -> None:
    given = json.load(sys.stdin)
    centre = world(given)
    talking = []
    for group, count in zip(
        centre.groups.values(), itertools.chain(given["talkers"], itertools.repeat(0)), strict=False
    ):
        call = centre.start_call(group)
        talking += [asyncio.create_task(talk(call, person)) for person in list(centre.people.values())[::-1][:count]]
    await centre.start(given["port"])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"port": centre.port}), flush=True)
    await stop.wait()
    for task in talking:
        task.cancel()
    await centre.stop()


if __name__ == "__main__":
    asyncio.run(main())
