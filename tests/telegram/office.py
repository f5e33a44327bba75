"""One group with four members, and devices of theirs, for tests of the Telegram engine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from appliance.rooms.telegram import TelegramEngine
from appliance.rooms.telegram_account import Login
from appliance.rooms.telegram_stay import TelegramSettings
from tests.contract.rig import Rig
from tests.telegram.data_centre import DataCentre
from tests.telegram.people import Call, Group, Person

GROUP = 1000
API_HASH = "SECRET0123456789abcdef"


@contextlib.asynccontextmanager
async def world(host: str, *, call: bool = True) -> AsyncIterator[DataCentre]:
    """One group with four members, of whom the first is its admin."""
    people = [Person(n, name, name.capitalize()) for n, name in enumerate(("ada", "friend", "kontor", "other"), 1)]
    group = Group(GROUP, "office", "Office", {person.id for person in people}, {1})
    centre = DataCentre(host, people, [group])
    await centre.start()
    if call:
        centre.start_call(group)
    try:
        yield centre
    finally:
        await centre.stop()


def settings(centre: DataCentre, who: int = 3, number: int = 0, **changed: Any) -> TelegramSettings:
    login = Login(1, API_HASH, centre.session(who, number))
    given = TelegramSettings(login, "@office", centre.people[who].username, centre.people[who].name)
    return replace(given, **changed)


def rig_of(given: TelegramSettings) -> Rig:
    return Rig(TelegramEngine(given, rng=lambda: 0.5), given.identity)


@contextlib.asynccontextmanager
async def inside(*rigs: Rig, wait: bool = True) -> AsyncIterator[None]:
    try:
        await asyncio.gather(*(rig.start(wait=False) for rig in rigs))
        if wait:
            await asyncio.gather(*(rig.in_room(30) for rig in rigs))
        yield
    finally:
        await asyncio.gather(*(rig.stop() for rig in rigs))


def the_call(centre: DataCentre) -> tuple[Group, Call]:
    group = centre.groups[GROUP]
    assert group.call is not None
    return group, group.call


def asked(centre: DataCentre, name: str) -> int:
    return sum(type(request).__name__ == f"{name}Request" for request in centre.seen)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
