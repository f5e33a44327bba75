"""The documents that are made from the code: ``make docs`` writes them, ``make docs-check`` tells which are old.

Each is made by a module of its own with ``main(arguments)``: without arguments it writes, with ``--check`` it returns 1
when what lies there is not what it would write.
"""

import importlib
import sys

MODULES = ("tools.configuration_doc", "tools.controls_diagram", "tools.dependencies", "tools.measurements")


def main(arguments: list[str]) -> int:
    """Run every maker of documents; 1 when one of them says no."""
    old = [name for name in MODULES if importlib.import_module(name).main(arguments)]
    if old:
        print(f"kontor: not current, `make docs` mends it: what {', '.join(old)} makes")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
