"""An assistant that the hosted Vapi service runs, as the model of a call: it hears the caller and speaks itself, over a WebSocket.

It takes turns itself, and our side keeps the floor all the same (``own_turns``). Its prompt, tools and voice are its own. A session that is
lost is another call of the service's, which is told our history before it hears anything.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import structlog

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import Partials
from antiphon.providers.socket import SocketCounts, SocketLimits
from antiphon.providers.speech_to_speech import vapi_wire as wire
from antiphon.providers.speech_to_speech.base import OnSpeech
from antiphon.providers.speech_to_speech.own_requests import TurnLimits
from antiphon.providers.speech_to_speech.vapi_calls import CallMaker
from antiphon.providers.speech_to_speech.vapi_session import HostedStream
from antiphon.providers.vendor_settings import http_url, tls_context
from antiphon.vocabulary import AudioFormat

NAME = "vapi-hosted"
_LEAST_MS, _MOST_MS = 500, 60_000

log = structlog.get_logger(__name__)


class HostedVapi:
    """Implements ``SpeechToSpeech``."""

    name = NAME
    formats = spoken_formats = wire.FORMATS
    needs_key = True
    continuous = True
    partials: Partials = "reliable"
    transcriber = "hosted"

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "https://api.vapi.ai",
        model: str = "",
        *,
        assistant: dict[str, Any] | None = None,
        overrides: dict[str, Any] | None = None,
        nudge_after_ms: int = 2_500,
        reply_timeout_ms: int = 7_000,
        words_timeout_ms: int = 5_000,
        max_utterance_ms: int = 120_000,
        ca_file: str = "",
    ) -> None:
        """``model``: the hosted assistant's id. ``assistant``: one that is written out, in its place. ``overrides``: ``assistantOverrides``
        of its calls (variables, for one). ``nudge_after_ms``: an assistant that has not begun to answer by then is asked to;
        ``reply_timeout_ms``: a reply of which nothing comes for so long after that has failed. Raises ConfigurationError."""
        waits = {
            "nudge_after_ms": nudge_after_ms,
            "reply_timeout_ms": reply_timeout_ms,
            "words_timeout_ms": words_timeout_ms,
        }
        for name, value in waits.items():
            if not _LEAST_MS <= value <= _MOST_MS:
                raise ConfigurationError(name, f"must be {_LEAST_MS} … {_MOST_MS}")
        if not 1_000 <= max_utterance_ms <= 600_000:
            raise ConfigurationError("max_utterance_ms", "must be 1000 … 600000")
        for name, document in (("assistant", assistant), ("overrides", overrides)):
            if document is not None and not isinstance(document, dict):
                raise ConfigurationError(f"model.options.{name}", "must be an object")
        if bool(model) == bool(assistant):
            raise ConfigurationError(
                "model.model", "must be the id of the hosted assistant, or model.options.assistant be one written out"
            )
        self.model = model or str((assistant or {}).get("name") or "assistant")
        self.api_key = api_key
        self.limits = SocketLimits()
        self.turn_limits = TurnLimits(nudge_after_ms / 1000, reply_timeout_ms / 1000)
        self.words_timeout_s = words_timeout_ms / 1000
        self.max_utterance_ms = max_utterance_ms
        self.counts = SocketCounts()
        self._id, self._assistant, self._overrides = model, assistant or {}, overrides or {}
        self._calls = CallMaker(NAME, http_url(base_url), api_key)
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

    async def new_call(self, audio: AudioFormat) -> str:
        """The address of its socket. Raises Refused."""
        body = wire.create_call(self._id, self._assistant, self._overrides, audio)
        if self._tls is None:  # reading the machine's authorities takes a while
            self._tls = await asyncio.to_thread(tls_context, self._ca_file)
        return await self._calls.make(body, self._tls, self.limits.first_message_timeout_s)

    def open(
        self, heard: AudioFormat, spoken: AudioFormat, voice: str, speed: float, on_event: OnSpeech
    ) -> HostedStream:
        """Voice and speed are the hosted assistant's own."""
        for audio in (heard, spoken):
            if audio not in self.formats:
                raise ProviderError(NAME, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")
        return HostedStream(self, heard, spoken, on_event)
