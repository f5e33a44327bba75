"""WireViz, as far as tools/hardware uses it."""
