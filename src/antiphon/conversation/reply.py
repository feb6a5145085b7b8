"""One reply of the agent: from the request to the model until the last word was heard, over any number of tool steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from antiphon.conversation.actions import ReplyStatus
from antiphon.conversation.events import ReplyOptions
from antiphon.conversation.playback import PlaybackLedger
from antiphon.conversation.sentences import Piece, SentenceSplitter, without_flushes
from antiphon.conversation.state import REPLY_TRANSITIONS, Machine, ReplyState, ReplyTrigger
from antiphon.conversation.tool_calls import NOT_YET
from antiphon.vocabulary import EndReason, Message, ToolCall, ToolOutcome, ToolResult, ToolSpec


@dataclass(slots=True)
class Step:
    """One answer of the model inside a reply."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    results: dict[str, ToolResult] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    """Calls whose result so far only says that the work has begun."""
    last_words: dict[str, str] = field(default_factory=dict)
    """Calls whose answer needs no words of the model's, with the words that are spoken instead; empty for none."""
    handed_over: bool = False
    """One of its tools has handed the conversation over: the model that asked is not asked again."""
    answer_ids: dict[str, str] = field(default_factory=dict)
    """The client's own names for the answers it gave, by call."""
    tools_allowed: bool = True
    for_client: bool = False
    """It asked for a tool that the client runs: the reply ends with it."""
    done: bool = False

    @property
    def waiting(self) -> bool:
        """Whether a tool it asked for has not answered."""
        return any(call.id not in self.results for call in self.calls)

    @property
    def settled(self) -> bool:
        """Whether all its tools have said themselves what there is to say, or somebody else says it."""
        return self.handed_over or (bool(self.calls) and all(call.id in self.last_words for call in self.calls))

    def messages(self, content: str, *, interrupted: bool = False) -> list[Message]:
        """What the history shows of it: the words in ``content``, the calls, and an answer to every call."""
        messages: list[Message] = []
        if content or self.calls:
            messages.append(Message("assistant", content, tuple(self.calls), interrupted=interrupted))
        for call in self.calls:
            result = self.results.get(call.id)
            content = result.content if result else NOT_YET
            name = self.answer_ids.get(call.id, "")
            messages.append(
                Message("tool", content, tool_call_id=call.id, id=name, tool_outcome=self._outcome(call.id))
            )
        return messages

    def _outcome(self, call_id: str) -> ToolOutcome:
        result = self.results.get(call_id)
        if result is None or call_id in self.started:
            return "pending"
        return "failed" if result.failed else "answered"


@dataclass(frozen=True, slots=True)
class AskedFrom:
    """All that a speculative reply depends on, besides the caller's words: where any of it has changed, it answers another question."""

    history: int
    """The history's revision."""
    tools: tuple[ToolSpec, ...]
    output: Literal["audio", "text"]
    own_words: int
    """Sentences of our own that wait to be said before it."""


def new_life(initial: ReplyState = ReplyState.COMMITTED) -> Machine[ReplyState, ReplyTrigger]:
    """Of one reply; ``SPECULATIVE`` where it is asked for before the turn is over."""
    return Machine("reply", REPLY_TRANSITIONS, initial)


@dataclass(slots=True)
class Reply:
    """``kind`` tells words of the model from words of our own (greeting, prompt, goodbye)."""

    number: int
    turn: int
    splitter: SentenceSplitter
    started_ms: int
    kind: Literal["model", "say"] = "model"
    interruptible: bool = True
    insists: bool = False
    """It may sound while the caller speaks: it must not be interrupted, or the client asked for it in so many words."""
    idle_prompt: bool = False
    written: bool = False
    """Its words are read, not heard (``Policy.output`` when it began)."""
    life: Machine[ReplyState, ReplyTrigger] = field(default_factory=new_life)
    asked_text: str = ""
    """Speculative: the words of the turn it was asked for on."""
    asked_from: AskedFrom | None = None
    """Speculative: what else it was asked for on."""
    request: str = ""
    options: ReplyOptions | None = None
    taken_back: bool = False
    """The caller had not finished when it began: nothing of it enters the history."""
    forgotten: bool = False
    """The client had it removed while it was live: nothing of it enters the history."""
    steps: list[Step] = field(default_factory=lambda: [Step()])
    ledger: PlaybackLedger = field(default_factory=PlaybackLedger)
    unspoken: list[Piece] = field(default_factory=list)
    """Pieces kept back while the reply is speculative."""
    notes: list[tuple[Message, int]] = field(default_factory=list)
    """Messages that came while it was live, with their turns: they follow it in the history."""
    first_token_ms: int | None = None
    voice_started_ms: int | None = None
    """When its first sound left."""
    speech_ended: bool = False
    """``EndSpeech`` was asked for."""
    failed: bool = False
    softened_since_ms: int | None = None
    """Session clock when it began to be spoken more softly; None while it is not."""
    held_since_ms: int | None = None
    heard_known: bool = True
    """False from ``HoldPlayback`` until the mouth has answered how much was heard."""
    lost_as: Literal["interrupted", "cancelled"] | None = None
    """How its end will be called, once that is decided."""
    heard_ms: int = 0
    look_ms: int | None = None
    """When to ask how much has been heard, for a tool that waits for its words; None for never."""
    truncated_ms: int | None = None
    """What the client said was heard, where it said so while the reply was live."""
    end_after: EndReason | None = None
    transfer_to: str = ""
    status: ReplyStatus | None = None
    """How it ended; None while it is live."""

    @property
    def speculative(self) -> bool:
        return self.life.state is ReplyState.SPECULATIVE

    @property
    def may_play(self) -> bool:
        """Whether ``StartPlayback`` was asked for."""
        return self.life.state in (ReplyState.PLAYING, ReplyState.YIELDING)

    @property
    def losing_floor(self) -> bool:
        """Whether its end is decided."""
        return self.life.state in (ReplyState.WITHDRAWN, ReplyState.YIELDING)

    def loses_floor(self, status: Literal["interrupted", "cancelled"]) -> None:
        """Its end is decided, or is to be called otherwise."""
        if not self.losing_floor:
            self.life.fire(ReplyTrigger.LOST_FLOOR)
        self.lost_as = status

    @property
    def step(self) -> Step:
        return self.steps[-1]

    @property
    def voice_started(self) -> bool:
        return self.voice_started_ms is not None

    @property
    def asked_tools(self) -> bool:
        return any(step.calls for step in self.steps)

    def pending_messages(self) -> list[Message]:
        """What the model is shown of this reply when it is asked for the next step: its own words in full, not yet heard, and what came
        meanwhile."""
        own = [message for step in self.steps for message in step.messages(without_flushes(step.text))]
        return own + [message for message, _ in self.notes]

    def reached(self, step: int) -> str:
        """The words of one step that got to the caller: heard, or written in text mode."""
        if self.written:
            return without_flushes(self.steps[step - 1].text)
        return self.ledger.heard_text(self.heard_ms, step)

    @property
    def text(self) -> str:
        """All its words that got to the caller."""
        return " ".join(text for step in range(1, len(self.steps) + 1) if (text := self.reached(step)))
