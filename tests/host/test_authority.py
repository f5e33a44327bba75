"""The authority of one's own: what it signs, what it cannot, and what others make of it."""

import datetime as dt
import subprocess
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from appliance.host import authority, authority_page, certificate
from appliance.host.authority import CHAIN, KEY, PUBLIC, general_names
from appliance.host.authority_page import AuthorityPage, qr_svg
from appliance.host.certificate import CertificateError
from appliance.host.http import Refusal
from tests.support import need

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
NAMES = ["kontor.example.org", "192.168.1.20"]


def test_names_are_read_and_junk_is_named() -> None:
    found = general_names(["Kontor.Example.org.", "fd00::1", "127.0.0.1", "büro.lan", "kontor.example.org"])
    assert [str(name.value) for name in found] == ["kontor.example.org", "fd00::1", "127.0.0.1", "xn--bro-hoa.lan"]
    for junk in ("", "a b", "-a", "a..b", "http://a", "*.a", "a" * 64, "x" * 300, "\ud800"):
        with pytest.raises(CertificateError, match="neither a name nor an address"):
            general_names([junk])


def test_openssl_accepts_what_it_signs(tmp_path: Path) -> None:
    openssl = need("openssl", "Debian's openssl checks the chain")
    now = dt.datetime.now(dt.UTC)
    made = authority.make(general_names(NAMES), now)
    authority.store(tmp_path, made)
    authority.issue(tmp_path, made, general_names([*NAMES, "box.lan"]), now)
    verify = [openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(tmp_path / PUBLIC)]
    for name in (["-verify_hostname", "kontor.example.org"], ["-verify_ip", "192.168.1.20"]):
        assert subprocess.run([*verify, *name, str(tmp_path / CHAIN)], check=False, capture_output=True).returncode == 0
    authority.issue(tmp_path, made, general_names(["192.168.1.20"]), now)
    alone = [*verify, "-verify_ip", "192.168.1.20", str(tmp_path / CHAIN)]
    assert subprocess.run(alone, check=False, capture_output=True).returncode == 0, "an address and no name"
    other = [*verify, "-verify_hostname", "example.com", str(tmp_path / CHAIN)]
    assert subprocess.run(other, check=False, capture_output=True).returncode != 0


def test_openssl_refuses_what_its_key_signs_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openssl = need("openssl", "Debian's openssl checks the chain")
    now = dt.datetime.now(dt.UTC)
    made = authority.make(general_names(NAMES), now)
    authority.store(tmp_path, made)
    with pytest.raises(CertificateError, match=r"not made for bank.example.com, 198.51.100.1: .*--new-authority"):
        made.sign(general_names(["bank.example.com", "kontor.example.org", "198.51.100.1"]), now)
    monkeypatch.setattr(authority.Authority, "uncovered", lambda *_: [])  # a thief does not ask
    chain, _ = made.sign(general_names(["bank.example.com"]), now)
    (tmp_path / "bank.crt").write_bytes(chain)
    command = [openssl, "verify", "-CAfile", str(tmp_path / PUBLIC), str(tmp_path / "bank.crt")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode != 0 and "permitted subtree violation" in ended.stderr


def test_names_of_no_public_network_are_always_covered() -> None:
    made = authority.make(general_names(["kontor.example.org"]), NOW)
    good = ["localhost", "box.local", "a.kontor.example.org", "10.1.2.3", "fd00::7", "127.0.0.1", "::1"]
    assert made.uncovered(general_names(good)) == []
    bad = ["notkontor.example.org", "example.org", "mylocal", "8.8.8.8", "2001:db8::1"]
    assert made.uncovered(general_names(bad)) == bad


def test_it_is_renewed_in_time_for_the_same_names(tmp_path: Path) -> None:
    made = authority.make(general_names(NAMES), NOW)
    authority.store(tmp_path, made)
    first = authority.issue(tmp_path, made, general_names(NAMES), NOW)
    assert authority.renew(tmp_path, NOW + dt.timedelta(days=300)) is None
    later = NOW + dt.timedelta(days=340)
    assert authority.renew(tmp_path, later) == later + authority.LIFETIME
    second = x509.load_pem_x509_certificate((tmp_path / CHAIN).read_bytes())
    names = [c.extensions.get_extension_for_class(x509.SubjectAlternativeName).value for c in (first, second)]
    assert names[0] == names[1] and first.serial_number != second.serial_number
    assert authority.renew(tmp_path / "nowhere", later) is None
    (tmp_path / CHAIN).unlink()
    with pytest.raises(CertificateError, match="kontor host certificate"):
        authority.renew(tmp_path, later)


def test_a_foreign_certificate_in_its_place_is_no_end_of_the_host(tmp_path: Path) -> None:
    authority.store(tmp_path, authority.make(general_names(NAMES), NOW))
    nameless = certificate.make().certificate
    (tmp_path / CHAIN).write_bytes(nameless.public_bytes(serialization.Encoding.PEM))
    assert authority.renew(tmp_path, NOW) is None
    with pytest.raises(CertificateError, match="kontor host certificate"):
        authority.renew(tmp_path, nameless.not_valid_after_utc)


def test_it_is_kept_private_and_never_replaced_in_silence(tmp_path: Path) -> None:
    assert authority.load(tmp_path) is None
    made = authority.make(general_names(NAMES), NOW)
    authority.store(tmp_path, made)
    authority.issue(tmp_path, made, general_names(NAMES), NOW)
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in tmp_path.iterdir()} == {
        "authority.pem": "0o600",
        PUBLIC: "0o644",
        CHAIN: "0o644",
        KEY: "0o600",
    }
    again = authority.load(tmp_path)
    assert again is not None and again.fingerprint == made.fingerprint
    own = tmp_path / "authority.pem"
    whole = own.read_bytes()
    for damaged in (b"junk", whole[:300], whole.replace(made.pem, authority.make(general_names(NAMES), NOW).pem)):
        own.write_bytes(damaged)
        with pytest.raises(CertificateError, match="damaged"):
            authority.load(tmp_path)


def test_the_code_reads_as_what_it_was_made_of(tmp_path: Path) -> None:
    zbarimg = need("zbarimg", "zbar-tools reads the code")
    text = "http://192.168.1.20:8080/certificate"
    (tmp_path / "code.svg").write_bytes(qr_svg(text))
    need("rsvg-convert", "librsvg2-bin draws the code")
    subprocess.run(["rsvg-convert", "-o", tmp_path / "code.png", tmp_path / "code.svg"], check=True)
    read = subprocess.run([zbarimg, "-q", "--raw", tmp_path / "code.png"], check=True, capture_output=True, text=True)
    assert read.stdout.strip() == text


async def test_codes_are_kept_and_not_made_for_every_name_that_somebody_makes_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    def draw(text: str) -> bytes:
        made.append(text)
        return text.encode()

    monkeypatch.setattr(authority_page, "qr_svg", draw)
    page = AuthorityPage(authority.make(general_names(NAMES), NOW))

    async def code(host: str) -> int:
        try:
            answer = await page.code(make_mocked_request("GET", "/certificate/code.svg", headers={"Host": host}))
        except Refusal as refusal:
            return refusal.status
        assert answer.body == f"http://{host}/certificate".encode()
        return answer.status

    assert [await code("kontor.lan") for _ in range(30)] == [200] * 30
    assert made == ["http://kontor.lan/certificate"]
    assert {await code(f"{n}.lan") for n in range(30)} == {200, 429}
    assert len(made) < 12
    assert await code("kontor.lan") == 200, "whoever is called by its name is not kept waiting"
