"""The page's scripts and style sheets without comments and indentation, and with the same meaning.

Only what is between tokens goes: no token is changed, none is joined with another, and every line that ends between two
tokens still does, since a script's meaning may hang on it. A text that cannot be read without a doubt is left as it is.
"""

import re
from dataclasses import dataclass, field

_JS = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<comment>//[^\n\r\u2028\u2029]*|/\*.*?\*/)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<word>[\w$\#@\\]+)
    | (?P<sign>\+\+|--|=>|\?\.(?!\d)|[^"'])
    """,
    re.DOTALL | re.VERBOSE,
)
_REGEX = re.compile(r"/(?![*/])(?:[^\\/\[\n]|\\[^\n]|\[(?:[^\\\]\n]|\\[^\n])*\])+/\w*")
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{)", re.DOTALL)
"""What follows a backtick, or the end of a substitution, up to the next of either."""

_BEFORE_REGEX = frozenset(
    (
        *("return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "instanceof"),
        *("yield", "await", "default", "extends"),
    )
)
"""Words after which a slash begins a regular expression; after any other it divides."""

_HEADS = frozenset(("if", "while", "for", "with"))
"""Words whose parentheses are no value: a slash behind them divides nothing."""

_LOOSE = frozenset((*"{}()[];,:=?&|", "=>"))
"""Signs beside which a space says nothing: with whatever may stand there, they make no other sign."""

_CSS = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<comment>/\*.*?\*/)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<url>url\([^"')]*\))
    | (?P<other>[^\s/"'u]+|.)
    """,
    re.DOTALL | re.VERBOSE,
)


class _DoubtError(Exception):
    """What comes next may mean two things, or nothing."""


@dataclass(slots=True)
class _Script:
    """A script on its way through: what has been written, and what the next slash or brace would mean."""

    source: str
    out: list[str] = field(default_factory=list)
    gap: str = ""
    """What stands between the last token and the next: nothing, a space or a new line."""
    last: str = ""
    value: bool = False
    """Whether a slash would divide what stands before it."""
    open: list[str] = field(default_factory=list)
    """What is to be closed: a brace, a template, or a parenthesis with the word before it."""

    def put(self, token: str, *, value: bool) -> None:
        loose = self.last in _LOOSE or token in _LOOSE
        self.out.append("" if not self.out or (self.gap == " " and loose) else self.gap)
        self.out.append(token)
        self.gap, self.last, self.value = "", token, value

    def skip(self, space: str) -> None:
        if self.gap != "\n":
            self.gap = "\n" if re.search(r"[\n\r\u2028\u2029]", space) else " "


def strip_script(source: str) -> str:
    """A module without comments, indentation and needless spaces; as it is, where there is a doubt what it means."""
    script, at = _Script(source), 0
    try:
        while at < len(source):
            at = _step(script, at)
    except _DoubtError:
        return source
    return "".join(script.out) + "\n" if not script.open else source


def _step(script: _Script, at: int) -> int:
    """Take one token from ``at``; where the next begins."""
    if script.source[at] == "/" and (found := _regex(script, at)):
        script.put(found.group(), value=True)
        return found.end()
    token = _JS.match(script.source, at)
    if token is None:
        raise _DoubtError
    kind, text = token.lastgroup, token.group()
    if kind in ("space", "comment"):
        script.skip(text)
    elif kind == "sign":
        return _sign(script, text, token.end())
    elif kind == "string":
        script.put(text, value=True)
    else:
        named = script.last in (".", "?.")
        script.put(text, value=named or text not in _BEFORE_REGEX)
        script.last = "" if named else text  # a property may be called "if"
    return token.end()


def _regex(script: _Script, at: int) -> re.Match[str] | None:
    """The regular expression that begins at this slash; None where it divides or begins a comment."""
    if script.value or script.source[at : at + 2] in ("//", "/*"):
        return None
    found = _REGEX.match(script.source, at)
    if found is None or script.last == "}":  # behind a block it is one, behind an object it divides
        raise _DoubtError
    return found


def _sign(script: _Script, sign: str, end: int) -> int:
    if sign == "`":
        return _template(script, "`", end)
    if sign == "(":
        script.open.append(sign + script.last)
    elif sign in "{[":
        script.open.append(sign)
    elif sign in ")]}":
        return _close(script, sign, end)
    script.put(sign, value=sign in ("++", "--"))
    return end


def _close(script: _Script, sign: str, end: int) -> int:
    opened = script.open.pop() if script.open else ""
    if sign == "}" and opened == "`":
        return _template(script, "}", end)
    if opened[:1] + sign not in ("()", "[]", "{}"):
        raise _DoubtError
    script.put(sign, value=sign == "]" or (sign == ")" and opened[1:] not in _HEADS))
    return end


def _template(script: _Script, start: str, end: int) -> int:
    """A part of a template, from a backtick or from the end of a substitution: kept to the letter."""
    part = _TEMPLATE.match(script.source, end)
    if part is None:
        raise _DoubtError
    goes_on = part.group(1) == "${"
    if goes_on:
        script.open.append("`")
    script.put(start + part.group(), value=not goes_on)
    return part.end()


def strip_style(source: str) -> str:
    """A style sheet without comments, indentation, and spaces beside braces, commas and semicolons."""
    out, last, gap = [], "{", ""
    for token in _CSS.finditer(source):
        kind, text = token.lastgroup, token.group()
        if kind == "comment":
            gap = gap or "/**/"  # it may be what keeps two words apart
        elif kind == "space":
            gap = "\n" if "\n" in text else " "
        else:
            out += [text] if last in "{};," or (text[0] in "{}" and last != "\\") else [gap, text]
            last, gap = text[-1] if text[-2:-1] != "\\" else "\\", ""  # an escaped sign, or space, is part of a name
    return "".join(out) + "\n"
