import sys
from pathlib import Path

import pytest

from appliance.settings import SCHEMA, Problem, SettingsError, Source, load
from appliance.settings.sources import LARGEST, Document, read


def refused(content: bytes) -> Problem:
    found = read(Source("kontor.toml", content))
    assert isinstance(found, Problem)
    return found


def test_reads_what_is_below_the_schema() -> None:
    found = read(Source("kontor.toml", b"schema = 1\n[audio]\nbitrate = 9\n", Path("/x")))
    assert isinstance(found, Document)
    assert found.table == {"audio": {"bitrate": 9}}
    assert (found.name, found.folder) == ("kontor.toml", Path("/x"))
    assert found.line(("audio", "bitrate")) == 3


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfschema = 1\n[log]\n", b"schema = 1\r\n\r\n[log]\r\n"])
def test_takes_what_editors_of_other_systems_write(content: bytes) -> None:
    found = read(Source("kontor.toml", content))
    assert isinstance(found, Document)
    assert found.table == {"log": {}}


def test_says_why_a_source_could_not_be_had() -> None:
    found = read(Source("missing.toml", unreadable="does not exist"))
    assert str(found) == "missing.toml does not exist."


@pytest.mark.parametrize(
    ("content", "line", "text"),
    [
        (b"", None, "kontor.toml: schema is missing. Begin the file with the line: schema = 1"),
        (b"\n\nschema = 2", 3, "kontor.toml:3: schema = 2: must be 1. It was written for a later version of Kontor"),
        (b"schema = 0", 1, "kontor.toml:1: schema = 0: must be 1."),
        (b"schema = true", 1, "kontor.toml:1: schema = true: must be 1."),
        (b"schema = '1'", 1, 'kontor.toml:1: schema = "1": must be 1.'),
        (b"schema = 1\n[audio\nx = 1", 2, "kontor.toml:2 is not TOML: expected ']' at the end of a table declaration."),
        (b"schema = 1\n[audio]\n[audio]", 3, "kontor.toml:3 is not TOML: cannot declare [audio] twice."),
        (b"schema = ", None, "kontor.toml is not TOML: invalid value at the end of the file."),
        (b"schema = 1\nx = '\xff'", 2, "kontor.toml:2 is not UTF-8 text. Save it as UTF-8."),
        ("schema = 1".encode("utf-16"), None, "kontor.toml is written in UTF-16. Save it as UTF-8."),
        (b"schema = 1\n#" + b"x" * 5000, 2, "kontor.toml:2 has a line of more than 4096 characters."),
        (b"schema = 1\n" + b"a." * 201 + b"b = 1", 2, "kontor.toml:2 has more than 200 dots in a line."),
        (b"#\n" * LARGEST, None, "kontor.toml is longer than 256 KiB, so it is no settings file."),
        (b"x = " + b"[\n" * 20_000, None, "kontor.toml is nested too deeply."),
        (b"x = " + b"9" * 4091, 1, "kontor.toml: schema is missing"),
    ],
)
def test_tells_what_is_wrong_with_the_file_itself(content: bytes, line: int | None, text: str) -> None:
    problem = refused(content)
    assert problem.line == line or "missing" in text
    assert str(problem).startswith(text)


def test_a_number_that_python_refuses_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.settings.sources._LONGEST_LINE", 10_000)
    assert sys.get_int_max_str_digits() == 4300
    assert (
        str(refused(b"x = " + b"9" * 5000)) == "kontor.toml is not TOML that can be read: a number in it is too long."
    )


def test_a_message_of_the_parser_cannot_talk_to_the_terminal() -> None:
    assert "\x1b" not in str(refused(b'schema = 1\n["a\\u001b[31m"]\n["a\\u001b[31m"]'))


def test_a_file_that_cannot_be_read_does_not_hide_the_others() -> None:
    sources = [
        Source("1.toml", b"schema = 9"),
        Source("2.toml", b"="),
        Source("3.toml", unreadable="does not exist"),
        Source("4.toml", b"schema = 1\n[audio]\nframe_ms = 11"),
    ]
    with pytest.raises(SettingsError) as caught:
        load(sources)
    assert [problem.file for problem in caught.value.problems] == ["1.toml", "2.toml", "3.toml", "4.toml"]


def test_the_number_is_that_of_today() -> None:
    assert SCHEMA == 1
