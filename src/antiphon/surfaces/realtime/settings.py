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
    greeting_wait_ms: int = 500
    """How long a greeting waits for a client's first ``session.update``. Stock clients send it a round trip after ``session.created``:
    300 ms to the far side of the world. A greeting that has begun could not have the client's voice any more. 0: it does not wait."""
    audio_ahead_ms: int = 10_000
    """Over WebSocket, how far ahead of its playing time a reply is handed over (``SessionPlan.audio_ahead_ms``). Nearly all spoken
    replies are shorter and leave as they are made, as the stock clients expect; a connection that stands still for longer than this is as
    good as lost; and of a longer reply a client has at most this to throw away (0.6 MB) when it is interrupted."""
    strict: bool = False
    debug_order: bool = False
