"""Pins for gpiozero by libgpiod 2: lines of a GPIO chip as Linux offers them to programs (/dev/gpiochipN).

gpiozero's own factories need lgpio, which has no wheels for the Python of our image (decision 0110). This one does what the
panel needs and no more: inputs with pull and edges, outputs. One thread reads the edges of all lines.
"""

import errno
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiozero.exc import PinInvalidFunction, PinPWMUnsupported, PinSetInput
from gpiozero.pins import PinInfo
from gpiozero.pins.pi import PiFactory, PiPin

from appliance.panel.lines import Failed

CONSUMER = "kontor"
"""As gpioinfo(1) names whoever has a line."""

_BIAS = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "floating": Bias.DISABLED}
_EDGES = {"both": Edge.BOTH, "rising": Edge.RISING, "falling": Edge.FALLING, "none": Edge.NONE}
_FORTY_PINS = 0xC03114
"""gpiozero asks which board this is, for the pins of its header. They are the same on all boards that Kontor knows."""


class Reader:
    """The thread that waits for edges. It ends with :meth:`stop`, or tells ``failed`` why it has ended."""

    def __init__(self, failed: Failed) -> None:
        self._failed = failed
        self._poll = select.epoll()
        self._stopped = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll.register(self._stopped, select.EPOLLIN)
        self._calls: dict[int, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None

    def watch(self, file: int, call: Callable[[], None]) -> None:
        """Call ``call`` whenever there is something to read."""
        self._calls[file] = call
        self._poll.register(file, select.EPOLLIN)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="panel-lines", daemon=True)
            self._thread.start()

    def forget(self, file: int) -> None:
        """Watch it no longer."""
        if self._calls.pop(file, None):
            self._poll.unregister(file)

    def stop(self) -> None:
        """End the thread. Not to be called on it."""
        os.eventfd_write(self._stopped, 1)
        if self._thread is not None:
            self._thread.join()
        self._poll.close()
        os.close(self._stopped)

    def _run(self) -> None:
        try:
            while True:
                for file, _ in self._poll.poll():
                    if file == self._stopped:
                        return
                    if (call := self._calls.get(file)) is not None:
                        call()
        except Exception as error:  # noqa: BLE001 - whatever it is, a panel that hears nothing has to be told
            self._failed(error)


class GpiodPin(PiPin):
    """One line. It is claimed when it is first used, and changed from then on without being let go."""

    def __init__(self, factory: "GpiodFactory", info: PinInfo) -> None:
        super().__init__(factory, info)
        self._line = int(info.name.removeprefix("GPIO"))
        self._function, self._pull, self._edges, self._watched = "input", "floating", "both", False
        self._request: gpiod.LineRequest | None = None

    def close(self) -> None:
        """Let the line go."""
        request, self._request = self._request, None
        if request is not None:
            self.factory.reader.forget(request.fd)
            request.release()

    def output_with_state(self, state: bool) -> None:
        """Make it an output that has its level from the first moment on."""
        self._function = "output"
        self._configure(Value.ACTIVE if state else Value.INACTIVE)

    def _configure(self, value: Value = Value.INACTIVE) -> gpiod.LineRequest:
        if self._function == "output":
            settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=value)
        else:
            edges = _EDGES[self._edges] if self._watched else Edge.NONE
            settings = gpiod.LineSettings(direction=Direction.INPUT, bias=_BIAS[self._pull], edge_detection=edges)
        if self._request is None:
            self._request = self._claim(settings)
        else:
            self._request.reconfigure_lines({self._line: settings})
        return self._request

    def _claim(self, settings: gpiod.LineSettings) -> gpiod.LineRequest:
        chip: gpiod.Chip = self.factory.chip
        try:
            return chip.request_lines({self._line: settings}, consumer=CONSUMER)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            user = chip.get_line_info(self._line).consumer
            raise OSError(errno.EBUSY, f'"{user}" has it' if user else "another program has it") from error

    def _claimed(self) -> gpiod.LineRequest:
        return self._request or self._configure()

    def _read(self) -> None:
        request = self._request
        if request is None:
            return
        try:
            events = request.read_edge_events()
        except gpiod.RequestReleasedError:  # another thread has let it go meanwhile: no error of the line's
            return
        for event in events:
            self._call_when_changed(event.timestamp_ns / 1e9, event.event_type is event.Type.RISING_EDGE)

    # What gpiozero's properties are made of.

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(value)
        if value != self._function:
            self._function = value
            self._configure()

    def _get_state(self) -> bool:
        return self._claimed().get_value(self._line) is Value.ACTIVE

    def _set_state(self, value: float) -> None:
        if self._function == "input":
            raise PinSetInput(f"{self.info.name} is an input")
        self._claimed().set_value(self._line, Value.ACTIVE if value else Value.INACTIVE)

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        self._pull = value
        self._configure()

    def _get_frequency(self) -> None:
        return None

    def _set_frequency(self, value: float | None) -> None:
        if value is not None:
            raise PinPWMUnsupported(f"{self.info.name} is a plain line")

    def _get_bounce(self) -> None:
        return None  # contacts debounces: here an edge must not wait

    def _set_bounce(self, value: float | None) -> None:
        if value is not None:
            raise PinInvalidFunction("lines tell every edge at once")

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        self._edges = value
        if self._watched:
            self._configure()

    def _enable_event_detect(self) -> None:
        self._watched = True
        self.factory.reader.watch(self._configure().fd, self._read)

    def _disable_event_detect(self) -> None:
        self._watched = False
        if self._request is not None:
            self.factory.reader.forget(self._request.fd)
            self._configure()


class GpiodFactory(PiFactory):
    """The lines of one chip.

    :param failed: told on the reader's thread when that has ended by an error.
    :raises OSError: there is no such chip, or it is not ours to open.
    """

    def __init__(self, chip: Path, failed: Failed) -> None:
        super().__init__()
        self.pin_class = GpiodPin
        self.chip = gpiod.Chip(str(chip))
        self.reader = Reader(failed)

    def close(self) -> None:
        """Let all of it go."""
        self.reader.stop()
        super().close()
        self.chip.close()

    def ticks(self) -> float:
        """Seconds, as edges are stamped."""
        return time.monotonic()

    def ticks_diff(self, later: float, earlier: float) -> float:
        """Seconds between two of them."""
        return later - earlier

    def _get_revision(self) -> int:
        return _FORTY_PINS
