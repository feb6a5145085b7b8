"""An assistant that the hosted Vapi service runs, as the model of a call: it hears the caller and speaks itself, over a WebSocket.

It takes turns itself, and our side keeps the floor all the same (``own_turns``). Its prompt, tools and voice are its own. A session that is
lost is another call of the service's, which is told our history before it hears anything.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from antiphon.errors import ConfigurationError
from antiphon.providers.speech_to_speech import vapi_wire as wire
from antiphon.providers.speech_to_speech.base import OnSpeech
from antiphon.providers.speech_to_speech.vapi_calls import CallMaker
from antiphon.providers.speech_to_speech.vapi_session import HostedStream
from antiphon.providers.speech_to_speech.vendor_engine import OwnTurnEngine
from antiphon.providers.vendor_settings import http_url, tls_context
from antiphon.vocabulary import AudioFormat

NAME = "vapi-hosted"

log = structlog.get_logger(__name__)


class HostedVapi(OwnTurnEngine):
    """Implements ``SpeechToSpeech``."""

    name = NAME
    formats = spoken_formats = wire.FORMATS
    transcriber = "hosted"

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "https://api.vapi.ai",
        model: str = "",
        *,
        assistant: dict[str, Any] | None = None,
        overrides: dict[str, Any] | None = None,
        **common: Any,
    ) -> None:
        """``model``: the hosted assistant's id. ``assistant``: one that is written out, in its place. ``overrides``: ``assistantOverrides``
        of its calls (variables, for one). Raises ConfigurationError."""
        super().__init__(api_key, **common)
        for name, document in (("assistant", assistant), ("overrides", overrides)):
            if document is not None and not isinstance(document, dict):
                raise ConfigurationError(f"model.options.{name}", "must be an object")
        if bool(model) == bool(assistant):
            raise ConfigurationError(
                "model.model", "must be the id of the hosted assistant, or model.options.assistant be one written out"
            )
        self.model = model or str((assistant or {}).get("name") or "assistant")
        self._id, self._assistant, self._overrides = model, assistant or {}, overrides or {}
        self._calls = CallMaker(NAME, http_url(base_url), api_key)

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
        self._require_formats(heard, spoken)
        return HostedStream(self, heard, spoken, on_event)
