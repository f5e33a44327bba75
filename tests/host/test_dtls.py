"""DTLS and SRTP of the host, both ends in memory."""

import contextlib
import ctypes
import resource
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from OpenSSL import SSL

from appliance.host import certificate, srtp
from appliance.host.dtls import MTU, DtlsError, Endless, ForeignCertificate, Handshake, Keys, server_context
from tests.host.dtls_client import ALL_PROFILES, Client, Identity, context, identity
from tests.support.need import need

HOST = certificate.make()
SERVER = server_context(HOST)


def shake(handshake: Handshake, client: Client, rounds: int = 10) -> Keys | None:
    keys = None
    to_host = client.exchange()
    for _ in range(rounds):
        to_client: list[bytes] = []
        for datagram in to_host:
            keys = handshake.receive(datagram) or keys
            to_client += handshake.outgoing()
        assert all(len(datagram) <= MTU for datagram in to_client)
        to_host = [answer for datagram in to_client for answer in client.exchange(datagram)]
    return keys


def pair(who: Identity, profiles: bytes = ALL_PROFILES, ciphers: bytes = b"DEFAULT") -> tuple[Handshake, Client]:
    return Handshake(SERVER, who.fingerprint), Client(context(who, profiles, ciphers))


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
@pytest.mark.parametrize("profile", list(srtp.PROFILES))
def test_members_with_either_kind_of_certificate_get_matching_keys(kind: str, profile: bytes) -> None:
    handshake, client = pair(identity(kind), profile)
    keys = shake(handshake, client)
    assert keys is not None
    assert client.keys is not None
    assert keys.profile is srtp.PROFILES[profile]
    assert (keys.inbound, keys.outbound) == (client.keys.outbound, client.keys.inbound)
    assert client.server_fingerprint == HOST.fingerprint


def test_it_shakes_hands_without_memory_that_is_writable_and_executable() -> None:
    """As under MemoryDenyWriteExecute=yes of kontor-host.service (prctl(2), PR_SET_MDWE)."""
    need(ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) >= 0, "this kernel has no PR_SET_MDWE (Linux 6.3)")
    done = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr


_WITHOUT = """
import ctypes
from OpenSSL import SSL
from tests.host import test_dtls
client = SSL.Context(SSL.DTLS_METHOD)
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0
try:
    client.set_verify(SSL.VERIFY_PEER, lambda *_: True)
except MemoryError:
    pass
else:
    raise SystemExit("the kernel lets writable and executable memory through: nothing is tested here")
who = test_dtls.identity()
client.use_certificate(who.certificate)
client.use_privatekey(who.key)
client.set_tlsext_use_srtp(test_dtls.ALL_PROFILES)
host = test_dtls.Handshake(test_dtls.server_context(test_dtls.HOST), who.fingerprint)
assert test_dtls.shake(host, test_dtls.Client(client)) is not None
"""


def test_the_better_profile_wins_whatever_the_client_lists_first() -> None:
    handshake, client = pair(identity(), b":".join(reversed(list(srtp.PROFILES))))
    keys = shake(handshake, client)
    assert keys is not None
    assert keys.profile is srtp.PROFILES[b"SRTP_AEAD_AES_128_GCM"]


def test_the_suites_of_chromium_and_aiortc_are_enough() -> None:
    for ciphers in (b"ECDHE-ECDSA-AES128-GCM-SHA256", b"ECDHE-ECDSA-CHACHA20-POLY1305"):
        handshake, client = pair(identity(), ciphers=ciphers)
        assert shake(handshake, client) is not None


def test_a_foreign_certificate_is_refused() -> None:
    handshake = Handshake(SERVER, identity("ecdsa", "whoever wrote the offer").fingerprint)
    with pytest.raises(ForeignCertificate):
        shake(handshake, Client(context(identity())))


def test_a_client_without_a_common_srtp_profile_is_refused() -> None:
    handshake, client = pair(identity(), b"SRTP_AES128_CM_SHA1_32")
    with pytest.raises(DtlsError, match="no SRTP profile"):
        shake(handshake, client)


# ---- the host begins


def lead(handshake: Handshake, peer: Client, rounds: int = 10) -> Keys | None:
    """The whole handshake, begun by the host; gives its keys."""
    keys = handshake.begin()
    for _ in range(rounds):
        for datagram in handshake.outgoing():
            assert len(datagram) <= MTU
            for answer in peer.exchange(datagram):
                keys = handshake.receive(answer) or keys
    return keys


def waiting(who: Identity, profiles: bytes = ALL_PROFILES, ciphers: bytes = b"DEFAULT") -> tuple[Handshake, Client]:
    peer = Client(context(who, profiles, ciphers), waits=True)
    return Handshake(SERVER, who.fingerprint, begins=True), peer


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
@pytest.mark.parametrize("profile", list(srtp.PROFILES))
def test_the_host_begins_with_peers_of_either_kind_of_key(kind: str, profile: bytes) -> None:
    handshake, peer = waiting(identity(kind), profile)
    keys = lead(handshake, peer)
    assert keys is not None
    assert peer.keys is not None
    assert keys.profile is srtp.PROFILES[profile]
    assert (keys.inbound, keys.outbound) == (peer.keys.outbound, peer.keys.inbound)
    assert keys.inbound != keys.outbound
    assert peer.server_fingerprint == HOST.fingerprint, "the answer's fingerprint is of the certificate that is shown"


def test_the_suites_of_an_rsa_peer_are_enough() -> None:
    handshake, peer = waiting(identity("rsa"), ciphers=b"ECDHE-RSA-AES128-GCM-SHA256")
    assert lead(handshake, peer) is not None


def test_a_foreign_certificate_is_refused_by_a_host_that_begins() -> None:
    handshake = Handshake(SERVER, identity("ecdsa", "whoever wrote the offer").fingerprint, begins=True)
    with pytest.raises(ForeignCertificate):
        lead(handshake, Client(context(identity()), waits=True))


def test_a_lost_hello_is_said_again() -> None:
    handshake, peer = waiting(identity())
    handshake.begin()
    assert handshake.outgoing()  # lost on its way
    wait(handshake)
    assert handshake.elapse() is None
    keys = None
    for _ in range(10):
        for datagram in handshake.outgoing():
            for answer in peer.exchange(datagram):
                keys = handshake.receive(answer) or keys
    assert keys is not None


def test_closing_is_told_to_a_peer_that_waited() -> None:
    handshake, peer = waiting(identity())
    lead(handshake, peer)
    handshake.close()
    for datagram in handshake.outgoing():
        peer.exchange(datagram)
    assert peer.closed


# ---- abuse


def fragment_of(number: int, length: int, offset: int, data: bytes) -> bytes:
    """A handshake record (RFC 6347): a part of a Certificate message of ``length`` bytes, of which ``data`` comes."""
    message = bytes([11]) + length.to_bytes(3, "big") + number.to_bytes(2, "big")
    message += offset.to_bytes(3, "big") + len(data).to_bytes(3, "big") + data
    return b"\x16\xfe\xfd\x00\x00" + number.to_bytes(6, "big") + len(message).to_bytes(2, "big") + message


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_fragments_without_end_are_a_flood_and_hold_little_memory() -> None:
    handshakes = [Handshake(SERVER, identity().fingerprint) for _ in range(20)]
    before = resident()
    for handshake in handshakes:
        for number in range(256):
            assert handshake.receive(fragment_of(number % 12 + 1, 90_000, number * 900 % 90_000, bytes(900))) is None
        with pytest.raises(Endless):
            handshake.receive(fragment_of(1, 90_000, 0, bytes(900)))
    assert (resident() - before) / len(handshakes) < 3 << 20


def test_junk_after_the_handshake_is_not_kept() -> None:
    handshake, client = pair(identity())
    assert shake(handshake, client) is not None
    before = resident()
    for number in range(20_000):
        handshake.receive(fragment_of(number % 12 + 1, 90_000, 0, bytes(1100)))
    assert resident() - before < 4 << 20
    for datagram in client.close():
        handshake.receive(datagram)
    assert handshake.closed, "it no longer reads what counts"


# ---- loss, junk, closing


def wait(end: Handshake | SSL.Connection) -> None:
    """Until the retransmission is due; the timer is OpenSSL's own."""
    left = end.timeout if isinstance(end, Handshake) else end.DTLSv1_get_timeout()
    assert left is not None
    assert 0 < left <= 1
    time.sleep(left + 0.01)


def test_a_lost_flight_is_sent_again() -> None:
    handshake, client = pair(identity())
    for datagram in client.exchange():
        handshake.receive(datagram)
    assert handshake.outgoing()  # lost on its way
    wait(handshake)
    assert handshake.elapse() is None
    answers = [answer for datagram in handshake.outgoing() for answer in client.exchange(datagram)]
    assert [keys for answer in answers if (keys := handshake.receive(answer))]


def test_a_lost_last_flight_is_sent_again_when_the_client_repeats_itself() -> None:
    handshake, client = pair(identity())
    for datagram in client.exchange():
        handshake.receive(datagram)
    for datagram in [answer for flight in handshake.outgoing() for answer in client.exchange(flight)]:
        handshake.receive(datagram)
    assert handshake.outgoing()  # lost on its way
    assert handshake.timeout is None
    wait(client.connection)
    for datagram in client.elapse():
        handshake.receive(datagram)
    for datagram in handshake.outgoing():
        client.exchange(datagram)
    assert client.keys is not None


@pytest.mark.parametrize(
    "junk", [b"\x16" * 40, b"\x16\xfe\xfd" + bytes(50), bytes([22, 254, 253]) + bytes(8) + b"\x00\x05hello", b"\x14"]
)
def test_junk_is_one_kind_of_error_before_and_nothing_after(junk: bytes) -> None:
    handshake, client = pair(identity())
    with contextlib.suppress(DtlsError):
        assert handshake.receive(junk) is None
    handshake, client = pair(identity())
    assert shake(handshake, client) is not None
    assert handshake.receive(junk) is None
    assert not handshake.closed


def test_closing_is_told_both_ways() -> None:
    handshake, client = pair(identity())
    shake(handshake, client)
    for datagram in client.close():
        handshake.receive(datagram)
    assert handshake.closed

    handshake, client = pair(identity())
    shake(handshake, client)
    handshake.close()
    for datagram in handshake.outgoing():
        client.exchange(datagram)
    assert client.closed


def test_the_certificate_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "host.pem"
    made, fresh = certificate.load_or_make(path)
    assert fresh
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again, fresh = certificate.load_or_make(path)
    assert not fresh
    assert again.fingerprint == made.fingerprint
    assert len(made.fingerprint) == 32


def test_a_damaged_certificate_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "host.pem"
    certificate.load_or_make(path)
    for content in (b"", b"junk", path.read_bytes()[:200], path.read_bytes().replace(b"CERTIFICATE", b"CERTIFICATES")):
        path.write_bytes(content)
        with pytest.raises(certificate.CertificateError, match="damaged"):
            certificate.load_or_make(path)
        assert path.read_bytes() == content
    with pytest.raises(certificate.CertificateError, match="cannot be read"):
        certificate.load_or_make(tmp_path)


def rtp(seq: int, ssrc: int, payload: bytes = b"x" * 40) -> bytes:
    return struct.pack("!BBHII", 0x80, 111, seq, 960 * seq, ssrc) + payload


@pytest.mark.parametrize("profile", list(srtp.PROFILES.values()))
def test_packets_open_in_place_once_and_only_unchanged(profile: srtp.Profile) -> None:
    key = bytes(range(profile.key + profile.salt))
    sender, receiver = srtp.Outbound(profile, key), srtp.Inbound(profile, key)
    packet = srtp.Datagram()

    def give(data: bytes) -> bool:
        packet.data[: len(data)] = data
        packet.size = len(data)
        return receiver.open(packet)

    plain = rtp(7, 99)
    sealed = sender._session.protect(plain)
    assert len(sealed) <= len(plain) + srtp.OVERHEAD
    assert not give(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert give(sealed)
    assert bytes(packet.view[: packet.size]) == plain
    assert not give(sealed), "a replayed packet passed"


def test_a_peer_cannot_open_sources_without_end() -> None:
    profile = srtp.PROFILES[b"SRTP_AEAD_AES_128_GCM"]
    key = bytes(28)
    sender, receiver = srtp.Outbound(profile, key), srtp.Inbound(profile, key)
    packet = srtp.Datagram()
    opened = 0
    for ssrc in range(1, 40):
        data = sender._session.protect(rtp(1, ssrc))
        packet.data[: len(data)] = data
        packet.size = len(data)
        opened += receiver.open(packet)
    assert opened == srtp.MOST_STREAMS
