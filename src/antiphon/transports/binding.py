"""Taking a port."""

from __future__ import annotations

import socket


def bound_socket(host: str, port: int) -> socket.socket:
    """A TCP socket that is bound and does not listen yet; port 0: the system chooses. Raises OSError naming the address."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        problem = error.strerror or type(error).__name__
        raise OSError(error.errno, f"cannot listen on {host}, port {port}: {problem}") from None
    return bound
