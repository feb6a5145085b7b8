"""G.711 µ-law and A-law by table: decode in one lookup of 256 entries, encode in one of 65,536.

Rounding is that of the classic 14-bit (µ-law) and 13-bit (A-law) coders and of Python's late ``audioop``: a 16-bit sample
first loses its lowest 2 (3) bits by an arithmetic shift, then ITU-T G.711 tables 1 and 2 apply. So our bytes equal those
of most software the far side may run, at the price of rounding −1…−3 away from zero.

Arrays in, arrays of the same shape out; the ``_bytes`` functions do the same between wire bytes (PCM is little-endian).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import pcm

MULAW_SILENCE = 0xFF
"""The µ-law code of +0."""
ALAW_SILENCE = 0xD5
"""The A-law code of the smallest positive value, +8 (A-law has no zero)."""

_MULAW_BIAS = 33  # added to a 14-bit magnitude so that every segment starts at a power of two
_MULAW_CLIP = 8158  # largest 14-bit magnitude that has a code: 8158 + 33 still fits 13 bits


def _mulaw_decode_table() -> NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.uint8)  # G.711 sends µ-law inverted
    exponent = (code >> 4 & 0x07).astype(np.int32)
    mantissa = (code & 0x0F).astype(np.int32)
    magnitude = (((mantissa << 1) + _MULAW_BIAS) << exponent) - _MULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16) * np.int16(4)


def _mulaw_encode_table() -> NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    biased = np.minimum(np.abs(sample), _MULAW_CLIP) + _MULAW_BIAS
    exponent = np.floor(np.log2(biased)).astype(np.int32) - 5
    code = exponent << 4 | (biased >> (exponent + 1) & 0x0F)
    signed: NDArray[np.int32] = np.where(sample < 0, code | 0x80, code)
    return (signed ^ 0xFF).astype(np.uint8)


def _alaw_decode_table() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.uint8) ^ 0x55  # G.711 sends A-law with every other bit inverted
    exponent = (code >> 4 & 0x07).astype(np.int32)
    mantissa = (code & 0x0F).astype(np.int32)
    # The first two segments share one step; from then on a hidden leading bit is shifted up.
    hidden_bit = np.where(exponent > 0, 32, 0)
    magnitude = ((mantissa << 1) + 1 + hidden_bit) << np.maximum(exponent - 1, 0)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16) * np.int16(8)


def _alaw_encode_table() -> NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 3
    magnitude = np.where(sample < 0, ~sample, sample)  # 0…4095: −1 is the mirror of +0
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    code = exponent << 4 | (magnitude >> np.maximum(exponent, 1) & 0x0F)
    return (np.where(sample < 0, code, code | 0x80) ^ 0x55).astype(np.uint8)


MULAW_TO_PCM16: NDArray[np.int16] = _mulaw_decode_table()
"""Shape (256,): the 16-bit sample of each µ-law code."""
MULAW_TO_FLOAT: NDArray[np.float32] = pcm.to_float(MULAW_TO_PCM16)
"""Shape (256,): the sample of each µ-law code in −1…1."""
ALAW_TO_PCM16: NDArray[np.int16] = _alaw_decode_table()
"""Shape (256,): the 16-bit sample of each A-law code."""
ALAW_TO_FLOAT: NDArray[np.float32] = pcm.to_float(ALAW_TO_PCM16)
"""Shape (256,): the sample of each A-law code in −1…1."""
_PCM16_TO_MULAW = _mulaw_encode_table()
_PCM16_TO_ALAW = _alaw_encode_table()

for _table in (MULAW_TO_PCM16, MULAW_TO_FLOAT, ALAW_TO_PCM16, ALAW_TO_FLOAT, _PCM16_TO_MULAW, _PCM16_TO_ALAW):
    _table.setflags(write=False)


def mulaw_decode(codes: NDArray[np.uint8]) -> NDArray[np.int16]:
    return MULAW_TO_PCM16[codes]


def mulaw_to_float(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    # No code lies outside the table; "clip" spares the search for one, and takes a third of an index's time.
    return MULAW_TO_FLOAT.take(codes, mode="clip")


def mulaw_encode(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    return _PCM16_TO_MULAW[samples.view(np.uint16)]


def alaw_decode(codes: NDArray[np.uint8]) -> NDArray[np.int16]:
    return ALAW_TO_PCM16[codes]


def alaw_to_float(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    return ALAW_TO_FLOAT.take(codes, mode="clip")


def alaw_encode(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    return _PCM16_TO_ALAW[samples.view(np.uint16)]
