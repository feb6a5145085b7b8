"""What the operator decides about Realtime sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RealtimeSettings:
    """``voices``: the engine's own voice for names that clients use; every other name gets the assistant's voice. ``strict``: fields of
    a client's events that we do not know are errors."""

    default_model: str = "gpt-realtime"
    default_voice: str = "marin"
    voices: Mapping[str, str] = field(default_factory=dict)
    max_minutes: int = 60
    strict: bool = False
    debug_order: bool = False
