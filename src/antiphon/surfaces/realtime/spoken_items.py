"""Messages that a client creates as audio: a recording is written down by the session's recogniser before a model can read it.

What is asked of the model meanwhile waits, so that it is answered with the words. A recogniser is shared by all callers, and most of
them are speaking right now: so a session's recordings are given to it one after the other, each no faster than it is decoded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from antiphon.audio.convert import converter
from antiphon.errors import ProviderError
from antiphon.providers.base import (
    ExpectedAnswers,
    SpeechToText,
    SpeechToTextStream,
    Transcribed,
    TranscriptionEvent,
)
from antiphon.surfaces.realtime.kept import KeptBytes
from antiphon.surfaces.realtime.protocol.audio_config import PCM
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.vocabulary import AudioFormat, Encoding

PATIENCE_S = 15.0
"""A recogniser that has not said its last word by then, after it was given the last of a recording, has failed."""
MOST = 8
"""At once, in one session: one is written down, the others wait."""
PIECE_MS = 1000
PIECE_EVERY_S = 0.1
"""Ten times as fast as it was spoken, which is about what the embedded recogniser does."""
_UTTERANCE = 1
log = structlog.get_logger(__name__)

OnWords = Callable[[str | None], None]
"""Told the words, or None where there will be none."""


@dataclass(slots=True)
class _Recording:
    audio: bytes
    format: AudioFormat
    on_words: OnWords


class SpokenItems:
    """Of one session."""

    def __init__(self, stt: Callable[[], SpeechToText], on_idle: Callable[[], None], kept: KeptBytes) -> None:
        """``on_idle`` is told when the last of them has been written down. ``kept`` counts those that wait."""
        self._stt = stt
        self._on_idle = on_idle
        self._kept = kept
        self._waiting: deque[_Recording] = deque()
        self._current: _Dictation | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being written down."""
        return self._current is not None

    def require_room(self, size: int) -> None:
        """For a recording of so many bytes. Raises ClientError."""
        if len(self._waiting) + self.busy >= MOST:
            raise ClientError("rate_limit_exceeded", "Too many recordings wait to be written down.", "item")
        self._kept.require(size)

    def write_down(self, audio: bytes, audio_format: AudioFormat, on_words: OnWords) -> None:
        """``on_words`` is told once, later. Raises ProviderError where the recogniser takes no recordings, ClientError as
        ``require_room``."""
        stt = self._stt()
        if _kind_for(stt) is None:
            raise ProviderError(stt.name, "takes no linear audio")
        self.require_room(len(audio))
        self._kept.take(len(audio))
        self._waiting.append(_Recording(audio, audio_format, on_words))
        if self._current is None:
            self._begin_next()

    def close(self) -> None:
        """Nothing is told any more."""
        self._waiting.clear()
        current, self._current = self._current, None
        if current is not None:
            current.close()

    def _begin_next(self) -> None:
        recording, stt = self._waiting.popleft(), self._stt()
        self._kept.give_back(len(recording.audio))
        kind = _kind_for(stt)

        def done(words: str | None) -> None:
            if self._current is dictation:
                dictation.close()
                self._finish(recording, words)

        dictation = _Dictation(recording, stt.name, done)
        self._current = dictation
        try:
            if kind is None:  # the recogniser was changed meanwhile
                raise ProviderError(stt.name, "takes no linear audio")
            dictation.begin(stt, kind)
        except ProviderError as error:
            log.warning("spoken_item_failed", provider=stt.name, code=error.code)
            asyncio.get_running_loop().call_soon(done, None)

    def _finish(self, recording: _Recording, words: str | None) -> None:
        recording.on_words(words)
        self._current = None
        if self._waiting:
            self._begin_next()
        else:
            self._on_idle()


class _Dictation:
    """One recording on its way to the recogniser, piece by piece."""

    def __init__(self, recording: _Recording, provider: str, done: Callable[[str | None], None]) -> None:
        """``done`` is told the words; more than once is the caller's to ignore."""
        self._audio = recording.audio
        self._format = recording.format
        self._provider = provider
        self._done: Callable[[str | None], None] | None = done
        self._at = 0
        self._stream: SpeechToTextStream | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, stt: SpeechToText, kind: AudioFormat) -> None:
        """Raises ProviderError."""
        self._convert = converter(self._format, kind) if kind != self._format else bytes
        self._stream = stt.open(kind, ExpectedAnswers(), self._told)
        self._stream.begin(_UTTERANCE)
        self._feed()

    def close(self) -> None:
        self._done = None
        if self._timer is not None:
            self._timer.cancel()
        if self._stream is not None:
            self._stream.close()

    def _feed(self) -> None:
        stream, loop = self._stream, asyncio.get_running_loop()
        if stream is None or self._done is None:
            return
        size = self._format.bytes_for_ms(PIECE_MS)
        piece = self._audio[self._at : self._at + size]
        self._at += len(piece)
        whole = len(piece) - len(piece) % self._format.bytes_per_sample
        stream.push(self._convert(piece[:whole]))
        if self._at < len(self._audio):
            self._timer = loop.call_later(PIECE_EVERY_S, self._feed)
            return
        self._timer = loop.call_later(PATIENCE_S, self._give_up)
        stream.finish(_UTTERANCE)

    def _told(self, event: TranscriptionEvent) -> None:
        if self._done is None or (isinstance(event, Transcribed) and not event.final):
            return
        self._done(event.text if isinstance(event, Transcribed) else None)

    def _give_up(self) -> None:
        log.warning("spoken_item_failed", provider=self._provider, code="timeout")
        if self._done is not None:
            self._done(None)


def _kind_for(stt: SpeechToText) -> AudioFormat | None:
    """The linear format it is given."""
    linear = (kind for kind in stt.formats if kind.encoding is Encoding.PCM16)
    return PCM if PCM in stt.formats else next(linear, None)
