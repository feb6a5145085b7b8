"""An application's own voice: each piece of a reply is a ``voice-request`` to ``voice.server``, which answers with audio.

The answer is 16-bit little-endian PCM of one channel at the rate that was asked for, streamed as it is made; it is asked for at the call's
own rate, so that nothing is resampled. Words are not timed.

Protocol: docs.vapi.ai/customization/custom-voices/custom-tts, ``CustomVoice`` of the platform's API reference.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx

from antiphon.errors import ConfigurationError, RequestFailed
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.one_shot import speak_once
from antiphon.providers.tts.http_stream import HttpVoiceStream, connection_limits, voice_client
from antiphon.providers.tts.refusals import Refusals
from antiphon.providers.tts.vendor_stream import FORMATS
from antiphon.providers.vendor_settings import http_url
from antiphon.providers.websocket import Addresses
from antiphon.vocabulary import AudioFormat, Encoding

NAME = "custom-voice"
_SECRET_HEADER = "X-Vapi-Secret"
_NEVER_GIVEN = frozenset({"host", "connection", "content-length", "content-type", "transfer-encoding", "te", "upgrade"})
_MOST_ADDRESSES = 4
_CONNECTIONS = 100
_LONGEST_WAIT_S = 20.0
"""For audio: nobody waits on the telephone for what a webhook may take."""


class CustomVoice:
    """Implements ``TextToSpeech`` and ``StreamingVoice``."""

    name = NAME
    formats = FORMATS
    needs_key = False

    def __init__(self, server: Mapping[str, Any], *, voice: str = "") -> None:
        """``server``: ``url``, ``secret`` (sent as ``X-Vapi-Secret``), ``headers`` and ``timeoutSeconds`` (for the first audio, and for the
        next; 5 s where it is not written, 20 s at most), as assistants write them. ``voice``: its id, for the server. Raises
        ConfigurationError."""
        if not isinstance(server, Mapping):
            raise ConfigurationError("voice.server", "must say url, and perhaps secret and headers")
        self.url = http_url(str(server.get("url") or ""), "voice.server.url")
        secret = str(server.get("secret") or "")
        self._headers = {**({_SECRET_HEADER: secret} if secret else {}), **_checked(server.get("headers"))}
        timeout_s = server.get("timeoutSeconds", 5)
        if not isinstance(timeout_s, int | float) or timeout_s <= 0:
            raise ConfigurationError("voice.server.timeoutSeconds", "must be a number of seconds")
        self.audio_timeout_s = min(float(timeout_s), _LONGEST_WAIT_S)
        self.addresses: Addresses | None = None
        """Which addresses of a name may be called; None: all. Whoever makes engines for assistants sets it."""
        self.refusals = Refusals(NAME)
        self._default_voice = voice
        self._client: httpx.AsyncClient | None = None

    @property
    def client(self) -> httpx.AsyncClient:
        if self._client is None:
            transport = None if self.addresses is None else _CheckedTransport(self.addresses)
            self._client = voice_client(_CONNECTIONS, self._headers, transport)
        return self._client

    async def start(self) -> None:
        """Nothing is asked before there is something to say."""

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def open(self, request: VoiceRequest) -> HttpVoiceStream:
        return HttpVoiceStream(self, request)

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return speak_once(self, request)

    def made(self, request: VoiceRequest) -> AudioFormat:
        return AudioFormat(Encoding.PCM16, request.audio.rate_hz)

    def body(self, text: str, request: VoiceRequest) -> dict[str, Any]:
        voice = request.voice or self._default_voice
        message = {
            **request.about,
            "type": "voice-request",
            "timestamp": time.time_ns() // 1_000_000,
            "text": text,
            "sampleRate": request.audio.rate_hz,
            **({"voiceId": voice} if voice else {}),
        }
        return {"message": message}


class _CheckedTransport(httpx.AsyncHTTPTransport):
    """Connects to an address that may be called, whatever the name says later; TLS verifies the name. No proxy is asked."""

    def __init__(self, addresses: Addresses) -> None:
        super().__init__(verify=ssl.create_default_context(), limits=connection_limits(_CONNECTIONS), trust_env=False)
        self._addresses = addresses

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            found = await self._addresses(host, port)
        except RequestFailed as refused:
            raise httpx.ConnectError(refused.reason) from None
        failure: Exception = httpx.ConnectError("no address")
        for address in found[:_MOST_ADDRESSES]:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # among them Host, which names the server
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await super().handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure


def _checked(headers: Any) -> dict[str, str]:
    """Without those that are the connection's own. Raises ConfigurationError; it repeats no value, which may be a secret."""
    if headers and not isinstance(headers, Mapping):
        raise ConfigurationError("voice.server.headers", "must be names and values")
    given = {str(name): str(value) for name, value in (headers or {}).items()}
    for name, value in given.items():
        if not (name and name.isascii() and name.isprintable() and value.isascii() and value.isprintable()):
            raise ConfigurationError("voice.server.headers", "hold a character that no header has")
        if ":" in name or " " in name:
            raise ConfigurationError("voice.server.headers", "have a name that no header has")
    return {name: value for name, value in given.items() if name.lower() not in _NEVER_GIVEN}
