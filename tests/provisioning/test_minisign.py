"""Signatures: what is taken and what is not, and that Debian's minisign and ours understand each other."""

import base64
import subprocess
from pathlib import Path

import pytest

from appliance.core.documents import NotTaken, Pointer, Why
from appliance.provisioning import signing
from appliance.provisioning.minisign import LARGEST_SIGNATURE, PublicKey, Signature
from appliance.provisioning.signing import KeyRefused, SecretKey, public_file
from tests.support.need import need

KEY = SecretKey(bytes(range(8)), bytes(32))
OTHER = SecretKey(bytes(range(8)), bytes([7]) * 32)
"""Another key with the same id."""
CONTENT = b"schema = 1\n"


def signed(key: SecretKey = KEY, content: bytes = CONTENT, comment: str = "a comment") -> bytes:
    return key.sign(content, comment).dump("whatever")


def checked(file: bytes, content: bytes = CONTENT, *keys: SecretKey) -> str:
    signature = Signature.parse(file)
    key = signature.check_comment(tuple(each.public for each in keys or (KEY,)))
    signature.check_file(key, content)
    return signature.comment


def refused(file: bytes, content: bytes = CONTENT, *keys: SecretKey) -> tuple[Why, str]:
    with pytest.raises(NotTaken) as caught:
        checked(file, content, *keys)
    return caught.value.why, str(caught.value)


def lines(file: bytes) -> list[bytes]:
    return file.split(b"\n")


def with_line(number: int, line: bytes, file: bytes) -> bytes:
    return b"\n".join([*lines(file)[:number], line, *lines(file)[number + 1 :]])


def test_what_was_signed_is_genuine() -> None:
    assert checked(signed()) == "a comment"
    assert checked(signed().replace(b"\n", b"\r\n")) == "a comment"
    assert checked(signed().rstrip(b"\n")) == "a comment"
    assert checked(signed(content=b""), b"") == "a comment"
    assert checked(signed(OTHER), CONTENT, KEY, OTHER) == "a comment"


def test_the_first_line_is_anybodys() -> None:
    assert checked(with_line(0, b"untrusted comment: nonsense", signed())) == "a comment"


def test_another_document_is_not_what_was_signed() -> None:
    assert refused(signed(), b"schema = 1\n ") == (
        Why.FORGED,
        "The document is not the one that the key 0706050403020100 has signed.",
    )


def test_another_comment_is_not_what_was_signed() -> None:
    words = "The signature is not right: it was changed after the key 0706050403020100 had signed it."
    assert refused(with_line(2, b"trusted comment: another", signed())) == (Why.FORGED, words)
    assert refused(with_line(3, lines(signed(comment="b"))[3], signed())) == (Why.FORGED, words)
    assert refused(with_line(1, lines(signed(content=b"b"))[1], signed())) == (Why.FORGED, words)


def test_a_key_that_is_not_trusted() -> None:
    stranger = SecretKey(bytes(8), bytes(32))
    words = "It was signed with the key 0000000000000000, which is not trusted here."
    assert refused(signed(stranger)) == (Why.FOREIGN_KEY, words)
    assert refused(signed(OTHER))[0] is Why.FORGED  # the id alone is no proof


def test_the_old_form_is_not_taken() -> None:
    raw = base64.b64decode(lines(signed())[1])
    old = with_line(1, base64.b64encode(b"Ed" + raw[2:]), signed())
    words = "The signature is of minisign's old form: sign with minisign 0.10 or later."
    assert refused(old) == (Why.NOT_SIGNED, words)


@pytest.mark.parametrize(
    ("file", "why", "words"),
    [
        (b"", Why.NOT_SIGNED, "What lies there is no signature file."),
        (b"\xff\xfe", Why.NOT_TEXT, "The signature file is no text."),
        (b" " * (LARGEST_SIGNATURE + 1), Why.TOO_LONG, "The signature file is longer than 4096 bytes."),
        (with_line(1, b"AAAA", signed()), Why.NOT_SIGNED, "The signature file is damaged."),
        (with_line(1, b"####", signed()), Why.NOT_SIGNED, "The signature file is damaged."),
        (with_line(3, b"AAAA", signed()), Why.NOT_SIGNED, "The signature file is damaged."),
        (with_line(1, b"WFhY" + lines(signed())[1][4:], signed()), Why.NOT_SIGNED, "The signature file is damaged."),
        (
            with_line(2, b"trusted comment: " + b"x" * 1025, signed()),
            Why.NOT_SIGNED,
            "What lies there is no signature file.",
        ),
        (signed() + b"more\n", Why.NOT_SIGNED, "What lies there is no signature file."),
    ],
)
def test_what_is_no_signature(file: bytes, why: Why, words: str) -> None:
    assert refused(file) == (why, words)


def test_the_page_of_a_captive_portal_is_known_for_what_it_is() -> None:
    why, words = refused(b"\n<!DOCTYPE html><html><title>Welcome to Hotel Wi-Fi</title></html>")
    assert why is Why.NOT_SIGNED
    assert words.endswith(
        "What came looks like a web page: somebody on the way, such as a captive portal, answers instead."
    )


def test_no_cut_and_no_flipped_bit_of_a_signature_is_taken() -> None:
    file = signed()
    first = len(lines(file)[0])
    for length in range(len(file) - 1):
        refused(file[:length])
    for place in range(first, len(file) - 1):
        flipped = bytearray(file)
        flipped[place] ^= 1
        with pytest.raises(NotTaken):
            checked(bytes(flipped))


def test_a_public_key_is_read_as_it_is_written() -> None:
    assert PublicKey.parse(str(KEY.public)) == KEY.public
    assert PublicKey.parse(public_file(KEY.public).decode()) == KEY.public
    for text in ("", "RW", "a\nb\n" + str(KEY.public), str(KEY.public).replace("RW", "RX"), str(KEY.public)[:-4]):
        with pytest.raises(ValueError, match="no public key of minisign"):
            PublicKey.parse(text)


# ---- secret keys


def never() -> str:
    raise AssertionError("nobody is asked")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that are opened in no time."""
    monkeypatch.setattr(signing, "_OPERATIONS", 1 << 15)
    monkeypatch.setattr(signing, "_MEMORY", 1 << 20)


@pytest.mark.usefixtures("quick")
def test_a_key_comes_back_from_its_file() -> None:
    key = SecretKey.make()
    assert SecretKey.parse(key.dump(""), never) == key
    assert SecretKey.parse(key.dump("geheim ü"), lambda: "geheim ü") == key
    assert key.seed not in key.dump("geheim")
    assert repr(key.seed) not in repr(key)
    assert SecretKey.make() != key


@pytest.mark.usefixtures("quick")
def test_a_wrong_password() -> None:
    with pytest.raises(KeyRefused, match="cannot be opened: the password is wrong"):
        SecretKey.parse(KEY.dump("right"), lambda: "wrong")


def _damaged(place: int, value: bytes) -> bytes:
    raw = bytearray(base64.b64decode(lines(KEY.dump(""))[1]))
    raw[place : place + len(value)] = value
    return b"untrusted comment: x\n" + base64.b64encode(bytes(raw)) + b"\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no secret key of minisign"),
        (b"\xff", "is no secret key of minisign"),
        (b"untrusted comment: x\nAAAA\n", "is no secret key of minisign"),
        (public_file(KEY.public), "is no secret key of minisign"),
        (_damaged(0, b"XX"), "is no secret key of minisign"),
        (_damaged(2, b"XX"), "is no secret key of minisign"),
        (_damaged(70, b"\1"), "is damaged"),
        (_damaged(2, b"Sc" + b"B2" + bytes(32) + b"\xff" * 16), "asks for more memory or time than a key should"),
        (_damaged(2, b"Sc" + b"B2" + bytes(32) + b"\xff" * 7 + b"\0" + b"\0" * 8), "asks for more memory or time"),
    ],
)
def test_what_is_no_key(content: bytes, words: str) -> None:
    with pytest.raises(KeyRefused, match=words):
        SecretKey.parse(content, lambda: "")


# ---- Debian's minisign


@pytest.fixture
def minisign(tmp_path: Path) -> "Minisign":
    return Minisign(need("minisign", "minisign is not installed: python3 -m tools.system tests"), tmp_path)


class Minisign:
    def __init__(self, program: str, folder: Path) -> None:
        self._program, self.folder = program, folder

    def __call__(self, *words: str, said: str = "") -> str:
        done = subprocess.run(
            [self._program, *words], cwd=self.folder, input=said, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout


def test_minisign_checks_what_we_sign(minisign: Minisign) -> None:
    pointer = Pointer("groups/bonn", 7, "bonn.7.toml", 1_800_000_000)
    (minisign.folder / "bonn.7.toml").write_bytes(CONTENT)
    (minisign.folder / "bonn.minisig").write_bytes(KEY.publish(pointer, CONTENT))
    told = minisign("-V", "-m", "bonn.7.toml", "-x", "bonn.minisig", "-P", str(KEY.public))
    assert "Signature and comment signature verified" in told
    assert "kontor scope=groups/bonn version=7 expires=2027-01-15T08:00:00Z file=bonn.7.toml" in told


def test_we_check_what_minisign_signs_with_its_own_key(minisign: Minisign) -> None:
    minisign("-G", "-W", "-p", "k.pub", "-s", "k.key")
    (minisign.folder / "all.1.toml").write_bytes(CONTENT)
    minisign(
        "-S", "-s", "k.key", "-m", "all.1.toml", "-x", "all.minisig", "-t", "kontor scope=all version=1 file=all.1.toml"
    )
    key = SecretKey.parse((minisign.folder / "k.key").read_bytes(), never)
    assert PublicKey.parse((minisign.folder / "k.pub").read_text()) == key.public
    said = checked((minisign.folder / "all.minisig").read_bytes(), CONTENT, key)
    assert said == "kontor scope=all version=1 file=all.1.toml"


@pytest.mark.parametrize("password", ["", "geheim"])
def test_minisign_signs_with_a_key_of_ours(minisign: Minisign, password: str) -> None:
    key = SecretKey.make()
    (minisign.folder / "k.key").write_bytes(key.dump(password))
    (minisign.folder / "x").write_bytes(CONTENT)
    open_key = [] if password else ["-W"]
    minisign("-S", *open_key, "-s", "k.key", "-m", "x", "-x", "x.minisig", "-t", "mine", said=f"{password}\n")
    assert checked((minisign.folder / "x.minisig").read_bytes(), CONTENT, key) == "mine"


@pytest.mark.slow  # its lock takes 1 GiB, and seconds of both cores
def test_a_key_that_minisign_has_locked(minisign: Minisign) -> None:
    minisign("-G", "-p", "k.pub", "-s", "k.key", said="pw\npw\n")
    key = SecretKey.parse((minisign.folder / "k.key").read_bytes(), lambda: "pw")
    assert PublicKey.parse((minisign.folder / "k.pub").read_text()) == key.public
