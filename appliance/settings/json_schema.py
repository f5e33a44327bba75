"""The settings as JSON Schema (2020-12), for editors that complete and check TOML."""

from typing import Any

from appliance.settings.migrations import SCHEMA
from appliance.settings.model import Settings
from appliance.settings.setting import Items, Section, Setting, members


def json_schema() -> dict[str, object]:
    """The schema of one settings file."""
    whole = _table(Settings, "The settings of Kontor.")
    number = {"const": SCHEMA, "description": "Which set of keys this file was written for."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Kontor",
        **whole,
        "properties": {"schema": number, **whole["properties"]},
        "required": ["schema"],
    }


def _table(cls: type[Any], about: str) -> dict[str, Any]:
    known = members(cls)
    table: dict[str, Any] = {
        "type": "object",
        "description": about,
        "additionalProperties": False,
        "properties": {name: _member(member) for name, member in known.items()},
    }
    required = [name for name, member in known.items() if isinstance(member, Setting) and member.required]
    return {**table, "required": required} if required else table


def _member(member: Setting | Section | Items) -> dict[str, object]:
    if isinstance(member, Section):
        return _table(member.cls, member.about)
    if isinstance(member, Items):
        return {"type": "array", "description": member.about, "items": _table(member.cls, member.about)}
    unit = f" In {member.unit}." if member.unit else ""
    schema: dict[str, object] = {**member.kind.json_schema(), "description": member.about + unit}
    default = None if member.required else member.kind.plain(member.default)
    if default is not None:
        schema["default"] = default
    return {**schema, "x-effect": member.effect.value, "x-secret": member.kind.secret}
