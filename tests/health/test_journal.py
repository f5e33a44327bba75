"""Events in systemd's journal: a field for each value, in the journal's own protocol."""

import contextlib
import io
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from appliance.core.events import Event, EventName, Severity
from appliance.health import journal as health
from appliance.health.journal import Journal, datagram, leads_to_journal


@pytest.fixture
def journald(short_dir: Path) -> Iterator[socket.socket]:
    """The end that journald has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(short_dir / "journal"))
        end.settimeout(2)
        yield end


def fields(message: bytes) -> dict[str, str]:
    return dict(line.split("=", 1) for line in message.decode().splitlines())


def test_each_value_is_a_field_and_the_message_is_what_anybody_reads(journald: socket.socket, short_dir: Path) -> None:
    out = io.StringIO()
    log = Journal("sound", out, native=short_dir / "journal")
    log.tell(EventName.AUDIO_LOST, card="hw:CARD=array", why='a "word" of the driver', tries=3, lost=True, db=-3.25)
    assert fields(journald.recv(10_000)) == {
        "MESSAGE": 'event=audio_lost card="hw:CARD=array" why="a \\"word\\" of the driver" tries=3 lost=yes db=-3.25',
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "kontor-sound",
        "KONTOR_PART": "sound",
        "KONTOR_EVENT": "audio_lost",
        "KONTOR_CARD": "hw:CARD=array",
        "KONTOR_WHY": 'a \\"word\\" of the driver',
        "KONTOR_TRIES": "3",
        "KONTOR_LOST": "yes",
        "KONTOR_DB": "-3.25",
    }
    assert out.getvalue() == ""


def test_no_value_and_no_key_makes_a_field_of_its_own() -> None:
    bad = {"by": "Eve\nPRIORITY=0\nMESSAGE=all is well", "ev=il\nPRIORITY": "\u2028x", "ä" * 80: "\udcff"}
    message = datagram("link", Event(EventName.KNOCKED, 0.0, bad), suppressed=7)
    lines = message.decode().splitlines()
    assert [line.partition("=")[0] for line in lines[:5]] == [
        "MESSAGE",
        "PRIORITY",
        "SYSLOG_IDENTIFIER",
        "KONTOR_PART",
        "KONTOR_EVENT",
    ]
    assert lines[1] == "PRIORITY=6"
    assert lines[-1] == "KONTOR_SUPPRESSED=7"
    assert len(lines) == 9
    for line in lines:
        name = line.partition("=")[0]
        assert name.isascii() and name.replace("_", "").isalnum() and name == name.upper() and len(name) <= 64


def test_without_a_journal_it_is_a_line_and_limits_hold(short_dir: Path, journald: socket.socket) -> None:
    out = io.StringIO()
    Journal("link", out, native=short_dir / "nobody").tell(EventName.LINK_UP)
    assert out.getvalue() == "link: event=link_up\n"
    log = Journal("link", io.StringIO(), native=short_dir / "journal", least=Severity.WARNING)
    for _ in range(1000):
        log.tell(EventName.LINK_LOST, why="gone")
        log.tell(EventName.LINK_UP)
    journald.setblocking(False)
    told = []
    with contextlib.suppress(BlockingIOError):
        while True:
            told.append(fields(journald.recv(10_000))["KONTOR_EVENT"])
    assert set(told) == {"link_lost"}
    assert len(told) <= 20


def test_the_journal_is_used_only_where_standard_error_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "err").open("w") as err:
        found = os.fstat(err.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        assert leads_to_journal(err)
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + 1}")
        assert not leads_to_journal(err)
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not leads_to_journal(err)
    assert not leads_to_journal(err), "a closed file leads nowhere"
    assert not leads_to_journal(io.StringIO())


def test_a_service_finds_its_journal_by_itself(
    journald: socket.socket, short_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "NATIVE", short_dir / "journal")

    def begin(err: TextIO) -> None:
        monkeypatch.setattr(sys, "stderr", err)
        Journal("host").tell(EventName.HOST_STARTED, rooms=2)

    with (tmp_path / "err").open("w+") as err:
        found = os.fstat(err.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        begin(err)
        assert (tmp_path / "err").read_text() == ""
    assert fields(journald.recv(10_000))["SYSLOG_IDENTIFIER"] == "kontor-host"
