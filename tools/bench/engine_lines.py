"""How bench-engines talks with processes that it starts: commands are lines of JSON on standard input, each has one answer."""

import asyncio
import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

Command = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds after which an answer is not waited for."""


class Failed(Exception):
    """A process did not do what it was asked; the text says what it told."""


async def serve(commands: Mapping[str, Command]) -> None:
    """Answer commands until standard input ends. What fails is told as ``error``."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        asked = json.loads(line)
        try:
            answer = await commands[asked["do"]](asked)
        except Exception as error:  # noqa: BLE001  # whoever asked decides what becomes of it
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class Process:
    """A process that answers. What it says besides goes to ``log``."""

    def __init__(self, module: str, given: object, log: Path, inside: Sequence[str] = ()) -> None:
        command = [*inside, sys.executable, "-m", module]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, cwd=ROOT, env=environment
            )
        self.pid = self._process.pid
        try:
            self.ask("begin", given=given)
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, command: str, /, **about: Any) -> Mapping[str, Any]:
        """One command and its answer.

        :raises Failed: it says so, is gone, or says nothing.
        """
        self.tell(command, **about)
        return self.answer()

    def tell(self, command: str, /, **about: Any) -> None:
        """A command whose :meth:`answer` is waited for later."""
        pipe = self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            if pipe is not None:
                pipe.write(json.dumps({"do": command, **about}).encode() + b"\n")
                pipe.flush()

    def answer(self, patience: float = PATIENCE) -> Mapping[str, Any]:
        """To the oldest command that has none.

        :raises Failed: it says so, is gone, or says nothing.
        """
        pipe = self._process.stdout
        if pipe is None or not select.select([pipe], [], [], patience)[0]:
            raise Failed("it did not answer")
        line = pipe.readline()
        if not line:
            raise Failed("its process ended")
        said: Mapping[str, Any] = json.loads(line)
        if "error" in said:
            raise Failed(str(said["error"]))
        return said

    def end(self) -> None:
        """Its input ends, and so does it; if not, it is killed."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
