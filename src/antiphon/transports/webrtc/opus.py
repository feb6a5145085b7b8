"""Opus, mono, by libopus itself: the one in PyAV's wheel, which aiortc brings, or the system's.

PyAV's own codec classes would do it too, but decode at 48 kHz only, and put a filter graph with two threads before every encoder.
Called directly, libopus decodes straight to the rate that is wanted: 23 µs for 20 ms against 67 with a resampler behind. Its interface has
been stable since 2012 (RFC 6716). Encoders and decoders live in memory of ours, so nothing need be freed by hand. Neither is thread-safe.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from antiphon.errors import MalformedMessage, ProviderUnavailable

FRAME_MS = 20
LONGEST_PACKET_MS = 120
_LARGEST_PACKET_BYTES = 1275
_OK = 0
# From opus_defines.h.
_APPLICATION_AUDIO = 2049
_SET_BITRATE, _SET_COMPLEXITY, _SET_SIGNAL = 4002, 4010, 4024
_SIGNAL_VOICE = 3001


class OpusDecoder:
    """One stream; stereo comes out mixed to mono."""

    def __init__(self, rate_hz: int) -> None:
        """``rate_hz`` is one that Opus knows: 8000, 12000, 16000, 24000 or 48000."""
        # A decode is shorter than the wait for the interpreter's lock can be, so the lock is kept.
        self._library = ctypes.PyDLL(library_path())
        self._state = ctypes.create_string_buffer(self._library.opus_decoder_get_size(1))
        _check(self._library.opus_decoder_init(self._state, rate_hz, 1))
        self._samples = rate_hz * LONGEST_PACKET_MS // 1000
        self._pcm = (ctypes.c_int16 * self._samples)()
        self._view = memoryview(self._pcm).cast("B")

    def decode(self, payload: bytes) -> bytes:
        """One packet's audio as 16-bit PCM, 2.5 to 120 ms of it. Raises MalformedMessage("opus")."""
        if not payload:  # to libopus, a lost packet to make something up for
            raise MalformedMessage("opus", "empty")
        count = self._library.opus_decode(self._state, payload, len(payload), self._pcm, self._samples, 0)
        if count < 0:
            raise MalformedMessage("opus", f"error {count}")
        return bytes(self._view[: count * 2])


class OpusEncoder:
    """One stream of 20 ms packets."""

    def __init__(self, rate_hz: int, bitrate_bps: int, complexity: int) -> None:
        """``rate_hz`` as of a decoder, ``complexity`` 0 to 10."""
        # An encode may take 0.2 ms: it belongs in a thread, and other threads go on meanwhile.
        self._library = ctypes.CDLL(library_path())
        self._state = ctypes.create_string_buffer(self._library.opus_encoder_get_size(1))
        # "Audio" makes it encode by MDCT alone at these bit rates. "VoIP" would add linear prediction, at three times the CPU.
        _check(self._library.opus_encoder_init(self._state, rate_hz, 1, _APPLICATION_AUDIO))
        for request, value in ((_SET_BITRATE, bitrate_bps), (_SET_COMPLEXITY, complexity)):
            _check(self._library.opus_encoder_ctl(self._state, request, ctypes.c_int32(value)))
        self._samples = rate_hz * FRAME_MS // 1000
        self._packet = ctypes.create_string_buffer(_LARGEST_PACKET_BYTES)
        self._view = memoryview(self._packet)

    def encode(self, pcm: bytes) -> bytes:
        """Exactly 20 ms of 16-bit PCM as one packet. Raises MalformedMessage("opus")."""
        if len(pcm) != self._samples * 2:
            raise MalformedMessage("opus", f"{len(pcm)} bytes are not 20 ms")
        size = self._library.opus_encode(self._state, pcm, self._samples, self._packet, _LARGEST_PACKET_BYTES)
        if size < 0:
            raise MalformedMessage("opus", f"error {size}")
        return bytes(self._view[:size])


def _check(code: int) -> None:
    if code != _OK:
        raise ValueError(f"libopus says {code}")


@lru_cache(maxsize=1)
def library_path() -> str:
    """Where libopus is. Raises ProviderUnavailable."""
    spec = find_spec("av")
    package = Path(spec.origin).parent if spec is not None and spec.origin else None
    # Where wheels keep the libraries they bring, on Linux and on macOS.
    folders = [package.parent / "av.libs", package / ".dylibs"] if package is not None else []
    for folder in folders:
        for found in sorted(folder.glob("libopus*")):
            return str(found)
    system = ctypes.util.find_library("opus")
    if system is None:
        raise ProviderUnavailable("webrtc", "needs libopus: PyAV's wheel has it, or install the system's (libopus0)")
    return system
