"""The last moments of both sides of a call, kept once for all who may ask for them later.

Of the caller's the ears want a window at a time, the recogniser the moment before speech began, the echo guard the last segment, the
recording all of it, a second at a time. Of the agent's the echo guard wants the last second, and the recording all of it.
Each used to keep a copy of its own and to be called for every message.
"""

from __future__ import annotations

from antiphon.audio import codec
from antiphon.vocabulary import AudioFormat

KEPT_MS = 560
"""At least so much is there to be asked for: what the ears may be behind (eight windows, and nearly one that is not whole yet) when a
stride of 256 ms comes on top."""

HEARD_AGAIN_MS = 1018
"""So long after it sounded the agent's voice may be asked for: the longest echo, and the segment that is compared."""
_FORGET_MS = 250


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

    def forget(self, wanted: int | None = None) -> None:
        """Let go of what is older than must be kept, but of nothing from the position ``wanted`` on. Whoever appends does this from time to
        time."""
        kept = self._kept_bytes if wanted is None else max(self._kept_bytes, self.end - wanted)
        del self._audio[:-kept]

    def since(self, position: int) -> bytes:
        """From ``position`` until now, or what of it is still here."""
        wanted = self.end - position
        return bytes(self._audio[-wanted:]) if wanted > 0 else b""

    def piece(self, position: int, size: int) -> bytes:
        """So many bytes from ``position`` on, all of which have been appended and not forgotten."""
        start = position - self.end + len(self._audio)
        return bytes(self._audio[start : start + size])


class AgentLine:
    """What the agent's side carries, laid where it sounds. Times are the session clock's."""

    __slots__ = ("_audio", "_bytes_per_sample", "_forget_bytes", "_from_ms", "_rate_hz", "_silence", "recorded_ms")

    def __init__(self, audio: AudioFormat) -> None:
        self._rate_hz, self._bytes_per_sample = audio.rate_hz, audio.bytes_per_sample
        self._forget_bytes = audio.bytes_for_ms(_FORGET_MS)
        self._silence = codec.silence(audio, 1)
        self._audio = bytearray()
        self._from_ms = 0
        """Where the first byte sounds."""
        self.recorded_ms: int | None = None
        """What sounds from here on the recording does not have yet; None where there is none."""

    @property
    def from_ms(self) -> int:
        """Where the oldest sound begins."""
        return self._from_ms

    def bytes_after(self, at_ms: int) -> int:
        """How much sounds later than this."""
        return max(len(self._audio) - max(self._at(at_ms), 0), 0) if self._audio else 0

    def sound(self, audio: bytes, starts_ms: int) -> None:
        """The agent's audio, sounding from ``starts_ms``."""
        self._forget(starts_ms - HEARD_AGAIN_MS)
        if not self._audio:
            self._from_ms = starts_ms
        self._fill(self._at(starts_ms))
        # Where clocks disagree by a few ms, sound follows sound without a gap.
        self._audio += audio

    def silenced(self, now_ms: int) -> None:
        """What was laid after ``now_ms`` will not sound."""
        del self._audio[max(self._at(now_ms), 0) :]

    def between(self, from_ms: int, to_ms: int) -> bytes:
        """What sounds in this time, and silence where nothing does: exactly so many bytes."""
        start, end = self._at(from_ms), self._at(to_ms)
        before = self._silence * ((min(end, 0) - min(start, 0)) // len(self._silence))
        sounding = before + self._audio[max(start, 0) : max(end, 0)]
        return bytes(sounding + self._silence * ((end - start - len(sounding)) // len(self._silence)))

    def _at(self, at_ms: int) -> int:
        return int(self._rate_hz * (at_ms - self._from_ms) / 1000) * self._bytes_per_sample

    def _fill(self, until: int) -> None:
        missing = until - len(self._audio)
        if missing > 0:
            self._audio += self._silence * (missing // len(self._silence))

    def _forget(self, before_ms: int) -> None:
        """In steps, and nothing that is still to be recorded."""
        if self.recorded_ms is not None:
            before_ms = min(before_ms, self.recorded_ms)
        old = self._at(before_ms)
        if old > self._forget_bytes or old >= len(self._audio):
            del self._audio[: max(old, 0)]
            self._from_ms = before_ms
