"""Was that one of the expected answers at all? A grammar always finds something; a cough is not a "no".

Three measures, each cheap, taken on 16 kHz audio in the decoder's own frames of 10 ms:

- *fit*: how far the words' sounds lie, per frame, under the best sound the model could have chosen (natural logarithm; 0 is
  perfect). Right answers lie at −1.5…−4, other people's words forced into the grammar at −4.5…−7.
- *voice*: every English word has a vowel, and a vowel has a pitch. Coughs, breath, clicks and line noise have none.
- *coverage*: how much of what was voiced the words account for; otherwise seven seconds of talk with a "yes"-like sound
  somewhere would be a "yes".

Measured on human speech (26 answers cut from the clips, 84 utterances of other words) and on 105 noises (bursts, cough-like
double bursts, hum, a tone), all over noise at −55 dBFS. As 8 kHz µ-law: 24 answers right, none wrong; 2 foreign utterances
and no noise but the tone (in 3 grammars) accepted. As 16 kHz PCM: 26 right, no foreign one, and the tone. A pure tone passes
because it has a pitch; it should not have passed the voice-activity model. Synthetic voices fit worse (espeak-ng's right
answers: −4.3…−6.5): a caller who is a robot needs a lower ``min_confidence``, and then only voice and coverage are left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16000
FRAME_MS = 10
FRAME_SAMPLES = 160
_WINDOW_SAMPLES = 512
_PITCH_LAGS = slice(RATE_HZ // 400, RATE_HZ // 70 + 1)
_VOICED_CORRELATION = 0.6
_AUDIBLE = 0.05
"""Of the loudest window so far: −26 dB. Quieter than that, noise may look periodic."""

MIN_VOICED_MS_PER_WORD = 50
MIN_COVERAGE = 0.6
FIT_OF_EVEN_ODDS = -4.4
"""The fit at which right and wrong answers are equally likely, seen on the clips above."""
_FIT_SLOPE = 1.5


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word of a hypothesis: first and last frame, and the sum of its frames' fits."""

    text: str
    first_frame: int
    last_frame: int
    total_fit: float

    @property
    def frames(self) -> int:
        return self.last_frame - self.first_frame + 1


def confidence(words: Sequence[HeardWord]) -> float:
    """0…1 from the mean fit of the words' frames; 0.5 where right and wrong are equally likely. 0 without words."""
    frames = sum(word.frames for word in words)
    if not frames:
        return 0.0
    fit = sum(word.total_fit for word in words) / frames
    # The logistic function, written so that no fit, however bad, overflows.
    return 0.5 + 0.5 * math.tanh(_FIT_SLOPE / 2 * (fit - FIT_OF_EVEN_ODDS))


class Voicing:
    """Which frames of one utterance are voiced, from the normalised autocorrelation of 32 ms windows."""

    def __init__(self) -> None:
        self._rest = np.empty(0, dtype=np.int16)
        self._correlation: list[NDArray[np.float32]] = []
        self._level: list[NDArray[np.float32]] = []

    def push(self, samples: NDArray[np.int16]) -> None:
        audio = np.concatenate((self._rest, samples))
        count = (audio.size - _WINDOW_SAMPLES) // FRAME_SAMPLES + 1
        if count <= 0:
            self._rest = audio
            return
        windows = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW_SAMPLES)[::FRAME_SAMPLES]
        correlation, level = _periodicity(windows[:count])
        self._correlation.append(correlation)
        self._level.append(level)
        self._rest = audio[count * FRAME_SAMPLES :]

    def frames(self) -> NDArray[np.bool_]:
        """Shape (frames heard so far,)."""
        if not self._level:
            return np.zeros(0, dtype=np.bool_)
        level = np.concatenate(self._level)
        voiced: NDArray[np.bool_] = (np.concatenate(self._correlation) > _VOICED_CORRELATION) & (
            level > _AUDIBLE * level.max()
        )
        return voiced


def has_voice(voiced: NDArray[np.bool_]) -> bool:
    """Whether somebody spoke at all."""
    return int(voiced.sum()) * FRAME_MS >= MIN_VOICED_MS_PER_WORD


def explains_the_voice(words: Sequence[HeardWord], voiced: NDArray[np.bool_]) -> bool:
    """Whether the words sit on voiced sound, and leave little of it unexplained. False without words."""
    inside = sum(int(voiced[word.first_frame : word.last_frame + 1].sum()) for word in words)
    enough = inside * FRAME_MS >= MIN_VOICED_MS_PER_WORD * max(1, len(words))
    return enough and inside >= MIN_COVERAGE * int(voiced.sum())


def _periodicity(windows: NDArray[np.int16]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """For each row, the highest autocorrelation at a voice's pitch (70–400 Hz), 0…1, and the level. Shapes (n,)."""
    centred = windows.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * _WINDOW_SAMPLES)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, :_WINDOW_SAMPLES]
    energy = np.maximum(correlation[:, :1], 1e-3)
    # A longer lag overlaps less of the window; without this a low voice would count less.
    overlap = 1.0 - np.arange(_WINDOW_SAMPLES) / _WINDOW_SAMPLES
    best = (correlation / (energy * overlap))[:, _PITCH_LAGS].max(axis=1)
    level = np.sqrt(energy[:, 0] / _WINDOW_SAMPLES)
    return best.astype(np.float32), level.astype(np.float32)
