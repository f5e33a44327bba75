"""The settings of updates: ``[update]``. They are for an image with two slots; elsewhere packages are updated."""

# ruff: noqa: RUF009  # setting() makes dataclass fields, they are no mutable defaults

from dataclasses import dataclass, field

from appliance.settings.kinds import Many, Whole, identifier
from appliance.settings.model_provisioning import MOST_KEYS, FolderUrl, SigningKey
from appliance.settings.problems import Refused
from appliance.settings.schedule import HOURS, Hours, Schedule, parse_hours
from appliance.settings.setting import Effect, Where, setting

QUIET, ANY = "quiet hours", "any"
NIGHT = parse_hours("02:00-05:00")
"""Where no quiet hours are set."""


@dataclass(frozen=True, slots=True)
class Window:
    """When an update may be fetched and the machine be started anew."""

    text: str = QUIET
    hours: Hours | None = None
    """Of the day; None: as ``text`` says."""

    def __str__(self) -> str:
        return self.text

    def is_open(self, now: float, trusted: bool, quiet: Schedule) -> bool:
        """Whether it may be now.

        :param now: Unix time in seconds; ``trusted``: whether it can be believed.
        :param quiet: quiet hours, and the time zone of the clock on the wall.
        """
        if self.text == ANY:
            return True
        if not trusted:
            return False
        if self.hours is None and not quiet.empty:
            return quiet.at(now).stretch is not None
        return (self.hours or NIGHT).at(quiet.wall(now))


@dataclass(frozen=True, slots=True)
class WindowKind:
    """``quiet hours``, ``any``, or hours of the day."""

    secret: bool = field(default=False, init=False)
    allowed: str = field(default='must be "quiet hours", "any", or like "mon-fri 22:00-05:00"', init=False)

    def convert(self, value: object, _where: Where, /) -> Window:
        """The window that the text says."""
        if not isinstance(value, str):
            raise Refused(self.allowed)
        if value in (QUIET, ANY):
            return Window(value)
        try:
            return Window(value, parse_hours(value))
        except ValueError as error:
            raise Refused(self.allowed, str(error)) from None

    def plain(self, value: Window) -> object:
        return value.text

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^({QUIET}|{ANY}|{HOURS})$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSettings:
    """Updates of an image."""

    url: str = setting(
        FolderUrl(),
        "",
        about="The folder on a web server where signed updates are published. While it is empty none are looked for.",
        effect=Effect.LIVE,
    )
    channel: str = setting(
        identifier(),
        "stable",
        about="Which of the updates there the device follows, as kontor update publish named it.",
        effect=Effect.LIVE,
    )
    keys: tuple[str, ...] = setting(
        Many(SigningKey(), MOST_KEYS),
        (),
        about="Who may sign updates: public keys of minisign. While there are none, those that the image brought along.",
        effect=Effect.LIVE,
    )
    window: Window = setting(
        WindowKind(),
        Window(),
        about="When updates are fetched and started, while nobody talks. Where no quiet hours are set they are 02:00-05:00 here.",
        effect=Effect.LIVE,
    )
    confirm_s: int = setting(
        Whole(60, 3600),
        300,
        unit="s",
        about="How long a new version may take until it has proved itself; then the one before is started again.",
        effect=Effect.LIVE,
    )
