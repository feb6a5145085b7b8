"""From probabilities to facts: where a sound begins, becomes speech, stops or fades, for all calls at once.

Each function works on whole rows of the table (``slots``). Its price is the number of numpy's calls, not of ours: hence ``ufunc.reduce``
and ``nonzero``, which are one call each where ``max``, ``mean`` and ``flatnonzero`` are three to five.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from antiphon.media import loud_onsets, nearness
from antiphon.media import slots as row
from antiphon.media.slots import NEVER, QUIET, QUIET_LINE_DBFS, SOUND, SPEECH, State

_FLOOR_MARGIN_DB = 9.0
"""A frame this much over the background is voice as far as the end of speech is concerned."""
_FALL_DB = 30.0
_LOWEST_VOICE_DBFS = -55.0
_FRESH_MS = 128
"""A word is known for speech within so long of its first sound, in nine of ten cases within 96 ms …"""
_SURE_WINDOWS = 3
_VERY_SURE = 0.9
"""… and what becomes speech later must be taken for it as surely as this, so many windows in a row, while the agent speaks. Of 61
recorded coughs, laughs and noises over −55 dBFS of hiss 19 become speech by it, and 30 at the usual threshold; no turn, word or digit of
266 is noticed later in the median or at the 95th percentile (hiss of −55 to −35 dBFS, speech of −20 to −35)."""
_PLAIN = 0.7
_PLAIN_WINDOWS = 2
"""A sound that has just begun silences the agent at once where it is taken for speech with so much sureness, else with the second window
in a row. Of the 61 sounds above 26 did so at their first doubtful window, and 19 do; no word or turn of 276 is missed by it, and they
are noticed 0, 32 and 64 ms later in the median, at the 90th and the 95th percentile, in which the agent is soft already."""
_TAKEN_BACK_WINDOWS = 4
_HARDLY_SPEECH = 0.2
"""What silenced the agent, and so many windows later has hardly had one that surely was speech, is a sound again: it was noticed for its
loudness, or by doubtful windows. Of 61 recorded coughs, laughs and noises 19 silence the agent, and 8 of them are taken back; so are 1 of
42 words of interruption and 7 of 233 other words and phrases, which silence it anew once they surely are speech."""
_HANGOVER_WINDOWS = 5
"""How far back loudness may date the end: the model lets go 60 to 160 ms after it."""
_AFTERMATH_MS = 500
_AFTERMATH_DB = 4.0
"""For so long after a sound, on a line no more than this over its background (a hiss is 2.5 dB over its quietest frames), a sound begins
only where the model is as sure as it must be to go on: its memory of a voice may rise over the lower threshold once more. On human
speech with noise of −90 to −35 dBFS two false sounds of three are gone, each of which kept a turn open for 100 ms; of 374 beginnings of
speech 24 are noticed later, by one to four windows, and none is missed.
"""
_FRAMES_A_WINDOW = 4
"""Loudness is looked at in 8 ms frames: finer than the model's window, so that the end of speech is known better than to 32 ms."""
_REFRESH_WINDOWS = 16
_FLOOR_WINDOWS = 64
"""The background is the quietest window of the last two to four seconds."""
_FRAME_NUMBERS = np.arange(1, _FRAMES_A_WINDOW + 1)[:, None]


class Change(NamedTuple):
    """What has changed in one call. Nothing of it is true where speech only goes on and that is to be reported."""

    number: int
    """Of the call, among those that were heard."""
    begins: bool
    becomes_speech: bool
    stops: bool
    fades: bool
    was_none: bool
    """What was taken for speech goes on, and is a sound."""


def levels_of(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """The levels of the windows' frames in dBFS, shape (frames, n)."""
    frames = windows.reshape(windows.shape[0], _FRAMES_A_WINDOW, -1)
    power = np.vecdot(frames, frames).T.astype(np.float64)
    return np.asarray(10 * np.log10(power / frames.shape[2] + 1e-9))


def follow_loudness(state: State, level_db: NDArray[np.float64], window_ms: int) -> NDArray[np.float64]:
    """Follow the background, and note where the last frame clearly above it ended. Returns the background as far as it is known, shape
    (n,): in a call's first seconds that is the quietest frame so far."""
    quietest = np.minimum.reduce(level_db)
    # Minimum statistics over two alternating spans: the floor is never younger than two seconds, and costs two numbers a call.
    counted, next_db = state[row.FLOOR_WINDOWS], state[row.FLOOR_NEXT_DB]
    turn_over = counted % _FLOOR_WINDOWS == 0
    before_db = np.where(turn_over & (counted > 0), next_db, state[row.FLOOR_DB])
    floor_db = np.minimum(before_db, quietest, out=state[row.FLOOR_DB])
    state[row.FLOOR_NEXT_DB] = np.where(turn_over, quietest, np.minimum(next_db, quietest))
    state[row.FLOOR_WINDOWS] += 1
    peak_db = np.where(state[row.PHASE] == QUIET, QUIET_LINE_DBFS, state[row.PEAK_DB])
    np.maximum(peak_db, np.maximum.reduce(level_db), out=peak_db)
    state[row.PEAK_DB] = peak_db
    # A voice has ended where it falls 30 dB under its loudest: what follows is the room.
    voice_db = np.maximum(np.maximum(floor_db + _FLOOR_MARGIN_DB, peak_db - _FALL_DB), _LOWEST_VOICE_DBFS)
    last_loud = np.maximum.reduce((level_db > voice_db) * _FRAME_NUMBERS)
    ends = state[row.HEARD_MS] + last_loud * (window_ms // _FRAMES_A_WINDOW)
    state[row.LOUD_END_MS] = np.where(last_loud > 0, ends, state[row.LOUD_END_MS])
    state[row.HEARD_MS] += window_ms
    is_new = state[row.FLOOR_WINDOWS] <= _FLOOR_WINDOWS
    return np.asarray(np.where(is_new, state[row.FLOOR_NEXT_DB], floor_db))


def sure_at(state: State, over_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """How sure the model must be that a window is voice, shape (n,). ``over_db`` is the window's level over its background."""
    phase, voice_end_ms = state[row.PHASE], state[row.VOICE_END_MS]
    silent_ms = np.where(voice_end_ms >= 0, state[row.HEARD_MS] - voice_end_ms, NEVER)
    aftermath = (phase == QUIET) & (silent_ms < _AFTERMATH_MS) & (over_db < _AFTERMATH_DB)
    return np.asarray(np.where((phase == SPEECH) | aftermath, state[row.RELEASE_AT], state[row.SOUND_AT]))


def decide(
    state: State,
    speech: NDArray[np.float32],
    sure_at: NDArray[np.float64],
    loud_begins: NDArray[np.bool_],
    loud_goes_on: NDArray[np.bool_],
    window_ms: int,
) -> list[Change]:
    """Hysteresis for all: ``speech`` is how sure the model is of each window, shape (n,). Returns the calls where something has changed."""
    phase, heard_ms, voice_end_ms = state[row.PHASE], state[row.HEARD_MS], state[row.VOICE_END_MS]
    quiet, speaking = phase == QUIET, phase == SPEECH
    voiced = speech >= sure_at
    _note_agreement(state, voiced, loud_begins, window_ms)
    _count_speech(state, speech)
    sounding = voiced | loud_begins | loud_goes_on
    model_end_ms = np.where(sounding, heard_ms, state[row.MODEL_END_MS])
    state[row.MODEL_END_MS] = model_end_ms
    # The model hangs on for some windows after the voice has ended; loudness knows better, but not by more than that.
    earliest_ms = np.maximum(state[row.LOUD_END_MS], model_end_ms - _HANGOVER_WINDOWS * window_ms)
    ends_ms = np.where(sounding, heard_ms, np.minimum(model_end_ms, earliest_ms))
    voice_end_ms = np.where(sounding | ~quiet, ends_ms, voice_end_ms)
    state[row.VOICE_END_MS] = voice_end_ms
    silent_ms = heard_ms - voice_end_ms
    begins = sounding & quiet
    becomes_speech = _is_speech(state, speech) & ~speaking
    stops = ~sounding & speaking & (silent_ms >= state[row.STOP_MS])
    fades = ~sounding & (phase == SOUND) & (silent_ms >= state[row.FADE_MS])
    was_none = _was_none(state, sounding & speaking)
    continues = sounding & speaking & (heard_ms >= state[row.REPORT_MS]) & nearness.is_near(state)
    busy = sounding | ~quiet | (state[row.LOUD_END_MS] > heard_ms - window_ms)
    state[row.QUIET_WINDOWS] = np.where(busy, 0, state[row.QUIET_WINDOWS] + 1)
    changed = (begins | becomes_speech | stops | fades | was_none | continues).nonzero()[0]
    kinds = (begins[changed], becomes_speech[changed], stops[changed], fades[changed], was_none[changed])
    return list(map(Change, changed.tolist(), *(kind.tolist() for kind in kinds)))


def _is_speech(state: State, speech: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which windows are speech for sure. While the agent speaks that silences it: a sound that begins must be plainly speech, or be
    taken for it twice; and one that has gone on for a while without being speech (the burst of a cough, a laugh's breath) for longer
    and with more sureness: its voiced end is no word."""
    age_ms = state[row.HEARD_MS] - state[row.SINCE_MS]
    silences = state[row.AGENT_SOUNDS] + state[row.AGENT_WAITS] > 0
    late = silences & (state[row.PHASE] == SOUND) & (age_ms > _FRESH_MS)
    speech_at = state[row.SPEECH_AT]
    sure = speech >= np.where(late, np.maximum(speech_at, _VERY_SURE), speech_at)
    state[row.SURE_WINDOWS] = run = np.where(sure, state[row.SURE_WINDOWS] + 1, 0)
    wanted = np.where(late, _SURE_WINDOWS, np.where(silences & (speech < _PLAIN), _PLAIN_WINDOWS, 1))
    return np.asarray(sure & (run >= wanted))


def _count_speech(state: State, speech: NDArray[np.float32]) -> None:
    """How much of the present sound's voice is surely speech: of a cough's or a laugh's, little is."""
    so_far = state[row.PHASE] != QUIET
    state[row.VOICE_WINDOWS] = so_far * state[row.VOICE_WINDOWS] + (speech >= state[row.RELEASE_AT])
    state[row.SPEECH_WINDOWS] = so_far * state[row.SPEECH_WINDOWS] + (speech >= _VERY_SURE)


def _was_none(state: State, goes_on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where that for which the agent was silenced, and which ``goes_on``, turns out not to be speech."""
    state[row.AS_SPEECH_WINDOWS] = windows = (state[row.PHASE] == SPEECH) * (state[row.AS_SPEECH_WINDOWS] + 1)
    hardly = state[row.SPEECH_WINDOWS] < _HARDLY_SPEECH * state[row.VOICE_WINDOWS]
    return np.asarray(goes_on & (state[row.AGENT_WAITS] > 0) & (windows >= _TAKEN_BACK_WINDOWS) & hardly)


def _note_agreement(state: State, voiced: NDArray[np.bool_], loud_begins: NDArray[np.bool_], window_ms: int) -> None:
    """Whether the model hears what loudness began, and where loudness begins alone."""
    for number in (voiced & (state[row.ALONE_UNTIL_MS] > 0)).nonzero()[0]:
        call = state[:, number]
        loud_onsets.agreed(call)
        call[row.BEGAN_MS] = call[row.HEARD_MS] - window_ms
    for number in (loud_begins & ~voiced).nonzero()[0]:
        loud_onsets.began(state[:, number])


def forgetful(state: State) -> list[int]:
    """Whose model is to forget now: again and again while nothing sounds or is about to. What it remembers of speech that has ended
    makes it slow to hear the next: with −55 dBFS noise and human speech, the median from acoustic onset to the first window over
    0.15 is 134 ms without this and 38 ms with it (90th percentile 283 and 142), and the false onsets in eight minutes of four
    kinds of noise are none and one."""
    quiet = state[row.QUIET_WINDOWS]
    due: list[int] = ((quiet > 0) & (quiet % _REFRESH_WINDOWS == 0)).nonzero()[0].tolist()
    return due
