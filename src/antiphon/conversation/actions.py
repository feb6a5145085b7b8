"""Everything a conversation may ask for: imperatives to carry out, and facts to report. Frozen, one closed union (``Action``).

The session carries out every action of one input, without awaiting, before the machine is fed the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from antiphon.conversation.events import ReplyOptions
from antiphon.vocabulary import EndReason, Message, ToolCall, ToolSpec

# ------------------------------------------------------------------------------------------------ imperatives


@dataclass(frozen=True, slots=True)
class StartReply:
    """Ask the model. Everything it answers carries ``reply``; a reply that ran tools asks again with ``step`` + 1."""

    reply: int
    turn: int
    step: int
    messages: tuple[Message, ...]
    speculative: bool = False
    tools_allowed: bool = True
    request: str = ""
    """The client's own name for what it asked for (``ReplyRequested.request``)."""
    options: ReplyOptions | None = None


@dataclass(frozen=True, slots=True)
class CancelReply:
    """Stop the model and the voice for this reply; nothing more of it will be listened to."""

    reply: int


@dataclass(frozen=True, slots=True)
class StopModel:
    """The model is not listened to any more for this reply, which has failed; its voice still has something to say."""

    reply: int


@dataclass(frozen=True, slots=True)
class Speak:
    """Turn a piece of text into audio, after the pieces before it. Pieces of one reply are numbered 0, 1, 2 …"""

    reply: int
    piece: int
    text: str
    spaced: bool = True
    """Whether white space stood before it (``sentences.Piece``)."""


@dataclass(frozen=True, slots=True)
class EndSpeech:
    """No more pieces will follow: after the last one is played, tell ``PlaybackFinished``."""

    reply: int


@dataclass(frozen=True, slots=True)
class StartPlayback:
    """The reply has the floor: its audio may leave as it is made."""

    reply: int


@dataclass(frozen=True, slots=True)
class SoftenPlayback:
    """Speak more softly from now on: the caller makes a sound that may become speech. Undone by ``ResumePlayback``."""

    reply: int


@dataclass(frozen=True, slots=True)
class HoldPlayback:
    """Silence at once, keep what was not heard. Answered by ``PlaybackReached``."""

    reply: int


@dataclass(frozen=True, slots=True)
class AskPlayback:
    """How much has been heard of a reply? Answered by ``PlaybackReached``."""

    reply: int


@dataclass(frozen=True, slots=True)
class ResumePlayback:
    """Go on at the sample the caller last heard, as loud as before."""

    reply: int


@dataclass(frozen=True, slots=True)
class StopPlayback:
    """Silence at once, for good."""

    reply: int


@dataclass(frozen=True, slots=True)
class WatchSilence:
    """Tell ``SilenceReached`` when the caller's audio has been silent this long since speech (or sound) ended. Replaces the
    watch before it."""

    silence_ms: int


@dataclass(frozen=True, slots=True)
class FinishTranscript:
    """The turn would close now: the recogniser shall say its last word on what it has heard."""


@dataclass(frozen=True, slots=True)
class ScoreTurn:
    """Ask the turn detector, if there is one, about the open turn (``EndOfTurnScored``)."""

    turn: int
    text: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class AskWait:
    """Ask how long to wait after these words of the open turn (``Endpointing.advised``). Answered by ``WaitTold``, or not at all."""

    turn: int
    text: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class RunTool:
    call: ToolCall
    spec: ToolSpec
    turn: int


@dataclass(frozen=True, slots=True)
class CancelTool:
    tool_call_id: str


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Hand the caller to ``destination``; the call ends here by it."""

    destination: str


@dataclass(frozen=True, slots=True)
class ChangeAssistant:
    """From now on the assistant of this ``AssistantReady`` leads: its model, voice, recogniser and tools. Nothing of the one before is
    being thought or said."""

    handoff: int
    assistant: str
    assistant_id: str = ""


@dataclass(frozen=True, slots=True)
class EndCall:
    """The conversation is over; free everything. Always the last action."""

    reason: EndReason


# ------------------------------------------------------------------------------------------------ facts


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The one form in which a state change is reported."""

    machine: Literal["user", "agent", "call"]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TurnOpened:
    """The caller has begun a turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class TurnClosed:
    """The caller has finished: these are the words of the turn."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class TurnDropped:
    """What sounded like a turn was none: a cough, an acknowledgement, nothing intelligible. Or the call ended in the middle of it."""

    turn: int
    text: str
    said: bool = False
    """The words stand in the history all the same: the call is over, and the caller had said them."""


@dataclass(frozen=True, slots=True)
class IdleTimedOut:
    """Nobody has said anything for so long that the model is asked to; ``turn`` is an empty one of the caller's."""

    turn: int


@dataclass(frozen=True, slots=True)
class InterruptionConfirmed:
    """The caller took the floor; ``heard_ms`` of the reply were heard."""

    reply: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class InterruptionDismissed:
    """The agent goes on after a hold of ``held_ms`` (session clock)."""

    reply: int
    held_ms: int


@dataclass(frozen=True, slots=True)
class ReplyAdopted:
    """A speculative reply turned out to answer the words really said."""

    reply: int
    turn: int


ReplyStatus = Literal["completed", "interrupted", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class ReplyClosed:
    """A reply is over. ``text`` is what was heard (written, in text mode); ``estimated`` where the voice told no word times."""

    reply: int
    text: str
    status: ReplyStatus
    heard_ms: int = 0
    estimated: bool = False
    taken_back: bool = False
    """The caller had not finished when it began, and it was hardly heard: it is not in the history, and the caller's words join the turn
    before."""


@dataclass(frozen=True, slots=True)
class ReplyCut:
    """The client corrected what was heard of a past reply."""

    reply: int
    text: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A client's request makes no sense now. ``code`` is a short stable label."""

    request: str
    code: Literal["reply_active", "no_reply_active", "nothing_to_commit", "unknown_reply"]


Action = (
    StartReply | CancelReply | StopModel | Speak | EndSpeech | StartPlayback | SoftenPlayback | HoldPlayback | AskPlayback
    | ResumePlayback | StopPlayback | WatchSilence | FinishTranscript | ScoreTurn | AskWait | RunTool
    | CancelTool | TransferCall | ChangeAssistant | EndCall
    | StateChanged | TurnOpened | TurnClosed | TurnDropped | IdleTimedOut | InterruptionConfirmed | InterruptionDismissed
    | ReplyAdopted | ReplyClosed | ReplyCut | RequestRefused
)  # fmt: skip
