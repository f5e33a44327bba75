"""libasound without pyalsaaudio's newest: the same answers as that has, on the device that needs no card."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from tests.support.need import need

WISH = {"rate": 48_000, "channels": 2, "format": 2, "periodsize": 240, "periods": 16}
CAPTURE, PLAYBACK, NONBLOCK = 1, 0, 1


@pytest.fixture
def libraries() -> list[Any]:
    """The newest pyalsaaudio, and ours."""
    need("module:alsaaudio", "pyalsaaudio is not installed: make alsa")
    import alsaaudio

    from appliance.audio.alsa_pcm import Pcm

    need(hasattr(alsaaudio.PCM, "avail"), "pyalsaaudio is older than 0.11: there is nothing to compare with")
    return [alsaaudio.PCM, Pcm]


def test_a_microphone_gives_the_same(libraries: list[Any]) -> None:
    told = []
    for make in libraries:
        pcm = make(CAPTURE, NONBLOCK, device="null", **WISH)
        info = pcm.info()
        names = ("rate", "channels", "format_name", "period_size", "buffer_size", "card_no")
        told.append(({name: info[name] for name in names}, pcm.avail(), pcm.read()[0]))
        assert len(pcm.read()[1]) == 960
        pcm.close()
    assert told[0] == told[1]
    assert told[1][2] == 240


def test_a_loudspeaker_takes_the_same(libraries: list[Any]) -> None:
    told = []
    for make in libraries:
        pcm = make(PLAYBACK, NONBLOCK, device="null", **WISH)
        told.append((pcm.avail(), pcm.write(memoryview(bytes(960))), pcm.info()["buffer_size"]))
        pcm.drop()
        pcm.close()
    assert told[0] == told[1] == (3840, 240, 3840)


def test_it_knows_the_same_formats_and_maybe_newer_ones(libraries: list[Any]) -> None:
    known, ours = (make(CAPTURE, NONBLOCK, device="null", **WISH).getformats() for make in libraries)
    assert {name: ours[name] for name in known} == known


def test_a_device_that_is_not_there_is_told_in_the_same_words(libraries: list[Any]) -> None:
    import alsaaudio

    said = []
    for make in libraries:
        with pytest.raises(alsaaudio.ALSAAudioError) as caught:
            make(CAPTURE, NONBLOCK, device="hw:31", **WISH)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert said[1].endswith(" [hw:31]")


def test_what_runs_over_begins_anew_and_what_is_gone_is_an_error(libraries: list[Any]) -> None:
    import alsaaudio

    pcm = libraries[1](CAPTURE, NONBLOCK, device="null", **WISH)
    assert pcm._done(-errno.EPIPE) == -errno.EPIPE
    assert pcm._done(-errno.EAGAIN) == 0
    with pytest.raises(alsaaudio.ALSAAudioError, match=r"No such device \[null\]"):
        pcm._done(-errno.ENODEV)
    pcm.close()
    pcm.close()


def test_it_is_used_where_the_library_cannot_say_what_waits(libraries: list[Any]) -> None:
    from appliance.audio.alsa_open import opener

    newest, ours = libraries
    assert opener(type("PCM", (), {})) is ours
    assert opener(newest) is newest
