"""The four packages: two releases of Debian, two processors."""

from dataclasses import dataclass

DEBIAN = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's name of each processor, and the wheels'."""


@dataclass(frozen=True, slots=True)
class Target:
    """A release of Debian on one processor: ``python`` is the release's own, whose wheels the package has."""

    suite: str
    python: str
    architecture: str
    suffix: str = ""

    @property
    def machine(self) -> str:
        """The processor as wheels call it."""
        return DEBIAN[self.architecture]

    @property
    def next_python(self) -> str:
        """The first version of Python for which the wheels are wrong."""
        major, minor = self.python.split(".")
        return f"{major}.{int(minor) + 1}"

    @property
    def name(self) -> str:
        """As the command line has it, such as trixie-arm64."""
        return f"{self.suite}-{self.architecture}"


TARGETS = tuple(
    Target(suite, python, architecture, suffix)
    for suite, python, suffix in (("trixie", "3.13", ""), ("bookworm", "3.11", "+deb12"))
    for architecture in DEBIAN
)

ON_THE_CARD = next(target for target in TARGETS if target.name == "trixie-arm64")
"""Which of them is in the image."""
