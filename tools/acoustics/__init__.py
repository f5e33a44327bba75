"""Simulated rooms, recorded voices and scores: what the front end is tuned and measured with (docs/acoustics.md)."""
