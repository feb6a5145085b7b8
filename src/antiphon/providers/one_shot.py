"""Voices that speak one text at a time, and voices that take a reply piece by piece, each where the other is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

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


@asynccontextmanager
async def chunks_of(stream: VoiceStream) -> AsyncGenerator[AsyncIterator[VoiceChunk], None]:
    """What comes of a stream, which is stopped at the end however that comes about."""
    chunks = aiter(stream)
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
        await stream.cancel()


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
    stream.say(0, request.text)
    stream.end()
    async with chunks_of(stream) as chunks:
        async for chunk in chunks:
            if chunk.audio or chunk.words:
                yield SpeechChunk(chunk.audio, chunk.words)
