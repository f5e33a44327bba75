"""Outside clients that are processes of their own: each tells what happens in lines of JSON, and ends with its input."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support import until
from tests.support.need import need


class Client:
    """A running client, and what it told so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.told.append(json.loads(line))

    async def tells(self, what: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until it has told something that is ``what``."""
        await until(lambda: any(what(message) for message in self.told), 20)

    async def stop(self) -> None:
        """End its input, and wait for its own end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5)
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._reading

    def status_of(self, method: str) -> set[int]:
        """The statuses of its requests of a kind."""
        return {message["status"] for message in self.told if message.get("method") == method}


@asynccontextmanager
async def node(script: str, *arguments: object) -> AsyncIterator[Client]:
    """A script beside this file, run by node; ended when left."""
    program = need("node", "node runs this client")
    path = Path(__file__).with_name(script)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(program, path, *map(str, arguments), stdin=pipe, stdout=pipe)
    client = Client(process)
    try:
        yield client
    finally:
        await client.stop()
