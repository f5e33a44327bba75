"""The page's code: its types hold, the linter has nothing to say, all of it is used, and its units do what they say."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.need import need
from tools import page_check
from tools.page_tools import MODULES

ROOT = Path(__file__).parents[2]
UNITS = Path(__file__).parent / "unit"
RULES = Path(__file__).parent / "oxlint.json"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)


def checker(name: str) -> str:
    return need(MODULES / ".bin" / name, "`python3 -m tools.page_tools` installs what checks the page")


def test_types_hold() -> None:
    done = run(checker("tsc"), "--project", "tests/host/page/jsconfig.json")
    assert done.returncode == 0, done.stdout


def test_types_that_do_not_hold_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('/** @param {number} n */\nexport const twice = (n) => 2 * n;\ntwice("2");\n')
    done = run(checker("tsc"), "--checkJs", "--strict", "--noEmit", "--target", "ES2022", str(tmp_path / "a.js"))
    assert "not assignable to parameter of type 'number'" in done.stdout


def test_the_linter_has_nothing_to_say() -> None:
    done = run(checker("oxlint"), "--config", str(RULES), "appliance/host/page", "tests/page/unit")
    assert done.returncode == 0, done.stdout


def test_the_linter_speaks_up(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('export const f = (a) => { if (a = 1) debugger; };\nconst unused = "1";\n')
    done = run(checker("oxlint"), "--config", str(RULES), str(tmp_path))
    assert done.returncode != 0
    assert all(rule in done.stdout for rule in ("no-debugger", "no-cond-assign", "no-unused-vars"))


def test_everything_is_used_and_nothing_stands_there_twice() -> None:
    assert page_check.complaints(page_check.read()) == []


WHOLE = {
    "main.js": 'import { a } from "./a.js";\nh(`sign-${a}`); h("p", { class: "there" }); icon("mic"); n.dataset.ownLook = "x";\n',
    "a.js": "/** @type {Own} */\nexport const a = 1;\n",
    "types.d.ts": "type Own = number;\n",
    "style.css": ":root { --ink: #000; }\n.there { color: var(--ink); }\n[data-own-look] .sign-3 { color: red; }\n",
    "icons.svg": '<symbol id="mic"/>',
}


def test_a_whole_page_is_whole() -> None:
    assert page_check.complaints(WHOLE) == []


@pytest.mark.parametrize(
    ("file", "more", "told"),
    [
        ("b.js", "", "b.js: no file asks for this module"),
        ("a.js", "export function b() {}", "a.js: b is exported, and no other module takes it"),
        ("a.js", "// b is here\nexport class b {}", "a.js: b is exported, and no other module takes it"),
        ("types.d.ts", "interface Lost {}", "types.d.ts: no module names the type Lost"),
        ("style.css", ".gone { color: red; }", "style.css: nothing makes .gone"),
        ("style.css", "@media print { #gone { color: red; } }", "style.css: nothing makes #gone"),
        ("style.css", "[data-gone] { color: red; }", "style.css: nothing makes [data-gone]"),
        ("style.css", ".there { color: red; }", "style.css: 2 rules for .there"),
        ("style.css", "p { color: red; top: 0; color: blue; }", "style.css: p declares color twice"),
        ("style.css", "p { a: 1; b: 2; c: 3; } q { c: 3; b: 2; a: 1; }", "style.css: p and q declare the same"),
        ("style.css", "p { --gone: 1; }", "nobody reads --gone"),
        ("style.css", "p { top: var(--never); }", "nobody sets --never"),
        ("icons.svg", '<symbol id="old"/>', "icons.svg: nobody shows old"),
    ],
)
def test_what_nobody_uses_is_found(file: str, more: str, told: str) -> None:
    assert page_check.complaints(WHOLE | {file: WHOLE.get(file, "") + more}) == [told]


def test_units_do_what_they_say(tmp_path: Path) -> None:
    node = need("node", "units of the page run under node: apt install nodejs")
    # Copied to where a package.json tells every node that these are modules.
    for folder in (page_check.PAGE, UNITS):
        shutil.copytree(folder, tmp_path / folder.relative_to(ROOT))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    files = sorted(str(path) for path in (tmp_path / UNITS.relative_to(ROOT)).glob("*.test.js"))
    done = run(node, "--test", "--test-reporter=tap", *files)
    assert done.returncode == 0, done.stdout
    assert f"# pass {_count(done.stdout, 'tests')}" in done.stdout, "none was left out"
    assert _count(done.stdout, "tests") > 20


def _count(output: str, name: str) -> int:
    return int(next(line for line in output.splitlines() if line.startswith(f"# {name} ")).split()[-1])
