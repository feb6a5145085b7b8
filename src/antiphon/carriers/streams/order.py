"""Where a caller's audio belongs in time, when the carrier's numbering cannot be trusted. Pure.

The socket is ordered, so numbers go up; what does not fit is a relay's or a carrier's mistake. The rule: nothing is heard
twice, and the position handed on never goes back, because speech and silence are measured by it.
"""

from __future__ import annotations

from collections import Counter

FAR_JUMP_MS = 60_000
"""A leap ahead beyond this is a new clock, not a gap to fill."""
RESTART_RUN = 10
"""So many outdated messages numbered in a row (200 ms) are a carrier that restarted its numbering, not an echo."""


class Anomalies:
    """Counts of what went wrong, by a short stable label; what is counted here is counted for ``total`` too."""

    __slots__ = ("_total", "counts")

    def __init__(self, total: Anomalies | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._total = total

    def count(self, label: str) -> None:
        self.counts[label] += 1
        if self._total is not None:
            self._total.count(label)


class StreamOrder:
    """One stream's sequence numbers and timestamps."""

    __slots__ = (
        "_anomalies",
        "_end_ms",
        "_outdated_run",
        "_outdated_sequence",
        "_sequence",
        "_shift_ms",
        "_timestamp_ms",
    )

    def __init__(self, anomalies: Anomalies) -> None:
        self._anomalies = anomalies
        self._sequence = 0
        self._timestamp_ms = -1
        self._end_ms = 0.0
        self._shift_ms = 0.0
        self._outdated_run = 0
        self._outdated_sequence = 0

    @property
    def end_ms(self) -> float:
        """Where in the stream the audio ends that came last; 0 before there was any."""
        return self._end_ms

    def note(self, sequence: int | None) -> bool:
        """A message that is not media has come. False where its number says that it came before."""
        if sequence is None:
            return True
        if sequence <= self._sequence:
            self._anomalies.count("stale_message")
            return False
        self._sequence = sequence
        return True

    def pass_over(self, sequence: int | None) -> None:
        """A message of the stream that is none of ours to hear (the agent's own track, kinds we do not know): it has a number like all
        others, which is not missing then."""
        if sequence is None or sequence <= self._sequence:
            return
        if sequence > self._sequence + 1:
            self._anomalies.count("sequence_gap")
        self._sequence = sequence

    def place(self, sequence: int, timestamp_ms: int, duration_ms: float) -> int | None:
        """The stream position of this audio, or None where it is to be dropped."""
        if sequence == self._sequence + 1 and timestamp_ms + self._shift_ms == self._end_ms:  # nearly always
            self._sequence = sequence
            self._outdated_run = 0
            self._timestamp_ms = timestamp_ms
            position_ms = self._end_ms
            self._end_ms = position_ms + duration_ms
            return round(position_ms)
        advances = timestamp_ms > self._timestamp_ms
        if sequence > self._sequence:
            if sequence > self._sequence + 1:
                self._anomalies.count("sequence_gap")
        elif advances or self._is_restart(sequence):
            self._anomalies.count("sequence_reset")
        else:
            self._anomalies.count("stale_media")
            return None
        self._sequence = sequence
        self._outdated_run = 0
        if not advances and self._timestamp_ms >= 0:
            self._anomalies.count("clock_back")
            self._shift_ms = self._end_ms - timestamp_ms
        self._timestamp_ms = timestamp_ms
        return self._position(timestamp_ms, duration_ms)

    def _position(self, timestamp_ms: int, duration_ms: float) -> int:
        position_ms = timestamp_ms + self._shift_ms
        if position_ms > self._end_ms + FAR_JUMP_MS:
            self._anomalies.count("clock_jump")
            self._shift_ms = self._end_ms - timestamp_ms
        # A timestamp a little early is rounding: audio follows audio.
        position_ms = max(timestamp_ms + self._shift_ms, self._end_ms)
        self._end_ms = position_ms + duration_ms
        return round(position_ms)

    def _is_restart(self, sequence: int) -> bool:
        in_a_row = sequence == self._outdated_sequence + 1
        self._outdated_run = self._outdated_run + 1 if in_a_row else 1
        self._outdated_sequence = sequence
        return self._outdated_run >= RESTART_RUN
