"""The caller's side: sounds, speech, words and turns."""

from __future__ import annotations

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.agent_side import AgentSide
from antiphon.conversation.barge_in import Verdict, judge, silence_to_resume_ms, takes_floor
from antiphon.conversation.endpointing import (
    INCOMPLETE,
    Evidence,
    completeness,
    is_of_noise,
    required_silence_ms,
    sound_counts,
)
from antiphon.conversation.interruption import Interruption
from antiphon.conversation.situation import Say, Situation
from antiphon.conversation.state import Agent, User, UserTrigger
from antiphon.conversation.turn import Turn, Utterance
from antiphon.conversation.words import same_words, strip_phrases, words_of
from antiphon.vocabulary import EndReason, Message

_SLOW_TIMES = 3
"""Last words are late when they take so many times as long as usual; nobody waits for them so many times as long as the policy says."""
_WORDS_LATE_MS = 50
"""Later than usual, and still not late."""
_WORDS_WORTH_MS = 250
"""For last words that come so long after a model could first be asked it is not asked about others; for later ones, an answer that may be
right is worth more."""


class CallerSide:
    """Acts on the situation's open turn. ``evaluate`` is asked after everything that could change a decision."""

    def __init__(self, situation: Situation, agent: AgentSide) -> None:
        self._s = situation
        self._agent = agent
        self.interruption = Interruption(situation, agent)
        self._watched_ms = 0
        self._last_turn: Turn | None = None
        """The turn closed or dropped last: words that come late belong to it."""
        self._last_was_dropped = False
        self._ended_through = 0
        """The newest utterance of any turn that has ended."""
        self._committed = False
        """The client has closed the turn itself; only its final words are waited for."""

    # -------------------------------------------------------------------------------------- sounds and speech

    def sound_started(self, _event: ev.SoundStarted) -> None:
        if not self._listens:
            return
        self.interruption.sounding = True
        self._watched_ms = 0
        self.interruption.sound_began()

    def sound_faded(self, event: ev.SoundFaded) -> None:
        self.interruption.sounding = False
        self.interruption.sound_faded()
        self.interruption.sound_silence_ms = event.silence_ms

    def speech_started(self, event: ev.SpeechStarted) -> None:
        if not self._listens:
            return
        self.interruption.sounding = True
        self._agent.discard_speculation()
        self.interruption.hold_if_possible()
        turn = self._open_turn()
        utterance = turn.hear(event.utterance)
        if not utterance.voiced:  # else it goes on after a short pause
            utterance.began_media_ms, utterance.voiced = event.media_ms, True
        turn.voice_ms = 0
        turn.silence_ms = 0
        turn.waiting_for_final_since_ms = None
        turn.words_changed()
        turn.speech_goes_on()
        self._watched_ms = 0
        self._committed = False
        if self._s.user.state is not User.SPEAKING:
            self._s.user.fire(UserTrigger.SPEECH_STARTED)
        self._s.silence.activity(self._s.now_ms, by_caller=True, policy=self._s.policy.silence)
        if self._s.policy.barge_in.mode == "immediate" and self.interruption.possible:
            self.interruption.take_floor()

    def speech_continued(self, event: ev.SpeechContinued) -> None:
        turn = self._s.turn
        if turn is not None:
            if event.utterance in turn.utterances:
                turn.hear(event.utterance).near = True
            turn.voice_ms = event.voice_ms
            turn.longest_voice_ms = max(turn.longest_voice_ms, event.voice_ms)

    def speech_stopped(self, event: ev.SpeechStopped) -> None:
        self.interruption.sounding = False
        turn = self._s.turn
        if turn is None or self._s.user.state is not User.SPEAKING:
            return
        turn.silence_ms = event.silence_ms
        turn.silence_began_ms = self._s.now_ms - event.silence_ms
        utterance = turn.hear(event.utterance)
        utterance.ended_ms = turn.silence_began_ms
        utterance.near = utterance.near or event.near
        utterance.speech_share = max(utterance.speech_share or 0.0, event.speech_share)
        if utterance.voiced:
            turn.voice_ms = max(turn.voice_ms, event.media_ms - utterance.began_media_ms)
            turn.longest_voice_ms = max(turn.longest_voice_ms, turn.voice_ms)
        self._watched_ms = 0
        self._s.user.fire(UserTrigger.SPEECH_STOPPED)
        self._s.silence.activity(self._s.now_ms, by_caller=True, policy=self._s.policy.silence)

    def silence_reached(self, event: ev.SilenceReached) -> None:
        if self._s.turn is not None and self._s.user.state is User.PAUSING:
            self._s.turn.silence_ms = max(self._s.turn.silence_ms, event.silence_ms)
        elif not self.interruption.sounding:
            self.interruption.sound_silence_ms = max(self.interruption.sound_silence_ms, event.silence_ms)

    @property
    def _listens(self) -> bool:
        """Push-to-talk hears no speech by itself; a call that is ending hears nobody."""
        return self._s.live and self._s.policy.endpointing.mode != "manual"

    def _open_turn(self) -> Turn:
        if self._s.turn is None:
            self._s.turn_count += 1
            self._s.turn = Turn(self._s.turn_count, interrupting=self._s.agent.state is not Agent.IDLE)
            self._s.turn.silence_began_ms = self._s.now_ms
            self._watched_ms = 0
            self._committed = False
            self._s.emit(do.TurnOpened(self._s.turn.number))
        return self._s.turn

    # -------------------------------------------------------------------------------------- words

    def transcript_changed(self, event: ev.TranscriptChanged) -> None:
        turn = self._turn_of(event.utterance)
        if turn is not None and not turn.hear(event.utterance).final:
            self._hear_words(turn, event.utterance, event.text)

    def transcript_final(self, event: ev.TranscriptFinal) -> None:
        turn = self._turn_of(event.utterance)
        if turn is None:
            self._late_words(event)
            return
        utterance = turn.hear(event.utterance)
        if utterance.final:
            return
        utterance.final, utterance.complete, utterance.confidence = True, event.complete, event.confidence
        self._note_pace(utterance)
        self._hear_words(turn, event.utterance, event.text)

    def _note_pace(self, utterance: Utterance) -> None:
        if utterance.ended_ms is not None:
            self.interruption.pace.took(self._s.now_ms - utterance.ended_ms)

    def _hear_words(self, turn: Turn, utterance: int, text: str) -> None:
        before = turn.text
        turn.hear(utterance).tell(text)
        if not same_words(before, turn.text):
            turn.words_changed()
            if self._s.policy.endpointing.advised and words_of(turn.text):
                self._s.emit(do.AskWait(turn.number, turn.text, self._s.history.messages()))

    def transcript_failed(self, event: ev.TranscriptFailed) -> None:
        # What the recogniser has said so far is all there will ever be.
        if (turn := self._turn_of(event.utterance)) is not None:
            utterance = turn.hear(event.utterance)
            utterance.final = utterance.failed = True

    def scored(self, event: ev.EndOfTurnScored) -> None:
        turn = self._s.turn
        if turn is not None and turn.number == event.turn and (not event.text or same_words(event.text, turn.text)):
            turn.detector_busy = False
            if event.probability is not None:
                turn.heard_ending(event.probability)

    def wait_told(self, event: ev.WaitTold) -> None:
        turn = self._s.turn
        if turn is not None and turn.number == event.turn and same_words(event.text, turn.text):
            turn.told_wait_ms = event.wait_ms

    def vendor_signalled(self, event: ev.VendorTurnSignal) -> None:
        """A recogniser's opinion of the open turn. Its words and the silence still count: it is evidence, and not a verdict."""
        turn = self._s.turn
        if turn is None or event.utterance not in turn.utterances:
            return
        if event.kind == "end":
            turn.vendor_ended = turn.may_speculate = True
        elif event.kind == "eager_end":
            turn.may_speculate = True
        else:
            turn.speech_goes_on()
            self._agent.discard_speculation()

    def _turn_of(self, utterance: int) -> Turn | None:
        """The open turn, where this utterance belongs to it. With push-to-talk, words themselves open the turn."""
        turn = self._s.turn
        if turn is not None and utterance in turn.utterances:
            return turn
        pushed_to_talk = self._s.live and self._s.policy.endpointing.mode == "manual"
        return self._open_turn() if pushed_to_talk and utterance > self._ended_through else None

    def _late_words(self, event: ev.TranscriptFinal) -> None:
        """Final words for a turn that is over: closed on partial words, or dropped for want of any."""
        turn = self._last_turn
        if turn is not None and event.utterance in turn.utterances:
            self._note_pace(turn.utterances[event.utterance])
        if turn is None or not self._s.live or self._s.turn is not None or event.utterance not in turn.utterances:
            return
        self._s.unheard = 0  # it is late, and works
        if not words_of(event.text):
            return
        before = turn.text
        utterance = turn.hear(event.utterance)
        utterance.tell(event.text)
        utterance.final, utterance.confidence = True, event.confidence
        if same_words(before, turn.text):
            return
        if self._last_was_dropped:
            self._take_up_dropped_turn(turn)
            return
        self._s.history.correct_turn(turn.number, turn.text)
        reply = self._s.committed_reply
        if reply is None or (reply.written and reply.step.text):
            return  # what has been written has been read
        if reply.turn == turn.number and not reply.voice_started and not reply.asked_tools:
            if self._s.agent.state is Agent.THINKING:
                self._agent.interrupt("cancelled")
                self._agent.ask_model(turn.number)

    def _take_up_dropped_turn(self, dropped: Turn) -> None:
        """The agent went on because no words had come; now there are words that would have stopped it."""
        telling = strip_phrases(words_of(dropped.text), self._s.policy.barge_in.acknowledgement_phrases)
        if len(telling) < max(1, self._s.policy.barge_in.num_words) or self._doubted(dropped):
            return
        if self.interruption.possible:
            doubted = not takes_floor(self.interruption.evidence_of(dropped), self._s.policy.barge_in)
            if dropped.given_up or doubted:
                return
        self._last_turn = None
        turn = self._open_turn()
        turn.utterances = dropped.utterances
        turn.voice_ms = dropped.voice_ms
        turn.silence_ms = dropped.silence_ms
        turn.silence_began_ms = dropped.silence_began_ms
        # With push-to-talk the client has committed these words already.
        self._committed = self._s.policy.endpointing.mode == "manual"
        if self.interruption.possible:
            self.interruption.take_floor()
        self._s.user.fire(UserTrigger.SPEECH_STARTED)
        self._s.user.fire(UserTrigger.SPEECH_STOPPED)

    # -------------------------------------------------------------------------------------- interruption

    def policy_changed(self) -> None:
        """Barge-in was switched on while both were sounding: the caller has the floor from now on."""
        if self._s.user.state is User.SILENT or self._s.agent_insists or not self.interruption.possible:
            return
        if self._s.policy.barge_in.mode == "hold":
            self._agent.hold()
        else:
            self.interruption.take_floor()

    def _judge_hold(self) -> None:
        evidence = self.interruption.evidence()
        verdict = judge(evidence, self._s.policy.barge_in)
        if verdict is Verdict.CONFIRM:
            self.interruption.take_floor()
        elif verdict is Verdict.RESUME:
            self._resume()
        elif not evidence.sounding:
            self._watch(silence_to_resume_ms(evidence, self._s.policy.barge_in))

    def _resume(self) -> None:
        turn = self._s.turn
        if turn is not None and words_of(turn.text) and turn.final and self.interruption.over_question:
            turn.answers = True
            self.interruption.take_floor()
            return
        if turn is not None:
            turn.given_up = self.interruption.sounding
        self.drop_turn()
        self._agent.resume()

    # -------------------------------------------------------------------------------------- the end of a turn

    def evaluate(self) -> None:
        """Decide what can be decided now."""
        if self._s.agent.state is Agent.HELD and not self.interruption.decided:
            self._judge_hold()
        self.interruption.speak_up_if_due()
        self.interruption.finish_if_known()
        turn = self._s.turn
        if (
            turn is None
            or self._s.user.state is not User.PAUSING
            or self._s.agent.state is not Agent.IDLE
            or not self._s.live
        ):
            return
        required = self._required_silence(turn)
        if required is not None:
            self._allow_for_stall(turn, required)
        if self._committed or (required is not None and turn.silence_ms >= required):
            self._close_when_final(turn)
            return
        turn.waiting_for_final_since_ms = None
        self._speculate_if_worth_it(turn)
        if required is not None:
            self._watch_next(turn, required)

    def _allow_for_stall(self, turn: Turn, required_ms: int) -> None:
        """Audio that stopped arriving shows no silence: after the wait and its grace, the session clock stands in for it."""
        if self._s.now_ms - turn.silence_began_ms >= required_ms + self._s.policy.endpointing.stall_grace_ms:
            turn.silence_ms = max(turn.silence_ms, required_ms)

    def _required_silence(self, turn: Turn) -> int | None:
        policy = self._s.policy
        required = required_silence_ms(policy.endpointing, self._evidence(turn))
        if policy.endpointing.mode == "evidence" and turn.final and not words_of(turn.text):
            # The recogniser has said its last word, and it was none: nothing more need be waited for.
            return max(policy.endpointing.wait_ms, policy.endpointing.on_number_ms)
        told = turn.told_wait_ms is not None
        if required is not None and turn.interrupting and not told and self._only_announces(turn):
            return max(required, policy.barge_in.debounce_ms)
        return required

    def _evidence(self, turn: Turn) -> Evidence:
        phrases = self._s.policy.barge_in.interruption_phrases
        return Evidence(
            turn.text,
            turn.detector,
            turn.known,
            turn.interrupting,
            phrases,
            final=turn.final,
            vendor_ended=turn.vendor_ended,
            told_ms=turn.told_wait_ms,
        )

    def _only_announces(self, turn: Turn) -> bool:
        """A bare "wait", "no", "actually": more is coming."""
        return not strip_phrases(words_of(turn.text), self._s.policy.barge_in.interruption_phrases)

    def _watch_next(self, turn: Turn, required_ms: int) -> None:
        endpointing = self._s.policy.endpointing
        points = [required_ms]
        if self._s.reply is None and endpointing.speculative_reply:
            points += [endpointing.speculate_after_ms, self._words_by_ms(turn)]
        if endpointing.detector and endpointing.mode == "evidence":
            every_ms = max(endpointing.rescore_every_ms, 1)
            points.append(max((turn.silence_ms // every_ms + 1) * every_ms, endpointing.score_after_ms))
            self._score_if_due(turn, every_ms)
        self._watch(min(point for point in points if point > turn.silence_ms))

    def _score_if_due(self, turn: Turn, every_ms: int) -> None:
        asked_at_ms = turn.detector_asked_at_ms
        if turn.detector_busy or turn.silence_ms < self._s.policy.endpointing.score_after_ms:
            return
        if not sound_counts(self._evidence(turn)):
            return
        if asked_at_ms is None or turn.silence_ms - asked_at_ms >= every_ms:
            turn.detector_asked_at_ms, turn.detector_busy = turn.silence_ms, True
            self._s.emit(do.ScoreTurn(turn.number, turn.text, self._s.history.messages()))

    def _watch(self, silence_ms: int) -> None:
        if silence_ms != self._watched_ms:
            self._watched_ms = silence_ms
            self._s.emit(do.WatchSilence(silence_ms))

    def _words_by_ms(self, turn: Turn) -> int:
        """The silence by which a model is better asked about the recogniser's last words, where it has shown to have them so soon: of one
        that takes words back, those before are mostly not all, and asking about them is paid for nothing. 0 where they are there, or
        nothing is known of when."""
        policy = self._s.policy
        if turn.final or turn.may_speculate or policy.partials == "reliable":
            return 0
        usual_ms = self.interruption.pace.usual_ms or policy.endpointing.last_words_ms
        by_ms = usual_ms + _WORDS_LATE_MS
        return by_ms if usual_ms and by_ms <= policy.endpointing.speculate_after_ms + _WORDS_WORTH_MS else 0

    def _speculate_if_worth_it(self, turn: Turn) -> None:
        """Ask the model early, on the words so far, unless they plainly are not all."""
        policy = self._s.policy
        speculation = self._s.reply
        if speculation is not None and not same_words(speculation.asked_text, turn.text):
            self._agent.discard_speculation()
        if (
            self._s.reply is not None
            or not policy.endpointing.speculative_reply
            or not policy.reply_on_turn_end
            or (turn.silence_ms < policy.endpointing.speculate_after_ms and not turn.may_speculate)
            or turn.silence_ms < self._words_by_ms(turn)
            or turn.speculations >= policy.endpointing.max_speculations
            or not words_of(turn.text)
            or (turn.interrupting and self._only_announces(turn))
            or self._doubted(turn)
            or completeness(self._evidence(turn), policy.endpointing) <= INCOMPLETE
        ):
            return
        turn.speculations += 1
        self._agent.speculate(turn.number, turn.text)

    def _close_when_final(self, turn: Turn) -> None:
        if not turn.final:
            if turn.waiting_for_final_since_ms is None:
                turn.waiting_for_final_since_ms = self._s.now_ms
                self._s.emit(do.FinishTranscript())
            if self._s.now_ms - turn.waiting_for_final_since_ms < self._final_timeout_ms:
                self._speculate_if_worth_it(turn)
                return
        doubted = self._doubted(turn)
        if words_of(turn.text) and not doubted:
            self.close_turn(turn)
        else:
            long = turn.longest_voice_ms >= self._s.policy.speaking.not_understood_after_ms
            meant = self._committed or long or (doubted and self._may_be_meant(turn))
            self.drop_turn()
            if meant and (self._committed or turn.near) and not self._gives_up(turn):
                self._ask_again()

    @property
    def _final_timeout_ms(self) -> int:
        """A recogniser that has shown to be slow (a busy machine) is waited for longer: its words before the last are seldom all."""
        least_ms = self._s.policy.endpointing.final_timeout_ms
        return max(least_ms, min(_SLOW_TIMES * self.interruption.pace.usual_ms, _SLOW_TIMES * least_ms))

    def _doubted(self, turn: Turn) -> bool:
        """Whether its words are no more than what a recogniser makes of a cough. What a client commits is never doubted."""
        if self._committed or not turn.final:
            return False
        worded = [each for each in turn.utterances.values() if each.text]
        return bool(worded) and all(is_of_noise(each.confidence, each.speech_share, self._s.policy) for each in worded)

    def _may_be_meant(self, turn: Turn) -> bool:
        """Whether somebody may have said what was doubted: a question was asked, or some of the sound was speech."""
        spoken = (turn.speech_share or 0.0) >= self._s.policy.barge_in.min_speech_share
        return spoken or self._s.history.asks

    def _gives_up(self, turn: Turn) -> bool:
        """With a recogniser that fails on one turn after the other there is no conversation: the call ends as with any other engine."""
        self._s.unheard = self._s.unheard + 1 if turn.unheard else 0
        speaking = self._s.policy.speaking
        if self._s.unheard < speaking.max_consecutive_failures:
            return False
        self._s.says.append(Say(speaking.failure_message, interruptible=False, end_after=EndReason.PROVIDER_FAILED))
        return True

    def _ask_again(self) -> None:
        """Something was said and no words came of it: say so, rather than nothing, where we are the one to answer."""
        speaking, answers = self._s.policy.speaking, self._s.policy.reply_on_turn_end
        if answers and speaking.not_understood_message and self._s.not_understood < speaking.max_not_understood:
            self._s.not_understood += 1
            self._s.says.append(Say(speaking.not_understood_message))

    def close_turn(self, turn: Turn) -> None:
        """The caller has finished: their words enter the history, the agent has the floor."""
        text = turn.text
        self._s.not_understood = self._s.unheard = 0
        self._end_turn(turn, dropped=False)
        self._s.history.add(Message("user", text), turn=turn.number)
        self._s.emit(do.TurnClosed(turn.number, text))
        speculation = self._s.reply
        if not self._s.policy.reply_on_turn_end:
            self._agent.discard_speculation()
        elif speculation is not None and same_words(speculation.asked_text, text):
            self._agent.commit_speculation()
        else:
            self._agent.discard_speculation()
            self._agent.ask_model(turn.number)

    def drop_turn(self) -> None:
        """It was no turn after all."""
        turn = self._s.turn
        if turn is None:
            return
        self._agent.discard_speculation()
        self._end_turn(turn, dropped=True)
        if turn.carried:
            # These words were a turn of their own before: they still stand, and nobody has answered them.
            self._s.history.add(Message("user", turn.carried), turn=turn.number)
            self._s.unanswered = self._s.unanswered or self._s.policy.reply_on_turn_end
            turn.carried = ""
        self._s.emit(do.TurnDropped(turn.number, turn.text))

    def leave(self) -> None:
        """The call is over in the middle of a turn, which nobody will answer. Its words were said all the same."""
        turn = self._s.turn
        if turn is None or not turn.text:
            self.drop_turn()
            return
        self._agent.discard_speculation()
        self._end_turn(turn, dropped=True)
        self._s.history.add(Message("user", turn.text), turn=turn.number)
        self._s.emit(do.TurnDropped(turn.number, turn.text, said=True))

    def discarded(self, event: ev.TurnDiscarded) -> None:
        """The client throws away what it has not committed, words that are still to come too. A turn that is over, and waits for its words
        only, is none of it."""
        if not self._committed and (self._s.turn is None or self._s.turn.waiting_for_final_since_ms is None):
            self.drop_turn()
        self._last_turn = None
        self._ended_through = max(self._ended_through, event.utterance)

    def _end_turn(self, turn: Turn, *, dropped: bool) -> None:
        self._last_turn, self._last_was_dropped = turn, dropped
        self._ended_through = max(self._ended_through, *turn.utterances, 0)
        self._s.turn = None
        self._committed = False
        self._watched_ms = 0
        self._s.silence.activity(self._s.now_ms, by_caller=False, policy=self._s.policy.silence)
        if self._s.user.state is not User.SILENT:
            self._s.user.fire(UserTrigger.TURN_ENDED)

    # -------------------------------------------------------------------------------------- a client drives

    def committed(self, event: ev.TurnCommitted) -> None:
        """Push-to-talk is released: the turn is over as soon as its words are final."""
        if not self._s.live:
            return
        if event.utterance == 0 and self._s.turn is None:
            self._s.emit(do.RequestRefused("", "nothing_to_commit"))
            return
        self._s.silence.activity(self._s.now_ms, by_caller=True, policy=self._s.policy.silence)
        turn = self._open_turn()
        if event.utterance:
            turn.hear(event.utterance)
        turn.waiting_for_final_since_ms = None  # of a commit before this one
        self._committed = True
        if self._s.user.state is User.SILENT:
            self._s.user.fire(UserTrigger.SPEECH_STARTED)
        if self._s.user.state is User.SPEAKING:
            self._s.user.fire(UserTrigger.SPEECH_STOPPED)
        self.interruption.sounding = False
        reply = self._s.committed_reply
        if reply is not None and reply.interruptible and not self._s.agent_insists:
            self.interruption.take_floor()

    # -------------------------------------------------------------------------------------- time

    def deadline(self) -> int | None:
        """When silence in the audio cannot be waited for any longer, on the session clock."""
        turn, reply, agent = self._s.turn, self._s.committed_reply, self._s.agent.state
        if agent is Agent.SOFTENED and reply is not None and reply.softened_since_ms is not None:
            return reply.softened_since_ms + self._s.policy.barge_in.max_softened_ms
        if agent is Agent.HELD and reply is not None and reply.held_since_ms is not None:
            return reply.held_since_ms + self._s.policy.barge_in.max_hold_ms
        if turn is not None and agent is Agent.IDLE and self._s.user.state is User.PAUSING:
            if turn.waiting_for_final_since_ms is not None:
                return turn.waiting_for_final_since_ms + self._final_timeout_ms
            if (required := self._required_silence(turn)) is not None:
                return turn.silence_began_ms + required + self._s.policy.endpointing.stall_grace_ms
        return None
