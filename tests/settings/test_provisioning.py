"""Where settings are published, and who may sign them."""

import base64

import pytest

from tests.settings.support import loaded, only, problems

KEY = base64.b64encode(b"Ed" + bytes(40)).decode()


def url(text: str) -> str:
    return f'[provisioning]\nurl = "{text}"\nkeys = ["{KEY}"]\n'


def test_nothing_is_fetched_by_default() -> None:
    given = loaded("").provisioning
    assert (given.url, given.group, given.keys, given.poll_s, given.confirm_s) == ("", "", (), 25, 60)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("https://config.example.org", "https://config.example.org"),
        ("HTTPS://Config.Example.org/Rooms/", "https://config.example.org/Rooms"),
        ("https://config.example.org:8443/a/b-c_d~e.f", "https://config.example.org:8443/a/b-c_d~e.f"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("http://localhost/x", "http://localhost/x"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_address_of_a_folder(text: str, kept: str) -> None:
    assert loaded(url(text)).provisioning.url == kept


@pytest.mark.parametrize(
    "text",
    [
        "http://192.0.2.7/x",
        "ftp://config.example.org",
        "https://",
        "https:///x",
        "https://config.example.org:0",
        "https://config.example.org:99999",
        "https://config.example.org/a//b",
        "https://config.example.org/../x",
        "https://config.example.org/a b",
        "https://kö.example.org",
        "https://" + "x" * 500,
    ],
)
def test_what_is_none(text: str) -> None:
    assert only(url(text)).allowed == 'must be like https://config.example.org/rooms, or ""'


@pytest.mark.parametrize(
    "text", ["https://me:hunter2@example.org", "https://example.org/?key=hunter2", "https://e.org/#hunter2"]
)
def test_a_password_in_an_address_is_not_repeated(text: str) -> None:
    assert "hunter2" not in str(only(url(text)))


def test_keys_are_told_from_what_is_none() -> None:
    assert loaded(f'[provisioning]\nkeys = ["{KEY}"]').provisioning.keys == (KEY,)
    for wrong in ('"RWnonsense"', '"####"', "7", f'"{base64.b64encode(b"Xd" + bytes(40)).decode()}"'):
        problem = only(f"[provisioning]\nkeys = [{wrong}]")
        assert problem.allowed == "must be a public key of minisign: 56 characters that begin with RW"
        assert problem.hint == "Wrong: (hidden)."


def test_a_secret_key_on_a_device_is_no_public_one() -> None:
    secret = base64.b64encode(b"Ed" + bytes(156)).decode()
    problem = only(f'[provisioning]\nkeys = ["{secret}"]')
    assert problem.hint == "Wrong: (hidden). This looks like the secret key: it belongs on no device."
    assert secret not in str(problem)


def test_an_address_needs_somebody_who_signs() -> None:
    problem = only('[provisioning]\nurl = "https://config.example.org"')
    assert str(problem).endswith("needs provisioning.keys beside it. kontor keys new makes a key and prints the line.")
    both = problems('[provisioning]\nurl = "https://config.example.org"\nkeys = ["nonsense"]')
    assert [each.key for each in both] == ["provisioning.keys"]


def test_at_most_four_keys() -> None:
    keys = [base64.b64encode(b"Ed" + bytes([number]) * 40).decode() for number in range(5)]
    assert loaded(f"[provisioning]\nkeys = {keys[:4]}").provisioning.keys == tuple(keys[:4])
    assert "at most 4 values" in only(f"[provisioning]\nkeys = {keys}").allowed
