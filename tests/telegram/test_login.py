"""``kontor telegram login`` against the stand-in data centre: real MTProto, real second password."""

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import stat
import sys
import termios
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from telethon.sessions import StringSession

from appliance.commands import telegram as command
from appliance.core.exits import Exit
from appliance.rooms.telegram_account import Account, Login
from tests.telegram.accounts import CODE, PASSWORD, PHONE, LoginCentre

API_HASH = "SECRET0123456789"


@contextlib.asynccontextmanager
async def login_centre() -> AsyncIterator[LoginCentre]:
    centre = LoginCentre("127.0.0.1")
    await centre.start()
    try:
        yield centre
    finally:
        await centre.stop()


class Person:
    """Answers what is asked, and remembers it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> None:
        self.asked: list[tuple[str, str]] = []
        self._answers = answers

        async def ask(question: str, why: str) -> str:
            self.asked.append((question, why))
            if not self._answers.get(question):
                raise EOFError
            return self._answers[question].pop(0)

        monkeypatch.setattr(command, "_ask", ask)


def arguments(folder: Path, **more: Any) -> argparse.Namespace:
    (folder / "hash").write_text(API_HASH + "\n")
    given = {"api_id": 5, "api_hash_file": folder / "hash", "output": folder / "telegram.session"}
    return argparse.Namespace(**{**given, **more})


async def log_in(centre: LoginCentre, folder: Path, **more: Any) -> str:
    return await command._login(arguments(folder, **more), centre.start_of_login())


async def test_a_session_is_made_that_only_its_owner_reads_and_that_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with login_centre() as centre:
        Person(monkeypatch, phone=[f"+{PHONE}"], code=[CODE])
        assert await log_in(centre, tmp_path) == "Ada"
        file = tmp_path / "telegram.session"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        account = Account(Login(5, API_HASH, file.read_text().strip()), lambda *_: None, ())
        await account.open()
        assert account.me == 7
        await account.close()
        assert StringSession(file.read_text().strip()).port == centre.port


async def test_two_steps_are_asked_for_and_a_mistyped_answer_may_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with login_centre() as centre:
        centre.second = True
        person = Person(monkeypatch, phone=[PHONE], code=["1", CODE], password=["wrong", PASSWORD])
        assert await log_in(centre, tmp_path) == "Ada"
        assert person.asked == [
            ("phone", ""),
            ("code", "It was sent to your Telegram programs."),
            ("code", "Telegram does not accept this code."),
            ("password", ""),
            ("password", "Telegram does not accept this password."),
        ]


@pytest.mark.parametrize(
    ("answers", "words", "code"),
    [
        ({"phone": ["+4917099999"]}, "does not know this phone number", Exit.CONFIGURATION),
        ({"phone": ["123:bot-token"]}, "does not know this phone number", Exit.CONFIGURATION),
        ({"phone": [PHONE], "code": ["1", "2", "3"]}, "does not accept this code", Exit.CONFIGURATION),
        ({"phone": [PHONE], "code": [CODE], "password": ["a", "b", "c"]}, "this password", Exit.CONFIGURATION),
        ({}, "nothing was made", Exit.USAGE),
    ],
)
async def test_what_is_not_accepted_is_told_and_leaves_no_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, list[str]],
    words: str,
    code: Exit,
) -> None:
    async with login_centre() as centre:
        centre.second = True
        Person(monkeypatch, **answers)
        with pytest.raises(command._Ended, match=words) as told:
            await log_in(centre, tmp_path)
        assert told.value.code is code
        assert not (tmp_path / "telegram.session").exists()


@pytest.mark.parametrize(
    ("request_name", "refusal", "words", "code"),
    [
        ("SendCodeRequest", (420, "FLOOD_WAIT_77"), "wait for 77 seconds", Exit.TRY_AGAIN),
        ("SendCodeRequest", (400, "API_ID_INVALID"), "api_id", Exit.CONFIGURATION),
        ("SendCodeRequest", (400, "PHONE_NUMBER_BANNED"), "banned this phone number", Exit.CONFIGURATION),
        ("SignInRequest", (400, "PHONE_CODE_EXPIRED"), "too old", Exit.CONFIGURATION),
        ("SignInRequest", (420, "FLOOD_WAIT_9"), "wait for 9 seconds", Exit.TRY_AGAIN),
    ],
)
async def test_what_telegram_refuses_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request_name: str,
    refusal: tuple[int, str],
    words: str,
    code: Exit,
) -> None:
    async with login_centre() as centre:
        centre.faults[request_name] = [refusal]
        Person(monkeypatch, phone=[PHONE], code=[CODE])
        with pytest.raises(command._Ended, match=words) as told:
            await log_in(centre, tmp_path)
        assert told.value.code is code


async def test_without_a_way_to_telegram_nothing_is_asked_for_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with login_centre() as centre:
        start = centre.start_of_login()
        await centre.stop()
        Person(monkeypatch, phone=[PHONE])
        with pytest.raises(command._Ended, match=r"\.$") as told:
            await command._login(arguments(tmp_path), start)
        assert told.value.code is Exit.UNAVAILABLE


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments(tmp_path)
    given.output.write_text("a session")
    assert command.run(given) == Exit.CANNOT_CREATE
    assert "is there already" in capsys.readouterr().err
    assert given.output.read_text() == "a session"


BY_HAND = """
import argparse, sys
from pathlib import Path
from appliance.commands import telegram as command

start, hash_file, output = sys.argv[1:]
log_in = command._login
command._login = lambda given: log_in(given, start)
given = argparse.Namespace(api_id=5, api_hash_file=Path(hash_file) if hash_file else None, output=Path(output))
sys.exit(command.run(given))
"""


@pytest.mark.parametrize("at", ["api_hash", "Phone number", "The code", "second password"])
async def test_ctrl_c_at_a_question_ends_it_with_one_line_and_nothing_is_left(tmp_path: Path, at: str) -> None:
    async with login_centre() as centre:
        centre.second = True
        (tmp_path / "hash").write_text(API_HASH)
        output = tmp_path / "telegram.session"
        ours, theirs = pty.openpty()
        before = termios.tcgetattr(theirs)
        given = [centre.start_of_login(), "" if at == "api_hash" else str(tmp_path / "hash"), str(output)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            BY_HAND,
            *given,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
        try:
            told = await read_until(ours, "api_hash" if at == "api_hash" else "Phone number")
            for question, answer in (("Phone number", PHONE), ("The code", CODE), ("second password", "")):
                if at in told:
                    break
                assert question in told
                os.write(ours, answer.encode() + b"\n")
                told += await read_until(ours, {"Phone number": "The code", "The code": "second password"}[question])
            os.write(ours, b"\x03")
            assert await asyncio.wait_for(process.wait(), 10) == Exit.TRY_AGAIN
            told += await read_until(ours, "nothing was made.")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        after = termios.tcgetattr(theirs)
        for end in (ours, theirs):
            os.close(end)
    assert told.count("kontor telegram login: ended by hand, nothing was made.") == 1
    assert "Traceback" not in told
    assert after == before, "what is typed is shown again"
    assert not output.exists()


async def read_until(place: int, words: str) -> str:
    """What a terminal shows, until it shows ``words``."""
    loop, shown, there = asyncio.get_running_loop(), "", asyncio.Event()
    os.set_blocking(place, False)
    loop.add_reader(place, there.set)
    try:
        async with asyncio.timeout(15):
            while words not in shown:
                await there.wait()
                there.clear()
                with contextlib.suppress(BlockingIOError):
                    shown += os.read(place, 4096).decode()
    except TimeoutError:
        raise AssertionError(f"{words!r} was not shown in {shown!r}") from None
    finally:
        loop.remove_reader(place)
    return shown


async def test_answers_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "answers").write_text("one line\n\nanother")
    with (tmp_path / "answers").open() as file:
        await answers_are_read_from(file, monkeypatch)


async def test_answers_may_come_from_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = os.pipe()
    os.write(ours, b"one line\n\nanother")
    os.close(ours)
    with os.fdopen(theirs) as file:
        await answers_are_read_from(file, monkeypatch)


async def answers_are_read_from(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", file)
    assert [await command._line("Question: ", shown=False) for _ in range(3)] == ["one line", "", "another"]
    with pytest.raises(EOFError):
        await command._line("Question: ", shown=False)


async def test_no_secret_is_told_or_logged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with login_centre() as centre:
        caplog.set_level(0)
        centre.second = True
        failed = [
            await failure(centre, tmp_path, monkeypatch, phone=[f"{PHONE}9"]),
            await failure(centre, tmp_path, monkeypatch, phone=[PHONE], code=["97531"] * 3),
            await failure(centre, tmp_path, monkeypatch, phone=[PHONE], code=[CODE], password=["one step"] * 3),
        ]
        for name in ("SendCodeRequest", "SignInRequest", "CheckPasswordRequest"):
            centre.faults[name] = [(400, "SOMETHING_NEW")]
            answers = {"phone": [PHONE], "code": [CODE], "password": [PASSWORD]}
            failed.append(await failure(centre, tmp_path, monkeypatch, **answers))
            centre.faults.clear()
        Person(monkeypatch, phone=[PHONE], code=[CODE], password=[PASSWORD])
        await log_in(centre, tmp_path)
        session = (tmp_path / "telegram.session").read_text().strip()
        monkeypatch.setattr("asyncio.run", lambda work: (work.close(), "Ada")[1])
        given = arguments(tmp_path, output=tmp_path / "other.session")
        assert command.run(given) == Exit.OK
        told = "".join([*failed, *capsys.readouterr(), caplog.text, repr(Login(5, API_HASH, session))])
        assert "Logged in as Ada" in told
        for secret in (API_HASH, session, PHONE, CODE, "97531", PASSWORD, "one step"):
            assert secret not in told
        assert asyncio.get_running_loop().is_running()


async def failure(centre: LoginCentre, folder: Path, monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> str:
    """What a login that fails leaves behind: its sentence, and what a traceback of it would show."""
    Person(monkeypatch, **answers)
    with pytest.raises(command._Ended) as told:
        await log_in(centre, folder, output=folder / "failed.session")
    assert not (folder / "failed.session").exists()
    return "".join(traceback.format_exception(told.value)) + repr(told.value)
