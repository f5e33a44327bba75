"""Benchmarks: each runs as ``python -m tools.bench.NAME`` and writes docs/measurements/NAME.json."""
