"""The ears of all calls: one batched voice-activity inference a beat, and one set of rules that turns probabilities into facts.

Per-call state stands in arrays, one element a slot. Silence and speech are measured in audio time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.media.facts import MediaListener
from antiphon.media.loud_onsets import LoudOnsets
from antiphon.media.settings import HearingSettings
from antiphon.media.slots import NEVER, QUIET_LINE_DBFS, HearingSlots
from antiphon.providers.base import VoiceActivityModel
from antiphon.vocabulary import Encoding

_QUIET, _SOUND, _SPEECH = 0, 1, 2
_MAX_WINDOWS_A_BEAT = 8
"""After a stall, a call catches up at twelve times real time; more at once would make every other call late."""
_BEHIND_WINDOWS = 8
_FLOOR_MARGIN_DB = 9.0
"""A frame this much over the background is voice as far as the end of speech is concerned."""
_FALL_DB = 30.0
_LOWEST_VOICE_DBFS = -55.0
_HANGOVER_WINDOWS = 5
"""How far back loudness may date the end: the model lets go 60 to 160 ms after it."""
_FRAMES_A_WINDOW = 4
"""Loudness is looked at in 8 ms frames: finer than the model's window, so that the end of speech is known better than to 32 ms."""
_REFRESH_WINDOWS = 16
_FLOOR_WINDOWS = 64
"""The background is the quietest window of the last two to four seconds."""


class Ears:
    """All calls of one encoding and rate. Slot numbers are handed out by ``open``."""

    def __init__(self, encoding: Encoding, model: VoiceActivityModel, slots: int = 64) -> None:
        self._encoding = encoding
        self._model = model
        self._sample_bytes = 2 if encoding is Encoding.PCM16 else 1
        self._window_bytes = model.window_samples * self._sample_bytes
        self._behind_bytes = _BEHIND_WINDOWS * self._window_bytes
        self._window_ms = model.window_samples * 1000 // model.rate_hz
        self._frame_ms = self._window_ms // _FRAMES_A_WINDOW
        self._slots = HearingSlots()
        self._loud = LoudOnsets()
        self._pending: list[bytearray] = []
        self._listeners: list[MediaListener | None] = []
        self._report_at_ms: list[tuple[int, ...]] = []
        self._vetoes: list[Callable[[bytes], bool] | None] = []
        self._free: list[int] = []
        self._grow(slots)

    def _grow(self, slots: int) -> None:
        before = len(self._pending)
        self._model.resize(slots)
        self._slots.grow(slots)
        self._loud.grow(slots)
        self._pending += [bytearray() for _ in range(before, slots)]
        self._report_at_ms += [()] * (slots - before)
        self._listeners += [None] * (slots - before)
        self._vetoes += [None] * (slots - before)
        self._free += range(slots - 1, before - 1, -1)

    # ---------------------------------------------------------------------------------- one call

    def open(
        self, listener: MediaListener, settings: HearingSettings, veto: Callable[[bytes], bool] | None = None
    ) -> int:
        """A slot for a call. ``veto(window)`` may say of a window that the model takes for sound that it is our own echo."""
        if not self._free:
            self._grow(len(self._pending) * 2)
        slot = self._free.pop()
        self._model.reset(slot)
        self._listeners[slot] = listener
        self._vetoes[slot] = veto
        self._slots.clear(slot)
        self._loud.clear(slot)
        self.configure(slot, settings)
        return slot

    def configure(self, slot: int, settings: HearingSettings) -> None:
        """New thresholds for a call."""
        self._slots.configure(slot, settings)
        self._report_at_ms[slot] = settings.report_voice_at_ms

    def close(self, slot: int) -> None:
        self._listeners[slot] = None
        self._vetoes[slot] = None
        self._pending[slot] = bytearray()
        self._free.append(slot)

    def feed(self, slot: int, audio: bytes) -> bool:
        """Audio of one call, in order. Returns as ``is_behind``."""
        pending = self._pending[slot]
        pending += audio
        return len(pending) > self._behind_bytes

    def agent_sounds(self, slot: int, sounds: bool) -> None:
        """Whether the agent can be heard now: then a sound is worth noticing early."""
        self._loud.agent_sounds[slot] = sounds

    def is_behind(self, slot: int) -> bool:
        """Whether audio waits that a beat should already have heard."""
        return len(self._pending[slot]) > self._behind_bytes

    def skip_to(self, slot: int, media_ms: int) -> None:
        """Nothing was fed for a while: what comes next stands at ``media_ms``."""
        self._pending[slot].clear()
        self._model.reset(slot)
        self._slots.heard_ms[slot] = media_ms
        self._slots.voice_end_ms[slot] = -1
        self._slots.phase[slot] = _QUIET
        self._slots.report_ms[slot] = NEVER

    def silence_ms(self, slot: int, media_ms: int) -> int | None:
        """Silence since sound or speech ended, given that ``media_ms`` of audio have arrived; None while it goes on or before any."""
        if self._slots.phase[slot] != _QUIET or self._slots.voice_end_ms[slot] < 0:
            return None
        # What waits to be heard may not be silence: only the piece of a window that no beat could have heard is taken for it.
        media_ms = min(media_ms, int(self._slots.heard_ms[slot]) + self._window_ms)
        return int(media_ms - self._slots.voice_end_ms[slot])

    @property
    def calls(self) -> int:
        return len(self._pending) - len(self._free)

    # ---------------------------------------------------------------------------------- all calls

    def beat(self) -> None:
        """Hear every call that has a window ready; tell the listeners what it meant."""
        for _ in range(_MAX_WINDOWS_A_BEAT):
            ready = [slot for slot, pending in enumerate(self._pending) if len(pending) >= self._window_bytes]
            if not ready:
                return
            self._hear(np.array(ready, dtype=np.intp))

    def _hear(self, slots: NDArray[np.intp]) -> None:
        size = self._window_bytes
        raw: list[bytes] = []
        for slot in slots:
            pending = self._pending[slot]
            raw.append(bytes(pending[:size]))
            del pending[:size]
        windows = self._windows_of(b"".join(raw))
        level_db = self._measure_loudness(slots, windows)
        speech = self._model.infer(slots, windows)
        self._veto_echo(slots, speech, raw)
        self._decide(slots, speech, *self._hear_loudness(slots, level_db, raw))

    def _windows_of(self, raw: bytes) -> NDArray[np.float32]:
        """Wire bytes of whole windows as samples, shape (n, window_samples)."""
        return codec.decode_to_float(raw, self._encoding).reshape(-1, self._model.window_samples)

    def _veto_echo(self, slots: NDArray[np.intp], speech: NDArray[np.float32], raw: list[bytes]) -> None:
        """Ask about what would begin a sound, or make it speech. Speech that has been let through is somebody's voice: it is not
        asked about again."""
        undecided = (self._slots.phase[slots] != _SPEECH) & (speech >= self._slots.sound_at[slots])
        for row in np.flatnonzero(undecided):
            veto = self._vetoes[slots[row]]
            if veto is not None and veto(raw[row]):
                speech[row] = 0.0

    def _hear_loudness(
        self, slots: NDArray[np.intp], level_db: NDArray[np.float32], raw: list[bytes]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which windows begin a sound by their loudness alone, and which keep one up."""
        begins, goes_on = self._loud.hear(slots, level_db, self._slots.floor_db[slots], self._slots.heard_ms[slots])
        begins &= self._slots.phase[slots] == _QUIET
        for row in np.flatnonzero(begins):
            veto = self._vetoes[slots[row]]
            if veto is not None and veto(raw[row]):
                begins[row] = False
        return begins, goes_on

    def _measure_loudness(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Follow the background, and note where the last frame clearly above it ended. Returns the frames' levels in dBFS, shape
        (n, frames)."""
        frames = windows.reshape(len(slots), _FRAMES_A_WINDOW, -1)
        level_db: NDArray[np.float32] = (
            10 * np.log10(np.einsum("cfs,cfs->cf", frames, frames) / frames.shape[2] + 1e-9)
        ).astype(np.float32)
        quietest = level_db.min(axis=1)
        # Minimum statistics over two alternating spans: the floor is never younger than two seconds, and costs two numbers a call.
        counted = self._slots.floor_windows[slots]
        turn_over = counted % _FLOOR_WINDOWS == 0
        self._slots.floor_db[slots] = np.where(
            turn_over & (counted > 0), self._slots.floor_next_db[slots], self._slots.floor_db[slots]
        )
        self._slots.floor_next_db[slots] = np.where(
            turn_over, quietest, np.minimum(self._slots.floor_next_db[slots], quietest)
        )
        self._slots.floor_db[slots] = np.minimum(self._slots.floor_db[slots], quietest)
        self._slots.floor_windows[slots] = counted + 1
        peak_db = np.maximum(
            np.where(self._slots.phase[slots] == _QUIET, np.float32(QUIET_LINE_DBFS), self._slots.peak_db[slots]),
            level_db.max(axis=1),
        )
        self._slots.peak_db[slots] = peak_db
        # A voice has ended where it falls 30 dB under its loudest: what follows is the room.
        voice_db = np.maximum(self._slots.floor_db[slots] + _FLOOR_MARGIN_DB, peak_db - _FALL_DB)
        loud = level_db > np.maximum(voice_db, _LOWEST_VOICE_DBFS)[:, None]
        any_loud = loud.any(axis=1)
        last_loud = _FRAMES_A_WINDOW - np.argmax(loud[:, ::-1], axis=1)
        ends = self._slots.heard_ms[slots] + last_loud * self._frame_ms
        self._slots.loud_end_ms[slots] = np.where(any_loud, ends, self._slots.loud_end_ms[slots])
        self._slots.heard_ms[slots] += self._window_ms
        return level_db

    def _decide(
        self,
        slots: NDArray[np.intp],
        speech: NDArray[np.float32],
        loud_begins: NDArray[np.bool_],
        loud_goes_on: NDArray[np.bool_],
    ) -> None:
        """Hysteresis for all; only the calls where something changed cost Python."""
        phase = self._slots.phase[slots]
        heard_ms = self._slots.heard_ms[slots]
        low = np.where(phase == _SPEECH, self._slots.release_at[slots], self._slots.sound_at[slots])
        voiced = speech >= low
        for row in np.flatnonzero(voiced & (self._loud.until_ms[slots] > 0)):
            self._loud.agreed(int(slots[row]))
            self._slots.began_ms[slots[row]] = heard_ms[row] - self._window_ms
        for row in np.flatnonzero(loud_begins & ~voiced):
            self._loud.began(int(slots[row]), int(heard_ms[row]))
        sounding = voiced | loud_begins | loud_goes_on
        self._slots.model_end_ms[slots] = np.where(sounding, heard_ms, self._slots.model_end_ms[slots])
        # The model hangs on for some windows after the voice has ended; loudness knows better, but not by more than that.
        model_end_ms = self._slots.model_end_ms[slots]
        earliest_ms = np.maximum(self._slots.loud_end_ms[slots], model_end_ms - _HANGOVER_WINDOWS * self._window_ms)
        voice_end_ms = np.where(sounding, heard_ms, np.minimum(model_end_ms, earliest_ms))
        self._slots.voice_end_ms[slots] = np.where(
            sounding | (phase != _QUIET), voice_end_ms, self._slots.voice_end_ms[slots]
        )
        silent_ms = heard_ms - self._slots.voice_end_ms[slots]
        begins = sounding & (phase == _QUIET)
        becomes_speech = (speech >= self._slots.speech_at[slots]) & (phase != _SPEECH)
        stops = ~sounding & (phase == _SPEECH) & (silent_ms >= self._slots.stop_ms[slots])
        fades = ~sounding & (phase == _SOUND) & (silent_ms >= self._slots.fade_ms[slots])
        self._refresh(
            slots, sounding | (phase != _QUIET) | (self._slots.loud_end_ms[slots] > heard_ms - self._window_ms)
        )
        continues = sounding & (phase == _SPEECH) & (heard_ms >= self._slots.report_ms[slots])
        for row in np.flatnonzero(begins | becomes_speech | stops | fades | continues):
            self._tell(
                int(slots[row]), bool(begins[row]), bool(becomes_speech[row]), bool(stops[row]), bool(fades[row])
            )

    def _refresh(self, slots: NDArray[np.intp], busy: NDArray[np.bool_]) -> None:
        """Let the model forget, again and again while nothing sounds or is about to. What it remembers of speech that has ended
        makes it slow to
        hear the next:
        with −55 dBFS noise and human speech, the median from acoustic onset to the first window over 0.15 is 134 ms without this and
        38 ms with it
        (90th percentile 283 and 142), and the false onsets in eight minutes of four kinds of noise are none and one."""
        quiet = np.where(busy, 0, self._slots.quiet_windows[slots] + 1)
        self._slots.quiet_windows[slots] = quiet
        for row in np.flatnonzero((quiet > 0) & (quiet % _REFRESH_WINDOWS == 0)):
            self._model.reset(int(slots[row]))

    def _tell(self, slot: int, begins: bool, becomes_speech: bool, stops: bool, fades: bool) -> None:
        listener = self._listeners[slot]
        if listener is None:
            return
        heard_ms = int(self._slots.heard_ms[slot])
        if begins:
            self._slots.phase[slot] = _SOUND
            self._slots.began_ms[slot] = heard_ms - self._window_ms
            listener.sound_started(int(self._slots.began_ms[slot]))
        if becomes_speech:
            self._slots.phase[slot] = _SPEECH
            began_ms = int(self._slots.began_ms[slot])
            self._slots.report_ms[slot] = began_ms + self._next_report(slot, 0)
            listener.speech_started(began_ms)
        elif stops or fades:
            self._slots.phase[slot] = _QUIET
            self._slots.report_ms[slot] = NEVER
            if self._loud.is_alone(slot):
                self._loud.was_wrong(slot, heard_ms)
            ended_ms = int(self._slots.voice_end_ms[slot])
            tell = listener.speech_stopped if stops else listener.sound_faded
            tell(ended_ms, heard_ms - ended_ms)
        elif not begins:
            voice_ms = heard_ms - int(self._slots.began_ms[slot])
            self._slots.report_ms[slot] = heard_ms - voice_ms + self._next_report(slot, voice_ms)
            listener.speech_continued(voice_ms)

    def _next_report(self, slot: int, voice_ms: int) -> int:
        """The voice after which to report that speech goes on, given how much was reported."""
        return next((at_ms for at_ms in self._report_at_ms[slot] if at_ms > voice_ms), voice_ms + 1000)
