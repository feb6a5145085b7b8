"""Writes what our callers say as 16 kHz PCM for the in-process harness: run it with Antiphon's own Python.

    python export_speech.py WAV_FOLDER OUT.json

OUT.json: {"noise": base64, "turns": [{"pcm": base64, "onset_ms": …, "offset_ms": …}]}, PCM16 little-endian, line noise under it.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import numpy as np

from antiphon.audio.resample import resample
from antiphon.bench.speech import recorded_turns
from antiphon.bench.workload import NOISE_DBFS
from antiphon.caller.clips import RATE_HZ, LineNoise, loud_span_ms

FRAME = RATE_HZ // 50


def encoded(samples: np.ndarray) -> str:
    pcm = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return base64.b64encode(resample(pcm, RATE_HZ, 2 * RATE_HZ).astype("<i2").tobytes()).decode()


def main(folder: str, out: str) -> None:
    noise = LineNoise(NOISE_DBFS)
    turns = []
    for turn in recorded_turns(Path(folder)):
        onset_ms, offset_ms = loud_span_ms(turn)
        whole = np.pad(turn, (0, -len(turn) % FRAME))
        turns.append({"pcm": encoded(noise.under(whole)), "onset_ms": onset_ms, "offset_ms": offset_ms})
    hiss = noise.under(np.zeros(RATE_HZ, dtype=np.int16))
    Path(out).write_text(json.dumps({"noise": encoded(hiss), "turns": turns}))


if __name__ == "__main__":
    main(*sys.argv[1:])
