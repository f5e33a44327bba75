"""The manifest of a bundle: TOML, signed as settings documents are (appliance/provisioning/publication.py).

.. code-block:: toml

    schema = 1
    version = "0.8.0"
    built = 1764201600
    boards = ["raspberrypi,4-model-b"]
    [index]
    file = "kontor-0.8.0-arm64.index"
    sha256 = "…"
    [blocks]
    file = "kontor-0.8.0-arm64.blocks"
    size = 104857600
    [boot]
    size = 50331648
    sha256 = "…"
    [root]
    …
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from appliance.core.documents import NotTaken, Why
from appliance.core.updating import BLOCK, HASH, PARTS, Bundle, Part

SCHEMA = 1
LARGEST_INDEX = 16 * 1024 * 1024
"""Bytes: of partitions of four gigabytes."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}")
_BOARD = re.compile(r"[0-9A-Za-z][0-9A-Za-z,._+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_BOARDS = 64


def hash_of(block: bytes | memoryview) -> bytes:
    """The hash of a block as an index has it."""
    return hashlib.blake2b(block, digest_size=HASH).digest()


def parse(content: bytes) -> Bundle:
    """What a genuine manifest says.

    :raises NotTaken: it is none that this version understands; DAMAGED.
    """
    try:
        table = tomllib.loads(content.decode())
        return _parse(table)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise NotTaken(Why.DAMAGED, f"The manifest is none that this version understands ({why}).") from None


def _parse(table: Mapping[str, Any]) -> Bundle:
    if table["schema"] != SCHEMA:
        raise ValueError(f"schema {table['schema']}")
    boards = table["boards"]
    if not isinstance(boards, list) or len(boards) > _MOST_BOARDS:
        raise ValueError("boards")
    bundle = Bundle(
        version=_text(table["version"], _VERSION),
        built=_number(table["built"]),
        boards=tuple(_text(each, _BOARD) for each in boards),
        index=_text(table["index"]["file"], _NAME),
        index_sha256=_text(table["index"]["sha256"], _SHA256),
        blocks=_text(table["blocks"]["file"], _NAME),
        blocks_size=_number(table["blocks"]["size"]),
        parts={name: Part(_number(table[name]["size"]), _text(table[name]["sha256"], _SHA256)) for name in PARTS},
    )
    if any(part.size % BLOCK or not part.size for part in bundle.parts.values()):
        raise ValueError("a partition is not made of whole blocks")
    if bundle.count * HASH > LARGEST_INDEX:
        raise ValueError("its index is too large")
    return bundle


def dump(bundle: Bundle) -> bytes:
    """The bytes of the manifest."""
    boards = ", ".join(f'"{board}"' for board in bundle.boards)
    lines = [f"schema = {SCHEMA}", f'version = "{bundle.version}"', f"built = {bundle.built}", f"boards = [{boards}]"]
    lines += ["", "[index]", f'file = "{bundle.index}"', f'sha256 = "{bundle.index_sha256}"']
    lines += ["", "[blocks]", f'file = "{bundle.blocks}"', f"size = {bundle.blocks_size}"]
    for name, part in bundle.parts.items():
        lines += ["", f"[{name}]", f"size = {part.size}", f'sha256 = "{part.sha256}"']
    return ("\n".join(lines) + "\n").encode()


def _text(value: object, pattern: "re.Pattern[str]") -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(repr(value)[:80])
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 48:
        raise ValueError(repr(value)[:80])
    return value
