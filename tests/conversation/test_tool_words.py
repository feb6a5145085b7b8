"""Words that an assistant's author wrote around a tool's work, and answers that end the call or send it on."""

from __future__ import annotations

from tests.conversation.driver import CallDriver, connected

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy, Silence
from antiphon.conversation.tool_calls import NOT_BEGUN
from antiphon.vocabulary import ArgumentCondition, EndReason, ToolCall, ToolSaying, ToolSpec, ToolWords

PLAIN = ToolSpec("plain", filler="")
SPOKEN = ToolSpec(
    "spoken",
    filler="",
    words=ToolWords(
        start=(ToolSaying("Let me see."),),
        complete=(ToolSaying("It is done."),),
        failed=(ToolSaying("That did not work.", ends_call=True),),
    ),
)
HINTED = ToolSpec(
    "hinted",
    words=ToolWords(
        complete=(ToolSaying("Name the price.", to_model=True),), failed=(ToolSaying("Say sorry.", to_model=True),)
    ),
)
LATER = ToolSpec(
    "later",
    asynchronous=True,
    words=ToolWords(start=(ToolSaying("Never."),), complete=(ToolSaying("I have passed it on."),)),
)
IN_ROME = (ArgumentCondition("city", "eq", "Rome"),)
STAGED = ToolSpec(
    "staged",
    deadline_ms=9000,
    words=ToolWords(
        start=(ToolSaying("One."), ToolSaying("Two."), ToolSaying("Rome, then.", IN_ROME)),
        delayed=(ToolSaying("Still at it.", after_ms=1000), ToolSaying("Nearly there.", after_ms=3000)),
    ),
)
ANNOUNCED = ToolSpec(
    "announced", filler="", words=ToolWords(start=(ToolSaying("I charge your card now.", blocking=True),))
)


def thinking(**policy: object) -> CallDriver:
    told = Policy(endpointing=Endpointing(speculative_reply=False), **policy)  # type: ignore[arg-type]
    call = connected(told, tools=[PLAIN, SPOKEN, HINTED, LATER, STAGED, ANNOUNCED])
    return call.caller_speaks("What is free?").passes(400)


def spoken(call: CallDriver) -> list[str]:
    return [action.text for action in call.all(do.Speak)]


def test_its_words_are_said_as_it_begins_and_instead_of_the_model_s() -> None:
    call = thinking().model_asks_for("spoken").model_is_done()
    assert spoken(call)[-1] == "Let me see."
    call.tool_answers("ok")
    assert spoken(call)[-2:] == ["Let me see.", "It is done."]
    assert (call.asked.reply, call.asked.step) == (1, 1), "the model is not asked again"
    call.passes(3000)
    assert call.said()[-1] == ("assistant", "It is done.") or call.said()[-1][1].endswith("It is done.")
    assert [message.role for message in call.conversation.history()][-3:] == ["assistant", "tool", "assistant"]


def test_words_in_the_answer_win_over_those_of_the_assistant() -> None:
    call = thinking().model_asks_for("spoken").model_is_done()
    call.happens(ev.ToolFinished("call-1", "ok", say="Friday it is."))
    assert spoken(call)[-1] == "Friday it is."


def test_a_failure_has_words_of_its_own_and_may_end_the_call() -> None:
    call = thinking().model_asks_for("spoken").model_is_done()
    call.happens(ev.ToolFailed("call-1", "no")).passes(4000)
    assert "That did not work." in spoken(call)
    assert call.only(do.EndCall).reason is EndReason.ASSISTANT_ENDED


def test_a_tool_that_does_not_answer_has_failed() -> None:
    call = thinking().model_asks_for("spoken").model_is_done().passes(5100)
    assert "That did not work." in spoken(call)
    assert call.asked.step == 1


def test_the_model_is_asked_where_one_of_two_has_no_words() -> None:
    call = thinking().model_asks_for("spoken", "a").model_asks_for("plain", "b").model_is_done()
    call.tool_answers("one", "a").tool_answers("two", "b")
    assert call.asked.step == 2
    assert "It is done." not in spoken(call)


def test_a_hint_is_for_the_model_alone() -> None:
    call = thinking().model_asks_for("hinted").model_is_done().tool_answers("nine pounds")
    assert call.asked.messages[-1].content == "nine pounds\nName the price."
    call = thinking().model_asks_for("hinted").model_is_done().happens(ev.ToolFailed("call-1", "no"))
    assert call.asked.messages[-1].content == "no\nSay sorry."


def test_work_nobody_waits_for_has_its_author_s_words_at_once_and_its_result_asks_for_none() -> None:
    call = thinking().model_asks_for("later").model_is_done()
    assert spoken(call)[-1] == "I have passed it on." and "Never." not in spoken(call)
    assert call.asked.step == 1, "the author's words stand in the place of the model's"
    call.passes(3000)
    asked = len(call.all(do.StartReply))
    call.tool_answers("table 4").passes(3000)
    assert spoken(call)[-1] == "I have passed it on."
    assert len(call.all(do.StartReply)) == asked
    assert call.conversation.history()[-1].content == "Result of later: table 4"


def test_its_failure_is_told_to_the_model_which_says_so() -> None:
    call = thinking().model_asks_for("later").model_is_done().passes(3000)
    asked = len(call.all(do.StartReply))
    call.happens(ev.ToolFailed("call-1", "no table")).passes(3000)
    assert len(call.all(do.StartReply)) == asked + 1


def test_variants_are_taken_in_turn_and_those_with_conditions_come_first() -> None:
    call = thinking()
    for at, arguments in enumerate(({}, {"city": "Oslo"}, {"city": "Rome"}, {"city": "Bonn"})):
        call.happens(ev.ReplyAskedForTool(1, ToolCall(f"c{at}", "staged", arguments)))
    assert spoken(call)[-4:] == ["One.", "Two.", "Rome, then.", "Two."]


def test_while_it_works_each_moment_has_its_words() -> None:
    call = thinking().model_asks_for("staged").model_is_done()
    assert [call.passes(ms) and spoken(call)[-1] for ms in (990, 20, 1980, 20, 3000)] == [
        "One.", "Still at it.", "Still at it.", "Nearly there.", "Nearly there.",
    ]  # fmt: skip


def test_words_that_block_are_heard_before_the_work_begins() -> None:
    call = thinking().model_asks_for("announced").model_is_done()
    assert spoken(call)[-1] == "I charge your card now." and call.all(do.RunTool) == []
    call.passes(300)
    assert call.all(do.RunTool) == [], "it is still being said"
    call.passes(2700)
    assert call.only(do.RunTool).call.name == "announced"
    call.passes(3000)
    assert call.asked.step == 1, "its time began when it did"
    call.tool_answers("ok")
    assert call.asked.step == 2


def test_whoever_interrupts_those_words_has_it_not_done() -> None:
    call = thinking().model_asks_for("announced").model_is_done().passes(300)
    call.caller_speaks("No, stop that please.").passes(1500)
    assert call.all(do.RunTool) == []
    (result,) = [message.content for message in call.conversation.history() if message.role == "tool"]
    assert result == NOT_BEGUN


def test_words_that_cannot_be_heard_hold_nothing_up() -> None:
    call = thinking()
    call.voice.fails = True
    call.model_asks_for("announced").model_is_done().passes(400)
    assert call.only(do.RunTool).call.name == "announced"


def test_a_tool_ends_the_call_with_its_goodbye() -> None:
    call = thinking(silence=Silence(end_call_message="Goodbye then.")).model_asks_for("plain").model_is_done()
    call.happens(ev.ToolFinished("call-1", "Ending.", ends_call=True)).passes(4000)
    assert spoken(call)[-1] == "Goodbye then."
    assert call.only(do.EndCall).reason is EndReason.ASSISTANT_ENDED


def test_a_tool_sends_the_call_on_once_its_words_were_heard() -> None:
    call = thinking().model_asks_for("plain").model_is_done()
    call.happens(ev.ToolFinished("call-1", "ok", say="I connect you.", transfer_to="+15550123")).passes(4000)
    assert spoken(call)[-1] == "I connect you."
    assert call.only(do.TransferCall).destination == "+15550123"
