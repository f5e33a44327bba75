"""What nobody uses in the page's files, and what stands there twice: ``python -m tools.page_check``.

Names are looked for as words in the other files, comments left out: a name that is put together from parts must have one of them
as a beginning (`sign-${hue}` uses whatever begins with "sign-").
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "appliance" / "host" / "page"
UNIT_TESTS = ROOT / "tests" / "page" / "unit"
ALONE = ("main.js", "worker.js", "certificate.css", "enrolment.css")
"""Asked for by the host or the browser, not by another file of the page."""
TWICE_FROM = 3
"""So many declarations, word for word the same, belong into one rule."""

_COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*|(?<=\s)//\s[^\n]*", re.DOTALL | re.MULTILINE)
_EXPORT = re.compile(r"^export (?:default )?(?:async )?(?:class|function\*?|const|let) (\w+)", re.MULTILINE)
_TYPE = re.compile(r"^(?:export |declare )?(?:interface|type) (\w+)", re.MULTILINE)
_STARTED = re.compile(r"([\w-]+)\$\{")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a style sheet."""

    where: str
    """The conditions around it (@media …), outermost first."""
    selector: str
    declarations: tuple[str, ...]


def rules(css: str, where: str = "") -> Iterator[Rule]:
    """The rules of a style sheet, those inside conditions with these; nested rules have the selector of the outer one."""
    text, at = _COMMENT.sub("", css), 0
    while (opening := text.find("{", at)) >= 0:
        head = text[at:opening].rpartition(";")[2].strip()
        end = _closing(text, opening)
        body, at = text[opening + 1 : end], end + 1
        if head.startswith("@") and not head.startswith(("@font-face", "@keyframes", "@property")):
            yield from rules(body, f"{where} {' '.join(head.split())}".strip())
        elif not head.startswith("@"):
            own = re.sub(r"[^;{}]*\{[^{}]*\}", "", body) if "{" in body else body
            yield Rule(where, " ".join(head.split()), tuple(_declarations(own)))


def _closing(text: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return len(text)


def _declarations(body: str) -> Iterator[str]:
    for part in body.split(";"):
        name, colon, value = part.partition(":")
        if colon:
            yield f"{name.strip()}: {' '.join(value.split())}"


def unused_exports(code: Mapping[str, str]) -> Iterator[str]:
    """What a module gives and no other one takes; and modules that nobody asks for.

    What a module needs itself may also be given for a test's sake.
    """
    bare = {name: _COMMENT.sub("", text) for name, text in code.items() if not name.startswith("test ")}
    tests = "\n".join(text for name, text in code.items() if name.startswith("test "))
    for name, text in code.items():
        if name not in bare or not name.endswith(".js"):
            continue
        others = "\n".join(other for file, other in bare.items() if file != name)
        if name not in ALONE and not re.search(rf"\b{re.escape(name)}\b", others):
            yield f"{name}: no file asks for this module"
        for given in _EXPORT.findall(text):
            own = len(re.findall(rf"\b{given}\b", bare[name])) > 1 and re.search(rf"\b{given}\b", tests)
            if not own and not re.search(rf"\b{given}\b", others):
                yield f"{name}: {given} is exported, and no other module takes it"


def unused_types(code: Mapping[str, str]) -> Iterator[str]:
    """Types that no comment of any module names."""
    for name, text in code.items():
        if name.endswith(".d.ts"):
            everything = "\n".join(code.values())
            for given in _TYPE.findall(text):
                if len(re.findall(rf"\b{given}\b", everything)) < 2:
                    yield f"{name}: no module names the type {given}"


def unused_selectors(code: Mapping[str, str]) -> Iterator[str]:
    """Classes, ids and attributes that a style sheet waits for, and no script or document ever makes."""
    made = "\n".join(_COMMENT.sub("", text) for name, text in code.items() if _makes(name))
    words = set(re.findall(r"[A-Za-z_][\w-]*", made))
    started = tuple(set(_STARTED.findall(made)))
    for name, text in code.items():
        if not name.endswith(".css") or name in ALONE:
            continue
        for kind, wanted in sorted(set(_wanted(text))):
            there = words if kind != "[" else words | {f"data-{_dashed(word)}" for word in _datasets(made)}
            if wanted not in there and not (started and wanted.startswith(started)):
                yield f"{name}: nothing makes {kind}{wanted}{']' if kind == '[' else ''}"


def _makes(name: str) -> bool:
    return name.endswith((".js", ".html")) and not name.startswith("test ")


def _wanted(css: str) -> Iterator[tuple[str, str]]:
    for rule in rules(css):
        bare = re.sub(r'"[^"]*"', '""', rule.selector)
        yield from ((".", name) for name in re.findall(r"\.([A-Za-z_][\w-]*)", bare))
        yield from (("#", name) for name in re.findall(r"#([A-Za-z_][\w-]*)", bare))
        yield from (("[", name) for name in re.findall(r"\[([A-Za-z_][\w-]*)", bare))


def _datasets(code: str) -> set[str]:
    return set(re.findall(r"\bdataset\.(\w+)", code))


def _dashed(camel: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"-{letter.group().lower()}", camel)


def twice(code: Mapping[str, str]) -> Iterator[str]:
    """Properties declared twice in a rule, selectors with two rules, and rules that say the same."""
    for name, text in code.items():
        if not name.endswith(".css"):
            continue
        by_selector: dict[tuple[str, str], int] = defaultdict(int)
        by_body: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
        for rule in rules(text):
            by_selector[rule.where, rule.selector] += 1
            by_body[rule.where, tuple(sorted(rule.declarations))].append(rule.selector)
            properties = [declaration.partition(":")[0] for declaration in rule.declarations]
            for declared in sorted({each for each in properties if properties.count(each) > 1}):
                yield f"{name}: {rule.selector} declares {declared} twice"
        for (where, selector), count in by_selector.items():
            if count > 1:
                yield f"{name}: {count} rules for {selector} {f'in {where}' if where else ''}".rstrip()
        for (_, body), selectors in by_body.items():
            if len(body) >= TWICE_FROM and len(selectors) > 1:
                yield f"{name}: {' and '.join(selectors)} declare the same"


def variables(code: Mapping[str, str]) -> Iterator[str]:
    """Custom properties that nobody reads, and those that nobody sets."""
    css = "\n".join(
        _COMMENT.sub("", text) for name, text in code.items() if name.endswith(".css") and name not in ALONE
    )
    declared = set(re.findall(r"(?<![\w-])(--[\w-]+)\s*:", css)) | set(re.findall(r"@property (--[\w-]+)", css))
    read = set(re.findall(r"var\((--[\w-]+)", css))
    yield from (f"nobody reads {name}" for name in sorted(declared - read))
    yield from (f"nobody sets {name}" for name in sorted(read - declared))


def unused_pictures(code: Mapping[str, str]) -> Iterator[str]:
    """Pictures of the sprite that nobody shows."""
    shown = "\n".join(_COMMENT.sub("", text) for name, text in code.items() if _makes(name))
    started = tuple(set(_STARTED.findall(shown)))
    for name in re.findall(r'<symbol[^>]*\bid="([\w-]+)"', code.get("icons.svg", "")):
        if not re.search(rf"[\"'`#]{re.escape(name)}[\"'`]", shown) and not (started and name.startswith(started)):
            yield f"icons.svg: nobody shows {name}"


CHECKS = (unused_exports, unused_types, unused_selectors, twice, variables, unused_pictures)


def complaints(code: Mapping[str, str]) -> list[str]:
    """All of them, of files by name."""
    return [line for check in CHECKS for line in check(code)]


def read(folder: Path = PAGE, tests: Path = UNIT_TESTS) -> dict[str, str]:
    """The page's texts by name; those of the unit tests too, as "test …"."""
    kinds = (".js", ".css", ".html", ".svg", ".ts", ".webmanifest")
    code = {path.name: path.read_text() for path in sorted(folder.iterdir()) if path.suffix in kinds}
    return code | {f"test {path.name}": path.read_text() for path in sorted(tests.glob("*.test.js"))}


def main() -> int:
    """Print what is found; 1 when that is something."""
    found = complaints(read())
    print("\n".join(found) or "kontor: everything in the page's files is used, and nothing stands there twice.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
