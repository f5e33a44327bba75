"""What the tests of the settings share."""

from collections.abc import Iterator
from pathlib import Path

from appliance.settings import Problem, Settings, SettingsError, Source, load

FOLDER = Path("/etc/kontor")


def source(text: str, name: str = "kontor.toml", folder: Path = FOLDER, *, schema: bool = True) -> Source:
    """A source with ``text`` below its ``schema`` line."""
    return Source(name, (f"schema = 1\n{text}" if schema else text).encode(), folder)


def loaded(*texts: str, folder: Path = FOLDER) -> Settings:
    """The settings of files with these texts; secret files are not looked into."""
    return load([source(text, f"{number}.toml", folder) for number, text in enumerate(texts, 1)], secrets=())


def problems(*texts: str, folder: Path = FOLDER) -> tuple[Problem, ...]:
    """What is wrong with files of these texts."""
    try:
        loaded(*texts, folder=folder)
    except SettingsError as error:
        return error.problems
    return ()


def only(*texts: str, folder: Path = FOLDER) -> Problem:
    """The one thing that is wrong."""
    found = problems(*texts, folder=folder)
    assert len(found) == 1, found
    return found[0]


def room(key: Path, name: str = "lobby") -> str:
    """A room of the server, in TOML."""
    return f'[[host.rooms]]\nid = "{name}"\nkey_files = {{ k1 = "{key}" }}\n'


def key_file(folder: Path, name: str = "lobby.key") -> Path:
    """A good key in a file of its own."""
    path = folder / name
    path.touch(mode=0o600)
    path.write_bytes(b"0123456789abcdef\n")
    return path


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text with their numbers from 1."""
    yield from enumerate(text.split("\n"), 1)
