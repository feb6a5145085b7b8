"""OpenAI's voices over HTTP: each piece of a reply is a request to ``/v1/audio/speech``, whose audio is streamed.

The wire: platform.openai.com/docs/api-reference/audio/createSpeech and ``SpeechCreateParams`` of the vendor's Python package. The vendor
makes 24 kHz PCM; a telephone's µ-law is made of it here. It times no words. Servers of others that speak the same protocol
(``base_url``) will do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.one_shot import speak_once
from antiphon.providers.tts.http_stream import HttpVoiceStream, voice_client
from antiphon.providers.tts.refusals import Refusals
from antiphon.providers.tts.socket_pool import CONNECT_TIMEOUT_S
from antiphon.providers.tts.vendor_settings import check_vendor, speed_within
from antiphon.providers.tts.vendor_stream import FORMATS
from antiphon.providers.vendor_settings import http_url
from antiphon.vocabulary import AudioFormat, Encoding

NAME = "openai"
NATIVE = AudioFormat(Encoding.PCM16, 24000)
SLOWEST, FASTEST = 0.25, 4.0


class OpenAITextToSpeech:
    """Implements ``TextToSpeech`` and ``StreamingVoice``. Words are not timed."""

    name = NAME
    formats = FORMATS
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
        self.url = f"{http_url(base_url, 'tts.base_url')}/audio/speech"
        self.model = model
        self._default_voice = voice
        self._instructions = " ".join(
            filter(None, [instructions, f"Speak the language {language} (ISO 639-1)." if language else ""])
        )
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._most = sockets
        self._client: httpx.AsyncClient | None = None
        self.audio_timeout_s = audio_timeout_ms / 1000
        self.refusals = Refusals(NAME)

    @property
    def client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = voice_client(self._most, self._headers)
        return self._client

    async def start(self) -> None:
        """Connect, so that the first reply need not. Raises ProviderUnavailable where the vendor refuses the key."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                answer = await self.client.get(self.url.removesuffix("/audio/speech") + "/models")
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            raise ProviderUnavailable(NAME, f"cannot be reached ({type(error).__name__}; setting base_url)") from None
        if answer.status_code in (401, 403):
            raise self.refusals.refused(answer.status_code, answer.headers)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def open(self, request: VoiceRequest) -> HttpVoiceStream:
        return HttpVoiceStream(self, request)

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return speak_once(self, request)

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
