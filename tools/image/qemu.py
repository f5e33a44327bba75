"""A board that is none: QEMU's ``virt`` and its Raspberry Pi 3, with our image in its slot.

``with Machine(Hardware(Boot(…), drives=[Drive(image)])) as machine: machine.expect("login:")``. All is emulated: nothing here is
for timing, but what is ``counted``.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tools.kernel.channel import Channel
from tools.system import find

QEMU = "qemu-system-aarch64"
BOOT = 900.0
"""Seconds that a start may take: 60 on a quiet machine."""
_LOOK, _END, _ANSWER = 0.1, 15.0, 60.0

Board = Literal["virt", "raspi3b"]


class MachineError(Exception):
    """The machine did not do what was expected of it; with the last that it said."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What the machine starts: a kernel with its first file system, or a U-Boot that looks for them itself.

    :param kernel: what QEMU puts into memory: Linux, or on ``raspi3b`` U-Boot's u-boot.bin.
    :param firmware: what ``virt`` starts instead of a kernel: U-Boot of Debian's u-boot-qemu.
    :param initrd: of ``kernel``; may be several archives in one file.
    :param tree: device tree; on ``virt`` QEMU makes one of its own.
    :param words: the kernel's command line; with U-Boot on ``raspi3b`` it finds them in /chosen of the tree.
    """

    kernel: Path | None = None
    firmware: Path | None = None
    initrd: Path | None = None
    tree: Path | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Drive:
    """A disk with an image file in it, raw.

    :param bus: ``sd`` is the slot of ``raspi3b`` (its size must be a power of 2); ``usb`` and ``virtio`` are disks.
    :param log: records every write and flush there (dm-log-writes' format, QEMU's blklogwrites); the file is made anew.
    :param volatile: what is written is forgotten at the end.
    :param serial: by which udev names it, for ``virtio``.
    """

    path: Path
    bus: Literal["virtio", "sd", "usb"] = "virtio"
    log: Path | None = None
    volatile: bool = False
    serial: str = ""

    def options(self, name: str) -> list[str]:
        """QEMU's words for it."""
        read = {"driver": "raw", "file.driver": "file", "file.filename": str(self.path)}
        if self.log:
            inner = {f"file.{key}": value for key, value in read.items()}
            log = {"log.driver": "file", "log.filename": str(self.log)}
            read = {"driver": "blklogwrites", **inner, **log}
        # Without a record nobody asks what would be left after a crash of the host, and flushes are not waited for.
        rest = {"cache": "writeback" if self.log else "unsafe", "snapshot": "on" if self.volatile else "off"}
        words = {"if": "sd" if self.bus == "sd" else "none", "id": name, **read, **rest}
        drive = ["-drive", ",".join(f"{key}={_escaped(value)}" for key, value in words.items())]
        if self.bus == "sd":
            return drive
        device = "virtio-blk-pci" if self.bus == "virtio" else "usb-storage"
        serial = f",serial={self.serial}" if self.serial else ""
        return [*drive, "-device", f"{device},drive={name}{serial}"]


@dataclass(frozen=True, slots=True)
class Net:
    """The machine's cable: into a tap device (of the namespace that ``Machine(inside=…)`` enters), or into QEMU's own network.

    ``forwards`` are QEMU's (``tcp:127.0.0.1:2222-:22``), for its own network alone.
    """

    tap: str = ""
    forwards: Sequence[str] = ()
    mac: str = "52:54:00:4b:6f:01"

    def options(self, board: Board) -> list[str]:
        """QEMU's words for it."""
        forwards = "".join(f",hostfwd={one}" for one in self.forwards)
        end = f"tap,id=net0,ifname={self.tap},script=no,downscript=no" if self.tap else f"user,id=net0{forwards}"
        device = "virtio-net-pci,romfile=" if board == "virt" else "usb-net"
        return ["-netdev", end, "-device", f"{device},netdev=net0,mac={self.mac}"]


def missing() -> str:
    """Why there can be no such machine here, one sentence; "" if there can."""
    return "" if find(QEMU) else f"boards are emulated by {QEMU}: python3 -m tools.system boards"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the machine is made of.

    :param ports: names of virtio-serial ports (``virt``); on ``raspi3b`` each is an FTDI adapter on USB: :attr:`Machine.ports`.
    :param counted: one processor whose time is its instructions, a nanosecond each, but never faster than the host's. CPU time
        that the guest reports then is a number of instructions, whatever else the host does. Slower.
    :param reboots: whether it starts anew when the guest says so; else it ends.
    :param inside: words before QEMU's: ``ip netns exec NAME``.
    :param options: more words for QEMU.
    """

    boot: Boot
    board: Board = "virt"
    drives: Sequence[Drive] = ()
    net: Net | None = None
    ports: Sequence[str] = ()
    memory_mib: int = 1024
    processors: int = 2
    counted: bool = False
    reboots: bool = True
    inside: Sequence[str] = ()
    options: Sequence[str] = ()

    @property
    def consoles(self) -> int:
        """How many serial lines it has."""
        return 2 if self.board == "raspi3b" else 1

    def words(self, ends: Mapping[str, int]) -> list[str]:
        """QEMU's command line but for the serial lines; ``ends`` are file descriptors of "qmp" and of the ports."""
        return [
            *self.inside,
            find(QEMU) or QEMU,
            *self.processor(),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *([] if self.reboots else ["-no-reboot"]),
            *("-chardev", f"socket,id=qmp,fd={ends['qmp']}", "-mon", "chardev=qmp,mode=control"),
            *self._ports(ends),
            *self._start(),
            *(word for at, drive in enumerate(self.drives) for word in drive.options(f"drive{at}")),
            *(self.net.options(self.board) if self.net else []),
            *self.options,
        ]

    def processor(self) -> Iterator[str]:
        """QEMU's words for the board alone."""
        yield from ("-accel", f"tcg,thread={'single' if self.counted else 'multi'}")
        if self.counted:
            yield from ("-icount", "shift=0,sleep=on")
        if self.board == "raspi3b":
            yield from ("-M", "raspi3b")
            return
        processors = 1 if self.counted else self.processors
        yield from ("-M", "virt,acpi=off", "-cpu", "cortex-a72", "-smp", str(processors), "-m", str(self.memory_mib))
        yield from ("-device", "virtio-rng-pci", "-device", "qemu-xhci")

    def _ports(self, ends: Mapping[str, int]) -> Iterator[str]:
        if self.ports and self.board == "virt":
            yield from ("-device", "virtio-serial-pci")
        for name in self.ports:
            yield from ("-chardev", f"socket,id=port-{name},fd={ends[name]}")
            device = f"virtserialport,name={name}" if self.board == "virt" else "usb-serial"
            yield from ("-device", f"{device},chardev=port-{name}")

    def _start(self) -> Iterator[str]:
        boot = self.boot
        paths = {"-kernel": boot.kernel, "-bios": boot.firmware, "-initrd": boot.initrd, "-dtb": boot.tree}
        for option, path in paths.items():
            if path:
                yield from (option, str(path))
        if boot.words:
            yield from ("-append", boot.words)


class Machine:
    """A running board; ``with Machine(hardware) as machine:``. Not for several threads. At its end its power is cut."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        self._process: subprocess.Popen[bytes] | None = None
        self._qmp: Channel | None = None
        self._folder = Path()
        self._consoles: list[_Console] = []
        self.ports: dict[str, Channel] = {}
        """The host's ends of the ports, while it runs."""

    def __enter__(self) -> Self:
        """Switch it on.

        :raises MachineError: QEMU does not start.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="kontor-board-"))
        try:
            self._consoles = [_Console(self._folder, number) for number in range(self.hardware.consoles)]
            self._start()
            self._until("QMP")
            self.monitor("qmp_capabilities")
            for console in self._consoles:
                console.connect()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        for channel in (*self.ports.values(), *([self._qmp] if self._qmp else [])):
            channel.close()
        self.ports.clear()
        self._qmp = None
        for console in self._consoles:
            console.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def text(self) -> str:
        """All that came on its serial lines so far; one line after the other."""
        return "\n".join(console.text for console in self._consoles)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def expect(self, pattern: str, seconds: float = BOOT) -> re.Match[str]:
        """Wait until a serial line says this (multi-line), after what was expected before; seconds of the host's.

        :raises MachineError: it does not, or the machine ended.
        """
        end, wanted = time.monotonic() + seconds, re.compile(pattern, re.MULTILINE)
        while True:
            ended = not self.running
            for console in self._consoles:
                if found := console.find(wanted):
                    return found
            if ended or time.monotonic() > end:
                why = "ended" if ended else f"said for {seconds:g} s"
                raise MachineError(
                    f"the {self.hardware.board} {why} without {pattern!r}; its last words:\n{self.tail()}"
                )
            time.sleep(_LOOK)

    def tail(self, lines: int = 40) -> str:
        """The last lines of its serial lines, and what QEMU said."""
        told = [*(console.text for console in self._consoles), _text(self._folder / "qemu")]
        return "\n".join("\n".join(text.splitlines()[-lines:]) for text in told if text)

    def type(self, text: str) -> None:
        """Type on every serial line."""
        for console in self._consoles:
            console.type(text)

    def monitor(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Have QEMU do something (QMP) and give its answer; raises MachineError when it refuses, or is gone."""
        if self._qmp is None:
            raise MachineError("the machine does not run")
        with contextlib.suppress(OSError):  # told as it waits for the answer
            self._qmp.send({"execute": command, "arguments": arguments})
        answer = self._until("return", "error")
        if "error" in answer:
            raise MachineError(f"{command}: {answer['error'].get('desc')}")
        return answer

    def plug(self, connected: bool) -> None:
        """Put the network's cable in, or pull it out."""
        self.monitor("set_link", name="net0", up=connected)

    def wait(self, seconds: float = BOOT) -> None:
        """Wait until it has switched itself off (or wants to start anew and may not).

        :raises MachineError: it goes on.
        """
        if self._process is None:
            raise MachineError("the machine does not run")
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"the {self.hardware.board} is not off after {seconds:g} s:\n{self.tail()}") from error

    def cut(self) -> None:
        """Cut its power. What it had written is in its drives, and records are whole; nothing to do if it is off."""
        if self._process is None:
            return
        if self.running:
            with contextlib.suppress(MachineError):
                self.monitor("quit")
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def _until(self, *kinds: str) -> dict[str, Any]:
        end = time.monotonic() + _ANSWER
        try:
            while self._qmp and (message := self._qmp.receive(max(0.0, end - time.monotonic()))):
                if any(kind in message for kind in kinds):
                    return message
        except (EOFError, OSError) as error:
            raise MachineError(f"QEMU is gone:\n{self.tail()}") from error
        raise MachineError(f"QEMU's monitor does not answer:\n{self.tail()}")

    def _start(self) -> None:
        for drive in self.hardware.drives:
            if drive.log:
                drive.log.write_bytes(b"")
        with contextlib.ExitStack() as stack, (self._folder / "qemu").open("wb") as said:
            ends: dict[str, int] = {}
            for name in ("qmp", *self.hardware.ports):
                ours, theirs = socket.socketpair()
                ends[name] = stack.enter_context(theirs).fileno()
                channel = Channel(ours.detach())
                if name == "qmp":
                    self._qmp = channel
                else:
                    self.ports[name] = channel
            try:
                self._process = subprocess.Popen(
                    [*self.hardware.words(ends), *(word for console in self._consoles for word in console.options())],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    pass_fds=list(ends.values()),
                )
            except OSError as error:
                raise MachineError(f"QEMU does not start: {error}") from error


class _Console:
    """A serial line: QEMU writes what comes to a file. What is typed goes through a socket, which has all of it as well.

    QEMU waits, and the machine with it, when nobody reads what comes there: a thread does.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._name, self._read = f"serial{number}", 0
        self._log, self._place = folder / self._name, folder / f"typed{number}"
        self._typing: socket.socket | None = None

    def options(self) -> list[str]:
        place, log = _escaped(str(self._place)), _escaped(str(self._log))
        kind = f"socket,id={self._name},path={place},server=on,wait=off,logfile={log},logappend=off"
        return ["-chardev", kind, "-serial", f"chardev:{self._name}"]

    @property
    def text(self) -> str:
        return _text(self._log)

    def find(self, wanted: re.Pattern[str]) -> re.Match[str] | None:
        """The next match, which is then behind us."""
        if found := wanted.search(self.text, self._read):
            self._read = found.end()
        return found

    def connect(self) -> None:
        """Once QEMU is up."""
        self._typing = socket.socket(socket.AF_UNIX)
        self._typing.connect(str(self._place))
        threading.Thread(target=_emptied, args=(self._typing,), daemon=True).start()

    def type(self, text: str) -> None:
        if self._typing is None:
            raise MachineError("the machine does not run")
        self._typing.sendall(text.encode())

    def close(self) -> None:  # once QEMU has ended, and with it the thread's reading
        if self._typing:
            self._typing.close()


def _emptied(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while line.recv(1 << 16):
            ...


def _text(path: Path) -> str:
    return path.read_text(errors="replace").replace("\r", "") if path.exists() else ""


def _escaped(value: str) -> str:
    """A value among QEMU's options, which commas part."""
    return value.replace(",", ",,")
