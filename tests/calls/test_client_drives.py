"""The client drives: push-to-talk, voice activity off, text in and out, cancel and truncate (what OpenAI Realtime is built on)."""

from __future__ import annotations

from dataclasses import replace

from tests.calls.rig import MS_PER_CHARACTER, Call

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Policy
from antiphon.vocabulary import EndReason, Message

MANUAL = Policy(endpointing=Endpointing(mode="manual"), barge_in=BargeIn(backoff_ms=0), reply_on_turn_end=False)


def test_push_to_talk_commit_then_reply() -> None:
    call = Call(hears=["what is the weather"], answers=["Sunny."], policy=MANUAL)

    async def talk(call: Call) -> None:
        await call.sound(900)
        await call.wait(1500)  # no silence, however long, closes the turn
        assert call.watcher.of(do.TurnClosed) == []
        call.session.commit_turn()
        call.session.feed(ev.ReplyRequested("r1"))
        await call.until_replies(1)

    seen = call.run(talk)
    assert call.messages == (Message("user", "what is the weather"), Message("assistant", "Sunny."))
    [start] = seen.of(do.StartReply)
    assert start.request == "r1"


def test_a_second_push_to_talk_is_a_second_turn() -> None:
    call = Call(hears=["one", "two"], answers=["First.", "Second."], policy=replace(MANUAL, reply_on_turn_end=True))

    async def talk(call: Call) -> None:
        for number in range(2):
            await call.sound(400)
            call.session.commit_turn()
            await call.until_replies(number + 1)

    seen = call.run(talk)
    assert [turn.text for turn in seen.of(do.TurnClosed)] == ["one", "two"]


def test_what_was_discarded_is_not_heard() -> None:
    call = Call(hears=["rubbish", "what i mean"], answers=["Yes."], policy=replace(MANUAL, reply_on_turn_end=True))

    async def talk(call: Call) -> None:
        await call.sound(400)
        call.session.discard_turn()
        await call.wait(300)
        await call.sound(400)
        call.session.commit_turn()
        await call.until_replies(1)

    seen = call.run(talk)
    assert [turn.text for turn in seen.of(do.TurnClosed)] == ["what i mean"]


def test_text_in_text_out_needs_no_voice() -> None:
    call = Call(answers=["Written."], policy=replace(MANUAL, output="text", reply_on_turn_end=True))

    async def talk(call: Call) -> None:
        call.session.feed(ev.TextReceived("hello"))
        await call.until_replies(1)

    seen = call.run(talk)
    assert call.messages == (Message("user", "hello"), Message("assistant", "Written."))
    assert seen.of(do.Speak) == []
    assert call.heard_ms() == 0


def test_typing_interrupts_speech_and_the_history_knows_what_was_heard() -> None:
    greeting = "This is a rather long greeting that somebody will cut short by typing."
    call = Call(greeting=greeting, answers=["Yes."])

    async def talk(call: Call) -> None:
        await call.wait(1200)
        call.session.feed(ev.TextReceived("stop that"))
        await call.until_replies(2)

    call.run(talk)
    heard, typed, answer = call.messages
    assert heard.interrupted
    assert greeting.startswith(heard.content)
    assert 0 < len(heard.content) * MS_PER_CHARACTER < 1400
    assert (typed.content, answer.content) == ("stop that", "Yes.")


def test_a_client_cancels_and_truncates() -> None:
    long = "One two three four five six seven eight nine ten eleven twelve."
    call = Call(answers=[long, "Short."], policy=MANUAL)

    async def talk(call: Call) -> None:
        call.session.feed(ev.ReplyRequested("a"))
        call.session.feed(ev.ReplyRequested("b"))
        await call.wait(1500)
        call.session.feed(ev.ReplyCancelled("c"))
        await call.until_replies(1)
        call.session.feed(ev.ReplyCancelled("d"))
        call.session.feed(ev.PlaybackTruncated(1, 500))
        call.session.feed(ev.PlaybackTruncated(77, 500))
        await call.wait(100)

    seen = call.run(talk)
    assert [(refused.request, refused.code) for refused in seen.of(do.RequestRefused)] == [
        ("b", "reply_active"), ("d", "no_reply_active"), ("", "unknown_reply"),
    ]  # fmt: skip
    assert seen.of(do.ReplyClosed)[0].status == "cancelled"
    assert call.messages[0].content == "One two"


def test_switching_from_push_to_talk_to_voice_activity_and_back() -> None:
    call = Call(
        hears=["pushed", "spoken", "pushed again"],
        answers=["A.", "B.", "C."],
        policy=replace(MANUAL, reply_on_turn_end=True),
    )

    async def talk(call: Call) -> None:
        await call.sound(400)
        call.session.commit_turn()
        await call.until_replies(1)
        call.session.change_policy(Policy(endpointing=Endpointing(mode="fixed", silence_ms=300)))
        await call.wait(200)
        await call.sound(600)
        await call.until_replies(2)
        call.session.change_policy(replace(MANUAL, reply_on_turn_end=True))
        await call.sound(400)
        call.session.commit_turn()
        await call.until_replies(3)

    seen = call.run(talk)
    assert [turn.text for turn in seen.of(do.TurnClosed)] == ["pushed", "spoken", "pushed again"]


def test_an_operator_speaks_and_ends_the_call() -> None:
    call = Call(greeting="Hello and welcome to this line.")

    async def talk(call: Call) -> None:
        await call.wait(300)
        call.session.feed(ev.SayRequested("Please hold the line."))
        await call.until_replies(2)
        call.session.feed(ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye."))
        await call.until(lambda: call.session.end_reason is not None)

    seen = call.run(talk)
    assert [closed.text for closed in seen.of(do.ReplyClosed)] == [
        "Hello and welcome to this line.", "Please hold the line.", "Goodbye.",
    ]  # fmt: skip
