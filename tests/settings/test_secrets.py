import os
from pathlib import Path

import pytest

from appliance.settings import Problem, SecretFile, SettingsError
from appliance.settings.secrets import LARGEST
from tests.settings.support import key_file


def wrong(file: SecretFile) -> Problem:
    with pytest.raises(SettingsError) as caught:
        file.read()
    return caught.value.problems[0]


def test_reads_without_the_white_space_around_it(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    path.write_bytes(b"\n  secret \r\n")
    assert SecretFile(path).read() == b"secret"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o644, 0o666, 0o777])
def test_refuses_what_everybody_can_reach(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path)
    path.chmod(mode)
    problem = wrong(SecretFile(path, "room.token_file"))
    assert problem.key == "room.token_file"
    assert problem.allowed == "is open to everybody on this machine"
    assert problem.hint == f"Mend it with: chmod o= {path}"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_takes_what_owner_and_group_can_reach(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path)
    path.chmod(mode)
    assert SecretFile(path).read() == b"0123456789abcdef"


def test_tells_what_is_wrong_and_never_the_secret(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    assert wrong(SecretFile(tmp_path / "missing")).allowed == "names a file that does not exist"
    assert wrong(SecretFile(tmp_path)).allowed == "is not a file"
    short = wrong(SecretFile(path, least=17))
    assert short.allowed == "holds 16 bytes; at least 17 are needed"
    path.write_bytes(b" \n")
    assert wrong(SecretFile(path)).allowed == "holds 0 bytes; at least 1 are needed"
    path.write_bytes(b"x" * (LARGEST + 1))
    assert "longer than 64 KiB" in wrong(SecretFile(path)).allowed
    assert wrong(SecretFile(Path("/nowhere\0"))).allowed == "names a file that cannot be read"
    assert wrong(SecretFile(Path("/" + "x" * 5000))).allowed == "names a file that cannot be read"


def test_a_named_pipe_does_not_hold_up_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert wrong(SecretFile(tmp_path / "pipe")).allowed == "is not a file"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert wrong(SecretFile(path)).allowed == "names a file that this user may not read"


def test_shows_the_path_only_when_there_is_such_a_file(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    assert str(SecretFile(path)) == str(path)
    assert repr(SecretFile(path)) == f"SecretFile({path})"
    assert repr(SecretFile(Path("/etc/kontor/hunter2"))) == "SecretFile((hidden))"
    assert "hunter2" not in wrong(SecretFile(Path("/etc/kontor/hunter2"))).value
