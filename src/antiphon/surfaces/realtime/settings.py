"""What the operator decides about Realtime sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RealtimeSettings:
    """``voices``: the engine's own voice for names that clients use; every other name gets the assistant's voice. ``strict``: fields of
    a client's events that we do not know are errors. Of the bounds, 0 is none."""

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
    max_sessions: int = 0
    """Live sessions of this process, so that places are left for the telephone."""
    secret_max_sessions: int = 4
    """Live sessions of one client secret that names no number of its own."""
    secret_max_connecting: int = 8
    """Calls over WebRTC of one client secret that have no media yet."""
    key_max_sessions: int = 200
    """Live sessions of one private key, those of its secrets included."""
    secret_idle_s: int = 120
    """A session of a client secret ends after so long without audio, event or answer."""
    key_idle_s: int = 900
    """The same, of a session that a private key has opened."""
    session_max_kept_kib: int = 16 * 1024
    """Items of one session."""
    secret_max_kept_kib: int = 32 * 1024
    """Items of all sessions of one client secret."""
    key_max_kept_kib: int = 512 * 1024
    """Items of all sessions of one private key, those of its secrets included."""
    input_ahead_s: int = 330
    """Audio that a session may be sent before its time: the largest append there is."""
