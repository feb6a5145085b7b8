"""A vendor's streaming recogniser as ``SpeechToText``: one lasting connection a call, whatever the vendor's protocol (``wire.py``).

- Audio is kept until the vendor has said final words for it. After a reconnect it is sent again, so that no word is lost; what has
  been told stays told and what comes again for that time is left out, so that none is doubled. What is kept is bounded.
- A vendor that hears all audio knows no utterances of ours: words belong to them by time. Voice-activity detection opens an utterance
  a moment after its speech began, so words from shortly before still belong to it.
- ``finish`` asks for final words. They are there when the vendor says so, when final words reach the end of the utterance, or when a
  time limit has passed; then what is known is the answer.
- A vendor that says nothing while a caller speaks into an open connection is taken for dead: the connection is replaced.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from antiphon.errors import MalformedMessage, ProviderError, ProviderTimeout
from antiphon.providers.base import (
    DOUBTFUL_PUNCTUATION,
    ExpectedAnswers,
    HeardWord,
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
from antiphon.providers.stt.wire import Flushed, Greeted, Rejected, Segment, Told, Turned, Wire
from antiphon.providers.vendor_settings import checked_key, tls_context
from antiphon.providers.websocket import Failure
from antiphon.vocabulary import AudioFormat

log = structlog.get_logger(__name__)

TICK_S = 0.25
LEAD_MS = 800
"""Words from so long before an utterance was opened may belong to it: the onset, its confirmation, and the vendor's own error."""
PIECE_MS = 80
"""Audio is sent in pieces of this length: vendors recommend 20 to 250 ms (Flux 80), each costs a message. ``finish`` sends the rest."""
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
_MOST_UTTERANCES = 32
_MOST_STRAYS = 64


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


@dataclass(slots=True)
class _Utterance:
    number: int
    begin_ms: float
    end_ms: float | None = None
    end_position: int = 0
    """``end_ms`` in bytes of the stream."""
    finished_s: float = 0.0
    parts: list[str] = field(default_factory=list)
    words: list[HeardWord] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    language: str = ""
    pending: str = ""
    pending_words: tuple[HeardWord, ...] = ()
    told: str = ""
    asked_again: bool = False

    @property
    def text(self) -> str:
        return " ".join(part for part in (*self.parts, self.pending) if part)


class StreamedSpeechToText:
    """Implements ``SpeechToText`` for a vendor; a subclass sets the class attributes and makes the wire."""

    name = ""
    formats: tuple[AudioFormat, ...] = ()
    continuous = True
    partials: Partials = "doubtful"
    punctuation = DOUBTFUL_PUNCTUATION
    needs_key = True

    limits = StreamLimits()
    socket_limits = SocketLimits()

    def __init__(self, api_key: str, ca_file: str) -> None:
        """Raises ConfigurationError."""
        self.api_key = checked_key(api_key)
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._streams: set[StreamedTranscription] = set()
        self._ticker: asyncio.Task[None] | None = None
        self.connections = SocketCounts()

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        """The protocol for one call."""
        raise NotImplementedError

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
        self._bytes_per_ms = audio.rate_hz * audio.bytes_per_sample / 1000
        self._piece_bytes = audio.bytes_for_ms(max(PIECE_MS, wire.smallest_ms))
        self._longest_bytes = audio.bytes_for_ms(LONGEST_PIECE_MS)
        self._kept = bytearray()
        """Audio without final words, from ``_kept_from`` on (a position in bytes)."""
        self._kept_from = self._sent = self._pushed = 0
        self._kept_bytes = audio.bytes_for_ms(self._limits.keep_ms)
        self._idle_bytes = audio.bytes_for_ms(min(_IDLE_KEEP_MS, self._limits.keep_ms))
        self._base_ms = 0.0
        """Where in the stream this connection's audio began."""
        self._utterances: deque[_Utterance] = deque()
        self._open: _Utterance | None = None
        self._latest = 0
        self._answered_ms = self._over_ms = 0.0
        """Up to here everything has been answered."""
        self._settled_ms = -1.0
        self._asked: deque[int] = deque(maxlen=_MOST_UTTERANCES)
        """Utterances whose final words this connection was asked for, and for which it has not said that they are all."""
        self._strays: deque[tuple[float, str, HeardWord | None]] = deque(maxlen=_MOST_STRAYS)
        self._answers: ExpectedAnswers | None = None
        self._heard_s = self._sent_s = 0.0
        self._speaking_since_s: float | None = None
        self._was_ready = self._down = False
        self._closed = False
        self.malformed = 0
        self.socket = engine.socket_for(wire, self)

    # ------------------------------------------------------------------------------------ SpeechToTextStream

    def begin(self, utterance: int) -> None:
        if self._closed:
            return
        if self._open is not None:
            self.finish(self._open.number)
        self.socket.wake()
        if len(self._utterances) >= _MOST_UTTERANCES:
            self._fail(self._utterances[0], "too many utterances wait for their words")
        self._open = heard = _Utterance(utterance, self._now_ms)
        self._latest = utterance
        self._utterances.append(heard)
        self._speaking_since_s = None
        if self._answers is not None:
            answers, self._answers = self._answers, None
            if (message := self._wire.expect(answers)) is not None and self.socket.is_ready:
                self.socket.send(message, text=True)
        self._claim_strays(heard)

    @property
    def behind(self) -> bool:
        return False  # a vendor takes audio as fast as the network does

    def push(self, audio: bytes) -> None:
        if self._closed or not (self._continuous or self._open is not None):
            return
        self._kept += audio
        self._pushed += len(audio)
        if self._pushed - self._sent >= self._piece_bytes:
            self._send_due(flush=False)
        most = self._kept_bytes if self._utterances else self._idle_bytes
        if len(self._kept) > most:
            self._forget_until(self._pushed - most)

    def finish(self, utterance: int) -> None:
        heard = self._open
        if self._closed or heard is None or heard.number != utterance:
            return
        self._open = None
        heard.end_position = self._pushed
        heard.end_ms, heard.finished_s = self._now_ms, asyncio.get_running_loop().time()
        given_up = self.socket.problem
        if given_up is not None:
            self._fail(heard, given_up.error.problem)
            return
        settled = not heard.pending and heard.parts and 0 <= heard.end_ms - self._settled_ms <= _SETTLED_MS
        if settled and heard is self._utterances[0]:
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
        self._utterances.clear()
        self.socket.close(self._wire.goodbye())
        self._on_event = _nobody  # the call is let go at once, though the closing handshake goes on
        self._on_close(self)

    # ------------------------------------------------------------------------------------------ the audio

    @property
    def _now_ms(self) -> float:
        return self._pushed / self._bytes_per_ms

    def _send_due(self, *, flush: bool, until: int | None = None) -> None:
        """What has not been sent on this connection, up to a position, in pieces."""
        if not self.socket.is_ready:
            return
        end = self._pushed if until is None else until
        least = max(1, self._audio.bytes_for_ms(self._wire.smallest_ms)) if flush else self._piece_bytes
        while end - self._sent >= least:
            start = self._sent - self._kept_from
            piece = bytes(self._kept[start : min(start + self._longest_bytes, end - self._kept_from)])
            message, text = self._wire.audio(piece)
            if not self.socket.send(message, text=text):
                return
            self._sent += len(piece)
            self._sent_s = asyncio.get_running_loop().time()
        if self._open is not None and self._speaking_since_s is None:
            self._speaking_since_s = self._sent_s

    def _forget_until(self, position: int) -> None:
        """Audio before this need not be sent again, or cannot be kept any longer."""
        size = min(position - self._kept_from, len(self._kept))
        if size > 0:
            del self._kept[:size]
            self._kept_from += size
            self._sent = max(self._sent, self._kept_from)

    def _acknowledge(self, position_ms: float) -> None:
        whole = int(position_ms * self._audio.rate_hz / 1000) * self._audio.bytes_per_sample
        self._forget_until(min(whole, self._sent))

    def _ask_for_finals(self, heard: _Utterance) -> None:
        self._send_due(flush=True, until=heard.end_position)
        if (message := self._wire.finish(heard.number)) is not None:
            self._asked.append(heard.number)
            self.socket.send(message, text=True)

    # ------------------------------------------------------------------------------------------ the words

    def _hear(self, segment: Segment) -> None:
        start_ms, end_ms = segment.start_ms + self._base_ms, segment.end_ms + self._base_ms
        for heard in self._utterances:
            if segment.timed or heard is self._named(segment):
                heard.pending, heard.pending_words = "", ()
        for owner, text, words in self._shares(segment, (start_ms + end_ms) / 2):
            if owner is not None:
                _add(owner, segment, text, words)
            elif segment.final:
                self._strays.extend((word.start_ms, word.text, word) for word in words)
                if not words:
                    self._strays.append((start_ms, text, None))
        if segment.timed:
            if segment.final:
                self._acknowledge(end_ms)
                self._settled_ms = end_ms if segment.closes else -1.0
        for heard in list(self._utterances):
            if heard.text and heard.text != heard.told and heard.end_ms is None:
                heard.told = heard.text
                self._on_event(Transcribed(heard.number, heard.text, False, language=heard.language))
        if segment.timed:
            self._answer_reached(end_ms, segment)

    def _shares(
        self, segment: Segment, middle_ms: float
    ) -> Iterable[tuple[_Utterance | None, str, tuple[HeardWord, ...]]]:
        """Whose words these are. Words of what has been answered are left out."""
        if not segment.timed:
            if (owner := self._named(segment)) is not None:
                yield owner, segment.text, segment.words
            return
        if not segment.words:
            if segment.text and middle_ms >= self._answered_ms:
                yield self._owner(middle_ms), segment.text, ()
            return
        base = round(self._base_ms)
        owned: list[tuple[_Utterance | None, list[HeardWord]]] = []
        left_out = False
        for word in segment.words:
            middle_ms = (word.start_ms + word.end_ms) / 2 + self._base_ms
            if middle_ms < self._answered_ms:
                left_out = True
                continue
            owner = self._owner(middle_ms)
            timed = HeardWord(word.text, word.start_ms + base, word.end_ms + base, word.confidence)
            if owned and owned[-1][0] is owner:
                owned[-1][1].append(timed)
            else:
                owned.append((owner, [timed]))
        if len(owned) == 1 and not left_out:
            yield owned[0][0], segment.text, tuple(owned[0][1])
            return
        for owner, words in owned:
            yield owner, " ".join(word.text for word in words), tuple(words)

    def _named(self, segment: Segment) -> _Utterance | None:
        """The utterance that a segment is of, where it says so."""
        if segment.current:
            return self._open
        return next((each for each in self._utterances if each.number == segment.utterance), None)

    def _owner(self, at_ms: float) -> _Utterance | None:
        """The utterance a moment belongs to: the last that had begun, with its lead, after the one before had ended."""
        owner: _Utterance | None = None
        before_end_ms = self._answered_ms
        for heard in self._utterances:
            if at_ms < max(before_end_ms, heard.begin_ms - LEAD_MS):
                break
            owner = heard
            before_end_ms = heard.end_ms if heard.end_ms is not None else before_end_ms
        if owner is not None and owner.end_ms is not None and at_ms > owner.end_ms:
            return None  # the next utterance's, which is about to be opened
        return owner

    def _claim_strays(self, heard: _Utterance) -> None:
        """Final words from shortly before this utterance was opened."""
        earliest_ms = max(self._answered_ms, heard.begin_ms - LEAD_MS)
        for start_ms, text, word in self._strays:
            if start_ms >= earliest_ms:
                heard.parts.append(text)
                if word is not None:
                    heard.words.append(word)
        self._strays.clear()

    def _answer_reached(self, end_ms: float, segment: Segment) -> None:
        """Utterances whose end the vendor's words have reached."""
        while self._utterances:
            heard = self._utterances[0]
            if heard.end_ms is None or end_ms < heard.end_ms - 1:
                return
            if heard.pending and not self._wire.interim_suffices:
                return
            if not segment.final and not heard.text and not self._wire.interim_suffices:
                # Silence so far, and the audio after it is being heard already: there were no words.
                if end_ms < heard.end_ms + LEAD_MS:
                    return
            self._answer(heard)

    def _flushed(self, flushed: Flushed) -> None:
        number = flushed.utterance
        if number is None:
            number = self._asked.popleft() if self._asked else 0
        heard = next((each for each in self._utterances if each.number == number), None)
        if heard is not None and heard.end_ms is not None:
            self._answer(heard)

    def _answer(self, heard: _Utterance) -> None:
        text, words = heard.text, (*heard.words, *heard.pending_words)
        confidence = min(heard.confidences, default=None)
        self._over(heard)
        self._on_event(Transcribed(heard.number, text, True, confidence, words=tuple(words), language=heard.language))

    def _fail(self, heard: _Utterance, problem: str) -> None:
        self._over(heard)
        self._on_event(TranscriptionFailed(heard.number, problem))

    def _over(self, heard: _Utterance) -> None:
        self._utterances.remove(heard)
        if self._open is heard:
            self._open = None
        self._speaking_since_s = None
        end_ms = heard.end_ms if heard.end_ms is not None else self._now_ms
        self._over_ms = max(self._over_ms, end_ms)
        first = self._utterances[0] if self._utterances else None  # a vendor may answer a later one before it
        self._answered_ms = max(self._answered_ms, min(self._over_ms, first.begin_ms) if first else self._over_ms)
        self._acknowledge(self._answered_ms)

    # ------------------------------------------------------------------------------------------ SocketOwner

    def opened(self) -> None:
        self._sent = self._kept_from
        self._base_ms = self._kept_from / self._bytes_per_ms
        self._settled_ms = -1.0
        self._asked.clear()
        for heard in self._utterances:
            heard.pending, heard.pending_words = "", ()
        for message in self._wire.opened():
            self.socket.send(message, text=True)

    def ready(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._heard_s, self._sent_s = 0.0, now_s
        self._speaking_since_s = None
        if self._down:
            self._down = False
            self._on_event(StreamRestored(round((self._pushed - self._kept_from) / self._bytes_per_ms)))
        self._was_ready = True
        for heard in list(self._utterances):
            if heard.end_ms is not None:
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
        for heard in self._utterances:
            if heard.end_ms is not None and rejected.utterance in (None, heard.number):
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
        for heard in list(self._utterances):
            if heard.end_ms is not None:
                self._fail(heard, failure.error.problem)

    # ------------------------------------------------------------------------------------------ time

    def tick(self, now_s: float) -> None:
        """Deadlines; asked a few times a second."""
        limits, ready = self._limits, self.socket.is_ready
        for heard in list(self._utterances):
            if heard.end_ms is None or self._closed:
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
                if self._heard_s >= heard.finished_s or heard.text:
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
            and self._open is not None
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

    def _seems_wordless(self, heard: _Utterance) -> bool:
        """A vendor that says nothing of silence was told of a short sound, and said nothing: a cough. Of longer ones it is asked again."""
        length_ms = (heard.end_ms or 0.0) - heard.begin_ms
        return not self._wire.answers_silence and not heard.text and length_ms < _WORDLESS_MS

    def _replace(self, problem: str) -> None:
        self.socket.fail(Failure(ProviderTimeout(self._name, problem)))


def _nobody(_event: TranscriptionEvent) -> None:
    """Is told what nobody wants to know any more."""


def _add(heard: _Utterance, segment: Segment, text: str, words: tuple[HeardWord, ...]) -> None:
    if segment.language:
        heard.language = segment.language
    if segment.final:
        heard.parts.append(text)
        heard.words.extend(words)
        if segment.confidence is not None:
            heard.confidences.append(segment.confidence)
    else:
        heard.pending = f"{heard.pending} {text}".strip()
        heard.pending_words = (*heard.pending_words, *words)
