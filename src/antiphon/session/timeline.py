"""Where the time of each turn went: user stopped → turn closed → first token → first audio → heard."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

_MAX_TURNS = 500
_MOST_FAILURES = 100


@dataclass(slots=True)
class TurnTimes:
    """Milliseconds since the call began; None for what did not happen."""

    turn: int
    text: str = ""
    speech_ended_ms: int | None = None
    """The caller's last sound, as the session clock had it when it was known."""
    transcribed_ms: int | None = None
    """The recogniser's last word before the turn was answered."""
    turn_closed_ms: int | None = None
    reply: int | None = None
    asked_ms: int | None = None
    """The model was asked (before the turn closed, for a speculative reply that was committed)."""
    first_token_ms: int | None = None
    first_audio_ms: int | None = None
    reply_text: str = ""
    interrupted: bool = False
    speculative: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """An engine that failed, whether or not the caller noticed it."""

    at_ms: int
    """When it was known; as the times of turns."""
    turn: int
    """Place of the last turn that had closed by then; 0 before any."""
    provider: str
    code: str


@dataclass(slots=True)
class CallTimeline:
    call_id: str
    provider_call_id: str
    started_ms: int
    wall_ms: int
    max_turns: int = _MAX_TURNS
    turns: list[TurnTimes] = field(default_factory=list)
    greeting: str = ""
    held: int = 0
    """Interruptions that were none: the agent went on."""
    interrupted: int = 0
    talked_over: int = 0
    """Replies that began while the caller had not finished, and were taken back."""
    ended: str = ""
    asked: dict[int, int] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    speech_ended_ms: int | None = None
    transcribed_ms: int | None = None
    latest_ms: int = 0
    """Of what happened last."""
    failures: list[Failure] = field(default_factory=list)
    """The first hundred."""

    def of_reply(self, reply: int) -> TurnTimes | None:
        return next((turn for turn in reversed(self.turns) if turn.reply == reply), None)

    # What happens to it. ``at_ms`` is since the call began.

    def speech_stopped(self, at_ms: int, event: ev.SpeechStopped) -> None:
        self.speech_ended_ms = at_ms - event.silence_ms

    def transcribed(self, at_ms: int, _event: ev.TranscriptFinal) -> None:
        self.transcribed_ms = at_ms

    def answer_came(self, at_ms: int, event: ev.ReplyText | ev.ReplyAskedForTool) -> None:
        if event.reply not in self.tokens:
            self.tokens[event.reply] = at_ms
            if (turn := self.of_reply(event.reply)) is not None:
                turn.first_token_ms = at_ms

    def playback_started(self, at_ms: int, event: ev.PlaybackStarted) -> None:
        if (turn := self.of_reply(event.reply)) is not None:
            turn.first_audio_ms = at_ms

    def reply_started(self, at_ms: int, action: do.StartReply) -> None:
        if action.step == 1:
            self.asked = {action.reply: at_ms}
            if not action.speculative:
                self._answer(action.reply, action.turn, speculative=False)

    def reply_adopted(self, _at_ms: int, action: do.ReplyAdopted) -> None:
        self._answer(action.reply, action.turn, speculative=True)

    def reply_closed(self, _at_ms: int, action: do.ReplyClosed) -> None:
        turn = self.of_reply(action.reply)
        if turn is not None:
            turn.reply_text, turn.interrupted = action.text, action.status == "interrupted"
            self.talked_over += action.taken_back
        elif not self.turns and not self.greeting:
            self.greeting = action.text
        self.tokens.pop(action.reply, None)

    def barge_in_confirmed(self, _at_ms: int, _action: do.InterruptionConfirmed) -> None:
        self.interrupted += 1

    def barge_in_dismissed(self, _at_ms: int, _action: do.InterruptionDismissed) -> None:
        self.held += 1

    def turn_closed(self, at_ms: int, action: do.TurnClosed) -> None:
        if len(self.turns) < self.max_turns:
            times = TurnTimes(action.turn, action.text, self.speech_ended_ms, self.transcribed_ms, at_ms)
            self.turns.append(times)
        self.transcribed_ms = None

    def provider_failed(self, provider: str, code: str) -> None:
        if len(self.failures) < _MOST_FAILURES:
            self.failures.append(Failure(self.latest_ms, max(0, len(self.turns) - 1), provider, code))

    def _answer(self, reply: int, turn_number: int, *, speculative: bool) -> None:
        turn = next((turn for turn in reversed(self.turns) if turn.turn == turn_number), None)
        if turn is not None:
            turn.reply, turn.speculative = reply, speculative
            turn.asked_ms = self.asked.get(reply)
            turn.first_token_ms = self.tokens.get(reply)

    # What can be read from it.

    def rows(self) -> list[dict[str, Any]]:
        """One object a turn, times on the session clock, as ``antiphon call`` reads them."""
        return [self._row(place, turn) for place, turn in enumerate(self.turns)]

    def _row(self, place: int, turn: TurnTimes) -> dict[str, Any]:
        times = {
            "user_stopped_ms": turn.speech_ended_ms,
            "turn_closed_ms": turn.turn_closed_ms,
            "first_token_ms": turn.first_token_ms,
            "first_audio_ms": turn.first_audio_ms,
        }
        row: dict[str, Any] = {
            name: at_ms + self.started_ms if at_ms is not None else None for name, at_ms in times.items()
        }
        if turn.speech_ended_ms is not None:
            row["wall_ms"] = self.wall_ms + turn.speech_ended_ms
        return {
            "turn": turn.turn,
            "heard": turn.text,
            "text": turn.reply_text,
            "interrupted": turn.interrupted,
            "speculative": turn.speculative,
            "failures": [
                {"at_ms": each.at_ms + self.started_ms, "provider": each.provider, "code": each.code}
                for each in self.failures
                if each.turn == place
            ],
            **row,
        }


class Timelines:
    """A ``SessionObserver`` that keeps the timelines of live calls and of the last ones that ended."""

    def __init__(self, wall_ms: int, now_ms: int, keep: int = 500, max_turns: int = _MAX_TURNS) -> None:
        """``wall_ms`` is UTC at ``now_ms``."""
        self._wall_offset_ms = wall_ms - now_ms
        self._keep = keep
        self._max_turns = max_turns
        self._calls: OrderedDict[str, CallTimeline] = OrderedDict()

    def find(self, call_id: str) -> CallTimeline | None:
        """By our id, or the carrier's."""
        found = self._calls.get(call_id)
        if found is None:
            found = next((line for line in reversed(self._calls.values()) if line.provider_call_id == call_id), None)
        return found

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._calls[call.call_id] = CallTimeline(
            call.call_id, call.provider_call_id, now_ms, now_ms + self._wall_offset_ms, self._max_turns
        )
        while len(self._calls) > self._keep:
            # The oldest that has ended goes; live calls are bounded by admission.
            ended = next((key for key, line in self._calls.items() if line.ended), None)
            if ended is None:
                break
            del self._calls[ended]

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        line = self._calls.get(call_id)
        if line is None:
            return
        at_ms = line.latest_ms = now_ms - line.started_ms
        note = _OF_EVENTS.get(type(event))
        if note is not None:
            note(line, at_ms, event)
        for action in actions:
            note = _OF_ACTIONS.get(type(action))
            if note is not None:
                note(line, at_ms, action)

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """Not a matter of time."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        if (line := self._calls.get(call_id)) is not None:
            line.provider_failed(provider, code)

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        if (line := self._calls.get(call_id)) is not None:
            line.ended = reason


# By type, asked for every event of every call: most of them change nothing here.
_Note = Callable[[CallTimeline, int, Any], None]
_OF_EVENTS: dict[type, _Note] = {
    ev.SpeechStopped: CallTimeline.speech_stopped,
    ev.TranscriptFinal: CallTimeline.transcribed,
    ev.ReplyText: CallTimeline.answer_came,
    ev.ReplyAskedForTool: CallTimeline.answer_came,
    ev.PlaybackStarted: CallTimeline.playback_started,
}
_OF_ACTIONS: dict[type, _Note] = {
    do.TurnClosed: CallTimeline.turn_closed,
    do.StartReply: CallTimeline.reply_started,
    do.ReplyAdopted: CallTimeline.reply_adopted,
    do.ReplyClosed: CallTimeline.reply_closed,
    do.InterruptionConfirmed: CallTimeline.barge_in_confirmed,
    do.InterruptionDismissed: CallTimeline.barge_in_dismissed,
}
