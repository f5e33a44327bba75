"""A device under test: the machine, and functions of :mod:`tests.image.inside` that run in it as root."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.image.parcel import PLACE
from tools.image.qemu import BOOT, Machine, MachineError
from tools.kernel.agent import JOBS
from tools.kernel.asked import Finished, JobError, ask
from tools.kernel.channel import Channel

Result = TypeVar("Result")
_PYTHON = ("/usr/bin/python3", "-m")


class Device:
    """Use it while the machine runs. As long as nothing is asked, all that runs of the test is a program that waits.

    :param machine: with a port of the name :data:`tools.kernel.agent.JOBS`.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)

    def greeted(self, seconds: float = BOOT) -> None:
        """Wait until it has started so far that it does what is asked.

        :raises MachineError: it does not start.
        """
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and self.machine.running:
                if (said := self._jobs.receive(1.0)) and "ready" in said:
                    return
        except EOFError:
            pass
        raise MachineError(f"the device did not start within {seconds:g} s; its last words:\n{self.machine.tail()}")

    def call(self, function: Callable[..., Result], *arguments: Any, seconds: float = 60.0) -> Result:
        """Call a function in the device; arguments and result must survive JSON.

        :param seconds: of the device's.
        :raises MachineError: it raised, with its traceback, or its time is up.
        """
        place = f"{function.__module__}:{function.__name__}"
        done = self._ask({"call": [place, list(arguments)]}, place, seconds)
        if done.code or done.result is None:
            raise MachineError(f"{place} failed in the device:\n{done.output}{done.raised}")
        result: Result = json.loads(done.result)
        return result

    def run(self, *command: str, seconds: float = 60.0) -> str:
        """Run a command in the device as root, and give what it says.

        :raises MachineError: its exit code is not 0.
        """
        order = {"run": list(command), "cwd": str(Path("/") / PLACE), "seconds": seconds}
        done = self._ask(order, command[0], seconds)
        if done.code:
            raise MachineError(f"{' '.join(command)} gave {done.code} in the device:\n{done.output}{done.raised}")
        return done.output

    def starts(self, module: str, *words: str) -> None:
        """Start a program of ours that goes on."""
        unit = f"kontor-test-{module.rpartition('.')[2]}"
        environment = f"--setenv=PYTHONPATH=/{PLACE}"
        self.run("systemd-run", "-q", f"--unit={unit}", environment, *_PYTHON, module, *words)

    def until(self, function: Callable[..., Any], *arguments: Any, seconds: float = BOOT, **wanted: Any) -> Any:
        """Call it until what it gives has this in it, or is true where nothing is wanted; seconds of the host's.

        :raises MachineError: it never is; with what it gave last.
        """
        end = time.monotonic() + seconds
        while True:
            got = self.call(function, *arguments)
            if all(got.get(key) == value for key, value in wanted.items()) if wanted else got:
                return got
            if time.monotonic() > end:
                raise MachineError(f"{function.__name__}{arguments} gave {got!r}; {wanted}; {self.machine.tail()}")
            time.sleep(1.0)

    @property
    def _jobs(self) -> Channel:
        return self.machine.ports[JOBS]

    def _ask(self, order: dict[str, Any], what: str, seconds: float) -> Finished:
        def receive(end: float) -> dict[str, Any] | None:
            return self._jobs.receive(max(0.0, end - time.monotonic()))

        try:
            return ask(self._jobs.send, receive, order, seconds)
        except JobError as error:
            raise MachineError(f"{what} in the device {error}\n{self.machine.tail()}") from error
