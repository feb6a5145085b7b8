"""The caller's audio on its way to the recogniser, and the recogniser's words on their way back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from antiphon.audio.convert import converter
from antiphon.conversation.events import (
    Event,
    TranscriptChanged,
    TranscriptFailed,
    TranscriptFinal,
    VendorTurnSignal,
)
from antiphon.media.line import CallerLine
from antiphon.providers.base import (
    ExpectedAnswers,
    SpeechToText,
    SpeechToTextStream,
    StreamInterrupted,
    Transcribed,
    TranscriptionEvent,
    TranscriptionFailed,
    TurnSignal,
    last_words_of,
    model_of,
    pieces_of,
)
from antiphon.vocabulary import AudioFormat, Encoding, OnUsage, Usage

TRANSCRIPTION_FAILED = "transcription_failed"
"""The label failures of a recogniser are counted under."""
_REMEMBERED_CHARS = 500
"""The longest number that is waited for takes less than half of it in words."""


@dataclass(frozen=True, slots=True)
class OpenedRecogniser:
    """One that could begin to listen to a call at once."""

    stt: SpeechToText
    stream: SpeechToTextStream
    format: AudioFormat
    convert: Callable[[bytes], bytes] | None


class Listening:
    """One call's ``AudioTap``. Utterances are numbered here, in step with ``SpeechStarted``."""

    def __init__(
        self,
        stt: SpeechToText,
        audio: AudioFormat,
        line: CallerLine,
        preroll_ms: int,
        feed: Callable[[Event], object],
        on_failure: Callable[[str, str], None] = lambda provider, problem: None,
        on_usage: OnUsage = lambda provider, usage: None,
    ) -> None:
        """``line`` carries ``audio`` and keeps ``preroll_ms`` of it. ``on_failure`` is told which recogniser failed on an
        utterance, and why; ``on_usage`` how much audio it was
        given. Raises ProviderError when the recogniser cannot be opened."""
        self._feed = feed
        self._on_failure = on_failure
        self._on_usage = on_usage
        self._unbilled_bytes = 0
        """Given to the recogniser, and not told yet."""
        self._name, self._model = stt.name, model_of(stt)
        self._continuous = stt.continuous
        self.finishes_at_once = last_words_of(stt) > 0
        """Whether the last words may be asked for at the first pause."""
        self._pieces_ms = pieces_of(stt)
        self._audio = audio
        self._next: OpenedRecogniser | None = None
        """Takes over once the last word of what was heard has been said."""
        self._line = line
        self._preroll_bytes = audio.bytes_for_ms(preroll_ms)
        self._pushed = 0
        """Position on the line until which the recogniser has it."""
        self._answers = ExpectedAnswers()
        self._heard = ""
        """What was recognised since these answers were expected: a number may take several utterances."""
        self.utterance = 0
        """The latest utterance's number."""
        self._open = False
        self._finished = 0
        """The utterance whose last word is awaited; 0 for none."""
        self._manual = False
        self.wants_from = 0.0
        """As ``AudioTap``. Kept, not reckoned: it is asked for with every message of a call."""
        self._note_wants()
        opened = self.open(stt)
        self._stt: SpeechToTextStream = opened.stream
        self._convert = opened.convert

    @property
    def manual(self) -> bool:
        """Push-to-talk: whatever the caller sends is meant, so an utterance begins with the first audio after the last one was
        committed."""
        return self._manual

    @manual.setter
    def manual(self, manual: bool) -> None:
        self._manual = manual
        self._note_wants()

    def _note_wants(self) -> None:
        if not (self._open or self._continuous or self._manual):
            self.wants_from = math.inf
        elif not self._in_pieces:
            self.wants_from = 0.0
        else:
            heard_ms, idle_ms = self._pieces_ms
            self.wants_from = self._pushed + self._audio.bytes_for_ms(
                heard_ms if self._open or self._finished else idle_ms
            )

    @property
    def _in_pieces(self) -> bool:
        """Whether the recogniser wants several messages at a time. (A client that pushes to talk begins an utterance with any.)"""
        return self._pieces_ms[1] > 0 and (self._open or not self._manual)

    @property
    def busy(self) -> bool:
        """As ``AudioTap``."""
        return self._finished > 0 or self._stt.behind

    def hear(self, audio: bytes, media_ms: int) -> None:
        """Audio as it comes (``AudioTap``)."""
        if self._manual and not self._open:
            self.begin()  # the line has this audio already
        elif self._in_pieces:
            self._catch_up()
        else:
            self._push(audio)

    def _catch_up(self) -> None:
        """All that the line has and the recogniser has not."""
        if audio := self._line.since(self._pushed):
            self._push(audio)
        self._note_wants()

    def _push(self, audio: bytes) -> None:
        self._pushed = self._line.end
        self._unbilled_bytes += len(audio)
        self._stt.push(audio if self._convert is None else self._convert(audio))

    @property
    def open_utterance(self) -> int:
        """The utterance that is being heard; 0 for none."""
        return self.utterance if self._open else 0

    def begin(self) -> int:
        """Speech has started, or goes on after a short pause. Returns the utterance's number."""
        if self._open:
            return self.utterance
        if self._continuous and self._in_pieces:
            self._catch_up()  # what came before is not the utterance's
        self.utterance += 1
        self._finished = 0
        self._open = True
        self._stt.begin(self.utterance)
        preroll = self._line.since(max(self._pushed, self._line.end - self._preroll_bytes))
        if preroll:
            self._push(preroll)
        self._note_wants()
        return self.utterance

    def finish(self) -> None:
        """The utterance is over: the recogniser shall say its last word on it."""
        if self._open:
            if self._in_pieces:
                self._catch_up()
            self._open = False
            self._finished = self.utterance
            self._note_wants()
            self._stt.finish(self.utterance)
            self._tell_usage()

    def _tell_usage(self) -> None:
        audio_ms = int(self._audio.ms_of(self._unbilled_bytes))
        if audio_ms:
            self._unbilled_bytes = 0
            self._on_usage(self._name, Usage(audio_ms=audio_ms, model=self._model))

    def expect(self, answers: ExpectedAnswers) -> None:
        self._answers, self._heard = answers, ""
        self._stt.expect(answers)

    def replace(self, stt: SpeechToText) -> None:
        """Another recogniser from the next utterance on; of the one that is being heard, nothing more will be said. Raises ProviderError
        when it cannot be opened; the one there was stays."""
        self._engage(self.open(stt))

    def open(self, stt: SpeechToText) -> OpenedRecogniser:
        """It hears nothing yet (``change_to``). Raises ProviderError when it cannot be opened."""
        kind = _format_for(stt, self._audio)
        convert = None if kind == self._audio else converter(self._audio, kind)
        return OpenedRecogniser(stt, stt.open(kind, ExpectedAnswers(), self._on_transcription), kind, convert)

    def change_to(self, opened: OpenedRecogniser) -> None:
        """Another recogniser, and no word is lost by it: what is being heard is heard by the one there was, to its last word."""
        self._let_go_of_next()
        self._next = opened
        self._change_when_quiet()

    @property
    def changing(self) -> bool:
        """Whether the one there was still has something to say."""
        return self._next is not None

    def _change_when_quiet(self) -> None:
        opened = self._next
        if opened is not None and not self._open and not self._finished:
            self._next = None
            self._engage(opened)
            self._stt.expect(self._answers)

    def _let_go_of_next(self) -> None:
        opened, self._next = self._next, None
        if opened is not None:
            opened.stream.close()

    def _engage(self, opened: OpenedRecogniser) -> None:
        self._stt.close()
        self._tell_usage()
        self._finished = 0
        if self._open:
            self._open = False
            self._feed(TranscriptFailed(self.utterance))
        self._stt, self._continuous, self._convert = opened.stream, opened.stt.continuous, opened.convert
        self._name, self._model = opened.stt.name, model_of(opened.stt)
        self.finishes_at_once = last_words_of(opened.stt) > 0
        self._pieces_ms = pieces_of(opened.stt)
        if self._continuous:
            self._pushed = self._line.end  # it hears from here on
        self._note_wants()

    def close(self) -> None:
        """Nothing is heard any more. The recogniser, which knows us, is let go."""
        self._let_go_of_next()
        self._stt.close()
        self._tell_usage()
        self._on_usage = lambda provider, usage: None
        self._finished = 0
        self._stt = _Deaf()

    def _on_transcription(self, event: TranscriptionEvent) -> None:
        if isinstance(event, Transcribed | TranscriptionFailed) and event.utterance == self._finished:
            if isinstance(event, TranscriptionFailed) or event.final:
                self._finished = 0
                if self._next is not None:  # not now: it is the recogniser that is talking to us
                    asyncio.get_running_loop().call_soon(self._change_when_quiet)
        if isinstance(event, Transcribed):
            self._hear_words(event)
        elif isinstance(event, TranscriptionFailed):
            self._on_failure(self._name, event.problem)
            self._feed(TranscriptFailed(event.utterance))
        elif isinstance(event, TurnSignal):
            self._feed(VendorTurnSignal(event.utterance, event.kind, event.confidence))
        elif isinstance(event, StreamInterrupted):  # the words come later, or fail: the conversation is told then
            self._on_failure(self._name, event.problem)

    def _hear_words(self, event: Transcribed) -> None:
        if not event.final:
            self._feed(TranscriptChanged(event.utterance, event.text))
            return
        complete = None
        if event.text:
            self._heard = f"{self._heard} {event.text}"[-_REMEMBERED_CHARS:]
            complete = self._answers.completeness(self._heard, matched=event.expected is not False)
        self._feed(TranscriptFinal(event.utterance, event.text, complete, event.confidence))


class _Deaf:
    """The ``SpeechToTextStream`` of a call that is over."""

    behind = False

    def begin(self, utterance: int) -> None: ...

    def push(self, audio: bytes) -> None: ...

    def finish(self, utterance: int) -> None: ...

    def expect(self, answers: ExpectedAnswers) -> None: ...

    def close(self) -> None: ...


def _format_for(stt: SpeechToText, audio: AudioFormat) -> AudioFormat:
    """The call's own where the recogniser takes it; else the best it can be converted to."""
    if audio in stt.formats:
        return audio
    linear = (kind for kind in stt.formats if kind.encoding is Encoding.PCM16)
    return next(linear, stt.formats[0])
