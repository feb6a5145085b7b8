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
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.surfaces.vapi.call_messages import artifact_messages, openai_messages
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
_ASSISTANTS = ("assistant", "assistantOverrides")
"""Fields of a call that hold an assistant, or parts of one."""
SENT: frozenset[str] = frozenset(
    {"assistant.started", "conversation-update", "hang", "model-output", "speech-update", "status-update", "transcript", FINAL,
     "user-interrupted", "voice-input"}
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

    @property
    def call_type(self) -> str:
        return str(self.call.get("type", ""))

    def envelope(self, status: str) -> dict[str, Any]:
        """The fields beside those of its type."""
        call = {**self.call, "status": status}
        for name in _ASSISTANTS:
            if isinstance(came := call.get(name), Mapping):
                call[name] = without_secrets(came)
        around = {"call": call, "assistant": without_secrets(self.assistant)}
        further = {name: self.call[name] for name in ("customer", "phoneNumber") if self.call.get(name)}
        return {**around, **further}


def without_secrets(assistant: Mapping[str, Any]) -> dict[str, Any]:
    """An assistant's document as it is shown to its server: what opens servers is left out, of its tools' as well."""
    shown = {name: value for name, value in assistant.items() if name != "serverUrlSecret"}
    if isinstance(server := shown.get("server"), Mapping):
        shown["server"] = _bare(server)
    model = shown.get("model")
    if isinstance(model, Mapping) and isinstance(tools := model.get("tools"), list | tuple):
        shown["model"] = {**model, "tools": [_bare_tool(tool) for tool in tools]}
    return shown


def _bare(server: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in server.items() if name not in ("secret", "headers")}


def _bare_tool(tool: Any) -> Any:
    if not isinstance(tool, Mapping):
        return tool
    bare = {name: value for name, value in tool.items() if name != "headers"}
    return {**bare, "server": _bare(bare["server"])} if isinstance(bare.get("server"), Mapping) else bare


class ServerMessages(ClientMessages):
    """A ``SessionObserver`` of one call: the same facts as a client is told, in envelopes, in a queue."""

    def __init__(
        self,
        queue: CallQueue,
        wanted: Collection[str],
        about: About,
        wall_offset_ms: int,
        on_ended: Callable[[CallQueue], None],
    ) -> None:
        """``wall_offset_ms``: what the session clock is behind UTC. ``on_ended`` is given the queue, which may still hold messages."""
        kinds = frozenset(wanted) & SENT
        super().__init__(
            lambda body: None, kinds | ({"transcript"} if FINAL in kinds else set()), about.call_type,
            str(about.assistant.get("name", "")), lambda: (),
        )  # fmt: skip
        self._queue = queue
        self._kinds = kinds
        self._about = about
        self._offset_ms = wall_offset_ms
        self._on_ended = on_ended
        self._now_ms = 0
        self._status = "queued"
        self._log: CallHistory | None = None

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._now_ms = now_ms
        if self._log is None and "conversation-update" in self._kinds:
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

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._now_ms = now_ms
        if self._status != "ended":  # it ended otherwise than by its conversation's decision
            self._send("status-update", status="ended", endedReason=in_words(reason, self._about.call_type))
        self._on_ended(self._queue)

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
        status, timestamp = self._status, self._now_ms + self._offset_ms
        self._queue.put(lambda: self._body(kind, timestamp, status, fields))

    def _conversation(self) -> None:
        self._send("conversation-update")

    def _conversation_so_far(self, log: CallHistory) -> dict[str, Any]:
        entries = log.entries[-MAX_CONVERSATION:]
        spoken = openai_messages(entries)
        began_ms = int(entries[0]["from_ms"]) if entries else 0
        said = artifact_messages(entries, int(log.entries[0]["from_ms"]) if log.entries else began_ms)
        return {"conversation": spoken, "messages": said, "messagesOpenAIFormatted": spoken}

    def _body(self, kind: str, timestamp: int, status: str, fields: Mapping[str, Any]) -> bytes:
        """Written when its turn has come."""
        return orjson.dumps(
            {"message": {"type": kind, "timestamp": timestamp, **fields, **self._about.envelope(status)}}, default=str
        )
