"""espeak-ng, in its worker process. Frames in: ``speak``, ``close``; out: ``audio`` (with the words that start in it) and ``done``.

Synthesis takes about 2 ms a second of speech, so speeches are made one after the other; between pieces the process looks
whether the one at work has been cancelled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
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
KNEE = 0.5
CEILING = 0.7
"""Peaks between the knee and full scale are bent to stay under −3 dBFS (0.708)."""

_WORD = re.compile(r"\S+")


@dataclass(slots=True)
class _OpenWord:
    text: str
    start_sample: int


class SpeechShaper:
    """One speech: native samples in; out, pieces in the format asked for, each with the words that start in it.

    Audio is held back up to the start of the word being spoken, because a word's end is known only when the next one starts.
    """

    def __init__(self, text: str, native_hz: int, encoding: Encoding, rate_hz: int) -> None:
        self._tokens = [(match.start(), match.group()) for match in _WORD.finditer(text)]
        self._spoken_tokens = 0
        self._native_hz = native_hz
        self._encoding = encoding
        self._resampler = Resampler(native_hz, rate_hz)
        # The filter's delay is cut off the front, so that words lie where the library says.
        self._skip = round(self._resampler.delay_ms * rate_hz / 1000)
        self._pending = np.empty(0, dtype=np.int16)
        self._given_samples = 0  # native
        self._open: _OpenWord | None = None
        self._words: list[list[Any]] = []

    def add(self, audio: NDArray[np.int16], events: list[SynthesisEvent]) -> None:
        self._pending = np.concatenate((self._pending, audio))
        for event in events:
            if event.kind == EventKind.WORD:
                self._start_word(event)
            elif event.kind == EventKind.END:
                self._end_word(event.sample)

    def take(self) -> tuple[bytes, list[list[Any]]]:
        """What can be given out now: audio, and ``[text, start_ms, end_ms]`` of its words. Often nothing."""
        end = self._given_samples + self._pending.size
        if self._open is not None:
            end = min(end, self._open.start_sample)
        count = max(0, end - self._given_samples)
        ready, self._pending = self._pending[:count], self._pending[count:]
        self._given_samples += count
        return self._shape(self._resampler.process(ready))

    def finish(self) -> tuple[bytes, list[list[Any]]]:
        """The rest."""
        self._end_word(self._given_samples + self._pending.size)
        audio, words = self.take()
        tail, _ = self._shape(self._resampler.flush())
        return audio + tail, words

    def _start_word(self, event: SynthesisEvent) -> None:
        """The library cuts finer than text does ("42" is three events, "isn't" two): a word here is what stands between blanks."""
        token = self._spoken_tokens
        while token < len(self._tokens) and self._tokens[token][0] <= event.text_position:
            token += 1
        if token == self._spoken_tokens:
            return  # still inside the word that is open
        self._end_word(event.sample)
        self._spoken_tokens = token
        self._open = _OpenWord(self._tokens[token - 1][1], event.sample)

    def _end_word(self, sample: int) -> None:
        if self._open is not None:
            word, self._open = self._open, None
            self._words.append([word.text, self._ms(word.start_sample), self._ms(sample)])

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
    """Louder, and never over the ceiling: above the knee the curve flattens instead of clipping."""
    loud = samples.astype(np.float32) * np.float32(GAIN / 32768.0)
    room = CEILING - KNEE
    over = np.maximum(np.abs(loud) - KNEE, 0.0)
    shaped = np.clip(loud, -KNEE, KNEE) + np.sign(loud) * room * np.tanh(over / room)
    limited: NDArray[np.int16] = np.rint(shaped * 32768.0).astype(np.int16)
    return limited
