"""One call's door to the media plane: audio in (gaps filled, early media kept), audio out, silence watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from antiphon.audio.codec import silence
from antiphon.audio.concealment import REPEAT_MS, conceal
from antiphon.media.ears import Ears
from antiphon.media.facts import AudioTap, MediaListener, Nobody
from antiphon.media.line import AgentLine, CallerLine
from antiphon.media.mouth import NEVER, Mouth
from antiphon.media.overhearing import Overhearing
from antiphon.media.recorder import Recorder
from antiphon.media.settings import HearingSettings
from antiphon.vocabulary import AudioFormat

if TYPE_CHECKING:
    from antiphon.media.plane import MediaPlane

_GAP_TOLERANCE_MS = 15
"""Carriers' timestamps jitter by a few ms; less than this is no hole."""
_STRIDE_MS = 256
"""What a call hears in one beat at most. Audio that comes faster than it was spoken (a file sent at once, a line that was stuck) is heard
in strides of this, so that the recogniser is not ahead of the ears."""
_LONGEST_BACKLOG_MS = 600_000
_LONGEST_WAIT_MS = 10_000
"""Audio that came faster than it was spoken waits for the recogniser so long in one go: twice what an engine of ours takes at most for its
last word."""
_FORGET_MS = 400
"""How often a line that nobody records lets go of what is old."""


@dataclass(slots=True)
class HearingCounters:
    """What went wrong on the way in, summed over the calls that share it."""

    gaps: int = 0
    concealed_ms: int = 0
    jumps: int = 0
    """Holes too long to fill, or time that ran backwards: the time base was moved."""
    early_dropped_ms: float = 0.0
    """Audio that came more than the early-media buffer before anybody listened."""
    backlog_dropped_ms: float = 0.0
    """Audio that came faster than it could be heard, by more than ten minutes."""
    echo_windows: int = 0
    """Windows of our own voice that were not taken for the caller's."""


@lru_cache(maxsize=16)
def _measures(audio: AudioFormat) -> tuple[int, float]:
    """A stride in bytes and a byte in ms: the same two numbers for all calls of a format, so that they are at hand for each message."""
    return audio.bytes_for_ms(_STRIDE_MS), audio.ms_of(1)


class MediaPort:
    """Made by ``MediaPlane.open``. Everything is called on the event loop."""

    __slots__ = (
        "__weakref__",
        "_agent_audio",
        "_agent_line",
        "_arrived",
        "_arrived_bytes",
        "_audio",
        "_backlog",
        "_behind",
        "_behind_at",
        "_counters",
        "_early",
        "_ears",
        "_ears_line",
        "_hears",
        "_in_step",
        "_line",
        "_listener",
        "_ms_per_byte",
        "_muted",
        "_offset_ms",
        "_passes_ears",
        "_plane",
        "_record_at",
        "_recorder",
        "_settings",
        "_slot",
        "_stride_bytes",
        "_tap",
        "_to_ears",
        "_utterance_end_ms",
        "_waits_since_ms",
        "_watch_ms",
        "_watched",
        "agent_sounds",
        "agent_waits",
        "due_ms",
        "mouth",
        "number",
        "wants_beat",
    )

    def __init__(
        self,
        plane: MediaPlane,
        number: int,
        ears: Ears,
        listener: MediaListener,
        line: CallerLine,
        mouth: Mouth,
        recorder: Recorder | None,
        is_echo: Callable[[bytes, int], bool] | None,
        audio: AudioFormat,
        settings: HearingSettings,
        counters: HearingCounters,
        to_ears: Callable[[bytes], bytes] | None,
        agent_line: AgentLine,
        agent_audio: AudioFormat,
    ) -> None:
        self.number = number
        """The plane's own name for this port, never used again."""
        self.due_ms = NEVER
        """When the plane will look at this port at the latest."""
        self.mouth = mouth
        self._plane = plane
        self._ears = ears
        self._listener = listener
        self._line = line
        self._recorder = recorder
        self._audio = audio
        self._settings = settings
        self._counters = counters
        self._to_ears = to_ears
        self._agent_line, self._agent_audio = agent_line, agent_audio
        self._ears_line = line if to_ears is None else ears.new_line()
        """What the ears hear."""
        self._slot = ears.open(self._ears_line, listener, settings, is_echo)
        self._behind_at = ears.behind_from(self._slot)
        """Position on that line from which on the ears may be behind."""
        self._arrived_bytes = 0
        self._record_at = 1
        """Position on the line at which the recording wants some of it."""
        self._backlog = bytearray()
        """Arrived and not heard yet."""
        self._behind = False
        """Whether audio waits that a beat should already have heard."""
        self._muted = False
        self._in_step = False
        """Whether somebody listens for voices, and all that has arrived is heard or will be at the next beat."""
        self._stride_bytes, self._ms_per_byte = _measures(audio)
        self._passes_ears = False
        """Whether what waits goes to the recogniser alone."""
        self._offset_ms = 0.0
        """Stream position minus our own: moved when the stream's time base jumps."""
        self._tap: AudioTap | None = None
        self._early = bytearray()
        self._arrived = False
        self._watch_ms: int | None = None
        self._utterance_end_ms: int | None = None
        self._waits_since_ms: int | None = None
        """Since when what waits has been waiting for the recogniser."""
        self._watched = False
        """Whether either of them is set."""
        self._hears = True
        self.wants_beat = False
        """Whether something waits for the next beat: silence to be measured, or audio to be heard."""
        self.agent_sounds = False
        """Whether the agent could be heard at the last beat."""
        self.agent_waits = False
        """Whether it was silenced then, and would go on."""

    # ---------------------------------------------------------------------------------- in

    def listen(self, tap: AudioTap | None) -> None:
        """From now on ``tap`` gets the caller's audio, beginning with what came early."""
        self._tap = tap
        early, self._early = bytes(self._early), bytearray()
        if early:
            self._take(early)
        self._note_step()

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        """The caller's audio, as ``CallSink.audio``. Called fifty times a second for every call: nearly always it is heard at once."""
        if self._in_step and (
            media_ms is None
            or -_GAP_TOLERANCE_MS
            <= media_ms - self._offset_ms - self._arrived_bytes * self._ms_per_byte
            <= _GAP_TOLERANCE_MS
        ):
            size = len(payload)
            if size <= self._stride_bytes:
                self._arrived_bytes += size
                self._pass_on(payload)
                if self._watched:
                    self._check_silence()
                return
        self._receive(payload, media_ms)

    def _receive(self, payload: bytes, media_ms: int | None) -> None:
        """Audio that comes before anybody listens, after a hole, faster than it was spoken, in large pieces, or push-to-talk."""
        if not self._arrived:
            self._arrived = True
            self._offset_ms = float(media_ms or 0)
            self._listener.audio_arrived()
        if self._tap is None:
            self._keep_early(payload)
            return
        if self._muted:
            payload = silence(self._audio, len(payload) // self._audio.bytes_per_sample)
        if not self._hears and media_ms is None and self._recorder is not None:
            self._recorder.pauses(self._plane.now_ms() - int(self._audio.ms_of(len(payload))))
        if media_ms is not None:
            missing_ms = media_ms - self._offset_ms - self._arrived_bytes * self._ms_per_byte
            if not -_GAP_TOLERANCE_MS <= missing_ms <= _GAP_TOLERANCE_MS:
                self._fill_gap(missing_ms)
        self._take(payload)
        self._note_step()

    def _note_step(self) -> None:
        """Whether what comes next can be heard at once."""
        self._in_step = (
            self._arrived
            and not self._muted
            and self._hears
            and not self._passes_ears
            and self._tap is not None
            and not self._behind
            and not self._backlog
        )

    def _keep_early(self, payload: bytes) -> None:
        if self._slot < 0:
            return  # the call is over
        self._early += payload
        excess = len(self._early) - self._audio.bytes_for_ms(self._settings.early_media_ms)
        if excess > 0:
            self._counters.early_dropped_ms += self._audio.ms_of(excess)
            self._offset_ms += self._audio.ms_of(excess)
            del self._early[:excess]

    def _fill_gap(self, missing_ms: float) -> None:
        if missing_ms < 0 or missing_ms > self._settings.max_gap_fill_ms:
            # Time ran backwards, or so far forward that filling would invent a speech: what comes now simply follows.
            self._counters.jumps += 1
            self._offset_ms += missing_ms
            return
        self._counters.gaps += 1
        self._counters.concealed_ms += int(missing_ms)
        repeated = self._audio.bytes_for_ms(REPEAT_MS)
        before = bytes(self._backlog[-repeated:]) or self._line.since(self._line.end - repeated)
        self._take(conceal(before, int(missing_ms * self._audio.rate_hz / 1000), self._audio))

    def _take(self, audio: bytes) -> None:
        self._arrived_bytes += len(audio)
        if self._behind or self._backlog or len(audio) > self._stride_bytes:
            self._put_off(audio)
        else:
            self._pass_on(audio)
            if self._watched:
                self._check_silence()

    def _pass_on(self, audio: bytes) -> None:
        line = self._line
        line.append(audio)
        if line.end >= self._record_at:
            self._record()
        if self._to_ears is not None and self._hears and not self._passes_ears:
            self._ears_line.append(self._to_ears(audio))
            self._ears_line.forget(self._ears.wanted_from(self._slot))
        if self._ears_line.end >= self._behind_at and self._is_behind():
            self._behind, self._in_step = True, False
            self._want_beat()
        tap = self._tap
        if tap is not None and line.end >= tap.wants_from:
            tap.hear(audio, int((line.end - len(audio)) * self._ms_per_byte))

    def _is_behind(self) -> bool:
        """Whether audio waits that a beat should already have heard. The ears may have heard some of it since ``_behind_at`` was asked."""
        self._behind_at = self._ears.behind_from(self._slot)
        return self._ears_line.end >= self._behind_at

    def _put_off(self, audio: bytes) -> None:
        self._backlog += audio
        self._in_step = False
        self._want_beat()
        if not self._hears:  # push-to-talk: all that is sent is meant, and nothing waits for the ears
            self.catch_up()
            return
        excess = len(self._backlog) - self._audio.bytes_for_ms(_LONGEST_BACKLOG_MS)
        if excess > 0:
            self._counters.backlog_dropped_ms += self._audio.ms_of(excess)
            del self._backlog[:excess]

    def _record(self) -> None:
        # Nothing is forgotten that somebody has still to hear: ears that are behind, or the recording.
        wanted = self._ears.wanted_from(self._slot) if self._to_ears is None and self._slot >= 0 else self._line.end
        if self._recorder is not None:
            self._record_at = self._recorder.look(self._plane.now_ms())
            wanted = min(wanted, self._recorder.taken)
        else:
            self._record_at = self._line.end + self._audio.bytes_for_ms(_FORGET_MS)
        self._line.forget(wanted)

    def _hear_backlog(self, size: int) -> None:
        while self._backlog and size > 0:
            # No more at a time than the line keeps: the recording must have it before.
            audio = bytes(self._backlog[: min(size, self._stride_bytes)])
            del self._backlog[: len(audio)]
            size -= len(audio)
            self._pass_on(audio)  # how long it has been silent is known when the ears have heard this, at the next beat

    @property
    def listener(self) -> MediaListener:
        """Who is told what happens here."""
        return self._listener

    @property
    def backlog_ms(self) -> float:
        """How much audio has arrived and is not heard yet."""
        return len(self._backlog) * self._ms_per_byte

    def hear_out(self, limit_ms: float | None = None) -> bool:
        """All that has arrived is meant (the client says so): the recogniser gets it now, and no voice is looked for in it. At most so much
        of it in one go; returns whether there is more."""
        if self._hears and (self._backlog or self._behind or self._passes_ears):
            self._passes_ears = True
            self._ears.drop(self._slot)
            self._behind = False
            self._hear_backlog(len(self._backlog) if limit_ms is None else self._audio.bytes_for_ms(limit_ms))
            if not self._backlog:
                self._passes_ears = False
                self._skip_to_now()
        self._note_step()
        return bool(self._backlog)

    def _skip_to_now(self) -> None:
        self._ears.skip_to(self._slot, int(self.media_ms))
        self._behind_at = self._ears.behind_from(self._slot)

    def catch_up(self) -> None:
        """Hear all that has arrived, now."""
        self._hear_backlog(len(self._backlog))
        self._note_step()

    def skip_backlog(self) -> None:
        """What has not been heard yet need not be."""
        self._backlog.clear()
        self._note_step()

    def _want_beat(self) -> None:
        self.wants_beat = True
        self._plane.attend(self)

    def beat(self) -> None:
        """Once a beat, after the ears', where it ``wants_beat``."""
        if self._behind:
            self._behind = self._is_behind()
        if self._watched:
            self._check_silence()
        if self._backlog and not self._behind and not self._waits():
            self._hear_backlog(self._stride_bytes)
        self.wants_beat = self._watched or self._behind or bool(self._backlog)
        self._note_step()

    def _waits(self) -> bool:
        """Whether audio that came faster than it was spoken has to wait for the recogniser. Were it not to, the next utterance would begin
        before the words of the last are there, and the silence after it would be over before they can be."""
        if self._tap is None or not self._backlog or not self._tap.busy:
            self._waits_since_ms = None
            return False
        now_ms = self._plane.now_ms()
        if self._waits_since_ms is None:
            self._waits_since_ms = now_ms
        return now_ms - self._waits_since_ms < _LONGEST_WAIT_MS

    def notice_agent(self, sounds: bool, waits: bool) -> None:
        """Whether the agent can be heard from now on; whether it ``waits``, silenced, to go on."""
        self.agent_sounds, self.agent_waits = sounds, waits
        self._ears.agent_sounds(self._slot, sounds, waits)

    def answered(self) -> None:
        """What the caller has said since the last time was a turn."""
        if self._slot >= 0:
            self._ears.answered(self._slot)

    @property
    def media_ms(self) -> float:
        """How much of the caller's audio there has been."""
        return self._arrived_bytes * self._ms_per_byte

    def watch_silence(self, silence_ms: int) -> None:
        """Tell ``silence_reached`` once the silence since sound or speech ended is this long."""
        self._watch_ms = silence_ms
        self._watched = True
        self._want_beat()

    def watch_utterance_end(self, silence_ms: int | None) -> None:
        """Tell ``utterance_ended`` once the silence is this long; None for no more."""
        self._utterance_end_ms = silence_ms
        self._watched = silence_ms is not None or self._watch_ms is not None
        if self._watched:
            self._want_beat()

    def _check_silence(self) -> None:
        silence_ms = self._ears.silence_ms(self._slot, int(self._line.end * self._ms_per_byte))
        if silence_ms is None:
            return
        if self._utterance_end_ms is not None and silence_ms >= self._utterance_end_ms:
            self._utterance_end_ms = None
            self._watched = self._watch_ms is not None
            self._listener.utterance_ended()
        if self._watch_ms is not None and silence_ms >= self._watch_ms and not self._waits():
            self._watch_ms = None
            self._watched = self._utterance_end_ms is not None
            self._listener.silence_reached(silence_ms)

    def hear(self, settings: HearingSettings, *, enabled: bool = True) -> None:
        """New thresholds; ``enabled`` false for push-to-talk, where no voice activity is looked for."""
        if self._slot < 0:
            return  # the call is over, and its slot may be another's
        self._settings = settings
        if enabled and not self._hears:
            self._skip_to_now()
        self._hears = enabled
        if enabled:
            self._note_step()
        else:
            self._ears.drop(self._slot)
            self.catch_up()
        self._ears.configure(self._slot, settings)

    def overhear(self, now_ms: int) -> Overhearing:
        """Both sides of the call from now on, for somebody who only listens."""
        return Overhearing(self._line, self._audio, self._agent_line, self._agent_audio, now_ms)

    def mute(self, muted: bool) -> None:
        """Take silence for what the caller says, or what is said."""
        self._muted = muted
        self._note_step()

    @property
    def records(self) -> bool:
        return self._recorder is not None

    def pause_recording(self, paused: bool, now_ms: int) -> bool:
        """Silence in the recording for what is said from now on, or that itself again. False where that is so already."""
        if self._recorder is None:
            return False
        if paused:
            return self._recorder.pause(now_ms)
        return self._recorder.resume(now_ms, len(self._backlog) + len(self._early))

    # ---------------------------------------------------------------------------------- end

    def close(self) -> None:
        """Free the slot, finish the recording. Safe to call twice."""
        if self._slot >= 0:
            self._plane.forget(self)
            self._ears.close(self._slot)
            self._slot = -1
            self.wants_beat = self.agent_sounds = self.agent_waits = (
                False  # the slot may be another call's before this beat is over
            )
            self._finish_recording()
            self._listener, self._tap, self._in_step = Nobody(), None, False
            self.mouth.close()

    def _finish_recording(self) -> None:
        if self._recorder is None:
            return
        for start in range(0, len(self._backlog), self._stride_bytes):
            self._record()
            self._line.append(bytes(self._backlog[start : start + self._stride_bytes]))
        self._record()
        self._recorder.close()
