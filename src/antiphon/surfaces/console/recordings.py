"""What is drawn of a recording. It blocks: call it from a thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from antiphon.audio.wav import read_wav

BUCKETS = 1200
MAX_BYTES = 256 << 20
"""A longer recording is played, and not drawn: four hours of a telephone call."""


def peaks(path: Path) -> dict[str, Any]:
    """The loudest sample of each stretch, 0…100: ``caller`` is the left side, ``agent`` the right. Raises OSError, MalformedMessage."""
    if path.stat().st_size > MAX_BYTES:
        return {"duration_ms": None, "caller": [], "agent": []}
    samples, rate_hz = read_wav(path)
    edges = np.unique(np.linspace(0, len(samples), BUCKETS + 1, dtype=int)[:-1])
    loudest = (
        np.maximum.reduceat(np.abs(samples.astype(np.int32)), edges, axis=0) if len(samples) else np.zeros((0, 2), int)
    )
    shown = np.rint(loudest / 32768 * 100).astype(int)
    return {
        "duration_ms": len(samples) * 1000 // rate_hz,
        "caller": shown[:, 0].tolist(),
        "agent": shown[:, -1].tolist() if shown.shape[1] > 1 else [],
    }
