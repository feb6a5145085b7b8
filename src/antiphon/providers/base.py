"""The five protocols every engine or vendor stands behind, and nothing more.

To add one: implement the protocol in ``providers/<kind>/<name>.py``, add one line to ``registry.py``, and run the
contract tests in ``tests/providers``. Providers never see conversations, turns or sessions; they are told what to do
and answer through a callback (speech-to-text) or an async iterator (model, voice).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from antiphon.providers.digits import count_digits
from antiphon.vocabulary import AudioFormat, CallContext, Message, ToolCall, ToolSpec, Usage, WordTiming


class Lifecycle(Protocol):
    """What the composition root calls on every provider once per process."""

    async def start(self) -> None:
        """Load models, start worker processes, open pools. Raises ProviderUnavailable when the engine is not installed."""
        ...

    async def close(self) -> None:
        """Free everything within a few seconds. Safe to call twice."""
        ...


def model_of(engine: object) -> str:
    """Which of its vendor's models an engine was made for (its attribute ``model``, or that of the engine ``behind`` it); empty where
    there is one only."""
    while engine is not None:
        if model := getattr(engine, "model", ""):
            return str(model)
        engine = getattr(engine, "behind", None)
    return ""


# ---------------------------------------------------------------------------------------------- voice activity


class VoiceActivityModel(Protocol):
    """A voice-activity model run once for many calls. It keeps its own recurrent state per slot.

    Not thread-safe: it belongs to the beat's thread.
    """

    rate_hz: int
    """Sample rate the windows must have: 8000 or 16000."""
    window_samples: int
    """Samples a window holds: 256 at 8 kHz, 512 at 16 kHz (32 ms)."""

    def resize(self, slots: int) -> None:
        """Make room for slot numbers 0 … slots-1, keeping the state of those that exist."""
        ...

    def reset(self, slot: int) -> None:
        """Forget what this slot has heard."""
        ...

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Speech probability 0…1 for each row.

        ``slots`` has shape (n,), each slot number at most once; ``windows`` has shape (n, window_samples), float32 in −1…1.
        Returns shape (n,).
        """
        ...

    def remember(self, slot: int, windows: NDArray[np.float32]) -> None:
        """Hear windows of one call, one after the other, of which nobody asks how sure of voice they are: shape (n, window_samples)."""
        ...


# ---------------------------------------------------------------------------------------------- speech to text


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A recognised word. Its times are positions, in ms, in all the audio that was pushed to the stream."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Transcribed:
    """Words for one utterance. Partials may change; exactly one final (or failure) ends an utterance."""

    utterance: int
    """The number the session gave when it said ``begin``."""
    text: str
    final: bool
    confidence: float | None = None
    """0…1 where the engine knows."""
    expected: bool | None = None
    """Whether it is one of the expected answers, and not other words; None where the engine knows no difference."""
    words: tuple[HeardWord, ...] = ()
    """Empty where the engine does not time them."""
    language: str = ""
    """The language heard (BCP 47), where the engine tells."""


@dataclass(frozen=True, slots=True)
class TranscriptionFailed:
    """This utterance will get no words. The call goes on."""

    utterance: int
    problem: str


TurnSignalKind = Literal["start", "eager_end", "resumed", "end"]


@dataclass(frozen=True, slots=True)
class TurnSignal:
    """What an engine that listens for turns thinks of the floor. It is evidence beside others: the conversation decides.

    ``eager_end``: the caller has probably finished, so that a reply may be prepared; ``resumed``: no, they go on; ``end``: they have.
    """

    utterance: int
    """The utterance it was heard in or after."""
    kind: TurnSignalKind
    confidence: float | None = None
    """0…1 where the engine knows."""


@dataclass(frozen=True, slots=True)
class StreamInterrupted:
    """The way to the engine broke. It is being mended and the audio is kept meanwhile; ``lasting``: it is not, for now."""

    problem: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class StreamRestored:
    """The way to the engine is open again, and has been given ``replayed_ms`` of audio once more."""

    replayed_ms: int


Partials = Literal["none", "doubtful", "reliable"]
TranscriptionEvent = Transcribed | TranscriptionFailed | TurnSignal | StreamInterrupted | StreamRestored
DOUBTFUL_PUNCTUATION = 0.2
"""What the full stops of a recogniser are worth that does not tell: Whisper base ends its text at 81 % of the pauses inside turns."""
OnTranscription = Callable[[TranscriptionEvent], None]


EXPECTED_ANSWER_COMPLETE = 0.95
"""A whole expected answer was recognised: as good as a full stop."""


@dataclass(frozen=True, slots=True)
class ExpectedAnswers:
    """What the assistant expects to hear next, so that a small recogniser can be exact.

    With both fields empty the recogniser takes free dictation.
    """

    phrases: tuple[str, ...] = ()
    """Whole answers, lower case, e.g. ``("yes", "no", "half past three")``."""
    grammar: str = ""
    """A JSGF grammar (one public rule). Wins over ``phrases`` where both are given."""
    digits: int | None = None
    """How many digits the answer still lacks, where the question wants a number of a known length; people pause inside such a number."""

    def completeness(self, text: str, *, matched: bool = True) -> float | None:
        """How sure it is that ``text``, all that was recognised since the question, is a whole answer, 0…1; None where nothing is known.
        ``matched``: the recogniser found one of the answers, and not other words."""
        if not text or not (self.phrases or self.grammar or self.digits):
            return None
        said = count_digits(text) if self.digits else 0
        if self.digits and 0 < said < self.digits:
            return 0.0
        if said or (matched and (self.phrases or self.grammar)):
            return EXPECTED_ANSWER_COMPLETE
        return None


class SpeechToTextStream(Protocol):
    """One call's recogniser. Called on the event loop; no method may block or await; buffers are bounded."""

    @property
    def behind(self) -> bool:
        """Whether audio pushed before still waits to be taken: who can wait does not push more."""
        ...

    def begin(self, utterance: int) -> None:
        """Speech has started; audio pushed from now on (pre-roll first) belongs to ``utterance``."""
        ...

    def push(self, audio: bytes) -> None:
        """Audio in the stream's format. Outside ``begin``…``finish`` only where ``SpeechToText.continuous`` is true."""
        ...

    def finish(self, utterance: int) -> None:
        """Speech has stopped: answer with a final (possibly empty) or a failure for ``utterance``."""
        ...

    def expect(self, answers: ExpectedAnswers) -> None:
        """From the next ``begin`` on, these answers are likely."""
        ...

    def close(self) -> None:
        """The call is over; no callback after this. Safe to call twice."""
        ...


class SpeechToText(Lifecycle, Protocol):
    name: str
    formats: tuple[AudioFormat, ...]
    """What ``push`` takes, best first."""
    continuous: bool
    """True where the engine wants all audio, silence too; false where it wants speech only (with pre-roll)."""
    partials: Partials
    """What it tells while words are being said: nothing, words that it often takes back, or words that mostly stand."""
    punctuation: float
    """What its full stops are worth, 0…1: the share of pauses inside turns at which it writes none. 0 for one that writes no marks."""

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> SpeechToTextStream:
        """A recogniser for one call. ``on_event`` is called on the event loop. Raises ProviderError."""
        ...


def partials_of(stt: SpeechToText) -> Partials:
    """What this engine tells of its partial words: of one from outside that does not say, that they mostly stand."""
    return getattr(stt, "partials", "reliable")


def punctuation_of(stt: SpeechToText) -> float:
    """What this engine's full stops are worth: of one from outside that does not say, little."""
    return getattr(stt, "punctuation", DOUBTFUL_PUNCTUATION)


def doubted_below_of(stt: SpeechToText) -> float:
    """Final words of which this engine is less sure are what it makes of a cough or a door. 0 where it does not say: then none are."""
    return getattr(stt, "doubted_below", 0.0)


def pieces_of(stt: SpeechToText) -> tuple[int, int]:
    """How much audio this engine wants at a time, in ms: while it is to hear words, and at other times. 0: each message as it comes."""
    pieces_ms: tuple[int, int] = getattr(stt, "pieces_ms", (0, 0))
    return pieces_ms


def last_words_of(stt: SpeechToText) -> int:
    """For an engine that may be asked for its last words at the first pause, as it loses nothing where speech goes on: how soon after the
    end of speech it then mostly has them, in ms. 0 for others."""
    return int(getattr(stt, "last_words_ms", 0))


def is_more_than_ears(stt: SpeechToText) -> bool:
    """Whether an engine is a call's recogniser among other things, so that one utterance it fails on is no reason to replace it: it is
    replaced when it gives up (``StreamInterrupted.lasting``)."""
    return bool(getattr(stt, "more_than_ears", False))


# ---------------------------------------------------------------------------------------------- language model


ABOUT_CALL = "about_call"
"""The option of a request to a model of somebody's own that holds what is known of its call: ``call``, ``customer``, ``phoneNumber``, and
the assistant's ``metadata``."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Everything a model needs for one reply. Models keep no state between requests: history is all there is."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    context: CallContext
    options: dict[str, Any] = field(default_factory=dict)
    """temperature, max_tokens, tool_choice … as the provider names them."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the reply's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A complete tool call (arguments parsed)."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class ExpectedAnswersDelta:
    """The model says what it expects to hear after this reply (only rule-based models do)."""

    answers: ExpectedAnswers


@dataclass(frozen=True, slots=True)
class PlaceDelta:
    """The model says at which node of its graph this reply stands (only those that follow a graph do)."""

    node: str


@dataclass(frozen=True, slots=True)
class EndCallDelta:
    """After this reply has been spoken the call shall end."""


@dataclass(frozen=True, slots=True)
class TransferDelta:
    """After this reply has been spoken the call shall go to ``destination`` (a number or SIP URI)."""

    destination: str


StopReason = Literal["stop", "max_tokens", "tool_calls", "refused"]
"""Why a reply ended: it was complete, its bound was reached, tools are to be run, or the vendor's filter stepped in."""


@dataclass(frozen=True, slots=True)
class UsageDelta:
    usage: Usage
    provider: str = ""
    """Whose it was, where one stood in for another; empty: the model's that was asked."""
    stop_reason: StopReason = "stop"


ModelDelta = TextDelta | ToolCallDelta | ExpectedAnswersDelta | PlaceDelta | EndCallDelta | TransferDelta | UsageDelta


class LanguageModel(Lifecycle, Protocol):
    name: str

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelDelta]:
        """The reply as it is made. Cancelled by closing the iterator. Raises ProviderError."""
        ...


# ---------------------------------------------------------------------------------------------- text to speech


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    text: str
    audio: AudioFormat
    """The format wanted, one of ``TextToSpeech.formats``."""
    voice: str = ""
    """Provider's voice name; empty for its default."""
    speed: float = 1.0
    language: str = ""
    """ISO 639-1, for voices that speak several; empty where it is not known."""


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """Audio in the requested format, a whole number of samples; ``words`` are those whose start lies in this chunk,
    timed from the first sample of the whole piece of speech. Empty where the voice does not tell."""

    audio: bytes
    words: tuple[WordTiming, ...] = ()


class TextToSpeech(Lifecycle, Protocol):
    name: str
    formats: tuple[AudioFormat, ...]
    """What it can produce, best first. Every voice can do 8 kHz µ-law and 16-bit PCM at 8, 16 or 24 kHz, by resampling at its end."""

    def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Speech for one piece of text, first chunk as early as possible. Cancelled by closing the iterator. Raises ProviderError."""
        ...


@dataclass(frozen=True, slots=True)
class VoiceRequest:
    """How one reply shall sound; what it says comes piece by piece. The first fields are those of ``SpeechRequest``."""

    audio: AudioFormat
    voice: str = ""
    speed: float = 1.0
    language: str = ""
    context: CallContext = field(default_factory=lambda: CallContext(""))
    """The call it is spoken in."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What a voice of an application's own is told of that call."""


@dataclass(frozen=True, slots=True)
class VoiceChunk:
    """Audio of one piece of a reply, a whole number of samples; ``words`` as in ``SpeechChunk``, timed from the piece's first sample."""

    piece: int
    audio: bytes = b""
    words: tuple[WordTiming, ...] = ()
    last: bool = False
    """Nothing more of this piece will come: its length and its words are known."""
    whole: bool = True
    """Of the last chunk: False where the rest of the piece could not be spoken, though the reply goes on."""


class VoiceStream(Protocol):
    """The voice of one reply, in one context of the vendor: a sentence sounds like the one that follows it. Called on the event loop;
    nothing but ``cancel`` may await.

    Iterating gives the chunks of the pieces in the order in which they were said, each piece ended by exactly one chunk that is ``last``,
    and waits for more pieces until ``end``. It raises ProviderError where the voice has failed: only pieces that were ended are whole.
    """

    def say(self, piece: int, text: str) -> None:
        """Speak this next, without waiting for what follows it."""
        ...

    def end(self) -> None:
        """Nothing more will be said; the iteration ends after the last piece."""
        ...

    def __aiter__(self) -> AsyncIterator[VoiceChunk]: ...

    async def cancel(self) -> None:
        """Stop, give back what it holds. After the last piece, too. Does not wait for the vendor. Safe to call twice."""
        ...


@runtime_checkable
class StreamingVoice(Protocol):
    """A ``TextToSpeech`` that takes a reply piece by piece. For those that do not, see ``one_shot``."""

    def open(self, request: VoiceRequest) -> VoiceStream:
        """The voice of one reply. Neither awaits nor raises: what is wrong, the iteration says."""
        ...


# ---------------------------------------------------------------------------------------------- end of turn


@dataclass(frozen=True, slots=True)
class TurnAudio:
    """The sound of the open turn, its silence until now included."""

    format: AudioFormat
    data: bytes


class WaitAdviser(Protocol):
    """Whoever knows how long to wait after certain words, whatever they sound like."""

    async def wait_ms(self, context: CallContext, messages: Sequence[Message], text: str) -> int | None:
        """Silence in ms after which the caller has finished, where they have said ``text`` so far in their turn, after ``messages``. None:
        it does not know. Raises RequestFailed, or what a fault of ours raises: then nobody was asked."""
        ...


class TurnDetector(Lifecycle, Protocol):
    name: str
    audio_ms: int
    """How much of the turn's sound it wants to hear, 8000 at most; 0 for one that reads only."""

    async def probability(
        self, messages: Sequence[Message], transcript: str, audio: TurnAudio | None = None
    ) -> float | None:
        """How likely the caller has finished, 0…1, given the history, the words of the turn so far and the end of its sound. None where it
        cannot say in time: it is asked again as the silence goes on. Raises ProviderError."""
        ...
