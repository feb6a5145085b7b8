"""Speech that a fake vendor can read: every word of ``WORDS`` is a level of its own, held for a while, between silences.

What was said follows from the audio alone, so a lost frame is a lost word and audio sent twice is a word heard twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.vocabulary import AudioFormat, Encoding

WORDS = ("i", "want", "a", "table", "for", "two", "on", "friday", "evening", "please", "thank", "you", "yes", "no")
WORD_MS = 160
GAP_MS = 60
_LEAST_MS = 50
"""A shorter level is no word: the piece of one at a cut."""
_LOWEST, _STEP = 2000, 1700
"""Levels of the words, in 16-bit samples: µ-law's coarsest step (1,024) still tells them apart."""
_QUIET = 800


def say(text: str, audio: AudioFormat, *, gap_ms: int = GAP_MS) -> bytes:
    """Words of ``WORDS`` as audio, each followed by a silence."""
    pieces = []
    for word in text.split():
        level = _LOWEST + _STEP * WORDS.index(word)
        pieces += [np.full(_samples(audio, WORD_MS), level, np.int16), np.zeros(_samples(audio, gap_ms), np.int16)]
    return _encoded(np.concatenate(pieces), audio)


def silence(duration_ms: int, audio: AudioFormat) -> bytes:
    return _encoded(np.zeros(_samples(audio, duration_ms), np.int16), audio)


@dataclass(frozen=True, slots=True)
class Heard:
    word: str
    start_ms: float
    end_ms: float


def recognise(data: bytes, audio: AudioFormat) -> list[Heard]:
    """The words in audio, timed from its beginning. A word that still goes on is among them."""
    usable = len(data) - len(data) % audio.bytes_per_sample
    samples = codec.decode_to_float(data[:usable], audio.encoding) * 32768
    if not len(samples):
        return []
    numbers = np.rint((samples - _LOWEST) / _STEP).astype(int)
    numbers[(samples < _QUIET) | (numbers < 0) | (numbers >= len(WORDS))] = -1
    edges = np.flatnonzero(np.diff(numbers)) + 1
    heard = []
    for start, end in zip([0, *edges], [*edges, len(numbers)], strict=True):
        start_ms, end_ms = start * 1000 / audio.rate_hz, end * 1000 / audio.rate_hz
        if numbers[start] >= 0 and end_ms - start_ms >= _LEAST_MS:
            heard.append(Heard(WORDS[numbers[start]], start_ms, end_ms))
    return heard


def _samples(audio: AudioFormat, duration_ms: int) -> int:
    return audio.rate_hz * duration_ms // 1000


def _encoded(samples: NDArray[np.int16], audio: AudioFormat) -> bytes:
    return codec.encode(samples, audio.encoding) if audio.encoding is not Encoding.PCM16 else samples.tobytes()
