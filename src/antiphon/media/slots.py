"""Per-call hearing state, one element a slot in arrays, so that one vectorised rule serves all calls of a beat."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from antiphon.media.settings import HearingSettings

NEVER = np.iinfo(np.int64).max
QUIET_LINE_DBFS = -70.0


def _times() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


def _levels() -> NDArray[np.float32]:
    return np.zeros(0, dtype=np.float32)


@dataclass(slots=True)
class HearingSlots:
    """Arrays of shape (slots,). Times are positions in each call's audio, in ms."""

    phase: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, dtype=np.int8))
    heard_ms: NDArray[np.int64] = field(default_factory=_times)
    """Audio that went through the model."""
    began_ms: NDArray[np.int64] = field(default_factory=_times)
    """Where the present sound began."""
    model_end_ms: NDArray[np.int64] = field(default_factory=_times)
    """Where the model last heard voice."""
    loud_end_ms: NDArray[np.int64] = field(default_factory=_times)
    """Where the line was last clearly louder than its background."""
    voice_end_ms: NDArray[np.int64] = field(default_factory=_times)
    """Where sound or speech last ended, by both; −1 before any."""
    quiet_windows: NDArray[np.int64] = field(default_factory=_times)
    """Windows in a row without a sound."""
    report_ms: NDArray[np.int64] = field(default_factory=_times)
    """When to report next that speech goes on."""
    peak_db: NDArray[np.float32] = field(default_factory=_levels)
    """The loudest frame of the present sound."""
    floor_db: NDArray[np.float32] = field(default_factory=_levels)
    floor_next_db: NDArray[np.float32] = field(default_factory=_levels)
    floor_windows: NDArray[np.int64] = field(default_factory=_times)
    sound_at: NDArray[np.float32] = field(default_factory=_levels)
    speech_at: NDArray[np.float32] = field(default_factory=_levels)
    release_at: NDArray[np.float32] = field(default_factory=_levels)
    stop_ms: NDArray[np.int64] = field(default_factory=_times)
    fade_ms: NDArray[np.int64] = field(default_factory=_times)

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
        self.voice_end_ms[slot] = -1
        self.report_ms[slot] = NEVER
        # Until two seconds have been heard the line counts as quiet: then nothing is taken for background that may be a voice.
        self.floor_db[slot] = self.floor_next_db[slot] = QUIET_LINE_DBFS
        self.peak_db[slot] = QUIET_LINE_DBFS

    def configure(self, slot: int, settings: HearingSettings) -> None:
        self.sound_at[slot] = settings.sound_threshold
        self.speech_at[slot] = settings.speech_threshold
        self.release_at[slot] = settings.release_threshold
        self.stop_ms[slot] = settings.stop_after_ms
        self.fade_ms[slot] = settings.fade_after_ms
