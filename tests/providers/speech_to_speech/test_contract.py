"""What every model that hears and speaks does, and what becomes of it when its vendor does not: one suite over all of them."""

from __future__ import annotations

import pytest
from tests.providers.fakes.speaking import MS_PER_CHARACTER, Answer
from tests.providers.fakes.speech import say
from tests.providers.speech_to_speech.calling import BOOK, Caller, Rig

from antiphon.errors import ProviderError
from antiphon.providers.base import StreamInterrupted, StreamRestored, Transcribed, TranscriptionFailed
from antiphon.providers.speech_to_speech.base import ReplyAudio, ReplyFailed, ReplyOver, ReplyToolCall, ReplyWords
from antiphon.vocabulary import AudioFormat, Encoding, Message


async def test_a_turn(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("For how many people?",)))
    assert await caller.says("i want a table") == "i want a table"
    caller.ask(1, Message("user", "i want a table"), tools=(BOOK,))
    over = await caller.over(1)
    assert isinstance(over, ReplyOver)
    assert caller.words(1) == "For how many people?"
    assert caller.sound_ms(1) == pytest.approx(len("For how many people?") * MS_PER_CHARACTER, abs=1)
    assert rig.conversation(0) == ["user: i want a table"]
    if rig.counts_tokens:
        assert {usage.model.startswith("audio:") for usage in over.usage} == {False, True}
    assert (len(rig.vendor.sessions), rig.refused()) == (1, [])


async def test_every_message_of_a_response_is_heard(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("One moment.", "There is one.")))
    caller.ask(1, Message("user", "A table?"))
    await caller.over(1)
    assert caller.words(1) == "One moment. There is one."
    assert caller.sound_ms(1) == pytest.approx(len("One moment.There is one.") * MS_PER_CHARACTER, abs=21)


async def test_turns_that_follow_each_other(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers += [Answer(("For how many?",)), Answer(("It is yours.",))]
    history = [Message("user", await caller.says("i want a table"))]
    caller.ask(1, *history, tools=(BOOK,))
    await caller.over(1)
    history += [Message("assistant", caller.words(1)), Message("user", await caller.says("for two please"))]
    caller.ask(2, *history, tools=(BOOK,))
    await caller.over(2)
    assert caller.words(2) == "It is yours."
    assert rig.conversation(1) == ["user: i want a table", "assistant: For how many?", "user: for two please"]
    assert (len(rig.vendor.sessions), rig.refused()) == (1, [])


async def test_a_tool_and_its_answer(rig: Rig, caller: Caller) -> None:
    if not rig.has_tools:
        pytest.skip("an assistant that runs elsewhere has its own tools")
    rig.vendor.answers += [Answer(("Let me see.",), (("book", '{"day":"friday"}'),)), Answer(("It is yours.",))]
    user = Message("user", await caller.says("a table on friday please"))
    caller.ask(1, user, tools=(BOOK,))
    await caller.over(1)
    (asked,) = caller.of(ReplyToolCall)
    assert (asked.call.name, asked.call.arguments) == ("book", {"day": "friday"})
    answer = Message("tool", "booked", tool_call_id=asked.call.id)
    caller.ask(1, user, Message("assistant", "Let me see.", (asked.call,)), answer, tools=(BOOK,))
    await caller.until(lambda: len(caller.of(ReplyOver, 1)) == 2)
    assert caller.words(1) == "Let me see.It is yours."
    assert rig.conversation(1) == [
        "user: a table on friday please",
        "assistant: Let me see.",
        'call: book({"day":"friday"})',
        "result: booked",
    ]
    assert (len(rig.vendor.sessions), rig.refused()) == (1, [])


async def test_words_of_ours_are_spoken(rig: Rig, caller: Caller) -> None:
    caller.stream.say(1, "Welcome to the hotel.")
    assert isinstance(await caller.over(1), ReplyOver)
    assert caller.sound_ms(1) == pytest.approx(len("Welcome to the hotel.") * MS_PER_CHARACTER, abs=1)
    assert caller.words(1) == ""  # whoever asked knows them
    assert rig.vendor.asked == []
    caller.ask(2, Message("assistant", "Welcome to the hotel."), Message("user", await caller.says("a table")))
    await caller.over(2)
    assert "Welcome to the hotel." in str(rig.vendor.asked[0])
    assert rig.refused() == []


async def test_barge_in_stops_the_reply(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers += [Answer(("There are many things to say about it.",), held=True), Answer(("Fine.",))]
    caller.ask(1, Message("user", await caller.says("yes")))
    await caller.until(lambda: bool(caller.of(ReplyAudio)))
    caller.begin("no thank you")
    caller.stream.cancel(1, 70)
    heard = len(caller.of(ReplyAudio))
    caller.finish()
    assert await caller.words_of(2) == "no thank you"
    caller.ask(
        2, Message("user", "yes"), Message("assistant", "There", interrupted=True), Message("user", "no thank you")
    )
    await caller.over(2)
    assert caller.words(2) == "Fine."
    assert len(caller.of(ReplyAudio, 1)) == heard
    assert caller.of(ReplyOver, 1) == []
    assert rig.conversation(1)[0] == "user: yes" and rig.conversation(1)[-1] == "user: no thank you"
    assert (len({id(each) for each in rig.vendor.sessions}), rig.refused()) == (1, [])


async def test_a_sound_that_does_not_interrupt_leaves_the_reply_alone(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("There are many things to say about it.",), held=True))
    caller.ask(1, Message("user", await caller.says("yes")))
    await caller.until(lambda: bool(caller.of(ReplyAudio)))
    number = caller.speak("yes")
    rig.vendor.go.set()
    await caller.over(1)
    assert caller.words(1) == "There are many things to say about it."
    assert await caller.words_of(number) == "yes"
    assert rig.refused() == []


async def test_a_reply_that_waits_is_cancelled_before_it_is_asked_for(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("One.",), held=True))
    caller.ask(1, Message("user", "one"))
    await caller.until(lambda: bool(caller.of(ReplyAudio)))
    caller.ask(2, Message("user", "two"))
    caller.stream.cancel(2, 0)
    rig.vendor.go.set()
    await caller.over(1)
    caller.ask(3, Message("user", "three"))
    await caller.over(3)
    assert [len(caller.of(ReplyOver, reply)) for reply in (1, 2, 3)] == [1, 0, 1]
    assert len(rig.vendor.asked) == 2


async def test_a_response_is_asked_for_after_the_one_before(rig: Rig, caller: Caller) -> None:
    caller.stream.say(1, "One moment, please.")
    caller.ask(1, Message("user", "hello"))
    await caller.until(lambda: len(caller.of(ReplyOver, 1)) == 2)
    kinds = [type(each) for each in caller.events if isinstance(each, ReplyOver | ReplyWords)]
    assert kinds[0] is ReplyOver
    assert caller.words(1) == "Yes."
    assert rig.refused() == []


async def test_a_short_sound_is_no_words_and_not_the_vendors_business(rig: Rig, caller: Caller) -> None:
    caller.utterances = 1
    caller.stream.begin(1)
    caller.stream.push(b"\x00" * rig.heard.bytes_for_ms(60))
    caller.stream.finish(1)
    await caller.until(lambda: bool(caller.of(Transcribed)))
    assert caller.of(Transcribed) == [Transcribed(1, "", True)]
    assert await caller.says("yes please") == "yes please"
    assert rig.refused() == []


async def test_words_that_never_come(rig: Rig) -> None:
    rig.vendor.no_words = True
    rig.vendor.answers.append(Answer(trouble="mute"))
    caller = Caller(rig.engine(words_timeout_ms=500), rig.heard, rig.spoken)
    caller.speak("a table")
    await caller.until(lambda: bool(caller.of(TranscriptionFailed)))
    caller.stream.close()


async def test_an_utterance_that_is_superseded_fails(rig: Rig, caller: Caller) -> None:
    assert await caller.says("yes") == "yes"
    caller.begin("no")
    caller.begin("thank you")
    caller.finish()
    await caller.until(lambda: len(caller.finals) == 2)
    assert [each.utterance for each in caller.finals] == [1, 3]
    assert caller.finals[1].text.endswith("thank you")
    assert [each.utterance for each in caller.of(TranscriptionFailed)] == [2]
    assert rig.refused() == []


# ---------------------------------------------------------------------------------------------- what goes wrong


async def test_a_session_that_is_lost_is_told_our_history(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("For how many?",)))
    history = [Message("user", await caller.says("i want a table"))]
    caller.ask(1, *history)
    await caller.over(1)
    history += [Message("assistant", "For how many?")]
    if hasattr(rig.vendor, "kept"):
        rig.vendor.kept.clear()  # no going on with what was
    rig.vendor.live.socket.transport.abort()
    await caller.until(lambda: bool(caller.of(StreamRestored)))
    caller.ask(2, *history, Message("user", await caller.says("for two")))
    await caller.over(2)
    assert rig.conversation(1) == ["user: [i want a table]", "assistant: [For how many?]", "user: for two"]
    assert caller.of(StreamInterrupted)


async def test_speech_that_has_no_words_yet_is_heard_again_by_the_next_session(rig: Rig) -> None:
    rig.vendor.faults.add("drop_after_words")
    rig.vendor.faults.drop_after_words = 3
    caller = Caller(rig.engine(), rig.heard, rig.spoken)
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    assert await caller.says("i want a table for two") == "i want a table for two"
    assert caller.of(StreamRestored)[0].replayed_ms > 0
    assert len(rig.vendor.sessions) == 2
    caller.stream.close()


@pytest.mark.parametrize("trouble", ["drop_before", "expire"])
async def test_a_reply_of_which_nothing_was_heard_is_asked_for_again(rig: Rig, caller: Caller, trouble: str) -> None:
    rig.vendor.answers += [Answer(trouble=trouble), Answer(("Here I am.",))]  # type: ignore[arg-type]
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyOver)
    assert caller.words(1) == "Here I am."
    assert rig.conversation(1) == ["user: [hello]"]


async def test_a_reply_that_breaks_off_has_failed_and_is_not_begun_again(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("A long story that nobody hears.",), trouble="drop_in_the_middle"))
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyFailed)
    caller.ask(2, Message("user", "hello"))
    assert isinstance(await caller.over(2), ReplyOver)
    assert len(rig.vendor.sessions) == 2


async def test_a_response_that_fails(rig: Rig, caller: Caller) -> None:
    for number, (trouble, problem) in enumerate(rig.failing, start=1):
        rig.vendor.answers.append(Answer(calls=(("book", "{oops"),), trouble=trouble))  # type: ignore[arg-type]
        caller.ask(number, Message("user", "hello"), tools=(BOOK,))
        failed = await caller.over(number)
        assert isinstance(failed, ReplyFailed) and problem in failed.problem
    caller.ask(9, Message("user", "hello"))
    assert isinstance(await caller.over(9), ReplyOver)


async def test_a_response_that_never_comes_is_given_up_and_the_next_one_comes(rig: Rig) -> None:
    rig.vendor.answers.append(Answer(trouble="mute"))
    caller = Caller(rig.engine(reply_timeout_ms=500), rig.heard, rig.spoken)
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyFailed)
    caller.ask(2, Message("user", "hello"))
    assert isinstance(await caller.over(2), ReplyOver)
    caller.stream.close()


async def test_sound_that_cannot_be_read_is_left_out(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("Noise.",), trouble="strange_audio"))
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyOver)
    assert (caller.words(1), caller.sound_ms(1)) == ("Noise.", 0)


async def test_messages_that_are_none(rig: Rig) -> None:
    rig.vendor.faults.add("garbage")
    caller = Caller(rig.engine(), rig.heard, rig.spoken)
    assert await caller.says("yes") == "yes"
    caller.stream.close()


async def test_a_vendor_that_does_not_say_that_it_is_ready_is_tried_again(rig: Rig) -> None:
    rig.vendor.faults.add("never_ready")
    engine = rig.engine()
    engine.limits = type(engine.limits)(first_message_timeout_s=0.2)  # type: ignore[attr-defined]
    caller = Caller(engine, rig.heard, rig.spoken)
    assert await caller.says("yes") == "yes"
    assert rig.tries == 2
    caller.stream.close()


async def test_a_key_that_is_refused_is_told_at_once(rig: Rig) -> None:
    caller = Caller(rig.engine("wrong"), rig.heard, rig.spoken)
    caller.ask(1, Message("user", "hello"))
    caller.speak("a table")
    failed = await caller.over(1)
    assert "api_key" in failed.problem and failed.gone
    await caller.until(lambda: bool(caller.of(TranscriptionFailed)))
    assert len(rig.vendor.requests) == 1
    caller.stream.close()


async def test_a_session_that_is_not_ready_for_as_long_as_a_caller_waits_is_gone(rig: Rig) -> None:
    rig.vendor.faults.add(*["never_ready"] * 20)
    caller = Caller(rig.engine(reply_timeout_ms=500), rig.heard, rig.spoken)
    caller.ask(1, Message("user", "hello"))
    failed = await caller.over(1)
    assert isinstance(failed, ReplyFailed) and failed.gone
    assert "was not ready within" in failed.problem
    caller.stream.say(2, "One moment.")
    failed = await caller.over(2)
    assert isinstance(failed, ReplyFailed) and failed.gone
    caller.stream.close()


async def test_a_session_that_waits_for_the_caller_is_not_gone(rig: Rig) -> None:
    """A reply that is asked for while the caller speaks on and on fails; the session is there."""
    caller = Caller(rig.engine(reply_timeout_ms=500), rig.heard, rig.spoken)
    assert await caller.says("yes") == "yes"
    caller.ask(1, Message("user", "yes"))
    await caller.over(1)
    caller.begin("a table for two")
    await rig.vendor.until(lambda: len(rig.vendor.pieces) > 1)
    rig.vendor.answers.append(Answer(trouble="mute"))
    caller.ask(2, Message("user", "yes"), Message("assistant", "Yes."), Message("user", "hello"))
    failed = await caller.over(2)
    assert isinstance(failed, ReplyFailed) and not failed.gone
    caller.stream.close()


async def test_nothing_is_told_after_close(rig: Rig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("Long.",), held=True))
    caller.ask(1, Message("user", "hello"))
    await caller.until(lambda: bool(caller.of(ReplyAudio)))
    caller.stream.close()
    caller.stream.close()
    told = len(caller.events)
    rig.vendor.go.set()
    await rig.vendor.until(lambda: rig.vendor.live.socket.state.name == "CLOSED")
    assert len(caller.events) == told


async def test_an_unknown_format_is_refused(rig: Rig) -> None:
    odd = AudioFormat(Encoding.PCM16, 11025)
    with pytest.raises(ProviderError):
        rig.engine().open(odd, rig.spoken, "", 1.0, lambda event: None)
    with pytest.raises(ProviderError):
        rig.engine().open(rig.heard, odd, "", 1.0, lambda event: None)


async def test_speech_goes_on_where_the_sound_of_the_first_try_was_lost(rig: Rig, caller: Caller) -> None:
    """An utterance that had begun when its session was lost is heard whole by the next."""
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    assert await caller.says("yes") == "yes"
    caller.begin("i want a")
    await rig.vendor.until(lambda: rig.vendor.live.heard_ms >= 600)
    rig.vendor.live.socket.transport.abort()
    await caller.until(lambda: bool(caller.of(StreamRestored)))
    caller.stream.push(say("table", rig.heard))
    caller.finish()
    assert await caller.words_of(2) == "i want a table"
