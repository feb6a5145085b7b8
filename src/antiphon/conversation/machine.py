"""The conversation: one pure state machine. ``handle`` what happened, ``handle_timer`` when the deadline has passed, carry out
``actions``, wait until ``deadline``.

Every input must be followed by draining ``actions`` before the next input. The machine reads no clock, makes no choice by chance
and does no I/O, so the same inputs at the same times always give the same actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.agent_side import AgentSide
from antiphon.conversation.caller_side import CallerSide
from antiphon.conversation.history import Placed
from antiphon.conversation.keypad import KeypadInput
from antiphon.conversation.policy import Policy
from antiphon.conversation.reply import Reply
from antiphon.conversation.silence import Due, SilenceKeeper
from antiphon.conversation.situation import Say, Situation
from antiphon.conversation.state import Agent, Call, CallTrigger, User, forbidden
from antiphon.conversation.succession import Succession
from antiphon.conversation.words import words_of
from antiphon.vocabulary import EndReason, Message, ToolSpec


class Conversation:
    """One call's conversation.

    ``messages`` is what the model is shown before anything is said (the system prompt); ``tools`` what it may use.
    """

    def __init__(self, policy: Policy, messages: Iterable[Message] = (), tools: Iterable[ToolSpec] = ()) -> None:
        self._s = Situation(policy, messages, tools)
        self._agent = AgentSide(self._s)
        self._caller = CallerSide(self._s, self._agent)
        self._succession = Succession(self._s, self._agent, self._caller)
        self._keypad = KeypadInput()
        self._typed: list[ev.TextReceived] = []
        """Typed words waiting until what was heard of the interrupted reply is known."""
        self._requested: ev.ReplyRequested | None = None
        """A client's request for a reply, waiting until its committed turn has its words, or until the reply before it has been heard."""
        self._end_reason = EndReason.ASSISTANT_ENDED
        """Why the call ends, once it is ending."""
        self._goodbye_deadline_ms: int | None = None
        self._greeting_due_ms: int | None = None
        """When the greeting begins at the latest; None where none waits."""

    # -------------------------------------------------------------------------------------- the four verbs

    def handle(self, event: ev.Event, now_ms: int) -> None:
        """Something happened. After the call has ended, nothing matters any more."""
        self._s.now_ms = max(now_ms, self._s.now_ms)
        if not self.ended:
            _HANDLERS[type(event)](self, event)
            self._settle()

    def handle_timer(self, now_ms: int) -> None:
        """The deadline has passed (or not: then nothing happens)."""
        self._s.now_ms = max(now_ms, self._s.now_ms)
        if not self.ended:
            self._timers()
            self._settle()

    def actions(self) -> list[do.Action]:
        """What to do now, in this order; each is given once."""
        drained, self._s.outbox[:] = list(self._s.outbox), []
        return drained

    def deadline(self) -> int | None:
        """When ``handle_timer`` must be called if nothing happens before; None for never."""
        if self.ended or self._s.call.state is Call.CONNECTING:
            return None
        first_token_ms = not_before_ms = None
        reply = self._s.committed_reply
        if reply is not None:
            if reply.first_token_ms is None and not reply.step.done:
                first_token_ms = reply.started_ms + self._s.policy.speaking.reply_timeout_ms
            if not reply.may_play and reply.ledger.pieces and self._s.agent.state is Agent.THINKING:
                not_before_ms = self._s.not_before_ms
        due = self._s.silence.next(self._s.policy.silence, quiet=self._quiet) if self._s.live else None
        soonest: int | None = None
        # Asked after every input: a loop costs half of what a list and its minimum do.
        for at_ms in (
            self._goodbye_deadline_ms,
            self._greeting_due_ms,
            self._caller.deadline(),
            self._keypad.deadline(self._s.policy.keypad),
            self._s.tool_calls.deadline() if reply is not None else None,
            reply.look_ms if reply is not None else None,
            first_token_ms,
            not_before_ms,
            due[0] if due is not None else None,
        ):
            if at_ms is not None and (soonest is None or at_ms < soonest):
                soonest = at_ms
        return soonest

    # -------------------------------------------------------------------------------------- what can be asked of it

    @property
    def ended(self) -> bool:
        return self._s.call.state is Call.ENDED

    @property
    def user(self) -> User:
        return self._s.user.state

    @property
    def agent(self) -> Agent:
        return self._s.agent.state

    @property
    def call(self) -> Call:
        return self._s.call.state

    @property
    def policy(self) -> Policy:
        return self._s.policy

    def history(self) -> tuple[Message, ...]:
        """The messages as the model would be shown them now."""
        return self._s.history.messages()

    def placed_history(self) -> tuple[Placed, ...]:
        """The same, each with the turn or the reply it came from."""
        return self._s.history.placed()

    @property
    def _quiet(self) -> bool:
        return self._s.quiet and not self._keypad.collecting and not self._s.says

    # -------------------------------------------------------------------------------------- after every input

    def _settle(self) -> None:
        """Draw the consequences until nothing more follows, then check the joint rules."""
        self._agent.discard_stale_speculation()
        while True:
            closed, self._s.just_closed = self._s.just_closed, None
            if closed is not None and not self.ended:
                self._after_reply(closed)
            if self.ended:
                break
            self._succession.take_over_if_free()
            self._take_typed()
            self._caller.evaluate()
            if self._s.just_closed is None:
                self._next_words()
            if self._s.just_closed is None:
                break
        if self._greeting_due_ms is not None and not self._s.quiet:
            self._greeting_due_ms = None
        self._agent.play_if_allowed()
        broken = forbidden(self.user, self.agent, self.call, agent_insists=self._s.agent_insists)
        assert broken is None, broken

    def _after_reply(self, reply: Reply) -> None:
        """What a reply entails once it is over: the end of the call, or its transfer."""
        if self._s.call.state is Call.ENDING:
            if not self._s.says:
                self._finish(self._end_reason)
            return
        # Whoever cuts a goodbye short has something to say: the model is asked again, and decides anew.
        decided = reply.kind == "say" or reply.status in ("completed", "failed")
        if decided and reply.transfer_to:
            self._s.emit(do.TransferCall(reply.transfer_to))
        elif self._says_end_phrase(reply.text):
            self._finish(EndReason.ASSISTANT_SAID_END_PHRASE)
        elif decided and reply.end_after is EndReason.ASSISTANT_ENDED and not reply.text:
            self._begin_end(reply.end_after, "")
        elif decided and reply.end_after is not None:
            self._finish(reply.end_after)

    def _says_end_phrase(self, text: str) -> bool:
        spoken = f" {' '.join(words_of(text))} "
        phrases = (" ".join(words_of(phrase)) for phrase in self._s.policy.speaking.end_call_phrases)
        return any(phrase and f" {phrase} " in spoken for phrase in phrases)

    def _take_typed(self) -> None:
        if self._s.live and self._typed and not self._caller.interruption.decided:
            typed, self._typed = self._typed, []
            self._take_text(" ".join(event.text for event in typed), reply=any(event.reply for event in typed))

    def _next_words(self) -> None:
        """A waiting request, something unanswered, or words of our own take the floor when it is free."""
        if self._s.live and self._requested is not None and self._s.turn is None:
            self._grant_request(self._requested)
        if self._s.live and self._s.unanswered and self._s.quiet:
            self._agent.ask_model(self._s.turn_count)
        if self._s.says and self._s.reply is None and self._s.user.state is User.SILENT:
            self._agent.say(self._s.says.popleft())

    def _grant_request(self, event: ev.ReplyRequested) -> None:
        reply = self._s.reply
        if reply is not None and reply.speech_ended:
            return  # it only plays on
        self._requested = None
        if reply is None:
            self._agent.ask_model(self._s.turn_count, request=event.request, options=event.options, insists=True)
        else:  # the turn has been answered without being asked for
            self._s.emit(do.RequestRefused(event.request, "reply_active"))

    # -------------------------------------------------------------------------------------- the call

    def _connected(self, _event: ev.CallConnected) -> None:
        if self._s.call.state is not Call.CONNECTING:
            return
        self._s.call.fire(CallTrigger.CONNECTED)
        now = self._s.now_ms
        self._s.silence = SilenceKeeper(now, now, now, audio_arrived=self._s.silence.audio_arrived)
        if self._s.policy.greeting.wait_ms:
            self._greeting_due_ms = now + self._s.policy.greeting.wait_ms
        else:
            self._greet()

    def _client_ready(self, _event: ev.ClientReady) -> None:
        if self._greeting_due_ms is not None:
            self._greet()

    def _greet(self) -> None:
        self._greeting_due_ms = None
        greeting = self._s.policy.greeting
        if greeting.mode == "assistant-speaks-first" and greeting.message:
            self._agent.say(Say(greeting.message, interruptible=greeting.interruptible))
        elif greeting.mode == "assistant-speaks-first-with-model-generated-message":
            self._agent.ask_model(0)

    def _transfer_requested(self, event: ev.TransferRequested) -> None:
        if self._s.live:
            self._s.emit(do.TransferCall(event.destination))

    def _audio_arrived(self, _event: ev.AudioArrived) -> None:
        self._s.silence.audio_arrived = True

    def _policy_changed(self, event: ev.PolicyChanged) -> None:
        self._s.policy = event.policy
        self._caller.policy_changed()

    def _instructions_changed(self, event: ev.InstructionsChanged) -> None:
        self._s.history.instruct(event.text)

    def _tools_changed(self, event: ev.ToolsChanged) -> None:
        self._s.tools = {tool.name: tool for tool in event.tools}

    def _begin_end(self, reason: EndReason, message: str) -> None:
        """Say goodbye, then end. What is being said is finished first; nobody is listened to any more."""
        if not self._s.live:
            if self._s.call.state is Call.CONNECTING:
                self._finish(reason)
            return
        self._s.call.fire(CallTrigger.END_BEGAN)
        self._end_reason = reason
        self._goodbye_deadline_ms = self._s.now_ms + self._s.policy.silence.goodbye_timeout_ms
        self._caller.leave()
        self._agent.discard_speculation()
        self._s.says.clear()
        self._typed.clear()
        goodbye = message or self._s.policy.silence.end_call_message
        if goodbye:
            self._s.says.append(Say(goodbye, interruptible=False, end_after=reason))
        reply = self._s.committed_reply
        self._caller.interruption.sound_faded()
        if reply is not None and self._s.agent.state is Agent.HELD and not reply.losing_floor:
            self._agent.resume()
        if reply is not None and not reply.voice_started and reply.kind == "model":
            self._agent.interrupt("cancelled")
        elif reply is None and not goodbye:
            self._finish(reason)

    def _finish(self, reason: EndReason) -> None:
        """End now."""
        reply = self._s.reply
        if reply is not None and reply.speculative:
            self._agent.discard_speculation()
        elif reply is not None:
            self._agent.interrupt("cancelled")
        for pending in self._s.tool_calls.all():
            self._s.emit(do.CancelTool(pending.call.id))
        self._caller.leave()
        self._s.just_closed = None
        self._s.call.fire(CallTrigger.ENDED)
        self._s.emit(do.EndCall(reason))

    # -------------------------------------------------------------------------------------- typed, pressed, commanded

    def _dtmf_pressed(self, event: ev.DtmfPressed) -> None:
        if not self._s.live or not self._s.policy.keypad.enabled:
            return
        self._s.silence.activity(self._s.now_ms, by_caller=True, policy=self._s.policy.silence)
        # A key is no cough: who presses one is not listening any more.
        reply = self._s.committed_reply
        if reply is not None and reply.interruptible and not self._caller.interruption.decided:
            self._caller.interruption.take_floor()
        digits = self._keypad.press(event.digit, self._s.now_ms, self._s.policy.keypad)
        if digits is not None:
            self._text_received(ev.TextReceived(digits))

    def _text_received(self, event: ev.TextReceived) -> None:
        if not self._s.live or not event.text.strip():
            return
        self._s.silence.activity(self._s.now_ms, by_caller=True, policy=self._s.policy.silence)
        self._typed.append(event)
        reply = self._s.committed_reply
        if event.reply and reply is not None and reply.interruptible and not self._caller.interruption.decided:
            self._caller.interruption.take_floor()

    def _take_text(self, text: str, *, reply: bool) -> None:
        """Typed words join the turn that is open, or are a turn of their own."""
        self._agent.discard_speculation()
        if self._s.turn is not None:
            turn = self._s.turn
            turn.carried = f"{turn.carried} {text}".strip()
            return
        self._s.turn_count += 1
        self._s.note(Message("user", text))
        self._s.emit(do.TurnOpened(self._s.turn_count))
        self._s.emit(do.TurnClosed(self._s.turn_count, text))
        self._s.unanswered = self._s.unanswered or reply

    def _message_added(self, event: ev.MessageAdded) -> None:
        message, after = event.message, event.after
        if not self._agent.client_answered(message):
            if after is None or not self._s.history.insert(message, after, turn=self._s.turn_count):
                self._s.note(message)
        self._s.unanswered = self._s.unanswered or (event.reply and self._s.live)

    def _message_removed(self, event: ev.MessageRemoved) -> None:
        reply = self._s.committed_reply
        if reply is not None:
            reply.forgotten = reply.forgotten or reply.number == event.place.reply
            reply.notes = [note for note in reply.notes if not event.place.id or note[0].id != event.place.id]
        self._s.history.remove(event.place)

    def _reply_requested(self, event: ev.ReplyRequested) -> None:
        if not self._s.live:
            return
        self._agent.discard_speculation()
        reply = self._s.reply
        if self._requested is not None or (reply is not None and not reply.speech_ended):
            self._s.emit(do.RequestRefused(event.request, "reply_active"))
        elif reply is not None or (self._s.turn is not None and self._s.user.state is User.PAUSING):
            self._requested = event
        else:
            self._agent.ask_model(self._s.turn_count, request=event.request, options=event.options, insists=True)

    def _reply_offered(self, _event: ev.ReplyOffered) -> None:
        if self._s.live and self._s.quiet and self._s.turn is None and not self._s.says and self._requested is None:
            self._agent.ask_model(self._s.turn_count)

    def _reply_cancelled(self, event: ev.ReplyCancelled) -> None:
        self._agent.discard_speculation()
        if self._s.committed_reply is None:
            self._s.emit(do.RequestRefused(event.request, "no_reply_active"))
        else:
            self._caller.interruption.take_floor("cancelled")

    def _say_requested(self, event: ev.SayRequested) -> None:
        if not self._s.live or not event.text.strip():
            return
        end_after = EndReason.ASSISTANT_ENDED if event.end_call_after else None
        self._agent.discard_speculation()
        self._s.says.append(Say(event.text, event.interruptible, end_after))
        if event.interrupts and self._s.committed_reply is not None and not self._caller.interruption.decided:
            self._caller.interruption.take_floor()

    # -------------------------------------------------------------------------------------- time

    def _timers(self) -> None:
        now, policy = self._s.now_ms, self._s.policy
        if self._s.call.state is Call.CONNECTING:
            return
        if self._goodbye_deadline_ms is not None and self._goodbye_deadline_ms <= now:
            self._finish(self._end_reason)
            return
        if self._greeting_due_ms is not None and self._greeting_due_ms <= now:
            self._greet()
        if self._s.live:
            due = self._s.silence.next(policy.silence, quiet=self._quiet)
            if due is not None and due[0] <= now:
                self._silence_due(due[1])
        if self.ended:
            return
        self._agent.tools_due()
        self._agent.look_at_playback()
        if (digits := self._keypad.due(now, policy.keypad)) is not None:
            self._text_received(ev.TextReceived(digits))
        reply = self._s.committed_reply
        if reply is not None and reply.first_token_ms is None and not reply.step.done:
            if reply.started_ms + policy.speaking.reply_timeout_ms <= now:
                self._agent.give_up(reply)

    def _silence_due(self, due: Due) -> None:
        policy = self._s.policy.silence
        if due is Due.IDLE_PROMPT and policy.idle_reply:
            self._s.silence.prompted(self._s.now_ms)
            self._s.turn_count += 1
            self._s.emit(do.IdleTimedOut(self._s.turn_count))
            self._agent.ask_model(self._s.turn_count)
        elif due is Due.IDLE_PROMPT:
            message = policy.idle_messages[self._s.silence.prompts % len(policy.idle_messages)]
            self._s.silence.prompted(self._s.now_ms)
            self._s.says.append(Say(message, idle=True))
        elif due is Due.SILENCE_TIMEOUT:
            self._begin_end(EndReason.SILENCE_TIMED_OUT, policy.silence_timeout_message)
        elif due is Due.NO_AUDIO:
            self._finish(EndReason.NO_CUSTOMER_AUDIO)
        elif policy.max_duration_message:
            self._begin_end(EndReason.EXCEEDED_MAX_DURATION, policy.max_duration_message)
        else:
            self._finish(EndReason.EXCEEDED_MAX_DURATION)


# One table for all conversations: a table of bound methods in each would be six kilobytes, and a knot only the cycle collector unties.
_HANDLERS: dict[type, Callable[[Conversation, Any], None]] = {
    ev.CallConnected: Conversation._connected,
    ev.ClientReady: Conversation._client_ready,
    ev.CallDropped: lambda it, event: it._finish(event.reason),
    ev.EndRequested: lambda it, event: it._begin_end(event.reason, event.message),
    ev.TransferRequested: Conversation._transfer_requested,
    ev.PolicyChanged: Conversation._policy_changed,
    ev.InstructionsChanged: Conversation._instructions_changed,
    ev.ToolsChanged: Conversation._tools_changed,
    ev.AssistantReady: lambda it, event: it._succession.ready(event),
    ev.AudioArrived: Conversation._audio_arrived,
    ev.SoundStarted: lambda it, event: it._caller.sound_started(event),
    ev.SoundFaded: lambda it, event: it._caller.sound_faded(event),
    ev.SpeechStarted: lambda it, event: it._caller.speech_started(event),
    ev.SpeechContinued: lambda it, event: it._caller.speech_continued(event),
    ev.SpeechStopped: lambda it, event: it._caller.speech_stopped(event),
    ev.SilenceReached: lambda it, event: it._caller.silence_reached(event),
    ev.TranscriptChanged: lambda it, event: it._caller.transcript_changed(event),
    ev.TranscriptFinal: lambda it, event: it._caller.transcript_final(event),
    ev.TranscriptFailed: lambda it, event: it._caller.transcript_failed(event),
    ev.VendorTurnSignal: lambda it, event: it._caller.vendor_signalled(event),
    ev.EndOfTurnScored: lambda it, event: it._caller.scored(event),
    ev.WaitTold: lambda it, event: it._caller.wait_told(event),
    ev.DtmfPressed: Conversation._dtmf_pressed,
    ev.TurnCommitted: lambda it, event: it._caller.committed(event),
    ev.TurnDiscarded: lambda it, event: it._caller.discarded(event),
    ev.TextReceived: Conversation._text_received,
    ev.MessageAdded: Conversation._message_added,
    ev.MessageRemoved: Conversation._message_removed,
    ev.ReplyRequested: Conversation._reply_requested,
    ev.ReplyOffered: Conversation._reply_offered,
    ev.ReplyCancelled: Conversation._reply_cancelled,
    ev.PlaybackTruncated: lambda it, event: it._agent.truncate(event),
    ev.SayRequested: Conversation._say_requested,
    ev.ReplyText: lambda it, event: it._agent.reply_text(event),
    ev.ReplyPaused: lambda it, event: it._agent.reply_paused(event),
    ev.ReplyVoiced: lambda it, event: it._agent.reply_voiced(event),
    ev.ReplyPlaced: lambda _it, _event: None,
    ev.ReplyAskedForTool: lambda it, event: it._agent.asked_for_tool(event),
    ev.ReplyAskedToEnd: lambda it, event: it._agent.asked_to_end(event),
    ev.ReplyAskedToTransfer: lambda it, event: it._agent.asked_to_transfer(event),
    ev.ReplyDone: lambda it, event: it._agent.reply_done(event),
    ev.ReplyFailed: lambda it, event: it._agent.reply_failed(event),
    ev.SpeechSynthesized: lambda it, event: it._agent.synthesized(event),
    ev.SynthesisFailed: lambda it, event: it._agent.synthesis_failed(event),
    ev.PlaybackStarted: lambda it, event: it._agent.playback_started(event),
    ev.PlaybackReached: lambda it, event: it._agent.playback_reached(event),
    ev.PlaybackFinished: lambda it, event: it._agent.playback_finished(event),
    ev.ToolFinished: lambda it, event: it._agent.tool_finished(event),
    ev.ToolFailed: lambda it, event: it._agent.tool_failed(event),
}
