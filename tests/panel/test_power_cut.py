"""The stored mute when the power goes, or the process is killed, at any moment of its writing (UX.md, mute rule 5)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from appliance.core.controls import Door, Reason, Reasons
from appliance.panel.memory import MuteMemory, Remembered
from tests.panel.disk import Call, Recorder, after_power_cut
from tests.support.need import need

NAME = "mute.json"
FIRST_START = Remembered(stored=False)
CHAIN = (
    (frozenset({Reason.BUTTON}), Door.OPEN),
    (frozenset[Reason](), Door.OPEN),
    (frozenset({Reason.VIOLATION, Reason.ADMIN}), Door.CLOSED),
    (frozenset({Reason.HAND}), Door.LISTENING),
)
"""What is stored one after the other, beginning with nothing."""
MUTED = frozenset({Reason.HAND})
ROOT = Path(__file__).parents[2]


def found(folder: Path, state: dict[str, bytes]) -> Remembered:
    """What sound reads when it starts on a disk in this state."""
    for path in folder.iterdir():
        path.unlink()
    for name, content in state.items():
        (folder / name).write_bytes(content)
    return MuteMemory(folder).load()


def calls_of_saving(folder: Path, wish: tuple[Reasons, Door], before: dict[str, bytes]) -> list[Call]:
    """The calls that storing ``wish`` really makes in a folder that holds ``before``."""
    assert found(folder, before).stored == bool(before)
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(folder, patch)
        MuteMemory(folder).save(*wish)
    return recorder.calls


def stored(folder: Path, wish: tuple[Reasons, Door]) -> dict[str, bytes]:
    MuteMemory(folder).save(*wish)
    return {NAME: (folder / NAME).read_bytes()}


def test_it_makes_these_calls_and_no_other(tmp_path: Path) -> None:
    calls = calls_of_saving(tmp_path, CHAIN[0], {})
    assert calls[0].name.startswith(f".{NAME}.")
    assert calls[0].name.endswith(".new"), "who finds it after a power cut sees what it is"
    assert list(map(str, calls)) == [
        "make",
        "write",
        "mode",
        "flush",
        "rename",
        "flush folder",
    ]


def test_at_whatever_call_the_power_goes_the_old_mute_is_there_or_the_new_one(tmp_path: Path) -> None:
    """Every state that the disk can come back in is read by the code that reads it; none of them is even damaged."""
    before: dict[str, bytes] = {}
    known, seen = FIRST_START, 0
    for wish in CHAIN:
        calls = calls_of_saving(tmp_path, wish, before)
        wanted = Remembered(*wish)
        states = after_power_cut(before, calls)
        renamed = [call.what for call in calls].index("rename") + 1
        for made, left in enumerate(states):
            for state in left:
                here = found(tmp_path, state)
                assert here in (known, wanted), (made, state)
                assert here == wanted or made < len(calls), "what was stored is stored"
                assert here == known or made >= renamed, "nothing is there before it was renamed"
                seen += 1
        before, known = stored(tmp_path, wish), wanted
    assert seen > 1000, "files that were not flushed come in many states"


def test_what_a_power_cut_left_lying_does_not_hinder_the_next_one(tmp_path: Path) -> None:
    before = stored(tmp_path, CHAIN[0])
    for left in after_power_cut(before, calls_of_saving(tmp_path, CHAIN[2], before)):
        found(tmp_path, left[-1])
        stored(tmp_path, CHAIN[3])
        assert MuteMemory(tmp_path).load() == Remembered(*CHAIN[3])


def test_half_a_file_reads_as_muted_whatever_the_rest_of_it_is(tmp_path: Path) -> None:
    """A disk that keeps none of its promises: the name is there, and of the content any part."""
    (content,) = stored(tmp_path, CHAIN[1]).values()
    calls = [Call("make", 0, NAME), Call("write", 0, data=content), Call("flush folder")]
    torn = [state for state in after_power_cut({}, calls)[-1] if state[NAME] != content]
    assert len(torn) > 2 * len(content) - 10
    for state in torn:
        here = found(tmp_path, state)
        assert (here.reasons, here.door) == (MUTED, Door.LISTENING), state


@pytest.mark.parametrize(
    "mutant", ["no flush", "no flush of the folder", "renamed before it is flushed", "removed before it is renamed"]
)
def test_the_model_notices_every_promise_that_is_not_kept(tmp_path: Path, mutant: str) -> None:
    before = stored(tmp_path, CHAIN[0])
    calls = calls_of_saving(tmp_path, CHAIN[1], before)
    make, write, mode, flush, rename, folder = calls
    mutated = {
        "no flush": [make, write, mode, rename, folder],
        "no flush of the folder": [make, write, mode, flush, rename],
        "renamed before it is flushed": [make, write, mode, rename, folder, flush],
        "removed before it is renamed": [make, write, mode, flush, Call("remove", name=NAME), rename, folder],
    }[mutant]
    known, wanted = Remembered(*CHAIN[0]), Remembered(*CHAIN[1])
    states = after_power_cut(before, mutated)
    lost = [state for left in states for state in left if found(tmp_path, state) not in (known, wanted)]
    lost += [state for state in states[-1] if found(tmp_path, state) != wanted]
    assert lost


# ---- killed

KILLED = """
import os, signal, sys
from pathlib import Path
import pytest
from appliance.core.controls import Door, Reason
from appliance.panel.memory import MuteMemory
from tests.panel.disk import Recorder

folder, last = Path(sys.argv[1]), int(sys.argv[2])
left = 0

def before(call):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

for last in range(last):
    child = os.fork()
    if not child:
        left = last
        Recorder(folder, pytest.MonkeyPatch(), before)
        MuteMemory(folder).save(frozenset({Reason.VIOLATION}), Door.OPEN)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    found = MuteMemory(folder).load()
    print(os.WTERMSIG(status), ",".join(reason.name for reason in found.reasons), found.damaged)
    MuteMemory(folder).save(frozenset({Reason.BUTTON}), Door.OPEN)
"""


def test_killed_at_any_call_the_old_mute_is_there_or_the_new_one(tmp_path: Path) -> None:
    calls = len(calls_of_saving(tmp_path, CHAIN[0], {}))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(calls + 1)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    renamed = calls - 1
    assert done.stdout.splitlines() == [
        *["9 BUTTON "] * renamed,
        "9 VIOLATION ",
        "0 VIOLATION ",
    ]


# ---- a disk that refuses


def refuse_one(numbers: Iterator[int], fails: int, _call: Call) -> None:
    if next(numbers, None) == fails:
        raise OSError(5, "Input/output error")


def test_a_call_that_fails_leaves_the_old_mute_or_the_new_one_and_nothing_lying(tmp_path: Path) -> None:
    before = stored(tmp_path, CHAIN[0])
    calls = calls_of_saving(tmp_path, CHAIN[2], before)
    for fails in range(len(calls)):
        found(tmp_path, before)
        with pytest.MonkeyPatch.context() as patch:
            Recorder(tmp_path, patch, partial(refuse_one, iter(range(len(calls))), fails))
            with pytest.raises(OSError, match="Input/output"):
                MuteMemory(tmp_path).save(*CHAIN[2])
        assert os.listdir(tmp_path) == [NAME]
        is_new = calls[fails].what == "flush folder"
        assert MuteMemory(tmp_path).load() == Remembered(*CHAIN[2 if is_new else 0])


def test_a_disk_that_takes_a_few_bytes_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, bytes(data[:7])))
    MuteMemory(tmp_path).save(*CHAIN[2])
    assert MuteMemory(tmp_path).load() == Remembered(*CHAIN[2])


# ---- the recorder is believed because the kernel was asked too


def test_the_kernel_sees_the_same_calls(tmp_path: Path) -> None:
    strace = need("strace", "strace is not installed")
    state, log = tmp_path / "state", tmp_path / "calls"
    state.mkdir()
    program = (
        "from pathlib import Path; from appliance.core.controls import Door; "
        "from appliance.panel.memory import MuteMemory; "
        f"MuteMemory(Path({str(state)!r})).save(frozenset(), Door.OPEN)"
    )
    names = {"write": "write", "fchmod": "mode", "fsync": "flush", "rename": "rename"}
    ours = f"{state}/.{NAME}."
    subprocess.run(
        [strace, "-f", "-y", "-o", log, "-e", "trace=desc,file", sys.executable, "-c", program],
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    seen: list[str] = []
    for line in log.read_text().splitlines():
        call = line.split("(")[0].split()[-1].removesuffix("at2").removesuffix("at")
        if ours in line and "O_CREAT" in line:
            seen.append("make")
        elif f"<{state}>" in line and call == "fsync":
            seen.append("flush folder")
        elif ours in line and call in names:
            seen.append(names[call])
        else:
            assert ours not in line or call in {"close", "fstat", "lseek", "fcntl", "ioctl", "newfst", "open"}, line
    (tmp_path / "again").mkdir()
    assert seen == list(map(str, calls_of_saving(tmp_path / "again", CHAIN[1], {})))
