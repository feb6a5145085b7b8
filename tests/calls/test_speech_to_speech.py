"""Whole calls whose model hears and speaks itself: the floor, the ledger and the tools stay ours. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.calls.rig import Call, Watcher
from tests.calls.scripted_in_one import MS_PER_CHARACTER, Said, ScriptedInOne
from tests.calls.test_turns import Clockwork

from antiphon.conversation import actions as do
from antiphon.conversation.policy import BargeIn, Endpointing, Policy
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedSpeechToText
from antiphon.providers.speech_to_speech.base import ReplyEndsCall, ReplyTransfersCall, SpokeUnasked
from antiphon.session.event_log import read_event_log
from antiphon.session.replay import replay
from antiphon.vocabulary import AudioFormat, Encoding, EndReason, Message, ToolCall, ToolSpec, Usage

LONG = "I can tell you a great many things about this, and all of them take a while to say."


class Metered(Watcher):
    def __init__(self) -> None:
        super().__init__()
        self.usage: list[tuple[str, Usage]] = []
        self.failures: list[tuple[str, str]] = []

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        self.usage.append((provider, usage))

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        self.failures.append((provider, code))


def test_a_turn_is_answered_and_the_history_holds_what_was_heard() -> None:
    model = ScriptedInOne(["what time is it"], [Said(("It is half past three.",))])
    call = Call(speech_to_speech=model)
    meter = Metered()
    call.observers = (meter,)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    seen = call.run(talk)
    assert call.messages == (Message("user", "what time is it"), Message("assistant", "It is half past three."))
    assert call.heard_ms() == len("It is half past three.") * MS_PER_CHARACTER
    assert model.asked[0].messages == (Message("user", "what time is it"),)
    assert model.heard_bytes[0] >= 800 * 8  # all that was said, and the moment before it
    assert ("scripted-in-one", Usage(input_tokens=10, output_tokens=5, model="scripted")) in meter.usage
    assert [usage.model for _, usage in meter.usage if usage.audio_ms] == ["scripted-words"]
    assert not [action for action in seen.of(do.StartReply) if action.speculative]
    assert (model.closed, model.cancelled) == (1, [])


def test_the_session_knows_from_the_beginning_what_it_will_be_asked_with() -> None:
    tools = Clockwork(200, ToolSpec("clock", "The time."))
    model = ScriptedInOne(["what time is it"], [Said(("It is three.",))])
    call = Call(speech_to_speech=model, tools=tools)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    call.run(talk)
    (prepared,) = model.prepared
    asked = model.asked[0]
    assert [tool.name for tool in prepared.tools] == ["clock"]
    assert (prepared.messages, prepared.tools, prepared.options) == ((), asked.tools, asked.options)


def test_it_can_ask_what_was_heard_of_a_reply() -> None:
    model = ScriptedInOne(["tell me"], [Said((LONG,))])
    call = Call(speech_to_speech=model)
    heard: list[int | None] = []

    async def talk(call: Call) -> None:
        await call.wait(200)
        heard.append(model.heard_ms(1))
        await call.sound(800)
        await call.until(lambda: call.heard_ms() > 1000)
        heard.append(model.heard_ms(1))
        await call.until_replies(1)

    call.run(talk)
    assert heard[0] is None
    assert heard[1] == pytest.approx(1000, abs=100)


def test_the_greeting_is_spoken_by_the_model_and_can_be_interrupted() -> None:
    model = ScriptedInOne(["no wait"], [Said(("Yes?",))])
    call = Call(speech_to_speech=model, greeting=f"Hello. {LONG}")

    async def talk(call: Call) -> None:
        await call.wait(1500)
        await call.sound(800)
        await call.until_replies(2)

    seen = call.run(talk)
    assert model.said == [f"Hello. {LONG}"]  # in one: it sounds like one
    greeting, answer = seen.of(do.ReplyClosed)
    assert greeting.status == "interrupted" and greeting.text.startswith("Hello. I can")
    assert len(greeting.text) < 40
    assert answer.text == "Yes?"
    ((reply, heard_ms),) = model.cancelled
    assert (reply, heard_ms) == (greeting.reply, greeting.heard_ms)
    assert model.asked[0].messages == (
        Message("assistant", greeting.text, interrupted=True),
        Message("user", "no wait"),
    )


def test_an_interruption_cuts_what_the_model_remembers_to_what_was_heard() -> None:
    model = ScriptedInOne(["tell me", "stop it"], [Said((LONG,)), Said(("Fine.",))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until(lambda: call.heard_ms() > 1500)
        await call.sound(900)
        await call.until_replies(2)

    seen = call.run(talk)
    first, second = seen.of(do.ReplyClosed)
    assert first.status == "interrupted"
    assert first.estimated
    assert LONG.startswith(first.text) and 0 < len(first.text) < len(LONG)
    # The share of the sound that was heard is the share of the words that stand.
    assert len(first.text) * MS_PER_CHARACTER == pytest.approx(first.heard_ms, abs=8 * MS_PER_CHARACTER)
    assert model.cancelled == [(first.reply, first.heard_ms)]
    assert call.heard_ms() - len("Fine.") * MS_PER_CHARACTER == pytest.approx(first.heard_ms, abs=60)
    assert second.text == "Fine."


def test_an_interruption_while_the_model_still_speaks() -> None:
    slow = " ".join(["well"] * 400)  # four seconds of making
    model = ScriptedInOne(["tell me", "stop it"], [Said((slow,)), Said(("Fine.",))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until(lambda: call.heard_ms() > 1000)
        await call.sound(900)
        await call.until_replies(2)

    seen = call.run(talk)
    first, second = seen.of(do.ReplyClosed)
    assert (first.status, second.text) == ("interrupted", "Fine.")
    assert first.text.split() == ["well"] * len(first.text.split())
    assert call.heard_ms() == pytest.approx(first.heard_ms + len("Fine.") * MS_PER_CHARACTER, abs=60)


def test_what_was_heard_before_an_interruption_may_be_many_sentences() -> None:
    """Of a reply that is still being made, only the first one stood in the history."""
    slow = " ".join(["This is one of very many sentences."] * 100)  # seven seconds of making
    model = ScriptedInOne(["tell me", "stop it"], [Said((slow,)), Said(("Fine.",))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until(lambda: call.heard_ms() > 5000)
        await call.sound(900)
        await call.until_replies(2)

    first, _ = call.run(talk).of(do.ReplyClosed)
    assert first.status == "interrupted" and slow.startswith(first.text)
    # Where a sentence ends in the sound is reckoned by how people speak, a quarter slower than this voice.
    assert first.heard_ms * 0.6 < len(first.text) * MS_PER_CHARACTER < first.heard_ms * 1.1


def test_a_cough_is_no_interruption_and_nothing_is_cancelled() -> None:
    model = ScriptedInOne(["tell me"], [Said((LONG,))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until(lambda: call.heard_ms() > 1000)
        await call.sound(120)
        await call.until_replies(1)

    seen = call.run(talk)
    assert seen.of(do.ReplyClosed)[0].text == LONG
    assert call.heard_ms() == pytest.approx(len(LONG) * MS_PER_CHARACTER, abs=1)
    assert model.cancelled == []


def test_every_message_of_a_reply_is_heard() -> None:
    model = ScriptedInOne(["a table"], [Said(("One moment.", "There is one."))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    seen = call.run(talk)
    assert seen.of(do.ReplyClosed)[0].text == "One moment. There is one."
    assert call.heard_ms() == len("One moment.There is one.") * MS_PER_CHARACTER


@pytest.mark.parametrize(("takes_ms", "filler"), [(200, False), (3000, True)])
def test_a_tool_is_run_by_us_and_the_caller_hears_of_it(takes_ms: int, filler: bool) -> None:
    tools = Clockwork(takes_ms, ToolSpec("clock", "The time."))
    model = ScriptedInOne(
        ["what time is it"],
        [Said(("Let me look.",), ToolCall("call_1", "clock")), Said(("It is three.",))],
    )
    call = Call(speech_to_speech=model, tools=tools)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    seen = call.run(talk)
    spoken = "Let me look. One moment, please. It is three." if filler else "Let me look. It is three."
    assert seen.of(do.ReplyClosed)[0].text == spoken
    assert model.said == (["One moment, please."] if filler else [])
    assert [tool.name for tool in model.asked[0].tools] == ["clock"]
    *_, asked, answered = model.asked[1].messages
    assert asked.tool_calls == (ToolCall("call_1", "clock"),)
    assert (answered.role, answered.tool_call_id, answered.tool_outcome) == ("tool", "call_1", "answered")


def test_a_reply_that_fails_is_apologised_for() -> None:
    model = ScriptedInOne(["hello"], [Said(("Well, ",), fails=True)])
    call = Call(speech_to_speech=model)
    meter = Metered()
    call.observers = (meter,)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    seen = call.run(talk)
    (closed,) = seen.of(do.ReplyClosed)
    assert closed.status == "failed"
    assert closed.text.endswith(call.policy.speaking.failure_message)
    assert meter.failures == [("scripted-in-one", "reply_failed")]


def test_a_model_that_cannot_speak_at_all_ends_the_call() -> None:
    model = ScriptedInOne(["hello"] * 9, [Said(fails=True)] * 9, own_words_fail=True)
    call = Call(speech_to_speech=model, greeting="Welcome.")

    async def talk(call: Call) -> None:
        for _ in range(6):
            if call.session.end_reason is None:
                await call.sound(800)
                await call.wait(4000)

    seen = call.run(talk)
    assert seen.ended is EndReason.PROVIDER_FAILED


def test_sound_without_words_is_heard_all_the_same() -> None:
    model = ScriptedInOne(["hello"], [Said(("Good morning to you.",), silent_words=True)])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    seen = call.run(talk)
    assert seen.of(do.ReplyClosed)[0].text == "(no transcript)"
    assert call.heard_ms() == len("Good morning to you.") * MS_PER_CHARACTER


def test_a_line_that_takes_another_format_gets_its_own() -> None:
    model = ScriptedInOne(["hello"], [Said(("Hello.",))])
    model.formats = model.spoken_formats = (AudioFormat(Encoding.ALAW, 8000),)
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    seen = call.run(talk)
    assert seen.of(do.ReplyClosed)[0].text == "Hello."
    assert call.heard_ms() == len("Hello.") * MS_PER_CHARACTER


def test_a_call_replays_identically(tmp_path: Path) -> None:
    model = ScriptedInOne(["tell me", "stop it"], [Said((LONG,)), Said(("Fine.",))])
    policy = Policy(endpointing=Endpointing(), barge_in=BargeIn())
    call = Call(speech_to_speech=model, folder=tmp_path, greeting="Hello.", policy=policy)

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.sound(800)
        await call.until(lambda: call.heard_ms() > 1500)
        await call.sound(900)
        await call.until_replies(3)

    call.run(talk)
    log = read_event_log(tmp_path / "call-1.jsonl")
    assert replay(log) is None


# ---------------------------------------------------------------------------------------------- the model is gone


def with_cascade(model: ScriptedInOne, hears: Sequence[str] = (), answers: Sequence[str] = (), **more: Any) -> Call:
    """A call that a cascade takes over when its model is gone; without ``answers`` only a voice does."""
    call = Call(speech_to_speech=model, **more)
    fallback = replace(
        call.engines,
        stt=ScriptedSpeechToText(list(hears)),
        models=(ScriptedLanguageModel(list(answers)),) if answers else (),
        speech_to_speech=None,
    )
    call.engines = replace(call.engines, models=(), voices=(), fallback=fallback)
    return call


def test_what_was_not_answered_when_the_model_went_is_answered_by_the_cascade(tmp_path: Path) -> None:
    model = ScriptedInOne(["what time is it"], [Said(gone=True)])
    call = with_cascade(model, ["and the day"], ["It is three.", "It is Sunday."], folder=tmp_path)
    meter = Metered()
    call.observers = (meter,)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)
        await call.sound(800)
        await call.until_replies(2)

    seen = call.run(talk)
    assert [(reply.status, reply.text) for reply in seen.of(do.ReplyClosed)] == [
        ("completed", "It is three."),
        ("completed", "It is Sunday."),
    ]
    assert [message.content for message in call.messages][-2:] == ["and the day", "It is Sunday."]
    assert ("scripted-in-one", "session_lost") in meter.failures
    assert model.closed == 1
    log = read_event_log(tmp_path / "call-1.jsonl")
    assert [(entry.provider, entry.code) for entry in log.failed][-1:] == [("scripted-in-one", "session_lost")]
    assert replay(log) is None


def test_what_is_being_said_when_the_model_goes_is_heard_by_the_next_recogniser() -> None:
    model = ScriptedInOne([], [])
    call = with_cascade(model, ["a table for two"], ["For when?"])

    async def talk(call: Call) -> None:
        await call.wait(200)
        speaking = asyncio.create_task(call.sound(1500))
        await call.wait(700)
        model.go()
        await speaking
        await call.until_replies(1)

    seen = call.run(talk)
    assert call.messages[0] == Message("user", "a table for two")
    assert seen.of(do.ReplyClosed)[0].text == "For when?"


def test_a_greeting_that_was_not_begun_is_said_by_the_other_voice() -> None:
    model = ScriptedInOne([], [])
    call = with_cascade(model, ["hello"], ["Yes?"], greeting="Welcome to us.")

    async def talk(call: Call) -> None:
        model.go()
        await call.until_replies(1)

    seen = call.run(talk)
    (greeting,) = seen.of(do.ReplyClosed)
    assert (greeting.status, greeting.text) == ("completed", "Welcome to us.")
    assert call.heard_ms() == len("Welcome to us.") * MS_PER_CHARACTER


def test_words_that_were_begun_are_not_said_again() -> None:
    model = ScriptedInOne(["tell me", "go on"], [Said(("That is a long story. It begins",), held=True)])
    call = with_cascade(model, ["go on"], ["It was so."])

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until(lambda: call.heard_ms() > 300)
        model.go()
        await call.until_replies(1)
        await call.sound(800)
        await call.until_replies(2)

    seen = call.run(talk)
    first, second = seen.of(do.ReplyClosed)
    assert first.status == "failed"
    assert first.text.startswith("That is a long story. ")  # the rest by its share of the sound
    assert first.text.endswith(call.policy.speaking.failure_message)
    sounded = "That is a long story. It begins" + call.policy.speaking.failure_message + "It was so."
    assert call.heard_ms() == pytest.approx(len(sounded) * MS_PER_CHARACTER, abs=2 * MS_PER_CHARACTER)
    assert second.text == "It was so."


@pytest.mark.parametrize("when", ["waiting", "answering", "greeting"])
def test_without_anybody_to_go_on_the_caller_is_told_and_the_call_ends(when: str) -> None:
    model = ScriptedInOne(["hello"], [Said(("That is a long story. It begins",), held=True)])
    call = with_cascade(model, greeting="Welcome." if when == "greeting" else "")

    async def talk(call: Call) -> None:
        if when != "greeting":
            await call.wait(200)
            await call.sound(800)
        if when == "answering":
            await call.until(lambda: call.heard_ms() > 300)
        model.go()
        await call.until(lambda: call.session.end_reason is not None)

    seen = call.run(talk)
    assert seen.ended is EndReason.PROVIDER_FAILED
    said = [reply.text for reply in seen.of(do.ReplyClosed) if reply.text]
    assert said[-1] == call.policy.speaking.given_up_message
    begun = {"waiting": "", "answering": "That is a long story.", "greeting": "Welcome."}[when]
    assert " ".join(said[:-1]).startswith(begun) and len(said) == (1 if when == "waiting" else 2)


def test_a_vendor_that_fails_on_every_call_is_not_asked_for_a_while() -> None:
    model = ScriptedInOne([], [])
    call = with_cascade(model, ["hello"], ["Yes?"])

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    for _ in range(3):
        call.engines.breakers.of(model).failed(1e9)
    seen = call.run(talk)
    assert model.opened == 0
    assert seen.of(do.ReplyClosed)[0].text == "Yes?"


# ---------------------------------------------------------------------------------------------- one that takes turns itself


def test_what_it_says_unasked_is_asked_for_when_the_call_is_quiet() -> None:
    model = ScriptedInOne([], [Said(("Are you still there?",))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(500)
        model.tell(SpokeUnasked())
        model.tell(SpokeUnasked())
        await call.until_replies(1)

    seen = call.run(talk)
    assert [closed.text for closed in seen.of(do.ReplyClosed)] == ["Are you still there?"]
    assert len(model.asked) == 1


def test_what_it_says_unasked_waits_while_the_caller_speaks() -> None:
    model = ScriptedInOne(["what time is it"], [Said(("It is three.",))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        sounding = asyncio.ensure_future(call.sound(800))
        await call.wait(500)
        model.tell(SpokeUnasked())
        await sounding
        await call.until_replies(1)

    call.run(talk)
    assert [request.messages for request in model.asked] == [(Message("user", "what time is it"),)]


def test_a_reply_that_it_breaks_off_is_known_as_far_as_it_sounded() -> None:
    model = ScriptedInOne(["tell me"], [Said((LONG,), cut_after=9)])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    (closed,) = call.run(talk).of(do.ReplyClosed)
    assert LONG.startswith(closed.text) and 0 < len(closed.text) < len(LONG)


def test_what_was_heard_of_a_sentence_is_known_where_words_come_with_their_sound() -> None:
    """No sentence has ended as it is cut, and the words of what was heard stand."""
    words = LONG.replace(",", "").split(" ")
    model = ScriptedInOne(["tell me", "stop it"], [Said((), held=True), Said(("Fine.",))])
    model.words_with_sound = True  # type: ignore[attr-defined]
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until(lambda: bool(model.asked))
        speaking = asyncio.ensure_future(speak(call))
        await call.until(lambda: call.heard_ms() > 800)
        assert not speaking.done()
        await call.sound(900)
        await call.until_replies(2)
        speaking.cancel()

    async def speak(call: Call) -> None:
        for word in words:
            model.voice(1, f"{word} ")
            await call.wait(len(word) * MS_PER_CHARACTER)

    first, second = call.run(talk).of(do.ReplyClosed)
    assert (first.status, second.text) == ("interrupted", "Fine.")
    assert " ".join(words).startswith(first.text.rstrip()) and first.text
    assert len(first.text) * MS_PER_CHARACTER == pytest.approx(first.heard_ms, abs=8 * MS_PER_CHARACTER)


def test_it_ends_the_call_after_what_it_says() -> None:
    model = ScriptedInOne(["goodbye"], [Said(("Goodbye, and thank you.",), ends=ReplyEndsCall(1))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until(lambda: bool(call.watcher.of(do.EndCall)))

    seen = call.run(talk)
    assert [end.reason for end in seen.of(do.EndCall)] == [EndReason.ASSISTANT_ENDED]
    assert seen.of(do.ReplyClosed)[-1].text == "Goodbye, and thank you."


def test_it_ends_a_call_in_which_nothing_is_said() -> None:
    model = ScriptedInOne([], [])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        model.tell(ReplyEndsCall(0))
        await call.until(lambda: bool(call.watcher.of(do.EndCall)))

    assert [end.reason for end in call.run(talk).of(do.EndCall)] == [EndReason.ASSISTANT_ENDED]


@pytest.mark.parametrize("said", [True, False])
def test_it_hands_the_call_over(said: bool) -> None:
    model = ScriptedInOne(["yes"], [Said(("I connect you.",), ends=ReplyTransfersCall(1, "+15550100"))])
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(200)
        if said:
            await call.sound(800)
        else:
            model.tell(ReplyTransfersCall(0, "+15550100"))
        await call.wait(3000)

    assert [each.destination for each in call.run(talk).of(do.TransferCall)] == ["+15550100"]


def test_one_that_wants_all_of_the_callers_sound_gets_it() -> None:
    model = ScriptedInOne([], [])
    model.continuous = True  # type: ignore[attr-defined]
    call = Call(speech_to_speech=model)

    async def talk(call: Call) -> None:
        await call.wait(2000)

    call.run(talk)
    assert model.heard_in_all >= 1500 * 8
