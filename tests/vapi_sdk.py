"""The voice platform's Python SDK, which nobody imports before a test needs it: that takes ten seconds and 600 MB, in each process."""

from __future__ import annotations

from functools import partial
from typing import Any


def _message(side: str, kind: str) -> Any:
    from vapi import types

    return getattr(types, side + "".join(part.capitalize() for part in kind.replace("-", ".").split(".")))


server_message = partial(_message, "ServerMessage")
"""The model of a server message, e.g. ``chat.created``."""
client_message = partial(_message, "ClientMessage")
"""The same of a client message, e.g. ``speech-update``."""
