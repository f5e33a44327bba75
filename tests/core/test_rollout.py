"""Whether settings on trial are kept or taken back."""

import dataclasses

import pytest

from appliance.core.rollout import REFUSED_FOR, STEADY, Seen, Trial, Verdict, change_of, waits_for_room

NEW, OLD = "new", "old"
BOTH = frozenset({"sound", "link"})
GOOD = Seen({"sound": NEW, "link": NEW}, "in_room", blocks=(7, 100))


def trial(*, parts: frozenset[str] = BOTH, was_in_room: bool = True, needs_fetch: bool = False) -> Trial:
    return Trial(NEW, parts, was_in_room, needs_fetch, began=100.0, patience=60.0)


def looks(tried: Trial, seen: Seen, start: float, seconds: float) -> Verdict:
    """A look every second, with blocks that advance; the verdict of the last one, or the first that is one."""
    verdict = Verdict.WAIT
    for second in range(round(seconds) + 1):
        blocks = None if seen.blocks is None else (seen.blocks[0], seen.blocks[1] + 100 * second)
        verdict = tried.look(dataclasses.replace(seen, blocks=blocks), start + second)
        if verdict is not Verdict.WAIT:
            return verdict
    return verdict


def test_it_is_kept_once_everything_has_been_as_wanted_for_a_while() -> None:
    tried = trial()
    assert looks(tried, GOOD, 101, STEADY) is Verdict.WAIT, (
        "the first look at blocks tells nothing of whether they advance"
    )
    assert tried.look(dataclasses.replace(GOOD, blocks=(7, 900)), 101 + STEADY + 1) is Verdict.KEEP


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (dataclasses.replace(GOOD, digests={"sound": OLD, "link": NEW}), "sound does not run with it"),
        (dataclasses.replace(GOOD, digests={}), "link does not run with it; sound does not run with it"),
        (dataclasses.replace(GOOD, phase="connecting"), "the room was lost"),
        (dataclasses.replace(GOOD, phase="connecting", why="No way there."), "the room was lost (No way there.)"),
        (dataclasses.replace(GOOD, blocks=None), "no sound is played"),
    ],
)
def test_what_is_missing_until_the_end_takes_it_back(seen: Seen, why: str) -> None:
    tried = trial()
    assert looks(tried, seen, 100, 59) is Verdict.WAIT
    assert tried.look(dataclasses.replace(seen, blocks=seen.blocks and (7, 10**6)), 160) is Verdict.REVERT
    assert tried.why == why


def test_it_begins_anew_when_something_is_lost_between() -> None:
    tried = trial()
    assert looks(tried, GOOD, 101, 2) is Verdict.WAIT
    assert tried.look(dataclasses.replace(GOOD, phase="reconnecting"), 104) is Verdict.WAIT
    assert looks(tried, dataclasses.replace(GOOD, blocks=(8, 0)), 105, 2) is Verdict.WAIT, "sound was started anew"
    assert looks(tried, dataclasses.replace(GOOD, blocks=(8, 300)), 108, 5) is Verdict.KEEP


def test_blocks_that_stand_still_do_not_advance() -> None:
    tried = trial()
    for second in range(59):
        assert tried.look(GOOD, 101 + second) is Verdict.WAIT
    assert tried.look(GOOD, 160) is Verdict.REVERT
    assert tried.why == "no sound is played"


def test_without_sound_none_is_waited_for() -> None:
    tried = trial(parts=frozenset({"host"}), was_in_room=False)
    seen = Seen({"host": NEW})
    assert tried.look(seen, 101) is Verdict.WAIT
    assert tried.look(seen, 101 + STEADY) is Verdict.KEEP


def test_who_was_not_in_the_room_need_not_be_in_it() -> None:
    refused = dataclasses.replace(GOOD, phase="refused", why="Unknown device.")
    assert looks(trial(was_in_room=False), refused, 101, 10) is Verdict.KEEP


def test_a_room_that_refuses_is_believed_before_the_time_is_over() -> None:
    tried = trial()
    refused = dataclasses.replace(GOOD, phase="refused", why="Unknown device.")
    assert looks(tried, refused, 105, REFUSED_FOR - 1) is Verdict.WAIT
    assert tried.look(dataclasses.replace(GOOD, phase="connecting"), 115) is Verdict.WAIT, "it asks again"
    assert looks(tried, refused, 116, REFUSED_FOR - 1) is Verdict.WAIT
    assert tried.look(refused, 116 + REFUSED_FOR) is Verdict.REVERT
    assert "Unknown device." in tried.why


def test_a_part_that_cannot_take_it_ends_the_trial_at_once() -> None:
    tried = trial()
    seen = dataclasses.replace(GOOD, errors=("link: [room] ca_file: no such file", "host: no room"))
    assert tried.look(seen, 101) is Verdict.REVERT
    assert tried.why == "link: [room] ca_file: no such file; host: no room"


def test_where_the_way_to_settings_changes_they_must_come_on_the_new_one() -> None:
    tried = trial(needs_fetch=True)
    assert looks(tried, GOOD, 100, 20) is Verdict.WAIT
    assert tried.why == "no settings can be fetched with it"
    assert looks(tried, dataclasses.replace(GOOD, fetched=True, blocks=(7, 10**5)), 121, 5) is Verdict.KEEP


def test_what_is_as_wanted_at_the_very_end_is_not_taken_back() -> None:
    tried = trial()
    assert looks(tried, dataclasses.replace(GOOD, phase="connecting"), 100, 59) is Verdict.WAIT
    assert looks(tried, dataclasses.replace(GOOD, blocks=(7, 10**6)), 160, 4) is Verdict.KEEP


@pytest.mark.parametrize(
    ("keys", "gate", "network", "fetch"),
    [
        ([], False, False, False),
        (["log.level"], False, False, False),
        (["quiet.hours", "metrics.listen"], False, False, False),
        (["room.url"], True, False, False),
        (["log.level", "panel.mute"], True, False, False),
        (["door.first"], True, False, False),
        (["device.name"], True, False, False),
        (["audio.bitrate"], True, False, False),
        (["provisioning.poll_s", "provisioning.confirm_s"], False, False, False),
        (["provisioning.url"], True, False, True),
        (["network.wifi[1].ssid"], True, True, True),
    ],
)
def test_what_new_settings_need(keys: list[str], gate: bool, network: bool, fetch: bool) -> None:
    change = change_of(keys)
    assert (change.gate, change.network, change.fetch) == (gate, network, fetch)


def test_on_the_way_nobody_knows_yet_whether_the_device_gets_into_its_room() -> None:
    assert {
        phase for phase in ("", "connecting", "reconnecting", "in_room", "refused", "left") if waits_for_room(phase)
    } == {
        "",
        "connecting",
        "reconnecting",
    }
