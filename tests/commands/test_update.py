"""``kontor update``, as people type it."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.__main__ import main
from appliance.commands import update
from appliance.core.exits import Exit
from appliance.health.status import parse
from appliance.provisioning.minisign import PublicKey
from appliance.provisioning.publication import read_pointer
from tests.updating.machine import Machine, bundle, image

Output = pytest.CaptureFixture[str]

IDLE = {"state": "up_to_date", "slot": "a", "version": "0.8.0", "looks": True, "asked": False, "back": True}


@contextmanager
def provision(folder: Path, *answers: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
    """One that gives these answers, one after the other, and notes what it was asked."""
    asked: list[Mapping[str, Any]] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "provision.status"))
        listener.listen()

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as file:
                    asked.append(parse(file.readline()))
                    connection.sendall(json.dumps(answer).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def run(folder: Path, *words: str) -> int:
    return main(["update", words[0], "--runtime", str(folder), *words[1:]])


def test_the_status(short_dir: Path, capsys: Output) -> None:
    with provision(short_dir, {"update": IDLE}, {"update": IDLE}):
        assert run(short_dir, "status") == 0
        assert capsys.readouterr().out == "updates      version 0.8.0 in slot a, up to date\n"
        assert run(short_dir, "status", "--json") == 0
        assert json.loads(capsys.readouterr().out) == IDLE


def test_nobody_answers(short_dir: Path, capsys: Output) -> None:
    for verb in ("status", "apply", "rollback"):
        assert run(short_dir, verb) == Exit.TRY_AGAIN
        assert "does not run here" in capsys.readouterr().err


def test_an_update_is_waited_for(short_dir: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update, "_LOOK", 0.0)
    works = IDLE | {"asked": True, "state": "working"}
    ready = IDLE | {"asked": True, "state": "ready", "found": "0.9.0"}
    with provision(short_dir, works, {"update": works}, {"update": ready}) as asked:
        assert run(short_dir, "apply", "some/file.toml") == 0
    assert asked[0] == {"do": "update", "source": str(Path("some/file.toml").resolve())}
    assert capsys.readouterr().out.splitlines() == [
        "updates      version 0.8.0 in slot a, an update is fetched",
        "updates      version 0.8.0 in slot a, a newer version waits for a start when nobody talks",
        "             found: version 0.9.0",
        "             somebody asked for one now: it begins when nobody talks",
    ]


def test_one_that_is_not_taken_ends_with_1(short_dir: Path, capsys: Output) -> None:
    refused = IDLE | {"state": "refused", "why": "It was signed\x1b[2J with another key."}
    with provision(short_dir, refused) as asked:
        assert run(short_dir, "apply", "https://updates.example.org/x.toml") == 1
    assert asked == [{"do": "update", "source": "https://updates.example.org/x.toml"}]
    assert "\\u001b" in capsys.readouterr().out


def test_a_machine_that_is_no_image(short_dir: Path, capsys: Output) -> None:
    with provision(short_dir, {"error": "This machine was not started from an image."}):
        assert run(short_dir, "apply") == Exit.TRY_AGAIN
        assert "not started from an image" in capsys.readouterr().err


def test_going_back_is_asked_of_systemd(short_dir: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def systemctl(words: list[str], **_: object) -> "subprocess.CompletedProcess[bytes]":
        started.append(words)
        return subprocess.CompletedProcess(words, len(started) - 1)

    monkeypatch.setattr(subprocess, "run", systemctl)
    with provision(short_dir, {"update": IDLE}, {"update": IDLE}, {"update": IDLE | {"back": False}}):
        assert run(short_dir, "rollback") == 0
        assert started == [["systemctl", "start", "kontor-update@rollback.service"]]
        assert run(short_dir, "rollback") == Exit.UNAVAILABLE
        assert run(short_dir, "rollback") == Exit.TRY_AGAIN
    assert len(started) == 2
    assert "no other version" in capsys.readouterr().err


def test_the_service_does_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path, image(100, 4))
    text = f'schema = 1\n[device]\nstate_dir = "{tmp_path / "state"}"\nruntime_dir = "{tmp_path / "run"}"\n'
    (tmp_path / "etc/kontor/kontor.toml").write_text(text)
    monkeypatch.setenv("KONTOR_ROOT", str(tmp_path))
    assert main(["update", "work", "confirm"]) == 0
    assert machine.status["state"] == "up_to_date"
    (tmp_path / "proc/cmdline").write_text("quiet\n")
    assert main(["update", "work", "apply"]) == Exit.UNAVAILABLE


# ---- publish


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublicKey:
    monkeypatch.chdir(tmp_path)
    assert main(["keys", "new", "--open"]) == 0
    return PublicKey.parse(Path("kontor.key.pub").read_text())


def test_a_channel_is_published_with_growing_versions(tmp_path: Path, key: PublicKey, capsys: Output) -> None:
    for number, least in ((1, ()), (2, ()), (50, ("--least", "50"))):
        manifest = bundle(tmp_path / "made", image(number, 4))
        assert main(["update", "publish", str(manifest), "www", "--channel", "beta", *least]) == 0
        pointer, signature, _ = read_pointer(Path("www/images/beta.minisig").read_bytes(), (key,))
        assert (pointer.scope, pointer.version, pointer.file) == ("images/beta", number, manifest.name)
        signature.check_file(key, Path("www/images", manifest.name).read_bytes())
        assert f"beta: {manifest.name}, signed as version {number}, in www." in capsys.readouterr().out
    names = {path.name for path in Path("www/images").iterdir()}
    assert {"kontor-0.1-arm64.blocks", "kontor-0.1-arm64.index", "kontor-0.1-arm64.toml.minisig"} <= names
    assert not [name for name in names if name.startswith(".")]
    # Again, from the very folder that is shown: nothing is copied over itself.
    assert main(["update", "publish", "www/images/kontor-0.1-arm64.toml", "www"]) == 0


def test_what_devices_would_refuse_is_not_published(tmp_path: Path, key: PublicKey, capsys: Output) -> None:
    for spoil, said in (
        (".blocks", "has not the blocks of its index"),
        (".index", "is not the index of this manifest"),
        (".toml", "none that this version understands"),
    ):
        manifest = bundle(tmp_path / f"made{spoil}", image(1, 4))
        path = manifest.with_suffix(spoil)
        data = bytearray(path.read_bytes())
        data[0] ^= 1
        path.write_bytes(data)
        assert main(["update", "publish", str(manifest), "www"]) == Exit.CONFIGURATION
        assert said in capsys.readouterr().err
    manifest = bundle(tmp_path / "longer", image(1, 4))
    with manifest.with_suffix(".blocks").open("ab") as file:
        file.write(b"x")
    assert main(["update", "publish", str(manifest), "www"]) == Exit.CONFIGURATION
    assert "is longer than its index" in capsys.readouterr().err
    manifest.with_suffix(".index").unlink()
    assert main(["update", "publish", str(manifest), "www"]) == Exit.CANNOT_CREATE
    assert "Nothing was published" in capsys.readouterr().err
    assert not Path("www").exists()


def test_a_pointer_of_somebody_else_is_not_written_over(tmp_path: Path, key: PublicKey, capsys: Output) -> None:
    manifest = bundle(tmp_path / "made", image(1, 4))
    assert main(["update", "publish", str(manifest), "www"]) == 0
    shutil.move("kontor.key.pub", "old.pub")
    Path("kontor.key").unlink()
    assert main(["keys", "new", "--open"]) == 0
    assert main(["update", "publish", str(manifest), "www"]) == Exit.CONFIGURATION
    assert "which is not trusted here" in capsys.readouterr().err
    assert main(["update", "publish", str(manifest), "www", "--trust", "old.pub"]) == 0
    Path("kontor.key").write_text("none")
    assert main(["update", "publish", str(manifest), "www"]) == Exit.CONFIGURATION


def test_a_channel_has_a_plain_name(key: PublicKey) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["update", "publish", "x.toml", "www", "--channel", "../x"])
    assert caught.value.code == Exit.USAGE
