# What we use of pyalsaaudio 0.11, which has no types of its own. Its argument names are its own too.

from typing import Any

PCM_CAPTURE: int
PCM_PLAYBACK: int
PCM_NORMAL: int
PCM_FORMAT_S16_LE: int

class ALSAAudioError(Exception): ...

class PCM:
    def __init__(
        self,
        type: int = ...,  # noqa: A002
        mode: int = ...,
        *,
        rate: int = ...,
        channels: int = ...,
        format: int = ...,  # noqa: A002
        periodsize: int = ...,
        periods: int = ...,
        device: str = ...,
    ) -> None: ...
    def info(self) -> dict[str, Any]: ...
    def read(self) -> tuple[int, bytes]: ...
    def write(self, data: bytes | bytearray | memoryview) -> int: ...
    def avail(self) -> int: ...
    def drop(self) -> None: ...
    def close(self) -> None: ...
