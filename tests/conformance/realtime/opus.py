"""Speech as the Opus packets a browser would send."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av import AudioCodecContext, AudioFrame, CodecContext
from tests.conformance.realtime.speech import RATE_HZ, Pcm

from antiphon.audio.resample import resample

_HZ, _FRAME = 48_000, 960


def packets(signal: Pcm) -> list[bytes]:
    """One packet for each 20 ms of 24 kHz PCM."""
    encoder = CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = _HZ, "mono", "s16"  # type: ignore[assignment]
    encoder.time_base = Fraction(1, _HZ)
    samples = resample(signal, RATE_HZ, _HZ)
    whole = np.zeros(-(-samples.size // _FRAME) * _FRAME, dtype=np.int16)
    whole[: samples.size] = samples
    made: list[bytes] = []
    for start in range(0, whole.size, _FRAME):
        frame = AudioFrame.from_ndarray(whole[np.newaxis, start : start + _FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _HZ, start, Fraction(1, _HZ)
        made += [bytes(packet) for packet in encoder.encode(frame)]
    return made
