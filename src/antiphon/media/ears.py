"""The ears of all calls: one batched voice-activity inference a beat, and one set of rules (``hysteresis``) that turns probabilities into
facts.

What is known of each call stands in one table (``slots``). Silence and speech are measured in audio time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.media import hysteresis, loud_onsets, nearness
from antiphon.media import slots as row
from antiphon.media.attention import Attention, is_plain
from antiphon.media.facts import MediaListener
from antiphon.media.hysteresis import Change
from antiphon.media.line import CallerLine
from antiphon.media.settings import HearingSettings
from antiphon.media.slots import NEVER, QUIET, SOUND, SPEECH, HearingSlots, State
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
            changes = self._listen(ready, raw)
        except Exception as error:
            self._listen_singly(ready, raw, error)
            return
        for change in changes:
            self._tell_guarded(ready[change.number], change)

    def _listen_singly(self, ready: list[int], raw: list[bytes], error: Exception) -> None:
        """One call's fault must not make all the others deaf: the windows are heard one by one, and whoever raises is cut out. Raises
        ``error`` where nobody can be heard: then it is no call's fault."""
        failed: list[tuple[int, Exception]] = []
        for slot, window in zip(ready, raw, strict=True):
            try:
                changes = self._listen([slot], [window])
            except Exception as fault:
                failed.append((slot, fault))
            else:
                for change in changes:
                    self._tell_guarded(slot, change)
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

    def _listen(self, ready: list[int], raw: list[bytes]) -> list[Change]:
        """Hear one window of each of these calls. Returns what has changed."""
        slots = np.array(ready, dtype=np.intp)
        windows = codec.decode_to_float(b"".join(raw), self._audio.encoding).reshape(-1, self._window_samples)
        state = self._slots.take(slots)
        level_db = hysteresis.levels_of(windows)
        background_db = hysteresis.follow_loudness(state, level_db, self._window_ms)
        over_db = level_db - background_db
        speech = self._attention.infer(slots, windows, raw, is_plain(state, over_db, background_db))
        sure_at = hysteresis.sure_at(state, np.add.reduce(over_db) / len(over_db))
        loud_begins, loud_goes_on = loud_onsets.hear(state, level_db, background_db)
        far, far_and_loud = nearness.listen(state, level_db, background_db)
        speech[far] = 0.0
        loud_begins &= ~far_and_loud
        self._veto_echo(ready, state, speech, sure_at, loud_begins, raw)
        changes = hysteresis.decide(state, speech, sure_at, loud_begins, loud_goes_on, self._window_ms)
        forgetful = hysteresis.forgetful(state)
        # What listeners do may change the table, even whose column it is: it must be in order before.
        self._slots.put(slots, state)
        for number in forgetful:
            self._attention.reset(ready[number])
        return changes

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

    def _tell_guarded(self, slot: int, change: Change) -> None:
        try:
            self._tell(slot, change)
        except Exception as fault:
            self._cut(slot, fault)

    def _tell(self, slot: int, change: Change) -> None:
        listener = self._listeners[slot]
        if listener is None:
            return
        # A listener may change the table: everything is written down before anybody is told.
        call = self._slots.table[:, slot]
        heard_ms = int(call[row.HEARD_MS])
        if change.begins:
            call[row.PHASE] = SOUND
            call[row.BEGAN_MS] = call[row.SINCE_MS] = heard_ms - self._window_ms
        began_ms = int(call[row.BEGAN_MS])
        if change.becomes_speech:
            call[row.PHASE] = SPEECH
            call[row.REPORT_MS] = began_ms + self._next_report(slot, 0)
        elif change.stops or change.fades:
            call[row.PHASE] = QUIET
            call[row.REPORT_MS] = NEVER
            if call[row.ALONE_UNTIL_MS]:
                loud_onsets.was_wrong(call)
            silence_ms = heard_ms - int(call[row.VOICE_END_MS])
            ended_ms = max(heard_ms - silence_ms, began_ms)  # loudness may date the end of a faint sound before it
            if change.stops:
                self._tell_stopped(call, listener, ended_ms, silence_ms)
            else:
                listener.sound_faded(ended_ms, silence_ms)
        elif change.was_none:
            call[row.PHASE] = SOUND
            call[row.SURE_WINDOWS] = 0
            call[row.REPORT_MS] = NEVER
            self._tell_stopped(call, listener, heard_ms, 0)
            listener.sound_started(began_ms)
        elif not change.begins:
            call[row.REPORT_MS] = began_ms + self._next_report(slot, heard_ms - began_ms)
            listener.speech_continued(heard_ms - began_ms)
        if change.begins:
            listener.sound_started(began_ms)
        if change.becomes_speech:
            listener.speech_started(began_ms)

    def _tell_stopped(self, call: State, listener: MediaListener, ended_ms: int, silence_ms: int) -> None:
        speech_share = float(call[row.SPEECH_WINDOWS] / max(call[row.VOICE_WINDOWS], 1.0))
        listener.speech_stopped(ended_ms, silence_ms, nearness.note_voice(call), speech_share)

    def _next_report(self, slot: int, voice_ms: int) -> int:
        """The voice after which to report that speech goes on, given how much was reported."""
        return next((at_ms for at_ms in self._report_at_ms[slot] if at_ms > voice_ms), voice_ms + 1000)
