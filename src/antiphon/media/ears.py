"""The ears of all calls: one batched voice-activity inference a beat, and one set of rules that turns probabilities into facts.

What is known of each call stands in one table (``slots``). Silence and speech are measured in audio time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.media import loud_onsets, nearness
from antiphon.media import slots as row
from antiphon.media.attention import Attention, is_plain
from antiphon.media.facts import MediaListener
from antiphon.media.line import CallerLine
from antiphon.media.settings import HearingSettings
from antiphon.media.slots import NEVER, QUIET, QUIET_LINE_DBFS, SOUND, SPEECH, HearingSlots, State
from antiphon.providers.base import VoiceActivityModel
from antiphon.vocabulary import AudioFormat, Encoding

_MAX_WINDOWS_A_BEAT = 8
"""After a stall, a call catches up at twelve times real time; more at once would make every other call late."""
_CATCHING_UP = 48
"""Windows beyond the first of a beat, for a second and a half of audio that comes at once; one more each beat. Whoever goes on sending
audio faster than time is heard at three times real time: a window for one call alone costs as much as one for fifty."""
_BEHIND_WINDOWS = 8
_NOT_HEARD = 1 << 62
"""A position that no line reaches."""
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
_TAKEN_BACK_WINDOWS = 4
_HARDLY_SPEECH = 0.2
"""What silenced the agent, and so many windows later has hardly had one that surely was speech, is a sound again: it was noticed for its
loudness, or by a doubtful window. Of 61 recorded coughs, laughs and noises 26 silence the agent, of which 18 go on for so long, and 9 are
taken back; so are 2 of 42 words of interruption and 5 of 222 other words, which silence it anew once they surely are speech."""
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


class Ears:
    """All calls of one encoding and rate. Slot numbers are handed out by ``open``."""

    def __init__(
        self,
        encoding: Encoding,
        model: VoiceActivityModel,
        cut_out: Callable[[MediaListener, Exception], None],
        slots: int = 64,
    ) -> None:
        """``cut_out(listener, error)`` is told of a call that cannot be heard because of a fault of ours; it is not heard any more."""
        self._cut_out = cut_out
        self._attention = Attention(model, encoding)
        self._window_samples = model.window_samples
        self._audio = AudioFormat(encoding, model.rate_hz)
        self._window_bytes = self._audio.bytes_per_sample * model.window_samples
        self._window_ms = model.window_samples * 1000 // model.rate_hz
        self._frame_ms = self._window_ms // _FRAMES_A_WINDOW
        self._slots = HearingSlots()
        self._nothing = self.new_line()
        self._lines: list[CallerLine] = []
        self._due: list[int] = []
        """Where on its line a call's next window ends; ``_NOT_HEARD`` where nobody listens."""
        self._again: list[int] = []
        self._may_catch_up = _CATCHING_UP
        """Calls that have one more window to be heard in this beat."""
        self._listeners: list[MediaListener | None] = []
        self._report_at_ms: list[tuple[int, ...]] = []
        self._vetoes: list[Callable[[bytes, int], bool] | None] = []
        self._free: list[int] = []
        self._grow(slots)

    def _grow(self, slots: int) -> None:
        before = len(self._lines)
        self._attention.resize(slots)
        self._slots.grow(slots)
        self._lines += [self._nothing] * (slots - before)
        self._due += [_NOT_HEARD] * (slots - before)
        self._report_at_ms += [()] * (slots - before)
        self._listeners += [None] * (slots - before)
        self._vetoes += [None] * (slots - before)
        self._free += range(slots - 1, before - 1, -1)

    # ---------------------------------------------------------------------------------- one call

    def new_line(self) -> CallerLine:
        """A line that can be heard, for a call whose own is of another format."""
        return CallerLine(self._audio)

    def open(
        self,
        line: CallerLine,
        listener: MediaListener,
        settings: HearingSettings,
        veto: Callable[[bytes, int], bool] | None = None,
    ) -> int:
        """A slot for a call, which is heard from the end of its ``line`` on. ``veto(window, end)`` may say of a window that the model takes
        for sound, and that ends at this position on the line, that it is our own echo."""
        if not self._free:
            self._grow(len(self._lines) * 2)
        slot = self._free.pop()
        self._attention.reset(slot)
        self._lines[slot], self._due[slot] = line, line.end + self._window_bytes
        self._listeners[slot] = listener
        self._vetoes[slot] = veto
        self._slots.clear(slot)
        self.configure(slot, settings)
        return slot

    def configure(self, slot: int, settings: HearingSettings) -> None:
        """New thresholds for a call."""
        self._slots.configure(slot, settings)
        self._report_at_ms[slot] = settings.report_voice_at_ms

    def close(self, slot: int) -> None:
        self._listeners[slot] = None
        self._vetoes[slot] = None
        self.drop(slot)
        self._lines[slot] = self._nothing
        self._free.append(slot)

    def agent_sounds(self, slot: int, sounds: bool, waits: bool = False) -> None:
        """Whether the agent can be heard now: then a sound is worth noticing early, and must be near. ``waits``: it has been silenced, and
        would go on."""
        self._slots.table[row.AGENT_SOUNDS, slot] = sounds
        self._slots.table[row.AGENT_WAITS, slot] = waits

    def answered(self, slot: int) -> None:
        """What was said since the last time was a turn: now it is known how loud the caller is."""
        nearness.answered(self._slots.table[:, slot])

    def behind_from(self, slot: int) -> int:
        """The position on its line from which on this call is behind: a beat should already have heard some of what waits there."""
        return self._due[slot] + _BEHIND_WINDOWS * self._window_bytes

    def wanted_from(self, slot: int) -> int:
        """The position on its line from which on a call's audio is still to be heard; beyond the line's end where nothing is."""
        return self._due[slot] - self._window_bytes

    def skip_to(self, slot: int, media_ms: int) -> None:
        """Nothing was heard for a while: what comes next on the line stands at ``media_ms``."""
        self.drop(slot)
        self._due[slot] = self._lines[slot].end + self._window_bytes
        self._attention.reset(slot)
        call = self._slots.table[:, slot]
        call[row.HEARD_MS] = media_ms
        call[row.VOICE_END_MS] = -1
        call[row.PHASE] = QUIET
        call[row.REPORT_MS] = NEVER

    def drop(self, slot: int) -> None:
        """What waits shall not be heard, nor what comes."""
        self._due[slot] = _NOT_HEARD
        if slot in self._again:
            self._again.remove(slot)

    def silence_ms(self, slot: int, media_ms: int) -> int | None:
        """Silence since sound or speech ended, given that ``media_ms`` of audio have arrived; None while it goes on or before any."""
        table = self._slots.table
        voice_end_ms = table[row.VOICE_END_MS, slot]
        if table[row.PHASE, slot] != QUIET or voice_end_ms < 0:
            return None
        # What waits to be heard may not be silence: only the piece of a window that no beat could have heard is taken for it.
        return int(min(media_ms, table[row.HEARD_MS, slot] + self._window_ms) - voice_end_ms)

    @property
    def calls(self) -> int:
        return len(self._lines) - len(self._free)

    # ---------------------------------------------------------------------------------- all calls
    #
    # What stands here is done once for all calls: its price is the number of numpy's calls, not of ours. Hence ``ufunc.reduce`` and
    # ``nonzero``, which are one call each where ``max``, ``mean`` and ``flatnonzero`` are three to five.

    def beat(self) -> None:
        """Hear every call that has a window ready; tell the listeners what it meant."""
        if not self.calls:
            return
        # To ask all lines once a beat costs half of being told by each of them whenever its window is whole.
        ready = [
            slot
            for slot, line, due in zip(range(len(self._due)), self._lines, self._due, strict=True)
            if line.end >= due
        ]
        self._may_catch_up = min(self._may_catch_up + 1, _CATCHING_UP)
        for further in range(_MAX_WINDOWS_A_BEAT):
            if not ready or (further and not self._may_catch_up):
                return
            self._may_catch_up -= further > 0
            self._again = []
            self._hear(ready)
            ready = self._again

    def _hear(self, ready: list[int]) -> None:
        raw = self._next_windows(ready)
        try:
            told = self._listen(ready, raw)
        except Exception as error:
            self._listen_singly(ready, raw, error)
            return
        for number, *changes in told:
            self._tell_guarded(ready[number], *changes)

    def _listen_singly(self, ready: list[int], raw: list[bytes], error: Exception) -> None:
        """One call's fault must not make all the others deaf: the windows are heard one by one, and whoever raises is cut out. Raises
        ``error`` where nobody can be heard: then it is no call's fault."""
        failed: list[tuple[int, Exception]] = []
        for slot, window in zip(ready, raw, strict=True):
            try:
                told = self._listen([slot], [window])
            except Exception as fault:
                failed.append((slot, fault))
            else:
                for _, *changes in told:
                    self._tell_guarded(slot, *changes)
        if len(failed) == len(ready) > 1:
            raise error
        for slot, problem in failed:
            self._cut(slot, problem)

    def _cut(self, slot: int, fault: Exception) -> None:
        listener = self._listeners[slot]
        self.drop(slot)
        if listener is not None:
            self._listeners[slot] = None
            self._cut_out(listener, fault)

    def _listen(self, ready: list[int], raw: list[bytes]) -> list[tuple[int, bool, bool, bool, bool, bool]]:
        """Hear one window of each of these calls. Returns what has changed, as ``_decide``."""
        slots = np.array(ready, dtype=np.intp)
        windows = codec.decode_to_float(b"".join(raw), self._audio.encoding).reshape(-1, self._window_samples)
        state = self._slots.take(slots)
        level_db = _levels_of(windows)
        background_db = self._measure_loudness(state, level_db)
        over_db = level_db - background_db
        speech = self._attention.infer(slots, windows, raw, is_plain(state, over_db, background_db))
        sure_at = self._sure_at(state, np.add.reduce(over_db) / _FRAMES_A_WINDOW)
        loud_begins, loud_goes_on = loud_onsets.hear(state, level_db, background_db)
        far, far_and_loud = nearness.listen(state, level_db, background_db)
        speech[far] = 0.0
        loud_begins &= ~far_and_loud
        self._veto_echo(ready, state, speech, sure_at, loud_begins, raw)
        told = self._decide(state, speech, sure_at, loud_begins, loud_goes_on)
        forgetful = self._refresh(state)
        # What listeners do may change the table, even whose column it is: it must be in order before.
        self._slots.put(slots, state)
        for number in forgetful:
            self._attention.reset(ready[number])
        return told

    def _next_windows(self, ready: list[int]) -> list[bytes]:
        size, lines, dues = self._window_bytes, self._lines, self._due
        raw: list[bytes] = []
        for slot in ready:
            line, due = lines[slot], dues[slot]
            raw.append(line.piece(due - size, size))
            dues[slot] = due = due + size
            if line.end >= due:
                self._again.append(slot)
        return raw

    def _sure_at(self, state: State, over_db: NDArray[np.float64]) -> NDArray[np.float64]:
        """How sure the model must be that a window is voice, shape (n,). ``over_db`` is the window's level over its background."""
        phase, voice_end_ms = state[row.PHASE], state[row.VOICE_END_MS]
        silent_ms = np.where(voice_end_ms >= 0, state[row.HEARD_MS] - voice_end_ms, NEVER)
        aftermath = (phase == QUIET) & (silent_ms < _AFTERMATH_MS) & (over_db < _AFTERMATH_DB)
        return np.asarray(np.where((phase == SPEECH) | aftermath, state[row.RELEASE_AT], state[row.SOUND_AT]))

    def _veto_echo(
        self,
        ready: list[int],
        state: State,
        speech: NDArray[np.float32],
        sure_at: NDArray[np.float64],
        loud_begins: NDArray[np.bool_],
        raw: list[bytes],
    ) -> None:
        """Ask about what would begin a sound, by the model or by loudness, or make it speech. Speech that has been let through is
        somebody's voice: it is not asked about again."""
        doubtful = ((speech >= sure_at) & (state[row.PHASE] != SPEECH)) | loud_begins
        for number in doubtful.nonzero()[0]:
            slot = ready[number]
            veto = self._vetoes[slot]
            if veto is not None and veto(raw[number], self._due[slot] - self._window_bytes):
                speech[number] = 0.0
                loud_begins[number] = False

    def _measure_loudness(self, state: State, level_db: NDArray[np.float64]) -> NDArray[np.float64]:
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
        ends = state[row.HEARD_MS] + last_loud * self._frame_ms
        state[row.LOUD_END_MS] = np.where(last_loud > 0, ends, state[row.LOUD_END_MS])
        state[row.HEARD_MS] += self._window_ms
        is_new = state[row.FLOOR_WINDOWS] <= _FLOOR_WINDOWS
        return np.asarray(np.where(is_new, state[row.FLOOR_NEXT_DB], floor_db))

    def _decide(
        self,
        state: State,
        speech: NDArray[np.float32],
        sure_at: NDArray[np.float64],
        loud_begins: NDArray[np.bool_],
        loud_goes_on: NDArray[np.bool_],
    ) -> list[tuple[int, bool, bool, bool, bool, bool]]:
        """Hysteresis for all. Returns the calls where something has changed, by number, and what: a sound begins, becomes speech; speech
        stops, a sound fades, speech was none; none of them where speech only goes on and that is to be reported."""
        phase, heard_ms, voice_end_ms = state[row.PHASE], state[row.HEARD_MS], state[row.VOICE_END_MS]
        quiet, speaking = phase == QUIET, phase == SPEECH
        voiced = speech >= sure_at
        self._note_agreement(state, voiced, loud_begins)
        self._count_speech(state, speech)
        sounding = voiced | loud_begins | loud_goes_on
        model_end_ms = np.where(sounding, heard_ms, state[row.MODEL_END_MS])
        state[row.MODEL_END_MS] = model_end_ms
        # The model hangs on for some windows after the voice has ended; loudness knows better, but not by more than that.
        earliest_ms = np.maximum(state[row.LOUD_END_MS], model_end_ms - _HANGOVER_WINDOWS * self._window_ms)
        ends_ms = np.where(sounding, heard_ms, np.minimum(model_end_ms, earliest_ms))
        voice_end_ms = np.where(sounding | ~quiet, ends_ms, voice_end_ms)
        state[row.VOICE_END_MS] = voice_end_ms
        silent_ms = heard_ms - voice_end_ms
        begins = sounding & quiet
        becomes_speech = self._is_speech(state, speech) & ~speaking
        stops = ~sounding & speaking & (silent_ms >= state[row.STOP_MS])
        fades = ~sounding & (phase == SOUND) & (silent_ms >= state[row.FADE_MS])
        was_none = self._was_none(state, sounding & speaking)
        continues = sounding & speaking & (heard_ms >= state[row.REPORT_MS]) & nearness.is_near(state)
        busy = sounding | ~quiet | (state[row.LOUD_END_MS] > heard_ms - self._window_ms)
        state[row.QUIET_WINDOWS] = np.where(busy, 0, state[row.QUIET_WINDOWS] + 1)
        changed = (begins | becomes_speech | stops | fades | was_none | continues).nonzero()[0]
        kinds = (begins[changed], becomes_speech[changed], stops[changed], fades[changed], was_none[changed])
        return list(zip(changed.tolist(), *(kind.tolist() for kind in kinds), strict=True))

    def _is_speech(self, state: State, speech: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which windows are speech for sure. While the agent speaks that silences it, and a sound that has gone on for a while without
        being speech (the burst of a cough, a laugh's breath) must be taken for it some windows in a row: its voiced end is no word."""
        age_ms = state[row.HEARD_MS] - state[row.SINCE_MS]
        doubtful = (
            (state[row.AGENT_SOUNDS] + state[row.AGENT_WAITS] > 0) & (state[row.PHASE] == SOUND) & (age_ms > _FRESH_MS)
        )
        speech_at = state[row.SPEECH_AT]
        sure = speech >= np.where(doubtful, np.maximum(speech_at, _VERY_SURE), speech_at)
        state[row.SURE_WINDOWS] = run = np.where(sure, state[row.SURE_WINDOWS] + 1, 0)
        return np.asarray(sure & (~doubtful | (run >= _SURE_WINDOWS)))

    def _count_speech(self, state: State, speech: NDArray[np.float32]) -> None:
        """How much of the present sound's voice is surely speech: of a cough's or a laugh's, little is."""
        so_far = state[row.PHASE] != QUIET
        state[row.VOICE_WINDOWS] = so_far * state[row.VOICE_WINDOWS] + (speech >= state[row.RELEASE_AT])
        state[row.SPEECH_WINDOWS] = so_far * state[row.SPEECH_WINDOWS] + (speech >= _VERY_SURE)

    def _was_none(self, state: State, goes_on: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where that for which the agent was silenced, and which ``goes_on``, turns out not to be speech."""
        state[row.AS_SPEECH_WINDOWS] = windows = (state[row.PHASE] == SPEECH) * (state[row.AS_SPEECH_WINDOWS] + 1)
        hardly = state[row.SPEECH_WINDOWS] < _HARDLY_SPEECH * state[row.VOICE_WINDOWS]
        return np.asarray(goes_on & (state[row.AGENT_WAITS] > 0) & (windows >= _TAKEN_BACK_WINDOWS) & hardly)

    def _note_agreement(self, state: State, voiced: NDArray[np.bool_], loud_begins: NDArray[np.bool_]) -> None:
        """Whether the model hears what loudness began, and where loudness begins alone."""
        for number in (voiced & (state[row.ALONE_UNTIL_MS] > 0)).nonzero()[0]:
            call = state[:, number]
            loud_onsets.agreed(call)
            call[row.BEGAN_MS] = call[row.HEARD_MS] - self._window_ms
        for number in (loud_begins & ~voiced).nonzero()[0]:
            loud_onsets.began(state[:, number])

    def _refresh(self, state: State) -> list[int]:
        """Whose model is to forget now: again and again while nothing sounds or is about to. What it remembers of speech that has ended
        makes it slow to hear the next: with −55 dBFS noise and human speech, the median from acoustic onset to the first window over
        0.15 is 134 ms without this and 38 ms with it (90th percentile 283 and 142), and the false onsets in eight minutes of four
        kinds of noise are none and one."""
        quiet = state[row.QUIET_WINDOWS]
        due: list[int] = ((quiet > 0) & (quiet % _REFRESH_WINDOWS == 0)).nonzero()[0].tolist()
        return due

    def _tell_guarded(
        self, slot: int, begins: bool, becomes_speech: bool, stops: bool, fades: bool, was_none: bool
    ) -> None:
        try:
            self._tell(slot, begins, becomes_speech, stops, fades, was_none)
        except Exception as fault:
            self._cut(slot, fault)

    def _tell(self, slot: int, begins: bool, becomes_speech: bool, stops: bool, fades: bool, was_none: bool) -> None:
        listener = self._listeners[slot]
        if listener is None:
            return
        # A listener may change the table: everything is written down before anybody is told.
        call = self._slots.table[:, slot]
        heard_ms = int(call[row.HEARD_MS])
        if begins:
            call[row.PHASE] = SOUND
            call[row.BEGAN_MS] = call[row.SINCE_MS] = heard_ms - self._window_ms
        began_ms = int(call[row.BEGAN_MS])
        if becomes_speech:
            call[row.PHASE] = SPEECH
            call[row.REPORT_MS] = began_ms + self._next_report(slot, 0)
        elif stops or fades:
            call[row.PHASE] = QUIET
            call[row.REPORT_MS] = NEVER
            if call[row.ALONE_UNTIL_MS]:
                loud_onsets.was_wrong(call)
            silence_ms = heard_ms - int(call[row.VOICE_END_MS])
            ended_ms = max(heard_ms - silence_ms, began_ms)  # loudness may date the end of a faint sound before it
            if stops:
                self._tell_stopped(call, listener, ended_ms, silence_ms)
            else:
                listener.sound_faded(ended_ms, silence_ms)
        elif was_none:
            call[row.PHASE] = SOUND
            call[row.SURE_WINDOWS] = 0
            call[row.REPORT_MS] = NEVER
            self._tell_stopped(call, listener, heard_ms, 0)
            listener.sound_started(began_ms)
        elif not begins:
            call[row.REPORT_MS] = began_ms + self._next_report(slot, heard_ms - began_ms)
            listener.speech_continued(heard_ms - began_ms)
        if begins:
            listener.sound_started(began_ms)
        if becomes_speech:
            listener.speech_started(began_ms)

    def _tell_stopped(self, call: State, listener: MediaListener, ended_ms: int, silence_ms: int) -> None:
        speech_share = float(call[row.SPEECH_WINDOWS] / max(call[row.VOICE_WINDOWS], 1.0))
        listener.speech_stopped(ended_ms, silence_ms, nearness.note_voice(call), speech_share)

    def _next_report(self, slot: int, voice_ms: int) -> int:
        """The voice after which to report that speech goes on, given how much was reported."""
        return next((at_ms for at_ms in self._report_at_ms[slot] if at_ms > voice_ms), voice_ms + 1000)


def _levels_of(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """The levels of the windows' frames in dBFS, shape (frames, n)."""
    frames = windows.reshape(windows.shape[0], _FRAMES_A_WINDOW, -1)
    power = np.vecdot(frames, frames).T.astype(np.float64)
    return np.asarray(10 * np.log10(power / frames.shape[2] + 1e-9))
