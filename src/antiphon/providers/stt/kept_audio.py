"""Audio that a vendor has no final words for: kept to be sent again over another connection, within bounds. Positions are bytes of the
call's stream."""

from __future__ import annotations

from antiphon.vocabulary import AudioFormat


class KeptAudio:
    """One call's."""

    def __init__(self, audio: AudioFormat) -> None:
        self._audio = audio
        self._bytes_per_ms = audio.rate_hz * audio.bytes_per_sample / 1000
        self._kept = bytearray()
        """From ``begins`` on."""
        self.begins = self.sent = self.end = 0
        """``sent``: up to there this connection has it."""

    @property
    def begins_ms(self) -> float:
        return self.begins / self._bytes_per_ms

    @property
    def end_ms(self) -> float:
        return self.end / self._bytes_per_ms

    def push(self, audio: bytes) -> None:
        self._kept += audio
        self.end += len(audio)

    def connect(self) -> None:
        """Another connection, which has nothing of it."""
        self.sent = self.begins

    def unsent(self, until: int, most: int) -> bytes:
        """The next of what this connection does not have, up to a position."""
        start = self.sent - self.begins
        return bytes(self._kept[start : min(start + most, until - self.begins)])

    def bound(self, most: int) -> None:
        """Keep no more than this."""
        if len(self._kept) > most:
            self._forget(self.end - most)

    def acknowledge(self, position_ms: float) -> None:
        """What was sent before this need not be sent again."""
        whole = int(position_ms * self._audio.rate_hz / 1000) * self._audio.bytes_per_sample
        self._forget(min(whole, self.sent))

    def clear(self) -> None:
        self._kept.clear()

    def _forget(self, position: int) -> None:
        size = min(position - self.begins, len(self._kept))
        if size > 0:
            del self._kept[:size]
            self.begins += size
            self.sent = max(self.sent, self.begins)
