"""Kontor: a device in an always-open voice room, and the host of that room."""

__version__ = "0.1.0"
