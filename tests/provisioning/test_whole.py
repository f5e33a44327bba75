"""Whole settings with signed documents among them: whatever a document says, there are settings or sentences."""

import random
from pathlib import Path

import pytest

from appliance.provisioning import fleet
from appliance.provisioning.signing import SecretKey
from appliance.provisioning.whole import misplaced, resolve_whole
from appliance.settings import SettingsError, Source, resolve
from appliance.settings.describe import as_toml

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"
KEY = SecretKey(bytes(8), bytes(32))


def document(text: str, scope: str = "all") -> Source:
    return Source(f"{scope}.toml (version 1)", f"schema = 1\n{text}".encode())


def test_the_last_document_has_the_last_word() -> None:
    sources = [document("[audio]\nframe_ms = 10\nbitrate = 24000\n"), document("[audio]\nframe_ms = 20\n", "devices/a")]
    scopes = {source.name: source.name.partition(".")[0] for source in sources}
    settings = resolve_whole(sources, scopes).settings
    assert (settings.audio.frame_ms, settings.audio.bitrate) == (20, 24_000)


def test_the_devices_own_file_may_say_who_it_is() -> None:
    own = Source("/boot/firmware/kontor.toml", b'schema = 1\n[device]\nname = "Anna"\nstate_dir = "/x"\n')
    assert resolve_whole([own, document("")], {"all.toml (version 1)": "all"}).settings.device.name == "Anna"


def test_everything_wrong_is_told_at_once_in_order() -> None:
    sources = [document('[device]\nname = "x"\n[audio]\nframe_ms = 11\n'), document("[romo]\n", "groups/b")]
    with pytest.raises(SettingsError) as caught:
        resolve_whole(sources, {source.name: source.name.partition(".")[0] for source in sources})
    assert [(problem.file, problem.line, problem.key) for problem in caught.value.problems] == [
        ("all.toml (version 1)", 3, "device.name"),
        ("all.toml (version 1)", 5, "audio.frame_ms"),
        ("groups/b.toml (version 1)", 2, "romo"),
    ]


@pytest.mark.parametrize("scope", ["all", "groups/b", "devices/a"])
def test_no_document_ends_the_following(scope: str) -> None:
    """Forty devices would follow it and never look again, whatever is published then."""
    (problem,) = misplaced(document('[provisioning]\nurl = ""\n', scope), scope)
    assert str(problem) == (
        f'{scope}.toml (version 1):3: provisioning.url = "": must be an address in a document that is published. Whoever'
        " followed it would never be told anything again; take the address away at the device itself."
    )
    assert not misplaced(document('[provisioning]\nurl = "https://other.example.org"\n', scope), scope)


def test_what_is_no_document_is_told_by_its_reader_alone() -> None:
    assert misplaced(Source("x", b"no toml"), "all") == []
    assert misplaced(document("device = 7\nprovisioning = []\n"), "groups/b") == []


def test_a_thousand_changed_documents_are_settings_or_sentences() -> None:
    """Signed by mistake, so that nothing but reading them can refuse them."""
    files = [path.read_bytes() for path in sorted(EXAMPLE.glob("**/*.toml"))]
    chance = random.Random(7)
    refused = 0
    for _ in range(1000):
        content = bytearray(chance.choice(files))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(content))
            if chance.random() < 0.5:
                content[place] = chance.choice(b'"[]=\n#x7\xff')
            else:
                del content[place : place + chance.randint(1, 9)]
        source = Source("all.toml (version 1)", bytes(content))
        try:
            as_toml(resolve_whole([source], {source.name: "all"}))
        except SettingsError as error:
            refused += 1
            for problem in error.problems:
                assert str(problem).startswith("all.toml (version 1)"), content
                assert "\n" not in str(problem)
    assert 300 < refused < 1000


def test_the_example_is_one_that_devices_follow(tmp_path: Path) -> None:
    source = fleet.read_fleet(EXAMPLE)
    fleet.check(source, KEY.public)
    steps = fleet.plan(source, tmp_path, (KEY.public,), KEY.public)
    fleet.write(steps, tmp_path, KEY)
    assert {step.pointer.scope for step in steps} == {
        "all",
        "groups/bonn",
        "groups/lisbon",
        "devices/bonn-library",
        "devices/lisbon-workshop",
    }
    whole = [source.documents[scope] for scope in ("all", "groups/lisbon", "devices/lisbon-workshop")]
    settings = resolve([*source.base, *whole], ()).settings
    assert (settings.device.identity, settings.quiet.time_zone) == ("lisbon-workshop", "Europe/Lisbon")


def test_a_slip_in_the_example_is_refused_with_its_line(tmp_path: Path) -> None:
    for path in EXAMPLE.glob("**/*.toml"):
        copy = tmp_path / path.relative_to(EXAMPLE)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes().replace(b'chimes = "soft"', b'chimes = "sfot"'))
    with pytest.raises(SettingsError) as caught:
        fleet.check(fleet.read_fleet(tmp_path), KEY.public)
    assert str(caught.value) == (
        f'{tmp_path}/devices/bonn-library.toml:8: audio.chimes = "sfot": must be "off", "soft", "normal" or "loud".'
        ' Did you mean "soft"?'
    )


@pytest.mark.parametrize("scope", ["all", "groups/b", "devices/a"])
def test_who_signs_settings_does_not_say_whose_programs_run(scope: str) -> None:
    key = str(KEY.public)
    (problem,) = misplaced(document(f'[update]\nurl = "https://x.example.org"\nkeys = ["{key}"]\n', scope), scope)
    assert "update.keys" in str(problem) and "never in one that is published" in str(problem)
    assert not misplaced(document('[update]\nurl = "https://x.example.org"\nchannel = "beta"\n', scope), scope)
    card = Source("/boot/firmware/kontor.toml", f'schema = 1\n[update]\nkeys = ["{key}"]\n'.encode())
    assert resolve_whole([card, document("")], {"all.toml (version 1)": "all"}).settings.update.keys == (key,)


@pytest.mark.parametrize("scope", ["all", "groups/b", "devices/a"])
def test_no_document_says_how_a_lost_mute_reads(scope: str) -> None:
    (problem,) = misplaced(document('[panel]\nfirst = "open"\n', scope), scope)
    assert "panel.first" in str(problem) and "never in one that is published" in str(problem)
