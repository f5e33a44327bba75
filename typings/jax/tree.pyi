from collections.abc import Callable
from typing import Any

def map(f: Callable[..., Any], tree: Any, *rest: Any) -> Any: ...
