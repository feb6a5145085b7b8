"""The voice platform's Python SDK, which nobody imports before a test needs it: that takes ten seconds and 600 MB, in each process."""

from __future__ import annotations

from typing import Any


def server_message(kind: str) -> Any:
    """The model of a server message, e.g. ``chat.created``."""
    from vapi import types

    return getattr(types, "ServerMessage" + "".join(part.capitalize() for part in kind.replace("-", ".").split(".")))


def client_message(kind: str) -> Any:
    """The same of a client message, e.g. ``speech-update``."""
    from vapi import types

    return getattr(types, "ClientMessage" + "".join(part.capitalize() for part in kind.replace("-", ".").split(".")))
