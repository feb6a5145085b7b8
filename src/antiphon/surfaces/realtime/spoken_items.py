"""Messages that a client creates as audio: a recording is written down by the session's recogniser before a model can read it.

What is asked of the model meanwhile waits, so that it is answered with the words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from antiphon.audio import codec
from antiphon.audio.resample import resample
from antiphon.errors import ProviderError
from antiphon.providers.base import (
    ExpectedAnswers,
    SpeechToText,
    SpeechToTextStream,
    Transcribed,
    TranscriptionEvent,
)
from antiphon.surfaces.realtime.protocol.audio_config import PCM
from antiphon.vocabulary import AudioFormat, Encoding

PATIENCE_S = 15.0
"""A recogniser that has not said its last word by then has failed."""
MOST = 8
"""At once, in one session."""
_UTTERANCE = 1
log = structlog.get_logger(__name__)

OnWords = Callable[[str | None], None]
"""Told the words, or None where there will be none."""


class SpokenItems:
    """Of one session."""

    def __init__(self, stt: Callable[[], SpeechToText], on_idle: Callable[[], None]) -> None:
        """``on_idle`` is told when the last of them has been written down."""
        self._stt = stt
        self._on_idle = on_idle
        self._open: dict[int, tuple[SpeechToTextStream, asyncio.TimerHandle]] = {}
        self._serial = 0

    @property
    def busy(self) -> bool:
        """Whether something is being written down."""
        return bool(self._open)

    @property
    def full(self) -> bool:
        return len(self._open) >= MOST

    def write_down(self, audio: bytes, on_words: OnWords) -> None:
        """``audio`` is PCM at 24 kHz. ``on_words`` is told once, later. Raises ProviderError."""
        stt = self._stt()
        self._serial += 1
        number = self._serial

        def told(event: TranscriptionEvent) -> None:
            if isinstance(event, Transcribed) and not event.final:
                return
            self._finish(number, event.text if isinstance(event, Transcribed) else None, on_words)

        kind = (
            PCM if PCM in stt.formats else next((each for each in stt.formats if each.encoding is Encoding.PCM16), None)
        )
        if kind is None:
            raise ProviderError(stt.name, "takes no linear audio")
        stream = stt.open(kind, ExpectedAnswers(), told)
        timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._give_up, number, stt.name, on_words)
        self._open[number] = (stream, timer)
        stream.begin(_UTTERANCE)
        stream.push(_as(kind, audio))
        stream.finish(_UTTERANCE)

    def close(self) -> None:
        """Nothing is told any more."""
        for stream, timer in self._open.values():
            timer.cancel()
            stream.close()
        self._open.clear()

    def _give_up(self, number: int, provider: str, on_words: OnWords) -> None:
        log.warning("spoken_item_failed", provider=provider, code="timeout")
        self._finish(number, None, on_words)

    def _finish(self, number: int, words: str | None, on_words: OnWords) -> None:
        if number not in self._open:
            return
        stream, timer = self._open.pop(number)
        timer.cancel()
        stream.close()
        on_words(words)
        if not self._open:
            self._on_idle()


def _as(kind: AudioFormat, audio: bytes) -> bytes:
    if kind == PCM:
        return audio
    samples = resample(codec.decode(audio, Encoding.PCM16), PCM.rate_hz, kind.rate_hz)
    return codec.encode(samples, kind.encoding)
