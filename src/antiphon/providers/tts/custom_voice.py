"""An application's own voice: each piece of a reply is a ``voice-request`` to ``voice.server``, which answers with audio.

The answer is 16-bit little-endian PCM of one channel at the rate that was asked for, streamed as it is made; it is asked for at the call's
own rate, so that nothing is resampled. Words are not timed.

Protocol: docs.vapi.ai/customization/custom-voices/custom-tts, ``CustomVoice`` of the platform's API reference.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpx

from antiphon.errors import ConfigurationError, RequestFailed
from antiphon.providers.base import VoiceRequest
from antiphon.providers.own_server import headers_of, own_server
from antiphon.providers.tts.http_stream import HttpVoice, connection_limits
from antiphon.providers.vendor_settings import http_url
from antiphon.providers.websocket import MOST_ADDRESSES, Addresses
from antiphon.vocabulary import AudioFormat, Encoding

NAME = "custom-voice"
_NEVER_GIVEN = frozenset({"host", "connection", "content-length", "content-type", "transfer-encoding", "te", "upgrade"})
_CONNECTIONS = 100
_LONGEST_WAIT_S = 20.0
"""For audio: nobody waits on the telephone for what a webhook may take."""


class CustomVoice(HttpVoice):
    """Words are not timed."""

    name = NAME
    needs_key = False

    def __init__(self, server: Mapping[str, Any], *, voice: str = "") -> None:
        """``server``: ``url``, ``secret`` (sent as ``X-Vapi-Secret``), ``headers`` and ``timeoutSeconds`` (for the first audio, and for the
        next; 5 s where it is not written, 20 s at most), as assistants write them. ``voice``: its id, for the server. Raises
        ConfigurationError."""
        server = own_server(server, "voice.server")
        url = http_url(str(server.get("url") or ""), "voice.server.url")
        headers = headers_of(server, "voice.server", _NEVER_GIVEN)
        timeout_s = server.get("timeoutSeconds", 5)
        if not isinstance(timeout_s, int | float) or timeout_s <= 0:
            raise ConfigurationError("voice.server.timeoutSeconds", "must be a number of seconds")
        super().__init__(url, headers, _CONNECTIONS, min(float(timeout_s), _LONGEST_WAIT_S))
        self.addresses: Addresses | None = None
        """Which addresses of a name may be called; None: all. Whoever makes engines for assistants sets it."""
        self._default_voice = voice

    def transport(self) -> httpx.AsyncBaseTransport | None:
        return None if self.addresses is None else _CheckedTransport(self.addresses)

    async def start(self) -> None:
        """Nothing is asked before there is something to say."""

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
        for address in found[:MOST_ADDRESSES]:
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
