"""Settings changed in a file that somebody wrote by hand."""

import tomllib

import pytest

from appliance.settings.edit import NotHere, with_values

WRITTEN = """\
# our room
schema = 1

[device]
name = "Old"  # as on the door

[audio]  # the card
backend = "virtual"
noise = "high"

[[host.rooms]]
id = "lobby"
"""


def test_only_what_is_named_changes_and_comments_stay() -> None:
    changed = with_values(WRITTEN, {"device.name": "New", "audio.backend": "alsa"})
    assert changed == WRITTEN.replace('"Old"  # as on the door', '"New"').replace('"virtual"', '"alsa"')


def test_a_new_key_comes_first_in_its_section_and_a_new_section_last() -> None:
    changed = with_values(WRITTEN, {"audio.capture": "auto", "room.url": "https://a.example"})
    assert '[audio]  # the card\ncapture = "auto"\nbackend' in changed
    assert changed.endswith('id = "lobby"\n\n[room]\nurl = "https://a.example"\n')


def test_a_file_is_begun() -> None:
    begun = with_values("schema = 1\n", {"device.name": 'A "B"', "room.url": ""})
    assert begun == 'schema = 1\n\n[device]\nname = "A \\"B\\""\n\n[room]\nurl = ""\n'


def test_line_ends_of_windows_are_read() -> None:
    assert tomllib.loads(with_values(WRITTEN.replace("\n", "\r\n"), {"device.name": "New"}))["device"] == {
        "name": "New"
    }


@pytest.mark.parametrize(
    "text",
    [
        'schema = 1\ndevice = { name = "Old" }\n',
        'schema = 1\ndevice.name = "Old"\n',
        'schema = 1\ndevice.id = "old"\n',
        'schema = 1\n[device]\nname = """\nOld"""\n',
        "schema = 1\n[[device]]\n",
        "schema = 1\ndevice = 3\n",
        'schema = 1\n[x]\ny = """\n[device]\n"""\n[device]\nid = "a"\n',
    ],
)
def test_what_is_written_another_way_is_left_to_its_writer(text: str) -> None:
    with pytest.raises(NotHere, match=r"^device\.name is written there in a way that only its writer should change"):
        with_values(text, {"device.name": "New"})


def test_values_before_the_one_that_does_not_fit_are_no_reason() -> None:
    with pytest.raises(NotHere, match=r"^room\.url"):
        with_values('schema = 1\nroom = { id = "main" }\n', {"device.name": "New", "room.url": "https://a.example"})
