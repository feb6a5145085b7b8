"""All calls of this process, on one beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from itertools import count
from pathlib import Path

import structlog

from antiphon.audio.convert import converter
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError
from antiphon.losses import Losses
from antiphon.media.beat import Beat
from antiphon.media.ears import Ears
from antiphon.media.echo_guard import EchoGuard
from antiphon.media.facts import MediaListener
from antiphon.media.line import AgentLine, CallerLine
from antiphon.media.mouth import NEVER, Mouth, MouthCounters
from antiphon.media.port import HearingCounters, MediaPort
from antiphon.media.recorder import Recorder, RecordingWriter
from antiphon.media.settings import HearingSettings, PlayoutSettings
from antiphon.providers.base import VoiceActivityModel
from antiphon.transports.base import CallTransport
from antiphon.vocabulary import AudioFormat, Encoding

log = structlog.get_logger(__name__)


class MediaPlane:
    """Owns the beat, the ears and the recordings' thread."""

    def __init__(
        self,
        clock: Clock,
        vad: Mapping[int, Callable[[], VoiceActivityModel]],
        playout: PlayoutSettings | None = None,
        losses: Losses | None = None,
    ) -> None:
        """``vad`` makes a voice-activity model for a sample rate; one is made per encoding and rate in use."""
        self._clock = clock
        self._vad = vad
        self._playout = playout or PlayoutSettings()
        self._ears: dict[tuple[Encoding, int], Ears] = {}
        self._ports: dict[int, MediaPort] = {}
        self._serial = count()
        self._awake: set[MediaPort] = set()
        """Calls that the next beat must look at. Of most calls nothing is due at most beats: those cost nothing."""
        self._due: list[tuple[int, int]] = []
        """A heap: when to look at which call, by its number. A call that is over, or was looked at meanwhile, may still stand here."""
        self.cut_out = 0
        """Calls that were ended because their part of a beat raised."""
        self.beat = Beat(self.on_beat)
        self.recordings = RecordingWriter(losses)
        self.hearing_counters = HearingCounters()
        self.mouth_counters = MouthCounters()

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def start(self) -> None:
        """Start the beat. The common ears are made now, so that the first call does not wait for the model."""
        if 8000 in self._vad:
            self._ears_for(Encoding.MULAW, 8000)
        self.recordings.start()
        self.beat.start()

    def prepare(self, audio: AudioFormat) -> None:
        """Calls of this format will come: make the model that hears them now, not within the first one. Raises as ``open``."""
        self._hearing_for(audio)

    def close(self) -> None:
        self.beat.stop()
        for port in list(self._ports.values()):
            port.close()
        self.recordings.close()

    @property
    def calls(self) -> int:
        return len(self._ports)

    def open(
        self,
        listener: MediaListener,
        transport: CallTransport,
        format_in: AudioFormat,
        format_out: AudioFormat,
        hearing: HearingSettings,
        recording: Path | None = None,
        line: CallerLine | None = None,
        audio_ahead_ms: int | None = None,
    ) -> MediaPort:
        """A call's port. ``line`` will carry what is heard, for whoever shares it. ``audio_ahead_ms``: how far ahead of its playing audio
        leaves where the transport is not paced; None for as it comes. Raises ConfigurationError for a format that cannot be
        heard. A recording that cannot be made is logged; the call goes on."""
        ears, to_ears = self._hearing_for(format_in)
        line = line or CallerLine(format_in)
        agent = AgentLine(format_out)
        recorder = self._recorder(recording, line, format_in, agent, format_out)
        guard = None
        if transport.paced:
            guard = EchoGuard(format_in, format_out, line, agent, self.hearing_counters)
            guard.clock = self._clock

        def on_sound(audio: bytes, starts_ms: int) -> None:
            if recorder is not None:
                recorder.speaks(starts_ms)
            elif guard is None:
                return  # nobody will ask
            agent.sound(audio, starts_ms)

        number = next(self._serial)

        def on_change() -> None:
            if number in self._ports:
                self.attend(self._ports[number])

        mouth = Mouth(
            format_out, transport, listener, self._playout, self.mouth_counters, on_sound, agent.silenced, on_change,
            audio_ahead_ms,
        )  # fmt: skip
        port = MediaPort(
            self, number, ears, listener, line, mouth, recorder, guard.is_echo if guard is not None else None, format_in,
            hearing, self.hearing_counters, to_ears, agent, format_out,
        )  # fmt: skip
        self._ports[number] = port
        return port

    def forget(self, port: MediaPort) -> None:
        self._ports.pop(port.number, None)
        self._awake.discard(port)

    def attend(self, port: MediaPort) -> None:
        """Something about this call has changed: the next beat shall look at it."""
        self._awake.add(port)

    def on_beat(self) -> None:
        """One beat: hear everybody, then let everybody speak."""
        for ears in self._ears.values():
            ears.beat()
        now_ms = self._clock.now_ms()
        due, ports = self._due, self._ports
        while due and due[0][0] <= now_ms:
            at_ms, number = heappop(due)
            if (port := ports.get(number)) is not None:
                self._awake.add(port)
                if at_ms == port.due_ms:
                    port.due_ms = NEVER
        for port in tuple(self._awake):
            if port.number in ports:  # it was closed by what happened to the ones before
                try:
                    self._look_at(port, now_ms)
                except Exception as fault:
                    self._cut(port, fault)

    def _cut(self, port: MediaPort, fault: Exception) -> None:
        """One call's fault must not stop the heart of all the others: this one ends."""
        self.forget(port)
        self._cut_out(port.listener, fault)
        try:
            port.close()
        except Exception:
            log.exception("media_close_failed")

    def _cut_out(self, listener: MediaListener, fault: Exception) -> None:
        self.cut_out += 1
        log.error("call_cut_out_of_the_beat", exc_info=fault)
        try:
            listener.media_failed(fault)
        except Exception:
            log.exception("media_close_failed")

    def _look_at(self, port: MediaPort, now_ms: int) -> None:
        if port.wants_beat:
            port.beat()
        mouth = port.mouth
        if now_ms >= mouth.wake_ms:
            mouth.beat(now_ms)
        sounds = now_ms < mouth.sounds_until_ms
        if sounds is not port.agent_sounds or mouth.held is not port.agent_waits:
            port.notice_agent(sounds, mouth.held)
        if not port.wants_beat:
            self._awake.discard(port)
        next_ms = min(mouth.wake_ms, mouth.sounds_until_ms) if sounds else mouth.wake_ms
        next_ms = min(next_ms, mouth.sound_room(now_ms))
        if next_ms < port.due_ms:
            port.due_ms = next_ms
            heappush(self._due, (next_ms, port.number))

    def _ears_for(self, encoding: Encoding, rate_hz: int) -> Ears:
        key = (encoding, rate_hz)
        if key not in self._ears:
            self._ears[key] = Ears(encoding, self._vad[rate_hz](), self._cut_out)
        return self._ears[key]

    def _hearing_for(self, audio: AudioFormat) -> tuple[Ears, Callable[[bytes], bytes] | None]:
        """Never resample unless the model needs it: 8 and 16 kHz are heard as they are, other rates at 16 kHz."""
        if audio.rate_hz in self._vad:
            return self._ears_for(audio.encoding, audio.rate_hz), None
        if 16000 not in self._vad or audio.rate_hz < 8000:
            raise ConfigurationError(
                "format_in", f"{audio.rate_hz} Hz cannot be heard; 8000, 16000, 24000 and 48000 can"
            )
        return self._ears_for(Encoding.PCM16, 16000), converter(audio, AudioFormat(Encoding.PCM16, 16000))

    def _recorder(
        self, path: Path | None, line: CallerLine, format_in: AudioFormat, agent: AgentLine, format_out: AudioFormat
    ) -> Recorder | None:
        if path is None:
            return None
        try:
            return Recorder(path, line, format_in, agent, format_out, self.recordings)
        except OSError:
            return None  # counted and told by the writer
