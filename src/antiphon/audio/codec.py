"""One door to the three encodings of ``vocabulary``: wire bytes to samples, samples to wire bytes, and silence."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import g711, pcm
from antiphon.vocabulary import AudioFormat, Encoding


def decode(audio: bytes, encoding: Encoding) -> NDArray[np.int16]:
    """Wire bytes as 16-bit samples. Raises MalformedMessage("odd_length") for half a PCM sample."""
    if encoding is Encoding.PCM16:
        return pcm.from_bytes(audio)
    codes = np.frombuffer(audio, dtype=np.uint8)
    return g711.mulaw_decode(codes) if encoding is Encoding.MULAW else g711.alaw_decode(codes)


def decode_to_float(audio: bytes, encoding: Encoding) -> NDArray[np.float32]:
    """Wire bytes as samples in −1…1. Raises MalformedMessage("odd_length") for half a PCM sample."""
    if encoding is Encoding.PCM16:
        return pcm.to_float(pcm.from_bytes(audio))
    codes = np.frombuffer(audio, dtype=np.uint8)
    return g711.mulaw_to_float(codes) if encoding is Encoding.MULAW else g711.alaw_to_float(codes)


def encode(samples: NDArray[np.int16], encoding: Encoding) -> bytes:
    """16-bit samples as wire bytes."""
    if encoding is Encoding.PCM16:
        return pcm.to_bytes(samples)
    codes = g711.mulaw_encode(samples) if encoding is Encoding.MULAW else g711.alaw_encode(samples)
    return codes.tobytes()


def turned_down(audio: bytes, encoding: Encoding, by_db: float) -> bytes:
    """Wire bytes, softer by so much. Raises MalformedMessage("odd_length") for half a PCM sample."""
    if encoding is Encoding.PCM16:
        return encode(pcm.gain(decode(audio, encoding), -by_db), encoding)
    return audio.translate(_softer_codes(encoding, by_db))


@lru_cache(maxsize=4)
def _softer_codes(encoding: Encoding, by_db: float) -> bytes:
    """What each code of a companded encoding becomes."""
    return encode(pcm.gain(decode(bytes(range(256)), encoding), -by_db), encoding)


@lru_cache(maxsize=16)
def silence(audio: AudioFormat, samples: int) -> bytes:
    """``samples`` samples of digital silence as wire bytes. Kept, since every call asks for the same."""
    return encode(np.zeros(samples, dtype=np.int16), audio.encoding)


def silence_for(audio: AudioFormat, duration_ms: float) -> bytes:
    """The same by how long it lasts, rounded down to a whole sample."""
    return silence(audio, audio.bytes_for_ms(duration_ms) // audio.bytes_per_sample)
