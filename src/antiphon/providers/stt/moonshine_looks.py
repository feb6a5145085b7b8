"""A short utterance is heard several times, cut and levelled in other ways. Pure.

Of half a second of speech the model hears the one or the other word by where it was cut and how loud it is: "Yes." once, "Made it."
and "Native." the other times, for a "new". What it hears each time was said; what it hears once is a guess. A longer utterance
carries more, and would cost more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.providers.stt.heard import RATE_HZ
from antiphon.providers.stt.rejection import FRAME_SAMPLES
from antiphon.providers.stt.sound import loud_frames

SHORT_MS = 1_200
"""From the first loud frame to the last. Longer ones are heard once."""
_CLOSE_MS, _LEVEL_DBFS = 100, -20.0
_WIDE_MS, _SILENCE_MS = 200, 300
_PEAK = 0.99

Floats = NDArray[np.float32]


def other_looks(samples: Floats) -> tuple[Floats, ...]:
    """For a short utterance (16 kHz, −1…1, shape (n,)) two others of the same speech: cut closely and brought to one level, and with
    digital silence behind. None for one that is long, or silent."""
    whole = samples.size // FRAME_SAMPLES * FRAME_SAMPLES
    levels = np.sqrt((samples[:whole].reshape(-1, FRAME_SAMPLES) ** 2).mean(axis=1))
    loud = np.flatnonzero(loud_frames(levels, least=1 / 32768))
    if not loud.size:
        return ()
    start, end = int(loud[0]) * FRAME_SAMPLES, (int(loud[-1]) + 1) * FRAME_SAMPLES
    if end - start > _samples(SHORT_MS):
        return ()
    level = float(np.sqrt((samples[start:end] ** 2).mean()))
    close = _around(samples, start, end, _CLOSE_MS) * np.float32(10 ** (_LEVEL_DBFS / 20) / level)
    peak = float(np.abs(close).max())
    levelled = (close * np.float32(min(1.0, _PEAK / peak))).astype(np.float32)
    silence = np.zeros(_samples(_SILENCE_MS), dtype=np.float32)
    return levelled, np.concatenate((_around(samples, start, end, _WIDE_MS), silence))


def _around(samples: Floats, start: int, end: int, ms: int) -> Floats:
    return samples[max(0, start - _samples(ms)) : end + _samples(ms)]


def _samples(ms: int) -> int:
    return ms * RATE_HZ // 1000
