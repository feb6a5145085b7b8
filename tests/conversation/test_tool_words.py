"""Words that an assistant's author wrote around a tool's work, and answers that end the call or send it on."""

from __future__ import annotations

from tests.conversation.driver import CallDriver, connected

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy, Silence
from antiphon.vocabulary import EndReason, ToolSpec, ToolWords

PLAIN = ToolSpec("plain", filler="")
SPOKEN = ToolSpec(
    "spoken", filler="", words=ToolWords("Let me see.", "It is done.", "That did not work.", failed_ends_call=True)
)
HINTED = ToolSpec("hinted", words=ToolWords(hint="Name the price.", failed_hint="Say sorry."))
LATER = ToolSpec("later", asynchronous=True, words=ToolWords(start="Never.", complete="The table is yours."))


def thinking(**policy: object) -> CallDriver:
    told = Policy(endpointing=Endpointing(speculative_reply=False), **policy)  # type: ignore[arg-type]
    call = connected(told, tools=[PLAIN, SPOKEN, HINTED, LATER])
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


def test_work_nobody_waits_for_says_its_result_when_the_floor_is_free() -> None:
    call = thinking().model_asks_for("later").model_is_done()
    call.model_says("I am on it.").passes(3000)
    asked = len(call.all(do.StartReply))
    call.tool_answers("table 4").passes(3000)
    assert "Never." not in spoken(call)
    assert spoken(call)[-1] == "The table is yours."
    assert len(call.all(do.StartReply)) == asked


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
