"""What a client on a call's socket is told: the API's client messages, unwrapped, those its assistant's ``clientMessages`` name."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.surfaces.vapi.call_messages import openai_messages
from antiphon.surfaces.vapi.ended_reasons import in_words
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

DEFAULT: frozenset[str] = frozenset(
    {"conversation-update", "model-output", "speech-update", "status-update", "transcript", "tool-calls",
     "transfer-update", "user-interrupted", "voice-input", "assistant.started"}
)  # fmt: skip
USER_INTERRUPTED = orjson.dumps({"type": "user-interrupted"})
"""Also what makes a client throw away the audio it has not played: it is told so as soon as the agent falls silent."""
MAX_CONVERSATION = 200
"""Messages of a ``conversation-update``: the last ones."""


def wanted_of(assistant: Mapping[str, Any]) -> Collection[str]:
    """The types of message an assistant's clients are sent."""
    named = assistant.get("clientMessages")
    if isinstance(named, str):
        return frozenset({named})
    return frozenset(each for each in named if isinstance(each, str)) if isinstance(named, list | tuple) else DEFAULT


@dataclass(slots=True)
class _Spoken:
    """What the agent says now, or said last."""

    reply: int = 0
    text: str = ""
    playing: int = 0
    turn: int = 0
    """Of the agent, from 0."""
    thought: deque[int] = field(default_factory=lambda: deque(maxlen=8))
    """Replies that a model makes."""


class ClientMessages:
    """A ``SessionObserver`` of one call."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        wanted: Collection[str],
        call_type: str,
        assistant_name: str,
        history: Callable[[], Sequence[Mapping[str, Any]]],
        assistant_id: str = "",
        wanted_now: Callable[[], Collection[str]] | None = None,
    ) -> None:
        """``history`` is what was said so far (``calls.history``). ``wanted_now``: what is wanted once the call has been handed over."""
        self._send_bytes = send
        self._wanted = wanted
        self._call_type = call_type
        self._assistant_name = assistant_name
        self._assistant_id = assistant_id
        self._wanted_now = wanted_now
        self._history = history
        self._turn = 0
        self._speaks = False
        self._spoken = _Spoken()

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._send("status-update", status="in-progress")
        self._send("assistant.started", newAssistant={"name": self._assistant_name})

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        if (tell := _OF_EVENTS.get(type(event))) is not None:
            tell(self, event)
        for action in actions:
            if (tell := _OF_ACTIONS.get(type(action))) is not None:
                tell(self, action)

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """Not told to clients."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """Not told to clients."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        """The socket is closed by now: it was told when the end was decided."""

    def _send(self, kind: str, **fields: Any) -> None:
        if kind in self._wanted:
            self._send_bytes(orjson.dumps({"type": kind, **fields}))

    # What happens.

    def _speech(self, role: str, status: str) -> None:
        self._send("speech-update", status=status, role=role, turn=self._turn)

    def _playback_started(self, event: ev.PlaybackStarted) -> None:
        self._speaks = True
        self._spoken.playing = event.reply
        self._speech("assistant", "started")
        self._caption()

    def _agent_stopped(self, _what: object) -> None:
        if self._speaks:
            self._speaks = False
            self._spoken.turn += 1
            self._speech("assistant", "stopped")

    def _voiced(self, action: do.Speak) -> None:
        self._send("voice-input", input=action.text)
        if action.reply != self._spoken.reply:
            self._spoken.reply, self._spoken.text = action.reply, ""
        apart = " " if action.spaced and self._spoken.text else ""
        self._spoken.text = f"{self._spoken.text}{apart}{action.text}"
        if self._speaks and action.reply == self._spoken.playing:
            self._caption()

    def _caption(self) -> None:
        """Once a piece, when its sound is made: the platform's form for voices that do not time their words."""
        spoken = self._spoken
        source = "model" if spoken.reply in spoken.thought else "force-say"
        self._send("assistant.speechStarted", text=spoken.text, turn=spoken.turn, source=source)

    def _heard(self, event: ev.TranscriptChanged | ev.TranscriptFinal) -> None:
        if event.text:
            kind = "partial" if isinstance(event, ev.TranscriptChanged) else "final"
            self._send("transcript", role="user", transcriptType=kind, transcript=event.text)

    def _turn_closed(self, action: do.TurnClosed) -> None:
        self._turn = action.turn
        self._conversation()

    def _reply_closed(self, action: do.ReplyClosed) -> None:
        if action.text:
            said_by = {"assistantName": self._assistant_name, "assistantId": self._assistant_id}
            named = {name: value for name, value in said_by.items() if value}
            self._send("transcript", role="assistant", transcriptType="final", transcript=action.text, **named)
            self._conversation()

    def _conversation(self) -> None:
        if "conversation-update" in self._wanted:
            history = self._history()
            self._send("conversation-update", conversation=openai_messages(history[-MAX_CONVERSATION:]))

    def _tool_asked(self, action: do.RunTool) -> None:
        call = action.call
        asked = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        self._send("tool-calls", toolCalls=[asked], toolCallList=[asked])

    def _assistant_changed(self, action: do.ChangeAssistant) -> None:
        self._transferred(action)
        if self._wanted_now is not None:
            self._wanted = self._wanted_now()
        self._started(action)

    def _transferred(self, action: do.ChangeAssistant) -> None:
        to = {"type": "assistant", "assistantName": action.assistant}
        names = {"fromAssistant": {"name": self._assistant_name}, "toAssistant": {"name": action.assistant}}
        self._send("transfer-update", destination=to, **names)

    def _started(self, action: do.ChangeAssistant) -> None:
        self._assistant_name, self._assistant_id = action.assistant, action.assistant_id
        self._send("assistant.started", newAssistant={"name": action.assistant})

    def _ended(self, action: do.EndCall) -> None:
        self._send("status-update", status="ended", endedReason=in_words(action.reason, self._call_type))


_Tell = Callable[[ClientMessages, Any], None]
_OF_EVENTS: Mapping[type, _Tell] = {
    ev.SpeechStarted: lambda it, _event: it._speech("user", "started"),
    ev.SpeechStopped: lambda it, _event: it._speech("user", "stopped"),
    ev.TranscriptChanged: ClientMessages._heard,
    ev.TranscriptFinal: ClientMessages._heard,
    ev.PlaybackStarted: ClientMessages._playback_started,
    ev.PlaybackFinished: ClientMessages._agent_stopped,
    ev.ReplyText: lambda it, event: it._send("model-output", output=event.text),
}
_OF_ACTIONS: Mapping[type, _Tell] = {
    do.TurnClosed: ClientMessages._turn_closed,
    do.ReplyClosed: ClientMessages._reply_closed,
    do.StopPlayback: ClientMessages._agent_stopped,
    do.StartReply: lambda it, action: it._spoken.thought.append(action.reply),
    do.Speak: ClientMessages._voiced,
    do.RunTool: ClientMessages._tool_asked,
    do.ChangeAssistant: lambda it, action: it._assistant_changed(action),
    do.EndCall: ClientMessages._ended,
}
