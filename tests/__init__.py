"""The suite of Kontor; how it is run and what it asserts by itself stands in tests/support/__init__.py."""
