"""Streaming sample-rate conversion by a rational factor: a short polyphase windowed-sinc filter.

Telephone turns are won in milliseconds, so the filter is kept short: it holds back 2.9 ms where the lower of the two
rates is 8 kHz, 1.4 ms at 16 kHz. It is flat (±0.5 dB) up to 0.425 of the lower rate (3.4 kHz at 8 kHz) and rejects
aliases and images by more than 50 dB from half the lower rate on.

How the input was cut into chunks cannot be heard: the output is bit for bit the same. Inputs and coefficients lie on fixed
binary grids so coarse that float64 adds their products without any rounding, in whatever order BLAS likes to add them.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import ConfigurationError

Sample = TypeVar("Sample", np.int16, np.float32)

MAX_FACTOR = 640
"""Largest up or down factor, in lowest terms: 11.025 kHz to 16 kHz is 640/441, the worst pair in use."""

_HALF_WIDTH = 23  # half the filter's length, in sample periods of the lower rate
_CUTOFF = 0.4625  # of the lower rate: in the middle between the pass band's edge (0.425) and the stop band's (0.5)
_STOP_BAND_DB = 57.0  # what Kaiser's formula promises for this length and this transition
_COEFFICIENT_GRID = 2.0**20
_SAMPLE_GRID = 2.0**24  # 24-bit audio; int16 lies on it anyway
# 27 bits of sample (up to ±8.0), 20 of coefficient and at most 3 of headroom for the sum stay under float64's 53.
_STRIDE = 65_536
"""Samples of a recording that are converted at a time: each needs up to 47 times its room meanwhile."""
_BLOCK_INPUT_SAMPLES = 32  # inputs a row of the matrix product covers, at least: fewer rows, some idle multiplications


class _Kernel(NamedTuple):
    """One pair of rates, ready to multiply. A block is ``inputs`` new samples in, ``outputs`` samples out."""

    inputs: int
    outputs: int
    history: int
    """Input samples before a block that its outputs still need."""
    delay: int
    """Group delay in output samples: a whole number by design."""
    matrix: NDArray[np.float64]
    """Shape (history + inputs, outputs)."""


def _reduce(from_hz: int, to_hz: int) -> tuple[int, int]:
    """Up and down factors in lowest terms. Raises ConfigurationError."""
    if from_hz <= 0 or to_hz <= 0:
        raise ConfigurationError("rate_hz", "sample rates must be positive")
    common = gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    if max(up, down) > MAX_FACTOR:
        raise ConfigurationError(
            "rate_hz", f"{from_hz} to {to_hz} Hz needs the factor {up}/{down}; at most {MAX_FACTOR} is supported"
        )
    return up, down


def _prototype(up: int, down: int) -> tuple[NDArray[np.float64], int]:
    """The low-pass at ``up`` times the input rate, and its delay in output samples.

    Each of the ``up`` phases sums to one, so that a constant input gives a constant output.
    """
    period = max(up, down)  # of the lower rate
    delay = _HALF_WIDTH * period // down
    half = delay * down
    time = np.arange(-half, half + 1) / period
    beta = 0.1102 * (_STOP_BAND_DB - 8.7)  # Kaiser's formula for more than 50 dB
    taps = 2 * _CUTOFF * np.sinc(2 * _CUTOFF * time) * np.kaiser(2 * half + 1, beta)
    for phase in range(up):
        taps[phase::up] /= taps[phase::up].sum()
    return np.rint(taps * _COEFFICIENT_GRID) / _COEFFICIENT_GRID, delay


@lru_cache(maxsize=16)
def _kernel(up: int, down: int) -> _Kernel:
    taps, delay = _prototype(up, down)
    repeat = -(-_BLOCK_INPUT_SAMPLES // down)
    inputs, outputs = repeat * down, repeat * up
    history = (taps.size - 1) // up
    # Output r of a block lies at time r·down, input w of the window at (w − history)·up, both in steps of the upsampled rate.
    tap = np.arange(outputs) * down - (np.arange(history + inputs)[:, None] - history) * up
    inside = (tap >= 0) & (tap < taps.size)
    matrix = np.where(inside, taps[np.where(inside, tap, 0)], 0.0)
    return _Kernel(inputs, outputs, history, delay, matrix)


class Resampler:
    """One stream, one direction. Output comes as soon as its inputs are there; equal rates pass through untouched.

    Takes int16 or float32 (finite, within ±8.0) and gives back the same; int16 saturates.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Raises ConfigurationError for rates that are not positive or whose ratio is too odd (``MAX_FACTOR``)."""
        self._up, self._down = _reduce(from_hz, to_hz)
        self._kernel = _kernel(self._up, self._down)
        self._dtype: type[np.int16] | type[np.float32] = np.int16
        self._delay = 0 if self._up == self._down else self._kernel.delay
        self.delay_ms = self._delay * 1000 / to_hz
        """How much later than its input a sound appears in the output."""
        self.reset()

    def reset(self) -> None:
        """Forget the stream, as if new."""
        self._pending = np.zeros(self._kernel.history)  # the running block's inputs so far, after its history
        self._given = 0  # outputs of the running block given out already
        self._total_in = 0
        self._total_out = 0

    def process(self, chunk: NDArray[Sample]) -> NDArray[Sample]:
        """The next samples of the stream, any number of them. Of n inputs in all, ceil(n · to / from) outputs have been given."""
        self._dtype = chunk.dtype.type
        if self._up == self._down:
            return chunk
        if chunk.dtype == np.int16:
            exact = chunk.astype(np.float64) / 32768.0
        else:
            exact = np.rint(chunk.astype(np.float64) * _SAMPLE_GRID) / _SAMPLE_GRID
        return self._narrow(self._advance(exact), chunk.dtype.type)

    def flush(self) -> NDArray[Any]:
        """What the filter still holds, of the last chunk's type; then the resampler is as new.

        With it the whole output is the group delay (``delay_ms``) and round(n · to / from) samples long.
        """
        if self._total_in == 0:
            return np.empty(0, dtype=self._dtype)
        length = self._delay + round(self._total_in * self._up / self._down)
        wanted = length - self._total_out
        tail = self._advance(np.zeros(-(-wanted * self._down // self._up) + 1))[:wanted]
        self.reset()
        return self._narrow(tail, self._dtype)

    def _advance(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        kernel = self._kernel
        pending = np.concatenate((self._pending, samples))
        inputs = pending.size - kernel.history
        ready = -(-inputs * self._up // self._down)  # an output needs the inputs up to its own instant, no later ones
        blocks = -(-ready // kernel.outputs)
        # Outputs past ``ready`` see zeros for inputs to come; they are made again when those are there.
        padded = np.zeros(kernel.history + max(blocks * kernel.inputs, inputs))
        padded[: pending.size] = pending
        step = padded.itemsize
        windows = np.ndarray((blocks, kernel.matrix.shape[0]), np.float64, padded, strides=(kernel.inputs * step, step))
        made = (windows.copy() @ kernel.matrix).reshape(-1)[self._given : ready]
        finished = min(ready // kernel.outputs, inputs // kernel.inputs)
        self._pending = pending[finished * kernel.inputs :]
        self._given = ready - finished * kernel.outputs
        self._total_in += samples.size
        self._total_out += made.size
        return made

    @staticmethod
    def _narrow(samples: NDArray[np.float64], dtype: Any) -> NDArray[Any]:
        if dtype == np.float32:
            return samples.astype(np.float32)
        # Not pcm.from_float: what it does about NaN costs a third of a frame's time, and a sum of finite products is finite.
        return np.maximum(np.minimum(np.rint(samples * 32768.0), 32767.0), -32768.0).astype(np.int16)


def resample(samples: NDArray[Sample], from_hz: int, to_hz: int) -> NDArray[Sample]:
    """A whole recording at another rate, without delay: round(n · to / from) samples. Raises ConfigurationError."""
    resampler = Resampler(from_hz, to_hz)
    if from_hz == to_hz:
        return samples
    pieces: list[NDArray[Any]] = [
        resampler.process(samples[at : at + _STRIDE]) for at in range(0, len(samples), _STRIDE)
    ]
    whole: NDArray[Sample] = np.concatenate((*pieces, resampler.flush()))
    return whole[round(resampler.delay_ms * to_hz / 1000) :]
