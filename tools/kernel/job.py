"""One function of the guest: ``python -m tools.kernel.job module:function '[arguments]'``; its result goes to the host."""

from __future__ import annotations

import importlib
import json
import sys

from tools.kernel.agent import RESULT


def main(arguments: list[str]) -> None:
    """Call it, and leave what it gives where the agent fetches it."""
    place, values = arguments
    module, _, name = place.partition(":")
    RESULT.write_text(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(values))))


if __name__ == "__main__":
    main(sys.argv[1:])
