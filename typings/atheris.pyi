# What we use of atheris 3.0, which has no types of its own.

from collections.abc import Callable
from contextlib import AbstractContextManager

def Setup(  # noqa: N802
    args: list[str],
    test_one_input: Callable[[bytes], object],
    *,
    custom_mutator: Callable[[bytes, int, int], bytes] = ...,
) -> list[str]: ...
def Fuzz() -> None: ...  # noqa: N802
def Mutate(data: bytes, max_size: int) -> bytes: ...  # noqa: N802
def instrument_imports(
    include: list[str] = ..., enable_loader_override: bool = ...
) -> AbstractContextManager[None]: ...
