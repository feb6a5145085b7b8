"""Sounds a caller can make, made ready to be sent: 20 ms µ-law frames in base64, with their acoustic onset and end.

Numpy in, bytes out; no clock and no sockets. A clip is encoded once and shared by all callers that use it.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.g711 import mulaw_encode
from antiphon.audio.resample import resample
from antiphon.audio.wav import read_wav
from antiphon.caller.wire import FRAME_BYTES
from antiphon.errors import ConfigurationError, MalformedMessage

RATE_HZ = 8000
SILENT_FRAME = binascii.b2a_base64(b"\xff" * FRAME_BYTES, newline=False)

Pcm = NDArray[np.int16]
"""Mono, 8 kHz, shape (n,)."""

_WINDOW = 40
"""5 ms: the grain of onset and end."""
_BELOW_PEAK_DB = 30.0
_FLOOR_DBFS = -50.0
_SUSTAIN = 3
"""Windows out of four that must be loud, so that a click of one window is no onset."""

MAX_CLIP_S = 120


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound of a whole number of 20 ms frames."""

    mulaw: bytes
    frames: tuple[bytes, ...]
    """Base64 of each 20 ms."""
    onset_ms: float
    """Where the sound is first loud."""
    offset_ms: float
    """Where it was last loud."""

    @property
    def duration_ms(self) -> float:
        return len(self.mulaw) / 8


class LineNoise:
    """The hiss of a telephone line: white noise at ``dbfs`` (RMS), a second of it over and over.

    A real line is never digitally silent, and voice-activity models hear the difference.
    """

    def __init__(self, dbfs: float | None, seed: int = 0) -> None:
        """None: digital silence. Raises ConfigurationError for levels that would drown speech."""
        if dbfs is None:
            self._samples = np.zeros(RATE_HZ)
        elif -90 <= dbfs <= -30:
            deviation = 32768 * 10 ** (dbfs / 20)
            self._samples = np.random.default_rng(seed).normal(0.0, deviation, RATE_HZ)
        else:
            raise ConfigurationError("noise_dbfs", "must be between -90 and -30")
        self.frames: tuple[bytes, ...] = encode_frames(mulaw_bytes(self._samples))

    def under(self, pcm: Pcm) -> NDArray[np.float64]:
        """``pcm`` with the hiss under it, shape (n,)."""
        return pcm.astype(np.float64) + np.resize(self._samples, len(pcm))


def make_clip(pcm: Pcm, noise: LineNoise) -> Clip:
    """A clip of 8 kHz mono ``pcm``, filled up to whole frames, with the line's noise under it.

    Onset and end are those of ``pcm`` itself. Raises ConfigurationError for an empty, silent or over-long sound.
    """
    if not 0 < len(pcm) <= MAX_CLIP_S * RATE_HZ:
        raise ConfigurationError("clip", f"must last between one sample and {MAX_CLIP_S} s")
    onset_ms, offset_ms = loud_span_ms(pcm)
    whole = np.pad(pcm, (0, -len(pcm) % FRAME_BYTES))
    mulaw = mulaw_bytes(noise.under(whole))
    return Clip(mulaw, encode_frames(mulaw), onset_ms, offset_ms)


def loud_span_ms(pcm: Pcm) -> tuple[float, float]:
    """Acoustic onset and end in ms, to 5 ms: within 30 dB of the loudest 5 ms and over -50 dBFS, for 15 of 20 ms.

    Raises ConfigurationError where nothing is loud.
    """
    windows = np.pad(pcm, (0, -len(pcm) % _WINDOW)).reshape(-1, _WINDOW).astype(np.float64)
    power = np.mean(windows**2, axis=1) + 1e-9
    level_dbfs = 10 * np.log10(power) - 20 * np.log10(32768)
    loud = level_dbfs > max(_FLOOR_DBFS, float(level_dbfs.max()) - _BELOW_PEAK_DB)
    # How many of the four windows from here on are loud; the last three look beyond the end, where nothing is.
    ahead = np.convolve(np.pad(loud, (0, 3)), np.ones(4), "valid")
    onsets = np.flatnonzero(loud & (ahead >= _SUSTAIN))
    if not len(onsets):
        raise ConfigurationError("clip", "nothing in it is loud enough to be heard (over -50 dBFS for 15 ms)")
    return float(onsets[0] * 5), float((np.flatnonzero(loud)[-1] + 1) * 5)


def read_clip(path: Path, noise: LineNoise) -> Clip:
    """A WAV file (any rate, any channels: mixed to one) as a clip. Raises ConfigurationError naming the file."""
    try:
        samples, rate_hz = read_wav(path)
    except OSError as error:
        raise ConfigurationError("wav", f"{path} cannot be read ({error.strerror})") from error
    except MalformedMessage as error:
        raise ConfigurationError("wav", f"{path} cannot be read as a WAV file ({error})") from error
    try:
        return make_clip(telephone_pcm(samples, rate_hz), noise)
    except ConfigurationError as error:
        raise ConfigurationError("wav", f"{path}: {error.problem}") from error


def telephone_pcm(samples: NDArray[np.int16], rate_hz: int) -> Pcm:
    """Samples of shape (n, channels) as 8 kHz mono."""
    mono = np.rint(samples.mean(axis=1)).astype(np.int16)
    return mono if rate_hz == RATE_HZ else resample(mono, rate_hz, RATE_HZ)


def mulaw_bytes(samples: NDArray[np.float64] | Pcm) -> bytes:
    """µ-law of samples on the 16-bit scale, saturated."""
    return mulaw_encode(np.clip(np.rint(samples), -32768, 32767).astype(np.int16)).tobytes()


def encode_frames(mulaw: bytes) -> tuple[bytes, ...]:
    """Base64 of each whole 20 ms frame."""
    return tuple(
        binascii.b2a_base64(mulaw[at : at + FRAME_BYTES], newline=False)
        for at in range(0, len(mulaw) - FRAME_BYTES + 1, FRAME_BYTES)
    )
