"""Messages that a client creates as audio: a recording is written down by the session's recogniser before a model can read it.

What is asked of the model meanwhile waits, so that it is answered with the words. A session's recordings are written down one after
the other: the recogniser is shared with other sessions, and each has the same share of it, however many it sends.
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
    TranscriptionFailed,
)
from antiphon.session.listening import TRANSCRIPTION_FAILED
from antiphon.surfaces.realtime.kept import KeptBytes
from antiphon.surfaces.realtime.protocol.audio_config import PCM
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.vocabulary import AudioFormat, Encoding

PATIENCE_S = 15.0
"""A recogniser that has not said its last word so long after the recording could have been listened to has failed."""
MOST = 8
"""At once, in one session."""
MOST_BYTES = 16 * 1024 * 1024
"""Of recordings that wait; with so many, no more are taken. The last one may go beyond."""
_STRIDE_MS = 1000
"""A recording is converted in strides of this length, with other work of the event loop in between."""
_UTTERANCE = 1
log = structlog.get_logger(__name__)

OnWords = Callable[[str | None], None]
"""Told the words, or None where there will be none."""


@dataclass(eq=False, slots=True)
class _Recording:
    audio: bytes
    format: AudioFormat
    on_words: OnWords
    stream: SpeechToTextStream | None = None
    timer: asyncio.TimerHandle | None = None
    feeding: asyncio.Task[None] | None = None


class SpokenItems:
    """Of one session."""

    def __init__(
        self,
        stt: Callable[[], SpeechToText],
        on_idle: Callable[[], None],
        on_failure: Callable[[str, str], None] = lambda provider, code: None,
        kept: KeptBytes | None = None,
    ) -> None:
        """``on_idle`` is told when the last of them has been written down, ``on_failure`` the recogniser's name and a short label.
        ``kept`` counts those that wait."""
        self._stt = stt
        self._on_idle = on_idle
        self._on_failure = on_failure
        self._kept = kept if kept is not None else KeptBytes(0, "this conversation")
        self._waiting: deque[_Recording] = deque()
        self._current: _Recording | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being written down."""
        return self._current is not None

    @property
    def full(self) -> bool:
        held = len(self._waiting) + (self._current is not None)
        return held >= MOST or sum(len(each.audio) for each in self._waiting) >= MOST_BYTES

    def require_room(self, size: int) -> None:
        """For a recording of so many bytes. Raises ClientError."""
        if self.full:
            raise ClientError("rate_limit_exceeded", "Too many recordings wait to be written down.", "item")
        self._kept.require(size)

    def write_down(self, audio: bytes, on_words: OnWords, audio_format: AudioFormat = PCM) -> None:
        """``on_words`` is told once, later. Raises ProviderError where that cannot be, ClientError where too much is kept."""
        _kind_for(self._stt())
        self._kept.take(len(audio))
        self._waiting.append(_Recording(audio, audio_format, on_words))
        if self._current is None:
            self._begin_next()

    def close(self) -> None:
        """Nothing is told any more."""
        while self._waiting:
            self._kept.give_back(len(self._waiting.popleft().audio))
        if self._current is not None:
            recording, self._current = self._current, None
            _let_go(recording)

    def _begin_next(self) -> None:
        recording = self._current = self._waiting.popleft()
        self._kept.give_back(len(recording.audio))
        stt = self._stt()
        loop = asyncio.get_running_loop()

        def told(event: TranscriptionEvent) -> None:
            if isinstance(event, Transcribed):
                if event.final:
                    self._finish(recording, event.text)
            elif isinstance(event, TranscriptionFailed):
                self._fail(recording, stt.name, TRANSCRIPTION_FAILED)

        try:
            kind = _kind_for(stt)
            recording.stream = stt.open(kind, ExpectedAnswers(), told)
        except ProviderError as error:
            loop.call_soon(self._fail, recording, stt.name, error.code)
            return
        patience_s = PATIENCE_S + recording.format.ms_of(len(recording.audio)) / 1000
        recording.timer = loop.call_later(patience_s, self._fail, recording, stt.name, "provider_timeout")
        recording.stream.begin(_UTTERANCE)
        recording.feeding = loop.create_task(_feed(recording, recording.stream, kind), name="spoken-item")

    def _fail(self, recording: _Recording, provider: str, code: str) -> None:
        if recording is self._current:
            log.warning("spoken_item_failed", provider=provider, code=code)
            self._on_failure(provider, code)
            self._finish(recording, None)

    def _finish(self, recording: _Recording, words: str | None) -> None:
        if recording is not self._current:
            return
        self._current = None
        _let_go(recording)
        if self._waiting:
            self._begin_next()
        recording.on_words(words)
        if self._current is None:
            self._on_idle()


async def _feed(recording: _Recording, stream: SpeechToTextStream, kind: AudioFormat) -> None:
    source = recording.format
    whole = len(recording.audio) - len(recording.audio) % source.bytes_per_sample
    audio = recording.audio[:whole]
    convert = None if kind == source else converter(source, kind)
    stride = source.bytes_for_ms(_STRIDE_MS)
    for start in range(0, len(audio), stride):
        piece = audio[start : start + stride]
        stream.push(piece if convert is None else convert(piece))
        await asyncio.sleep(0)
    stream.finish(_UTTERANCE)


def _kind_for(stt: SpeechToText) -> AudioFormat:
    """Raises ProviderError."""
    if PCM in stt.formats:
        return PCM
    for kind in stt.formats:
        if kind.encoding is Encoding.PCM16:
            return kind
    raise ProviderError(stt.name, "takes no linear audio")


def _let_go(recording: _Recording) -> None:
    if recording.timer is not None:
        recording.timer.cancel()
    if recording.feeding is not None:
        recording.feeding.cancel()
    if recording.stream is not None:
        recording.stream.close()
