"""A byte stream cut at arbitrary places, cut again into frames of equal duration."""

from __future__ import annotations

from antiphon.audio import codec
from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.vocabulary import AudioFormat


class Framer:
    """Cuts one stream. Keeps less than one frame between calls, so it never adds more than ``frame_ms`` of delay.

    Chunks may split anywhere, also inside a 16-bit sample. Raises ConfigurationError where ``frame_ms`` is not a whole number
    of samples: rounding would slowly shift the time base.
    """

    def __init__(self, audio: AudioFormat, frame_ms: int, max_chunk_ms: int = 10_000) -> None:
        if frame_ms <= 0 or audio.rate_hz * frame_ms % 1000:
            raise ConfigurationError(
                "frame_ms", f"{frame_ms} ms at {audio.rate_hz} Hz is not a whole positive number of samples"
            )
        self.frame_bytes = audio.bytes_for_ms(frame_ms)
        self._audio = audio
        self._max_chunk_bytes = audio.bytes_for_ms(max_chunk_ms)
        self._remainder = b""

    def push(self, chunk: bytes) -> list[bytes]:
        """Whole frames that ``chunk`` completes, oldest first.

        Raises MalformedMessage("audio_too_long") for a chunk over ``max_chunk_ms``; the stream can go on after it.
        """
        if len(chunk) > self._max_chunk_bytes:
            raise MalformedMessage("audio_too_long", f"{len(chunk)} bytes, at most {self._max_chunk_bytes} allowed")
        data = self._remainder + chunk if self._remainder else chunk
        whole = len(data) - len(data) % self.frame_bytes
        self._remainder = data[whole:]
        return [data[at : at + self.frame_bytes] for at in range(0, whole, self.frame_bytes)]

    def flush(self) -> bytes:
        """The remainder filled up with silence to one frame, or ``b""`` where there is none. Half a sample is dropped."""
        width = self._audio.bytes_per_sample
        whole_samples = len(self._remainder) // width
        rest = self._remainder[: whole_samples * width]
        self._remainder = b""
        if not rest:
            return b""
        return rest + codec.silence(self._audio, self.frame_bytes // width - whole_samples)
