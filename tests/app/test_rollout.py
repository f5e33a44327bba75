"""New settings on a device: taken up by all its parts, kept or taken back. Sound and link are stand-ins, time is virtual."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from appliance.app.trial import RELOAD_AGAIN
from appliance.core.rollout import MOST_ATTEMPTS
from appliance.provisioning.files import sources
from appliance.provisioning.sets import Link, Sets
from appliance.provisioning.virtual import AccessPoint, VirtualNetwork
from tests.app.provisioned import OTHER, ROOM, Device, make_device, parts
from tools.bench.stand_in import StandIn

pytestmark = pytest.mark.virtual_time

IN_ROOM = f'[room]\nurl = "{ROOM}"\n'
WRONG_ROOM = f'[room]\nurl = "{OTHER}"\n'
AFAR = '[provisioning]\nurl = "https://config.example.org"\nkeys = ["RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]\n'


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    return make_device(tmp_path, monkeypatch)


async def settled(standing: StandIn) -> None:
    """Wait until the device is in its room."""
    while not standing.in_room:
        await asyncio.sleep(0.1)


def state(said: Mapping[str, object]) -> tuple[object, object]:
    return said["state"], said["why"]


async def test_a_file_on_the_boot_partition_brings_the_device_into_its_room(device: Device) -> None:
    device.boot(IN_ROOM)
    async with parts(device) as standing:
        await device.begin()
        assert device.rollout.as_dict()["state"] == "defaults"
        said = await device.round()
        assert state(said) == ("kept", "")
        assert device.active == device.good == said["digest"] != ""
        await settled(standing)
        assert standing.taken == ["link rejoin"]
        assert not standing.trial, "and may be heard"
    assert [line.split("event=")[1].split()[0] for line in device.lines.getvalue().splitlines()] == [
        "settings_changed",
        "settings_tried",
        "settings_kept",
    ]


async def test_without_anything_new_nothing_is_done(device: Device) -> None:
    device.boot(IN_ROOM)
    async with parts(device) as standing:
        await device.begin()
        await device.round()
        before = device.lines.getvalue()
        for _ in range(20):
            await device.round()
        assert device.lines.getvalue() == before
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        assert device.lines.getvalue() == before, "nor after a restart"
        assert standing.taken == ["link rejoin"]


@pytest.mark.parametrize("door", ["open", "closed"])
async def test_a_wrong_room_is_taken_back_behind_a_closed_door_too(device: Device, door: str) -> None:
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        standing.door = door
        device.boot(WRONG_ROOM)
        await device.begin()
        trying = asyncio.create_task(device.round())
        await asyncio.sleep(5)
        assert standing.trial, "nobody in another room hears this one"
        assert device.rollout.as_dict()["state"] == "trying"
        said = await trying
        assert state(said) == ("reverted", "the room was lost (Unknown device.)")
        assert (device.active, device.good) == ("", "")
        assert standing.settings.room.url == ROOM
        assert not standing.trial
        await settled(standing)
        assert standing.taken == ["link rejoin", "link rejoin"]
        await device.round()
        assert standing.fault == "settings reverted: the room was lost (Unknown device.)"
        assert device.lines.lines("settings_reverted")


async def test_what_was_taken_back_is_not_tried_again_until_something_changes(device: Device) -> None:
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        device.boot(WRONG_ROOM)
        await device.begin()
        await device.round()
        for _ in range(10):
            await device.round()
        await device.begin()
        said = await device.round()
        assert said["state"] == "reverted", "nor after a restart"
        assert len(device.lines.lines("settings_tried")) == 1
        device.boot(WRONG_ROOM + "# once more\n")
        await device.round()
        assert len(device.lines.lines("settings_tried")) == 2
        device.rollout.try_again()
        await device.round()
        assert len(device.lines.lines("settings_tried")) == 3, "somebody asked by hand"
        device.boot("")
        assert state(await device.round()) == ("kept", "")
        assert standing.fault


async def test_who_is_not_in_the_room_may_get_a_room_that_refuses_it(device: Device) -> None:
    """It may be let in later; and nothing is lost by it."""
    device.boot(WRONG_ROOM)
    async with parts(device) as standing:
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        assert standing.settings.room.url == OTHER


async def test_a_device_whose_link_does_not_answer_is_waited_for_no_longer_than_needed(device: Device) -> None:
    device.boot(IN_ROOM)
    await device.begin()
    began = asyncio.get_running_loop().time()
    assert state(await device.round()) == ("kept", "")
    assert asyncio.get_running_loop().time() - began < 60
    async with parts(device) as standing:
        assert standing.settings.room.url == ROOM, "and starts with it"


async def test_a_part_that_was_away_is_told_when_it_is_back(device: Device) -> None:
    async with parts(device) as standing:
        device.boot(IN_ROOM)
        await device.begin()
        await device.round()
        old = standing.files["sound"].current
        standing.files["sound"].current = type(old)(old.settings, "another")
        await asyncio.sleep(RELOAD_AGAIN)
        await device.round()
        assert standing.files["sound"].current.digest == device.active


async def test_a_change_of_the_sound_card_starts_sound_anew(device: Device) -> None:
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        device.boot('[audio]\nnoise = "low"\n')
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        assert standing.taken == ["sound restart"]


async def test_what_touches_no_room_closes_no_gate(device: Device) -> None:
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        device.boot('[log]\nlevel = "warning"\n')
        await device.begin()
        trying = asyncio.create_task(device.round())
        for _ in range(20):
            await asyncio.sleep(0.1)
            assert not standing.trial
        assert state(await trying) == ("kept", "")


async def test_wrong_settings_are_not_tried_and_the_sentence_names_the_line(device: Device) -> None:
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        device.boot('[room]\nurl = "https://rooms.example.org"\nrelai = "always"\n')
        await device.begin()
        said = await device.round()
        path = device.root / "boot/firmware/kontor.toml"
        assert said["state"] == "refused"
        assert said["why"] == f'{path}:4: room.relai is no setting of Kontor. Did you mean "relay"?'
        assert standing.taken == []
        assert device.active == ""
        for _ in range(5):
            await device.round()
        assert len(device.lines.lines("settings_refused")) == 1
        device.boot("")
        assert state(await device.round()) == ("kept", "")


async def test_a_file_with_nothing_right_in_it_is_told_at_a_length_that_fits_everywhere(device: Device) -> None:
    device.boot("\n".join(f"wrong_{number} = 5" for number in range(3000)) + "\n")
    async with parts(device):
        await device.begin()
        said = await device.round()
        assert said["state"] == "refused"
        assert str(said["why"]).endswith("and 2980 more")
        assert len(str(said["why"])) < 10_000
        assert len(device.lines.lines("settings_refused")) <= 21
        await device.begin()
        assert not device.lines.lines("settings_not_stored")


async def test_what_was_kept_and_does_not_fit_any_more_is_told_and_again_when_it_does(device: Device) -> None:
    """After an update, or a change in the machine's own files."""
    device.boot('[quiet]\nnight = "22:00-06:00"\n')
    device.machine('[quiet]\ntime_zone = "Europe/Berlin"\n')
    async with parts(device):
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        device.machine("")
        await device.begin()
        for _ in range(3):
            said = await device.round()
            assert said["state"] == "refused"
            assert "needs quiet.time_zone beside it" in str(said["why"])
        assert len(device.lines.lines("settings_refused")) == 1
        device.machine('[quiet]\ntime_zone = "Europe/Berlin"\n')
        device.rollout.try_again()
        assert state(await device.round()) == ("kept", "")


async def test_the_machines_own_files_are_taken_up_when_somebody_says_so(device: Device) -> None:
    device.boot(IN_ROOM)
    async with parts(device) as standing:
        await device.begin()
        await device.round()
        device.machine("[audio]\nbitrate = 28000\n")
        await device.round()
        assert standing.settings.audio.bitrate == 32_000
        device.rollout.try_again()
        await device.round()
        assert standing.settings.audio.bitrate == 28_000
        assert standing.taken == ["link rejoin", "link rejoin"]
        assert "key=audio.bitrate" in device.lines.lines("settings_changed")[-1]


# ---- from afar


async def test_documents_lie_over_the_boot_file_and_the_narrower_over_the_wider(device: Device) -> None:
    device.machine(IN_ROOM)
    device.boot(f'{AFAR}group = "east"\n[audio]\nbitrate = 24000\ncomplexity = 4\n')
    device.shown.publish("all", 42, "[audio]\nbitrate = 28000\n")
    device.shown.publish("groups/east", 7, "[audio]\nbitrate = 30000\nframe_ms = 10\n")
    device.shown.publish("groups/west", 9, "[audio]\nbitrate = 99000\n")
    device.shown.publish("devices/meeting-room", 3, "[audio]\nframe_ms = 20\n")
    async with parts(device) as standing:
        await settled(standing)
        await device.begin()
        await device.round()
        said = await device.round()
        assert said["versions"] == {"all": 42, "group": 7, "device": 3}
        assert said["signed_by"] == dict.fromkeys(("all", "group", "device"), "ABCD")
        audio = standing.settings.audio
        assert (audio.bitrate, audio.complexity, audio.frame_ms) == (30000, 4, 20)
        names = [source.name for source in sources(None, device.root)]
        versions = (("all", 42), ("groups/east", 7), ("devices/meeting-room", 3))
        assert names[-3:] == [f"{scope}.toml (version {version})" for scope, version in versions]


async def test_a_bad_document_is_taken_back_and_a_newer_one_is_tried(device: Device) -> None:
    device.machine(IN_ROOM + AFAR)
    device.shown.publish("all", 1, "")
    async with parts(device) as standing:
        await settled(standing)
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        device.shown.publish("all", 2, WRONG_ROOM)
        assert (await device.round())["state"] == "reverted"
        await settled(standing)
        assert (await device.round())["versions"] == {"all": 1}
        device.shown.publish("all", 1, "")
        assert (await device.round())["state"] == "reverted", "an older one is not taken again"
        device.shown.publish("all", 3, "[audio]\nbitrate = 28000\n")
        said = await device.round()
        assert (state(said), said["versions"]) == (("kept", ""), {"all": 3})
        assert standing.settings.audio.bitrate == 28000


async def test_without_a_network_what_was_kept_goes_on_to_hold(device: Device) -> None:
    device.machine(AFAR)
    device.shown.publish("all", 1, IN_ROOM)
    async with parts(device) as standing:
        await device.begin()
        await device.round()
        await settled(standing)
        device.shown.down = True
        await device.begin()
        for _ in range(5):
            assert state(await device.round()) == ("kept", "")
        device.shown.down = False
        del device.shown.published["all"]
        await device.begin()
        assert state(await device.round()) == ("kept", ""), "what is missing there goes on to hold as well"
        assert standing.in_room


async def test_after_a_restart_without_a_network_what_was_taken_back_is_told_still(device: Device) -> None:
    device.machine(IN_ROOM + AFAR)
    device.shown.publish("all", 1, WRONG_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        await device.begin()
        await device.round()
        device.shown.down = True
        await device.begin()
        assert (await device.round())["state"] == "reverted"
        device.shown.down = False
        device.shown.publish("all", 2, "")
        assert (await device.round())["state"] == "kept"


async def test_a_place_from_which_nothing_comes_is_taken_back(device: Device) -> None:
    device.machine(IN_ROOM + AFAR)
    async with parts(device) as standing:
        await settled(standing)
        device.shown.publish("all", 1, '[provisioning]\nurl = "https://unreachable.example.org"\n')
        await device.begin()
        said = await device.round()
        assert state(said) == ("reverted", "no settings can be fetched with it")
        device.shown.publish("all", 2, '[provisioning]\nurl = "https://new.example.org"\n')
        assert state(await device.round()) == ("kept", "")
        await device.round()
        assert device.shown.asked[-1].url == "https://new.example.org"


async def test_a_card_may_name_a_place_where_nothing_is_published_yet(device: Device) -> None:
    async with parts(device) as standing:
        device.boot(IN_ROOM + AFAR.replace("config.", "unreachable."))
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        await settled(standing)
        device.boot(IN_ROOM + AFAR)
        assert state(await device.round()) == ("kept", ""), "nothing is lost by leaving it"


async def test_the_floor_of_versions_outlives_new_settings_on_the_boot_partition(device: Device) -> None:
    device.boot(IN_ROOM + AFAR)
    device.shown.publish("all", 5, "")
    async with parts(device):
        await device.begin()
        await device.round()
        assert (await device.round())["versions"] == {"all": 5}
        device.boot(IN_ROOM)
        said = await device.round()
        assert said["versions"] == {}, "whoever takes the address away ends what came from there"
        device.shown.publish("all", 4, "[log]\nlevel = 'debug'\n")
        device.boot(IN_ROOM + AFAR)
        await device.begin()
        await device.round()
        assert (await device.round())["versions"] in ({}, {"all": 5})


async def test_an_accepted_document_that_expires_stays_and_says_so_once(device: Device) -> None:
    device.machine(AFAR)
    device.shown.publish("all", 1, "", expires=device.now + 100)
    async with parts(device):
        await device.begin()
        said = await device.round()
        assert (said["expires"], said["expired"]) == (device.now + 100, False)
        device.now += 200
        for _ in range(5):
            said = await device.round()
        assert (state(said), said["expired"]) == (("kept", ""), True)
        assert len(device.lines.lines("settings_expired")) == 1


async def test_a_room_found_nearby_holds_until_somebody_says_otherwise(device: Device) -> None:
    async with parts(device) as standing:
        await device.begin()
        device.rollout.intake.adopt(f"schema = 1\n{IN_ROOM}".encode(), "found nearby")
        assert state(await device.round()) == ("kept", "")
        await settled(standing)
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        assert standing.in_room
        device.boot(f'{IN_ROOM}id = "blue"\n')
        await device.round()
        assert standing.settings.room.id == "blue"


# ---- the network

HOME = AccessPoint("office", password="correct horse")


def wifi(password: str) -> str:
    return f'[[network.wifi]]\nssid = "office"\npassword = "{password}"\n'


async def test_a_network_that_does_not_come_up_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = VirtualNetwork(air=[HOME], cable=False)
    device = make_device(tmp_path, monkeypatch, network)
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        device.boot(wifi("correct horse"))
        await device.begin()
        assert state(await device.round()) == ("kept", "")
        before = network.in_force
        assert before.wifi
        device.boot(wifi("wrong password"))
        said = await device.round()
        assert said["state"] == "reverted"
        assert "No connection came up" in str(said["why"])
        assert network.in_force == before
        assert device.active == device.good
        device.boot(wifi("correct horse"))
        assert state(await device.round()) == ("kept", "")


async def test_a_network_without_the_room_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = VirtualNetwork(air=[HOME, AccessPoint("guests", password="12345678")])
    device = make_device(tmp_path, monkeypatch, network)
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        device.boot(wifi("correct horse"))
        await device.begin()
        await device.round()
        before = network.in_force
        device.boot(wifi("correct horse") + WRONG_ROOM)
        assert (await device.round())["state"] == "reverted"
        assert network.in_force == before
        assert standing.in_room or not standing.trial


async def test_a_network_that_was_kept_while_the_disk_refused_is_taken_back_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = VirtualNetwork(air=[HOME])
    device = make_device(tmp_path, monkeypatch, network)
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        await device.begin()
        await device.round()
        before, point = network.in_force, Sets.point

        def refuse(sets: Sets, link: Link, digest: str) -> None:
            if link == "good":
                raise OSError(28, "No space left on device")
            point(sets, link, digest)

        with monkeypatch.context() as patch:
            patch.setattr(Sets, "point", refuse)
            device.boot(wifi("correct horse"))
            assert (await device.round())["state"] == "reverted"
            assert (network.in_force, device.active) == (before, "")
        assert state(await device.round()) == ("kept", "")
        assert network.in_force.wifi


# ---- cut off


async def test_a_trial_that_is_cut_off_is_taken_back_at_the_next_start_and_tried_again_a_few_times(
    device: Device,
) -> None:
    device.machine(IN_ROOM)
    async with parts(device) as standing:
        await settled(standing)
        device.boot(WRONG_ROOM)
        for attempt in range(1, MOST_ATTEMPTS + 1):
            await device.begin()
            assert device.active == device.good == ""
            trying = asyncio.create_task(device.round())
            await asyncio.sleep(5)
            assert len(device.lines.lines("settings_tried")) == attempt
            assert device.active != ""
            trying.cancel()  # as a kill, or a power cut
            await asyncio.gather(trying, return_exceptions=True)
        await device.begin()
        said = await device.round()
        assert state(said) == ("refused", f"its trial was cut off {MOST_ATTEMPTS} times")
        assert device.active == ""
        assert standing.settings.room.url == ROOM


async def test_damaged_settings_are_told_and_taken_in_anew(device: Device) -> None:
    device.machine(AFAR)
    device.boot(IN_ROOM)
    device.shown.publish("all", 1, "[audio]\nbitrate = 24000\n")
    async with parts(device) as standing:
        await device.begin()
        await device.round()
        kept = device.good
        (file,) = device.root.glob("var/lib/kontor/settings/sets/*/30-all.toml")
        file.write_bytes(b"\0" * 20)
        await device.begin()
        assert device.lines.lines("settings_not_stored")
        await device.round()
        said = await device.round()
        assert (state(said), device.good) == (("kept", ""), kept)
        assert standing.settings.audio.bitrate == 24000
