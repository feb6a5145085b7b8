"""One call's recogniser in a worker process, as the server sees it: what is sent when, and one answer for each utterance.

Live speech is sent as it comes. What comes faster than anybody speaks is a recording: it is decoded in turns, so that others need not wait
for it, and long ones wait for a place where there is little of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from antiphon.errors import ProviderUnavailable
from antiphon.providers.base import ExpectedAnswers, OnTranscription, Transcribed, TranscriptionFailed
from antiphon.providers.stt.places import Places
from antiphon.providers.worker import WorkerPool, WorkerStream
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import AudioFormat

_SEND_MS = 60
"""Audio is handed over in pieces of this length: a third of the work of 20 ms frames. ``finish`` sends what is left at once."""
_AHEAD_MS = 800
"""Audio that is further ahead of the clock than this is not heard from a caller just now: it is a recording, or a network
stood still."""
_SHORT_MS = 3000
"""A longer recording waits for a decoder, of which long ones together have not all: the others are for those who speak."""
_TURN_MS = 200
"""Recordings are decoded in pieces of this length: what live speech may have to wait for, some 20 ms of work."""
_MOST_LATER = 4
"""Utterances that wait while the last word on one before them is awaited."""
_TOO_FAR_BEHIND = "its worker process is too far behind"

_SUPERSEDED = "another utterance began before this one was finished"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Later:
    """An utterance that began before the last word was said on the one before: who speaks in short bursts loses none of them."""

    number: int
    begun_s: float
    audio: bytearray = field(default_factory=bytearray)
    finished: bool = False


class LocalStream:
    """One call's recogniser. Implements ``SpeechToTextStream``. A process hears one utterance of a call at a time.

    When its process dies, the open utterance fails and the next ``begin`` goes to another process. Without any process, utterances fail.
    """

    def __init__(
        self,
        provider: str,
        pool: WorkerPool,
        audio: AudioFormat,
        answers: ExpectedAnswers,
        on_event: OnTranscription,
        max_utterance_ms: int,
        final_timeout_ms: int,
        places: Places | None,
    ) -> None:
        """``places`` are those for long recordings of whatever comes; None where there is room for all."""
        self._provider = provider
        self._pool = pool
        self._places = places
        self._audio = audio
        self._answers = answers
        self._on_event = on_event
        self._max_bytes = audio.bytes_for_ms(max_utterance_ms)
        self._send_bytes = audio.bytes_for_ms(_SEND_MS)
        self._turn_bytes = audio.bytes_for_ms(_TURN_MS)
        self._final_timeout_ms = final_timeout_ms
        self._loop = asyncio.get_running_loop()
        self._utterance: int | None = None
        self._finishing = False
        self._heard_bytes = 0
        self._begun_s = 0.0
        self._begun = False
        """Whether the process knows of the open utterance."""
        self._waits = False
        """Whether it is a long recording that has no decoder yet."""
        self._unsent = bytearray()
        self._later: deque[_Later] = deque()
        self._timeout: asyncio.TimerHandle | None = None
        self._closed = False
        self._stream: WorkerStream | None = None
        with suppress(ProviderUnavailable):  # a call is worth more than its first utterance
            self._connect()

    @property
    def behind(self) -> bool:
        return self._stream is not None and self._stream.behind

    def begin(self, utterance: int) -> None:
        if self._closed:
            return
        awaited = self._utterance is not None and self._finishing and not self._waits
        if (awaited or self._later) and all(each.finished for each in self._later) and len(self._later) < _MOST_LATER:
            self._later.append(_Later(utterance, self._loop.time()))
            return
        for given_up in self._later:
            self._tell_failed(given_up.number, _SUPERSEDED)
        self._later.clear()
        self._fail(_SUPERSEDED)
        self._begin(utterance, self._loop.time())

    def _begin(self, utterance: int, begun_s: float) -> None:
        self._utterance, self._finishing = utterance, False
        self._heard_bytes = 0
        self._begun_s = begun_s
        self._unsent.clear()
        if self._stream is not None and self._stream.behind:  # with what nobody waits for any more
            self._stream.close()
            self._stream = None
        if self._stream is None:
            try:
                self._connect()
            except ProviderUnavailable as unavailable:
                self._fail(unavailable.problem)
                return
        self._begun = self._waits = False
        if self._places is None or self._answers.phrases or self._answers.grammar:
            self._tell_begin()  # decoders of grammars are many, and one is taken early

    def push(self, audio: bytes) -> None:
        if not self._later:
            self._push(audio)
            return
        later = self._later[-1]
        if not later.finished:
            later.audio += audio[: max(self._max_bytes - len(later.audio), 0)]

    def _push(self, audio: bytes) -> None:
        if self._utterance is None or self._finishing:
            return
        room = self._max_bytes - self._heard_bytes
        if room <= 0:
            return
        self._heard_bytes += len(audio)
        self._unsent += audio[:room]
        if len(self._unsent) >= self._send_bytes:
            self._send_audio()

    def finish(self, utterance: int) -> None:
        if self._later and self._later[-1].number == utterance:
            self._later[-1].finished = True
        elif utterance == self._utterance and not self._finishing:
            self._finishing = True
            if not self._waits:
                self._send_rest()
        # Else it has failed already, or was superseded: both have been told.

    def _go_on(self) -> None:
        """With the utterance that waits, if one does, once the one before has its answer."""
        while self._later and self._utterance is None and not self._closed:
            later = self._later.popleft()
            self._begin(later.number, later.begun_s)
            self._push(bytes(later.audio))
            if later.finished:
                self.finish(later.number)

    def expect(self, answers: ExpectedAnswers) -> None:
        self._answers = answers
        if self._stream is not None:
            self._send("expect", {"phrases": answers.phrases, "grammar": answers.grammar})

    def close(self) -> None:
        self._closed = True
        self._utterance = None
        self._later.clear()
        self._stop_timeout()
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _connect(self) -> None:
        self._stream = self._pool.open(self._receive, self._lose)
        self._send("open", {"encoding": self._audio.encoding, "rate_hz": self._audio.rate_hz})
        self.expect(self._answers)

    def _send_audio(self) -> None:
        """Live speech at once. What is ahead is kept until it is whole, or too long to be kept, or the clock has caught up."""
        if self._waits:
            return
        if not self._is_ahead():
            self._send_now()
        elif self._begun:
            self._queue_audio()
        elif self._audio.ms_of(len(self._unsent)) > _SHORT_MS and self._places is not None:
            self._waits = True
            self._places.ask(self, self._take_place)

    def _send_now(self) -> None:
        if self._stream is not None and self._stream.behind:
            self._queue_audio()
            return
        self._tell_begin()
        audio = bytes(self._unsent)
        self._unsent.clear()
        if audio:
            self._send("audio", {}, audio)

    def _queue_audio(self) -> None:
        self._tell_begin()
        audio = bytes(self._unsent)
        self._unsent.clear()
        for start in range(0, len(audio), self._turn_bytes):
            piece = audio[start : start + self._turn_bytes]
            if self._stream is not None and not self._stream.queue("audio", {}, piece):
                self._drop_stream(_TOO_FAR_BEHIND)

    def _take_place(self) -> None:
        """A long recording's turn for a decoder has come."""
        self._waits = False
        self._queue_audio()
        if self._finishing:
            self._send_rest()

    def _send_rest(self) -> None:
        """What is left of the utterance, and that it is over."""
        if self._is_ahead():
            self._queue_audio()
        else:
            self._send_now()
        finish: dict[str, object] = {"utterance": self._utterance}
        if self._stream is not None and self._stream.behind:
            if not self._stream.queue("finish", finish, on_sent=self._await_final):
                self._drop_stream(_TOO_FAR_BEHIND)
            return
        self._send("finish", finish)
        self._await_final()

    def _tell_begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._send("begin", {"utterance": self._utterance})

    def _is_ahead(self) -> bool:
        """Whether more has come than can have been spoken since the utterance began."""
        lasted_ms = (self._loop.time() - self._begun_s) * 1000
        return self._audio.ms_of(self._heard_bytes) > lasted_ms + _AHEAD_MS

    def _await_final(self) -> None:
        if self._utterance is not None:
            self._timeout = self._loop.call_later(self._final_timeout_ms / 1000, self._time_out)

    def _send(self, kind: str, fields: dict[str, object], payload: bytes = b"") -> None:
        if self._stream is not None and not self._stream.send(kind, fields, payload):
            self._drop_stream(_TOO_FAR_BEHIND)

    def _receive(self, frame: Frame) -> None:
        if frame.kind == "error":
            self._drop_stream(frame.fields["problem"])
            return
        utterance = self._utterance
        if utterance is None or frame.fields["utterance"] != utterance:
            return  # of an utterance that was given up
        if frame.kind == "failed":
            self._fail(frame.fields["problem"])
        elif frame.kind == "text":
            fields = frame.fields
            heard = Transcribed(
                utterance, fields["text"], fields["final"], fields["confidence"], fields.get("expected")
            )
            if heard.final:
                self._utterance = None
                self._stop_timeout()
            self._on_event(heard)
            if heard.final:
                self._go_on()

    def _lose(self, problem: str) -> None:
        self._stream = None
        self._fail(problem)

    def _drop_stream(self, problem: str) -> None:
        """After a refused or failed frame the two sides no longer agree on what was heard: start afresh."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._fail(problem)

    def _time_out(self) -> None:
        self._drop_stream(f"no answer within {self._final_timeout_ms} ms")

    def _fail(self, problem: str) -> None:
        """The one answer of the open utterance, if there is one."""
        utterance, self._utterance = self._utterance, None
        self._stop_timeout()
        if utterance is not None:
            self._tell_failed(utterance, problem)
        if self._later:
            self._loop.call_soon(self._go_on)

    def _tell_failed(self, utterance: int, problem: str) -> None:
        log.warning("transcription_failed", provider=self._provider, problem=problem)
        # Later, not now: the session must not be called back from inside its own call.
        self._loop.call_soon(self._tell, TranscriptionFailed(utterance, problem))

    def _tell(self, event: TranscriptionFailed) -> None:
        if not self._closed:
            self._on_event(event)

    def _stop_timeout(self) -> None:
        """The utterance is over: nothing is waited for, and its place is free."""
        if self._places is not None:
            self._places.give_back(self)
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
