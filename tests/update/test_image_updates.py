"""The image takes an update under QEMU; then its card, as a power cut would have left it at any moment of that."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.core.boot_slots import Record, newest
from tests.update import asked, made, real_uboot
from tests.update.card import FileDisk
from tests.update.conftest import BOOTS, STATES, Updated
from tests.update.judge import Judge, Verdict, Version, save
from tests.update.life import VARIABLES, Life, script_of
from tests.update.writes import State, draw, read_log, states
from tools.image import layout
from tools.image.qemu import MachineError
from tools.measurements import Figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * 3600)]
SEED = 8
SETTLED = {"up_to_date", "working", "paused", "ready", "on_trial", "left"}
"""How a device may stand to updates that has come up from a state."""


@dataclass
class Cuts:
    """What became of the states, and of those that were booted."""

    verdicts: list[Verdict] = field(default_factory=list)
    booted: dict[str, str] = field(default_factory=dict)
    """Why a state did not come up, "" where it did."""


def records(card: Path) -> list[bytes]:
    """Both copies of the record."""
    disk = FileDisk(card)
    try:
        return [disk.read(part.start, layout.RECORD_SIZE) for part in layout.RECORDS]
    finally:
        disk.close()


def record(card: Path) -> Record:
    """What the record says."""
    found, _ = newest(records(card))
    assert found is not None
    return found


@pytest.fixture(scope="session")
def cuts(updated: Updated, images: list[Version], archive: bytes, tmp_path_factory: pytest.TempPathFactory) -> Cuts:
    """Every state that was drawn, judged, and some of them booted."""
    folder = tmp_path_factory.mktemp("cuts")
    working = made.copy(updated.before, folder / "working")
    disk = FileDisk(working)
    judge = Judge(script_of(disk), images, updated.files, VARIABLES)
    disk.close()
    found, chance = Cuts(), random.Random(SEED)
    counts = shares(updated.life.logs)
    boots = Counter(chance.choices(range(len(counts)), counts, k=BOOTS))
    for number, (log, count) in enumerate(zip(updated.life.logs, counts, strict=True)):
        for state, booted in drawn(log, working, count, boots[number], chance):
            verdict = judge.judge(state)
            verdict.name = f"{number}:{verdict.name}"
            found.verdicts.append(verdict)
            if booted:
                card = save(state, working, folder / "card")
                found.booted[verdict.name] = comes_up(card, folder, archive, updated.files, verdict)
                print(verdict.name, verdict.slot, found.booted[verdict.name] or "is up", flush=True)
    return found


def shares(logs: list[Path]) -> list[int]:
    """How many torn states each log gives: by the roots of their sizes, so that short ones have some."""
    weights = [log.stat().st_size ** 0.5 for log in logs]
    return [round(STATES * weight / sum(weights)) for weight in weights]


def drawn(log: Path, working: Path, count: int, boots: int, chance: random.Random) -> Iterator[tuple[State, bool]]:
    """The states of a log, and whether each is booted; where only some are checked, not every flush is one."""
    with read_log(log) as written:
        weighty = [(part.start, part.start + part.size) for part in layout.RECORDS]
        torn = draw(written, count, chance.getrandbits(32), weighty)
        chosen = set(chance.sample(torn, min(boots, len(torn))))
        flushes = range(len(written.epochs) + 1)
        some = flushes if STATES >= 1000 else sorted(chance.sample(flushes, min(len(flushes), max(2, count // 4))))
        for state in states(written, working, torn, some):
            yield state, state.torn is not None and (state.epoch, state.torn) in chosen


def comes_up(card: Path, folder: Path, archive: bytes, files: dict[str, str], verdict: Verdict) -> str:
    """Boot a card; why it is lost, "" if it is not. The real U-Boot is asked first for the slot that it takes."""
    said = real_uboot.start(card, until=b"Starting kernel", volatile=True).decode(errors="replace")
    life = Life(card, folder, archive)
    try:
        with life.started() as device:
            state = asked.stands(device, SETTLED)
            health, now = asked.health(device), asked.digests(device)
    except MachineError as error:
        return f"it does not start: {error}"
    if f"kontor: slot {life.slot}," not in said:
        return f"U-Boot takes another slot than {life.slot}: {said[-500:]}"
    if life.slot != verdict.slot and verdict.starts == 1:
        return f"slot {life.slot} came up and not {verdict.slot}"
    if state["slot"] != life.slot:
        return f"it says that it is slot {state['slot']} and not {life.slot}"
    gone = [path for path, digest in files.items() if now.get(path) != digest]
    wrong = {part: health[part] for part in ("sound", "provision") if health[part] != "active"}
    if wrong or gone or health["data"] != layout.DATA_LABEL:
        return f"{wrong} {gone} {health}"
    return ""


def test_an_update_comes_into_the_other_slot_and_is_kept(updated: Updated, figures: list[Figure]) -> None:
    assert (updated.taken["state"], updated.taken["next"]) == ("ready", "b")
    assert (updated.life.slot, updated.kept["slot"], updated.kept["state"]) == ("b", "b", "up_to_date")
    assert updated.kept["version"] == updated.taken["found"]
    assert updated.files, "there are files that no update changes"
    found = record(updated.life.card)
    assert (found.first, found.slots["a"].good, found.slots["b"].good) == ("b", True, True)
    fetched, size = int(str(updated.taken["fetched"])), int(str(updated.taken["size"]))
    told = (
        f"{fetched / 1e6:.1f} of {size / 1e6:.1f} MB for another version number and one changed line; slot b was empty"
    )
    figures.append(Figure("update.delta_percent", round(100 * fetched / size, 2), "%", "<= 15", note=told))


def test_a_key_that_is_not_the_devices_is_refused_and_a_rotated_one_is_not(updated: Updated) -> None:
    assert updated.refused["state"] == "refused"
    assert "key" in str(updated.refused["why"])
    assert updated.refused["slot"] == "a"
    assert updated.taken["state"] == "ready", "signed by the second of the device's keys"


def test_no_state_that_a_power_cut_leaves_is_lost(cuts: Cuts, figures: list[Figure]) -> None:
    lost = [verdict for verdict in cuts.verdicts if verdict.lost]
    tried = [verdict for verdict in cuts.verdicts if verdict.tried]
    versions = Counter(verdict.version for verdict in cuts.verdicts)
    repaired = sum(verdict.repaired for verdict in cuts.verdicts)
    told = f"{versions['first']} start the version before, {versions['next']} the next; {repaired} needed fsck's repair"
    figures.append(Figure("update.states_checked", len(cuts.verdicts), "", f">= {STATES}", note=told))
    figures.append(Figure("update.states_lost", len(lost), "", "== 0"))
    assert not lost, lost[:5]
    assert not tried, "a slot is started before it is whole"
    assert versions["first"]
    assert versions["next"]


def test_drawn_states_come_up(cuts: Cuts, figures: list[Figure]) -> None:
    lost = {name: why for name, why in cuts.booted.items() if why}
    told = f"{len(cuts.booted)} drawn states booted, each with the real U-Boot and then to its services, under QEMU"
    figures.append(Figure("update.booted_lost", len(lost), "", "== 0", note=told))
    assert not lost
    assert len(cuts.booted) == BOOTS


def test_a_broken_slot_is_left_again(updated: Updated, archive: bytes, tmp_path: Path) -> None:
    card = made.copy(updated.ready, tmp_path / "card")
    with card.open("r+b") as file:
        file.seek(layout.ROOT_B.start)
        file.write(b"\xa5" * 4096)
    life = Life(card, tmp_path, archive)
    for _ in range(3):
        assert "dm-verity device corrupted" in life.fails()
        assert life.slot == "b"
    with life.started() as device:
        status = asked.stands(device, {"left"})
    assert (life.slot, status["slot"]) == ("a", "a")
    assert "did not come up" in status["why"]


def test_a_device_without_a_record_starts_the_newest_and_has_one_again(
    updated: Updated, archive: bytes, tmp_path: Path
) -> None:
    card = made.copy(updated.life.card, tmp_path / "card")
    with card.open("r+b") as file:
        for part in layout.RECORDS:
            file.seek(part.start)
            file.write(bytes(layout.RECORD_SIZE))
    life = Life(card, tmp_path, archive)
    with life.started() as device:
        status = asked.stands(device, {"up_to_date"})
        asked.off(device)
    assert (life.slot, status["slot"]) == ("b", "b")
    one, two = (newest([copy, b""])[0] for copy in records(card))
    assert one is not None
    assert two is not None
    assert record(card).slots["b"].good
