"""A card with the image's partition tables on it and nothing else."""

from pathlib import Path

from tools.image import layout


def blank_card(path: Path, size: int) -> Path:
    """Make one of ``size`` bytes at ``path``, which takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(size)
        for at, table in layout.tables():
            file.seek(at)
            file.write(table)
    return path
