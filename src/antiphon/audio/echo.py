"""Is this sound our own voice coming back?

Lines and loudspeakers return what we play 100–700 ms later, 15–45 dB softer. A short piece of what we hear is compared with
everything we played lately. Two voices in conversation resemble each other (pitch against pitch gives plain correlations of
0.7), so two measures must agree at one lag: the correlation of the signals, and that of the signals whitened by the inbound
piece's own linear predictor, which takes pitch colour and vowels out and leaves what only a copy shares. Their product is the score.

Whoever speaks over an echo makes both measures fall: at 20 dB above it the score is under 0.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import pcm

MIN_INBOUND_SAMPLES = 256
"""32 ms at 8 kHz: with less, chance resembles an echo too often."""
MIN_SCORE = 0.22
"""Least product of the two correlations, where a full search has 64 ms or more to go by."""
MAX_RELATIVE_LEVEL_DB = -8.0
"""What comes in louder than this, against what we played, is not (only) our echo."""
NEARBY_SCORE_FACTOR = 0.6
"""Near a lag that was right before there are few lags to be wrong at, so less proof is needed."""
NEARBY_SAMPLES = 80
"""10 ms at 8 kHz: how far an echo's lag may wander between two sounds."""

_PREDICTOR_ORDER = 10
_LAGS = np.abs(np.subtract.outer(np.arange(_PREDICTOR_ORDER), np.arange(_PREDICTOR_ORDER)))
_BLOCK = MIN_INBOUND_SAMPLES // 2
_SILENT_POWER = 1e-9  # −90 dBFS: under a 16-bit sample's rounding


@dataclass(frozen=True, slots=True)
class EchoMatch:
    """Where, how surely and how loudly our voice came back."""

    lag_samples: int
    """How long before the newest played sample the newest inbound sample was played."""
    correlation: float
    """Plain normalised correlation at that lag, 0…1. (A line may turn the sign; that is still an echo.)"""
    gain_db: float
    """What the line did to our voice: the least-squares gain from what was played at that lag to what came in."""


def find_echo(
    inbound: NDArray[np.float32], played: NDArray[np.float32], min_score: float | None = None
) -> EchoMatch | None:
    """Where in ``played`` the sound ``inbound`` was made by us, or None.

    ``inbound``, shape (n,), n ≥ ``MIN_INBOUND_SAMPLES``, is the newest piece heard, 32…160 ms; ``played``, shape (m,), what we
    played until the same instant: to find a lag of 700 ms it must be 700 ms longer than ``inbound``. Both mono, 8 kHz, −1…1.
    ``min_score`` overrides ``MIN_SCORE``, which is raised for pieces under 64 ms.
    """
    count = inbound.size
    heard, voice = inbound.astype(np.float64), played.astype(np.float64)
    if count < MIN_INBOUND_SAMPLES or voice.size < count or _power(heard) < _SILENT_POWER:
        return None
    # By chance, correlations shrink with the square root of what is compared.
    needed = max(MIN_SCORE, MIN_SCORE * math.sqrt(512 / count)) if min_score is None else min_score
    whitener = _whitener(heard)
    likest = _likest(np.convolve(heard, whitener)[:count], np.convolve(voice, whitener)[: voice.size], needed)
    if likest is None:
        return None
    start, likeness = likest
    ours = voice[start : start + count]
    if _power(ours) < _SILENT_POWER:
        return None
    correlation = abs(float(heard @ ours)) / math.sqrt((heard @ heard) * (ours @ ours))
    relative_level_db = pcm.amplitude_to_db(math.sqrt(_power(heard) / _power(ours)))
    if likeness * correlation < needed or relative_level_db > MAX_RELATIVE_LEVEL_DB:
        return None
    return EchoMatch(voice.size - count - start, correlation, relative_level_db + pcm.amplitude_to_db(correlation))


class EchoPath:
    """One call's echo. Remembers the last lag, which a line keeps, and looks there first."""

    def __init__(self) -> None:
        self.lag_samples: int | None = None
        """Lag of the last match; None before the first."""

    def match(self, inbound: NDArray[np.float32], played: NDArray[np.float32]) -> EchoMatch | None:
        """As ``find_echo``, cheaper and surer once the lag is known."""
        found = self._match_nearby(inbound, played) or find_echo(inbound, played)
        if found is not None:
            self.lag_samples = found.lag_samples
        return found

    def _match_nearby(self, inbound: NDArray[np.float32], played: NDArray[np.float32]) -> EchoMatch | None:
        if self.lag_samples is None:
            return None
        shortest = max(0, self.lag_samples - NEARBY_SAMPLES)
        oldest = max(0, played.size - inbound.size - self.lag_samples - NEARBY_SAMPLES)
        found = find_echo(inbound, played[oldest : played.size - shortest], MIN_SCORE * NEARBY_SCORE_FACTOR)
        return found and replace(found, lag_samples=found.lag_samples + shortest)


def _power(samples: NDArray[np.float64]) -> float:
    return float(samples @ samples) / samples.size


def _whitener(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The prediction-error filter of ``samples`` (linear prediction, autocorrelation method), shape (order + 1,)."""
    faded = samples * _fade(samples.size)
    similarity = np.correlate(np.concatenate((faded, np.zeros(_PREDICTOR_ORDER))), faded)
    similarity[0] = similarity[0] * 1.001 + 1e-12  # keeps a pure tone's equations solvable
    predictor = np.linalg.solve(similarity[_LAGS], similarity[1:])
    return np.concatenate(([1.0], -predictor))


@lru_cache(maxsize=8)
def _fade(size: int) -> NDArray[np.float64]:
    return np.hanning(size)


def _likest(piece: NDArray[np.float64], whole: NDArray[np.float64], least: float) -> tuple[int, float] | None:
    """Where in ``whole`` the like of ``piece`` begins, and their normalised correlation (without sign) there; None where it is surely
    under ``least``."""
    starts = whole.size - piece.size + 1
    # Circular correlation is enough: only starts at which the piece lies wholly inside are read.
    sides = np.zeros((2, 1 << (whole.size - 1).bit_length()))
    sides[0, : piece.size], sides[1, : whole.size] = piece, whole
    spectrum = np.fft.rfft(sides)
    products = np.abs(np.fft.irfft(np.conj(spectrum[0]) * spectrum[1], sides.shape[1])[:starts])
    # Where we were silent rounding errors would be divided by rounding errors.
    silent, energy = _SILENT_POWER * piece.size, piece @ piece
    # Most pieces are like nothing we said. That is known without the energy at every start.
    peaks, energies = _by_blocks(products, whole, piece.size)
    if (peaks / np.sqrt(np.maximum(energies, silent) * energy)).max() < least:
        return None
    energy_before = np.concatenate(([0.0], np.cumsum(whole * whole)))
    energies = energy_before[piece.size :] - energy_before[: -piece.size]
    likeness = products / np.sqrt(np.maximum(energies, silent) * energy)
    start = int(np.argmax(likeness))
    return start, float(likeness[start])


def _by_blocks(
    products: NDArray[np.float64], whole: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For the starts in each block: the largest product, and less energy than any of ``count`` samples from there have."""
    blocks = whole[: whole.size - whole.size % _BLOCK].reshape(-1, _BLOCK)
    energy_before = np.concatenate(([0.0], np.cumsum(np.einsum("bs,bs->b", blocks, blocks))))
    firsts = np.arange(0, products.size, _BLOCK)
    inside = count // _BLOCK - 1  # whole blocks, wherever in its block the piece begins
    energies = energy_before[1 + inside : 1 + inside + firsts.size] - energy_before[1 : 1 + firsts.size]
    return np.maximum.reduceat(products, firsts), energies
