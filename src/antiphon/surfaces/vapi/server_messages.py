"""What an application's server is told of a call: the API's server messages, those its assistant's ``serverMessages`` name, in their order.

What needs an answer is not here: ``tool-calls`` is the tool's own request (``tools.webhook``), ``end-of-call-report`` waits until it is
acknowledged (``server_reports``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from antiphon.calls.history import CallHistory
from antiphon.calls.secrets import WRITTEN, stripped
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.surfaces.vapi.call_messages import artifact_messages, destination_document, openai_messages
from antiphon.surfaces.vapi.client_messages import MAX_CONVERSATION, ClientMessages
from antiphon.surfaces.vapi.ended_reasons import in_words
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Message
from antiphon.webhooks.call_queue import CallQueue

DEFAULT: frozenset[str] = frozenset(
    {"conversation-update", "end-of-call-report", "function-call", "hang", "speech-update", "status-update", "tool-calls",
     "transfer-destination-request", "handoff-destination-request", "user-interrupted", "assistant.started"}
)  # fmt: skip
FINAL = 'transcript[transcriptType="final"]'
_TELL_ALL = ("conversation-update", "status-update")
"""Messages that say what was said so far: the second, where a call is forwarded."""
SENT: frozenset[str] = frozenset(
    {"assistant.started", "assistant.speechStarted", "conversation-update", "hang", "model-output", "speech-update", "status-update",
     "transcript", FINAL, "transfer-update", "user-interrupted", "voice-input"}
)  # fmt: skip
"""Types that are sent as they happen."""


def wanted_by(assistant: Mapping[str, Any]) -> Collection[str]:
    """The types of message an assistant's server is sent."""
    named = assistant.get("serverMessages")
    if isinstance(named, str):
        return frozenset({named})
    return frozenset(each for each in named if isinstance(each, str)) if isinstance(named, list | tuple) else DEFAULT


@dataclass(frozen=True, slots=True)
class About:
    """What every message about one call says of it."""

    call: Mapping[str, Any]
    assistant: Mapping[str, Any] = field(default_factory=dict, repr=False)
    messages: tuple[Message, ...] = field(default=(), repr=False)
    """What the history begins with."""
    _told: Mapping[str, Any] = field(init=False, repr=False)
    _assistant: Mapping[str, Any] = field(init=False, repr=False)
    """Both as their server is told of them: what opens servers is left out. Made once for all messages."""

    def __post_init__(self) -> None:
        told = {name: stripped(value) if name in WRITTEN else value for name, value in self.call.items()}
        object.__setattr__(self, "_told", told)
        object.__setattr__(self, "_assistant", stripped(self.assistant))

    @property
    def call_type(self) -> str:
        return str(self.call.get("type", ""))

    def envelope(self, status: str) -> dict[str, Any]:
        """The fields beside those of its type."""
        further = {name: self._told[name] for name in ("customer", "phoneNumber") if self._told.get(name)}
        return {"call": {**self._told, "status": status}, "assistant": self._assistant, **further}


@dataclass(frozen=True, slots=True)
class Listener:
    """An application's server, and what it is told of a call."""

    queue: CallQueue | None
    """None where the assistant has no server."""
    wanted: Collection[str]
    about: About

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self.wanted) & SENT if self.queue is not None else frozenset()

    @property
    def facts(self) -> frozenset[str]:
        return self.kinds | ({"transcript"} if FINAL in self.kinds else set())


class ServerMessages(ClientMessages):
    """A ``SessionObserver`` of one call: the same facts as a client is told, in envelopes, in a queue."""

    def __init__(
        self,
        listener: Listener,
        wall_offset_ms: int,
        clock_ms: Callable[[], int],
        on_ended: Callable[[CallQueue], None],
        follow: Callable[[], Listener] | None = None,
    ) -> None:
        """``clock_ms`` is the session clock, ``wall_offset_ms`` what it is behind UTC. ``on_ended`` is given each queue, which may still
        hold messages. ``follow``: the server of whoever leads now, asked when the call was handed over."""
        about = listener.about
        super().__init__(
            lambda body: None, listener.facts, about.call_type, str(about.assistant.get("name", "")), lambda: (),
            assistant_id=str(about.call.get("assistantId") or ""),
        )  # fmt: skip
        self._queue = listener.queue
        self._queues = [listener.queue]
        self._kinds = listener.kinds
        self._about = about
        self._follow = follow
        self._clock_ms = clock_ms
        self._offset_ms = wall_offset_ms
        self._on_ended = on_ended
        self._now_ms = 0
        self._status = "queued"
        self._log: CallHistory | None = None

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._now_ms = now_ms
        if self._log is None and (self._follow is not None or not self._kinds.isdisjoint(_TELL_ALL)):
            self._log = CallHistory(self._about.messages, now_ms + self._offset_ms)
        super().call_started(call, now_ms)

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        self._now_ms = now_ms
        if self._log is not None:
            self._log.happened(now_ms + self._offset_ms, event, actions)
        super().happened(call_id, now_ms, event, actions)
        if isinstance(event, ev.ReplyFailed):
            self._send("hang")
        for action in actions:
            if isinstance(action, do.InterruptionConfirmed):
                self._send("user-interrupted", turnId=str(self._turn))
            elif isinstance(action, do.TransferCall):
                self._forwarding(action)

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._now_ms = now_ms
        if self._status != "ended":  # it ended otherwise than by its conversation's decision
            self._send("status-update", status="ended", endedReason=in_words(reason, self._about.call_type))
        self._let_go()

    def status_changed(self, status: str, ended_reason: str) -> None:
        """Before it lives, or instead of it (``calls.planned.KnowsStatus``)."""
        self._now_ms = self._clock_ms()
        self._send("status-update", status=status, **({"endedReason": ended_reason} if ended_reason else {}))
        if status == "ended":
            self._let_go()

    def _let_go(self) -> None:
        queues, self._queues = self._queues, []
        for queue in queues:
            if queue is not None:
                self._on_ended(queue)

    def _forwarding(self, action: do.TransferCall) -> None:
        """What has been said until then goes along."""
        to = destination_document(action.destination)
        so_far = self._conversation_so_far(self._log) if self._log is not None else {}
        before = self._status
        self._send("status-update", status="forwarding", destination=to, **so_far)
        self._status = before  # it may fail, and the call goes on

    def _assistant_changed(self, action: do.ChangeAssistant) -> None:
        """The server of the one that leaves is told of it; the other's, that it has begun."""
        if self._follow is None:
            super()._assistant_changed(action)
            return
        self._transferred(action)
        listener = self._follow()
        self._queue, self._kinds, self._about = listener.queue, listener.kinds, listener.about
        self._wanted = listener.facts
        if self._queue not in self._queues:
            self._queues.append(self._queue)
        self._started(action)

    def _send(self, kind: str, **fields: Any) -> None:
        if kind == "status-update":
            self._status = fields["status"]
        if kind == "transcript" and "transcript" not in self._kinds:
            if fields["transcriptType"] != "final":
                return
            kind = FINAL
        if kind not in self._kinds:
            return
        if kind == "conversation-update" and self._log is not None:
            fields = self._conversation_so_far(self._log)
        status, timestamp, about = self._status, self._now_ms + self._offset_ms, self._about
        assert self._queue is not None, "whoever has none wants nothing"
        self._queue.put(lambda: _body(about, kind, timestamp, status, fields))

    def _conversation(self) -> None:
        self._send("conversation-update")

    def _conversation_so_far(self, log: CallHistory) -> dict[str, Any]:
        entries = log.entries[-MAX_CONVERSATION:]
        spoken = openai_messages(entries)
        began_ms = int(entries[0]["from_ms"]) if entries else 0
        said = artifact_messages(entries, int(log.entries[0]["from_ms"]) if log.entries else began_ms)
        return {"conversation": spoken, "messages": said, "messagesOpenAIFormatted": spoken}


def _body(about: About, kind: str, timestamp: int, status: str, fields: Mapping[str, Any]) -> bytes:
    """Written when its turn has come."""
    return orjson.dumps(
        {"message": {"type": kind, "timestamp": timestamp, **fields, **about.envelope(status)}}, default=str
    )
