"""The settings of a room in a Telegram group: ``[telegram]``."""

# ruff: noqa: RUF009  # setting() makes dataclass fields, they are no mutable defaults

import re
from dataclasses import dataclass, field

from appliance.settings.kinds import Flag, MaybeSecret, Whole
from appliance.settings.problems import Refused
from appliance.settings.secrets import SecretFile
from appliance.settings.setting import Effect, Where, setting

_LINK = r"(https?://)?(t|telegram)\.me/(\+|joinchat/)?[A-Za-z0-9_-]{3,64}"
_GROUP = rf"@?[A-Za-z][A-Za-z0-9_]{{3,31}}|-?[0-9]{{5,16}}|{_LINK}"
_SECRET_LINK = re.compile(r"\+|joinchat/")


def shown_group(group: str) -> str:
    """A group as status and logs may name it: not by a link that lets in whoever has it."""
    return "a group known by its link" if _SECRET_LINK.search(group) else group


@dataclass(frozen=True, slots=True)
class TelegramGroup:
    """A Telegram group as people name it, or "" for none."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(
        default='must be like @our_group, https://t.me/our_group, https://t.me/+AbCdEf or -1001234567890, or ""',
        init=False,
    )

    def convert(self, value: object, _where: Where, /) -> str:
        """The name as it is."""
        if not isinstance(value, str):
            hint = "Write it in quotes." if isinstance(value, int) and not isinstance(value, bool) else ""
            raise Refused(self.allowed, hint)
        if value and not re.fullmatch(_GROUP, value):
            raise Refused(self.allowed, hide=bool(_SECRET_LINK.search(value)))  # whoever has such a link is let in
        return value

    def plain(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^({_GROUP})?$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramSettings:
    """The voice chat of a Telegram group, for ``[room] engine = "telegram"``."""

    api_id: int = setting(
        Whole(0, 2**31 - 1),
        0,
        about="The number of your application, from https://my.telegram.org. Telegram wants each operator to have one.",
        effect=Effect.REJOIN,
    )
    api_hash_file: SecretFile | None = setting(
        MaybeSecret(16),
        None,
        about="A file with the api_hash that belongs to it.",
        effect=Effect.REJOIN,
    )
    session_file: SecretFile | None = setting(
        MaybeSecret(64),
        None,
        about="A file with the account's session, made by kontor telegram login. Whoever has it is that account.",
        effect=Effect.REJOIN,
    )
    group: str = setting(
        TelegramGroup(),
        "",
        about="The group whose voice chat is joined: its name, its link or its number. The account has to be in it.",
        effect=Effect.REJOIN,
    )
    create: bool = setting(
        Flag(),
        False,
        about="Whether the device starts a voice chat when none runs. The account has to be an admin who may do that.",
        effect=Effect.REJOIN,
    )
