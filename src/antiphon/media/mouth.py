"""The mouth of one call: paced playout with a small lead, hold and resume at the sample, and nothing from dead replies.

Audio arrives as fast as a voice makes it and leaves in real time plus a lead. The reply's audio is kept until it has been heard, so
that a hold
can be taken back. One reply is in the mouth at a time; audio that names another one is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from antiphon.audio import codec
from antiphon.media.facts import MediaListener, Nobody
from antiphon.media.playhead import Playhead
from antiphon.media.room_tone import RoomTone
from antiphon.media.settings import PlayoutSettings
from antiphon.transports.base import CallTransport
from antiphon.vocabulary import AudioFormat

_TRIM_MS = 500
"""Heard audio is let go in steps of this much."""
_TRIM_MARGIN_MS = 1000
_MAX_MARKS = 64
_HANDOVER_STEP_MS = 1000
"""To a client that plays by itself more is handed over in steps of this much: fifty messages a second would be pacing, which it does not
need."""
NEVER = 1 << 62


@dataclass(slots=True)
class MouthCounters:
    """What went wrong, summed over the calls that share it."""

    dropped_dead_ms: float = 0.0
    """Audio of replies that were no longer alive."""
    dropped_overflow_ms: float = 0.0
    """Audio beyond the longest reply."""
    late_marks: int = 0
    """Replies whose end mark never came; the clock decided."""


class Mouth:
    """``now_ms`` everywhere is the session clock."""

    __slots__ = (
        "__weakref__",
        "_audio",
        "_bytes_per_ms",
        "_bytes_per_sample",
        "_counters",
        "_end_mark_sent",
        "_ended",
        "_lead_is_full",
        "_lead_ms",
        "_listener",
        "_mark_serial",
        "_marks",
        "_muted",
        "_next_mark_ms",
        "_on_change",
        "_on_silenced",
        "_on_sound",
        "_open",
        "_origin_ms",
        "_playhead",
        "_samples_per_ms",
        "_settings",
        "_soft",
        "_speech",
        "_started",
        "_step_ms",
        "_transport",
        "held",
        "reply",
        "room",
        "sounds_until_ms",
        "wake_ms",
    )

    def __init__(
        self,
        audio: AudioFormat,
        transport: CallTransport,
        listener: MediaListener,
        settings: PlayoutSettings,
        counters: MouthCounters,
        on_sound: Callable[[bytes, int], None],
        on_silenced: Callable[[int], None],
        on_change: Callable[[], None],
        audio_ahead_ms: int | None = None,
    ) -> None:
        """``audio_ahead_ms`` is the lead where the transport is not paced; None for none.
        ``on_sound(audio, starts_ms)`` is told what will sound from when on; ``on_silenced(now_ms)`` that everything after now
        will not; ``on_change()`` that the next beat must look at ``wake_ms`` and ``sounds_until_ms`` again."""
        self._audio = audio
        self._transport = transport
        self._listener = listener
        self._settings = settings
        self._lead_ms = settings.lead_ms if transport.paced else audio_ahead_ms
        self._step_ms = 0 if transport.paced else min(_HANDOVER_STEP_MS, (audio_ahead_ms or 0) // 2)
        self._counters = counters
        self._on_sound = on_sound
        self._on_silenced = on_silenced
        self._on_change = on_change
        self._bytes_per_sample = audio.bytes_per_sample
        self._samples_per_ms = audio.rate_hz / 1000
        self._bytes_per_ms = self._samples_per_ms * self._bytes_per_sample
        self.room: RoomTone | None = None
        """What is heard behind the agent."""
        self.reply = 0
        """The reply in the mouth; 0 for none."""
        self._speech = bytearray()
        self._origin_ms = 0.0
        """Position of the first byte of ``_speech``."""
        self._playhead = Playhead()
        self._open = False
        self.held = False
        """Whether a reply waits, silenced, to go on."""
        self._soft = False
        """Whether what is sent is turned down."""
        self._muted = False
        self._ended = False
        self._started = False
        self._lead_is_full = False
        """Whether nothing but time lets more be sent."""
        self._marks: dict[str, float] = {}
        self._mark_serial = 0
        self._next_mark_ms = 0.0
        self._end_mark_sent = False
        self.wake_ms = NEVER
        """When the beat must look after this mouth next. What happens before calls ``beat`` itself."""
        self.sounds_until_ms = 0
        """When the sound in flight will have ended; past where nothing is in flight."""

    # ---------------------------------------------------------------------------------- from the session

    def prepare(self, reply: int) -> None:
        """A new reply will speak; whatever is left of the one before is gone."""
        if reply == self.reply:
            return
        self.reply = reply
        self._speech.clear()
        self._origin_ms = 0.0
        self._playhead.restart(0.0)
        self._open = self.held = self._soft = self._ended = self._started = self._end_mark_sent = self._lead_is_full = (
            False
        )
        self._marks.clear()
        self._next_mark_ms = 0.0
        self.wake_ms, self.sounds_until_ms = NEVER, 0
        self._on_change()

    def speak(self, reply: int, audio: bytes, now_ms: int) -> None:
        """More of a reply's audio: whole samples in the outbound format."""
        if reply != self.reply:
            self._counters.dropped_dead_ms += self._audio.ms_of(len(audio))
            return
        room = int(self._settings.max_reply_ms * self._bytes_per_ms) - len(self._speech)
        if len(audio) > room:
            self._counters.dropped_overflow_ms += self._audio.ms_of(len(audio) - max(room, 0))
            audio = audio[: max(room, 0)]
        self._speech += audio
        if not self._lead_is_full:  # a voice is faster than the ear: most of what it makes waits, and changes nothing
            self.beat(now_ms)

    def start(self, reply: int, now_ms: int) -> None:
        """The reply may be heard."""
        if reply == self.reply:
            self._open = True
            self.beat(now_ms)

    def end_speech(self, reply: int, now_ms: int) -> None:
        """No more audio will come; report when all of it was played."""
        if reply == self.reply:
            self._ended = True
            self.beat(now_ms)

    def hold(self, reply: int, now_ms: int) -> int:
        """Silence now. Returns what was heard of the reply, in ms."""
        if reply != self.reply:
            return 0
        heard_ms = self._take_back(now_ms)
        self.held, self._soft = True, False
        self.wake_ms, self.sounds_until_ms = NEVER, 0
        self._on_change()
        return int(heard_ms)

    def _take_back(self, now_ms: int) -> float:
        """Nothing that was sent and not heard will be; it can be sent again. Returns what was heard of the reply, in ms."""
        heard_ms = self._playhead.heard_ms(now_ms)
        if self._playhead.ahead_ms(now_ms) > 0 or self._marks:
            self._transport.clear()
            self._on_silenced(now_ms)
            if self.room is not None:
                self.room.silenced(now_ms)
        self._lead_is_full = False
        self._marks.clear()
        self._end_mark_sent = False
        self._playhead.restart(heard_ms)
        return heard_ms

    def soften(self, reply: int, now_ms: int, *, soft: bool = True) -> None:
        """Speak more softly from now on, or as before (``soft`` false). The wire has no volume, and the far side holds up to the lead of
        audio that is too loud by now: it is taken back and sent again. Where the client plays at its own pace nothing changes."""
        if reply != self.reply or self.held or self._soft is soft or not self._transport.paced:
            return
        self._soft = soft
        if self._started:
            self._take_back(now_ms)
            self._next_mark_ms = self._playhead.sent_ms
            self.beat(now_ms)

    def resume(self, reply: int, now_ms: int) -> None:
        """Go on at the sample last heard, as loud as before."""
        self.soften(reply, now_ms, soft=False)
        if reply == self.reply and self.held:
            self.held = False
            self._next_mark_ms = self._playhead.sent_ms
            self.beat(now_ms)

    def stop(self, reply: int, now_ms: int) -> None:
        """Silence for good; the reply is dead."""
        if reply == self.reply:
            if not self.held:
                self.hold(reply, now_ms)
            self.prepare(0)

    def surround(self, loop: bytes | None) -> None:
        """What is heard behind the agent from now on, over and over, in the outbound format; None for nothing. Where the client plays at
        its own pace nothing is."""
        if loop is None or not self._transport.paced:
            self.room = None
        else:
            self.room = RoomTone(loop, self._audio, self._transport, self._on_sound, self._on_silenced)
        self._on_change()

    @property
    def sounds_alone(self) -> bool:
        """Whether ``sound`` is heard when it is told."""
        return self._transport.paced

    def speaks(self, now_ms: int) -> bool:
        """Whether something of a reply is being heard, or waits to be."""
        return self.held or self.sounds_until_ms > now_ms or (self.busy and self._unsent_bytes() > 0)

    def sound(self, audio: bytes, now_ms: int) -> None:
        """Let something be heard that is no speech, at once: whole samples, while nothing ``speaks``."""
        if self.room is not None:
            audio = self.room.under(audio, now_ms, now_ms)
        self._transport.send_audio(audio)
        self._on_sound(audio, now_ms)

    def mute(self, muted: bool) -> None:
        """Send silence in the place of what is said, from the next message on."""
        self._muted = muted

    def close(self) -> None:
        """The call is over: nothing more is said, and nobody is told."""
        self._on_change = _nothing
        self.room = None
        self.prepare(0)
        self._listener = Nobody()

    # ---------------------------------------------------------------------------------- from the far side

    def marked(self, name: str, now_ms: int) -> bool:
        """A mark came back. False for one that is not awaited (flushed by a clear, unknown, or twice)."""
        position_ms = self._marks.pop(name, None)
        if position_ms is None:
            return False
        if self._playhead.marked(position_ms, now_ms):
            self.wake_ms = now_ms
            self._on_change()
        if self._ended and not self._marks and self._end_mark_sent and self._unsent_bytes() == 0:
            self._finish(int(position_ms))
        return True

    # ---------------------------------------------------------------------------------- from the beat

    @property
    def busy(self) -> bool:
        """Whether the beat must look after this mouth."""
        return self.reply != 0 and self._open and not self.held

    def heard_ms(self, now_ms: int) -> int:
        return int(self._playhead.heard_ms(now_ms))

    def sound_room(self, now_ms: int) -> int:
        """Let be heard what is behind the agent, where it is silent. Returns when to look again."""
        if self.room is None:
            return NEVER
        more_comes = not self._ended or self._unsent_bytes() > 0
        return self.room.beat(now_ms, self.sounds_until_ms, more_comes=more_comes)

    def beat(self, now_ms: int) -> None:
        """Send what is due, and say when to look again."""
        if self._step_ms and self._lead_is_full and now_ms < self.wake_ms:
            return
        self.wake_ms = NEVER
        self._lead_is_full = False
        if not self.busy:
            return
        unsent = self._send_due(self._unsent_bytes(), now_ms)
        if self._ended and not unsent:
            self._look_for_end(now_ms)
        self._on_change()

    def _unsent_bytes(self) -> int:
        return len(self._speech) - self._offset(self._playhead.sent_ms)

    def _offset(self, position_ms: float) -> int:
        return round((position_ms - self._origin_ms) * self._samples_per_ms) * self._bytes_per_sample

    def _send_due(self, unsent: int, now_ms: int) -> int:
        """Returns how many bytes are left."""
        settings, reply, lead_ms = self._settings, self.reply, self._lead_ms
        message_ms = settings.message_ms if self._started else settings.first_message_ms
        while unsent:
            ahead_ms = self._playhead.ahead_ms(now_ms)
            if lead_ms is not None and ahead_ms + message_ms > lead_ms:
                self.wake_ms = int(now_ms + ahead_ms + message_ms - lead_ms) + self._step_ms
                self._lead_is_full = True
                break
            # A short rest waits for company, unless the speech is over or the far side is about to run dry.
            if not self._ended and unsent < settings.first_message_ms * self._bytes_per_ms and ahead_ms > message_ms:
                self.wake_ms = int(now_ms + ahead_ms - message_ms)
                break
            size = min(unsent, self._audio.bytes_for_ms(message_ms))
            at = len(self._speech) - unsent
            self._send(bytes(self._speech[at : at + size]), now_ms, int(now_ms + ahead_ms))
            unsent -= size
            message_ms = settings.message_ms
            if self.held or self.reply != reply:  # whoever was told that it can be heard has silenced it
                break
        return unsent

    def _send(self, audio: bytes, now_ms: int, starts_ms: int) -> None:
        playhead = self._playhead
        if self._soft:
            audio = codec.turned_down(audio, self._audio.encoding, self._settings.soften_db)
        if self._muted:
            audio = codec.silence(self._audio, len(audio) // self._bytes_per_sample)
        if self.room is not None:
            audio = self.room.under(audio, starts_ms, now_ms)
        self._transport.send_audio(audio)
        self._on_sound(audio, starts_ms)
        playhead.sent(self._audio.ms_of(len(audio)), now_ms)
        self.sounds_until_ms = playhead.due_at_ms(playhead.sent_ms)
        if self._transport.marks and playhead.sent_ms >= self._next_mark_ms:
            self._mark(now_ms)
        if playhead.sent_ms - self._origin_ms > _TRIM_MARGIN_MS + _TRIM_MS:
            self._trim(now_ms)
        if not self._started:
            self._started = True
            self._listener.playback_started(self.reply)

    def _mark(self, now_ms: int) -> None:
        self._mark_serial += 1
        name = f"r{self.reply}:{self._playhead.sent_ms:.0f}ms:{self._mark_serial}"
        if len(self._marks) >= _MAX_MARKS:
            self._marks.pop(next(iter(self._marks)))
        self._marks[name] = self._playhead.sent_ms
        self._next_mark_ms = self._playhead.sent_ms + self._settings.mark_every_ms
        self._transport.send_mark(name)

    def _trim(self, now_ms: int) -> None:
        # A late mark may set the playhead back by a second; that second must still be here.
        gone_ms = self._playhead.heard_ms(now_ms) - _TRIM_MARGIN_MS
        if gone_ms - self._origin_ms > _TRIM_MS:
            cut = self._offset(gone_ms)
            del self._speech[:cut]
            self._origin_ms += self._audio.ms_of(cut)

    def _look_for_end(self, now_ms: int) -> None:
        """All has been sent: wait for the end mark, or for the clock where there are no marks or they fail."""
        if not self._transport.paced:
            self._finish(int(self._playhead.sent_ms))
            return
        heard_ms = self._playhead.heard_ms(now_ms)
        if self._transport.marks and self._started:
            if not self._end_mark_sent:
                if not self._marks or next(reversed(self._marks.values())) != self._playhead.sent_ms:
                    self._mark(now_ms)
                self._end_mark_sent = True
            give_up_ms = self._playhead.due_at_ms(self._playhead.sent_ms) + self._settings.mark_timeout_ms
            if now_ms < give_up_ms:
                self.wake_ms = give_up_ms
                return
            self._counters.late_marks += 1
        if heard_ms >= self._playhead.sent_ms:
            self._finish(int(heard_ms))
        else:
            self.wake_ms = self._playhead.due_at_ms(self._playhead.sent_ms)

    def _finish(self, heard_ms: int) -> None:
        reply = self.reply
        self.prepare(0)
        self._listener.playback_finished(reply, heard_ms)


def _nothing() -> None:
    """What a change in a mouth that is closed means."""
