"""What the settings say when they are refused: read from the files beside this one, which people can read, too."""

from pathlib import Path

HERE = Path(__file__).parent


def messages() -> list[tuple[str, str]]:
    """From messages.txt: what stands below ``schema = 1``, and the lines that are said to it."""
    found = []
    for block in (HERE / "messages.txt").read_text().split("\n\n"):
        lines = block.strip("\n").split("\n")
        given = [line for line in lines if not line.startswith("> ")]
        found.append(("\n".join(given) + "\n", "\n".join(line[2:] for line in lines if line.startswith("> "))))
    return found


def wrong_kinds() -> dict[str, str]:
    """From kinds.txt: what each setting says to a value of no kind that it takes."""
    return dict(line.split(": ", 1) for line in (HERE / "kinds.txt").read_text().splitlines())
