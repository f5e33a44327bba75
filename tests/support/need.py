"""Skips for missing things that could be installed, and their end in CI."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest


def need(what: object, reason: str) -> str:
    """Skip the test, or the file that is being imported, unless ``what`` is there; give its path (or "").

    ``what`` is the name of a program (``"chromium"``), of a module (``"module:playwright"``), a path, or anything else by
    its truth. With ``KONTOR_REQUIRE=all`` in the environment the skip is a failure: CI installs what it needs.
    """
    found = _find(what)
    if found is not None:
        return found
    if os.environ.get("KONTOR_REQUIRE") == "all":
        pytest.fail(f"missing, and KONTOR_REQUIRE=all: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def _find(what: object) -> str | None:
    match what:
        case str() if what.startswith("module:"):
            return "" if importlib.util.find_spec(what.removeprefix("module:")) else None
        case str():
            return shutil.which(what)
        case Path():
            return str(what) if what.exists() else None
        case _:
            return "" if what else None
