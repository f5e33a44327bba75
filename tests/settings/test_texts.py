"""Every error message of the settings, word for word, and none is there without standing here or in texts/.

A message is made where ``Refused``, ``Clash`` or ``Problem`` is called in appliance/settings, or ``_note`` of the reader.
Which of these places the cases below come by is recorded, and one that none comes by fails the last test.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import appliance.settings
from appliance.core.pins import BOARDS
from appliance.settings import SettingsError, Source, checks_panel, load, model_quiet
from appliance.settings.clash import Clash
from appliance.settings.problems import Problem, Refused
from appliance.settings.reader import Reader
from appliance.settings.setting import Items
from appliance.settings.sources import LARGEST
from tests.settings.support import FOLDER
from tests.settings.test_model import EVERYTHING, SETTINGS
from tests.settings.texts import messages, wrong_kinds

PACKAGE = Path(appliance.settings.__file__).parent
MAKERS = {"Problem": Problem, "Refused": Refused, "Clash": Clash}

Place = tuple[str, int]
"""File and line."""


def places() -> Iterator[tuple[str, int, int]]:
    """File, first and last line of every place that makes a message."""
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _makes(node.func):
                yield path.name, node.lineno, node.end_lineno or node.lineno


def _makes(what: ast.expr) -> bool:
    if isinstance(what, ast.Attribute):
        return what.attr == "_note"
    return isinstance(what, ast.Name) and what.id in {*MAKERS, "_refuse"}


def told(text: str | bytes) -> str:
    """Everything that is wrong with a file of this text, as people read it."""
    try:
        load([Source("kontor.toml", text if isinstance(text, bytes) else text.encode(), FOLDER)])
    except SettingsError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("text", "says"), messages())
def test_what_is_wrong_is_told_in_these_words(text: str, says: str) -> None:
    assert told(f"schema = 1\n{text}") == says


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_says_what_it_takes(key: str) -> None:
    first, says = says_to_a_date(key)
    assert [line.removeprefix(first) for line in says if line.startswith(first)] == [
        wrong_kinds().get(key, "(not in texts/kinds.txt)")
    ]


def says_to_a_date(key: str) -> tuple[str, list[str]]:
    """A date is of no kind that any setting takes: how the line about it begins, and all lines."""
    section, _, name = key.rpartition(".")
    in_list = isinstance(EVERYTHING[section], Items)
    says = told(f"schema = 1\n{f'[[{section}]]' if in_list else f'[{section}]'}\n{name} = 1979-05-27\n")
    return f"kontor.toml:3: {section}{'[1]' if in_list else ''}.{name} = ", says.splitlines()


FILES = [
    (b"", "kontor.toml: schema is missing. Begin the file with the line: schema = 1"),
    (b'schema = "1"', 'kontor.toml:1: schema = "1": must be 1.'),
    (
        b"schema = 2",
        "kontor.toml:1: schema = 2: must be 1. It was written for a later version of Kontor: update this one.",
    ),
    (b"x" * (LARGEST + 1), "kontor.toml is longer than 256 KiB, so it is no settings file."),
    ("schema = 1".encode("utf-16"), "kontor.toml is written in UTF-16. Save it as UTF-8."),
    (b"schema = 1\n# B\xfcro", "kontor.toml:2 is not UTF-8 text. Save it as UTF-8."),
    (b"schema = 1\n#" + b"x" * 4096, "kontor.toml:2 has a line of more than 4096 characters."),
    (b"a" + b".a" * 201 + b" = 1", "kontor.toml:1 has more than 200 dots in a line."),
    (
        b"schema = 1\naudio",
        "kontor.toml is not TOML: expected '=' after a key in a key/value pair at the end of the file.",
    ),
    (b"schema = 1\n[audio\n", "kontor.toml:2 is not TOML: expected ']' at the end of a table declaration."),
    (b"schema = 1\n[host.tls]\n[host.tls]\n", "kontor.toml:3 is not TOML: cannot declare [host.tls] twice."),
    (
        b"schema = " + b"1" * 4000,
        "kontor.toml:1: schema = (a very large number): must be 1. It was written for a later",
    ),
    (b"schema = " + b"[\n" * 3000, "kontor.toml is nested too deeply."),
]


@pytest.mark.parametrize(("content", "says"), FILES)
def test_a_file_that_is_none(content: bytes, says: str) -> None:
    assert told(content).startswith(says)


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"", 0o600, "holds 0 bytes; at least 16 are needed."),
        (b"short\n", 0o600, "holds 5 bytes; at least 16 are needed."),
        (b"0123456789abcdef", 0o644, "is open to everybody on this machine. Mend it with: chmod o= {path}"),
        (b"x" * 70_000, 0o600, "is longer than 64 KiB, so it is no key."),
        (None, 0o700, "is not a file."),
    ],
)
def test_a_file_of_a_secret(tmp_path: Path, content: bytes | None, mode: int, says: str) -> None:
    path = tmp_path / "secret"
    path.mkdir() if content is None else path.write_bytes(content)
    path.chmod(mode)
    said = told(f'schema = 1\n[host.turn]\nsecret_file = "{path}"\n')
    assert said == f"kontor.toml:3: host.turn.secret_file = {path}: {says.format(path=path)}"


def test_a_source_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match=r"^/etc/kontor/kontor\.toml does not exist\.$"):
        load([Source("/etc/kontor/kontor.toml", unreadable="does not exist")])


def test_a_machine_without_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_quiet, "available_timezones", set)
    assert told('schema = 1\n[quiet]\ntime_zone = "Europe/Berln"\n') == (
        'kontor.toml:3: quiet.time_zone = "Europe/Berln": cannot be looked up: there is no time zone database on this '
        "machine. Install tzdata, which Debian and PyPI have."
    )


def test_a_pin_that_a_board_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = {name: replace(board, usable=board.usable - {17}) for name, board in BOARDS.items()}
    monkeypatch.setattr(checks_panel, "BOARDS", narrow)
    assert told('schema = 1\n[panel]\nkind = "gpio"\nboard = "pi4"\n') == (
        "panel.mute_pin must be another pin: Raspberry Pi 4 Model B has no GPIO 17 on its header. Free: GPIO 4, 13, 16."
    )


ELSEWHERE = (
    "cannot be looked up",
    "must be another pin: {names} has no GPIO",
    "source.unreadable",
    "a number in it is too long",
)
"""Messages that take another machine or another Python: tested above, and in test_sources.py."""


def test_no_message_is_left_out(come_by: set[Place]) -> None:
    for text, _ in messages():
        told(f"schema = 1\n{text}")
    for key in SETTINGS:
        says_to_a_date(key)
    for content, _ in FILES:
        told(content)
    left = []
    for name, first, last in places():
        if not any((name, line) in come_by for line in range(first, last + 1)):
            code = " ".join((PACKAGE / name).read_text().splitlines()[first - 3 : last])  # words may be made before
            if not any(words in code for words in ELSEWHERE):
                left.append(f"{name}:{first}: {code.strip()}")
    assert not left, "\n".join(left)


@pytest.fixture
def come_by(monkeypatch: pytest.MonkeyPatch) -> set[Place]:
    """The places of our own that have made a message since."""
    seen: set[Place] = set()

    def recorded(make: type, name: str) -> None:
        before = getattr(make, name)

        def after(self: object, *given: object, **named: object) -> object:
            frame = sys._getframe(1)
            seen.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
            return before(self, *given, **named)

        monkeypatch.setattr(make, name, after)

    for make in MAKERS.values():
        recorded(make, "__init__")
    recorded(Reader, "_note")
    return seen
