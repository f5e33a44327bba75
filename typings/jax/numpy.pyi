from typing import Any

float32: Any

def __getattr__(name: str) -> Any: ...
