"""Several recognisers as one: an utterance that one of them fails on is given to the next from its first sample, within the same turn; so
is what is being said when one of them gives up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from antiphon.audio.convert import converter
from antiphon.errors import ProviderError
from antiphon.providers.base import (
    ExpectedAnswers,
    OnTranscription,
    SpeechToText,
    SpeechToTextStream,
    StreamInterrupted,
    Transcribed,
    TranscriptionEvent,
    TranscriptionFailed,
    doubted_below_of,
    is_more_than_ears,
    last_words_of,
    model_of,
    partials_of,
    pieces_of,
    punctuation_of,
)
from antiphon.providers.failover import Breakers, now_s
from antiphon.vocabulary import AudioFormat, Encoding

_KEPT_MS = 30_000
"""Of an utterance, for the next recogniser: whoever fails later than this is replaced for the utterances to come alone."""
_PREROLL_MS = 300
"""Before an utterance, for a recogniser that is given speech only where another one is given everything."""

log = structlog.get_logger(__name__)


class FailoverSpeechToText:
    """A ``SpeechToText`` out of several. What it takes and tells is the first one's; others get their audio converted."""

    def __init__(self, targets: Sequence[SpeechToText], breakers: Breakers) -> None:
        self.targets = tuple(targets)
        self._breakers = breakers
        first = self.targets[0]
        self.name, self.model = first.name, model_of(first)
        self.formats = first.formats
        self.partials = partials_of(first)
        self.punctuation = punctuation_of(first)
        self.doubted_below = min(map(doubted_below_of, self.targets))
        self.pieces_ms = pieces_of(first)
        soon_ms = [last_words_of(target) for target in self.targets]
        self.last_words_ms = max(soon_ms) if all(soon_ms) else 0
        self.continuous = any(target.continuous for target in self.targets)

    async def start(self) -> None:
        for target in self.targets:
            await target.start()

    async def close(self) -> None:
        for target in self.targets:
            await target.close()

    def open(
        self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription
    ) -> FailoverSpeechToTextStream:
        """Raises ProviderError where none can be opened."""
        return FailoverSpeechToTextStream(self.targets, self._breakers, audio, answers, on_event)


@dataclass(slots=True)
class _Heard:
    """One utterance that has no last word yet, and its audio."""

    utterance: int
    audio: deque[bytes]
    size: int = 0
    finished: bool = False
    whole: bool = True


class FailoverSpeechToTextStream:
    """One call's recogniser."""

    def __init__(
        self,
        targets: Sequence[SpeechToText],
        breakers: Breakers,
        audio: AudioFormat,
        answers: ExpectedAnswers,
        on_event: OnTranscription,
    ) -> None:
        self._waiting = breakers.in_order(targets)
        self._breakers = breakers
        self._audio = audio
        self._answers = answers
        self._on_event: OnTranscription | None = on_event
        self._open: list[_Heard] = []
        """Utterances without a last word, oldest first."""
        self._before: deque[bytes] = deque()
        self._before_bytes = 0
        self._target: SpeechToText
        self._stream: SpeechToTextStream
        self._convert: Callable[[bytes], bytes] | None
        self._generation = 0
        self._next()

    @property
    def behind(self) -> bool:
        return self._stream.behind

    def begin(self, utterance: int) -> None:
        self._open.append(_Heard(utterance, deque()))
        self._stream.begin(utterance)
        if not self._target.continuous and self._before:
            self._give(b"".join(self._before))
            for piece in self._before:
                self._keep(self._open[-1], piece)
        self._before.clear()
        self._before_bytes = 0

    def push(self, audio: bytes) -> None:
        current = self._open[-1] if self._open and not self._open[-1].finished else None
        if current is not None:
            self._keep(current, audio)
            self._give(audio)
            return
        self._before.append(audio)
        self._before_bytes += len(audio)
        while self._before_bytes > self._audio.bytes_for_ms(_PREROLL_MS):
            self._before_bytes -= len(self._before.popleft())
        if self._target.continuous:
            self._give(audio)

    def finish(self, utterance: int) -> None:
        for heard in self._open:
            if heard.utterance == utterance:
                heard.finished = True
        self._stream.finish(utterance)

    def expect(self, answers: ExpectedAnswers) -> None:
        self._answers = answers
        self._stream.expect(answers)

    def close(self) -> None:
        self._on_event = None
        self._open.clear()
        self._stream.close()

    def _give(self, audio: bytes) -> None:
        self._stream.push(audio if self._convert is None else self._convert(audio))

    def _keep(self, heard: _Heard, audio: bytes) -> None:
        if heard.whole and heard.size + len(audio) <= self._audio.bytes_for_ms(_KEPT_MS):
            heard.audio.append(audio)
            heard.size += len(audio)
        else:
            heard.whole = False
            heard.audio.clear()

    def _next(self) -> None:
        """The next recogniser that can be opened. Raises ProviderError where there is none; the one there was stays."""
        problem = ProviderError("stt", "no recogniser is left")
        while self._waiting:
            target = self._waiting.pop(0)
            kind = _format_for(target, self._audio)
            generation = self._generation + 1
            try:
                convert = None if kind == self._audio else converter(self._audio, kind)
                stream = target.open(kind, self._answers, lambda event, of=generation: self._told(of, event))  # type: ignore[misc]
            except Exception as error:
                problem = (
                    error if isinstance(error, ProviderError) else ProviderError(target.name, type(error).__name__)
                )
                log.warning("recogniser_failed", provider=target.name, problem=type(error).__name__)
                self._breakers.of(target).failed(now_s())
                continue
            self._generation, self._target, self._stream, self._convert = generation, target, stream, convert
            return
        raise problem

    def _told(self, generation: int, event: TranscriptionEvent) -> None:
        if self._on_event is None or generation != self._generation:
            return  # the call is over, or another recogniser has been asked meanwhile
        if isinstance(event, TranscriptionFailed) and not is_more_than_ears(self._target):
            self._breakers.of(self._target).failed(now_s())
            if self._replaced(event.utterance):
                return
        elif isinstance(event, StreamInterrupted) and event.lasting:
            self._breakers.of(self._target).failed(now_s())
            self._replaced(0)  # and who is told of it is told so all the same
        elif isinstance(event, Transcribed) and event.final:
            self._breakers.of(self._target).succeeded()
        if isinstance(event, TranscriptionFailed) or (isinstance(event, Transcribed) and event.final):
            self._open = [heard for heard in self._open if heard.utterance != event.utterance]
        self._on_event(event)

    def _replaced(self, utterance: int) -> bool:
        """Another recogniser, if there is one. Whether it has this utterance now."""
        failed, name = self._stream, self._target.name
        try:
            self._next()
        except ProviderError:
            return False
        failed.close()
        log.warning("recogniser_replaced", provider=name, by=self._target.name)
        taken = False
        for heard in list(self._open):
            if heard.finished and not heard.whole and heard.utterance != utterance:
                self._told(self._generation, TranscriptionFailed(heard.utterance, "it was too long to be heard again"))
            elif heard.whole or not heard.finished:
                taken = taken or heard.utterance == utterance
                self._stream.begin(heard.utterance)
                if heard.audio:
                    self._give(b"".join(heard.audio))
                if heard.finished:
                    self._stream.finish(heard.utterance)
        return taken


def _format_for(stt: SpeechToText, audio: AudioFormat) -> AudioFormat:
    """The one there is where the recogniser takes it; else the best it can be converted to."""
    if audio in stt.formats:
        return audio
    linear = (kind for kind in stt.formats if kind.encoding is Encoding.PCM16)
    return next(linear, stt.formats[0])
