"""Around every voice: it is given what people say, and answers for what was written.

The core, its history and the transcript know written text only. "$5" is one word of it, "five dollars" two of the voice's: where a voice
tells when its words sound, they are told on as the written words they belong to.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace

from antiphon.providers.base import SpeechChunk, SpeechRequest, TextToSpeech, VoiceChunk, VoiceRequest, VoiceStream
from antiphon.providers.one_shot import chunks_of, open_voice
from antiphon.providers.wrapped import WrappedVoice
from antiphon.spoken.text import SpokenText, spoken
from antiphon.vocabulary import WordTiming

DEFAULT_LANGUAGE = "en"
_LOCALE = re.compile(r"([a-z]{2})(?:[-_+]|$)|([a-z]{3})-[A-Za-z]", re.IGNORECASE)
_LOOK_AHEAD = 4
"""A voice may leave out a word or two; further on the same word is another one."""


def language_of(*hints: str) -> str:
    """The language that the first telling hint names: ``ko``, ``en-US``, or a voice called ``en-gb+f3``. English where none does."""
    for hint in hints:
        found = _LOCALE.match(hint)
        if found:
            return (found[1] or found[2]).lower()
    return DEFAULT_LANGUAGE


class SpokenVoice(WrappedVoice):
    """Implements ``TextToSpeech`` and ``StreamingVoice`` around another."""

    def __init__(
        self, voice: TextToSpeech, language: str = DEFAULT_LANGUAGE, pronunciations: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(voice)
        self._language = language
        self._pronunciations = dict(pronunciations or {})

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        said = spoken(request.text, self._language, self._pronunciations)
        if not said.text and request.text.strip():
            return
        stream = self.behind.synthesize(replace(request, text=said.text, language=request.language or self._language))
        words = WrittenWords(said)
        try:
            async for chunk in stream:
                yield SpeechChunk(chunk.audio, words.of(chunk.words)) if chunk.words else chunk
            rest = words.rest()
            if rest:
                yield SpeechChunk(b"", rest)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    def open(self, request: VoiceRequest) -> SpokenStream:
        wanted = replace(request, language=request.language or self._language)
        return SpokenStream(open_voice(self.behind, wanted), self._language, self._pronunciations)


class SpokenStream:
    """Implements ``VoiceStream`` around another."""

    def __init__(self, behind: VoiceStream, language: str, pronunciations: Mapping[str, str]) -> None:
        self._behind = behind
        self._language = language
        self._pronunciations = pronunciations
        self._words: deque[WrittenWords] = deque()
        """Of the pieces that have not been spoken to their end, in their order."""

    def say(self, piece: int, text: str) -> None:
        said = spoken(text, self._language, self._pronunciations)
        self._words.append(WrittenWords(said))
        self._behind.say(piece, said.text)

    def end(self) -> None:
        self._behind.end()

    async def __aiter__(self) -> AsyncIterator[VoiceChunk]:
        async with chunks_of(self._behind) as chunks:
            async for chunk in chunks:
                words = self._words[0].of(chunk.words) if chunk.words else ()
                if chunk.last:
                    words += self._words.popleft().rest()
                yield chunk if not words and not chunk.words else replace(chunk, words=words)

    async def cancel(self) -> None:
        await self._behind.cancel()


class WrittenWords:
    """The timings of a voice's words, as those of the written ones. One that is said in several words is told with its last."""

    def __init__(self, said: SpokenText) -> None:
        self._said = said
        self._tokens = said.text.split()
        self._next = 0
        self._told = 0
        """Written words told so far."""
        self._held: WordTiming | None = None
        self._held_origin = 0

    def of(self, words: tuple[WordTiming, ...]) -> tuple[WordTiming, ...]:
        told: list[WordTiming] = []
        for word in words:
            first, last = self._find(word.text)
            origin = self._origin(first)
            if self._held is not None and origin != self._held_origin:
                told += self._release()
            start_ms = self._held.start_ms if self._held is not None else word.start_ms
            self._held, self._held_origin = (
                WordTiming(word.text, start_ms, word.end_ms),
                max(origin, self._origin(last)),
            )
            if self._origin(last + 1) != self._held_origin or last + 1 >= len(self._tokens):
                told += self._release()
        return tuple(told)

    def rest(self) -> tuple[WordTiming, ...]:
        """What is still held when the voice has ended."""
        return tuple(self._release())

    def _find(self, text: str) -> tuple[int, int]:
        """The spoken words that the voice means."""
        parts = text.split() or [text]
        at = self._next
        for candidate in range(self._next, min(self._next + _LOOK_AHEAD, len(self._tokens))):
            if self._tokens[candidate] == parts[0]:
                at = candidate
                break
        self._next = at + len(parts)
        return at, at + len(parts) - 1

    def _origin(self, token: int) -> int:
        origins = self._said.origins
        return origins[min(token, len(origins) - 1)] if origins else 0

    def _release(self) -> list[WordTiming]:
        """The held word, and those beside it that make no sound: each gets a millisecond of its time, since words are counted."""
        held, self._held = self._held, None
        written = self._said.written
        if held is None or not written:
            return []
        following = self._origin(self._next) if self._next < len(self._tokens) else len(written)
        words = written[self._told : max(following, self._told)]
        if not words:
            return []
        self._told += len(words)
        at = max(self._held_origin - (self._told - len(words)), 0)
        silent_after = max(len(words) - 1 - at, 0)
        length = held.end_ms - held.start_ms
        if length <= len(words):
            return [WordTiming(" ".join(words), held.start_ms, held.end_ms)]
        start_ms, end_ms = held.start_ms + at, held.end_ms - silent_after
        told = [
            WordTiming(word, held.start_ms + index, held.start_ms + index + 1) for index, word in enumerate(words[:at])
        ]
        told.append(WordTiming(words[min(at, len(words) - 1)], start_ms, end_ms))
        told += [WordTiming(word, end_ms + index, end_ms + index + 1) for index, word in enumerate(words[at + 1 :])]
        return told
