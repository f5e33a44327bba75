"""Settings taken up by a process that runs: what changes for it, and what it does about that."""

import asyncio
from pathlib import Path

import pytest

from appliance.app.process import NotAllowed
from appliance.app.reload import ADVICE_LASTS, OWN, Advice, Reload, answering, own_effects, takes_of
from appliance.health.status import ask
from appliance.provisioning.files import Files
from appliance.settings import Effect, Settings, SettingsError, Source, load
from appliance.settings.describe import entries
from tests.app.parts import journal
from tests.support import until


def settings(text: str = "") -> Settings:
    return load([Source("test.toml", f"schema = 1\n{text}".encode(), Path("/"))], ())


class World:
    """A process of ours, and the one file of its settings."""

    def __init__(self, folder: Path, part: str = "link", **acts: object) -> None:
        self.path = folder / "kontor.toml"
        self.write("")
        self.files = Files(self.path)
        self.files.current = self.files.load()
        self.log, self.lines = journal()
        self.ended = 0
        self.reload = Reload(part, self.files, self.log, self._end, **acts)  # type: ignore[arg-type]

    def write(self, text: str) -> None:
        self.path.write_text(f"schema = 1\n{text}")

    def _end(self) -> None:
        self.ended += 1

    async def ask(self) -> dict[str, object]:
        return dict(await self.reload({"do": "reload"}))


async def test_nothing_new_is_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert await world.ask() == {"effects": {}, "takes": "nothing"}
    assert world.lines.getvalue() == ""


async def test_what_is_of_others_is_nothing_but_taken_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write('[panel]\nkind = "gpio"\n')
    assert (await world.ask())["takes"] == "nothing"
    assert world.files.current.settings.panel.kind.value == "gpio"


async def test_a_live_setting_is_taken_up_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write('[log]\nlevel = "error"\n')
    assert await world.ask() == {"effects": {"log.level": "live"}, "takes": "live"}
    assert world.log.least.name == "ERROR"
    assert world.files.current.settings.log.level == "error"
    assert (world.ended, await world.ask()) == (0, {"effects": {}, "takes": "nothing"})


async def test_wrong_settings_are_answered_with_what_is_wrong_and_change_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.files.current
    world.write('[log]\nlevle = "error"\n')
    assert await world.ask() == {
        "error": f'{world.path}:3: log.levle is no setting of Kontor. Did you mean "level"?',
    }
    assert (world.files.current, world.ended) == (before, 0)


async def test_what_needs_a_new_process_ends_this_one_once_it_has_answered(tmp_path: Path) -> None:
    world = World(tmp_path, "sound")
    before = world.files.current
    world.write('[audio]\nnoise = "low"\nbitrate = 24000\n')
    assert await world.ask() == {"effects": {"audio.noise": "restart"}, "takes": "restart"}
    assert world.files.current == before, "it runs with the old ones until its end"
    assert world.ended == 0
    await until(lambda: world.ended == 1)
    assert "takes=restart keys=audio.noise" in world.lines.lines("settings_reloaded")[0]


async def test_a_change_of_the_panel_waits_for_a_hand_before_anything_else(tmp_path: Path) -> None:
    order: list[str] = []

    async def hand() -> bool:
        order.append("hand")
        return True

    world = World(tmp_path, "sound", hand=hand)
    world.write('[panel]\nmute = "momentary"\n[audio]\nnoise = "low"\n')
    said = await world.ask()
    assert said["takes"] == "hand"
    assert (order, world.ended) == (["hand"], 0)
    await until(lambda: world.ended == 1)


async def test_without_a_place_to_keep_that_a_hand_is_needed_the_panel_stays_as_it_is(tmp_path: Path) -> None:
    async def full() -> bool:
        return False

    world = World(tmp_path, "sound", hand=full)
    world.write('[panel]\nmute = "momentary"\n')
    assert "could not be stored" in str((await world.ask())["error"])
    await asyncio.sleep(0.1)
    assert world.ended == 0


async def test_a_new_room_is_joined_without_a_new_process(tmp_path: Path) -> None:
    joined: list[str] = []

    async def rejoin(new: Settings) -> None:
        joined.append(new.room.id)

    world = World(tmp_path, rejoin=rejoin)
    world.write('[room]\nid = "blue"\n')
    assert (await world.ask())["takes"] == "rejoin"
    assert joined == ["blue"]
    assert world.files.current.settings.room.id == "blue"
    assert world.ended == 0


async def test_a_room_that_cannot_be_joined_is_told(tmp_path: Path) -> None:
    async def rejoin(_new: Settings) -> None:
        raise NotAllowed("[room] ca_file: no such file")

    world = World(tmp_path, rejoin=rejoin)
    before = world.files.current
    world.write('[room]\nid = "blue"\n')
    assert await world.ask() == {"error": "[room] ca_file: no such file"}
    assert world.files.current == before


async def test_a_process_with_nothing_else_to_say_answers_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "kontor.toml"
    path.write_text(f'schema = 1\n[device]\nruntime_dir = "{tmp_path}/run"\n')
    files = Files(path)
    files.current = files.load()
    ended = asyncio.Event()
    async with answering("host", files, journal()[0], ended.set):
        said = await asyncio.to_thread(ask, tmp_path / "run/host.status", {"do": "status"})
        assert said["settings"] == ""
        path.write_text(path.read_text() + "[host]\nport = 8081\n")
        said = await asyncio.to_thread(ask, tmp_path / "run/host.status", {"do": "reload"})
        assert said["takes"] == "restart"
        await asyncio.wait_for(ended.wait(), 5)
    assert not (tmp_path / "run/host.status").exists()


@pytest.mark.parametrize(
    ("part", "text", "takes"),
    [
        ("sound", '[room]\nid = "blue"', "nothing"),
        ("sound", "[audio]\nbitrate = 24000", "nothing"),
        ("sound", "[audio]\nframe_ms = 10", "restart"),
        ("sound", '[device]\nname = "Blue"', "nothing"),
        ("sound", '[device]\nstate_dir = "/srv"', "restart"),
        ("sound", '[door]\nfirst = "closed"', "hand"),
        ("link", '[door]\nfirst = "closed"', "nothing"),
        ("link", "[audio]\nframe_ms = 10", "rejoin"),
        ("link", '[device]\nname = "Blue"', "rejoin"),
        ("link", '[audio]\nnoise = "low"', "nothing"),
        ("host", '[audio]\nnoise = "low"', "nothing"),
        ("host", "[host]\nport = 81", "restart"),
        ("host", '[device]\nname = "Blue"', "restart"),
    ],
)
def test_what_concerns_whom(part: str, text: str, takes: str) -> None:
    changed = own_effects(part, settings(), settings(text))
    assert takes_of(changed, can_rejoin=part == "link") == takes


def test_every_setting_is_somebodys() -> None:
    """Or a change of it would be taken up by nobody until the next start."""
    own = (*OWN["sound"], *OWN["link"], *OWN["host"], "provisioning.", "network.", "update.")
    assert [entry.key for entry in entries(Settings()) if not entry.key.startswith(own)] == []


def test_the_gravest_effect_counts() -> None:
    grave = {"a": Effect.LIVE, "b": Effect.HAND, "c": Effect.REJOIN}
    assert takes_of(grave, can_rejoin=True) == "hand"


async def test_what_the_fault_lamp_was_told_lapses() -> None:
    now = 100.0
    advice = Advice(lambda: now)
    assert advice.why == ""
    assert await advice.take({"why": "settings reverted"}) == {"why": "settings reverted"}
    now += ADVICE_LASTS - 1
    assert advice.why == "settings reverted"
    now += 2
    assert advice.why == ""
    await advice.take({"why": "settings reverted"})
    await advice.take({})
    assert advice.why == ""


def test_settings_that_nobody_has_taken_up_are_those_of_a_machine_without_any() -> None:
    assert Files(None).current.settings == Settings()
    with pytest.raises(SettingsError):
        Files(Path("/nowhere.toml")).load()
