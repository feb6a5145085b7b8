"""What would have become of each turn of a call under another policy: only what can be known.

A call under another policy is another call: once the agent answers at another moment, nobody knows what the caller would have said. So
each turn is asked about by itself. Until its first sound everything was as it was; from there on the other policy decides, the caller
does what the log says until the moment at which the agent's answer was heard in the log, and is silent after it. Silence is
modelled (a log holds it only at the moments that the old policy asked for), and so is the playing of the reply that was being spoken.
The comparison of a turn ends where the turn does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.machine import Conversation
from antiphon.conversation.policy import Policy
from antiphon.session.event_log import EventLog, LogEntry

LONGEST_MS = 60_000
"""A turn that is not over so long after its first sound never will be: push-to-talk, for one."""

_CALLERS = (
    ev.AudioArrived, ev.SoundStarted, ev.SoundFaded, ev.SpeechStarted, ev.SpeechContinued, ev.SpeechStopped, ev.TranscriptChanged,
    ev.TranscriptFinal, ev.TranscriptFailed, ev.DtmfPressed, ev.TextReceived, ev.TurnCommitted, ev.TurnDiscarded,
)  # fmt: skip
"""What the caller does, and what the recogniser makes of it."""


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """What became of a turn, so that two policies can be compared."""

    turn: int
    text: str
    closed_ms: int
    """Since the call began."""
    fate: str
    """``answered``, ``dropped``, ``open``."""
    interrupted_reply: int | None = None
    """The reply this turn cut short."""


def outcomes(log: EventLog) -> list[TurnOutcome]:
    """The turns as they went."""
    keeper = _Keeper(log.header.started_ms)
    for entry in log.entries:
        keeper.note(entry.now_ms, entry.actions)
    return keeper.outcomes()


def outcomes_under(log: EventLog, policy: Policy) -> list[TurnOutcome]:
    """The same turns under another policy, each by itself."""
    return [_Turn(log, turn.turn, policy).outcome() for turn in outcomes(log)]


def compared(log: EventLog, policy: Policy) -> list[TurnOutcome]:
    """The turns as they would have gone: those that went otherwise because of the policy, the others as they went. What the model itself
    gets wrong (beats that came late, for one) it gets wrong under both policies, and is left out."""
    told = []
    modelled = zip(outcomes_under(log, log.header.policy), outcomes_under(log, policy), strict=True)
    for was, (own, other) in zip(outcomes(log), modelled, strict=True):
        late_ms = other.closed_ms - own.closed_ms if own.fate == was.fate else 0
        told.append(was if own == other else replace(other, closed_ms=was.closed_ms + late_ms) if late_ms else other)
    return told


class _Keeper:
    """Gathers what is done about turns."""

    def __init__(self, started_ms: int) -> None:
        self._started_ms = started_ms
        self._turns: dict[int, TurnOutcome] = {}

    def note(self, now_ms: int, actions: Sequence[Any]) -> None:
        """Actions as they are, or as the log writes them: ``[name, fields]``."""
        at_ms = now_ms - self._started_ms
        for action in actions:
            name, fields = action if isinstance(action, list) else (type(action).__name__, None)
            value = fields.get if fields is not None else lambda key, action=action: getattr(action, key)
            if name == "TurnOpened":
                turn = value("turn")
                self._turns[turn] = TurnOutcome(turn, "", at_ms, "open")
            elif name in ("TurnClosed", "TurnDropped") and (turn := value("turn")) in self._turns:
                cut = self._turns[turn].interrupted_reply
                fate = "answered" if name == "TurnClosed" else "dropped"
                self._turns[turn] = TurnOutcome(turn, value("text"), at_ms, fate, cut)
            elif name == "InterruptionConfirmed" and self._turns:
                last = self._turns[max(self._turns)]
                if last.fate == "open":
                    self._turns[last.turn] = TurnOutcome(last.turn, last.text, at_ms, last.fate, value("reply"))

    def outcomes(self) -> list[TurnOutcome]:
        return list(self._turns.values())

    def of(self, turn: int) -> TurnOutcome | None:
        return self._turns.get(turn)


@dataclass(slots=True)
class _Playback:
    """The reply that is being played, by the clock."""

    reply: int = 0
    base_ms: int = 0
    since_ms: int | None = None
    """Since when it has been playing from ``base_ms`` on; None while it is silent."""
    durations_ms: dict[int, int] = field(default_factory=dict)
    ended: bool = False
    """No more speech will come."""

    def heard_ms(self, now_ms: int) -> int:
        playing_ms = now_ms - self.since_ms if self.since_ms is not None else 0
        return min(self.base_ms + playing_ms, sum(self.durations_ms.values()))

    @property
    def ends_ms(self) -> int | None:
        if not self.ended or self.since_ms is None:
            return None
        return self.since_ms + sum(self.durations_ms.values()) - self.base_ms

    def saw(self, event: ev.Event | None, now_ms: int) -> None:
        """What the log tells of it."""
        match event:
            case ev.PlaybackStarted(reply=reply):
                self.reply, self.base_ms, self.since_ms = reply, 0, now_ms
            case ev.SpeechSynthesized(reply=reply, piece=piece, duration_ms=duration_ms):
                if reply != self.reply and self.since_ms is None:
                    self.reply, self.base_ms, self.durations_ms, self.ended = reply, 0, {}, False
                if reply == self.reply:
                    self.durations_ms[piece] = max(duration_ms, self.durations_ms.get(piece, 0))
            case ev.PlaybackReached(reply=reply, heard_ms=heard_ms) if reply == self.reply:
                self.base_ms, self.since_ms = heard_ms, None
            case ev.PlaybackFinished(reply=reply) if reply == self.reply:
                self.since_ms = None
            case _:
                pass

    def did(self, name: str, reply: int, now_ms: int) -> None:
        """What the conversation asked of it."""
        if name == "EndSpeech" and reply == self.reply:
            self.ended = True
        elif reply != self.reply:
            if name in ("Speak", "EndSpeech"):
                self.reply, self.base_ms, self.since_ms, self.durations_ms = reply, 0, None, {}
                self.ended = name == "EndSpeech"
        elif name == "HoldPlayback":
            self.base_ms, self.since_ms = self.heard_ms(now_ms), None
        elif name == "ResumePlayback":
            self.since_ms = now_ms
        elif name == "StopPlayback":
            self.since_ms = None


class _Turn:
    """One turn of a call, run again under another policy."""

    def __init__(self, log: EventLog, turn: int, policy: Policy) -> None:
        self._log, self._turn, self._policy = log, turn, policy
        self._conversation = Conversation(log.header.policy, log.header.messages, log.header.tools)
        self._keeper = _Keeper(log.header.started_ms)
        self._playback = _Playback()
        self._silent_since_ms: int | None = None
        self._watched_ms: int | None = None
        """Silence that is asked for and has not been reached."""
        self._now_ms = log.header.started_ms

    def outcome(self) -> TurnOutcome:
        begins = self._first_sound()
        for entry in self._log.entries[:begins]:
            self._run_logged(entry)
        began_ms = self._log.entries[begins].now_ms
        self._feed(ev.PolicyChanged(self._policy), began_ms)
        for entry in self._caller_s(begins):
            if self._is_over(began_ms):
                break
            self._pass_until(entry.now_ms, began_ms)
            if not self._is_over(began_ms) and entry.event is not None:
                self._feed(entry.event, entry.now_ms)
        self._pass_until(began_ms + LONGEST_MS, began_ms)
        found = self._keeper.of(self._turn)
        return found or TurnOutcome(self._turn, "", began_ms - self._log.header.started_ms, "open")

    def _first_sound(self) -> int:
        """Where in the log the turn begins: at the sound that it was opened for."""
        opened = next(
            number
            for number, entry in enumerate(self._log.entries)
            if any(name == "TurnOpened" and fields["turn"] == self._turn for name, fields in entry.actions)
        )
        if isinstance(self._log.entries[opened].event, ev.SpeechStarted):
            for number in range(opened - 1, -1, -1):
                event = self._log.entries[number].event
                if isinstance(event, ev.SoundStarted):
                    return number
                if isinstance(event, ev.SoundFaded | ev.SpeechStopped):
                    break
        return opened

    def _caller_s(self, begins: int) -> list[LogEntry]:
        """What the caller did in and after this turn, until the agent's answer to it was heard. What is told of the voice that was
        speaking already belongs to it."""
        kept = []
        for entry in self._log.entries[begins:]:
            if isinstance(entry.event, ev.PlaybackStarted) and self._answers(entry.event.reply):
                break
            old_voice = isinstance(entry.event, ev.SpeechSynthesized) and entry.event.reply == self._playback.reply
            if isinstance(entry.event, _CALLERS) or old_voice:
                kept.append(entry)
        return kept

    def _answers(self, reply: int) -> bool:
        asked = (
            fields
            for entry in self._log.entries
            for name, fields in entry.actions
            if name == "StartReply" and fields["reply"] == reply
        )
        return next((fields["turn"] >= self._turn for fields in asked), False)

    # ---------------------------------------------------------------------------------- running

    def _run_logged(self, entry: LogEntry) -> None:
        """As it was."""
        if entry.event is None:
            self._conversation.handle_timer(entry.now_ms)
        else:
            self._conversation.handle(entry.event, entry.now_ms)
        self._playback.saw(entry.event, entry.now_ms)
        self._note_sound(entry.event, entry.now_ms)
        for action in self._conversation.actions():
            self._playback.did(type(action).__name__, getattr(action, "reply", 0), entry.now_ms)
            if isinstance(action, do.WatchSilence):
                self._watched_ms = action.silence_ms
        self._keeper.note(entry.now_ms, entry.actions)
        self._now_ms = entry.now_ms

    def _feed(self, event: ev.Event | None, now_ms: int) -> None:
        self._now_ms = max(now_ms, self._now_ms)
        if event is None:
            self._conversation.handle_timer(self._now_ms)
        else:
            self._conversation.handle(event, self._now_ms)
        self._playback.saw(event, self._now_ms)
        self._note_sound(event, self._now_ms)
        actions = self._conversation.actions()
        self._keeper.note(self._now_ms, actions)
        for action in actions:
            self._playback.did(type(action).__name__, getattr(action, "reply", 0), self._now_ms)
            if isinstance(action, do.WatchSilence):
                self._watched_ms = action.silence_ms
            elif isinstance(action, do.HoldPlayback):
                self._feed(ev.PlaybackReached(action.reply, self._playback.base_ms), self._now_ms)
            elif isinstance(action, do.AskPlayback):
                heard_ms = self._playback.heard_ms(self._now_ms) if action.reply == self._playback.reply else 0
                self._feed(ev.PlaybackReached(action.reply, heard_ms), self._now_ms)

    def _note_sound(self, event: ev.Event | None, now_ms: int) -> None:
        if isinstance(event, ev.SoundStarted | ev.SpeechStarted):
            self._silent_since_ms = self._watched_ms = None
        elif isinstance(event, ev.SpeechStopped | ev.SoundFaded):
            self._silent_since_ms = now_ms - event.silence_ms

    def _pass_until(self, until_ms: int, began_ms: int) -> None:
        """Let time pass: silence is reached, timers run out, the reply plays on."""
        for _ in range(10_000):
            due = [(at_ms, event) for at_ms, event in self._coming() if at_ms <= until_ms]
            if not due or self._is_over(began_ms):
                return
            at_ms, event = min(due, key=lambda each: each[0])
            if isinstance(event, ev.SilenceReached):
                self._watched_ms = None
            self._feed(event, at_ms)

    def _coming(self) -> list[tuple[int, ev.Event | None]]:
        coming: list[tuple[int, ev.Event | None]] = []
        if self._silent_since_ms is not None and self._watched_ms is not None:
            reached_ms = max(self._silent_since_ms + self._watched_ms, self._now_ms)
            coming.append((reached_ms, ev.SilenceReached(reached_ms - self._silent_since_ms)))
        if (deadline_ms := self._conversation.deadline()) is not None:
            coming.append((max(deadline_ms, self._now_ms), None))
        if (ends_ms := self._playback.ends_ms) is not None:
            played_ms = sum(self._playback.durations_ms.values())
            coming.append((max(ends_ms, self._now_ms), ev.PlaybackFinished(self._playback.reply, played_ms)))
        return coming

    def _is_over(self, began_ms: int) -> bool:
        found = self._keeper.of(self._turn)
        return (found is not None and found.fate != "open") or self._now_ms >= began_ms + LONGEST_MS
