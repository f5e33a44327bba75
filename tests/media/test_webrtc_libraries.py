"""What the device's transport relies on in foreign libraries, and what importing it and a sandbox cost."""

import ast
import importlib
import importlib.metadata
import inspect
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from aiortc import RTCCertificate, RTCDtlsTransport

from appliance.media import ice, polled, relay, srtp, ways, webrtc
from tests.support import need

# ---- guards: what is not promised by the libraries, and must be looked at again when it changes


@pytest.mark.parametrize(("distribution", "version"), webrtc.VERSIONS.items())
def test_the_library_is_the_one_this_was_written_against(distribution: str, version: str) -> None:
    installed = importlib.metadata.version(distribution)
    assert installed == version, (
        f"{distribution} is {installed}. appliance/media/webrtc.py uses private parts of {version}: read what changed in "
        "them, run these tests, then change VERSIONS."
    )


def _resolve(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name) if module else importlib.import_module(path)


def _members(owner: Any) -> set[str]:
    names = set(dir(owner))
    if inspect.isclass(owner):
        names |= set(owner.__init__.__code__.co_names)  # attributes that __init__ sets
    return names


@pytest.mark.parametrize("path", webrtc.PRIVATE_PARTS)
def test_private_parts_are_there(path: str) -> None:
    missing = set(webrtc.PRIVATE_PARTS[path]) - _members(_resolve(path))
    assert not missing, f"{path} lost {sorted(missing)}, which appliance/media/webrtc.py uses"


def test_every_private_part_in_use_is_listed() -> None:
    """All private names that the file reads and does not make itself, and ``pylibsrtp``'s two hidden modules."""
    tree = ast.parse("\n".join(inspect.getsource(module) for module in (webrtc, ice, ways, relay, srtp, polled)))
    every = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    attributes = [node for node in every if node.attr.startswith("_") and not node.attr.startswith("__")]
    made = {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
    made |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    foreign = {"_create_ssl_context", "_srtp"}
    used = {node.attr for node in attributes} - made | foreign
    listed = {name for names in webrtc.PRIVATE_PARTS.values() for name in names if name[0] == "_"}
    assert used == listed


def test_signatures_are_as_they_were() -> None:
    def shape(function: Any) -> list[str]:
        return list(inspect.signature(function).parameters)

    assert shape(RTCCertificate._create_ssl_context) == ["self", "srtp_profiles"]
    assert shape(RTCDtlsTransport.__init__) == ["self", "transport", "certificates"]
    assert shape(RTCDtlsTransport._set_role) == ["self", "role"]
    assert shape(RTCDtlsTransport.start) == ["self", "remoteParameters"]


def test_the_dtls_transport_takes_no_more_of_its_ice_transport() -> None:
    """``Agent`` stands in for RTCIceTransport: another member in use there would be missing here."""
    source = inspect.getsource(sys.modules[RTCDtlsTransport.__module__])
    taken = {
        piece.split("(")[0].split(" ")[0].split(",")[0].split(")")[0].split("=")[0].strip().rstrip(":")
        for piece in source.replace("self._transport.", "self.transport.").split("self.transport.")[1:]
    }
    assert taken == {"role", "_recv", "_send"}


# ---- what importing and a sandbox cost


def _run(code: str, *, no_write_execute: bool = False) -> str:
    prelude = "import ctypes\nassert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0\n" if no_write_execute else ""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", prelude + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_it_loads_neither_pyav_nor_the_rest_of_aiortc() -> None:
    _run(
        """
        import sys
        import appliance.media.webrtc
        assert "av" not in sys.modules and "aiortc" not in sys.modules
        assert "aiortc.rtcdtlstransport" in sys.modules and "aiortc.rtcpeerconnection" not in sys.modules
        """
    )


def test_all_of_aiortc_can_still_be_imported_after_it() -> None:
    _run(
        """
        from appliance.media import polled, srtp, webrtc
        import asyncio, aiortc, av
        assert aiortc.RTCDtlsTransport is webrtc.RTCDtlsTransport and av.AudioFrame is not object
        async def main():
            connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
            connection.addTransceiver("audio")
            assert "opus" in (await connection.createOffer()).sdp
            await connection.close()
        asyncio.run(main())
        """
    )


def test_it_connects_without_memory_that_is_writable_and_executable() -> None:
    """As under systemd's MemoryDenyWriteExecute=yes; the other side runs there too."""
    libc = __import__("ctypes").CDLL(None)
    need(libc.prctl(66, 0, 0, 0, 0) >= 0, "this kernel has no PR_SET_MDWE (Linux 6.3)")
    _run(
        """
        import asyncio
        from OpenSSL import SSL
        try:
            SSL.Context(SSL.DTLS_METHOD).set_verify(SSL.VERIFY_PEER, lambda *_: True)
        except MemoryError:
            pass
        else:
            raise SystemExit("the kernel lets writable and executable memory through: nothing is tested here")
        from appliance.media import polled, srtp, webrtc
        from tests.media import test_webrtc
        async def main():
            certificate = test_webrtc.ForgivingCertificate.generateCertificate()
            async with test_webrtc.connected(certificate=certificate) as (device, peer):
                assert device.send(test_webrtc.RTP)
                await test_webrtc.until(lambda: peer.rtp)
        asyncio.run(main())
        """,
        no_write_execute=True,
    )
