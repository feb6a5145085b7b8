"""The last moments of what a caller's line carried, kept once for all who may ask for them later.

The recogniser wants the moment before speech began, the echo guard the last segment, the recording all of it, a fifth of a second at a
time. Each used to keep a copy of its own and to be called fifty times a second for it.
"""

from __future__ import annotations

from antiphon.vocabulary import AudioFormat

KEPT_MS = 400
"""At least so much is there to be asked for. Twice as much is held before the older half is let go."""


class CallerLine:
    """One call's. Positions are bytes since the call's first."""

    __slots__ = ("_audio", "_kept_bytes", "end")

    def __init__(self, audio: AudioFormat, kept_ms: int = KEPT_MS) -> None:
        self._kept_bytes = audio.bytes_for_ms(max(kept_ms, KEPT_MS))
        self._audio = bytearray()
        self.end = 0
        """Where the line is now."""

    def append(self, audio: bytes) -> None:
        """What has been heard, in order, gaps filled."""
        self._audio += audio
        self.end += len(audio)

    def forget(self) -> None:
        """Let go of what is older than must be kept, if that is as much again. Whoever appends does this from time to time."""
        if len(self._audio) > 2 * self._kept_bytes:
            del self._audio[: -self._kept_bytes]

    def since(self, position: int) -> bytes:
        """From ``position`` until now, or what of it is still here."""
        wanted = self.end - position
        return bytes(self._audio[-wanted:]) if wanted > 0 else b""
