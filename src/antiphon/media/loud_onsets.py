"""While the agent speaks, a sound may be noticed before the voice-activity model knows it: by its loudness.

The model is late on breath and on words that begin with f, s or h (160 ms and more on human speech), and a hold can be taken back. So on a
line that has shown that our own voice does not come back on it, a window clearly louder than its background begins a sound. The
model has a quarter of a second to agree; where it does not, loudness is not believed on this line for a while, longer each time: music
or a busy road cost a call one short hold a minute at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.media import slots as row
from antiphon.media.slots import FIRST_DISTRUST_MS, LOUDEST_BACKGROUND_DBFS, QUIET, State

_ONSET_DB = 9.0
"""A frame this much over the background …"""
_LEAST_DBFS = -50.0
"""… and over this: on a line of digital silence everything is louder than the background …"""
_ONSET_FRAMES = 3
"""… in three of a window's four frames, so that a click is none."""
_LINGER_DB = 4.0
"""Below this the sound has gone again."""
_QUIET_DB = 6.0
_PROBATION_MS = 800
"""So much of the agent's voice must have met a quiet line: an echo, 100 to 700 ms late, would have been heard by then."""
_AGREE_WITHIN_MS = 288
_WINDOW_MS = 32
_LONGEST_DISTRUST_MS = 160_000


def hear(
    state: State, level_db: NDArray[np.float64], background_db: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """One window of each call: its state, the levels of its frames, shape (frames, n), and its background, shape (n,). Returns which
    windows begin a sound, unless it is our echo, and which keep up one that loudness began; both of shape (n,)."""
    over_db = level_db - background_db
    alert = state[row.AGENT_SOUNDS] > 0
    quiet_so_far = state[row.PHASE] == QUIET
    quiet = np.maximum.reduce(over_db) < _QUIET_DB
    loud = np.add.reduce((over_db > _ONSET_DB) & (level_db > _LEAST_DBFS), dtype=np.intp) >= _ONSET_FRAMES
    met_ms = state[row.MET_QUIET_MS]
    trusted = met_ms >= _PROBATION_MS
    # Probation is passed in one go: an echo leaves quiet only where the agent pauses, and those pauses shall not add up.
    state[row.MET_QUIET_MS] = np.where(alert & loud & ~trusted, 0, met_ms + _WINDOW_MS * (alert & quiet))
    heard_ms = state[row.HEARD_MS]
    believed = trusted & (background_db < LOUDEST_BACKGROUND_DBFS) & (heard_ms >= state[row.DISTRUSTED_UNTIL_MS])
    goes_on = (heard_ms < state[row.ALONE_UNTIL_MS]) & (np.add.reduce(over_db) > _LINGER_DB * over_db.shape[0])
    return quiet_so_far & alert & loud & believed, goes_on


def began(call: State) -> None:
    """A sound was begun on loudness alone. ``call`` is one column, as in all that follow."""
    call[row.ALONE_UNTIL_MS] = call[row.HEARD_MS] + _AGREE_WITHIN_MS


def agreed(call: State) -> None:
    """The model hears it, too."""
    call[row.ALONE_UNTIL_MS] = 0
    call[row.DISTRUST_MS] = FIRST_DISTRUST_MS


def was_wrong(call: State) -> None:
    """The sound is over and the model never agreed."""
    call[row.ALONE_UNTIL_MS] = 0
    call[row.DISTRUSTED_UNTIL_MS] = call[row.HEARD_MS] + call[row.DISTRUST_MS]
    call[row.DISTRUST_MS] = min(call[row.DISTRUST_MS] * 2, _LONGEST_DISTRUST_MS)
