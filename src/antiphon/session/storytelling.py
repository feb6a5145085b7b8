"""What happened in a call, told from its event log for people who want to see why: who sounded when, why each turn closed, and why each
sound over the agent was an interruption or none.

All times are milliseconds since the call began. Where the log does not say a reason in so many words, it follows from what was known at
that moment and the policy's numbers: the ``why`` names the rule and the facts, and page and tests put them into words.
"""

from __future__ import annotations

from antiphon.conversation import events as ev
from antiphon.conversation.policy import Policy
from antiphon.session.event_log import EventLog, LogEntry
from antiphon.session.reasons import why_closed, why_confirmed, why_dismissed
from antiphon.session.story import Facts, Story, was_said


def story_of(log: EventLog) -> Story:
    """The story of a call, whether it has ended or not."""
    teller = _Teller(log.header.policy, log.header.started_ms)
    for entry in log.entries:
        teller.take(entry)
    return teller.finish()


class _Teller:
    def __init__(self, policy: Policy, started_ms: int) -> None:
        self._policy = policy
        self._started_ms = started_ms
        self._story = Story()
        self._now_ms = 0
        self._offset_ms: int | None = None
        """Session clock less audio time: the least that was seen, as audio is never early."""
        self._sound: Facts | None = None
        self._playing: Facts | None = None
        self._turn: Facts | None = None
        self._hold: Facts | None = None
        self._words: dict[int, str] = {}
        self._final = False
        self._confidence: float | None = None
        self._voice_ms = 0
        self._watched_ms: int | None = None
        self._asked: dict[int, Facts] = {}
        """The first time the model was asked for a reply."""
        self._waiting: dict[int, Facts] = {}
        """The last time, while it has not answered."""
        self._said: dict[int, Facts] = {}

    # ---------------------------------------------------------------------------------- what happened

    def take(self, entry: LogEntry) -> None:
        self._now_ms = entry.now_ms - self._started_ms
        if entry.event is not None:
            self._note(entry.event)
        for name, fields in entry.actions:
            act = _ACTS.get(name)
            if act is not None:
                act(self, fields, entry.event)

    def finish(self) -> Story:
        story = self._story
        story.duration_ms = self._now_ms
        story.audio_ms = max(0, self._offset_ms or 0)
        for open_span in (self._sound, self._playing):
            if open_span is not None:
                open_span["to_ms"] = self._now_ms
        for asked in story.thinking:
            asked["to_ms"] = asked["to_ms"] if asked["to_ms"] is not None else self._now_ms
        story.lines = sorted(filter(was_said, story.lines), key=lambda line: line["at_ms"])
        return story

    def _note(self, event: ev.Event) -> None:
        match event:
            case ev.AudioArrived():
                self._sync(0)
            case ev.SoundStarted(media_ms=media_ms):
                self._sync(media_ms)
                self._begin_sound(media_ms)
            case ev.SpeechStarted(media_ms=media_ms):
                self._sound = self._sound or self._begin_sound(media_ms)
                self._sound["kind"] = "speech"
                self._words, self._final, self._confidence = {}, False, None
            case ev.SpeechContinued(voice_ms=voice_ms):
                self._voice_ms = voice_ms
            case ev.SpeechStopped(media_ms=media_ms, silence_ms=silence_ms) | ev.SoundFaded(media_ms, silence_ms):
                self._sync(media_ms + silence_ms)
                self._end_sound(self._now_ms - silence_ms, speech=isinstance(event, ev.SpeechStopped))
            case ev.TranscriptChanged(utterance=utterance, text=text):
                self._words[utterance] = text
            case ev.TranscriptFinal(utterance=utterance, text=text, confidence=confidence):
                self._words[utterance], self._final, self._confidence = text, True, confidence
            case ev.TextReceived(text=text):
                self._story.lines.append({"who": "caller", "at_ms": self._now_ms, "text": text, "typed": True})
            case ev.ReplyText(reply=reply) | ev.ReplyAskedForTool(reply=reply):
                self._answered(reply)
            case ev.PlaybackStarted(reply=reply):
                self._play(reply)
            case ev.PlaybackFinished(reply=reply, heard_ms=heard_ms):
                self._silence(reply, heard_ms)
            case ev.ToolFinished(tool_call_id=id, content=content) | ev.ToolFailed(id, content):
                self._tool_done(id, content, failed=isinstance(event, ev.ToolFailed))
            case ev.PolicyChanged(policy=policy) | ev.AssistantReady(policy=policy):
                self._policy = policy
            case _:
                pass

    def _sync(self, media_ms: int) -> None:
        offset_ms = self._now_ms - media_ms
        self._offset_ms = offset_ms if self._offset_ms is None else min(self._offset_ms, offset_ms)

    def _begin_sound(self, media_ms: int) -> Facts:
        self._voice_ms = 0
        begun_ms = min(self._now_ms, media_ms + (self._offset_ms or 0))
        self._sound = {"from_ms": begun_ms, "to_ms": None, "kind": "sound"}
        self._story.caller.append(self._sound)
        return self._sound

    def _end_sound(self, at_ms: int, *, speech: bool) -> None:
        if self._sound is not None:
            self._sound["to_ms"] = max(at_ms, self._sound["from_ms"])
            self._sound = None
        if speech and self._turn is not None:
            self._turn["speech_ended_ms"] = at_ms

    def _answered(self, reply: int) -> None:
        if (asked := self._waiting.pop(reply, None)) is not None:
            asked["to_ms"] = self._now_ms

    def _play(self, reply: int) -> None:
        self._playing = {"from_ms": self._now_ms, "to_ms": None, "kind": "heard", "reply": reply}
        self._story.agent.append(self._playing)
        if (line := self._said.get(reply)) is not None:
            line.update(at_ms=self._now_ms, sounded=True)
        for turn in reversed(self._story.turns):
            if turn.get("reply") == reply and turn["first_audio_ms"] is None:
                turn["first_audio_ms"] = self._now_ms
                break

    def _silence(self, reply: int, heard_ms: int | None = None) -> None:
        if self._playing is not None and self._playing["reply"] == reply:
            self._playing["to_ms"] = self._now_ms
            self._playing = None
        if heard_ms is not None and (line := self._said.get(reply)) is not None:
            line["heard_ms"] = heard_ms

    def _tool_done(self, id: str, content: str, *, failed: bool) -> None:
        for tool in self._story.tools:
            if tool["id"] == id and tool["to_ms"] is None:
                tool.update(to_ms=self._now_ms, result=content, failed=failed)

    # ---------------------------------------------------------------------------------- what was done about it

    def _watch(self, fields: Facts, event: ev.Event | None) -> None:
        self._watched_ms = fields["silence_ms"]

    def _opened(self, fields: Facts, event: ev.Event | None) -> None:
        begun_ms = self._sound["from_ms"] if self._sound is not None else self._now_ms
        self._turn = {
            "turn": fields["turn"], "opened_ms": begun_ms, "speech_ended_ms": None, "closed_ms": None, "text": "", "fate": "open",
            "why": None, "reply": None, "asked_ms": None, "first_token_ms": None, "first_audio_ms": None, "speculative": False,
        }  # fmt: skip
        self._story.turns.append(self._turn)

    def _closed(self, fields: Facts, event: ev.Event | None) -> None:
        self._over("answered", fields, event)
        turn = self._story.turns[-1] if self._story.turns else None
        line: Facts = {"who": "caller", "at_ms": self._now_ms, "text": fields["text"], "turn": fields["turn"]}
        if turn is not None and turn["turn"] == fields["turn"]:
            line["at_ms"] = turn["opened_ms"]
        if not isinstance(event, ev.TextReceived):
            self._story.lines.append(line)

    def _dropped(self, fields: Facts, event: ev.Event | None) -> None:
        self._over("dropped", fields, event)

    def _over(self, fate: str, fields: Facts, event: ev.Event | None) -> None:
        turn = next((turn for turn in reversed(self._story.turns) if turn["turn"] == fields["turn"]), None)
        if turn is None:
            self._opened(fields, event)
            turn = self._story.turns[-1]
        turn.update(
            closed_ms=self._now_ms,
            text=fields["text"],
            fate=fate,
            why=why_closed(event, self._watched_ms, self._policy),
        )
        self._turn = None

    def _asked_model(self, fields: Facts, event: ev.Event | None) -> None:
        asked = {
            "from_ms": self._now_ms, "to_ms": None, "reply": fields["reply"], "speculative": fields["speculative"],
        }  # fmt: skip
        self._story.thinking.append(asked)
        self._asked.setdefault(fields["reply"], asked)
        self._waiting[fields["reply"]] = asked
        if not fields["speculative"] and fields["step"] == 1:
            self._answers(fields["reply"], fields["turn"], speculative=False)

    def _adopted(self, fields: Facts, event: ev.Event | None) -> None:
        self._answers(fields["reply"], fields["turn"], speculative=True)

    def _answers(self, reply: int, number: int, *, speculative: bool) -> None:
        turn = next((turn for turn in reversed(self._story.turns) if turn["turn"] == number), None)
        if turn is not None:
            turn.update(reply=reply, speculative=speculative)

    def _cancelled(self, fields: Facts, event: ev.Event | None) -> None:
        if (asked := self._waiting.pop(fields["reply"], None)) is not None:
            asked["to_ms"], asked["cancelled"] = self._now_ms, True

    def _spoke(self, fields: Facts, event: ev.Event | None) -> None:
        line = self._said.get(fields["reply"])
        if line is None:
            line = {
                "who": "agent",
                "at_ms": self._now_ms,
                "text": "",
                "reply": fields["reply"],
                "status": "open",
                "sounded": False,
            }
            self._said[fields["reply"]] = line
            self._story.lines.append(line)
        line["text"] = f"{line['text']} {fields['text']}".strip()

    def _reply_closed(self, fields: Facts, event: ev.Event | None) -> None:
        self._silence(fields["reply"])
        line = self._said.get(fields["reply"])
        if line is not None:
            line.update(status=fields["status"], heard=fields["text"], heard_ms=fields["heard_ms"])
        for turn in self._story.turns:
            if turn["reply"] == fields["reply"]:
                asked = self._asked.get(fields["reply"])
                turn["cut"] = fields["status"] == "interrupted"
                if asked is not None:
                    turn.update(asked_ms=asked["from_ms"], first_token_ms=asked["to_ms"])

    def _held(self, fields: Facts, event: ev.Event | None) -> None:
        self._silence(fields["reply"])
        self._hold = {"from_ms": self._now_ms, "to_ms": None, "kind": "held", "reply": fields["reply"]}
        self._story.agent.append(self._hold)
        sound_ms = self._sound["from_ms"] if self._sound is not None else None
        self._words, self._final = {}, False
        barge_in = {
            "at_ms": self._now_ms,
            "sound_ms": sound_ms,
            "reply": fields["reply"],
            "confirmed": None,
            "decided_ms": None,
        }
        self._story.barge_ins.append(barge_in)

    def _resumed(self, fields: Facts, event: ev.Event | None) -> None:
        self._release()
        self._play_on(fields["reply"])

    def _play_on(self, reply: int) -> None:
        self._playing = {"from_ms": self._now_ms, "to_ms": None, "kind": "heard", "reply": reply}
        self._story.agent.append(self._playing)

    def _release(self) -> None:
        if self._hold is not None:
            self._hold["to_ms"] = self._now_ms
            self._hold = None

    def _confirmed(self, fields: Facts, event: ev.Event | None) -> None:
        if self._hold is None and (not self._story.barge_ins or self._story.barge_ins[-1]["decided_ms"] is not None):
            self._story.barge_ins.append({"at_ms": self._now_ms, "sound_ms": None, "reply": fields["reply"]})
        self._release()
        self._silence(fields["reply"])
        self._story.barge_ins[-1].update(
            confirmed=True,
            decided_ms=self._now_ms,
            heard_ms=fields["heard_ms"],
            why=why_confirmed(event, self._evidence(), self._policy),
        )

    def _dismissed(self, fields: Facts, event: ev.Event | None) -> None:
        if self._story.barge_ins:
            self._story.barge_ins[-1].update(
                confirmed=False,
                decided_ms=self._now_ms,
                held_ms=fields["held_ms"],
                why=why_dismissed(event, self._evidence(), self._policy),
            )

    def _evidence(self) -> Facts:
        text = " ".join(self._words[number] for number in sorted(self._words)).strip()
        speech = bool(self._story.caller) and self._story.caller[-1]["kind"] == "speech"
        confidence = self._confidence if self._final else None
        return {
            "words": text,
            "voice_ms": self._voice_ms,
            "final": self._final,
            "confidence": confidence,
            "speech": speech,
        }

    def _ran_tool(self, fields: Facts, event: ev.Event | None) -> None:
        call = fields["call"]
        self._story.tools.append(
            {
                "id": call["id"], "name": call["name"], "arguments": call["arguments"], "turn": fields["turn"],
                "from_ms": self._now_ms, "to_ms": None, "result": None, "failed": False,
            }
        )  # fmt: skip


_ACTS = {
    "WatchSilence": _Teller._watch,
    "TurnOpened": _Teller._opened,
    "TurnClosed": _Teller._closed,
    "TurnDropped": _Teller._dropped,
    "StartReply": _Teller._asked_model,
    "ReplyAdopted": _Teller._adopted,
    "CancelReply": _Teller._cancelled,
    "Speak": _Teller._spoke,
    "ReplyClosed": _Teller._reply_closed,
    "HoldPlayback": _Teller._held,
    "ResumePlayback": _Teller._resumed,
    "InterruptionConfirmed": _Teller._confirmed,
    "InterruptionDismissed": _Teller._dismissed,
    "RunTool": _Teller._ran_tool,
}
