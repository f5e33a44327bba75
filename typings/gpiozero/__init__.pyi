from types import TracebackType
from typing import Self

from gpiozero.pins import Factory, Pin

class GPIODevice:
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    @property
    def pin(self) -> Pin: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...

class InputDevice(GPIODevice):
    def __init__(
        self,
        pin: int | None = None,
        *,
        pull_up: bool | None = False,
        active_state: bool | None = None,
        pin_factory: Factory | None = None,
    ) -> None: ...

class OutputDevice(GPIODevice):
    def __init__(
        self,
        pin: int | None = None,
        *,
        active_high: bool = True,
        initial_value: bool | None = False,
        pin_factory: Factory | None = None,
    ) -> None: ...
    value: float
