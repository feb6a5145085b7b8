"""Everything that can happen to a conversation: past tense, frozen, one closed union (``Event``). Do not subclass them.

Three kinds of time, never mixed: ``now_ms`` (session clock) is handed to the machine beside the event; ``media_ms`` is a
position in the caller's audio; ``heard_ms``, ``duration_ms`` are lengths of the agent's audio.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from antiphon.conversation.context import ContextPlan
from antiphon.conversation.policy import Policy
from antiphon.vocabulary import EndReason, Message, ToolCall, ToolSpec, WordTiming

# ------------------------------------------------------------------------------------------------ the call


@dataclass(frozen=True, slots=True)
class CallConnected:
    """Media flows both ways; the greeting may start."""


@dataclass(frozen=True, slots=True)
class ClientReady:
    """The client has said how it wants the call: a greeting that waits for this begins."""


@dataclass(frozen=True, slots=True)
class CallDropped:
    """The far side is gone, or the process must let it go. Nothing can be said any more."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class EndRequested:
    """Somebody with the right to (a surface, a tool, an operator) wants the call to end politely."""

    reason: EndReason
    message: str = ""
    """Spoken first. Empty for the policy's ``end_call_message``."""


@dataclass(frozen=True, slots=True)
class TransferRequested:
    """Somebody with the right to wants the call to go to ``destination`` now."""

    destination: str


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """New numbers from now on (OpenAI ``session.update``)."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class InstructionsChanged:
    """The system prompt is another one from now on; empty for none. What follows it in the history stays."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolsChanged:
    """The model may use these from the next reply on. Work already begun goes on."""

    tools: tuple[ToolSpec, ...]


@dataclass(frozen=True, slots=True)
class AssistantReady:
    """Another assistant is ready to lead the call, with policy, instructions and tools of its own. It does so (``ChangeAssistant``) once
    nothing of the one before it is being said. The latest one that is ready before that counts."""

    handoff: int
    """1, 2, 3 … in one call."""
    assistant: str
    """Its name."""
    policy: Policy
    messages: tuple[Message, ...]
    """What it is told before anything is said."""
    tools: tuple[ToolSpec, ...]
    context: ContextPlan = field(default_factory=ContextPlan)
    assistant_id: str = ""
    leaving: str = ""
    """The name of the one that leads until then."""
    leaving_id: str = ""


# ------------------------------------------------------------------------------------------------ hearing


@dataclass(frozen=True, slots=True)
class AudioArrived:
    """The caller's first audio. Told once."""


@dataclass(frozen=True, slots=True)
class SoundStarted:
    """Something that may be speech: the VAD's low threshold was crossed. Always precedes ``SpeechStarted``."""

    media_ms: int


@dataclass(frozen=True, slots=True)
class SoundFaded:
    """The sound is over and never was speech. It ended at ``media_ms``; ``silence_ms`` of silence have passed since."""

    media_ms: int
    silence_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech for sure: the VAD's usual threshold was crossed. Utterances are numbered 1, 2, 3 …"""

    utterance: int
    media_ms: int


@dataclass(frozen=True, slots=True)
class SpeechContinued:
    """Still speaking, loud enough to be the caller; ``voice_ms`` of voice in this utterance so far. Told often in its first second, seldom
    after."""

    utterance: int
    voice_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The VAD hears no more voice. Speech ended at ``media_ms``; ``silence_ms`` of silence have passed since (its hangover)."""

    utterance: int
    media_ms: int
    silence_ms: int
    near: bool = True
    """False where it was so much softer than the caller that it may have been somebody else's."""
    speech_share: float = 1.0
    """How much of its voice was surely speech, 0…1: of words nearly all of it, of a cough or a laugh less than a third."""


@dataclass(frozen=True, slots=True)
class SilenceReached:
    """Silence in the caller's audio has lasted as long as ``WatchSilence`` asked for."""

    silence_ms: int


@dataclass(frozen=True, slots=True)
class TranscriptChanged:
    """The recogniser's words so far for an utterance: they may change."""

    utterance: int
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptFinal:
    """The recogniser's last word on an utterance; ``text`` may be empty. ``complete`` is how sure it is that this is a whole answer
    (a grammar of expected answers matched), where it knows."""

    utterance: int
    text: str
    complete: float | None = None
    confidence: float | None = None
    """How sure it is of the words, 0…1, where it tells."""


@dataclass(frozen=True, slots=True)
class TranscriptFailed:
    """The recogniser has nothing to say on this utterance and never will."""

    utterance: int


@dataclass(frozen=True, slots=True)
class VendorTurnSignal:
    """What a recogniser that listens for turns thinks: the caller has begun, has probably finished (``eager_end``: a reply may be
    prepared), goes on all the same (``resumed``), has finished (``end``)."""

    utterance: int
    """The utterance it was heard in or after."""
    kind: Literal["start", "eager_end", "resumed", "end"]
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class EndOfTurnScored:
    """A turn detector's answer for the open turn: probability that the caller has finished; None where it could not say in time."""

    turn: int
    probability: float | None
    text: str = ""
    """The words it was asked about (``ScoreTurn.text``): a score for other words than the turn has by now is not used. Empty for
    the words as they are."""


@dataclass(frozen=True, slots=True)
class WaitTold:
    """How long to wait after the words of an open turn, as who was asked says (``AskWait``)."""

    turn: int
    wait_ms: int
    text: str
    """The words it was asked about: the wait for other words than the turn has by now is not used."""


@dataclass(frozen=True, slots=True)
class DtmfPressed:
    digit: str


# ------------------------------------------------------------------------------------------------ a client drives


@dataclass(frozen=True, slots=True)
class TurnCommitted:
    """The client says the caller has finished (push-to-talk)."""

    utterance: int = 0
    """The utterance whose words are still to come; 0 when no audio has been heard since the last turn."""


@dataclass(frozen=True, slots=True)
class TurnDiscarded:
    """The client throws away what the caller said since the last turn."""

    utterance: int = 0
    """The latest utterance thrown away; words that still come for it are ignored."""


@dataclass(frozen=True, slots=True)
class TextReceived:
    """The caller typed. Interrupts what is being said; ``reply`` false only adds it to the history."""

    text: str
    reply: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the history: a caller's turn, all a reply left there, or a message that came with an id. None of them: its beginning."""

    turn: int = 0
    reply: int = 0
    id: str = ""


@dataclass(frozen=True, slots=True)
class MessageAdded:
    """A message from outside enters the history. ``reply`` true asks for a reply to it. The answer of a tool that the client runs
    takes the place that was kept for it."""

    message: Message
    reply: bool = False
    after: Place | None = None
    """None, or a place that is not there: at the end."""


@dataclass(frozen=True, slots=True)
class MessageRemoved:
    """What stands at a place is forgotten; nothing happens where nothing stands there."""

    place: Place


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """What one reply does otherwise than the session would. None: as the session does."""

    instructions: str | None = None
    messages: tuple[Message, ...] | None = None
    """Shown to the model instead of the history; the system prompt stays before them."""
    tools: tuple[ToolSpec, ...] | None = None
    output: Literal["audio", "text"] | None = None
    voice: str | None = None
    model: dict[str, Any] = field(default_factory=dict)
    """Laid over the model's own options."""


@dataclass(frozen=True, slots=True)
class ReplyRequested:
    """The client wants a reply now to the history as it is [OpenAI response.create]. Refused (``RequestRefused``) while the model still
    writes one; begun once the floor is free where one only plays on."""

    request: str = ""
    """The client's own name for the request; handed on with ``StartReply``."""
    options: ReplyOptions | None = None


@dataclass(frozen=True, slots=True)
class ReplyOffered:
    """A model that takes turns itself has something to say, and nobody has asked it. It may, where neither side is doing anything; else
    nothing follows, and it is offered again."""


@dataclass(frozen=True, slots=True)
class ReplyCancelled:
    """The client wants silence: cancel what is live [OpenAI response.cancel]. Refused while nothing is."""

    request: str = ""


@dataclass(frozen=True, slots=True)
class PlaybackTruncated:
    """The client played only this much of a reply, live or past [OpenAI conversation.item.truncate]. Clamped to what there was."""

    reply: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class SayRequested:
    """Speak these words as the agent's own [Vapi say]."""

    text: str
    interruptible: bool = True
    interrupts: bool = False
    """Cut what is being said; otherwise wait for it to end."""
    end_call_after: bool = False


# ------------------------------------------------------------------------------------------------ the model


@dataclass(frozen=True, slots=True)
class ReplyText:
    """A piece of text from the model."""

    reply: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyPaused:
    """Nothing has followed the model's last text for a moment: a sentence that seems to have ended has."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyVoiced:
    """What the model has said until now is sounding: it is a piece now, though no sentence has ended. (Of models whose words come with
    their sound: what waited for the end of a sentence would be heard late, and not be known where it is cut.)"""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyPlaced:
    """The model follows a graph, and this reply stands at one of its nodes. Nothing follows from it: it is for those who watch."""

    reply: int
    node: str


@dataclass(frozen=True, slots=True)
class ReplyAskedForTool:
    reply: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ReplyAskedToEnd:
    """Once this reply has been heard, the call shall end."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyAskedToTransfer:
    """Once this reply has been heard, the call shall go to ``destination``."""

    reply: int
    destination: str


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The model has said all it will say in this step."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The model (and every fallback of it) failed."""

    reply: int


# ------------------------------------------------------------------------------------------------ the voice


@dataclass(frozen=True, slots=True)
class SpeechSynthesized:
    """What is known of a piece's audio: its length so far and its words. ``complete`` when no more will come."""

    reply: int
    piece: int
    duration_ms: int
    words: tuple[WordTiming, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class SynthesisFailed:
    """This piece will not be heard (or no more of it)."""

    reply: int
    piece: int


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first audio of a reply has left for the caller."""

    reply: int


@dataclass(frozen=True, slots=True)
class PlaybackReached:
    """``heard_ms`` of the reply have been played. Answers ``HoldPlayback``; may be told at any time."""

    reply: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """Everything of the reply was played."""

    reply: int
    heard_ms: int


# ------------------------------------------------------------------------------------------------ tools


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """``say``, ``ends_call``, ``transfer_to`` and ``hands_over`` as in ``ToolAnswer``."""

    tool_call_id: str
    content: str
    say: str = ""
    ends_call: bool = False
    transfer_to: str = ""
    hands_over: bool = False


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """``problem`` is told to the model; ``say``, where there is any, to the caller instead of the model's words about it."""

    tool_call_id: str
    problem: str
    say: str = ""


Event = (
    CallConnected | ClientReady | CallDropped | EndRequested | TransferRequested
    | PolicyChanged | InstructionsChanged | ToolsChanged
    | AssistantReady
    | AudioArrived | SoundStarted | SoundFaded | SpeechStarted | SpeechContinued | SpeechStopped | SilenceReached
    | TranscriptChanged | TranscriptFinal | TranscriptFailed | EndOfTurnScored | WaitTold | DtmfPressed | VendorTurnSignal
    | TurnCommitted | TurnDiscarded | TextReceived | MessageAdded | MessageRemoved | ReplyRequested | ReplyOffered | ReplyCancelled
    | PlaybackTruncated | SayRequested
    | ReplyText | ReplyPaused | ReplyVoiced | ReplyPlaced | ReplyAskedForTool | ReplyAskedToEnd | ReplyAskedToTransfer
    | ReplyDone | ReplyFailed
    | SpeechSynthesized | SynthesisFailed | PlaybackStarted | PlaybackReached | PlaybackFinished
    | ToolFinished | ToolFailed
)  # fmt: skip
