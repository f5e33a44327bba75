"""A folder of settings files made into a published one: what is refused, what is written, and that devices follow it."""

from pathlib import Path

import pytest

from appliance.core.documents import Floor
from appliance.provisioning import fleet
from appliance.provisioning.fetch import Fetcher, Place
from appliance.provisioning.fleet import Step
from appliance.provisioning.minisign import PublicKey
from appliance.provisioning.publication import read_pointer
from appliance.provisioning.signing import SecretKey
from appliance.settings import SettingsError
from tests.provisioning.published import shown

KEY = SecretKey(bytes(range(8)), bytes(32))
NEW = SecretKey(bytes(range(1, 9)), bytes([1]) * 32)
NOW = 1_800_000_000.0


class Source:
    """A source folder in the making, and what becomes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.public = folder / "fleet", folder / "public"
        self.folder.mkdir()

    def has(self, name: str, text: str = "") -> "Source":
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"schema = 1\n{text}")
        return self

    def refused(self, key: SecretKey = KEY) -> list[str]:
        """The sentences, without the folder."""
        with pytest.raises(SettingsError) as caught:
            fleet.check(fleet.read_fleet(self.folder), key.public)
        return [str(problem).replace(f"{self.folder}/", "") for problem in caught.value.problems]

    def published(
        self, key: SecretKey = KEY, trusted: tuple[PublicKey, ...] = (), renew: bool = False, least: int = 1
    ) -> list[Step]:
        source = fleet.read_fleet(self.folder)
        fleet.check(source, key.public)
        steps = fleet.plan(source, self.public, (key.public, *trusted), key.public, renew=renew, least=least)
        fleet.write(steps, self.public, key)
        return steps

    def changed(self, key: SecretKey = KEY, **options: int) -> dict[str, tuple[int, str]]:
        steps = self.published(key, **options)  # type: ignore[arg-type]  # renew and least
        return {step.pointer.scope: (step.pointer.version, step.why) for step in steps if step.why}

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.public).as_posix() for path in self.public.glob("**/*") if path.is_file())


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


# ---- what is refused


def test_nothing_to_publish(source: Source) -> None:
    words = " holds no all.toml, groups/NAME.toml or devices/ID.toml."
    assert [sentence.endswith(words) for sentence in source.refused()] == [True]


def test_a_file_that_is_nobodys(source: Source) -> None:
    source.has("all.toml").has("groups/Bonn.toml").has("rooms/lobby.toml").has("al.toml")
    what = "is neither all.toml nor groups/NAME.toml nor devices/ID.toml. Names are made of a-z 0-9 . _ -"
    assert source.refused() == [f"{name} {what}" for name in ("al.toml", "groups/Bonn.toml", "rooms/lobby.toml")]


def test_every_mistake_is_told_once_with_its_line(source: Source) -> None:
    source.has("all.toml", "[audio]\nframe_ms = 11\n").has("groups/bonn.toml", "[romo]\n").has("devices/a.toml")
    assert source.refused() == [
        "all.toml:3: audio.frame_ms = 11: must be 10 or 20 (ms).",
        'groups/bonn.toml:2: romo is no section of Kontor. Did you mean "room"?',
    ]


def test_a_secret_has_no_place_in_a_document(source: Source) -> None:
    source.has("all.toml", '[room]\ntoken = "hunter2"\n[host.turn]\nsecret = "hunter3"\n')
    told = source.refused()
    assert told[0].startswith("all.toml:3: room.token is no setting of Kontor.")
    assert told[1].startswith("all.toml:5: host.turn.secret is no setting of Kontor.")
    assert "hunter" not in str(told)


def test_who_a_device_is_stays_with_the_device(source: Source) -> None:
    source.has("all.toml", '[device]\nname = "Anna"\nid = "anna"\nstate_dir = "/tmp"\n')
    source.has("groups/bonn.toml", '[provisioning]\ngroup = "ulm"\n[device]\nruntime_dir = "/x"\n')
    source.has("devices/anna.toml", '[device]\nname = "Anna 2"\n').has("devices/bert.toml", '[device]\nid = "anna"\n')
    source.has("devices/good.toml", '[device]\nid = "good"\nname = "Anna 2"\n[provisioning]\ngroup = "bonn"\n')
    own = "stands in the device's own files, never in one that is published"
    one = "belongs in the document of one device: devices/ID.toml"
    hint = 'Write id = "anna" beside it, or the device would be known by another id from then on.'
    assert source.refused() == [
        f'all.toml:3: device.name = "Anna": {one}.',
        f'all.toml:4: device.id = "anna": {one}.',
        f'all.toml:5: device.state_dir = "/tmp": {own}.',
        'groups/bonn.toml:3: provisioning.group = "ulm": belongs in all.toml or in the document of one device.',
        f'groups/bonn.toml:5: device.runtime_dir = "/x": {own}.',
        f'devices/anna.toml:3: device.name = "Anna 2": needs device.id beside it in devices/anna.toml. {hint}',
        'devices/bert.toml:3: device.id = "anna": must be "bert", for that device follows this document.',
    ]


def test_what_fits_alone_may_not_fit_together(source: Source) -> None:
    source.has("groups/bonn.toml", '[quiet]\nhours = ["mon-fri 19:00-07:00"]\n')
    words = "quiet.hours = (a list): needs quiet.time_zone beside it."
    assert source.refused() == [f"groups/bonn.toml:3: {words}"]
    source.has("base.toml", '[quiet]\ntime_zone = "Europe/Berlin"\n')
    assert source.changed() == {"groups/bonn": (1, "new")}
    assert source.files() == ["groups/bonn.1.toml", "groups/bonn.minisig"]


def test_a_device_is_checked_in_its_group_and_one_that_names_none_in_each(source: Source) -> None:
    source.has("groups/bonn.toml", "[audio]\nchannels = 2\n").has("groups/ulm.toml").has(
        "devices/a.toml", '[audio]\ngeometry_mm = "0,0; 10,0; 20,0"\n'
    )
    words = 'audio.geometry_mm = "0,0; 10,0; 20,0": has 3 microphones, but audio.channels is 2.'
    assert source.refused() == [f"devices/a.toml:3: {words}"]
    source.has("devices/a.toml", '[audio]\ngeometry_mm = "0,0; 10,0; 20,0"\n[provisioning]\ngroup = "ulm"\n')
    assert len(source.published()) == 3


def test_no_document_makes_a_device_deaf_to_who_signs_it(source: Source) -> None:
    source.has("all.toml", f'[provisioning]\nkeys = ["{NEW.public}"]\n')
    what = (
        f"would leave out the key {KEY.public.name} that this is signed with, so that no device would follow any more."
    )
    assert source.refused() == [f"all.toml: provisioning.keys {what} Name the old key and the new one for a while."]
    source.has("all.toml", f'[provisioning]\nkeys = ["{KEY.public}", "{NEW.public}"]\n')
    assert source.changed() == {"all": (1, "new")}


def test_a_base_alone_may_be_deaf_too(source: Source) -> None:
    source.has("base.toml", f'[provisioning]\nkeys = ["{NEW.public}"]\n').has("devices/a.toml")
    assert [sentence.split(":")[0] for sentence in source.refused()] == ["base.toml", "devices/a.toml"]


# ---- what is written


def test_only_what_changed_gets_a_new_version(source: Source) -> None:
    source.has("all.toml").has("groups/bonn.toml").has("devices/a.toml")
    assert source.changed() == {"all": (1, "new"), "groups/bonn": (1, "new"), "devices/a": (1, "new")}
    assert source.changed() == {}
    source.has("groups/bonn.toml", "[audio]\nframe_ms = 10\n")
    assert source.changed() == {"groups/bonn": (2, "changed")}
    assert source.changed(renew=True) == {
        "all": (2, "renewed"),
        "groups/bonn": (3, "renewed"),
        "devices/a": (2, "renewed"),
    }


def test_the_version_before_stays_for_whoever_has_just_read_its_pointer(source: Source) -> None:
    for number in (10, 20, 10):
        source.has("all.toml", f"[audio]\nframe_ms = {number}\n").published()
    assert source.files() == ["all.2.toml", "all.3.toml", "all.minisig"]
    mode = (source.public / "all.minisig").stat().st_mode & 0o777
    assert mode == 0o644, "a web server of another user reads it"


def test_a_file_that_is_gone_ends_its_layer(source: Source) -> None:
    source.has("all.toml").has("devices/a.toml", "[audio]\nframe_ms = 10\n").published()
    (source.folder / "devices/a.toml").unlink()
    assert source.changed() == {"devices/a": (2, "ended")}
    assert (source.public / "devices/a.2.toml").read_bytes() == fleet.EMPTY
    assert source.changed() == {}


def test_a_document_that_was_lost_or_spoilt_is_published_anew(source: Source) -> None:
    source.has("all.toml").published()
    (source.public / "all.1.toml").write_text("spoilt")
    assert source.changed() == {"all": (2, "changed")}
    (source.public / "all.2.toml").unlink()
    assert source.changed() == {"all": (3, "changed")}


def test_a_folder_that_was_lost_begins_above_what_devices_have_seen(source: Source) -> None:
    assert source.has("all.toml").changed(least=43) == {"all": (43, "new")}
    assert source.changed(least=99) == {}


def test_pointers_of_others_are_not_believed(source: Source) -> None:
    source.has("all.toml").has("devices/a.toml").published()
    with pytest.raises(SettingsError) as caught:
        source.published(NEW)
    assert [problem.file for problem in caught.value.problems] == [
        str(source.public / "all.minisig"),
        str(source.public / "devices/a.minisig"),
    ]
    told = str(caught.value.problems[0])
    assert (
        "cannot be believed. It was signed with the key 0706050403020100, which is not trusted here. Name its" in told
    )


def test_a_pointer_in_the_wrong_place_is_not_believed(source: Source) -> None:
    source.has("devices/a.toml").has("devices/b.toml").published()
    (source.public / "devices/b.minisig").write_bytes((source.public / "devices/a.minisig").read_bytes())
    with pytest.raises(SettingsError, match="It was signed for devices/a"):
        source.published()


def test_a_new_key_signs_everything_anew(source: Source) -> None:
    """The whole change of a key: first both are named, then the new one signs, then the old one is left out."""
    both = f'[provisioning]\nkeys = ["{KEY.public}", "{NEW.public}"]\n'
    source.has("all.toml", both).has("devices/a.toml").published()
    assert {step.why for step in source.published(NEW, (KEY.public,))} == {"renewed"}
    _pointer, _signature, signer = read_pointer((source.public / "devices/a.minisig").read_bytes(), (NEW.public,))
    assert signer == NEW.public
    source.has("all.toml", f'[provisioning]\nkeys = ["{NEW.public}"]\n')
    assert source.changed(NEW) == {"all": (3, "changed")}


@pytest.mark.parametrize("text", ["", None, "[provisioning]\ngroup = 'x'\n"])
def test_keys_that_were_named_stay_named(source: Source, text: str | None) -> None:
    """Else a device would go back to the key on its card, which may be one that is long gone."""
    source.has("devices/a.toml")
    source.has("all.toml", f'[provisioning]\nkeys = ["{KEY.public}"]\n').published()
    if text is None:
        (source.folder / "all.toml").unlink()
    else:
        source.has("all.toml", text)
    words = "all.toml: provisioning.keys is named in what is published now, and has to stay named. Without it devices go back"
    with pytest.raises(SettingsError, match=words):
        source.published()
    source.has("all.toml", f'[provisioning]\nkeys = ["{KEY.public}", "{NEW.public}"]\n')
    assert source.changed() == {"all": (2, "changed")}


async def test_devices_follow_what_is_published(source: Source) -> None:
    source.has("all.toml", "[audio]\nframe_ms = 10\n").has("devices/a.toml").published()
    async with shown(source.public) as server:
        looking = Fetcher(Place(server.url, (KEY.public,)), lambda: NOW, floors={"devices/a": Floor(1, "x")})
        look = await looking.look(["all", "groups/none", "devices/a"])
        assert look.news == ("all",)
        assert list(look.faults) == ["devices/a"], "a version that was seen with other content"
        source.published(renew=True)
        assert (await looking.look(["all", "devices/a"])).news == ("all", "devices/a")
