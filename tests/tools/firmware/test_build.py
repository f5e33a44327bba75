"""What `make firmware` says when something is missing or is not what it relies on."""

from pathlib import Path

import pytest

from tools.firmware import build, fdt, trees, validate
from tools.kernel.fetch import KernelMissingError
from tools.pinmap import load

PINS = load()
COLOURS = ("WHITE", "RED", "GREEN", "BLUE", "AMBER")


def tree(model: str, console: str) -> fdt.Node:
    root = fdt.Node("/", {"model": model.encode() + b"\0"})
    root.children["chosen"] = fdt.Node("/chosen", {"stdout-path": console.encode() + b"\0"})
    return root


def headers(folder: Path, low: int) -> Path:
    (folder / "gpio").mkdir()
    (folder / "leds").mkdir()
    (folder / "gpio" / "gpio.h").write_text(f"#define GPIO_ACTIVE_HIGH 0\n#define GPIO_ACTIVE_LOW {low}\n")
    (folder / "leds" / "common.h").write_text(
        "".join(f"#define LED_COLOR_ID_{name}\t{number}\n" for number, name in enumerate(COLOURS))
    )
    return folder


@pytest.mark.parametrize(("low", "said"), [(1, []), (2, ["GPIO_ACTIVE_LOW is 2, not 1"])])
def test_numbers_are_those_of_the_headers(tmp_path: Path, low: int, said: list[str]) -> None:
    assert build.constants(headers(tmp_path, low)) == said


def test_a_driver_that_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("".join(f"CONFIG_{name}={'m' if name == 'LEDS_GPIO' else 'y'}\n" for name in build.DRIVERS))
    assert build.drivers(config) == []
    config.write_text(config.read_text().replace("CONFIG_SPI_GPIO=y", "# CONFIG_SPI_GPIO is not set"))
    assert build.drivers(config) == ["the kernel is built without CONFIG_SPI_GPIO"]


@pytest.mark.parametrize(
    ("board", "model", "console", "said"),
    [
        ("pi4", "Raspberry Pi 4 Model B", "serial1:115200n8", []),
        ("pi5", "Raspberry Pi 5", "serial10:115200n8", []),
        ("pi5", "Raspberry Pi 6", "serial10:115200n8", ["pi5 has no model 'Raspberry Pi 6' in the pin map"]),
        ("pi5", "Raspberry Pi 5", "serial0:115200n8", ["the console of pi5 is ttyAMA10, and the tree's is serial0"]),
        ("pi4", "Raspberry Pi 4 Model B", "", ["the console of pi4 is ttyS1, and the tree's is nowhere"]),
    ],
)
def test_boot_files_fit_the_tree(board: str, model: str, console: str, said: list[str]) -> None:
    assert list(build.boot_files(board, tree(model, console), PINS)) == said


def test_the_exception_is_for_one_property_of_one_node() -> None:
    message = "'#sound-dai-cells' does not match any of the regexes"
    assert validate.Finding("/soc/i2s@7e203000", message).accepted
    assert not validate.Finding("/soc/spi@7e204000", message).accepted
    assert not validate.Finding("/soc/i2s@7e203000", "'dmas' is a required property").accepted


def test_without_dtc_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert build.main(Path("/nowhere/either")) == 75
    told = capsys.readouterr().out
    assert told == (
        "kontor: firmware is not built: missing device-tree-compiler; type: sudo apt-get install device-tree-compiler\n"
    )


def test_without_dtschema_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "NEEDS", {})
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert build.main(tmp_path / "firmware") == 75
    assert capsys.readouterr().out == (
        "kontor: firmware is not built: dtschema is not installed: python3 -m tools.bootstrap hardware\n"
    )


def test_without_a_mirror_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def unreachable() -> trees.Trees:
        raise KernelMissingError("apt on this machine knows no mirror of Debian's")

    (tmp_path / "dt-validate").touch()
    monkeypatch.setattr(build, "NEEDS", {})
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr(build, "trees", unreachable)
    assert build.main(tmp_path / "firmware") == 75
    assert "knows no mirror" in capsys.readouterr().out
    assert not (tmp_path / "firmware").exists()


def test_what_is_wrong_is_said_and_nothing_is_left_to_be_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "dt-validate").touch()
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "old").touch()
    monkeypatch.setattr(build, "NEEDS", {})
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr(build, "trees", lambda: trees.Trees(tmp_path, "7.3.4"))
    monkeypatch.setattr(build, "proved", lambda *given: ["one thing", "another"])
    assert build.main(tmp_path / "firmware") == 1
    assert capsys.readouterr().out.splitlines()[1:] == ["kontor: one thing", "kontor: another"]
    assert not (tmp_path / "firmware").exists()


def test_a_cache_that_is_not_whole_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trees, "PLACE", tmp_path)
    assert trees.cached() is None
    (tmp_path / "trees.json").write_text('{"folder": "x", "release": "7.3.4"}')
    assert trees.cached() is None
    for part in ("broadcom", "dt-bindings", "bindings"):
        (tmp_path / "x" / part).mkdir(parents=True)
    assert trees.cached() is None
    (tmp_path / "x" / "config").touch()
    assert trees.cached() == trees.Trees(tmp_path / "x", "7.3.4")


def test_sums_are_sorted_and_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one").write_bytes(b"")
    (tmp_path / "a").write_bytes(b"x")
    assert build.sums(tmp_path).splitlines() == [
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  a",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b/one",
    ]
