"""How long the stand-ins take, and what that makes of the least time an answer can take."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.bench import workload

KEY = "key-of-the-stand-ins"
WELL = "well"
"""A model of OpenAI's and a voice of ElevenLabs' that are never in trouble: to fall back on."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds, as vendors take them on a good day."""

    final_ms: int = 100
    """From the request for final words to the words."""
    first_token_ms: int = 300
    token_ms: int = 20
    """Fifty tokens a second."""
    first_audio_ms: int = 120
    message_audio_ms: int = 400
    """Of speech in each message of the voice …"""
    message_every_ms: int = 80
    """… and the time between two of them: five times as fast as it is spoken."""


DELAYS = Delays()
_FIRST_SENTENCE_TOKENS = 6
"""Of ``workload.ANSWER``, after the first: its end is known by the word after it."""
FLOOR_MS = (
    workload.ENDPOINTING_MS
    + DELAYS.final_ms
    + DELAYS.first_token_ms
    + _FIRST_SENTENCE_TOKENS * DELAYS.token_ms
    + DELAYS.first_audio_ms
)
"""As ``workload.FLOOR_MS``: the silence that a server is told to wait for, and the vendors' own delays, one after the other. Final words
that were asked for before the silence was over come off it."""
