"""A client drives: push-to-talk, typed words, requests, cancels and corrections (OpenAI Realtime, chat)."""

from __future__ import annotations

import pytest
from tests.conversation.driver import CallDriver, connected

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Policy
from antiphon.vocabulary import Message

PUSH = Policy(endpointing=Endpointing(mode="manual"))
REALTIME = Policy(endpointing=Endpointing(mode="manual"), reply_on_turn_end=False)
LONG = "We are open from Monday to Friday and on the first Saturday of every month."


def talking(policy: Policy | None = None, heard_ms: int = 1000) -> CallDriver:
    call = connected(policy).types("When are you open?").model_says(LONG).passes(heard_ms)
    assert call.conversation.agent == "speaking"
    return call


# ------------------------------------------------------------------------------------------------ push-to-talk


def test_commit_then_words_then_a_reply() -> None:
    call = connected(PUSH).happens(ev.TurnCommitted(1))
    assert call.states == ("live", "pausing", "idle") and not call.all(do.StartReply)
    call.happens(ev.TranscriptFinal(1, "I want a pizza"))
    assert call.only(do.TurnClosed) == do.TurnClosed(1, "I want a pizza")
    assert call.asked.turn == 1


def test_words_may_come_before_the_commit() -> None:
    call = connected(PUSH).happens(ev.TranscriptChanged(1, "I want"), ev.TranscriptFinal(1, "I want a pizza"))
    assert call.passes(5000).said() == []
    assert call.happens(ev.TurnCommitted(1)).said() == [("user", "I want a pizza")]


def test_a_commit_of_nothing_is_refused() -> None:
    call = connected(PUSH).happens(ev.TurnCommitted())
    assert call.only(do.RequestRefused).code == "nothing_to_commit"
    assert call.states == ("live", "silent", "idle")


def test_a_commit_whose_words_never_come_is_given_up() -> None:
    call = connected(PUSH).happens(ev.TurnCommitted(1)).passes(1200)
    assert call.only(do.TurnDropped) == do.TurnDropped(1, "")
    call.happens(ev.TranscriptFinal(1, "I want a pizza"))
    assert call.said() == [("user", "I want a pizza")], "late words were committed too"


def test_with_voice_activity_off_sounds_and_speech_are_not_looked_at() -> None:
    call = talking(PUSH).caller_speaks("hello", final_after_ms=None, partials=False)
    assert call.states == ("live", "silent", "speaking")
    assert not call.all(do.HoldPlayback)


def test_a_commit_takes_the_floor_as_typed_words_do() -> None:
    call = talking(PUSH).happens(ev.TurnCommitted(1))
    assert call.only(do.InterruptionConfirmed).heard_ms == 1000
    call.happens(ev.TranscriptFinal(1, "And on Sunday?"))
    assert call.only_said_by_caller() == ["When are you open?", "And on Sunday?"]


def test_where_barge_in_is_off_the_committed_turn_waits() -> None:
    call = talking(Policy(endpointing=PUSH.endpointing, barge_in=BargeIn(enabled=False))).happens(ev.TurnCommitted(1))
    call.happens(ev.TranscriptFinal(1, "And on Sunday?"))
    assert call.states == ("live", "pausing", "speaking")
    assert call.passes(5000).only_said_by_caller() == ["When are you open?", "And on Sunday?"]


def test_stale_words_open_no_turn() -> None:
    call = connected(PUSH).happens(ev.TurnCommitted(2), ev.TranscriptFinal(2, "Second."))
    call.happens(ev.TranscriptChanged(1, "first"), ev.TranscriptFinal(1, "First."), ev.TranscriptFailed(0))
    assert len(call.all(do.TurnOpened)) == 1


def test_a_discarded_turn_does_not_come_back() -> None:
    call = connected().caller_speaks("I want a pizza.", final_after_ms=None, partials=False).happens(ev.TurnDiscarded())
    assert call.only(do.TurnDropped).turn == 1
    call.happens(ev.TurnDiscarded()).final("I want a pizza.")
    assert call.said() == [] and call.states == ("live", "silent", "idle")


def test_words_that_were_never_committed_can_be_discarded() -> None:
    call = connected(PUSH).happens(ev.TranscriptChanged(1, "I want"), ev.TurnDiscarded())
    assert call.only(do.TurnDropped) == do.TurnDropped(1, "I want")
    assert not [change for change in call.all(do.StateChanged) if change.machine == "user"]


def test_a_turn_that_waits_for_its_words_only_is_over_and_cannot_be_discarded() -> None:
    call = connected(Policy(endpointing=Endpointing(mode="fixed", silence_ms=500, speculative_reply=False)))
    call.caller_speaks("I want a pizza.", final_after_ms=None, partials=False).passes(600)
    assert call.all(do.FinishTranscript)
    call.happens(ev.TurnDiscarded(call.utterance)).final("I want a pizza.")
    assert call.only(do.TurnClosed).text == "I want a pizza."
    assert call.asked.turn == 1


def test_what_was_committed_is_not_discarded_with_what_came_after() -> None:
    call = connected(PUSH).happens(ev.TurnCommitted(1), ev.TurnDiscarded(2))
    call.happens(ev.TranscriptFinal(2, "Rubbish."), ev.TranscriptFinal(1, "I want a pizza"))
    assert call.only(do.TurnClosed) == do.TurnClosed(1, "I want a pizza")


def test_a_second_commit_asks_for_its_own_last_words() -> None:
    call = connected(PUSH).happens(ev.TurnCommitted(1)).passes(200).happens(ev.TurnCommitted(2))
    assert len(call.all(do.FinishTranscript)) == 2
    call.happens(ev.TranscriptFinal(1, "I want a pizza"), ev.TranscriptFinal(2, "and wine"))
    assert call.only(do.TurnClosed).text == "I want a pizza and wine"


def test_a_client_may_commit_where_the_server_listens() -> None:
    call = connected().speech_starts().passes(500).partial("I want a pizza").happens(ev.TurnCommitted(1))
    call.final("I want a pizza")
    assert call.only(do.TurnClosed).text == "I want a pizza"
    call.passes(100).speech_stops()
    assert call.states == ("live", "silent", "thinking")


def test_speech_after_the_commit_is_listened_to_as_ever() -> None:
    call = connected().speech_starts().passes(500).happens(ev.TurnCommitted(1)).passes(100)
    call.caller_speaks("i want a pizza", 400).final("Well", utterance=1)
    assert call.passes(500).states[1] == "pausing"
    assert call.passes(600).only(do.TurnClosed).text == "Well i want a pizza"


# ------------------------------------------------------------------------------------------------ requests


def test_a_request_waits_for_the_words_of_its_turn() -> None:
    call = connected(REALTIME).happens(ev.TurnCommitted(1), ev.ReplyRequested("r1"))
    assert not call.all(do.StartReply)
    call.happens(ev.ReplyRequested("r2"))
    assert call.only(do.RequestRefused) == do.RequestRefused("r2", "reply_active")
    call.happens(ev.TranscriptFinal(1, "I want a pizza"))
    assert (call.asked.request, call.asked.messages) == ("r1", (Message("user", "I want a pizza"),))


def test_a_request_for_a_turn_that_is_answered_anyway_is_refused_not_doubled() -> None:
    call = connected(PUSH).happens(ev.TurnCommitted(1), ev.ReplyRequested("r1"), ev.TranscriptFinal(1, "A pizza"))
    assert call.only(do.RequestRefused) == do.RequestRefused("r1", "reply_active")
    assert len(call.all(do.StartReply)) == 1
    call.model_says("Which one?").passes(5000)
    assert len(call.all(do.StartReply)) == 1


def test_a_request_is_carried_through_the_steps_of_its_reply() -> None:
    call = connected(REALTIME).happens(ev.ReplyRequested("r1")).model_asks_for("unheard_of").model_is_done()
    assert (call.asked.step, call.asked.request) == (2, "r1")


@pytest.mark.parametrize("waiting", [True, False])
def test_a_reply_the_client_asked_for_is_not_cut_by_its_next_commit(waiting: bool) -> None:
    call = connected(REALTIME)
    if waiting:
        call.happens(ev.TurnCommitted(1), ev.ReplyRequested("r1"), ev.TranscriptFinal(1, "I want a pizza"))
    else:
        call.happens(ev.ReplyRequested("r1"))
    call.model_says(LONG).passes(1000).happens(ev.TurnCommitted(2), ev.TranscriptFinal(2, "And wine"))
    assert call.states == ("live", "pausing", "speaking")
    assert call.passes(5000).only_said_by_caller()[-1] == "And wine"


def test_a_cancel_drops_the_guess_and_leaves_the_turn() -> None:
    call = connected().caller_speaks("When are you open?").passes(100).happens(ev.ReplyCancelled("c1"))
    assert call.only(do.CancelReply).reply == 1
    assert call.only(do.RequestRefused) == do.RequestRefused("c1", "no_reply_active")
    assert call.passes(300).only(do.TurnClosed).text == "When are you open?"


def test_one_reply_at_a_time() -> None:
    call = connected(REALTIME).happens(ev.ReplyRequested("r1"), ev.ReplyRequested("r2"))
    assert call.only(do.RequestRefused) == do.RequestRefused("r2", "reply_active")


@pytest.mark.parametrize("request_id", ["r1", ""])
def test_a_reply_asked_for_while_the_caller_speaks_is_spoken_all_the_same(request_id: str) -> None:
    call = connected().speech_starts().passes(300).happens(ev.ReplyRequested(request_id)).model_says("As you wish.")
    assert call.states == ("live", "speaking", "speaking")
    call.passes(300).speech_stops().final("I want a pizza.").passes(3000)
    assert call.only_said_by_caller() == ["I want a pizza."]
    assert call.asked.turn == 1 and call.asked.request == ""


def test_a_request_drops_the_guess() -> None:
    call = connected().caller_speaks("When are you open?").passes(100).happens(ev.ReplyRequested("r1"))
    assert call.only(do.CancelReply).reply == 1
    call.passes(400)
    assert call.only(do.RequestRefused).request == "r1"


def test_a_cancel_ends_what_is_live_and_is_refused_where_nothing_is() -> None:
    call = talking().happens(ev.ReplyCancelled("c1"))
    assert call.only(do.ReplyClosed).text == "We are open from Monday"
    call.happens(ev.ReplyCancelled("c2"))
    assert call.only(do.RequestRefused) == do.RequestRefused("c2", "no_reply_active")


def test_a_cancelled_thought_leaves_the_callers_words() -> None:
    call = connected().types("When are you open?").happens(ev.ReplyCancelled())
    assert call.only(do.ReplyClosed) == do.ReplyClosed(1, "", "cancelled")
    assert call.said() == [("user", "When are you open?")]


# ------------------------------------------------------------------------------------------------ corrections


def test_a_live_reply_is_cut_to_what_the_client_played() -> None:
    call = talking().happens(ev.PlaybackTruncated(1, 500), ev.ReplyCancelled())
    assert call.only(do.ReplyClosed).heard_ms == 500
    assert call.said()[-1] == ("assistant", "We are open")
    whole = talking(heard_ms=100).happens(ev.PlaybackTruncated(1, 500)).passes(5000)
    assert whole.said()[-1] == ("assistant", "We are open") and whole.conversation.history()[-1].interrupted


def test_a_live_reply_is_not_cut_beyond_what_there_was() -> None:
    call = talking(heard_ms=100).happens(ev.PlaybackTruncated(1, 100_000)).passes(5000)
    assert call.only(do.ReplyClosed) == do.ReplyClosed(1, LONG, "completed", len(LONG) * 50)
    assert not call.conversation.history()[-1].interrupted


def test_a_past_reply_is_corrected_in_the_history() -> None:
    call = talking().passes(5000).happens(ev.PlaybackTruncated(1, 500))
    assert call.only(do.ReplyCut) == do.ReplyCut(1, "We are open", 500)
    assert call.conversation.history()[-1] == Message("assistant", "We are open", interrupted=True)
    call.happens(ev.PlaybackTruncated(1, -10))
    assert call.all(do.ReplyCut)[-1] == do.ReplyCut(1, "", 0)


def test_a_correction_that_cuts_nothing_marks_nothing() -> None:
    call = talking().passes(5000).happens(ev.PlaybackTruncated(1, 100_000))
    assert call.only(do.ReplyCut) == do.ReplyCut(1, LONG, len(LONG) * 50)
    assert not call.conversation.history()[-1].interrupted


def test_only_replies_that_were_heard_can_be_cut() -> None:
    call = connected(Policy(output="text")).types("Hi").model_says("Hello.")
    call.happens(ev.PlaybackTruncated(1, 0), ev.PlaybackTruncated(9, 0))
    assert [refused.code for refused in call.all(do.RequestRefused)] == ["unknown_reply", "unknown_reply"]
    assert call.said()[-1] == ("assistant", "Hello.")


# ------------------------------------------------------------------------------------------------ text


def test_text_in_text_out() -> None:
    call = connected(Policy(output="text")).types("Hi").model_says("Hello,<flush /> friend.")
    assert call.said() == [("user", "Hi"), ("assistant", "Hello, friend.")]
    assert call.only(do.ReplyClosed) == do.ReplyClosed(1, "Hello, friend.", "completed")
    assert not call.all(do.Speak) and not call.all(do.StartPlayback)
    call.happens(ev.SayRequested("By the way."))
    assert call.said()[-1] == ("assistant", "By the way.")


def test_typed_words_interrupt_the_voice() -> None:
    call = talking().types("And on Sunday?")
    assert call.said()[1:] == [("assistant", "We are open from Monday"), ("user", "And on Sunday?")]
    assert call.asked.turn == 2


def test_typed_words_wait_for_the_mouth_and_become_one_turn() -> None:
    call = talking()
    call.mouth_answers = False
    call.types("And on").types("Sunday?")
    call.happens(ev.SayRequested("Hm.", interrupts=True), ev.PlaybackReached(1, 1000))
    assert call.only_said_by_caller()[-1] == "And on Sunday?"
    assert len(call.all(do.InterruptionConfirmed)) == 1


def test_typed_words_join_the_turn_that_is_open() -> None:
    call = connected().speech_starts().passes(300).types("number 12").passes(100).speech_stops().final("is mine.")
    assert call.passes(500).only(do.TurnClosed).text == "number 12 is mine."


def test_typed_words_survive_a_turn_that_is_discarded_and_are_answered() -> None:
    call = connected().speech_starts().types("number 12").happens(ev.TurnDiscarded())
    assert call.only(do.TurnDropped).text == ""
    assert call.asked.messages == (Message("user", "number 12"),)


def test_typed_words_for_the_history_only() -> None:
    call = talking().types("A note.", reply=False).types("  ")
    assert call.conversation.agent == "speaking"
    assert call.passes(5000).said()[1:] == [("assistant", LONG), ("user", "A note.")]
    assert len(call.all(do.StartReply)) == 1


def test_typed_words_during_an_announcement_are_answered_after_it() -> None:
    call = connected().happens(ev.SayRequested("This call is recorded.", interruptible=False)).types("Hi")
    assert not call.all(do.StartReply)
    call.passes(2000)
    assert call.asked.messages[-2:] == (Message("assistant", "This call is recorded."), Message("user", "Hi"))


@pytest.mark.parametrize("reply", [True, False])
def test_a_message_from_outside_is_answered_when_asked_for(reply: bool) -> None:
    call = talking().happens(ev.MessageAdded(Message("system", "The caller is late."), reply)).passes(5000)
    assert len(call.all(do.StartReply)) == 1 + reply
    assert Message("system", "The caller is late.") in call.conversation.history()


def test_the_words_said_before_are_kept_when_the_turn_they_were_carried_into_is_discarded() -> None:
    call = (
        connected(Policy(endpointing=Endpointing(speculative_reply=False))).caller_speaks("I want a pizza.").passes(500)
    )
    call.caller_speaks("no wait", 300).happens(ev.TurnDiscarded())
    assert call.only_said_by_caller() == ["I want a pizza."]
    assert call.asked.messages == (Message("user", "I want a pizza."),)


def test_switched_to_text_in_the_middle_the_reply_at_work_is_still_heard() -> None:
    call = talking().policy_is(Policy(output="text"))
    call.witness = call.witness  # the reply was begun in audio: it closes as heard
    call.happens(ev.ReplyCancelled())
    assert call.said()[-1] == ("assistant", "We are open from Monday")


# ------------------------------------------------------------------------------------------------ a model that speaks unasked


def test_a_reply_that_is_offered_to_a_quiet_call_is_asked_for_and_can_be_interrupted() -> None:
    call = connected().happens(ev.ReplyOffered())
    assert call.asked.turn == 0
    call.model_says(LONG).passes(1000).caller_speaks("stop that now", 900)
    assert call.passes(1000).only(do.ReplyClosed).status == "interrupted"


def test_a_reply_that_is_offered_while_anybody_does_something_is_not_asked_for() -> None:
    assert not connected().speech_starts().passes(300).happens(ev.ReplyOffered()).all(do.StartReply)
    paused = connected().speech_starts().partial("I want").passes(300).speech_stops()
    assert not paused.happens(ev.ReplyOffered()).all(do.StartReply)
    spoken = talking()
    asked = len(spoken.all(do.StartReply))
    assert len(spoken.happens(ev.ReplyOffered()).all(do.StartReply)) == asked
    assert not connected().drops().happens(ev.ReplyOffered()).all(do.StartReply)
