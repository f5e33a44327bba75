"""Ports for servers under test."""

import socket


def free_port(address: str = "127.0.0.1") -> int:
    """A port that is free for TCP and for UDP on ``address`` at this moment."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind((address, 0))
            port: int = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind((address, port))
                except OSError:
                    continue
                return port
    raise RuntimeError("no port is free for both TCP and UDP")
