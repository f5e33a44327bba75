"""What keeps an image from being made."""

from __future__ import annotations


class ImageError(Exception):
    """No image can be made of this; one sentence. ``status`` is what the command ends with."""

    status = 70


class MissingError(ImageError):
    """Something is missing that can be had: a package, a mirror, space, a right. The sentence says how."""

    status = 75
