"""U-Boot's shell (hush), as far as boot scripts use it: lists, if, for, while, quotes, variables.

What it does not know it refuses with :class:`HushError`: nothing is guessed. tests/update/test_real_uboot.py runs the same
texts in the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass

_SPACE = " \t"
_REFUSED = "|<>()`"
_RESERVED = frozenset({"if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "until"})
_LOOPS = 10_000


class HushError(AssertionError):
    """A text that this shell does not know; with the line."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word: text, or the name of a variable; whether quotes keep it together."""

    text: str
    variable: bool = False
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A word (its parts), or a separator: ";" (also for a new line), "&&", "||", "" at the end."""

    line: int
    parts: tuple[Part, ...] = ()
    mark: str = ""

    @property
    def plain(self) -> str:
        """The word if it is text without quotes, else ""."""
        return (
            "".join(part.text for part in self.parts) if all(not (p.variable or p.quoted) for p in self.parts) else ""
        )


Status = int
Node = Callable[["Shell"], Status]


def tokens(text: str) -> list[Token]:
    """Words and separators of a script.

    :raises HushError: something that boot scripts do not need, such as a pipe.
    """
    found: list[Token] = []
    at, line = 0, 1
    while at < len(text):
        char = text[at]
        if char in _SPACE:
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif char in ";\n":
            found.append(Token(line, mark=";"))
            at, line = at + 1, line + (char == "\n")
        elif text.startswith(("&&", "||"), at):
            found.append(Token(line, mark=text[at : at + 2]))
            at += 2
        elif char in _REFUSED or char == "&":
            raise HushError(f"line {line}: {char!r} is not known here")
        else:
            parts, end = _word(text, at, line)
            found.append(Token(line, parts))
            line += text.count("\n", at, end)
            at = end
    return [*found, Token(line)]


def _word(text: str, at: int, line: int) -> tuple[tuple[Part, ...], int]:
    """A word that begins at ``at``, and where it ends."""
    parts: list[Part] = []
    quote = ""
    while at < len(text) and (quote or text[at] not in " \t\n;&|"):
        char = text[at]
        if char == quote:
            quote, at = "", at + 1
        elif not quote and char in "\"'":
            quote, at = char, at + 1
            parts.append(Part("", quoted=True))
        elif char == "\\" and quote != "'":
            if at + 1 >= len(text):
                raise HushError(f"line {line}: nothing after the backslash")
            if text[at + 1] == "\n":
                raise HushError(f"line {line}: U-Boot takes a line's end after a backslash for a part of the word")
            parts.append(Part(text[at + 1], quoted=True))
            at += 2
        elif char == "$" and quote != "'":
            name, at = _variable(text, at + 1, line)
            parts.append(Part(name, variable=True, quoted=bool(quote)))
        elif not quote and char in _REFUSED:
            raise HushError(f"line {line}: {char!r} is not known here")
        else:
            parts.append(Part(char, quoted=bool(quote)))
            at += 1
    if quote:
        raise HushError(f"line {line}: a quote has no end")
    return tuple(parts), at


def _variable(text: str, at: int, line: int) -> tuple[str, int]:
    """The name of a variable after its dollar sign, and where it ends."""
    if text[at : at + 1] == "?":
        return "?", at + 1
    braces = text[at : at + 1] == "{"
    begin = end = at + braces
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    if begin == end or (braces and text[end : end + 1] != "}"):
        raise HushError(f"line {line}: a variable of this kind is not known here")
    return text[begin:end], end + braces


class Parser:
    """Makes a program of a script."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._at = 0

    def program(self) -> Node:
        """The whole of it."""
        body = self._list(frozenset())
        if self._tokens[self._at].parts:
            raise HushError(f"line {self._here.line}: {self._here.plain!r} stands alone")
        return body

    @property
    def _here(self) -> Token:
        return self._tokens[self._at]

    def _reserved(self) -> str:
        word = self._here.plain
        return word if word in _RESERVED else ""

    def _expect(self, word: str) -> None:
        if self._here.plain != word:
            raise HushError(f"line {self._here.line}: {word!r} is missing before {self._here.plain or 'the end'!r}")
        self._at += 1

    def _separators(self) -> None:
        while self._here.mark == ";":
            self._at += 1

    def _list(self, ends: frozenset[str]) -> Node:
        """Commands until one of the reserved words, which is left standing."""
        nodes: list[Node] = []
        self._separators()
        while self._here.parts and not (ends and self._reserved() in ends):
            nodes.append(self._and_or())
            if self._here.mark != ";" and self._here.parts:
                raise HushError(f"line {self._here.line}: a separator is missing before {self._here.plain!r}")
            self._separators()

        def run(shell: Shell) -> Status:
            for node in nodes:
                shell.status = node(shell)
            return shell.status

        return run

    def _and_or(self) -> Node:
        first = self._command()
        rest: list[tuple[str, Node]] = []
        while (mark := self._here.mark) in ("&&", "||"):
            self._at += 1
            while self._here.mark == ";":
                self._at += 1
            rest.append((mark, self._command()))
        if not rest:
            return first

        def run(shell: Shell) -> Status:
            shell.status = first(shell)
            for mark, node in rest:
                if (shell.status == 0) == (mark == "&&"):
                    shell.status = node(shell)
            return shell.status

        return run

    def _command(self) -> Node:
        match self._reserved():
            case "if":
                return self._if()
            case "for":
                return self._for()
            case "while" | "until":
                return self._while()
            case "":
                return self._simple()
            case word:
                raise HushError(f"line {self._here.line}: {word!r} stands alone")

    def _if(self) -> Node:
        branches: list[tuple[Node, Node]] = []
        other: Node | None = None
        word = "if"
        while word in ("if", "elif"):
            self._expect(word)
            condition = self._list(frozenset({"then"}))
            self._expect("then")
            branches.append((condition, self._list(frozenset({"elif", "else", "fi"}))))
            word = self._reserved()
        if word == "else":
            self._expect("else")
            other = self._list(frozenset({"fi"}))
        self._expect("fi")

        def run(shell: Shell) -> Status:
            for condition, body in branches:
                if condition(shell) == 0:
                    return body(shell)
            return other(shell) if other else 0

        return run

    def _for(self) -> Node:
        self._expect("for")
        name = self._here.plain
        self._at += 1
        self._expect("in")
        words = self._words()
        body = self._body()

        def run(shell: Shell) -> Status:
            for value in " ".join(shell.expand(words)).split():  # also what stands in quotes falls apart here
                shell.locals[name] = value
                shell.status = body(shell)
            return shell.status

        return run

    def _while(self) -> Node:
        until = self._here.plain == "until"
        self._at += 1
        condition = self._list(frozenset({"do"}))
        body = self._body()

        def run(shell: Shell) -> Status:
            for _ in range(_LOOPS):
                if (condition(shell) == 0) == until:
                    return 0
                shell.status = body(shell)
            raise HushError("a loop has no end")

        return run

    def _body(self) -> Node:
        self._separators()
        self._expect("do")
        body = self._list(frozenset({"done"}))
        self._expect("done")
        return body

    def _words(self) -> list[Token]:
        words: list[Token] = []
        while self._here.parts:
            words.append(self._here)
            self._at += 1
        return words

    def _simple(self) -> Node:
        words = self._words()
        if not words:
            raise HushError(f"line {self._here.line}: a command is missing before {self._here.mark!r}")
        name, equals, _ = "".join("$" if part.variable else part.text for part in words[0].parts).partition("=")
        if equals and name.isidentifier():
            raise HushError(f"line {words[0].line}: variables of the shell are not known here: setenv")

        def run(shell: Shell) -> Status:
            argv = shell.expand(words)
            return shell.command(argv) if argv else 0

        return run


class Shell:
    """Runs scripts: ``commands`` is called with each command's words and gives its status.

    :param environment: U-Boot's variables; a name that a ``for`` has set comes before them.
    """

    def __init__(self, environment: MutableMapping[str, str], commands: Callable[[list[str]], Status]) -> None:
        self.environment: Mapping[str, str] = environment
        self._commands = commands
        self.locals: dict[str, str] = {}
        self.status = 0

    def run(self, text: str) -> Status:
        """Run a script; the status of its last command."""
        return Parser(text).program()(self)

    def command(self, argv: list[str]) -> Status:
        """Run one command."""
        if argv[0] != "run":
            return self._commands(argv)
        for name in argv[1:]:
            text = self.value(name)
            if text is None or self.run(text) != 0:
                return 1
        return 0

    def value(self, name: str) -> str | None:
        """What a variable holds."""
        if name == "?":
            return str(self.status)
        return self.locals.get(name, self.environment.get(name))

    def expand(self, words: list[Token]) -> list[str]:
        """The words with their variables' values; what is not quoted falls apart at spaces, and may be nothing at all."""
        fields: list[str] = []
        for word in words:
            field: str | None = None
            for part in word.parts:
                text = (self.value(part.text) or "") if part.variable else part.text
                if part.quoted or not part.variable:
                    field = (field or "") + text
                    continue
                pieces = text.split()
                if text[:1].isspace() and field is not None:
                    fields.append(field)
                    field = None
                for piece in pieces[:-1]:
                    fields.append((field or "") + piece)
                    field = None
                if pieces:
                    field = (field or "") + pieces[-1]
                if text[-1:].isspace() and field is not None:
                    fields.append(field)
                    field = None
            if field is not None:
                fields.append(field)
        return fields
