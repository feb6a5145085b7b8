"""A vendor's failure never ends in silence."""

from __future__ import annotations

import pytest
from tests.conversation.driver import CallDriver, connected
from tests.conversation.world import Voice

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy, Speaking
from antiphon.vocabulary import EndReason, ToolSpec

SORRY = Speaking().failure_message
QUIETLY = Policy(endpointing=Endpointing(speculative_reply=False))


def thinking(policy: Policy = QUIETLY, voice: Voice | None = None) -> CallDriver:
    call = connected(policy, voice=voice, tools=[ToolSpec("book", cancel_on_interruption=True)])
    return call.caller_speaks("What is free?").passes(400)


def test_a_model_that_fails_is_spoken_about() -> None:
    call = thinking().model_fails().passes(10_000)
    assert call.said()[-1] == ("assistant", SORRY)
    assert call.only(do.ReplyClosed).status == "failed"
    assert not call.conversation.history()[-1].interrupted, "the caller did not cut it short"


def test_a_model_that_has_not_begun_in_time_is_stopped_and_spoken_about() -> None:
    """Whatever it would still say is neither waited nor paid for."""
    call = thinking()
    asked = call.asked.reply
    call.passes(Speaking().reply_timeout_ms - 500)
    assert not call.all(do.StopModel)
    call.passes(10_000)
    assert call.only(do.StopModel) == do.StopModel(asked)
    assert call.said()[-1] == ("assistant", SORRY)
    assert not call.all(do.CancelReply), "its voice says so"
    call.replays()


def test_a_model_that_ends_by_itself_need_not_be_stopped() -> None:
    call = thinking().model_fails().passes(10_000)
    assert not call.all(do.StopModel)


def unheard(call: CallDriver, *, fails: bool, for_ms: int = 900) -> CallDriver:
    """Something is said, and the recogniser has no word for it."""
    call.caller_speaks("words", for_ms, final_after_ms=None, partials=False)
    if fails:
        call.happens(ev.TranscriptFailed(call.utterance))
    return call.passes(8000)


@pytest.mark.parametrize("fails", [True, False])
def test_a_recogniser_that_fails_three_times_in_a_row_ends_the_call(fails: bool) -> None:
    call = connected(QUIETLY)
    for _ in range(3):
        unheard(call, fails=fails)
    asked_again = Speaking().not_understood_message
    assert [text for _, text in call.said()] == [asked_again, asked_again, SORRY]
    assert call.only(do.EndCall).reason is EndReason.PROVIDER_FAILED
    call.replays()


def test_a_recogniser_that_heard_something_between_has_not_failed() -> None:
    call = connected(QUIETLY)
    for _ in range(3):
        unheard(unheard(call, fails=True), fails=False)
        call.caller_speaks("Hello?").passes(400).model_says("Yes?").passes(5000)
    assert not call.all(do.EndCall)


def test_a_recogniser_that_is_only_late_has_not_failed() -> None:
    call = connected(QUIETLY)
    for _ in range(5):
        unheard(call, fails=False).final("").passes(100)
    assert not call.all(do.EndCall)


def test_a_breath_is_no_failure_of_the_recogniser() -> None:
    call = connected(QUIETLY)
    for _ in range(5):
        unheard(call, fails=True, for_ms=300)
    assert not call.all(do.EndCall)
    assert not call.all(do.Speak)


def test_without_a_word_to_say_the_call_still_ends() -> None:
    call = connected(Policy(speaking=Speaking(failure_message="", not_understood_message="")))
    for _ in range(3):
        unheard(call, fails=True)
    assert call.only(do.EndCall).reason is EndReason.PROVIDER_FAILED


def test_nobody_is_asked_again_where_the_client_answers() -> None:
    assert not unheard(connected(Policy(reply_on_turn_end=False)), fails=True).all(do.Speak)


def test_what_was_said_before_the_failure_stands() -> None:
    call = thinking().model_says("Let me see. On Friday we", done=False).model_fails().passes(10_000)
    assert call.said()[-1] == ("assistant", f"Let me see. On Friday we {SORRY}")


def test_a_model_that_sends_nothing_in_time_has_failed() -> None:
    call = thinking()
    call.at(call.times(do.StartReply)[0] + 7999)
    assert not call.all(do.Speak)
    assert call.passes(1).only(do.Speak).text == SORRY
    call.model_says("Too late.").passes(9000)
    assert call.said()[-1] == ("assistant", SORRY)


def test_a_failure_takes_the_tools_it_may_cancel_with_it() -> None:
    call = thinking().model_asks_for("book").model_fails()
    assert call.only(do.CancelTool).tool_call_id == "call-1"


def test_a_failure_told_twice_counts_once() -> None:
    call = thinking().model_fails().model_fails().passes(10_000)
    assert len(call.all(do.Speak)) == 1


def test_three_failures_in_a_row_end_the_call_politely() -> None:
    call = thinking()
    for _ in range(2):
        call.model_fails().passes(6000).caller_speaks("Hello, again?").passes(400)
    call.model_fails()
    assert not call.conversation.ended
    call.passes(6000)
    assert str(call.only(do.EndCall).reason) == "provider-failed"
    assert call.said()[-1] == ("assistant", SORRY)


def test_a_reply_that_works_makes_up_for_the_failures_before_it() -> None:
    call = thinking()
    for _ in range(2):
        call.model_fails().passes(6000).caller_speaks("Hello, again?").passes(400)
    call.model_says("Here I am.").passes(3000).caller_speaks("Fine. And now?").passes(400).model_fails().passes(6000)
    assert not call.conversation.ended


def test_without_an_apology_the_reply_just_closes() -> None:
    call = thinking(Policy(endpointing=QUIETLY.endpointing, speaking=Speaking(failure_message=""))).model_fails()
    assert call.only(do.ReplyClosed).status == "failed"
    assert call.states == ("live", "silent", "idle")


def test_in_text_mode_a_failure_is_a_status() -> None:
    call = (
        thinking(Policy(endpointing=QUIETLY.endpointing, output="text")).model_says("Let me", done=False).model_fails()
    )
    assert call.only(do.ReplyClosed) == do.ReplyClosed(1, "Let me", "failed")


def test_a_voice_that_fails_is_spoken_about_when_it_works_again() -> None:
    call = thinking()
    call.voice.fails = True
    call.model_says("Nine is free.")
    call.voice.fails = False
    call.passes(10_000)
    assert call.only_said_by_caller() == ["What is free?"]
    assert call.said()[-1] == ("assistant", SORRY), "not one word of the reply was heard"
    assert [closed.status for closed in call.all(do.ReplyClosed)] == ["failed", "completed"]


def test_a_voice_that_stays_silent_ends_the_call() -> None:
    call = thinking(voice=Voice(fails=True)).model_says("Nine is free.").passes(1000)
    assert str(call.only(do.EndCall).reason) == "provider-failed"
    assert len(call.all(do.ReplyClosed)) == 3
    assert [role for role, _ in call.said()] == ["user"]


def test_a_voice_that_fails_at_the_goodbye_does_not_keep_the_call() -> None:
    call = thinking(voice=Voice(fails=True)).model_says("Goodbye.", done=False)
    call.happens(ev.ReplyAskedToEnd(1), ev.ReplyDone(1)).passes(100)
    assert str(call.only(do.EndCall).reason) == "assistant-ended-call"


def test_a_voice_that_fails_before_a_transfer_does_not_stop_it() -> None:
    call = thinking(voice=Voice(fails=True)).model_says("One moment.", done=False)
    call.happens(ev.ReplyAskedToTransfer(1, "+15550100"), ev.ReplyDone(1)).passes(100)
    assert call.all(do.TransferCall) and not call.all(do.Speak)[1:]


def test_one_lost_piece_is_not_heard_and_the_rest_is() -> None:
    call = thinking()
    call.voice.fails = True
    call.model_says("This is a sentence that is lost. ", done=False)
    call.voice.fails = False
    call.model_says("And this is a sentence that is heard.").passes(5000)
    assert call.said()[-1] == ("assistant", "And this is a sentence that is heard.")
    assert call.only(do.ReplyClosed).status == "completed"


def test_stale_answers_of_the_voice_and_the_model_are_ignored() -> None:
    call = thinking().model_says("Nine is free.").passes(3000)
    before = len(call.said())
    for reply in (0, 1, 99):
        call.happens(
            ev.ReplyText(reply, "x"), ev.ReplyDone(reply), ev.ReplyFailed(reply), ev.ReplyAskedToEnd(reply),
            ev.ReplyAskedToTransfer(reply, "x"), ev.SpeechSynthesized(reply, 0, 10), ev.SynthesisFailed(reply, 0),
            ev.PlaybackStarted(reply), ev.PlaybackReached(reply, 5), ev.PlaybackFinished(reply, 5),
        )  # fmt: skip
    assert len(call.said()) == before and call.states == ("live", "silent", "idle")
