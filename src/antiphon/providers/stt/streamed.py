"""A vendor's streaming recogniser as ``SpeechToText``: one lasting connection a call, whatever the vendor's protocol (``wire.py``).

- Audio is kept until the vendor has said final words for it (``kept_audio.py``). After a reconnect it is sent again, so that no word is
  lost; what has been told stays told, so that none is doubled. Words belong to utterances by time (``utterances.py``).
- ``finish`` asks for final words. They are there when the vendor says so, when final words reach the end of the utterance, or when a
  time limit has passed; then what is known is the answer.
- A vendor that says nothing while a caller speaks into an open connection is taken for dead: the connection is replaced.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from antiphon.errors import MalformedMessage, ProviderError, ProviderTimeout
from antiphon.providers.base import (
    DOUBTFUL_PUNCTUATION,
    ExpectedAnswers,
    OnTranscription,
    Partials,
    StreamInterrupted,
    StreamRestored,
    Transcribed,
    TranscriptionEvent,
    TranscriptionFailed,
    TurnSignal,
)
from antiphon.providers.socket import SocketCounts, SocketLimits, VendorSocket
from antiphon.providers.stt.kept_audio import KeptAudio
from antiphon.providers.stt.utterances import MOST_UTTERANCES, Utterance, Utterances
from antiphon.providers.stt.wire import Flushed, Greeted, Rejected, Segment, Told, Turned, Wire
from antiphon.providers.vendor_settings import checked_key, tls_context
from antiphon.providers.websocket import Failure
from antiphon.vocabulary import AudioFormat

log = structlog.get_logger(__name__)

TICK_S = 0.25
PIECE_MS = 80
"""Audio is sent in pieces of this length: vendors recommend 20 to 250 ms (Flux 80), each costs a message. ``finish`` sends the rest."""
IDLE_PIECE_MS = 240
"""While nobody speaks and no words are waited for: each message is a TLS record and a system call, which cost more than what is in it. What
is left is sent with the first frame of an utterance."""
LONGEST_PIECE_MS = 500
_SETTLED_MS = 1500
"""Final words followed by an end of speech are the last ones where our own end of speech comes within this time."""
_SETTLE_S = 0.6
"""After ``finish``, final words without interim ones are taken for all there are."""
_NO_WORDS_S = 1.2
_WORDLESS_MS = 1500
"""See ``_seems_wordless``."""
_IDLE_KEEP_MS = 3000
"""While no utterance waits for words, only what a next one may begin with is kept."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The times that matter of one call's stream."""

    final_timeout_s: float = 3.0
    """After ``finish``, without any message from the vendor: the answer is what is known."""
    recover_timeout_s: float = 10.0
    """After ``finish``, while the connection is down: then the utterance has failed."""
    mute_after_s: float = 5.0
    """Speech goes in, nothing comes out: the connection is replaced."""
    keep_ms: int = 30_000
    """Audio without final words that is kept to be sent again."""


class StreamedSpeechToText(ABC):
    """Implements ``SpeechToText`` for a vendor; a subclass sets the class attributes and makes the wire."""

    name = ""
    formats: tuple[AudioFormat, ...] = ()
    continuous = True
    partials: Partials = "doubtful"
    punctuation = DOUBTFUL_PUNCTUATION
    needs_key = True
    pieces_ms = (PIECE_MS, IDLE_PIECE_MS)

    limits = StreamLimits()
    socket_limits = SocketLimits()

    def __init__(self, api_key: str, ca_file: str) -> None:
        """Raises ConfigurationError."""
        self.api_key = checked_key(api_key) if self.needs_key else api_key
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._streams: set[StreamedTranscription] = set()
        self._ticker: asyncio.Task[None] | None = None
        self.connections = SocketCounts()

    @abstractmethod
    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        """The protocol for one call."""

    async def start(self) -> None:
        """Reads the authorities that certificates are checked by. Nothing is asked of the vendor before a call."""
        self._tls = await asyncio.to_thread(tls_context, self._ca_file)

    async def close(self) -> None:
        for stream in list(self._streams):
            stream.close()
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> StreamedTranscription:
        if audio not in self.formats:
            raise ProviderError(self.name, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")
        if self._tls is None:
            self._tls = tls_context(self._ca_file)
        stream = StreamedTranscription(self, self.wire(audio, answers), audio, on_event, self._streams.discard)
        self._streams.add(stream)
        stream.socket.wake()
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.get_running_loop().create_task(self._tick(), name=f"{self.name}-tick")
        return stream

    def socket_for(self, wire: Wire, owner: StreamedTranscription) -> VendorSocket:
        return VendorSocket(
            self.name, wire.url, wire.headers, owner,
            greets=wire.greets, tls=self._tls, secret=self.api_key, limits=self.socket_limits, counts=self.connections,
        )  # fmt: skip

    async def _tick(self) -> None:
        """One timer for all calls."""
        loop = asyncio.get_running_loop()
        while self._streams:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            for stream in list(self._streams):
                stream.tick(now_s)


class StreamedTranscription:
    """One call. Implements ``SpeechToTextStream``, and ``SocketOwner`` towards its connection."""

    def __init__(
        self,
        engine: StreamedSpeechToText,
        wire: Wire,
        audio: AudioFormat,
        on_event: OnTranscription,
        on_close: Callable[[StreamedTranscription], None],
    ) -> None:
        self._name, self._limits, self._continuous = engine.name, engine.limits, engine.continuous
        self._wire, self._audio = wire, audio
        self._on_event, self._on_close = on_event, on_close
        self._piece_bytes = audio.bytes_for_ms(max(PIECE_MS, wire.smallest_ms))
        self._idle_piece_bytes = max(audio.bytes_for_ms(IDLE_PIECE_MS), self._piece_bytes)
        self._longest_bytes = audio.bytes_for_ms(LONGEST_PIECE_MS)
        self._kept = KeptAudio(audio)
        self._kept_bytes = audio.bytes_for_ms(self._limits.keep_ms)
        self._idle_bytes = audio.bytes_for_ms(min(_IDLE_KEEP_MS, self._limits.keep_ms))
        self._utterances = Utterances()
        self._latest = 0
        self._settled_ms = -1.0
        self._asked: deque[int] = deque(maxlen=MOST_UTTERANCES)
        """Utterances whose final words this connection was asked for, and for which it has not said that they are all."""
        self._answers: ExpectedAnswers | None = None
        self._heard_s = self._sent_s = 0.0
        self._told_s = 0.0
        """When it last said anything of words, be it that there were none. That it took a piece of audio is no such word."""
        self._speaking_since_s: float | None = None
        self._was_ready = self._down = False
        self._closed = False
        self.malformed = 0
        self.socket = engine.socket_for(wire, self)

    # ------------------------------------------------------------------------------------ SpeechToTextStream

    def begin(self, utterance: int) -> None:
        if self._closed:
            return
        if (before := self._utterances.open) is not None:
            self.finish(before.number)
        self.socket.wake()
        if len(self._utterances.waiting) >= MOST_UTTERANCES:
            self._fail(self._utterances.waiting[0], "too many utterances wait for their words")
        self._latest = utterance
        self._utterances.begin(utterance, self._kept.end_ms)
        self._speaking_since_s = None
        if self._answers is not None:
            answers, self._answers = self._answers, None
            if (message := self._wire.expect(answers)) is not None and self.socket.is_ready:
                self.socket.send(message, text=True)

    @property
    def behind(self) -> bool:
        return False  # a vendor takes audio as fast as the network does

    def push(self, audio: bytes) -> None:
        if self._closed or not (self._continuous or self._utterances.open is not None):
            return
        kept = self._kept
        kept.push(audio)
        if kept.end - kept.sent >= self._piece_bytes:
            self._send_due(flush=False)
        kept.bound(self._kept_bytes if self._utterances.waiting else self._idle_bytes)

    def finish(self, utterance: int) -> None:
        heard = self._utterances.open
        if self._closed or heard is None or heard.number != utterance:
            return
        self._utterances.open = None
        heard.end_position = self._kept.end
        heard.end_ms, heard.finished_s = self._kept.end_ms, asyncio.get_running_loop().time()
        given_up = self.socket.problem
        if given_up is not None:
            self._fail(heard, given_up.error.problem)
            return
        settled = not heard.pending and heard.parts and 0 <= heard.end_ms - self._settled_ms <= _SETTLED_MS
        if settled and heard is self._utterances.waiting[0]:
            self._answer(heard)
        elif self.socket.is_ready:
            self._ask_for_finals(heard)

    def expect(self, answers: ExpectedAnswers) -> None:
        self._answers = answers

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._kept.clear()
        self._utterances = Utterances()
        self.socket.close(self._wire.goodbye())
        self._on_event = _nobody  # the call is let go at once, though the closing handshake goes on
        self._on_close(self)

    # ------------------------------------------------------------------------------------------ the audio

    def _send_due(self, *, flush: bool, until: int | None = None) -> None:
        """What has not been sent on this connection, up to a position, in pieces."""
        if not self.socket.is_ready:
            return
        kept = self._kept
        end = kept.end if until is None else until
        if flush:
            least = max(1, self._audio.bytes_for_ms(self._wire.smallest_ms))
        else:
            least = self._piece_bytes if self._utterances.waiting else self._idle_piece_bytes
        while end - kept.sent >= least:
            piece = kept.unsent(end, self._longest_bytes)
            message, text = self._wire.audio(piece)
            if not self.socket.send(message, text=text):
                return
            kept.sent += len(piece)
            self._sent_s = asyncio.get_running_loop().time()
        if self._utterances.open is not None and self._speaking_since_s is None:
            self._speaking_since_s = self._sent_s

    def _ask_for_finals(self, heard: Utterance) -> None:
        self._send_due(flush=True, until=heard.end_position)
        if (message := self._wire.finish(heard.number)) is not None:
            self._asked.append(heard.number)
            self.socket.send(message, text=True)

    # ------------------------------------------------------------------------------------------ the words

    def _hear(self, segment: Segment) -> None:
        self._utterances.hear(segment)
        if segment.timed:
            end_ms = segment.end_ms + self._utterances.base_ms
            if segment.final:
                self._kept.acknowledge(end_ms)
                self._settled_ms = end_ms if segment.closes else -1.0
        for heard in self._utterances.changed():
            self._on_event(Transcribed(heard.number, heard.text, False, language=heard.language))
        if segment.timed:
            suffices = self._wire.interim_suffices
            while (over := self._utterances.reached(segment, interim_suffices=suffices)) is not None:
                self._answer(over)

    def _flushed(self, flushed: Flushed) -> None:
        number = flushed.utterance
        if number is None:
            number = self._asked.popleft() if self._asked else 0
        heard = self._utterances.numbered(number)
        if heard is not None and heard.end_ms is not None:
            self._answer(heard)

    def _answer(self, heard: Utterance) -> None:
        text, words = heard.text, (*heard.words, *heard.pending_words)
        confidence = min(heard.confidences, default=None)
        self._over(heard)
        self._on_event(Transcribed(heard.number, text, True, confidence, words=tuple(words), language=heard.language))

    def _fail(self, heard: Utterance, problem: str) -> None:
        self._over(heard)
        self._on_event(TranscriptionFailed(heard.number, problem))

    def _over(self, heard: Utterance) -> None:
        self._utterances.over(heard, self._kept.end_ms)
        self._speaking_since_s = None
        self._kept.acknowledge(self._utterances.answered_ms)

    # ------------------------------------------------------------------------------------------ SocketOwner

    def opened(self) -> None:
        self._kept.connect()
        self._utterances.connect(self._kept.begins_ms)
        self._settled_ms = -1.0
        self._asked.clear()
        for message in self._wire.opened():
            self.socket.send(message, text=True)

    def ready(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._heard_s, self._told_s, self._sent_s = 0.0, 0.0, now_s
        self._speaking_since_s = None
        if self._down:
            self._down = False
            self._on_event(StreamRestored(round(self._kept.end_ms - self._kept.begins_ms)))
        self._was_ready = True
        for heard in self._utterances.finished():
            heard.finished_s = now_s
            self._ask_for_finals(heard)
        self._send_due(flush=False)

    def message(self, payload: bytes, *, text: bool) -> None:
        if self._closed:
            return
        try:
            told = self._wire.read(payload, text=text)
        except (MalformedMessage, KeyError, TypeError, ValueError, AttributeError):
            self.malformed += 1
            if self.malformed == 1:
                log.warning("recogniser_message_unreadable", provider=self._name)
            return
        # What cannot be read is no sign of life: a vendor that says nothing else is replaced.
        self._heard_s = asyncio.get_running_loop().time()
        self._speaking_since_s = None
        self._take(told)

    def _take(self, told: Sequence[Told]) -> None:
        for each in told:
            if self._closed:
                return
            if isinstance(each, Segment | Flushed):
                self._told_s = self._heard_s
            if isinstance(each, Segment):
                self._hear(each)
            elif isinstance(each, Flushed):
                self._flushed(each)
            elif isinstance(each, Turned):
                if self._latest:
                    self._on_event(TurnSignal(self._latest, each.kind, each.confidence))
            elif isinstance(each, Greeted):
                self.socket.greeted()
            elif isinstance(each, Rejected):
                self._rejected(each)
            else:
                self.socket.fail(each)

    def _rejected(self, rejected: Rejected) -> None:
        for heard in self._utterances.finished():
            if rejected.utterance in (None, heard.number):
                self._fail(heard, rejected.problem)
                return

    def closed_by_vendor(self, code: int, reason: str) -> Failure | None:
        return self._wire.closed(code, reason)

    def interrupted(self, failure: Failure) -> None:
        if self._closed:
            return
        if not self._down and self._was_ready:
            self._on_event(StreamInterrupted(failure.error.problem))
        self._down = True

    def gave_up(self, failure: Failure) -> None:
        if self._closed:
            return
        self._down = True
        self._on_event(StreamInterrupted(failure.error.problem, lasting=True))
        for heard in self._utterances.finished():
            self._fail(heard, failure.error.problem)

    # ------------------------------------------------------------------------------------------ time

    def tick(self, now_s: float) -> None:
        """Deadlines; asked a few times a second."""
        limits, ready = self._limits, self.socket.is_ready
        for heard in self._utterances.finished():
            if self._closed:
                break
            waited_s = now_s - heard.finished_s
            if not ready:
                if waited_s >= limits.recover_timeout_s:
                    self._fail(heard, "the connection was not restored in time")
            elif (heard.parts and not heard.pending and waited_s >= _SETTLE_S) or (
                waited_s >= _NO_WORDS_S and self._seems_wordless(heard)
            ):
                self._answer(heard)
            elif waited_s >= limits.final_timeout_s:
                if self._told_s >= heard.finished_s or heard.text:
                    self._answer(heard)
                elif heard.asked_again:
                    self._fail(heard, "the vendor did not answer in time")
                else:  # another connection may: the audio is still here
                    heard.asked_again = True
                    self._replace("the vendor did not answer in time")
                    return
        if not ready or self._closed:
            return
        since_s = self._speaking_since_s
        if (
            self._wire.talks_back
            and self._utterances.open is not None
            and since_s is not None
            and now_s - since_s >= limits.mute_after_s
        ):
            self._replace("the vendor said nothing while the caller spoke")
        elif self._wire.quiet_after_s and now_s - self._sent_s >= self._wire.quiet_after_s:
            self._sent_s = now_s
            if self._wire.filler:
                self.push(self._wire.filler)
            if (idle := self._wire.idle()) is not None:
                self.socket.send(idle[0], text=idle[1])

    def _seems_wordless(self, heard: Utterance) -> bool:
        """A vendor that says nothing of silence was told of a short sound, and said nothing: a cough. Of longer ones it is asked again."""
        length_ms = (heard.end_ms or 0.0) - heard.begin_ms
        return not self._wire.answers_silence and not heard.text and length_ms < _WORDLESS_MS

    def _replace(self, problem: str) -> None:
        self.socket.fail(Failure(ProviderTimeout(self._name, problem)))


def _nobody(_event: TranscriptionEvent) -> None:
    """Is told what nobody wants to know any more."""
