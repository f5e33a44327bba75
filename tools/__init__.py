"""Tools of the project, run from its root: ``python3 -m tools.NAME``. The Makefile knows them all."""
