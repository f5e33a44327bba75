"""``kontor keys``, ``kontor fleet publish`` and ``status``, ``kontor config sign`` and ``verify``, as an admin types them."""

import contextlib
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.__main__ import main
from appliance.core.exits import Exit
from appliance.provisioning import signing
from appliance.provisioning.minisign import PublicKey
from appliance.provisioning.signing import SecretKey

Output = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signing, "_OPERATIONS", 1 << 15)  # locks that are opened in no time
    monkeypatch.setattr(signing, "_MEMORY", 1 << 20)
    return tmp_path


def write(name: str, text: str = "") -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"schema = 1\n{text}")


def new_key(name: str = "kontor.key") -> PublicKey:
    assert main(["keys", "new", "--open", name]) == 0
    return PublicKey.parse(Path(f"{name}.pub").read_text())


# ---- keys


def test_a_pair_of_keys(capsys: Output) -> None:
    public = new_key()
    told = capsys.readouterr()
    assert told.out == f'[provisioning]\nurl = "https://…"\nkeys = ["{public}"]\n'
    assert "kontor.key signs: keep it" in told.err
    assert Path("kontor.key").stat().st_mode & 0o777 == 0o600
    assert main(["keys", "show"]) == 0
    assert capsys.readouterr().out == f"{public}\n"


@pytest.mark.parametrize("there", ["kontor.key", "kontor.key.pub"])
def test_an_old_key_is_never_written_over(there: str, capsys: Output) -> None:
    Path(there).write_text("old")
    assert main(["keys", "new", "--open"]) == Exit.CANNOT_CREATE
    assert capsys.readouterr().err == (
        f"kontor keys: {there} cannot be made: File exists. An old key is never written over: name a new file.\n"
    )
    assert [path.name for path in Path().iterdir()] == [there]
    assert Path(there).read_text() == "old"


def test_a_password_from_a_file(capsys: Output) -> None:
    Path("password").write_text("geheim\n")
    assert main(["keys", "new", "--password-file", "password"]) == 0
    public = PublicKey.parse(Path("kontor.key.pub").read_text())
    assert SecretKey.parse(Path("kontor.key").read_bytes(), lambda: "geheim").public == public
    capsys.readouterr()
    assert main(["keys", "show", "--password-file", "password"]) == 0
    assert capsys.readouterr().out == f"{public}\n"
    Path("password").write_text("falsch\n")
    assert main(["keys", "show", "--password-file", "password"]) == Exit.CONFIGURATION
    assert capsys.readouterr().err == "kontor keys: kontor.key cannot be opened: the password is wrong.\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["new", "--password-file", "none"], "none cannot be read: [Errno 2] No such file or directory: 'none'"),
        (["new", "--password-file", "empty"], "a password may not be empty; --open makes a key without one"),
        (["new"], "a password is needed, and there is no terminal to ask for it: use --password-file"),
        (["show"], "kontor.key cannot be read: No such file or directory. Make one with: kontor keys new"),
        (["show", "--key", "empty"], "empty is no secret key of minisign"),
    ],
)
def test_what_is_wrong_with_a_key_is_one_sentence(
    words: list[str], told: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    Path("empty").write_text("")
    assert main(["keys", *words]) == Exit.CONFIGURATION
    assert capsys.readouterr().err == f"kontor keys: {told}.\n"
    assert not Path("kontor.key").exists()


@pytest.mark.parametrize(("second", "status"), [("geheim", 0), ("anders", 78)])
def test_a_terminal_is_asked_for_the_password_twice(second: str, status: int, here: Path) -> None:
    asked, said = [b"A password for kontor.key: ", b"Once more: "], iter(["geheim", second])
    terminal, its_end = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "appliance", "keys", "new"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    )
    os.close(its_end)
    text = b""
    with contextlib.suppress(OSError):  # the terminal is gone with its process
        while True:
            text += os.read(terminal, 1000)
            if asked and text.endswith(asked[0]):
                asked.pop(0)
                os.write(terminal, f"{next(said)}\n".encode())
    os.close(terminal)
    assert child.wait(30) == status
    assert b"geheim" not in text
    assert (here / "kontor.key").exists() == (status == 0)


# ---- publish


def test_publish_tells_what_it_did(capsys: Output) -> None:
    new_key()
    write("fleet/all.toml")
    write("fleet/devices/lobby.toml", "[audio]\nframe_ms = 10\n")
    capsys.readouterr()
    assert main(["fleet", "publish", "public", "--from", "fleet", "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("2 would be published in public, 0 are as before.\n")
    assert not Path("public").exists()
    assert main(["fleet", "publish", "public", "--from", "fleet"]) == 0
    assert capsys.readouterr().out == (
        "all                              version 1, new\n"
        "devices/lobby                    version 1, new\n"
        "2 are published in public, 0 are as before.\n"
    )
    write("fleet/devices/lobby.toml")
    assert main(["fleet", "publish", "public", "--from", "fleet", "--json", "--expires", "30"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "written": True,
        "documents": [
            {"scope": "all", "version": 1, "was": 1, "why": ""},
            {"scope": "devices/lobby", "version": 2, "was": 1, "why": "changed"},
        ],
    }
    assert "expires=" not in Path("public/all.minisig").read_text()
    assert "expires=" in Path("public/devices/lobby.minisig").read_text()


def test_nothing_is_published_that_a_device_would_refuse(capsys: Output) -> None:
    new_key()
    write("all.toml", "[audio]\nframe_ms = 11\n")
    capsys.readouterr()
    assert main(["fleet", "publish", "public"]) == Exit.CONFIGURATION
    assert (
        capsys.readouterr().err == "all.toml:3: audio.frame_ms = 11: must be 10 or 20 (ms).\nNothing was published.\n"
    )
    assert main(["fleet", "publish", "public", "--json"]) == Exit.CONFIGURATION
    assert json.loads(capsys.readouterr().out)["problems"][0]["line"] == 3
    assert not Path("public").exists()


def test_publish_without_its_key_or_its_folder(capsys: Output) -> None:
    write("all.toml")
    assert main(["fleet", "publish", "public"]) == Exit.CONFIGURATION
    assert capsys.readouterr().err.startswith("kontor fleet: kontor.key cannot be read")
    new_key()
    capsys.readouterr()
    assert main(["fleet", "publish", "kontor.key"]) == Exit.CANNOT_CREATE
    assert "cannot be written: " in capsys.readouterr().err
    assert main(["fleet", "publish", "public", "--trust", "nobody"]) == Exit.CONFIGURATION
    told = capsys.readouterr().err
    assert told.startswith("kontor fleet: nobody: that is no public key of minisign")
    assert "nor is there such a file" in told


def test_a_new_key_takes_over(capsys: Output) -> None:
    new_key()
    write("all.toml")
    assert main(["fleet", "publish", "public"]) == 0
    new_key("new.key")
    capsys.readouterr()
    assert main(["fleet", "publish", "public", "--key", "new.key"]) == Exit.CONFIGURATION
    assert "Name its public key with --trust" in capsys.readouterr().err
    assert main(["fleet", "publish", "public", "--key", "new.key", "--trust", "kontor.key.pub"]) == 0
    assert capsys.readouterr().out.startswith("all                              version 2, renewed\n")


@pytest.mark.parametrize("option", [["--expires", "0"], ["--expires", "x"], ["--least", "0"], ["--least", str(2**31)]])
def test_numbers_that_are_none(option: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fleet", "publish", "public", *option])
    assert caught.value.code == Exit.USAGE


# ---- one document


def test_sign_and_verify_one_document(capsys: Output) -> None:
    public = new_key()
    write("bonn.toml", "[audio]\nframe_ms = 10\n")
    capsys.readouterr()
    words = ["config", "sign", "bonn.toml", "--scope", "groups/bonn", "--version", "7", "--to", "public"]
    assert main([*words, "--expires", "30"]) == 0
    assert capsys.readouterr().out == "public/groups/bonn.minisig leads to bonn.7.toml.\n"
    assert main(["config", "verify", "public/groups/bonn.minisig", "--trust", "kontor.key.pub"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == [
        f"genuine      signed with the key {public.name}",
        "for          groups/bonn, version 7, in bonn.7.toml",
    ]
    assert told[2].startswith("expires      20")
    write("kontor.toml", f'[provisioning]\nkeys = ["{public}"]\n')
    assert main(["config", "verify", "public/groups/bonn.minisig", "--config", "kontor.toml"]) == 0
    Path("public/groups/bonn.7.toml").write_text("")
    capsys.readouterr()
    assert main(["config", "verify", "public/groups/bonn.minisig", "--trust", str(public)]) == Exit.CONFIGURATION
    assert capsys.readouterr().err == (
        f"public/groups/bonn.minisig: The document is not the one that the key {public.name} has signed.\n"
    )


def test_one_that_has_expired(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    new_key()
    write("all.toml")
    main(["config", "sign", "all.toml", "--scope", "all", "--version", "1", "--expires", "1"])
    later = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    capsys.readouterr()
    assert main(["config", "verify", "all.minisig", "--trust", "kontor.key.pub"]) == 0
    assert capsys.readouterr().out.endswith("Z: no device takes it any more\n")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (
            ["sign", "all.toml", "--scope", "rooms/x", "--version", "1"],
            64,
            "--scope rooms/x is neither all nor groups/",
        ),
        (["sign", "bad.toml", "--scope", "all", "--version", "1"], 78, "bad.toml:2: nonsense is no setting of Kontor."),
        (["sign", "named.toml", "--scope", "all", "--version", "1"], 78, "named.toml:3: device.name ="),
        (["sign", "all.toml", "--scope", "all", "--version", "1", "--key", "no"], 78, "no cannot be read"),
        (["sign", "all.toml", "--scope", "all", "--version", "1", "--to", "all.toml"], 73, "cannot be written"),
        (["verify", "none.minisig", "--trust", "kontor.key.pub"], 78, "none.minisig cannot be read"),
        (["verify", "all.toml", "--trust", "kontor.key.pub"], 78, "What lies there is no signature file."),
        (["verify", "all.toml", "--config", "all.toml"], 78, "the settings name no provisioning.keys"),
        (["verify", "all.toml", "--config", "bad.toml"], 78, "the settings are wrong, so that nobody is trusted"),
    ],
)
def test_what_cannot_be_signed_or_verified(words: list[str], status: int, told: str, capsys: Output) -> None:
    new_key()
    write("all.toml")
    write("bad.toml", "nonsense = 1\n")
    write("named.toml", '[device]\nname = "Anna"\n')
    capsys.readouterr()
    assert main(["config", *words]) == status
    assert told in capsys.readouterr().err
    assert not Path("all.minisig").exists()


# ---- two files


def test_what_changes_from_one_file_to_another(capsys: Output) -> None:
    write("a.toml", '[audio]\nframe_ms = 10\n[[network.wifi]]\nssid = "old"\npassword_file = "nowhere"\n')
    write("b.toml", '[door]\nfirst = "closed"\n')
    assert main(["config", "diff", "a.toml", "b.toml"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "audio.frame_ms: 10 -> 20 (rejoin)" in told
    assert 'door.first: "open" -> "closed" (hand)' in told
    assert 'network.wifi[1].ssid: "old" -> nothing (live)' in told
    assert "nowhere" not in str(told)
    assert main(["config", "diff", "b.toml", "b.toml"]) == 0
    assert capsys.readouterr().out == "Both say the same.\n"
    assert main(["config", "diff", "--json", "a.toml", "b.toml"]) == 0
    assert {"key": "audio.frame_ms", "old": 10, "new": 20, "effect": "rejoin"} in json.loads(capsys.readouterr().out)


def test_two_files_or_none(capsys: Output) -> None:
    write("a.toml")
    assert main(["config", "diff", "a.toml"]) == Exit.USAGE
    assert main(["config", "diff", "a.toml", "none.toml"]) == Exit.CONFIGURATION
    assert capsys.readouterr().err.endswith("none.toml does not exist.\n")


def test_check_takes_a_file_by_its_name(capsys: Output) -> None:
    write("a.toml", "[audio]\nframe_ms = 11\n")
    assert main(["config", "check", "a.toml"]) == Exit.CONFIGURATION
    assert capsys.readouterr().err == "a.toml:3: audio.frame_ms = 11: must be 10 or 20 (ms).\n"
