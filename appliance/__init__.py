"""Kontor: an always-open voice room for offices."""

__version__ = "0.1.0"
