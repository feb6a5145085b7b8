"""OpenAI's GPT-Live as the model of a call: it listens and speaks at the same time, over one WebSocket for each call.

It takes turns itself, and our side keeps the floor all the same (``own_turns``). What takes thought, and every tool, it delegates to a
model of the Responses API within its session.
"""

from __future__ import annotations

import ssl

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import Partials
from antiphon.providers.socket import SocketCounts, SocketLimits
from antiphon.providers.speech_to_speech import live_wire as wire
from antiphon.providers.speech_to_speech.base import OnSpeech
from antiphon.providers.speech_to_speech.live_session import LiveStream
from antiphon.providers.speech_to_speech.own_requests import TurnLimits
from antiphon.providers.vendor_settings import tls_context, websocket_url
from antiphon.vocabulary import AudioFormat

NAME = "openai-live"


class GptLive:
    """Implements ``SpeechToSpeech``."""

    name = NAME
    formats = spoken_formats = wire.FORMATS
    needs_key = True
    continuous = True
    partials: Partials = "reliable"
    words_with_sound = True

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "https://api.openai.com/v1",
        model: str = "gpt-live-1",
        *,
        voice: str = "marin",
        backend_model: str = "gpt-5.4-mini",
        reasoning_effort: str = "",
        nudge_after_ms: int = 2_500,
        reply_timeout_ms: int = 7_000,
        words_timeout_ms: int = 5_000,
        max_utterance_ms: int = 120_000,
        ca_file: str = "",
    ) -> None:
        """``voice`` speaks where the assistant names none. ``backend_model`` thinks and asks for tools, with ``reasoning_effort``.
        ``nudge_after_ms``: a model that has not begun to answer by then is asked to; ``reply_timeout_ms``: a reply of which nothing comes
        for so long after that has failed. Raises ConfigurationError."""
        waits = {
            "nudge_after_ms": nudge_after_ms,
            "reply_timeout_ms": reply_timeout_ms,
            "words_timeout_ms": words_timeout_ms,
        }
        for name, value in waits.items():
            if not 500 <= value <= 60_000:
                raise ConfigurationError(name, "must be 500 … 60000")
        if not 1_000 <= max_utterance_ms <= 600_000:
            raise ConfigurationError("max_utterance_ms", "must be 1000 … 600000")
        self.model = self.transcriber = model
        self.voice = voice
        self.backend_model = backend_model
        self.reasoning_effort = reasoning_effort
        self.api_key = api_key
        self.address = f"{websocket_url(base_url)}/live/sessions"
        self.limits = SocketLimits()
        self.turn_limits = TurnLimits(nudge_after_ms / 1000, reply_timeout_ms / 1000)
        self.words_timeout_s = words_timeout_ms / 1000
        self.max_utterance_ms = max_utterance_ms
        self.counts = SocketCounts()
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        tls_context(ca_file)

    async def start(self) -> None:
        """Nothing to load: each call has a connection of its own."""

    async def close(self) -> None:
        """Calls close their own."""

    @property
    def tls(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context(self._ca_file)
        return self._tls

    def open(self, heard: AudioFormat, spoken: AudioFormat, voice: str, speed: float, on_event: OnSpeech) -> LiveStream:
        """Its speed is its own."""
        for audio in (heard, spoken):
            if audio not in self.formats:
                raise ProviderError(NAME, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")
        return LiveStream(self, heard, spoken, voice or self.voice, on_event)
