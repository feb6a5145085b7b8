"""Voices that speak one text at a time, and voices that take a reply piece by piece, each where the other is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from antiphon.providers.base import (
    SpeechChunk,
    SpeechRequest,
    StreamingVoice,
    TextToSpeech,
    VoiceChunk,
    VoiceRequest,
    VoiceStream,
)


def open_voice(voice: TextToSpeech, request: VoiceRequest) -> VoiceStream:
    """The voice of one reply, whichever kind of voice it is."""
    return voice.open(request) if isinstance(voice, StreamingVoice) else OneShotStream(voice, request)


class OneShotStream:
    """A reply of a voice that speaks one text at a time. Implements ``VoiceStream``."""

    def __init__(self, voice: TextToSpeech, request: VoiceRequest) -> None:
        self._voice = voice
        self._request = request
        self._pieces: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue()  # bounded by the reply's length
        self._speech: AsyncIterator[SpeechChunk] | None = None

    def say(self, piece: int, text: str) -> None:
        self._pieces.put_nowait((piece, text))

    def end(self) -> None:
        self._pieces.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[VoiceChunk]:
        wanted = self._request
        while (said := await self._pieces.get()) is not None:
            piece, text = said
            self._speech = self._voice.synthesize(
                SpeechRequest(text, wanted.audio, wanted.voice, wanted.speed, wanted.language)
            )
            try:
                async for chunk in self._speech:
                    yield VoiceChunk(piece, chunk.audio, chunk.words)
            finally:
                await self.cancel()
            yield VoiceChunk(piece, last=True)

    async def cancel(self) -> None:
        speech, self._speech = self._speech, None
        if isinstance(speech, AsyncGenerator):
            await speech.aclose()


async def speak_once(voice: StreamingVoice, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
    """One text by a voice that takes replies piece by piece: its ``synthesize``."""
    if not request.text.strip():
        return
    stream = voice.open(VoiceRequest(request.audio, request.voice, request.speed, request.language))
    try:
        stream.say(0, request.text)
        stream.end()
        async for chunk in stream:
            if chunk.audio or chunk.words:
                yield SpeechChunk(chunk.audio, chunk.words)
    finally:
        await stream.cancel()
