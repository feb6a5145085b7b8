"""The nouns every room shares: frozen, typed, free of behaviour that belongs to one room.

Wire shapes (Twilio's, Vapi's, OpenAI's) never appear here; surfaces and carriers translate to and from these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class Encoding(StrEnum):
    """How one audio sample is written."""

    MULAW = "mulaw"
    """G.711 µ-law, one byte a sample."""
    ALAW = "alaw"
    """G.711 A-law, one byte a sample."""
    PCM16 = "pcm_s16le"
    """Signed 16-bit little-endian linear PCM."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Mono audio as it stands on a wire: encoding and sample rate. Everything in Antiphon is mono."""

    encoding: Encoding
    rate_hz: int

    @property
    def bytes_per_sample(self) -> int:
        return 2 if self.encoding is Encoding.PCM16 else 1

    def bytes_for_ms(self, duration_ms: float) -> int:
        """Bytes of ``duration_ms`` of audio, rounded down to a whole sample."""
        return int(self.rate_hz * duration_ms / 1000) * self.bytes_per_sample

    def ms_of(self, byte_count: int) -> float:
        """How long ``byte_count`` bytes last, in milliseconds."""
        return byte_count * 1000 / (self.rate_hz * self.bytes_per_sample)


TELEPHONE = AudioFormat(Encoding.MULAW, 8000)
"""What telephone carriers speak: G.711 µ-law at 8 kHz."""

Role = Literal["system", "user", "assistant", "tool"]
ToolOutcome = Literal["answered", "failed", "pending"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool. ``id`` is the model's own; ``arguments`` is a JSON object, not text."""

    id: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered: text for the model. ``failed`` tells an error message from an answer."""

    tool_call_id: str
    name: str
    content: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the history the model is shown.

    ``content`` of an assistant message is what the caller *heard*, not what was generated.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    """Set on assistant messages that asked for tools."""
    tool_call_id: str | None = None
    """Set on tool messages: which call this answers."""
    interrupted: bool = False
    """True on an assistant message that was cut short by the caller."""
    id: str = ""
    """The outside's own name for this entry, where it has one: what came with a name can be found again."""
    tool_outcome: ToolOutcome = "answered"
    """Of a tool message: whether ``content`` is the tool's answer, says that it failed, or stands in for one still to come."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool answered, where that is more than text for the model."""

    content: str
    failed: bool = False
    say: str = ""
    """Spoken to the caller; the model is not asked for words about the answer then."""
    ends_call: bool = False
    """Once what is being said has been heard, the call ends."""
    transfer_to: str = ""
    """Once what is being said has been heard, the call goes there."""
    hands_over: bool = False
    """Another assistant takes over: the one that asked has nothing to add."""


@dataclass(frozen=True, slots=True)
class ArgumentCondition:
    """What one argument of a tool's call must be. ``param`` may be a path (``address.city``). Numbers are compared as such, also where
    they are written as texts."""

    param: str
    operator: Literal["eq", "neq", "gt", "gte", "lt", "lte"]
    value: str


@dataclass(frozen=True, slots=True)
class ToolSaying:
    """Something that an assistant's author wants said around a tool's work, in words that no model chose."""

    text: str
    conditions: tuple[ArgumentCondition, ...] = ()
    """All of them must hold of the call."""
    to_model: bool = False
    """Told to the model with the answer, and not spoken."""
    blocking: bool = False
    """As it begins: the work begins once these words have been heard."""
    ends_call: bool = False
    """The call ends once these words have been heard."""
    after_ms: int = 0
    """While it works: when, after it began."""


@dataclass(frozen=True, slots=True)
class ToolWords:
    """What is said around a tool's work. Several of one kind are variants, of which those with conditions come first
    (``conversation.tool_words``). None: nothing."""

    start: tuple[ToolSaying, ...] = ()
    """As it begins."""
    delayed: tuple[ToolSaying, ...] = ()
    """While it works; of those for the same moment one is said. Where none fits the call, the tool's ``filler`` is."""
    complete: tuple[ToolSaying, ...] = ()
    """When it has answered; the model is not asked for words about the answer then, unless they are told to it."""
    failed: tuple[ToolSaying, ...] = ()
    """The same, when it failed or did not answer in time."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it, with the limits the conversation keeps."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    """JSON Schema of the arguments."""
    deadline_ms: int = 5000
    """After this the call counts as failed and the model is told (requirement R20: 5 s at most before the caller hears something)."""
    filler_after_ms: int = 2000
    """After this the caller hears ``filler`` once."""
    filler: str = "One moment, please."
    asynchronous: bool = False
    """Acknowledged to the model at once; the result is delivered when it comes."""
    client: bool = False
    """The client runs it: the reply ends with the call, and the answer comes as a message."""
    words: ToolWords = ToolWords()
    cancel_on_interruption: bool = False
    """Whether a caller's interruption cancels the work. Off by default: on a phone, a booking half made is worse than one made late."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What a model and a tool may know of the call, beyond its history."""

    call_id: str
    caller: str = ""
    """The caller's number or name as the carrier gave it; may be empty."""
    variables: dict[str, str] = field(default_factory=dict)
    wall_ms: int = 0
    """UTC ms when the call began (for "tomorrow")."""
    messages: tuple[Message, ...] = field(default=(), repr=False)
    """What was said when a tool was asked for: for tools alone, a model has it in its request."""
    org_id: str = ""
    """Whose conversation it is, where that is known beforehand; empty: whoever holds the call knows."""


@dataclass(frozen=True, slots=True)
class WordTiming:
    """One word inside a piece of synthesised speech, in milliseconds from that piece's first sample."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a provider says it used. Zero where it does not say."""

    input_tokens: int = 0
    """All that were read, those from the vendor's cache included."""
    output_tokens: int = 0
    characters: int = 0
    audio_ms: int = 0
    cached_tokens: int = 0
    """Those of the ``input_tokens`` that came from the vendor's cache of the prompt's beginning."""
    model: str = ""
    """Which of the vendor's models it was, where that is known: prices differ."""


OnUsage = Callable[[str, Usage], None]
"""Told a provider's name and what it used."""


class EndReason(StrEnum):
    """Why a call ended. Surfaces map these to their own protocol's names."""

    CUSTOMER_ENDED = "customer-ended-call"
    ASSISTANT_ENDED = "assistant-ended-call"
    ASSISTANT_SAID_END_PHRASE = "assistant-said-end-call-phrase"
    TRANSFERRED = "assistant-forwarded-call"
    SILENCE_TIMED_OUT = "silence-timed-out"
    EXCEEDED_MAX_DURATION = "exceeded-max-duration"
    EXCEEDED_COST_LIMIT = "exceeded-cost-limit"
    """A cap on what calls may cost (of this one, or of a day) was reached."""
    NO_CUSTOMER_AUDIO = "assistant-did-not-receive-customer-audio"
    VOICEMAIL = "voicemail"
    TRANSPORT_LOST = "transport-lost"
    TRANSPORT_STALLED = "transport-stalled"
    PROVIDER_FAILED = "provider-failed"
    SERVER_SHUTDOWN = "worker-shutdown"
    SERVER_DIED = "worker-died"
    REFUSED = "refused"
    CANCELLED = "manually-canceled"
    """Somebody with the right to (an operator, the API) ended it."""


class AnsweredBy(StrEnum):
    """Who answered a call we placed, as its carrier heard it (answering-machine detection). Vapi's and Twilio's names."""

    HUMAN = "human"
    MACHINE_START = "machine_start"
    """A machine, whose greeting may still be playing."""
    MACHINE_END_BEEP = "machine_end_beep"
    """A machine; its greeting is over, the beep was heard."""
    MACHINE_END_SILENCE = "machine_end_silence"
    """A machine; its greeting is over, silence follows."""
    MACHINE_END_OTHER = "machine_end_other"
    """A machine; its greeting is over, neither beep nor silence was clear."""
    FAX = "fax"
    UNKNOWN = "unknown"
    """The carrier could not tell in time."""
