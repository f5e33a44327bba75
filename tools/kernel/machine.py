"""The guest as the host sees it: QEMU, its monitor, and jobs that run inside."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tools.kernel import fetch, initrd, ticks
from tools.kernel.agent import ASKS, JOBS
from tools.kernel.asked import LATE, Finished, JobError, ask
from tools.kernel.audio_class import CardModel
from tools.kernel.channel import Channel, readable
from tools.kernel.usb_card import UsbCard, UsbCards
from tools.system import find

QEMU = "qemu-system-x86_64"
BOOT = 600.0
"""Seconds until the guest answers: 20 on a quiet machine, 90 where ten others want the same processor."""
_PORTS = ("qmp", "jobs", "asks")
ALLOWED = frozenset({"device_add", "device_del", "qom-get", "qom-set", "query-status"})
"""What a job may ask of QEMU: not the host's files."""
USB_BUS = "usb.0"
SOUND = "sound"
"""For ``plug("usb-audio", name, bus=USB_BUS, audiodev=SOUND)``: a device that plays into nothing, in real time."""

Result = TypeVar("Result")


class GuestError(Exception):
    """The guest did not do what was asked; with what it said."""


def missing() -> str:
    """Why there can be no guest here, one sentence; "" if there can."""
    if os.uname().machine != "x86_64":
        return "the guest runs the host's own programs on QEMU's q35: x86_64 only"
    absent = [name for name in (QEMU, "modprobe", "depmod") if find(name) is None]
    return f"missing {', '.join(absent)}: python3 -m tools.system kernel" if absent else ""


class Machine:
    """A running guest; ``with Machine() as machine:``. Not for several threads.

    Its root is the host's /, read only, with an overlay in memory. Linux has virtio, overlay and 9p loaded and finds the
    other modules by ``modprobe``; there is a USB 3 controller (:data:`USB_BUS`) and neither network nor udev nor systemd.

    **Its time is its own.** The processor is emulated and counted: a nanosecond an instruction. While the host has other
    things to do the guest's clock stands still, so that what is late in the guest was late by what it did itself. Its clock
    never runs faster than the host's.

    :param options: more words for QEMU's command line.
    :param cards: USB sound cards of ours by name; not plugged in yet. Also a job may plug them (tools/kernel/guest.py).
    :param echo: called with what jobs say, as it comes.
    """

    def __init__(
        self,
        options: Sequence[str] = (),
        *,
        cards: Mapping[str, CardModel] | None = None,
        memory_mib: int = 1024,
        echo: Callable[[str], object] | None = None,
    ) -> None:
        self._options, self._memory, self._echo = tuple(options), memory_mib, echo
        self._process: subprocess.Popen[bytes] | None = None
        self._ends: dict[str, Channel] = {}
        self._folder = Path()
        self._models = dict(cards or {})
        self._stack = contextlib.ExitStack()
        self.cards: dict[str, UsbCard] = {}
        """Those of ``cards``, while the guest runs."""
        self.release = ""
        """The guest's kernel."""
        self.boot_seconds = 0.0

    def __enter__(self) -> Self:
        """Boot.

        :raises KernelMissingError: there is no kernel to boot.
        :raises GuestError: it does not come up.
        """
        kernel, began = fetch.kernel(), time.monotonic()
        self._folder = Path(tempfile.mkdtemp(prefix="kontor-guest-"))
        try:
            self._start(kernel)
            hello = self._greeting()
        except BaseException:
            self._end()
            raise
        self.release, self.boot_seconds = hello["ready"], time.monotonic() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(self, command: Sequence[str], *, seconds: float = 60.0, cwd: Path = fetch.ROOT) -> Finished:
        """Run a command in the guest as root, alone; it and all its children end with it or after ``seconds`` of the guest's.

        :raises GuestError: its time is up, or the guest is gone.
        """
        order = {"run": list(command), "cwd": str(cwd), "seconds": seconds}
        try:
            return ask(self._jobs.send, self._message, order, seconds, self._echo)
        except JobError as error:
            raise GuestError(f"{command[0]} in the guest {error}\n{self.console()}") from error

    def call(self, function: Callable[..., Result], *arguments: Any, seconds: float = 60.0) -> Result:
        """Call a function of a module in the guest, in a Python of its own; arguments and result must survive JSON.

        :raises GuestError: it raised, with its traceback, or its time is up.
        """
        place = f"{function.__module__}:{function.__name__}"
        done = self.run(
            [sys.executable, "-m", "tools.kernel.job", place, json.dumps(arguments)],
            seconds=seconds,
        )
        if done.code or done.result is None:
            raise GuestError(f"{place} failed in the guest:\n{done.output}")
        result: Result = json.loads(done.result)
        return result

    def monitor(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Have QEMU do something (QMP); gives its answer. A device that is pulled out is gone when this returns."""
        qmp = self._ends["qmp"]
        qmp.send({"execute": command, "arguments": arguments})
        answer = self._until(qmp, {"return", "error"})
        if command == "device_del" and "return" in answer:
            self._until(qmp, {"event"}, "DEVICE_DELETED")
        return answer

    def console(self, lines: int = 30) -> str:
        """The last lines that the guest's kernel and QEMU wrote."""
        path = self._folder / "console"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    @property
    def _jobs(self) -> Channel:
        return self._ends["jobs"]

    def _message(self, end: float) -> dict[str, Any] | None:
        """The next message of the job; what it asks of QEMU meanwhile is done."""
        asks = self._ends["asks"]
        while not self._jobs.waits and (left := end - time.monotonic()) > 0:
            ready = readable([self._jobs.fileno(), asks.fileno()], left)
            if asks.fileno() in ready and (ask := asks.receive(0)):
                asks.send(self._answer(ask))
            if self._jobs.fileno() in ready:
                break
        return self._jobs.receive(max(0.0, end - time.monotonic()))

    def _answer(self, ask: dict[str, Any]) -> dict[str, Any]:
        """Do what a job asks for."""
        command, arguments = str(ask.get("execute")), ask.get("arguments", {})
        if card := self.cards.get(arguments.get("card", "")):
            match command:
                case "plug":
                    card.plug()
                case "unplug":
                    card.unplug()
                case _:
                    card.hear(str(arguments.get("what")))
            return {"return": {}}
        if command not in ALLOWED:
            return {"error": {"desc": f"not for guests; {', '.join(sorted(ALLOWED))} are"}}
        return self.monitor(command, **arguments)

    def _until(self, qmp: Channel, kinds: Iterable[str], event: str = "") -> dict[str, Any]:
        end = time.monotonic() + LATE
        while message := qmp.receive(max(0.0, end - time.monotonic())):
            if any(kind in message for kind in kinds) and (not event or message.get("event") == event):
                return message
        raise GuestError("QEMU's monitor does not answer")

    def _greeting(self) -> dict[str, Any]:
        """What the guest says first."""
        try:
            self._until(self._ends["qmp"], {"QMP"})
            self.monitor("qmp_capabilities")
            hello = self._jobs.receive(BOOT)
        except EOFError as error:
            raise GuestError(f"QEMU ended while the guest came up:\n{self.console()}") from error
        if hello is None:
            raise GuestError(f"the guest did not come up within {BOOT:.0f} s:\n{self.console()}")
        return hello

    def _start(self, kernel: fetch.Kernel) -> None:
        (self._folder / "initrd").write_bytes(initrd.build(kernel))
        ends: dict[str, int] = {}
        with contextlib.ExitStack() as stack, (self._folder / "console").open("wb") as console:
            ours: dict[str, socket.socket] = {}
            clock = ["ticks"] if self._models else []
            for name in (*_PORTS, *clock, *self._models):
                ours[name], theirs = socket.socketpair()
                ends[name] = stack.enter_context(theirs).fileno()
            self._ends = {name: Channel(ours[name].detach()) for name in _PORTS}
            self.cards = {name: UsbCard(model, ours[name]) for name, model in self._models.items()}
            if self.cards:
                self._stack.enter_context(UsbCards(self.cards, ours["ticks"]))
            self._process = subprocess.Popen(
                self._command(kernel, ends),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                pass_fds=list(ends.values()),
            )

    def _command(self, kernel: fetch.Kernel, fds: dict[str, int]) -> list[str]:
        chardevs = [word for name, fd in fds.items() for word in ("-chardev", f"socket,id={name},fd={fd}")]
        ports = [
            word
            for name, port in (("jobs", JOBS), ("asks", ASKS), ("ticks", ticks.PORT))
            if name in fds
            for word in ("-device", f"virtserialport,chardev={name},name={port}")
        ]
        return [
            *(find(QEMU) or QEMU, "-machine", "q35", "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=on"),
            *("-cpu", "max,la57=off", "-smp", "1", "-m", str(self._memory)),
            *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"),
            *("-kernel", str(kernel.image), "-initrd", str(self._folder / "initrd")),
            *("-append", "console=ttyS0 quiet loglevel=4 panic=-1 random.trust_cpu=on"),
            *("-virtfs", f"local,path=/,mount_tag={initrd.TAG},security_model=none,readonly=on,multidevs=remap"),
            *chardevs,
            *("-mon", "chardev=qmp,mode=control", "-device", "virtio-serial", *ports),
            *("-device", f"qemu-xhci,id={USB_BUS.removesuffix('.0')}", "-audiodev", f"none,id={SOUND}"),
            *(
                word
                for name in self._models
                for word in ("-device", f"usb-redir,id={name},chardev={name},bus={USB_BUS}")
            ),
            *self._options,
        ]

    def _end(self) -> None:
        """Let the guest power off; QEMU ends with it, or is ended."""
        self._stack.close()
        self.cards.clear()
        for channel in self._ends.values():
            channel.close()
        self._ends.clear()
        if self._process:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
