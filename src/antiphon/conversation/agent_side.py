"""The agent's side: replies and their voice, from the request to the model to the last word heard."""

from __future__ import annotations

from typing import Literal

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.reply import Reply, Step, new_life
from antiphon.conversation.sentences import Piece, SentenceSplitter
from antiphon.conversation.situation import Say, Situation
from antiphon.conversation.state import Agent, AgentTrigger, ReplyState, ReplyTrigger, User
from antiphon.conversation.tool_calls import NOT_BEGUN, STARTED, TIMED_OUT, UNKNOWN_TOOL, PendingTool
from antiphon.conversation.tool_words import chosen
from antiphon.vocabulary import EndReason, Message, ToolAnswer, ToolCall, ToolResult, ToolSaying, ToolSpec

_LOOK_MS = 100
"""How often it is asked whether words that a tool waits for have been heard …"""
_LONGEST_WORDS_MS = 30_000
"""… and how long it waits for them at most: then it begins all the same."""
_NOTHING = ToolSaying("")


class AgentSide:
    """Acts on the situation's reply. At most one is live; what belongs to another is ignored by its number."""

    def __init__(self, situation: Situation) -> None:
        self._s = situation

    # -------------------------------------------------------------------------------------- beginning a reply

    def ask_model(
        self, turn: int, *, request: str = "", options: ev.ReplyOptions | None = None, insists: bool = False
    ) -> None:
        """Start a reply to the history that has the floor. ``insists`` where a client asked for it in so many words."""
        reply = self._begin(turn, options)
        reply.request, reply.insists = request, insists
        self._s.unanswered = False
        self._s.agent.fire(AgentTrigger.REPLY_BEGAN)
        self._ask(reply, self._messages_for(reply))

    def speculate(self, turn: int, text: str) -> None:
        """Start a reply to words that may not be all of the turn."""
        reply = self._begin(turn)
        reply.life = new_life(ReplyState.SPECULATIVE)
        reply.asked_text = text
        reply.asked_from = self._s.asked_from()
        self._ask(reply, (*self._s.history.messages(), Message("user", text)))

    def _messages_for(self, reply: Reply) -> tuple[Message, ...]:
        options = reply.options
        if options is None:
            return self._s.history.messages()
        return self._s.history.under(options.instructions, options.messages)

    def _ask(self, reply: Reply, messages: tuple[Message, ...]) -> None:
        step = len(reply.steps)
        reply.step.tools_allowed = step <= self._s.policy.max_tool_steps
        self._s.emit(
            do.StartReply(
                reply.number,
                reply.turn,
                step,
                messages,
                speculative=reply.speculative,
                tools_allowed=reply.step.tools_allowed,
                request=reply.request,
                options=reply.options,
            )
        )

    def discard_speculation(self) -> None:
        """A speculative reply, if there is one, answers the wrong words, or can no longer answer the right ones."""
        reply = self._s.reply
        if reply is not None and reply.speculative:
            reply.life.fire(ReplyTrigger.DISCARDED)
            self._s.emit(do.CancelReply(reply.number))
            self._s.reply = None

    def discard_stale_speculation(self) -> None:
        """Asked after every input: whatever it has changed, a reply that was asked for before it is of no use."""
        reply = self._s.reply
        if reply is not None and reply.speculative and reply.asked_from != self._s.asked_from():
            self.discard_speculation()

    def commit_speculation(self) -> None:
        """The turn closed with the very words it was asked for on: the reply gets the floor, with all it has so far."""
        reply = self._s.reply
        assert reply is not None
        reply.life.fire(ReplyTrigger.COMMITTED)
        self._s.unanswered = False
        self._s.agent.fire(AgentTrigger.REPLY_BEGAN)
        self._s.emit(do.ReplyAdopted(reply.number, reply.turn))
        pieces, reply.unspoken = reply.unspoken, []
        for piece in pieces:
            self._speak(reply, piece)
        self.play_if_allowed()
        for call in list(reply.step.calls):
            self._run_tool(reply, call)
        if reply.step.done:
            self._go_on(reply)

    def say(self, say: Say) -> None:
        """Speak words of our own. The floor must be free."""
        reply = self._begin(self._s.turn_count)
        reply.kind = "say"
        reply.interruptible = say.interruptible
        reply.insists = not say.interruptible
        reply.end_after = say.end_after
        reply.idle_prompt = say.idle
        reply.step.text = say.text
        reply.step.done = True
        self._s.agent.fire(AgentTrigger.REPLY_BEGAN)
        for piece in reply.splitter.feed(say.text) + reply.splitter.flush():
            self._speak(reply, piece)
        self._go_on(reply)

    def _begin(self, turn: int, options: ev.ReplyOptions | None = None) -> Reply:
        assert self._s.reply is None, "at most one reply is live"
        self._s.reply_count += 1
        output = (options.output if options is not None else None) or self._s.policy.output
        self._s.reply = Reply(
            self._s.reply_count,
            turn,
            SentenceSplitter(self._s.policy.speaking),
            self._s.now_ms,
            written=output == "text",
            options=options,
        )
        return self._s.reply

    # -------------------------------------------------------------------------------------- the model answers

    def _live(self, number: int) -> Reply | None:
        reply = self._s.reply
        return reply if reply is not None and reply.number == number else None

    def reply_text(self, event: ev.ReplyText) -> None:
        reply = self._live(event.reply)
        if reply is None or reply.step.done:
            return
        if reply.first_token_ms is None:
            reply.first_token_ms = self._s.now_ms
        reply.step.text += event.text
        for piece in reply.splitter.feed(event.text):
            self._speak(reply, piece)

    def reply_paused(self, event: ev.ReplyPaused) -> None:
        reply = self._live(event.reply)
        if reply is not None and not reply.step.done:
            for piece in reply.splitter.pause():
                self._speak(reply, piece)

    def reply_voiced(self, event: ev.ReplyVoiced) -> None:
        reply = self._live(event.reply)
        if reply is not None and not reply.step.done:
            for piece in reply.splitter.flush():
                self._speak(reply, piece)

    def asked_for_tool(self, event: ev.ReplyAskedForTool) -> None:
        reply = self._live(event.reply)
        if (
            reply is None
            or reply.step.done
            or any(call.id == event.call.id for step in reply.steps for call in step.calls)
        ):
            return
        if reply.first_token_ms is None:
            reply.first_token_ms = self._s.now_ms
        if not reply.step.tools_allowed:
            # It was told to answer without: a model that cannot stop would keep the caller waiting for ever.
            self.give_up(reply)
            return
        reply.step.calls.append(event.call)
        for piece in reply.splitter.pause():
            self._speak(reply, piece)
        # What a speculative reply asks for is not done before it is committed: a tool cannot be taken back.
        if not reply.speculative:
            self._run_tool(reply, event.call)

    def asked_to_end(self, event: ev.ReplyAskedToEnd) -> None:
        if (reply := self._live(event.reply)) is not None:
            reply.end_after = EndReason.ASSISTANT_ENDED

    def asked_to_transfer(self, event: ev.ReplyAskedToTransfer) -> None:
        if (reply := self._live(event.reply)) is not None:
            reply.transfer_to = event.destination

    def reply_done(self, event: ev.ReplyDone) -> None:
        reply = self._live(event.reply)
        if reply is None or reply.step.done:
            return
        reply.step.done = True
        for piece in reply.splitter.flush():
            self._speak(reply, piece)
        if not reply.speculative:
            self._go_on(reply)

    def give_up(self, reply: Reply) -> None:
        """On its model, which would go on."""
        if not reply.speculative:
            self._s.emit(do.StopModel(reply.number))
        self.reply_failed(ev.ReplyFailed(reply.number))

    def reply_failed(self, event: ev.ReplyFailed) -> None:
        """A fault is never silence: what was said stands, and the caller is told. A speculative reply that fails is simply forgotten."""
        reply = self._live(event.reply)
        if reply is None or reply.speech_ended:
            return
        if reply.speculative:
            self.discard_speculation()
            return
        self._note_failure(reply)
        self._abandon_tools(reply)
        reply.step.done = True
        apology = self._s.policy.speaking.failure_message
        for piece in [*reply.splitter.flush(), *([Piece(apology)] if apology else [])]:
            self._speak(reply, piece)
        self._end_speech(reply)

    def _note_failure(self, reply: Reply) -> None:
        reply.failed = True
        self._s.failures += 1
        if self._s.failures >= self._s.policy.speaking.max_consecutive_failures:
            reply.end_after = EndReason.PROVIDER_FAILED

    # -------------------------------------------------------------------------------------- tools

    def _tool_for(self, reply: Reply, name: str) -> ToolSpec | None:
        """A tool that this reply may use; what the client named for it alone comes before the session's."""
        if reply.options is not None and reply.options.tools is not None:
            own = next((tool for tool in reply.options.tools if tool.name == name), None)
            common = self._s.tools.get(name)
            return own or (common if common is not None and not common.client else None)
        return self._s.tools.get(name)

    def _run_tool(self, reply: Reply, call: ToolCall) -> None:
        spec = self._tool_for(reply, call.name)
        if spec is None:
            self._answer(call.id, call.name, UNKNOWN_TOOL, failed=True)
            return
        if spec.client:
            reply.step.for_client = True
            return
        waiting = 0 if spec.asynchronous else reply.number
        if spec.asynchronous:
            self._answer(call.id, call.name, STARTED)
            reply.step.started.add(call.id)
        pending = self._s.tool_calls.start(call, spec, reply.turn, waiting, self._s.now_ms)
        if pending is None:
            return
        runs = do.RunTool(call, spec, reply.turn)
        if spec.asynchronous:
            self._s.emit(runs)
            said = _last_saying(pending, failed=False)
            if said.text and not said.to_model and not reply.written:
                reply.step.last_words[call.id] = said.text
            return
        said = chosen(spec.words.start, call.arguments, pending.run) or _NOTHING
        if not said.blocking:
            self._s.emit(runs)
        piece = self._speak(reply, Piece(said.text)) if said.text else None
        if said.blocking and piece is None:  # the words are read, if at all
            self._s.emit(runs)
        elif said.blocking:
            pending.after_piece, reply.look_ms = piece, self._s.now_ms + _LOOK_MS

    def look_at_playback(self) -> None:
        """Ask how far the caller has heard, where a tool waits for that."""
        reply = self._s.reply
        if reply is None or reply.look_ms is None or self._s.now_ms < reply.look_ms:
            return
        if self._s.tool_calls.blocked(reply.number):
            reply.look_ms = self._s.now_ms + _LOOK_MS
            self._s.emit(do.AskPlayback(reply.number))
        else:
            reply.look_ms = None

    def _begin_announced(self, reply: Reply, *, at_once: bool = False) -> None:
        """Tools whose words have been heard begin. ``at_once``: all that wait for words of this reply."""
        for pending in self._s.tool_calls.blocked(reply.number):
            assert pending.after_piece is not None
            heard = reply.ledger.heard_through(pending.after_piece, reply.heard_ms)
            if heard or at_once or self._s.now_ms - pending.started_ms >= _LONGEST_WORDS_MS:
                self._s.tool_calls.begin(pending, self._s.now_ms)
                self._s.emit(do.RunTool(pending.call, pending.spec, pending.turn))

    def _answer(self, call_id: str, name: str, content: str, *, failed: bool = False) -> bool:
        """Note an answer in the live reply; False where that did not ask for it."""
        for step in self._s.reply.steps if self._s.reply is not None else ():
            if any(asked.id == call_id for asked in step.calls):
                step.results[call_id] = ToolResult(call_id, name, content, failed)
                return True
        return False

    def client_answered(self, message: Message) -> bool:
        """The client ran a tool: its answer goes where the call stands. False where nobody asked for it."""
        call_id = message.tool_call_id
        if message.role != "tool" or call_id is None:
            return False
        for step in self._s.reply.steps if self._s.reply is not None else ():
            if any(asked.id == call_id for asked in step.calls):
                name = next(asked.name for asked in step.calls if asked.id == call_id)
                step.results[call_id] = ToolResult(call_id, name, message.content)
                step.answer_ids[call_id] = message.id
                return True
        return self._s.history.correct_tool_result(call_id, message.content, "answered", id=message.id)

    def tool_finished(self, event: ev.ToolFinished) -> None:
        self._tool_answered(
            event.tool_call_id,
            ToolAnswer(event.content, False, event.say, event.ends_call, event.transfer_to, event.hands_over),
        )

    def tool_failed(self, event: ev.ToolFailed) -> None:
        self._tool_answered(event.tool_call_id, ToolAnswer(event.problem, failed=True, say=event.say))

    def _tool_answered(self, tool_call_id: str, answer: ToolAnswer) -> None:
        """A tool's answer goes to the reply that waits for it; a late one into the history, if the talk is still near."""
        pending = self._s.tool_calls.finish(tool_call_id)
        if pending is None:
            return
        failed = answer.failed
        said = _last_saying(pending, failed=failed)
        content = f"{answer.content}\n{said.text}" if said.to_model else answer.content
        near = self._s.turn_count - pending.turn <= self._s.policy.late_tool_result_turns
        if pending.spec.asynchronous:
            if near:
                # Its author's words were said as it began; where there are some, nothing more is said unless it brings words of its own.
                quiet = not failed and bool(said.text) and not said.to_model
                self._tell_result(pending.call.name, content, answer.say, quiet=quiet)
            return
        for call_id in pending.ids:
            if not self._answer(call_id, pending.call.name, content, failed=failed) and near:
                self._s.history.correct_tool_result(call_id, content, "failed" if failed else "answered")
        if (reply := self._live(pending.reply)) is not None:
            self._note_last_words(reply, pending, answer)
            self._next_step_if_ready(reply)

    def _note_last_words(self, reply: Reply, pending: PendingTool, answer: ToolAnswer) -> None:
        """What is said of an answer without asking the model, and whether the call ends or goes elsewhere by it."""
        said = _last_saying(pending, failed=answer.failed)
        say = answer.say or ("" if said.to_model else said.text)
        ends = said.ends_call
        if answer.transfer_to:
            reply.transfer_to = answer.transfer_to
        elif answer.ends_call or (say and ends):
            reply.end_after = EndReason.ASSISTANT_ENDED
        reply.step.handed_over = reply.step.handed_over or answer.hands_over
        if answer.ends_call or answer.transfer_to or answer.hands_over or (say and not reply.written):
            reply.step.last_words |= dict.fromkeys(pending.ids, say)

    def _tell_result(self, name: str, content: str, say: str, *, quiet: bool) -> None:
        """The result of work that nobody waits for: the model is told, and answers when the floor is free, unless ``say`` says all, or all
        has been said (``quiet``)."""
        self._s.note(Message("system", f"Result of {name}: {content}"))
        if say:
            self._s.says.append(Say(say))
        elif not quiet:
            self._s.unanswered = True

    def tools_due(self) -> None:
        """Deadlines and fillers."""
        for pending in self._s.tool_calls.overdue(self._s.now_ms):
            reply = self._s.reply
            assert reply is not None, "only a live reply is waited for"
            for call_id in pending.ids:
                self._answer(call_id, pending.call.name, TIMED_OUT, failed=True)
            self._note_last_words(reply, pending, ToolAnswer(TIMED_OUT, failed=True))
            self._next_step_if_ready(reply)
        filler = self._s.tool_calls.filler_due(self._s.now_ms)
        if filler is not None and self._s.reply is not None:
            self._speak(self._s.reply, Piece(filler))

    def _abandon_tools(self, reply: Reply) -> None:
        for pending in self._s.tool_calls.abandon(reply.number):
            if pending.after_piece is None:
                self._s.emit(do.CancelTool(pending.call.id))
                continue
            for call_id in pending.ids:
                self._answer(call_id, pending.call.name, NOT_BEGUN, failed=True)

    # -------------------------------------------------------------------------------------- speaking

    def _speak(self, reply: Reply, piece: Piece) -> int | None:
        """Returns the piece's number; None where it is not spoken, or not yet."""
        if reply.written or reply.losing_floor:
            return None
        if reply.speculative and reply.ledger.pieces:
            reply.unspoken.append(
                piece
            )  # the cost cap: only the first clause of a speculative reply is turned into audio
            return None
        number = reply.ledger.ask(piece.text, len(reply.steps), spaced=piece.spaced)
        self._s.emit(do.Speak(reply.number, number, piece.text, piece.spaced))
        self.play_if_allowed()
        return number

    def play_if_allowed(self) -> None:
        """Give the reply's audio the floor, once it has something to say and nobody else has the floor."""
        reply = self._s.committed_reply
        if reply is None or reply.may_play or not reply.ledger.pieces or self._s.agent.state is not Agent.THINKING:
            return
        if self._s.now_ms < self._s.not_before_ms and not reply.insists:
            return
        floor_is_free = self._s.user.state is User.SILENT or self._s.agent_insists
        assert floor_is_free, "while the caller has the floor, a reply insists, is held, or is over"
        reply.life.fire(ReplyTrigger.PLAYBACK_BEGAN)
        self._s.emit(do.StartPlayback(reply.number))

    def _go_on(self, reply: Reply) -> None:
        """The model has finished a step: wait for its tools, ask again with their answers, or let the speech end."""
        if reply.step.calls and not reply.step.for_client:
            self._next_step_if_ready(reply)
            return
        # Beside a tool of the client's, one of ours may be at work: its answer comes late, and nobody waits.
        self._begin_announced(reply, at_once=True)
        self._s.tool_calls.release(reply.number)
        self._end_speech(reply)

    def _next_step_if_ready(self, reply: Reply) -> None:
        if not reply.step.done or reply.step.waiting or reply.losing_floor or reply.step.for_client:
            return
        if reply.step.settled:
            self._say_last_words(reply)
            return
        reply.steps.append(Step())
        reply.started_ms = self._s.now_ms
        reply.first_token_ms = None
        self._s.unanswered = False
        self._ask(reply, (*self._messages_for(reply), *reply.pending_messages()))

    def _say_last_words(self, reply: Reply) -> None:
        """The tools' own words end the reply; the model has nothing to add."""
        text = " ".join(words for words in dict.fromkeys(reply.step.last_words.values()) if words)
        reply.steps.append(Step(text, done=True))
        for piece in reply.splitter.feed(text) + reply.splitter.flush():
            self._speak(reply, piece)
        self._end_speech(reply)

    def _end_speech(self, reply: Reply) -> None:
        if not reply.ledger.pieces:
            self._close(reply, "failed" if reply.failed else "completed")
            return
        reply.speech_ended = True
        self._s.emit(do.EndSpeech(reply.number))

    def synthesized(self, event: ev.SpeechSynthesized) -> None:
        if (reply := self._live(event.reply)) is not None:
            reply.ledger.synthesized(event.piece, event.duration_ms, event.words, event.complete)

    def synthesis_failed(self, event: ev.SynthesisFailed) -> None:
        if (reply := self._live(event.reply)) is not None:
            reply.ledger.failed(event.piece)

    # -------------------------------------------------------------------------------------- playback

    def playback_started(self, event: ev.PlaybackStarted) -> None:
        reply = self._live(event.reply)
        if reply is not None and reply.may_play and not reply.voice_started:
            reply.voice_started_ms = self._s.now_ms
            if self._s.agent.state is Agent.THINKING:  # not while held: the first sound left just before the hold
                self._s.agent.fire(AgentTrigger.VOICE_STARTED)

    def playback_reached(self, event: ev.PlaybackReached) -> None:
        if (reply := self._live(event.reply)) is not None:
            reply.heard_ms = max(event.heard_ms, 0)
            reply.heard_known = True
            self._begin_announced(reply)

    def playback_finished(self, event: ev.PlaybackFinished) -> None:
        reply = self._live(event.reply)
        if reply is None or not reply.speech_ended:
            return
        reply.heard_ms = max(event.heard_ms, 0)
        if reply.ledger.duration_ms == 0:
            # Not one piece could be voiced: for the caller this was silence, whatever the model wrote.
            self._note_failure(reply)
            self._apologize_for(reply)
        self._close(reply, "failed" if reply.failed else "completed")

    def _apologize_for(self, reply: Reply) -> None:
        """Queue the apology for a reply nobody could hear, unless the call goes elsewhere now."""
        apology = self._s.policy.speaking.failure_message
        if apology and self._s.live and reply.end_after is None and not reply.transfer_to:
            self._s.says.appendleft(Say(apology))

    def soften(self) -> None:
        """Speak more softly: a sound has begun that may become speech."""
        reply = self._s.committed_reply
        assert reply is not None
        self._s.agent.fire(AgentTrigger.SOFTENED)
        reply.softened_since_ms = self._s.now_ms
        self._s.emit(do.SoftenPlayback(reply.number))

    def speak_up(self) -> None:
        """As loud as before: it was no speech."""
        reply = self._s.committed_reply
        assert reply is not None
        reply.softened_since_ms = None
        self._s.agent.fire(AgentTrigger.RESUMED_SPEAKING)
        self._s.emit(do.ResumePlayback(reply.number))

    def hold(self) -> None:
        """Silence at once; what was not heard is kept."""
        reply = self._s.committed_reply
        assert reply is not None
        self._s.agent.fire(AgentTrigger.HELD)
        reply.held_since_ms, reply.softened_since_ms = self._s.now_ms, None
        if reply.may_play:
            reply.heard_known = False
            self._s.emit(do.HoldPlayback(reply.number))

    def resume(self) -> None:
        """It was no interruption."""
        reply = self._s.committed_reply
        assert reply is not None and reply.held_since_ms is not None
        self._s.emit(do.InterruptionDismissed(reply.number, self._s.now_ms - reply.held_since_ms))
        reply.held_since_ms = None
        self._s.agent.fire(AgentTrigger.RESUMED_SPEAKING if reply.voice_started else AgentTrigger.RESUMED_THINKING)
        if reply.may_play:
            self._s.emit(do.ResumePlayback(reply.number))
        self.play_if_allowed()

    def interrupt(
        self, status: Literal["interrupted", "cancelled"] = "interrupted", *, backs_off: bool = True
    ) -> Reply:
        """The reply loses the floor. It must have been held first, so that what was heard is known. ``backs_off``: the agent is not to
        speak again at once."""
        reply = self._s.committed_reply
        assert reply is not None
        self._s.emit(do.CancelReply(reply.number))
        if reply.may_play:
            self._s.emit(do.StopPlayback(reply.number))
        if status == "interrupted":
            self._s.emit(do.InterruptionConfirmed(reply.number, reply.heard_ms))
            if reply.voice_started and backs_off:
                self._s.not_before_ms = self._s.now_ms + self._s.policy.barge_in.backoff_ms
        self._abandon_tools(reply)
        self._close(reply, status)
        return reply

    def truncate(self, event: ev.PlaybackTruncated) -> None:
        """The client knows better what was heard, of the live reply or of a past one."""
        reply = self._live(event.reply)
        if reply is not None:
            reply.heard_ms = reply.truncated_ms = max(event.heard_ms, 0)
            return
        past = next((reply for reply in self._s.past_replies if reply.number == event.reply), None)
        if past is None or past.written:
            self._s.emit(do.RequestRefused("", "unknown_reply"))
            return
        if event.heard_ms < past.heard_ms:
            past.heard_ms = max(event.heard_ms, 0)
            for step in range(1, len(past.steps) + 1):
                self._s.history.correct_heard(past.number, step, past.reached(step))
        self._s.emit(do.ReplyCut(past.number, past.text, past.heard_ms))

    # -------------------------------------------------------------------------------------- the end of a reply

    def _close(self, reply: Reply, status: do.ReplyStatus) -> None:
        """The reply is over: its heard words enter the history, the floor is free."""
        cut = status in ("interrupted", "cancelled")
        if reply.truncated_ms is not None:
            cut = cut or reply.truncated_ms < reply.heard_ms
            reply.heard_ms = min(reply.heard_ms, reply.truncated_ms, reply.ledger.duration_ms)
        reply.life.fire(ReplyTrigger.ENDED)
        reply.status = status
        for number, step in enumerate(reply.steps, start=1):
            for message in (
                step.messages(reply.reached(number), interrupted=cut)
                if not (reply.forgotten or reply.taken_back)
                else ()
            ):
                self._s.history.add(message, turn=reply.turn, reply=reply.number, step=number)
        for message, turn in reply.notes:
            self._s.history.add(message, turn=turn)
        self._s.agent.fire(AgentTrigger.REPLY_ENDED)
        self._s.reply = None
        self._s.just_closed = reply
        self._s.past_replies.append(reply)
        if status == "completed":
            self._s.failures = 0
        self._s.emit(
            do.ReplyClosed(
                reply.number, reply.text, status, reply.heard_ms, cut and reply.ledger.estimated, reply.taken_back
            )
        )
        if reply.idle_prompt:
            self._s.silence.last_prompt_ms = self._s.now_ms
        else:
            self._s.silence.activity(self._sounds_until_ms(reply), by_caller=False, policy=self._s.policy.silence)

    def _sounds_until_ms(self, reply: Reply) -> int:
        """When the caller has heard the last of a reply that is over: a client that plays at its own pace has it all before."""
        if self._s.policy.playback_owner == "server" or reply.voice_started_ms is None or reply.status != "completed":
            return self._s.now_ms
        return max(self._s.now_ms, reply.voice_started_ms + reply.ledger.duration_ms)


def _last_saying(pending: PendingTool, *, failed: bool) -> ToolSaying:
    """What its author wants said, or told to the model, of its end."""
    words = pending.spec.words
    return chosen(words.failed if failed else words.complete, pending.call.arguments, pending.run) or _NOTHING
