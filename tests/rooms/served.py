"""Servers of a few handlers, for what misbehaves as no host of ours would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from yarl import URL

from appliance.rooms.signalling import Signalling


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[tuple[aiohttp.ClientSession, Signalling]]:
    """``app`` on this machine, and its room "main" as a member finds it."""
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield http, Signalling(http, URL(f"http://127.0.0.1:{runner.addresses[0][1]}"), "main")
    finally:
        await runner.cleanup()
