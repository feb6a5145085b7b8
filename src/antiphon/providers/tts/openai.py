"""OpenAI's voices over HTTP: each piece of a reply is a request to ``/v1/audio/speech``, whose audio is streamed.

The wire: platform.openai.com/docs/api-reference/audio/createSpeech and ``SpeechCreateParams`` of the vendor's Python package. The vendor
makes 24 kHz PCM; a telephone's µ-law is made of it here. It times no words. Servers of others that speak the same protocol
(``base_url``) will do.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers.base import VoiceRequest
from antiphon.providers.tts.http_stream import HttpVoice
from antiphon.providers.tts.socket_pool import CONNECT_TIMEOUT_S
from antiphon.providers.tts.vendor_settings import check_vendor, speed_within
from antiphon.providers.vendor_settings import http_url
from antiphon.vocabulary import AudioFormat, Encoding

NAME = "openai"
NATIVE = AudioFormat(Encoding.PCM16, 24000)
SLOWEST, FASTEST = 0.25, 4.0


class OpenAITextToSpeech(HttpVoice):
    """Words are not timed."""

    name = NAME
    needs_key = True

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "https://api.openai.com/v1",
        model: str = "gpt-4o-mini-tts",
        voice: str = "marin",
        language: str = "",
        instructions: str = "",
        sockets: int = 100,
        audio_timeout_ms: int = 5_000,
    ) -> None:
        """``instructions`` say how the voice shall sound. The vendor finds out the language from the text; ``language`` is told to it with
        the instructions. Raises ConfigurationError."""
        check_vendor(api_key, audio_timeout_ms, sockets)
        if len(instructions) > 4096:
            raise ConfigurationError("tts.instructions", "must not be longer than 4096 characters")
        url = f"{http_url(base_url, 'tts.base_url')}/audio/speech"
        super().__init__(url, {"Authorization": f"Bearer {api_key}"}, sockets, audio_timeout_ms / 1000)
        self.model = model
        self._default_voice = voice
        self._instructions = " ".join(
            filter(None, [instructions, f"Speak the language {language} (ISO 639-1)." if language else ""])
        )

    async def start(self) -> None:
        """Connect, so that the first reply need not. Raises ProviderUnavailable where the vendor refuses the key."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                answer = await self.client.get(self.url.removesuffix("/audio/speech") + "/models")
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            raise ProviderUnavailable(NAME, f"cannot be reached ({type(error).__name__}; setting base_url)") from None
        if answer.status_code in (401, 403):
            raise self.refusals.refused(answer.status_code, answer.headers)

    def made(self, request: VoiceRequest) -> AudioFormat:
        return NATIVE

    def body(self, text: str, request: VoiceRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "voice": request.voice or self._default_voice,
            "input": text,
            "response_format": "pcm",
            "stream_format": "audio",
        }
        if request.speed != 1.0:
            body["speed"] = speed_within(NAME, request.speed, SLOWEST, FASTEST)
        if self._instructions and not self.model.startswith("tts-1"):
            body["instructions"] = self._instructions
        return body
