"""The page's files as they are served: words in both languages, budgets, and nothing that its policy forbids."""

import re
from pathlib import Path

import pytest

from appliance.core.controls import Reason
from appliance.host.pages import Pages

PAGE = Path(__file__).parents[3] / "appliance" / "host" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
CODE = {path.name: path.read_text() for path in SCRIPTS}
STYLE = (PAGE / "style.css").read_text()
HTML = (PAGE / "index.html").read_text()

_ENTRY = re.compile(r'^\t"?([\w. -]+?)"?: \[\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)",?\s*\]', re.MULTILINE)
_SAID = CODE["words.js"] + CODE["morewords.js"]
WORDS = {key: (english, german) for key, english, german in _ENTRY.findall(_SAID)}

TABLE = {
    "own.join": ("Join", "Beitreten"),
    "own.join2": ("You join muted", "Mikrofon bleibt stumm"),
    "own.listen": ("Listen", "Zuhören"),
    "own.connecting2": ("The microphone stays closed", "Mikrofon bleibt zu"),
    "own.reconnecting2": ("Nobody hears you yet", "Noch hört niemand mit"),
    "own.muted": ("Unmute", "Sprechen"),
    "own.muted2touch": ("Hold to talk", "Halten zum Sprechen"),
    "own.live": ("You are live", "Auf Sendung"),
    "own.live2": ("Everyone hears you", "Alle hören mit"),
    "own.held2": ("Release to mute", "Loslassen macht stumm"),
    "own.adminMuted": ("Ask to speak", "Ums Wort bitten"),
    "own.asked": ("You asked to speak", "Wortmeldung läuft"),
    "own.none2": ("You can listen. Check again", "Zuhören geht. Neu suchen"),
    "own.blocked2": ("Allow it in the browser", "Im Browser freigeben"),
    "hint.title": ("You are muted", "Mikrofon ist stumm"),
    "hint.text": ("Nobody hears this.", "Das hört gerade niemand."),
    "state.hand": ("Wants to speak", "Meldet sich"),
    "state.admin_muted": ("Muted by admin", "Von der Moderation stumm"),
    "state.spoke": ("Spoke {n} s ago", "Sprach vor {n} s"),
    "device.ask": ("Ask the room to unmute", "Um Öffnen bitten"),
    "device.hand": ("Only a hand in the room can unmute it.", "Nur eine Hand im Raum kann es öffnen."),
    "lamp.micClosed": ("Closed by: {reasons}", "Zu durch: {reasons}"),
    "end.take": ("Take it here", "Hierher holen"),
}
"""A sample of the words that the design fixes to the letter."""


def test_every_word_is_there_in_both_languages() -> None:
    lines = re.findall(r'^\t"?[\w. -]+?"?: \[', _SAID, re.MULTILINE)
    assert len(WORDS) == len(lines) > 120
    for key, (english, german) in WORDS.items():
        assert english.strip() and german.strip(), key
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", german)), key
        assert not re.search(r"\b(?:du|dir|dich|dein\w*|Sie|Ihnen|Ihre?\w?)\b", german), f"{key}: no du, no Sie"


@pytest.mark.parametrize("key", TABLE)
def test_words_are_those_of_the_design(key: str) -> None:
    assert WORDS[key] == TABLE[key]


def test_words_that_are_asked_for_exist_and_no_others_are_kept() -> None:
    code = "\n".join(text for name, text in CODE.items() if name not in ("words.js", "morewords.js")) + HTML
    asked = set(re.findall(r"""[`"]((?:[a-z]+\.)?[a-zA-Z0-9_ -]+)[`"]""", code))
    families = set(re.findall(r"`([a-z]+)\.\$\{", code))
    for key in re.findall(r'\bt\("([^"]+)"', code) + re.findall(r'data-(?:word|label)="([^"]+)"', HTML):
        assert key in WORDS, key
    unused = [key for key in WORDS if key not in asked and key.split(".")[0] not in families]
    assert not unused


def test_scenes_close_a_gate_by_reasons_that_there_are() -> None:
    scenes = "\n".join(path.read_text() for path in (PAGE.parents[2] / "tests" / "page").glob("scenes*.py"))
    told = re.findall(r'site\("closed", \(([^)]*)\)', scenes)
    assert told
    reasons = {reason.word for reason in Reason}
    assert {word for each in told for word in re.findall(r'"([^"]*)"', each)} <= reasons, "no picture shows a code"


def test_what_the_first_module_does_not_name_is_asked_for_at_once() -> None:
    named = set(re.findall(r'(?:from|import) "\./([\w.]+)"', CODE["main.js"])) | {"main.js"}
    preloaded = re.findall(r'<link rel="modulepreload" href="/page/([\w.]+)">', HTML)
    assert preloaded == sorted(_first_visit() - named), "without it each of them waits for the one that names it"


def _first_visit() -> set[str]:
    """The modules that a first visit to a room fetches: what main.js imports, and what that does."""
    fetched: set[str] = set()
    waiting = ["main.js"]
    while waiting:
        name = waiting.pop()
        if name not in fetched:
            fetched.add(name)
            waiting += re.findall(r'(?:from|import) "\./([\w.]+)"', CODE[name])
    return fetched


def _served(*names: str) -> int:
    """Bytes of them, unpacked, as they are served: without comments and indentation."""
    pages = Pages()
    return sum(len(pages._files[name].plain.content) for name in names)


@pytest.mark.parametrize(
    ("files", "budget"),
    [
        (["index.html"], 9_000),
        (["style.css"], 23_000),
        (sorted(_first_visit()), 113_000),
        (["icons.svg"], 5_000),
        (["index.html", "style.css", "icons.svg", *sorted(_first_visit())], 150_000),
    ],
    ids=["html", "css", "js", "icons", "all"],
)
def test_budgets_of_a_first_visit_to_a_room(files: list[str], budget: int) -> None:
    assert _served(*files) <= budget


def test_nothing_that_the_policy_forbids() -> None:
    everything = HTML + STYLE + "\n".join(CODE.values())
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", HTML)
    assert not re.search(r"https?://(?!www\.w3\.org)", everything), "nothing from anywhere else"
    assert "@import" not in STYLE and "url(" not in STYLE
    forbidden = r"\.style\b|[\"']style[\"']|cssText|innerHTML|outerHTML|insertAdjacentHTML|\beval\b|new Function"
    for name, code in CODE.items():
        assert not re.search(forbidden, code), name


def test_modules_and_pictures_that_are_named_exist() -> None:
    sprite = set(re.findall(r'id="([\w-]+)"', (PAGE / "icons.svg").read_text()))
    for name, code in CODE.items():
        for module in re.findall(r'from "\./([\w.]+)"', code):
            assert (PAGE / module).is_file(), f"{name} imports {module}"
    named = set(re.findall(r'icon\("([\w-]+)"\)|picture: "([\w-]+)"', "\n".join(CODE.values())))
    for picture in {name for pair in named for name in pair if name}:
        assert picture in sprite, picture


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


TOKENS = {name: pair for name, *pair in re.findall(r"--(\w+): ?light-dark\((#\w+), ?(#\w+)\)", STYLE)}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast(theme: int) -> None:
    grounds = [TOKENS[name][theme] for name in ("bg", "panel", "well", "cap")]
    for ground in grounds:
        assert _contrast(TOKENS["ink"][theme], ground) >= 7
        assert _contrast(TOKENS["ink2"][theme], ground) >= 4.5
        assert _contrast(TOKENS["edge"][theme], ground) >= 3
    for lamp in ("red", "green", "amber"):
        assert _contrast(TOKENS[lamp][theme], TOKENS["panel"][theme]) >= 3
