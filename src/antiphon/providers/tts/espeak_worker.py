"""espeak-ng, in its worker process. Frames in: ``speak``, ``close``; out: ``begun``, ``audio`` (with the words that start in it) and
``done``.

Synthesis takes 3–4 ms a second of speech, so speeches are made one after the other; between pieces the process looks
whether the one at work has been cancelled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec, pcm
from antiphon.audio.limiter import limited
from antiphon.audio.resample import Resampler
from antiphon.providers.espeak_library import EspeakLibrary, EventKind, SynthesisEvent
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import Encoding

if TYPE_CHECKING:
    from antiphon.providers.worker_process import Link

NORMAL_WORDS_PER_MINUTE = 175
SLOWEST_WORDS_PER_MINUTE = 80
FASTEST_WORDS_PER_MINUTE = 450
GAIN = 1.3
"""From the library's −21.5 dBFS RMS to about −19 (telephony: −18…−20)."""

LONGEST_WORD_S = 3
"""Of one that is longer (a row of signs without a blank, each read by its name), no more is held back."""

_WORD = re.compile(r"\S+(?:\s+[^\w\s]+(?=\s|$))*")
"""What stands between blanks, with the dashes and other signs after it that nobody pronounces."""


@dataclass(slots=True)
class _Span:
    """A stretch of speech that began with a word; it may turn out to hold several."""

    first_token: int
    start_sample: int
    end_sample: int | None = None
    """Known early only where a pause follows."""


class SpeechShaper:
    """One speech: native samples in; out, pieces in the format asked for, each with the words that start in it.

    Audio is held back from the start of the word being spoken on, because a word's end is known only when the next one starts; but not
    for longer than ``LONGEST_WORD_S``.
    """

    def __init__(self, text: str, native_hz: int, encoding: Encoding, rate_hz: int) -> None:
        self._tokens = [(match.start(), match.group()) for match in _WORD.finditer(text)]
        self._span: _Span | None = None
        self._told = -1
        """The last token that was given a time."""
        self._native_hz = native_hz
        self._encoding = encoding
        self._resampler = Resampler(native_hz, rate_hz)
        # The filter's delay is cut off the front, so that words lie where the library says.
        self._skip = round(self._resampler.delay_ms * rate_hz / 1000)
        self._pending = np.empty(0, dtype=np.int16)
        self._given_samples = 0  # native
        self._words: list[list[Any]] = []

    def add(self, audio: NDArray[np.int16], events: list[SynthesisEvent]) -> None:
        self._pending = np.concatenate((self._pending, audio))
        for event in events:
            if event.kind == EventKind.WORD:
                self._start_word(event)
            elif event.kind == EventKind.END and self._span is not None and self._span.end_sample is None:
                self._span.end_sample = event.sample
        end = self._given_samples + self._pending.size
        if self._span is not None and end - self._span.start_sample > LONGEST_WORD_S * self._native_hz:
            self._close_span(self._span.first_token + 1, end)

    def take(self) -> tuple[bytes, list[list[Any]]]:
        """What can be given out now: audio, and ``[text, start_ms, end_ms]`` of its words. Often nothing."""
        end = self._given_samples + self._pending.size
        if self._span is not None:
            end = min(end, self._span.start_sample)
        count = max(0, end - self._given_samples)
        ready, self._pending = self._pending[:count], self._pending[count:]
        self._given_samples += count
        return self._shape(self._resampler.process(ready))

    def finish(self) -> tuple[bytes, list[list[Any]]]:
        """The rest."""
        self._close_span(len(self._tokens), self._given_samples + self._pending.size)
        audio, words = self.take()
        tail, _ = self._shape(self._resampler.flush())
        return audio + tail, words

    def _start_word(self, event: SynthesisEvent) -> None:
        """The engine cuts finer than the text ("42" is three events, "isn't" two) and coarser ("of the" is one)."""
        token = sum(start <= event.text_position for start, _ in self._tokens) - 1
        if token <= self._told or (self._span is not None and token <= self._span.first_token):
            return
        self._close_span(token, event.sample)
        self._span = _Span(token, event.sample)

    def _close_span(self, next_token: int, next_sample: int) -> None:
        """Share the span's time among its words by their letters."""
        span, self._span = self._span, None
        if span is None:
            return
        texts = [text for _, text in self._tokens[span.first_token : next_token]]
        self._told = span.first_token + len(texts) - 1
        letters = list(accumulate(map(len, texts), initial=0))
        end_sample = next_sample if span.end_sample is None else span.end_sample
        for text, before, after in zip(texts, letters, letters[1:], strict=False):
            bounds = (
                span.start_sample + (end_sample - span.start_sample) * part // letters[-1] for part in (before, after)
            )
            self._words.append([text, *map(self._ms, bounds)])

    def _ms(self, sample: int) -> int:
        return sample * 1000 // self._native_hz

    def _shape(self, samples: NDArray[np.int16]) -> tuple[bytes, list[list[Any]]]:
        skipped = min(self._skip, samples.size)
        self._skip -= skipped
        words, self._words = self._words, []
        return codec.encode(_limited(samples[skipped:]), self._encoding), words


class EspeakEngine:
    """The ``Engine`` of this process."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._library = EspeakLibrary()
        self._default_voice: str = options["voice"]
        self._library.set_voice(self._default_voice)

    def warm(self) -> None:
        """The first speech loads dictionaries; nobody should wait for that."""
        self._library.synthesise("ready", lambda _audio, _events: True)

    def handle(self, frame: Frame, link: Link) -> None:
        if frame.kind != "speak":
            return  # ``close`` of a speech that is done
        link.send(Frame(frame.stream, "begun"))  # should the library kill this process, it is known by whose text
        fields = frame.fields
        text = fields["text"]
        self._library.set_voice(fields["voice"] or self._default_voice)
        self._library.set_words_per_minute(_words_per_minute(fields["speed"]))
        shaper = SpeechShaper(text, self._library.rate_hz, Encoding(fields["encoding"]), fields["rate_hz"])
        cancelled = False

        def deliver(audio: NDArray[np.int16], events: list[SynthesisEvent]) -> bool:
            nonlocal cancelled
            shaper.add(audio, events)
            _send(frame.stream, shaper.take(), link)
            link.sign_of_life()  # a foreign letter is a word of three seconds
            cancelled = link.closing(frame.stream)
            return not cancelled

        self._library.synthesise(text, deliver)
        if not cancelled:
            _send(frame.stream, shaper.finish(), link)
            link.send(Frame(frame.stream, "done"))


def _send(stream: int, piece: tuple[bytes, list[list[Any]]], link: Link) -> None:
    audio, words = piece
    if audio or words:
        link.send(Frame(stream, "audio", {"words": words}, audio))


def _words_per_minute(speed: float) -> int:
    wanted = round(NORMAL_WORDS_PER_MINUTE * speed)
    return min(max(wanted, SLOWEST_WORDS_PER_MINUTE), FASTEST_WORDS_PER_MINUTE)


def _limited(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    return limited(pcm.to_float(samples), GAIN)
