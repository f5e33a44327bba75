"""The Debian package: what goes into it, that it is the same wherever it is made, and what stops it from being made.

The packages themselves are tried in clean roots of their releases: tests/deb, a slow suite.
"""

import os
import subprocess
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.need import need
from tools import bootstrap
from tools.package import build, source, tree, wheels
from tools.package.source import Source, SourceError
from tools.package.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
TRIXIE, BOOKWORM = TARGETS[0], TARGETS[3]
EPOCH = 1_764_200_000


def checkout() -> Source:
    """What lies in the checkout now, committed or not, with a few lines in the place of Kontor itself."""
    files = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for folder in ("systemd", "packaging")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    locks = [f"requirements/{name}.lock" for name in wheels.BUNDLED]
    for name in ("requirements/facts.json", *locks, "CHANGELOG.md"):
        files[name] = (ROOT / name).read_bytes()
    files["appliance/__init__.py"] = b'__version__ = "1.2.3"\n'
    files["docs/service.md"] = b"# Service\n"
    return Source(files, EPOCH)


def wheel(folder: Path, files: dict[str, str], name: str = "little-1-py3-none-any.whl") -> Path:
    """A wheel of these files."""
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return folder / name


# ---- wheels


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("numpy/_core/numeric.py", "numpy/_core/numeric.py"),
        ("numpy/_core/_umath.cpython-313-x86_64-linux-gnu.so", "numpy/_core/_umath.cpython-313-x86_64-linux-gnu.so"),
        ("aiohttp-3.dist-info/licenses/LICENSE.txt", "aiohttp-3.dist-info/licenses/LICENSE.txt"),
        ("little-1.data/purelib/little/a.py", "little/a.py"),
        ("little-1.data/scripts/little", None),
        ("numpy/lib/tests/test_io.py", None),
        ("numpy/_core/include/numpy/arrayobject.h", None),
        ("aiohttp/_http_parser.pyx", None),
        ("numpy/__init__.pyi", None),
        ("tests.py", "tests.py"),
    ],
)
def test_a_device_gets_what_it_runs_and_the_licences(path: str, kept: str | None) -> None:
    placed = wheels.placed(path)
    assert (str(placed) if placed else None) == kept


@pytest.mark.parametrize("path", ["../evil.py", "/etc/evil.py", "little/../../evil.py"])
def test_a_wheel_that_leads_out_of_its_folder_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(wheels.WheelError, match="leads out of its folder"):
        wheels.unpack(wheel(tmp_path, {path: ""}))


def test_everything_a_device_imports_is_locked_or_debians() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        bootstrap.entries(f"{text}\n").popitem()[0].split(">")[0]
        for text in [
            *project["dependencies"],
            *(text for extra in ("device", "livekit", "telegram") for text in project["optional-dependencies"][extra]),
        ]
    }
    lock = wheels.locked(*((ROOT / f"requirements/{name}.lock").read_text() for name in wheels.BUNDLED))
    missing = asked - set(bootstrap.entries(lock))
    assert missing == {"pyalsaaudio"}
    control = (ROOT / "packaging/control.in").read_text()
    assert "python3-alsaaudio" in control
    assert "python3-pyaes" in control, "telethon's, which has no wheel"
    assert set(wheels.LEFT_OUT).isdisjoint(bootstrap.entries(lock))


def test_wheels_that_were_fetched_once_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[Path] = []

    def download(target: object, lock: str, place: Path) -> None:
        fetched.append(wheel(place, {"a.py": ""}))

    monkeypatch.setattr(wheels, "_download", download)
    first = wheels.fetch(TRIXIE, "little==1\n", tmp_path)
    assert wheels.fetch(TRIXIE, "little==1\n", tmp_path) == first
    assert wheels.fetch(BOOKWORM, "little==1\n", tmp_path) != first, "another Python has others"
    assert wheels.fetch(TRIXIE, "little==2\n", tmp_path) != first, "another lock too"
    assert len(fetched) == 3


def test_a_broken_download_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(target: object, lock: str, place: Path) -> None:
        wheel(place, {"a.py": ""})
        raise wheels.WheelError("no way to the Python package index")

    monkeypatch.setattr(wheels, "_download", download)
    with pytest.raises(wheels.WheelError, match="no way"):
        wheels.fetch(TRIXIE, "little==1\n", tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- the commit


def git(folder: Path, *words: str) -> None:
    """Run git as nobody in particular."""
    who = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_a_package_is_made_of_a_commit_and_says_what_is_not_in_it(tmp_path: Path) -> None:
    need("git", "git is not installed")
    (tmp_path / "appliance").mkdir()
    code = tmp_path / "appliance" / "__init__.py"
    code.write_text('__version__ = "0.7.1"\n')
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "appliance")
    git(tmp_path, "commit", "-q", "-m", "first")
    code.write_text('__version__ = "0.8.0"\n')
    (tmp_path / "appliance" / "new.py").write_text("")
    origin = source.read(tmp_path)
    assert origin.version == "0.7.1"
    assert list(origin.files) == ["appliance/__init__.py"]
    assert set(source.changed(tmp_path)) == {"appliance/__init__.py", "appliance/new.py"}


def test_the_time_of_a_package_is_its_commits_or_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("git", "git is not installed")
    (tmp_path / "LICENSE").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "LICENSE")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-11-27T01:02:03Z")
    git(tmp_path, "commit", "-q", "-m", "first")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert source.read(tmp_path).epoch == 1_795_741_323
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert source.read(tmp_path).epoch == 1_000_000_000


def test_no_package_without_a_commit(tmp_path: Path) -> None:
    need("git", "git is not installed")
    with pytest.raises(SourceError, match="a package is made of a commit"):
        source.read(tmp_path)


@pytest.mark.parametrize("text", ["", "version = 1\n"])
def test_no_package_without_a_version(text: str) -> None:
    with pytest.raises(SourceError, match="__version__"):
        _ = Source({"appliance/__init__.py": text.encode()}, EPOCH).version


# ---- what lies where


def test_every_file_of_systemd_has_its_place() -> None:
    placed = tree.system_files(checkout())
    assert "usr/lib/systemd/system/kontor-sound.service" in placed
    assert "usr/lib/sysusers.d/kontor.conf" in placed
    assert "usr/lib/tmpfiles.d/kontor.conf" in placed
    assert [path for path in placed if path.startswith("usr/lib/udev/rules.d/")]
    assert [path for path in placed if path.startswith("usr/share/polkit-1/rules.d/")]


def test_what_is_for_a_device_alone_changes_no_machine_that_merely_installs_it() -> None:
    of_machine = [path for path in tree.system_files(checkout()) if ".conf.d/" in path]
    assert of_machine
    assert all(path.startswith("usr/share/kontor/machine/") for path in of_machine)


def test_a_file_without_a_place_is_an_error_that_names_it() -> None:
    origin = checkout()
    with pytest.raises(SourceError, match=r"systemd/odd/thing\.xyz has no place"):
        tree.system_files(replace(origin, files={**origin.files, "systemd/odd/thing.xyz": b""}))


def test_scripts_know_units_users_and_groups() -> None:
    names = tree.names(checkout())
    services = {"kontor-sound.service", "kontor-link.service", "kontor-provision.service", "kontor-host.service"}
    first = {"kontor-settled.service", "kontor.target"}
    assert set(names["RESTARTED"].split()) == services | first, "the target takes the socket with it"
    assert services | {"kontor-exchange.socket", "kontor.target"} <= set(names["UNITS"].split())
    assert set(names["USERS"].split()) == {f"kontor-{part}" for part in ("sound", "link", "provision", "host")}
    assert set(names["GROUPS"].split()) == {"kontor", *names["USERS"].split()}
    assert set(names["SHARED"].split()) == {"audio", "gpio", "spi"}


# ---- the package


def made(folder: Path, origin: Source) -> Path:
    """A package of a source and of one small wheel; made by whoever runs this, in his time zone and umask."""
    lock = wheels.locked(*(origin.text(f"requirements/{name}.lock") for name in wheels.BUNDLED))
    cache = folder / "wheels"
    place = cache / "fetched"
    place.mkdir(parents=True)
    wheel(place, {"little/a.py": "", "little/b.so": "\x7fELF", "little-1.dist-info/METADATA": "Name: little\n"})
    place.rename(wheels.place(TRIXIE, lock, cache))
    return build.build(TRIXIE, origin, folder / "out", cache)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package."""
    need("dpkg-deb", "dpkg-deb is Debian's")
    return made(tmp_path, checkout())


def told(*words: str) -> str:
    """What a command says."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_two_packages_are_the_same_bytes_whoever_makes_them(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    monkeypatch.setenv("LC_ALL", "C")
    before = os.umask(0o077)
    try:
        other = made(tmp_path / "elsewhere" / "far away", checkout())
    finally:
        os.umask(before)
    assert other.name == package.name == "kontor_1.2.3_amd64.deb"
    assert other.read_bytes() == package.read_bytes()


def test_nothing_in_it_is_anybodys_but_roots_and_only_programs_run(package: Path) -> None:
    entries = [line.split(maxsplit=5) for line in told("dpkg-deb", "-c", str(package)).splitlines()]
    assert {entry[1] for entry in entries} == {"root/root"}
    modes = {entry[5]: entry[0] for entry in entries}
    assert {mode for path, mode in modes.items() if path.endswith("/")} == {"drwxr-xr-x"}
    assert [path for path, mode in modes.items() if mode == "-rwxr-xr-x"] == ["./usr/bin/kontor"]
    assert {mode for mode in modes.values() if mode[0] == "-"} == {"-rw-r--r--", "-rwxr-xr-x"}
    site = "./usr/lib/kontor/lib/python3.13/site-packages"
    assert {f"{site}/little/b.so", f"{site}/appliance/__init__.py", "./usr/share/doc/kontor/service.md"} <= modes.keys()
    assert "./etc/kontor/conf.d/" in modes


def test_no_clock_starts_before_the_package_was_made(package: Path, tmp_path: Path) -> None:
    told("dpkg-deb", "-x", str(package), str(tmp_path / "files"))
    assert (tmp_path / "files/usr/lib/clock-epoch").stat().st_mtime == EPOCH


def test_it_wants_the_python_that_its_wheels_are_for(package: Path) -> None:
    fields = told("dpkg-deb", "-f", str(package))
    assert "Version: 1.2.3\nArchitecture: amd64\n" in fields
    assert "python3 (>= 3.13~), python3 (<< 3.14~)" in fields
    assert "@" not in fields.replace("nobody@kontor.invalid", "")


def test_its_scripts_are_whole(package: Path, tmp_path: Path) -> None:
    told("dpkg-deb", "-e", str(package), str(tmp_path / "control"))
    for name in ("postinst", "prerm", "postrm"):
        script = tmp_path / "control" / name
        assert script.stat().st_mode & 0o777 == 0o755
        assert "@" not in script.read_text()
        told("sh", "-n", str(script))


def test_it_says_whose_its_parts_are(package: Path, tmp_path: Path) -> None:
    told("dpkg-deb", "-x", str(package), str(tmp_path / "files"))
    text = (tmp_path / "files/usr/share/doc/kontor/copyright").read_text()
    assert " numpy " in text
    assert "webrtc-noise-gain" in text
    assert " av " not in text
    assert "see its metadata" not in text, "requirements/facts.json knows each"


def test_the_package_for_debian_12_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("dpkg-deb", "dpkg-deb is Debian's")
    monkeypatch.setattr(wheels, "fetch", lambda *_: [wheel(tmp_path, {"little/a.py": ""})])
    package = build.build(BOOKWORM, checkout(), tmp_path, tmp_path)
    assert package.name == "kontor_1.2.3+deb12_arm64.deb"
    assert "python3 (>= 3.11~), python3 (<< 3.12~)" in told("dpkg-deb", "-f", str(package), "Depends")


def test_two_parts_with_the_same_path_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "fetch", lambda *_: [wheel(tmp_path, {"appliance/__init__.py": ""})])
    with pytest.raises(SourceError, match=r"two parts of the package have .*appliance/__init__\.py"):
        build.build(TRIXIE, checkout(), tmp_path, tmp_path)


def test_an_unknown_target_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build.main(["sarge-vax"])
    assert "no such target: sarge-vax" in capsys.readouterr().err
