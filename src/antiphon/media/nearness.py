"""Who is near: the caller, or somebody else whose voice the line carries as well.

A voice-activity model hears the television in the next room, the people at the next table and the rest of an echo as well as the caller.
They are softer. Two things are known of each line: how loud the caller was in the turns that were answered, and what the line carries
while nobody speaks. A line whose level wanders (people, music, traffic; white noise does not) carries others' voices: there only what
stands out of them is the caller's. On a line that is quiet, or evenly noisy, a soft caller is as near as a loud one before the first
turn. All of it matters only while the agent speaks: then somebody far neither silences nor interrupts it. In a pause everybody is
listened to, so that a caller who turns quiet is heard, and answered if the recogniser finds words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.media import slots as row
from antiphon.media.slots import QUIET, UNHEARD_DBFS, State

FAR_DB = 14.0
"""Who is this much softer than the caller is somebody else. Measured between the loudest frames; a word begins 5 to 12 dB under them."""
_LIVELY_DB = 5.0
"""A line carries others where its usual level is this much over its quietest frame (white noise: 2 to 4 dB, people: 7 to 9)."""
_STANDS_OUT_DB = 11.0
"""Over the line's usual level, of the loudest frame of a window: the people in 1 % of calls get there within two seconds when they are
15 dB under the caller, the caller's own first window of speech nearly always does."""
_LEAST_DBFS = -38.0
_UNDER_SOFT_CALLER_DB = 6.0
"""Softer than this nobody is near (a caller of −45 dBFS in the mean gets there, our own voice 30 dB down does not), unless the caller is
known to be as soft: then no more than this under the caller."""
_LINGER_DB = 3.0
"""A voice that was near may fall this much lower before it counts as gone."""
_AMBIENT_WINDOWS = 24
"""Three quarters of a second."""
_FAR_UNKNOWN_DBFS = -24.0
"""Before the caller was heard: who never gets louder than this (about −34 dBFS in the mean) may be somebody else."""
_FOLLOW_SOFTER, _FOLLOW_LOUDER = 0.5, 0.25
"""How much of the way to the level of a new turn the caller's level goes: faster down, because a caller who turns quiet must be heard."""


def listen(
    state: State, level_db: NDArray[np.float64], background_db: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Follow the line's usual level, and say which windows are to be disregarded as somebody else's, shape (n,): what the model hears in
    them, and what loudness alone would notice (it knows the line to be free of echoes, so a breath may be as soft as it likes).
    ``level_db`` holds the levels of the windows' frames, shape (frames, n), ``background_db`` the lines' backgrounds, shape (n,)."""
    ambient_db, caller_db = state[row.AMBIENT_DB], state[row.CALLER_DB]
    quiet = state[row.PHASE] == QUIET
    share = quiet / np.minimum(state[row.FLOOR_WINDOWS], _AMBIENT_WINDOWS)
    ambient_db += share * (np.add.reduce(level_db) / level_db.shape[0] - ambient_db)
    alert = state[row.AGENT_SOUNDS] + state[row.AGENT_WAITS] > 0
    peak_db = np.maximum.reduce(level_db) + _LINGER_DB * ~quiet
    stands_out_db = np.where(ambient_db - background_db > _LIVELY_DB, ambient_db + _STANDS_OUT_DB, UNHEARD_DBFS)
    near_db = np.maximum(stands_out_db, caller_db - FAR_DB)
    known = caller_db > UNHEARD_DBFS
    softest_db = np.where(known, np.minimum(_LEAST_DBFS, caller_db - _UNDER_SOFT_CALLER_DB), _LEAST_DBFS)
    return alert & (peak_db < np.maximum(near_db, softest_db)), alert & (peak_db < near_db)


def note_voice(call: State) -> bool:
    """Speech has ended. ``call`` is one column. Remembers how loud it was, and returns whether it may have been the caller's."""
    call[row.VOICE_DB] = max(call[row.VOICE_DB], call[row.PEAK_DB])
    return bool(is_near(call))


def is_near(state: State) -> NDArray[np.bool_]:
    """Whether the present sound has been loud enough to be the caller's, shape (n,); of one column, shape ()."""
    caller_db = state[row.CALLER_DB]
    return np.asarray(state[row.PEAK_DB] >= np.where(caller_db > UNHEARD_DBFS, caller_db - FAR_DB, _FAR_UNKNOWN_DBFS))


def answered(call: State) -> None:
    """What was heard since the last time was a turn of the caller's."""
    voice_db, caller_db = call[row.VOICE_DB], call[row.CALLER_DB]
    call[row.VOICE_DB] = UNHEARD_DBFS
    if voice_db == UNHEARD_DBFS:
        return
    if caller_db == UNHEARD_DBFS:
        call[row.CALLER_DB] = voice_db
    else:
        follow = _FOLLOW_SOFTER if voice_db < caller_db else _FOLLOW_LOUDER
        call[row.CALLER_DB] = caller_db + follow * (voice_db - caller_db)
