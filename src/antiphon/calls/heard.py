"""What was said in a call and when, out of its event log.

The log is the durable truth: it survives ``kill -9``. Its inputs are run through the conversation again, which gives the history as it
stood in the end (what the caller *heard*, corrections and all), and the times of its messages come from what happened on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from antiphon.calls.history import MAX_CHARS, MAX_ENTRIES
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.machine import Conversation
from antiphon.session.event_log import EventLog
from antiphon.session.timeline import CallTimeline, Timelines
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import TELEPHONE, EndReason, Message

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HeardMessage:
    """A message of the call's history, with its times in milliseconds since the call began."""

    message: Message
    at_ms: int
    ended_ms: int | None = None
    """None where it took no time: instructions, a tool's answer."""
    assistant: str = ""
    """The name of the assistant that said it, where the call was handed over."""
    assistant_id: str = ""


@dataclass(frozen=True, slots=True)
class HeardCall:
    """A whole call, or one that broke off."""

    call_id: str
    wall_ms: int
    """UTC when it began."""
    duration_ms: int
    ended: str
    messages: tuple[HeardMessage, ...]
    """The first of them, as many and as long as a record holds."""
    timeline: CallTimeline
    leads: tuple[tuple[str, str], ...] = ()
    """Name and id of each assistant that led it, in their order; empty where it was never handed over."""
    led_from_ms: tuple[int, ...] = ()
    """Since when each led."""
    truncated: bool = False
    """Whether there were more messages: the log has them all."""
    shown: tuple[HeardMessage, ...] = ()
    """As the model of whoever led last was shown them in the end, in that order: instructions first, and of the past what the handoff's
    plan left. As many and as long as a record holds."""


@dataclass(slots=True)
class _Times:
    """When things of each turn, reply and tool happened, since the call began."""

    turn_opened: dict[int, int] = field(default_factory=dict)
    turn_ended: dict[int, int] = field(default_factory=dict)
    step_began: dict[tuple[int, int], int] = field(default_factory=dict)
    playback: dict[int, int] = field(default_factory=dict)
    reply_closed: dict[int, int] = field(default_factory=dict)
    heard_ms: dict[int, int] = field(default_factory=dict)
    tool_ended: dict[str, int] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    speech_ended: int | None = None
    leads: list[tuple[int, str, str]] = field(default_factory=list)
    """The first reply of each assistant that led the call, its name and its id; empty where it was never handed over."""
    led_from_ms: list[int] = field(default_factory=list)
    ready: ev.AssistantReady | None = None
    _step: dict[int, int] = field(default_factory=dict)

    def note(self, at_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        if isinstance(event, ev.SpeechStopped):
            self.speech_ended = max(at_ms - event.silence_ms, 0)
        elif isinstance(event, ev.PlaybackStarted):
            self.playback.setdefault(event.reply, at_ms)
        elif isinstance(event, ev.ToolFinished | ev.ToolFailed):
            self.tool_ended[event.tool_call_id] = at_ms
        elif isinstance(event, ev.MessageAdded) and (event.message.id or event.message.tool_call_id):
            self.added.setdefault(event.message.id or event.message.tool_call_id or "", at_ms)
        elif isinstance(event, ev.AssistantReady):
            self.ready = event
        for action in actions:
            self._note_action(at_ms, action)

    def _note_change(self, at_ms: int, ready: ev.AssistantReady) -> None:
        if not self.leads:
            self.leads.append((0, ready.leaving, ready.leaving_id))
            self.led_from_ms.append(0)
        self.led_from_ms.append(at_ms)
        begun = max((*self.reply_closed, *self._step), default=0)
        self.leads.append((begun + 1, ready.assistant, ready.assistant_id))

    def lead_of(self, reply: int) -> tuple[str, str]:
        """Name and id of the assistant whose reply it was; empty where the call was never handed over."""
        return next(((name, id) for first, name, id in reversed(self.leads) if reply >= first), ("", ""))

    def _note_action(self, at_ms: int, action: do.Action) -> None:
        if isinstance(action, do.TurnOpened):
            self.turn_opened.setdefault(action.turn, at_ms)
        elif isinstance(action, do.TurnClosed | do.TurnDropped):
            spoke_last = self.speech_ended if self.speech_ended is not None else at_ms
            self.turn_ended[action.turn] = max(spoke_last, self.turn_opened.setdefault(action.turn, at_ms))
        elif isinstance(action, do.StartReply):
            self._step[action.reply] = action.step
            self.step_began[(action.reply, action.step)] = at_ms
        elif isinstance(action, do.Speak):
            step = (action.reply, self._step.get(action.reply, 1))
            self.step_began.setdefault(step, at_ms)
        elif isinstance(action, do.ChangeAssistant) and self.ready is not None:
            self._note_change(at_ms, self.ready)
        elif isinstance(action, do.ReplyClosed):
            self.reply_closed[action.reply] = at_ms
            self.heard_ms[action.reply] = action.heard_ms


def heard_call(event_log: EventLog) -> HeardCall:
    """Never fails: where the conversation of today cannot follow the log any further (a bug of ours ended the call), what was said until
    there is what there is."""
    header = event_log.header
    conversation = Conversation(header.policy, header.messages, header.tools)
    times = _Times()
    timelines = Timelines(header.wall_ms, header.started_ms, keep=1)
    timelines.call_started(_started(event_log), header.started_ms)
    last_ms = header.started_ms
    for entry in event_log.entries:
        last_ms = max(last_ms, entry.now_ms)
        try:
            if entry.event is None:
                conversation.handle_timer(entry.now_ms)
            else:
                conversation.handle(entry.event, entry.now_ms)
            actions = conversation.actions()
        except Exception as fault:
            log.error("event_log_not_followed", call_id=header.call_id, problem=type(fault).__name__)
            break
        times.note(entry.now_ms - header.started_ms, entry.event, actions)
        timelines.happened(header.call_id, entry.now_ms, entry.event, actions)
    else:
        if not conversation.ended:  # its process died: what was being said had been heard up to there
            conversation.handle(ev.CallDropped(EndReason.SERVER_DIED), last_ms)
            times.note(last_ms - header.started_ms, None, conversation.actions())
    timeline = timelines.find(header.call_id)
    assert timeline is not None, "it was started above"
    timed = _timed(conversation, times)
    messages = _bounded(timed)
    return HeardCall(
        header.call_id,
        header.wall_ms,
        last_ms - header.started_ms,
        event_log.ended or "",
        messages,
        timeline,
        tuple((name, id) for _, name, id in times.leads),
        tuple(times.led_from_ms),
        truncated=len(messages) < len(timed),
        shown=_bounded(_shown(conversation.history(), timed)),
    )


def _shown(messages: Sequence[Message], timed: Sequence[HeardMessage]) -> list[HeardMessage]:
    """``messages`` with the times of ``timed``, which has all of them: the very same ones, or, of some, without their tool calls."""
    same = {id(heard.message): heard for heard in timed}
    bare = {heard.message.content: heard for heard in timed if heard.message.tool_calls}
    found = (same.get(id(message)) or bare.get(message.content) or HeardMessage(message, 0) for message in messages)
    return [replace(heard, message=message) for heard, message in zip(found, messages, strict=True)]


def _bounded(messages: Sequence[HeardMessage]) -> tuple[HeardMessage, ...]:
    """What a client puts into a conversation may be megabytes, and a record, a report and a page carry each text several times over."""
    chars = 0
    for kept, message in enumerate(messages):
        chars += len(message.message.content) + sum(len(str(call.arguments)) for call in message.message.tool_calls)
        if kept >= MAX_ENTRIES or chars > MAX_CHARS:
            return tuple(messages[:kept])
    return tuple(messages)


def _started(event_log: EventLog) -> CallStarted:
    header = event_log.header
    return CallStarted(
        header.carrier.get("provider", ""), header.call_id, header.assistant, header.carrier.get("provider_call_id", ""),
        format_in=TELEPHONE, format_out=TELEPHONE,
    )  # fmt: skip


def _timed(conversation: Conversation, times: _Times) -> list[HeardMessage]:
    """The history; what has no time of its own stands at the end of what is before it."""
    timed: list[HeardMessage] = []
    now_ms = 0
    for placed in conversation.placed_history():
        message = placed.message
        began, ended = _span(placed.turn, placed.reply, placed.step, message, times)
        began = now_ms if began is None else began
        said_by = times.lead_of(placed.reply) if message.role == "assistant" and placed.reply else ("", "")
        timed.append(HeardMessage(message, began, ended, *said_by))
        now_ms = max(now_ms, began if ended is None else ended)
    return timed


def _span(turn: int, reply: int, step: int, message: Message, times: _Times) -> tuple[int | None, int | None]:
    """When a message began and when it ended; None where that is not known."""
    if message.role == "tool":
        known = message.tool_call_id or ""
        return times.tool_ended.get(known, times.added.get(message.id or known)), None
    if reply and not message.content:  # tools alone: nothing of it was heard
        return times.step_began.get((reply, step)), None
    if reply:
        return _reply_span(reply, step, times)
    if message.role == "user" and turn in times.turn_ended and not message.id:
        return times.turn_opened.get(turn), times.turn_ended[turn]
    return times.added.get(message.id), None


def _reply_span(reply: int, step: int, times: _Times) -> tuple[int | None, int | None]:
    closed = times.reply_closed.get(reply)
    began = times.step_began.get((reply, step))
    if step == 1:
        began = times.playback.get(reply, began)
        if (reply, 2) not in times.step_began:
            heard_ms = times.heard_ms.get(reply, 0)
            return began, closed if began is None or not heard_ms else began + heard_ms
    elif began is not None:  # its words come after those of the step before
        began = max(began, times.playback.get(reply, began))
    return began, times.step_began.get((reply, step + 1), closed)
