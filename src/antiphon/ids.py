"""Public identifiers. The conversation core numbers its own turns and replies (1, 2, 3 …) so that replay is exact."""

from __future__ import annotations

import secrets
import uuid


def new_call_id() -> str:
    """A call's public id: a random UUID, as the Vapi API shows it."""
    return str(uuid.uuid4())


def new_id(prefix: str) -> str:
    """``prefix_`` and 24 hexadecimal digits (96 random bits)."""
    return f"{prefix}_{secrets.token_hex(12)}"
