"""Think early: ask the model before the turn is closed, speak only after."""

from __future__ import annotations

import pytest
from tests.conversation.driver import CallDriver, connected

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy
from antiphon.vocabulary import Message, ToolSpec

LONG = "We are open from Monday to Friday. On Saturday we are open until noon. On Sunday we rest."


def guessing(call: CallDriver | None = None) -> CallDriver:
    """Two hundred milliseconds of silence after a whole sentence: the model has been asked, the turn is open."""
    call = (call or connected()).caller_speaks("When are you open?").passes(100)
    assert call.asked.speculative and call.states[1:] == ("pausing", "idle")
    return call


def test_a_guess_that_proves_right_is_under_way_when_the_turn_closes() -> None:
    call = guessing().model_says(LONG, done=False)
    assert call.asked.messages == (Message("user", "When are you open?"),)
    assert [spoken.text for spoken in call.all(do.Speak)] == ["We are open from Monday to Friday."], "the cost cap"
    assert not call.all(do.StartPlayback)
    call.passes(200)
    assert call.only(do.ReplyAdopted) == do.ReplyAdopted(1, 1)
    assert len(call.all(do.Speak)) == 3 and len(call.all(do.StartReply)) == 1
    assert call.times(do.StartPlayback) == call.times(do.TurnClosed) == [call.ears.silent_since_ms + 400]
    call.model_is_done().passes(10_000)
    assert call.said() == [("user", "When are you open?"), ("assistant", LONG)]


def test_a_guess_that_was_done_before_the_turn_closed_is_spoken_and_ends() -> None:
    call = guessing().model_says("At nine.").passes(3000)
    assert call.said()[-1] == ("assistant", "At nine.")


def test_the_caller_goes_on_and_the_guess_is_dropped_by_number() -> None:
    call = guessing().model_says(LONG, done=False)
    call.caller_speaks("And on Sunday?").passes(400)
    assert call.all(do.CancelReply) == [do.CancelReply(1)]
    assert call.only(do.TurnClosed).text == "When are you open? And on Sunday?"
    call.model_says("stale", reply=1, done=False)
    assert call.asked.reply == 2
    assert all(spoken.reply != 1 for spoken in call.all(do.Speak)[1:])


def test_other_words_drop_the_guess_and_other_punctuation_does_not() -> None:
    call = connected().caller_speaks("when are you open", final_after_ms=None).passes(100)
    call.partial("When are you open?")
    assert not call.all(do.CancelReply)
    call.final("When will you open?").passes(400)
    assert [asked.speculative for asked in call.all(do.StartReply)] == [True, True]
    assert call.only(do.CancelReply).reply == 1
    assert call.only(do.ReplyAdopted).reply == 2


def test_a_recogniser_that_expects_the_end_allows_a_guess_at_once_and_takes_it_back() -> None:
    call = connected().caller_speaks("When are you open")
    assert not call.all(do.StartReply)
    call.happens(ev.VendorTurnSignal(1, "eager_end", 0.5))
    assert call.asked.speculative
    call.happens(ev.VendorTurnSignal(1, "resumed"))
    assert call.only(do.CancelReply) == do.CancelReply(1)
    assert not call.all(do.TurnClosed)


def test_tools_are_not_run_for_a_guess() -> None:
    call = guessing(connected(tools=[ToolSpec("look_up")])).model_asks_for("look_up").model_is_done()
    assert not call.all(do.RunTool)
    call.passes(200)
    assert call.only(do.RunTool).call.name == "look_up"
    call.tool_answers("nine")
    assert (call.asked.reply, call.asked.step, call.asked.speculative) == (1, 2, False)


def test_a_tool_for_a_dropped_guess_is_never_run() -> None:
    call = guessing(connected(tools=[ToolSpec("look_up")])).model_asks_for("look_up").model_is_done()
    call.caller_speaks("No, forget it.").passes(400)
    assert not call.all(do.RunTool)


def test_guesses_are_paid_for_so_they_are_few() -> None:
    call = connected(Policy(endpointing=Endpointing(max_speculations=2)))
    for words in ("one pizza", "two pizzas", "three pizzas", "four pizzas"):
        call.caller_speaks(words, 300).passes(300)
    assert len([asked for asked in call.all(do.StartReply) if asked.speculative]) == 2


def test_no_guess_on_words_that_plainly_are_not_all() -> None:
    for said in ("I want a pizza and", "well,", ""):
        assert not connected().caller_speaks(said).passes(900).all(do.StartReply)


def test_no_guess_before_a_pause_that_may_be_the_end() -> None:
    assert not connected().caller_speaks("I want a pizza.").passes(99).all(do.StartReply)


def test_a_turn_that_began_as_an_interruption_has_its_head_start_too() -> None:
    call = connected().agent_says(LONG).passes(1000)
    call.caller_speaks("When do you open on Sunday?").passes(100)
    assert call.asked.speculative and call.asked.turn == 2
    call.model_says("We rest on Sunday.").passes(200)
    assert call.all(do.ReplyAdopted)[-1].reply == call.asked.reply


def test_after_an_interruption_a_bare_wait_is_not_guessed_at() -> None:
    call = connected().agent_says(LONG).passes(1000).caller_speaks("no wait", 300).passes(900)
    assert call.asked.turn == 1


def test_a_guess_that_fails_is_forgotten_and_the_turn_is_answered_all_the_same() -> None:
    call = connected(Policy(endpointing=Endpointing(max_speculations=1)))
    guessing(call).model_fails().passes(400)
    assert [asked.speculative for asked in call.all(do.StartReply)] == [True, False]
    assert not call.all(do.ReplyAdopted)


def test_what_enters_the_history_meanwhile_is_not_missed() -> None:
    call = guessing().happens(ev.MessageAdded(Message("system", "Closed today.")))
    assert call.only(do.CancelReply).reply == 1
    call.passes(400)
    assert Message("system", "Closed today.") in call.asked.messages
    assert len(call.all(do.ReplyAdopted)) == 1


def test_no_guess_where_the_client_asks_for_replies_itself() -> None:
    call = connected(Policy(reply_on_turn_end=False)).caller_speaks("When are you open?").passes(1000)
    assert not call.all(do.StartReply)


def test_a_guess_is_dropped_when_the_policy_no_longer_wants_replies() -> None:
    call = guessing().policy_is(Policy(reply_on_turn_end=False)).passes(400)
    assert call.only(do.CancelReply).reply == 1
    assert call.only_said_by_caller() == ["When are you open?"]


@pytest.mark.parametrize(
    "changed",
    [
        ev.PolicyChanged(Policy(output="text")),
        ev.InstructionsChanged("Be brief."),
        ev.ToolsChanged((ToolSpec("look_up"),)),
        ev.MessageAdded(Message("user", "By the way.", id="item-1")),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_guess_made_before_something_changed_is_not_spoken(changed: ev.Event) -> None:
    """What it was asked from is compared, whatever the change: a session that now writes got a spoken answer."""
    call = guessing().model_says(LONG, done=False).happens(changed)
    assert call.all(do.CancelReply) == [do.CancelReply(1)]
    call.passes(600)
    assert [adopted.reply for adopted in call.all(do.ReplyAdopted)] == [2], "another one was begun at once"
    if isinstance(changed, ev.PolicyChanged):
        call.model_says("We are open.")
        assert [spoken.reply for spoken in call.all(do.Speak)] == [1], "a reply that is written is not spoken"


DOUBTFUL = Policy(partials="doubtful")


def paced(policy: Policy, final_after_ms: int) -> CallDriver:
    """A call whose recogniser has shown how long it takes: its last words come so long after the ears say that speech has stopped."""
    call = connected(policy).caller_speaks("Good day.", final_after_ms=final_after_ms).passes(1000)
    return call.model_says("Good day.").passes(3000)


def test_words_that_are_about_to_come_are_waited_for_before_a_guess_is_paid() -> None:
    call = paced(DOUBTFUL, 150).caller_speaks("When are you open on Sunday?", final_after_ms=None)
    call.partial("When are you open").passes(149)
    assert call.asked.turn == 1, "two hundred milliseconds of silence, and only words that may be taken back"
    call.final("When are you open on Sunday?")
    assert call.asked.speculative and call.asked.messages[-1].content == "When are you open on Sunday?"
    call.passes(300)
    assert call.all(do.ReplyAdopted)[-1].reply == call.asked.reply and not call.all(do.CancelReply)


def test_words_that_do_not_come_in_their_time_are_not_waited_for_any_longer() -> None:
    call = paced(DOUBTFUL, 150).caller_speaks("When are you open?", final_after_ms=None).passes(199)
    assert call.asked.turn == 1
    call.passes(2)
    assert call.asked.speculative and call.asked.messages[-1].content == "When are you open?"


@pytest.mark.parametrize(
    ("policy", "final_after_ms"),
    [(Policy(), 150), (DOUBTFUL, 320)],
    ids=["a recogniser whose words mostly stand", "one whose last words take long"],
)
def test_a_guess_is_made_at_once_where_waiting_would_gain_nothing(policy: Policy, final_after_ms: int) -> None:
    call = paced(policy, final_after_ms).caller_speaks("When are you open?", final_after_ms=None).passes(100)
    assert call.asked.turn == 2 and call.asked.speculative


def test_an_engine_that_tells_how_soon_its_last_words_come_is_believed_from_the_first_turn() -> None:
    policy = Policy(partials="doubtful", endpointing=Endpointing(last_words_ms=250))
    call = connected(policy).caller_speaks("When are you open?", final_after_ms=None).passes(190)
    assert not call.all(do.StartReply)
    call.final("When are you open?")
    assert call.asked.speculative
