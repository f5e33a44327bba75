from collections.abc import Callable
from typing import Any

def scan(f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, *, unroll: int = ...) -> tuple[Any, Any]: ...
