"""Text from anywhere made harmless: one line, with nothing in it that a terminal, a log or TOML would obey."""


def one_line(text: str) -> str:
    """``text`` with every character that a terminal or a TOML comment would obey escaped."""
    # isprintable() is false for controls, line separators, directional marks and lone surrogates.
    return "".join(sign if sign.isprintable() else _escaped(ord(sign)) for sign in text)


def escaped(text: str) -> str:
    """``text`` as it can stand between quotes, everything unprintable escaped."""
    return one_line(text.replace("\\", "\\\\").replace('"', '\\"'))


def quoted(text: str) -> str:
    """The same with its quotes, as TOML writes it."""
    return f'"{escaped(text)}"'


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
