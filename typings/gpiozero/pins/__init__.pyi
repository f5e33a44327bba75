from collections.abc import Callable

class PinInfo:
    name: str

class Pin:
    info: PinInfo
    function: str
    state: float
    pull: str
    edges: str
    when_changed: Callable[[float, float], None] | None

class Factory:
    def close(self) -> None: ...
    def pin(self, name: int) -> Pin: ...
