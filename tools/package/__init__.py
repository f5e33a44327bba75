"""The Debian package: what goes into it (``tree``), the locked wheels (``wheels``), and ``make deb`` (``build``)."""
