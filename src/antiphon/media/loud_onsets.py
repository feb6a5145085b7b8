"""While the agent speaks, a sound may be noticed before the voice-activity model knows it: by its loudness.

The model is late on breath and on words that begin with f, s or h (160 ms and more on human speech), and a hold can be taken back. So on a
line that has shown that our own voice does not come back on it, a window clearly louder than its background begins a sound. The
model has a quarter of a second to agree; where it does not, loudness is not believed on this line for a while, longer each time: music
or a busy road cost a call one short hold a minute at most.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_ONSET_DB = 9.0
"""A frame this much over the background …"""
_LEAST_DBFS = -50.0
"""… and over this: on a line of digital silence everything is louder than the background …"""
_ONSET_FRAMES = 3
"""… in three of a window's four frames, so that a click is none."""
_LINGER_DB = 4.0
"""Below this the sound has gone again."""
_QUIET_DB = 6.0
_LOUDEST_BACKGROUND_DBFS = -40.0
"""On a line noisier than this, loudness says nothing."""
_PROBATION_MS = 800
"""So much of the agent's voice must have met a quiet line: an echo, 100 to 700 ms late, would have been heard by then."""
_AGREE_WITHIN_MS = 288
_WINDOW_MS = 32
_FIRST_DISTRUST_MS = 10_000
_LONGEST_DISTRUST_MS = 160_000


def _times() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class LoudOnsets:
    """Arrays of shape (slots,). Times are positions in each call's audio, in ms."""

    agent_sounds: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    met_quiet_ms: NDArray[np.int64] = field(default_factory=_times)
    """How much of the agent's voice has met a quiet line."""
    until_ms: NDArray[np.int64] = field(default_factory=_times)
    """Until when loudness alone keeps up the present sound; 0 where the model has agreed, or nothing sounds."""
    distrusted_until_ms: NDArray[np.int64] = field(default_factory=_times)
    distrust_ms: NDArray[np.int64] = field(default_factory=_times)

    def grow(self, slots: int) -> None:
        """Make room, keeping what there is."""
        for array in dataclasses.fields(self):
            before = getattr(self, array.name)
            grown = np.zeros(slots, dtype=before.dtype)
            grown[: before.size] = before
            setattr(self, array.name, grown)

    def clear(self, slot: int) -> None:
        """A new call."""
        for array in dataclasses.fields(self):
            getattr(self, array.name)[slot] = 0
        self.distrust_ms[slot] = _FIRST_DISTRUST_MS

    def hear(
        self,
        slots: NDArray[np.intp],
        level_db: NDArray[np.float32],
        floor_db: NDArray[np.float32],
        heard_ms: NDArray[np.int64],
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """One window of each of ``slots``: ``level_db`` of its frames, shape (n, frames), and the background. Returns which windows could
        begin a sound, and which keep up one that loudness began; both of shape (n,)."""
        over_db = level_db - floor_db[:, None]
        alert = self.agent_sounds[slots]
        quiet = over_db.max(axis=1) < _QUIET_DB
        loud = ((over_db > _ONSET_DB) & (level_db > _LEAST_DBFS)).sum(axis=1) >= _ONSET_FRAMES
        met_ms = self.met_quiet_ms[slots]
        trusted = met_ms >= _PROBATION_MS
        # Probation is passed in one go: an echo leaves quiet only where the agent pauses, and those pauses shall not add up.
        met_ms = np.where(alert & quiet, met_ms + _WINDOW_MS, np.where(alert & loud & ~trusted, 0, met_ms))
        self.met_quiet_ms[slots] = met_ms
        believed = trusted & (floor_db < _LOUDEST_BACKGROUND_DBFS) & (heard_ms >= self.distrusted_until_ms[slots])
        begins = alert & loud & believed
        goes_on = (heard_ms < self.until_ms[slots]) & (over_db.mean(axis=1) > _LINGER_DB)
        return begins, goes_on

    def began(self, slot: int, heard_ms: int) -> None:
        """A sound was begun on loudness alone."""
        self.until_ms[slot] = heard_ms + _AGREE_WITHIN_MS

    def is_alone(self, slot: int) -> bool:
        """Whether the present sound stands on loudness alone."""
        return bool(self.until_ms[slot])

    def agreed(self, slot: int) -> None:
        """The model hears it, too."""
        self.until_ms[slot] = 0
        self.distrust_ms[slot] = _FIRST_DISTRUST_MS

    def was_wrong(self, slot: int, heard_ms: int) -> None:
        """The sound is over and the model never agreed."""
        self.until_ms[slot] = 0
        self.distrusted_until_ms[slot] = heard_ms + int(self.distrust_ms[slot])
        self.distrust_ms[slot] = min(int(self.distrust_ms[slot]) * 2, _LONGEST_DISTRUST_MS)
