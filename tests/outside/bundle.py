"""CommonJS packages as one script for a page, which is all that these clients need of a bundler."""

import json
import posixpath
import re
from collections.abc import Collection
from functools import partial
from pathlib import Path

_REQUIRE = re.compile(r"""\brequire\((["'])([^"']+)\1\)""")


def bundle(modules: Path, names: Collection[str], without: Collection[str] = ()) -> str:
    """A script that puts the packages ``names`` on ``window.packages``; what is ``without`` is an empty package."""
    sources: dict[str, str] = {}
    waiting = [_file(modules, name) for name in names]
    while waiting:
        path = waiting.pop()
        if path in sources:
            continue
        here = posixpath.dirname(path)
        text = (modules / path).read_text()
        for _, wanted in _REQUIRE.findall(text):
            target = _target(modules, here, wanted, without)
            if target:
                waiting.append(target)
        sources[path] = _REQUIRE.sub(partial(_required, modules, here, without), text)
    parts = [f"{json.dumps(path)}: (module, exports, require) => {{{text}\n}}" for path, text in sources.items()]
    starts = [f"{json.dumps(name)}: require({json.dumps(_file(modules, name))})" for name in names]
    return (
        f"(() => {{ const sources = {{{', '.join(parts)}}}; const made = {{'': {{exports: {{}}}}}};"
        "const require = (path) => {"
        "  if (!(path in made)) { made[path] = {exports: {}}; sources[path](made[path], made[path].exports, require); }"
        "  return made[path].exports; };"
        f"window.packages = {{{', '.join(starts)}}}; }})();"
    )


def _required(modules: Path, here: str, without: Collection[str], found: re.Match[str]) -> str:
    return f"require({json.dumps(_target(modules, here, found[2], without))})"


def _target(modules: Path, here: str, wanted: str, without: Collection[str]) -> str:
    if wanted in without:
        return ""
    return (
        _with_ending(modules, posixpath.normpath(posixpath.join(here, wanted)))
        if wanted[0] == "."
        else _file(modules, wanted)
    )


def _file(modules: Path, package: str) -> str:
    """The main file of a package."""
    told = json.loads((modules / package / "package.json").read_text())
    return _with_ending(modules, posixpath.normpath(posixpath.join(package, told.get("main", "index.js"))))


def _with_ending(modules: Path, path: str) -> str:
    for ending in ("", ".js", "/index.js"):
        if (modules / (path + ending)).is_file():
            return path + ending
    raise FileNotFoundError(path)
