"""The page's icons for launchers and start screens: ``python3 -m tools.page_icons`` writes appliance/host/page/icon-*.png.

The mark of the house (appliance/host/page/signs.js): a ring of 12 with three lit sectors, on the dark face of the device. A pixel
is the mean of 8 by 8 points, so there are few colours, and a palette holds them all without loss. The same pixels on any machine.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = Path(__file__).resolve().parent.parent / "appliance" / "host" / "page"

FACE, LIT, OFF = (0x1A, 0x1A, 0x19, 255), (0xED, 0xEB, 0xE6, 255), (0x6B, 0x69, 0x62, 255)
NOTHING = (0, 0, 0, 0)
FINE = 8
"""Points along each side of a pixel."""
_GAP = 6.0
"""Degrees between two sectors."""
_INNER, _OUTER = 16 / 48, 23 / 48
"""Radii of the ring, as parts of the mark's width."""


@dataclass(frozen=True, slots=True)
class Icon:
    """A picture to be written: its side in pixels, how much of it the mark takes, and the corners' radius as a part of it."""

    side: int
    mark: float
    corner: float


ICONS = {
    "icon-192.png": Icon(192, 0.78, 0.2),
    "icon-512.png": Icon(512, 0.78, 0.2),
    "icon-maskable.png": Icon(512, 0.62, 0.0),
}
"""A maskable one is cut by whoever shows it: all but a disc of 80 % may go."""


def draw(icon: Icon) -> NDArray[np.uint8]:
    """The picture: rows, columns, RGBA."""
    lit, off, face = (_share(points) for points in _layers(icon))
    nothing = 1 - lit - off - face
    shares = np.stack([lit, off, face, nothing], axis=-1)
    colours = np.array([LIT, OFF, FACE, NOTHING], dtype=np.float64)
    alpha = shares @ colours[:, 3]
    # Where it fades into nothing, colour is that of what is there.
    solid = (shares * colours[:, 3] / 255) @ colours[:, :3] / np.maximum(alpha / 255, 1 / 255)[..., None]
    return np.concatenate([solid, alpha[..., None]], axis=-1).round().astype(np.uint8)


def _layers(icon: Icon) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which points belong to the lit sectors, the others, and the face around them; x and y in parts of the side."""
    at = (np.arange(icon.side * FINE) + 0.5) / (icon.side * FINE) - 0.5
    x, y = at[None, :], at[:, None]
    radius = np.hypot(x, y) / icon.mark
    angle = np.degrees(np.arctan2(x, -y)) % 360
    sector = np.floor((angle + 15) / 30).astype(int) % 12
    within = np.abs((angle + 15) % 30 - 15) < 15 - _GAP / 2
    ring = within & (radius > _INNER) & (radius < _OUTER)
    lit = ring & (sector < 3)
    over = np.maximum(np.hypot(*np.broadcast_arrays(_beyond(x, icon.corner), _beyond(y, icon.corner))), 0)
    face = over <= icon.corner
    return lit, ring & ~lit, face & ~ring


def _beyond(at: NDArray[np.float64], corner: float) -> NDArray[np.float64]:
    """How far a point is beyond the square between the centres of the round corners."""
    return np.maximum(np.abs(at) - (0.5 - corner), 0)


def _share(points: NDArray[np.bool_]) -> NDArray[np.float64]:
    side = points.shape[0] // FINE
    mean: NDArray[np.float64] = points.reshape(side, FINE, side, FINE).mean(axis=(1, 3))
    return mean


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """As PNG with a palette.

    :raises ValueError: there are more than 256 colours.
    """
    palette, places = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    if len(palette) > 256:
        raise ValueError(f"{len(palette)} colours do not fit in a palette.")
    high, wide = pixels.shape[:2]
    rows = places.reshape(high, wide).astype(np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 3, 0, 0, 0)),
        (b"PLTE", palette[:, :3].tobytes()),
        (b"tRNS", palette[:, 3].tobytes()),
        (b"IDAT", zlib.compress(raw, 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main() -> None:
    """Write them all."""
    for name, icon in ICONS.items():
        (PAGE / name).write_bytes(encode(draw(icon)))


if __name__ == "__main__":
    main()
