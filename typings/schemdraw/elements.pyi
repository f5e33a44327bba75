from typing import Any

def __getattr__(name: str) -> Any: ...  # elements are used by name, with words that differ for each
