"""How much of a reply has the caller heard? A paced clock says, carrier marks correct it.

Audio sent at ``t`` starts to sound one network delay later, and a ``clear`` sent at ``t'`` takes effect one delay later too: so what
is heard when
the clear arrives is what a clock without any delay shows at ``t'``. Marks come back after the full round trip; they are late by it,
always, and late
by more only when the far side ran dry or stalled: then the clock is set back. (Twilio documents marks as sent when the audio before
has been
played, or at once after a clear; an echo after our clear means flushed, not heard.)
"""

from __future__ import annotations

_LATE_MS = 60
"""A mark later than the round trip by this much is a stall of the far side's playout, not jitter."""
_EARLY_MS = 60
"""A mark earlier than the sound before it can have been played, by more than clocks differ, says nothing: believing a far side that echoes
marks as they come would send it a whole reply at once."""
_FIRST_ROUND_TRIP_MS = 250
"""Assumed until a mark has come back: longer would hide a stall, shorter would see one where there is none."""


class Playhead:
    """Positions in ms of one reply's audio. ``now_ms`` is the session clock."""

    __slots__ = (
        "_base_ms",
        "_running",
        "_start_ms",
        "round_trip_ms",
        "sent_ms",
    )

    def __init__(self) -> None:
        self._start_ms = 0
        self._base_ms = 0.0
        self.sent_ms = 0.0
        """Position until which audio has left."""
        self._running = False
        self.round_trip_ms: int | None = None
        """The shortest seen on this call."""

    def restart(self, at_ms: float) -> None:
        """Nothing is in flight; what is sent next continues at position ``at_ms``."""
        self._base_ms = self.sent_ms = at_ms
        self._running = False

    def sent(self, duration_ms: float, now_ms: int) -> None:
        """Audio has left. If all sent before has been heard, it starts to sound now."""
        if not self._running or self.heard_ms(now_ms) >= self.sent_ms:
            self._base_ms, self._start_ms, self._running = self.sent_ms, now_ms, True
        self.sent_ms += duration_ms

    def heard_ms(self, now_ms: int) -> float:
        """What the caller has heard by now; never more than was sent."""
        if not self._running:
            return self._base_ms
        running_ms = now_ms - self._start_ms
        if running_ms <= 0:
            return self._base_ms
        heard_ms = self._base_ms + running_ms
        return heard_ms if heard_ms < self.sent_ms else self.sent_ms

    def ahead_ms(self, now_ms: int) -> float:
        """Audio sent and not heard yet."""
        return self.sent_ms - self.heard_ms(now_ms)

    def due_at_ms(self, position_ms: float) -> int:
        """When ``position_ms`` will have been heard."""
        return int(self._start_ms + position_ms - self._base_ms)

    def marked(self, position_ms: float, now_ms: int) -> bool:
        """The far side says that ``position_ms`` was played. Returns whether that has set the clock right."""
        if not self._running or position_ms < self._base_ms:
            return False
        behind_ms = now_ms - self.due_at_ms(position_ms)
        if behind_ms < -_EARLY_MS:
            return False
        started_ms = self._start_ms
        if behind_ms < 0:
            # Heard sooner than we thought possible: the clock was slow.
            self._start_ms += behind_ms
            behind_ms = 0
        usual_ms = self.round_trip_ms if self.round_trip_ms is not None else _FIRST_ROUND_TRIP_MS
        if behind_ms > usual_ms + _LATE_MS:
            self._start_ms += behind_ms - usual_ms
        else:
            self.round_trip_ms = min(usual_ms, behind_ms)
        return self._start_ms != started_ms
