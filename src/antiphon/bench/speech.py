"""What the callers of the benchmark say: recordings cut into turns that have no pause a server could take for the end.

Numpy in, numpy out. A turn must not hold a pause as long as the endpointing silence under test (200 ms): what a server says in
such a pause is an answer to half a turn, and measures the recording, not the server.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.wav import read_wav
from antiphon.caller.clips import RATE_HZ, Pcm, telephone_pcm
from antiphon.errors import ConfigurationError, MalformedMessage

WINDOW = RATE_HZ // 100
"""10 ms: the grain of a cut."""
QUIET_DB = 24.0
"""So far under the loud parts (their 95th percentile) a window counts as quiet."""
QUIET_DBFS = -50.0
"""Quieter than this nothing is loud."""
PAUSE_MS = 120
"""A longer quiet parts two turns: voice-activity models see pauses longer than they are."""
MARGIN_MS = 60
"""Quiet kept at both ends of a turn, so that no consonant is cut off."""
SHORTEST_MS, LONGEST_MS = 700, 4000
"""Shorter, a barge-in may be over before it can be confirmed; longer, a call has too few turns to count."""


def cut_turns(pcm: Pcm) -> list[Pcm]:
    """The turns in a recording (8 kHz mono, shape (n,)), in order; none where nothing in it is long enough."""
    quiet = _quiet_windows(pcm)
    borders = np.flatnonzero(np.diff(np.concatenate(([1], quiet.astype(np.int8), [1]))))
    loud_spans = [(int(start), int(end)) for start, end in borders.reshape(-1, 2)]
    if not loud_spans:
        return []
    pause_windows = PAUSE_MS // 10
    parts = [after[0] for before, after in pairwise(loud_spans) if after[0] - before[1] > pause_windows]
    ends = [before[1] for before, after in pairwise(loud_spans) if after[0] - before[1] > pause_windows]
    spans = zip([loud_spans[0][0], *parts], [*ends, loud_spans[-1][1]], strict=True)
    return [_with_margins(pcm, start, end) for start, end in spans if SHORTEST_MS <= (end - start) * 10 <= LONGEST_MS]


def recorded_turns(folder: Path) -> list[Pcm]:
    """All turns in the WAV files of ``folder``, by file name. Raises ConfigurationError where there are none."""
    turns: list[Pcm] = []
    for path in sorted(folder.glob("*.wav")):
        try:
            samples, rate_hz = read_wav(path)
        except (OSError, MalformedMessage) as error:
            raise ConfigurationError("speech", f"{path} cannot be read as a WAV file ({error})") from error
        turns += cut_turns(telephone_pcm(samples, rate_hz))
    if not turns:
        raise ConfigurationError("speech", f"{folder} has no WAV file with a turn of {SHORTEST_MS} to {LONGEST_MS} ms")
    return turns


def _quiet_windows(pcm: Pcm) -> NDArray[np.bool_]:
    windows = np.pad(pcm, (0, -len(pcm) % WINDOW)).reshape(-1, WINDOW).astype(np.float64)
    level_dbfs = 10 * np.log10(np.mean(windows**2, axis=1) + 1e-9) - 20 * np.log10(32768)
    quiet: NDArray[np.bool_] = level_dbfs < max(QUIET_DBFS, float(np.percentile(level_dbfs, 95)) - QUIET_DB)
    return quiet


def _with_margins(pcm: Pcm, start: int, end: int) -> Pcm:
    margin = MARGIN_MS * RATE_HZ // 1000
    turn = pcm[max(0, start * WINDOW - margin) : end * WINDOW + margin].astype(np.float64)
    # A cut in a hum is a click, which a voice-activity model hears.
    fade = np.linspace(0.0, 1.0, min(margin // 2, len(turn) // 2))
    turn[: len(fade)] *= fade
    turn[len(turn) - len(fade) :] *= fade[::-1]
    return np.rint(turn).astype(np.int16)
