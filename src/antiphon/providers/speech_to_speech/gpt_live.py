"""OpenAI's GPT-Live as the model of a call: it listens and speaks at the same time, over one WebSocket for each call.

It takes turns itself, and our side keeps the floor all the same (``own_turns``). What takes thought, and every tool, it delegates to a
model of the Responses API within its session.
"""

from __future__ import annotations

from typing import Any

from antiphon.providers.speech_to_speech import live_wire as wire
from antiphon.providers.speech_to_speech.base import OnSpeech
from antiphon.providers.speech_to_speech.live_session import LiveStream
from antiphon.providers.speech_to_speech.vendor_engine import OwnTurnEngine
from antiphon.providers.vendor_settings import websocket_url
from antiphon.vocabulary import AudioFormat

NAME = "openai-live"


class GptLive(OwnTurnEngine):
    """Implements ``SpeechToSpeech``."""

    name = NAME
    formats = spoken_formats = wire.FORMATS
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
        **common: Any,
    ) -> None:
        """``voice`` speaks where the assistant names none. ``backend_model`` thinks and asks for tools, with ``reasoning_effort``.
        Raises ConfigurationError."""
        super().__init__(api_key, **common)
        self.model = self.transcriber = model
        self.voice = voice
        self.backend_model = backend_model
        self.reasoning_effort = reasoning_effort
        self.address = f"{websocket_url(base_url)}/live/sessions"

    def open(self, heard: AudioFormat, spoken: AudioFormat, voice: str, speed: float, on_event: OnSpeech) -> LiveStream:
        """Its speed is its own."""
        self._require_formats(heard, spoken)
        return LiveStream(self, heard, spoken, voice or self.voice, on_event)
