"""What is known of every call's hearing: one table, a row for each quantity and a column for each call.

One beat takes the columns of the calls it hears out of the table, works on whole rows of them, and puts them back: two costly steps
instead of one for every quantity that a rule reads or writes. Times are positions in each call's audio, in ms; levels are dBFS.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.media.settings import HearingSettings

State = NDArray[np.float64]
"""Shape (rows, calls). Every number in it is exact: times and counts stay far under 2^53."""

NEVER = np.inf
QUIET_LINE_DBFS = -70.0
LOUDEST_BACKGROUND_DBFS = -40.0
"""On a line noisier than this, loudness says nothing, and a voice may hide in the noise."""
FIRST_DISTRUST_MS = 10_000
UNHEARD_DBFS = -200.0
"""The level of a caller who has not been heard yet: softer than anything."""

PHASE = 0
"""``QUIET``, ``SOUND`` or ``SPEECH``."""
HEARD_MS = 1
"""Audio that went through the model."""
BEGAN_MS = 2
"""Where the present sound began."""
MODEL_END_MS = 3
"""Where the model last heard voice."""
LOUD_END_MS = 4
"""Where the line was last clearly louder than its background."""
VOICE_END_MS = 5
"""Where sound or speech last ended, by both; −1 before any."""
QUIET_WINDOWS = 6
"""Windows in a row without a sound."""
REPORT_MS = 7
"""When to report next that speech goes on."""
PEAK_DB = 8
"""The loudest frame of the present sound."""
FLOOR_DB = 9
"""The background."""
FLOOR_NEXT_DB = 10
FLOOR_WINDOWS = 11
MET_QUIET_MS = 12
"""How much of the agent's voice has met a quiet line."""
ALONE_UNTIL_MS = 13
"""Until when loudness alone keeps up the present sound; 0 where the model has agreed, or nothing sounds."""
DISTRUSTED_UNTIL_MS = 14
DISTRUST_MS = 15
SINCE_MS = 16
"""Where the present sound began, whoever noticed it first."""
SURE_WINDOWS = 17
"""Windows in a row in which the model was as sure as it must be of speech."""
AMBIENT_DB = 18
"""What the line usually carries while nothing sounds: the mean level of its frames, slowly followed."""
VOICE_DB = 19
"""The loudest frame of the speech since the caller was last recognised by it; ``UNHEARD_DBFS`` where there was none."""
VOICE_WINDOWS = 20
"""Windows of the present sound in which the model heard voice …"""
SPEECH_WINDOWS = 21
"""… and those in which it was very sure that it is speech."""

AS_SPEECH_WINDOWS = 22
"""Windows since the present sound was taken for speech; 0 where it is not."""

# From here on: set from outside, only read by the beat.
AGENT_SOUNDS = 23
"""1 while the agent can be heard."""
AGENT_WAITS = 24
"""1 while the agent has been silenced, and would go on."""
CALLER_DB = 25
"""The loudest frames of the caller, learnt from the turns that were answered; ``UNHEARD_DBFS`` before the first."""
SOUND_AT = 26
SPEECH_AT = 27
RELEASE_AT = 28
STOP_MS = 29
FADE_MS = 30
_ROWS = 31

QUIET, SOUND, SPEECH = 0, 1, 2


class HearingSlots:
    """The table. Columns are handed out by ``Ears``."""

    def __init__(self) -> None:
        self.table: State = np.zeros((_ROWS, 0))

    def grow(self, slots: int) -> None:
        """Make room, keeping what there is."""
        before = self.table
        self.table = np.zeros((_ROWS, slots))
        self.table[:, : before.shape[1]] = before

    def clear(self, slot: int) -> None:
        """A new call."""
        column = self.table[:, slot]
        column[:] = 0
        column[VOICE_END_MS] = -1
        column[REPORT_MS] = NEVER
        # Until two seconds have been heard the line counts as quiet: then nothing is taken for background that may be a voice.
        column[[FLOOR_DB, FLOOR_NEXT_DB, PEAK_DB, AMBIENT_DB]] = QUIET_LINE_DBFS
        column[[CALLER_DB, VOICE_DB]] = UNHEARD_DBFS
        column[DISTRUST_MS] = FIRST_DISTRUST_MS

    def configure(self, slot: int, settings: HearingSettings) -> None:
        column = self.table[:, slot]
        column[SOUND_AT] = settings.sound_threshold
        column[SPEECH_AT] = settings.speech_threshold
        column[RELEASE_AT] = settings.release_threshold
        column[STOP_MS] = settings.stop_after_ms
        column[FADE_MS] = settings.fade_after_ms

    def take(self, slots: NDArray[np.intp]) -> State:
        """A copy of these columns, shape (rows, n)."""
        return self.table.take(slots, axis=1)

    def put(self, slots: NDArray[np.intp], state: State) -> None:
        """What the beat has changed of them."""
        self.table[:AGENT_SOUNDS, slots] = state[:AGENT_SOUNDS]
