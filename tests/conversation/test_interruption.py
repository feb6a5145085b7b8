"""A caller makes a sound while the agent speaks (requirements R12, R13, R14)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.conversation.driver import STOP_HANGOVER_MS, CallDriver, connected
from tests.conversation.world import Voice

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Greeting, Policy, Speaking
from antiphon.vocabulary import Message

LONG = "We are open from Monday to Friday and on the first Saturday of every month."


def speaking(policy: Policy | None = None, *, voice: Voice | None = None, heard_ms: int = 1000) -> CallDriver:
    """The agent has been heard for ``heard_ms`` of a long sentence."""
    call = connected(policy, voice=voice).agent_says(LONG).passes(heard_ms)
    assert call.states == ("live", "silent", "speaking")
    call.since()
    return call


def test_the_first_sound_softens_the_agent_and_speech_silences_it_at_once() -> None:
    call = speaking().caller_sounds()
    assert call.since() == [do.StateChanged("agent", "speaking", "softened"), do.SoftenPlayback(1)]
    call.speech_starts()
    assert call.since()[:2] == [do.StateChanged("agent", "softened", "held"), do.HoldPlayback(1)]


def test_speech_at_once_silences_the_agent_at_once() -> None:
    call = speaking().speech_starts()
    assert do.HoldPlayback(1) in call.since()


def test_the_agent_is_held_at_the_first_sound_where_it_is_not_to_speak_more_softly() -> None:
    call = speaking(Policy(barge_in=BargeIn(max_softened_ms=0))).caller_sounds()
    assert call.since()[:2] == [do.StateChanged("agent", "speaking", "held"), do.HoldPlayback(1)]


def test_a_cough_makes_no_hole() -> None:
    call = speaking(heard_ms=1000).coughs(for_ms=200)
    assert call.conversation.agent == "speaking", "as loud as before"
    assert call.times(do.ResumePlayback) == [call.now_ms]
    assert not call.all(do.HoldPlayback) and not call.all(do.InterruptionDismissed)
    assert call.mouth is not None and call.mouth.heard_ms == 1000 + 200 + STOP_HANGOVER_MS
    call.passes(len(LONG) * 50)
    assert call.said()[-1] == ("assistant", LONG), "not a word was lost"
    assert not call.all(do.InterruptionConfirmed) and len(call.all(do.StartReply)) == 1


def test_the_second_cough_is_forgiven_like_the_first() -> None:
    call = speaking()
    for _ in range(3):
        call.coughs().passes(400)
        assert call.states == ("live", "silent", "speaking")


def test_a_long_noise_that_never_becomes_speech_does_not_soften_the_agent_for_ever() -> None:
    call = speaking().caller_sounds().passes(1499)
    assert call.conversation.agent == "softened"
    assert call.passes(1).conversation.agent == "speaking"
    assert call.speech_starts().conversation.agent == "held", "but what becomes speech in the end silences it"


@pytest.mark.parametrize("said", ["mm-hm", "Yeah, okay.", "I see"])
def test_an_acknowledgement_resumes_and_is_no_turn(said: str) -> None:
    call = speaking().caller_speaks(said, 400).passes(400)
    assert call.states == ("live", "silent", "speaking")
    assert call.only(do.InterruptionDismissed).reply == 1
    assert call.only(do.TurnDropped) == do.TurnDropped(2, said)
    assert [role for role, _ in call.said()] == ["user"]


def test_stop_ends_the_reply_with_its_first_partial_words() -> None:
    call = speaking(heard_ms=1000).speech_starts().passes(60).partial("stop")
    assert call.only(do.InterruptionConfirmed) == do.InterruptionConfirmed(1, 1000)
    assert call.states == ("live", "speaking", "idle")
    assert call.said()[-1] == ("assistant", "We are open from Monday")
    assert call.conversation.history()[-1].interrupted


def test_words_confirm_once_there_is_voice_behind_them() -> None:
    call = speaking().speech_starts().passes(100).partial("tuesday")
    assert call.conversation.agent == "held"
    call.passes(100).happens(ev.SpeechContinued(call.utterance, 200))
    assert call.conversation.agent == "idle"


def test_voice_alone_confirms_after_1200_ms_where_words_come_only_at_the_end() -> None:
    call = speaking(Policy(partials="none")).speech_starts()
    for voice_ms in range(100, 1200, 100):
        call.passes(100).happens(ev.SpeechContinued(call.utterance, voice_ms))
    assert call.conversation.agent == "held"
    call.passes(100).happens(ev.SpeechContinued(call.utterance, 1200))
    assert call.conversation.agent == "idle"


def test_words_that_the_last_word_withdraws_end_nothing() -> None:
    call = speaking(Policy(partials="doubtful"), heard_ms=1000).speech_starts()
    call.passes(500).happens(ev.SpeechContinued(call.utterance, 500)).partial("i meant")
    call.passes(100).speech_stops().final("").passes(400)
    assert call.states == ("live", "silent", "speaking")
    assert not call.all(do.InterruptionConfirmed)


def test_other_words_at_every_moment_are_a_laugh_and_words_that_grow_are_speech() -> None:
    def said_over(first: str, second: str) -> CallDriver:
        call = speaking(Policy(partials="doubtful"), heard_ms=1000).speech_starts()
        call.passes(600).happens(ev.SpeechContinued(call.utterance, 600)).partial(first)
        return call.passes(600).partial(second).happens(ev.SpeechContinued(call.utterance, 1200))

    assert said_over("i'm going to talk", "the whole of the world").conversation.agent == "held"
    assert said_over("i'd like to", "i'd like to talk").conversation.agent == "idle"


def test_the_television_before_the_caller_was_heard_ends_nothing() -> None:
    call = speaking(heard_ms=1000).speech_starts()
    call.passes(600).speech_stops(near=False).final("the one part of the", confidence=0.62).passes(400)
    assert call.states == ("live", "silent", "speaking")
    assert not call.all(do.InterruptionConfirmed)


def test_who_begins_softly_and_goes_on_near_takes_the_floor() -> None:
    call = speaking(heard_ms=1000).speech_starts().passes(300).speech_stops(near=False).passes(100).speech_starts()
    call.passes(600).partial("i'd like to talk")
    assert call.conversation.agent == "held", "so far it may be the television"
    call.happens(ev.SpeechContinued(call.utterance, 608))
    assert call.conversation.agent == "idle"


def test_a_recogniser_that_was_slow_before_is_waited_for() -> None:
    call = speaking().caller_speaks("tuesday", 300, final_after_ms=None, partials=False).passes(700)
    assert call.conversation.agent == "speaking", "nobody knew how slow it is"
    call.final("").passes(300).caller_speaks("on friday", 300, final_after_ms=None, partials=False).passes(600)
    assert call.conversation.agent == "held"
    assert call.final("On Friday.").conversation.agent == "idle"


QUESTION = Policy(greeting=Greeting(message="Shall I book it for you on Wednesday at three?"))


@pytest.mark.parametrize("said", ["yes", "Okay.", "uh-huh", "Right, sure."])
@pytest.mark.parametrize("left_ms", [100, 500, 900])
def test_an_acknowledgement_over_the_end_of_a_question_is_the_answer(said: str, left_ms: int) -> None:
    call = connected(QUESTION)
    call.passes(len(QUESTION.greeting.message) * 50 - left_ms).caller_speaks(said, 300).passes(1500)
    assert call.only_said_by_caller() == [said]
    assert call.all(do.StartReply)


def test_an_acknowledgement_in_the_middle_of_a_question_or_at_the_end_of_no_question_is_none() -> None:
    call = connected(QUESTION).passes(500).caller_speaks("yes", 300).passes(4000)
    assert call.only_said_by_caller() == []
    told = replace(QUESTION, greeting=Greeting(message="I shall book it for you on Wednesday at three."))
    call = connected(told).passes(len(told.greeting.message) * 50 - 500).caller_speaks("yes", 300).passes(4000)
    assert call.only_said_by_caller() == []


def test_whoever_goes_on_at_the_first_sound_of_the_answer_has_it_taken_back() -> None:
    call = connected().caller_speaks("I would like to come on").passes(4000).model_says("When would you like to come?")
    call.passes(300).caller_speaks("Wednesday at three.").passes(1500)
    assert call.only_said_by_caller() == ["I would like to come on Wednesday at three."]
    assert [role for role, _ in call.said()] == ["user"]
    assert call.only(do.ReplyClosed).taken_back
    call.model_says("Wednesday it is.").passes(100)
    assert call.conversation.agent == "speaking", "nobody is kept waiting for an answer that was never heard"


def test_with_a_number_of_words_one_word_is_not_enough() -> None:
    policy = Policy(barge_in=BargeIn(num_words=2))
    assert speaking(policy).caller_speaks("tuesday").passes(400).conversation.agent == "speaking"
    assert speaking(policy).caller_speaks("on tuesday").conversation.agent == "idle"


def test_speech_that_gets_no_words_in_time_resumes() -> None:
    call = speaking().caller_speaks("hrm", 300, final_after_ms=None, partials=False).passes(399)
    assert call.conversation.agent == "held"
    assert call.passes(1).conversation.agent == "speaking"


def test_words_that_come_after_all_still_take_the_floor() -> None:
    call = speaking().caller_speaks("on tuesday please", 300, final_after_ms=None, partials=False).passes(700)
    assert call.conversation.agent == "speaking"
    call.final("On Tuesday please.")
    assert call.only(do.InterruptionConfirmed).reply == 1
    assert call.passes(200).only_said_by_caller() == ["Tell me something.", "On Tuesday please."]


def test_an_acknowledgement_that_comes_late_changes_nothing() -> None:
    call = speaking().caller_speaks("yeah", 300, final_after_ms=None, partials=False).passes(700).final("Yeah.")
    assert call.states == ("live", "silent", "speaking")


@pytest.mark.parametrize(("said", "confidence"), [("The.", 0.9), ("Ever, ever,", 0.2)])
def test_words_that_would_have_been_doubted_are_when_they_come_late(said: str, confidence: float) -> None:
    call = speaking().caller_speaks("the", 300, final_after_ms=None, partials=False).passes(700)
    assert call.conversation.agent == "speaking"
    call.final(said, confidence=confidence)
    assert call.states == ("live", "silent", "speaking")
    assert not call.all(do.InterruptionConfirmed)


def test_late_words_of_a_soft_caller_take_the_floor_as_anybodys_do() -> None:
    call = speaking(heard_ms=1000).speech_starts().passes(600).speech_stops(near=False).passes(700)
    assert call.conversation.agent == "speaking"
    assert call.final("I want a table.", confidence=0.8).only(do.InterruptionConfirmed).reply == 1


def test_the_television_is_not_waited_for_for_ever_and_its_late_words_change_nothing() -> None:
    call = speaking(heard_ms=100).speech_starts().passes(300).speech_stops(near=False).final("").speech_starts()
    call.passes(5800)
    assert call.conversation.agent == "speaking"
    call.speech_stops(near=False).final("The company has reduced its stake.", confidence=0.9)
    assert call.conversation.agent == "speaking" and not call.all(do.InterruptionConfirmed)


def test_spam_interruptions_are_one_turn_and_one_request_that_is_not_cancelled() -> None:
    call = speaking()
    for words in ("wait", "no", "actually"):
        call.caller_speaks(words, 200).passes(150)
    call.caller_speaks("make it tuesday.", 500).passes(2000).model_says("Tuesday it is.")
    requests = [asked for asked in call.all(do.StartReply) if asked.turn == 2]
    assert len(requests) == 1
    assert do.CancelReply(requests[0].reply) not in call.all(do.CancelReply)
    assert call.only_said_by_caller() == ["Tell me something.", "wait no actually make it tuesday."]
    assert len(call.all(do.InterruptionConfirmed)) == 1


def test_a_bare_wait_is_given_half_a_second_even_where_the_silence_is_fixed() -> None:
    fixed = Policy(endpointing=Endpointing(mode="fixed", silence_ms=300, speculative_reply=False))
    call = speaking(fixed).caller_speaks("wait", 300).passes(1000)
    assert call.times(do.TurnClosed)[-1] == call.ears.silent_since_ms + 500


def test_after_an_interruption_the_agent_waits_before_it_speaks_again() -> None:
    call = speaking().speech_starts().passes(50).partial("stop")
    stopped_ms = call.now_ms
    call.passes(100).speech_stops().final("Stop it.").passes(450).model_says("All right.")
    assert call.conversation.agent == "thinking" and call.now_ms < stopped_ms + 1000
    call.passes(2000)
    assert call.times(do.StartPlayback)[-1] == stopped_ms + 1000


def test_late_partial_words_never_start_a_second_reply_nor_overlap() -> None:
    call = speaking().caller_speaks("stop talking now.").passes(500)
    closed = call.only_said_by_caller()
    call.passes(400).partial("stop talking now please").passes(3000)
    assert call.only_said_by_caller() == closed
    assert [asked.turn for asked in call.all(do.StartReply)] == [1, 2]


def test_the_greeting_is_interrupted_at_its_first_syllable() -> None:
    call = connected(Policy(greeting=Greeting(message=LONG))).passes(40).speech_starts().passes(80).partial("wait")
    assert call.said() == []
    assert call.only(do.ReplyClosed) == do.ReplyClosed(1, "", "interrupted", 40)


def test_a_greeting_that_must_be_heard_is_and_the_caller_is_answered_after_it() -> None:
    call = connected(Policy(greeting=Greeting(message=LONG, interruptible=False))).passes(300)
    call.caller_speaks("Book a table.").passes(1000)
    assert call.states == ("live", "pausing", "speaking")
    assert not call.all(do.HoldPlayback) and not call.all(do.StartReply)
    call.passes(len(LONG) * 50).passes(500)
    assert call.said() == [("assistant", LONG), ("user", "Book a table.")]
    assert call.asked.turn == 1


def test_with_barge_in_off_the_agent_finishes_and_the_words_are_kept() -> None:
    call = speaking(Policy(barge_in=BargeIn(enabled=False))).caller_speaks("And on Sunday?").passes(5000)
    assert call.said()[1:] == [("assistant", LONG), ("user", "And on Sunday?")]


def test_a_reply_nobody_has_heard_yet_is_merged_into_one_turn_when_the_caller_goes_on() -> None:
    for enabled in (True, False):
        call = connected(Policy(barge_in=BargeIn(enabled=enabled), endpointing=Endpointing(speculative_reply=False)))
        call.caller_speaks("I want a pizza.").passes(500)
        assert call.conversation.agent == "thinking"
        call.passes(200).caller_speaks("With olives.").passes(500)
        assert call.only_said_by_caller() == ["I want a pizza. With olives."]
        assert call.asked.messages == (Message("user", "I want a pizza. With olives."),)
        assert len(call.all(do.CancelReply)) == 1


def test_words_typed_meanwhile_follow_those_that_were_taken_back() -> None:
    call = connected().caller_speaks("I want a pizza.").passes(500).speech_starts().types("number 12", reply=False)
    call.partial("stop").passes(300).speech_stops().final("no make it 14.").passes(500)
    assert call.only_said_by_caller() == ["I want a pizza. number 12 no make it 14."]


def test_a_sound_while_the_agent_thinks_delays_nothing_but_its_voice() -> None:
    call = connected().caller_speaks("I want a pizza.").passes(500).caller_sounds().model_says("Which one?")
    assert not call.all(do.StartPlayback)
    call.passes(200).sound_fades().passes(200)
    assert call.only(do.StartPlayback).reply == 1
    assert call.states == ("live", "silent", "speaking")


def test_where_the_client_owns_playback_certain_speech_cancels_at_once() -> None:
    call = speaking(Policy(barge_in=BargeIn(mode="immediate")))
    assert call.caller_sounds().conversation.agent == "speaking"
    call.speech_starts()
    assert call.only(do.InterruptionConfirmed) == do.InterruptionConfirmed(1, 1000)
    assert call.states == ("live", "speaking", "idle")


def test_an_interruption_waits_until_the_mouth_has_told_what_was_heard() -> None:
    call = speaking(heard_ms=1000)
    call.mouth_answers = False
    call.speech_starts().passes(30).partial("stop")
    assert call.conversation.agent == "held" and not call.all(do.CancelReply)
    call.happens(ev.PlaybackReached(1, 1000))
    assert call.only(do.InterruptionConfirmed).heard_ms == 1000
    assert call.said()[-1] == ("assistant", "We are open from Monday")


def test_a_mouth_that_never_answers_does_not_keep_the_caller_waiting() -> None:
    call = speaking()
    call.mouth_answers = False
    call.speech_starts().passes(30).partial("stop").passes(6000)
    assert call.conversation.agent == "idle"
    assert call.only(do.InterruptionConfirmed).heard_ms == 0


def test_a_decided_interruption_does_not_outlive_its_reply() -> None:
    call = speaking()
    call.mouth_answers = False
    call.happens(ev.ReplyCancelled()).happens(ev.PlaybackFinished(1, len(LONG) * 50))
    assert call.only(do.ReplyClosed).status == "completed"
    call.mouth_answers = True
    call.agent_says(LONG).passes(500).happens(ev.PlaybackReached(2, 500))
    assert call.conversation.agent == "speaking"


@pytest.mark.parametrize(("held", "user"), [(False, "silent"), (True, "speaking")])
def test_a_reply_that_was_over_when_it_was_softened_or_held_is_over(held: bool, user: str) -> None:
    call = speaking()
    call = call.speech_starts() if held else call.caller_sounds()
    assert call.mouth is not None
    call.mouth.finished = True
    call.happens(ev.PlaybackFinished(1, len(LONG) * 50))
    assert call.states == ("live", user, "idle")
    assert call.only(do.ReplyClosed) == do.ReplyClosed(1, LONG, "completed", len(LONG) * 50)


def test_the_first_sound_of_a_reply_may_be_told_after_its_hold() -> None:
    call = connected().caller_speaks("Go on.").passes(400)
    call.mouth_tells_start = False
    call.model_says(LONG).caller_sounds().happens(ev.PlaybackStarted(1))
    assert call.conversation.agent == "held"
    assert call.passes(200).sound_fades().passes(300).conversation.agent == "speaking"


def test_the_caller_speaks_on_after_the_noise_and_is_heard() -> None:
    call = speaking().caller_sounds().passes(100).speech_starts().happens(ev.TurnDiscarded())
    assert call.conversation.agent == "held"
    call.passes(100).speech_stops().passes(300)
    assert call.conversation.agent == "speaking", "discarded speech is over when it is over"


def test_barge_in_switched_on_while_both_sound_gives_the_caller_the_floor() -> None:
    off = Policy(barge_in=BargeIn(enabled=False))
    call = speaking(off).speech_starts()
    assert call.states == ("live", "speaking", "speaking")
    call.policy_is(Policy())
    assert call.states == ("live", "speaking", "held")
    call = speaking(off).speech_starts().policy_is(Policy(barge_in=BargeIn(mode="immediate")))
    assert call.states == ("live", "speaking", "idle")


def test_switching_voice_activity_off_while_held_resolves_the_hold() -> None:
    call = speaking().caller_sounds().policy_is(Policy(endpointing=Endpointing(mode="manual")))
    call.passes(200).sound_fades().passes(300)
    assert call.conversation.agent == "speaking"


def test_whoever_cuts_a_goodbye_short_is_not_hung_up_on() -> None:
    call = connected().caller_speaks("That is all.").passes(400)
    call.model_says("Goodbye and thank you for calling us today.", done=False)
    call.happens(ev.ReplyAskedToEnd(1), ev.ReplyDone(1)).passes(700)
    call.caller_speaks("wait one more thing.").passes(1000)
    assert call.states == ("live", "silent", "thinking")


def test_whoever_cuts_the_words_before_a_transfer_short_is_not_transferred() -> None:
    call = connected().caller_speaks("A human, please.").passes(400)
    call.model_says("One moment, I will connect you now.", done=False)
    call.happens(ev.ReplyAskedToTransfer(1, "+15550100"), ev.ReplyDone(1)).passes(700)
    call.caller_speaks("wait one more thing.").passes(1000)
    assert not call.all(do.TransferCall)


def test_an_end_phrase_that_was_cut_before_it_was_heard_ends_nothing() -> None:
    policy = Policy(speaking=Speaking(end_call_phrases=("good night",)))
    call = speaking(policy, heard_ms=500)
    call.speech_starts().passes(50).partial("stop")
    assert not call.conversation.ended


def test_text_heard_is_an_estimate_where_the_voice_tells_no_words() -> None:
    call = speaking(voice=Voice(word_times=False)).speech_starts().passes(50).partial("stop")
    closed = call.only(do.ReplyClosed)
    assert closed.estimated and closed.text == "We are open from Monday"
    exact = speaking().speech_starts().passes(50).partial("stop").only(do.ReplyClosed)
    assert replace(closed, estimated=False) == exact
