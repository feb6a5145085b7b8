"""Whole calls: turns, interruptions, coughs, tools, ends. In virtual time, with everything real but the engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.calls.rig import MS_PER_CHARACTER, SOUND, SPEECH, Call

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Policy, Silence, Speaking
from antiphon.errors import ProviderError
from antiphon.providers.base import ModelDelta, ModelRequest, SpeechChunk, SpeechRequest, TextDelta
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedReply, ScriptedSpeechToText
from antiphon.session.event_log import read_event_log
from antiphon.session.replay import replay
from antiphon.session.what_if import compared, outcomes
from antiphon.vocabulary import TELEPHONE, CallContext, EndReason, Message, ToolCall, ToolSaying, ToolSpec, ToolWords

LONG = "I can tell you a great many things about this, and all of them take a while to say."


def test_a_turn_is_answered_and_the_history_holds_what_was_heard() -> None:
    call = Call(hears=["what time is it"], answers=["It is half past three."])

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    seen = call.run(talk)
    assert call.messages == (Message("user", "what time is it"), Message("assistant", "It is half past three."))
    assert call.heard_ms() == len("It is half past three.") * MS_PER_CHARACTER
    [turn] = seen.of(do.TurnClosed)
    assert turn.text == "what time is it"


def test_the_stream_of_a_model_that_is_given_up_is_closed_at_once() -> None:
    closed_ms: list[int] = []

    class Hangs(ScriptedLanguageModel):
        async def stream(self, request: ModelRequest) -> AsyncIterator[ModelDelta]:
            try:
                await asyncio.sleep(3600)
                yield TextDelta("never")
            finally:
                closed_ms.append(call.clock.now_ms())

    policy = Policy(
        endpointing=Endpointing(mode="fixed", silence_ms=300, speculative_reply=False), speaking=Speaking(reply_timeout_ms=2000)
    )  # fmt: skip
    call = Call(hears=["hello"], models=[Hangs(["never"])], policy=policy)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    seen = call.run(talk)
    [asked_ms] = seen.when(do.StartReply)
    assert closed_ms == [pytest.approx(asked_ms + 2000, abs=40)]
    [reply] = seen.of(do.ReplyClosed)
    assert (reply.text, reply.status) == (Speaking().failure_message, "failed")


@pytest.mark.parametrize("final_delay_ms", [0, 60, 120])
def test_the_answer_comes_as_soon_as_the_engines_allow(final_delay_ms: int) -> None:
    policy = Policy(endpointing=Endpointing(mode="fixed", silence_ms=300, speculative_reply=False))
    call = Call(hears=["hello"], answers=["Hello."], final_delay_ms=final_delay_ms, policy=policy)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        call.stopped_ms = call.clock.now_ms()  # type: ignore[attr-defined]
        await call.until_replies(1)

    seen = call.run(talk)
    [first] = [now for now, event in seen.events if isinstance(event, ev.PlaybackStarted)]
    floor_ms = 300 + 100 + 50  # the silence that closes the turn, the model, the voice
    assert 0 <= first - call.stopped_ms - floor_ms <= 45  # type: ignore[attr-defined]


def test_speculation_hides_the_model_behind_the_silence() -> None:
    policy = Policy(endpointing=Endpointing(mode="fixed", silence_ms=600, speculate_after_ms=200))
    call = Call(hears=["hello there"], answers=["Hello."], policy=policy, final_delay_ms=0)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        call.stopped_ms = call.clock.now_ms()  # type: ignore[attr-defined]
        await call.until_replies(1)

    seen = call.run(talk)
    [first] = [now for now, event in seen.events if isinstance(event, ev.PlaybackStarted)]
    assert first - call.stopped_ms <= 645, "nothing is waited for but the silence"  # type: ignore[attr-defined]
    assert len(seen.of(do.StartReply)) == 1
    assert len(seen.of(do.ReplyAdopted)) == 1


@pytest.mark.parametrize("delay_ms", [0, 40])
def test_a_cough_softens_the_agent_and_loses_nothing(delay_ms: int) -> None:
    call = Call(greeting=LONG, delay_ms=delay_ms)

    async def talk(call: Call) -> None:
        await call.wait(1500)
        await call.sound(160, SOUND)
        await call.until_replies(1)
        await call.wait(200)

    seen = call.run(talk)
    undisturbed = Call(greeting=LONG)

    async def listen(call: Call) -> None:
        await call.until_replies(1)
        await call.wait(200)

    undisturbed.run(listen)
    assert len(seen.of(do.SoftenPlayback)) == 1
    assert not seen.of(do.HoldPlayback)
    heard, whole = call.heard(), undisturbed.heard()
    assert len(heard) == len(whole), "nothing lost, nothing said twice"
    softened = [at for at, (one, other) in enumerate(zip(heard, whole, strict=True)) if one != other]
    assert softened and softened[-1] - softened[0] <= 500 * 8, "only for as long as it was doubtful"
    assert call.messages == (Message("assistant", LONG),)


@pytest.mark.parametrize(("lasts_ms", "hears"), [(600, "never mind"), (160, "never mind"), (600, "")])
def test_a_noise_that_was_taken_for_speech_silences_the_agent_for_a_moment(lasts_ms: int, hears: str) -> None:
    """Twice doubtful, and never surely speech: what the recogniser makes of it, if it is not nearly certain, ends nothing."""
    noise = 0.6
    call = Call(greeting=LONG, stt=ScriptedSpeechToText([hears], confidence=0.8, final_delay_ms=60), delay_ms=40)

    async def talk(call: Call) -> None:
        await call.wait(1500)
        await call.sound(lasts_ms, noise)
        await call.until_replies(1)
        await call.wait(200)

    seen = call.run(talk)
    [held_ms], [resumed_ms] = seen.when(do.HoldPlayback), seen.when(do.ResumePlayback)[:1]
    assert resumed_ms - held_ms <= 240
    assert not seen.of(do.InterruptionConfirmed)
    voiced = len(LONG) - 1  # the blank between its two pieces is not
    assert call.heard_ms() == voiced * MS_PER_CHARACTER, "nothing lost, nothing said twice"
    assert call.messages == (Message("assistant", LONG),)


def test_whose_voice_is_sure_later_takes_the_floor_all_the_same() -> None:
    call = Call(greeting=LONG, hears=["wait, I need another day"])

    async def talk(call: Call) -> None:
        await call.wait(1500)
        await call.sound(300, 0.6)
        call._level = SPEECH
        await call.sound(900)
        await call.until_replies(1)
        await call.wait(2000)

    seen = call.run(talk)
    assert len(seen.of(do.HoldPlayback)) == 2, "taken back, and held anew"
    assert len(seen.of(do.InterruptionConfirmed)) == 1
    assert [turn.text for turn in seen.of(do.TurnClosed)] == ["wait, I need another day"]


def test_an_acknowledgement_does_not_end_the_reply() -> None:
    call = Call(greeting=LONG, hears=["mm-hm"])

    async def talk(call: Call) -> None:
        await call.wait(1500)
        await call.sound(350)
        await call.until_replies(1)

    seen = call.run(talk)
    assert len(seen.of(do.InterruptionDismissed)) == 1
    assert seen.of(do.StartReply) == []
    assert call.messages == (Message("assistant", LONG),)


def test_an_interruption_cuts_the_history_to_what_was_heard() -> None:
    call = Call(greeting=LONG, hears=["no i want something else"], answers=["Of course."])

    async def talk(call: Call) -> None:
        await call.wait(2000)
        await call.sound(900)
        await call.until_replies(2)

    seen = call.run(talk)
    [cut] = seen.of(do.InterruptionConfirmed)
    heard = call.messages[0]
    assert heard.interrupted
    assert LONG.startswith(heard.content)
    assert heard.content
    assert abs(len(heard.content) * MS_PER_CHARACTER - cut.heard_ms) <= 8 * MS_PER_CHARACTER, "to the word"
    assert [message.role for message in call.messages] == ["assistant", "user", "assistant"]


def test_the_agent_is_silent_a_beat_after_the_models_window() -> None:
    call = Call(greeting=LONG, hears=["stop"])

    async def talk(call: Call) -> None:
        await call.wait(1500)
        call.onset_ms = call.clock.now_ms()  # type: ignore[attr-defined]
        await call.sound(600)

    seen = call.run(talk)
    [held] = seen.when(do.HoldPlayback)
    assert held - call.onset_ms <= 32 + 20 + 20  # type: ignore[attr-defined]  # a window, a frame, a beat


def test_rapid_repeats_are_one_turn_and_one_request() -> None:
    call = Call(greeting=LONG, hears=["wait", "no", "actually tell me the price"], answers=["Ten."])

    async def talk(call: Call) -> None:
        await call.wait(1500)
        for _ in range(3):
            await call.sound(300)
            await call.wait(400)
        await call.until_replies(2)

    seen = call.run(talk)
    assert [turn.text for turn in seen.of(do.TurnClosed)] == ["wait no actually tell me the price"]
    assert len(seen.of(do.StartReply)) == 1


def test_a_caller_who_goes_on_while_the_agent_thinks_makes_one_turn() -> None:
    call = Call(hears=["i want to book", "for two people"], answers=["Gladly."], first_token_ms=1500)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.wait(700)
        await call.sound(600)
        await call.until(lambda: any(message.role == "assistant" for message in call.session.conversation.history()))

    call.run(talk)
    assert call.messages[0] == Message("user", "i want to book for two people")
    assert call.messages[1].content == "Gladly."


class Clockwork:
    """A tool that takes its time."""

    def __init__(self, takes_ms: int, spec: ToolSpec) -> None:
        self.takes_ms = takes_ms
        self.spec = spec
        self.ran: list[ToolCall] = []

    def specs(self) -> tuple[ToolSpec, ...]:
        return (self.spec,)

    async def run(self, call: ToolCall, context: CallContext) -> str:
        self.ran.append(call)
        await asyncio.sleep(self.takes_ms / 1000)
        return "it is noon"


def _asks_for_the_time(request: ModelRequest) -> ScriptedReply:
    if request.messages[-1].role == "tool":
        return ScriptedReply(f"The clock says: {request.messages[-1].content}.")
    return ScriptedReply("Let me look.", (ToolCall("t1", "clock", {}),))


@pytest.mark.parametrize(("takes_ms", "filler"), [(300, False), (3000, True)])
def test_a_tool_is_run_once_and_never_leaves_the_line_silent(takes_ms: int, filler: bool) -> None:
    tools = Clockwork(takes_ms, ToolSpec("clock", filler_after_ms=1500, filler="Just a moment."))
    call = Call(hears=["what time is it"], answers=_asks_for_the_time, tools=tools)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.until_replies(1)

    seen = call.run(talk)
    assert len(tools.ran) == 1
    spoken = [speak.text for speak in seen.of(do.Speak)]
    assert ("Just a moment." in spoken) == filler
    assert spoken[-1] == "The clock says: it is noon."
    assert [message.role for message in call.messages] == ["user", "assistant", "tool", "assistant"]


def test_a_tool_that_is_announced_begins_when_its_words_have_been_heard() -> None:
    announced = ToolSaying("I charge your card now, if that is all right.", blocking=True)
    tools = Clockwork(300, ToolSpec("clock", filler="", words=ToolWords(start=(announced,))))
    call = Call(hears=["what time is it"], answers=_asks_for_the_time, tools=tools)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.until_replies(1)

    seen = call.run(talk)
    assert len(tools.ran) == 1
    [began], [run] = seen.when(do.StartPlayback)[:1], seen.when(do.RunTool)
    spoken_ms = MS_PER_CHARACTER * sum(len(speak.text) for speak in seen.of(do.Speak)[:2])
    assert 0 <= run - began - spoken_ms <= 250


def test_a_tool_past_its_deadline_is_told_to_the_model() -> None:
    tools = Clockwork(9000, ToolSpec("clock", deadline_ms=1000, filler=""))
    call = Call(hears=["what time is it"], answers=_asks_for_the_time, tools=tools)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.until_replies(1)

    call.run(talk)
    assert "not answered in time" in call.messages[2].content


class Broken:
    """A model or a voice that fails at once."""

    name = "broken"
    formats = (TELEPHONE,)

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelDelta]:
        raise ProviderError("broken", "no")
        yield  # pragma: no cover

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        raise ProviderError("broken", "no")
        yield  # pragma: no cover


def test_a_model_that_fails_is_replaced_within_the_turn() -> None:
    call = Call(hears=["hello"], models=[Broken(), ScriptedLanguageModel(["Hello."])])

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.until_replies(1)

    call.run(talk)
    assert call.messages[-1] == Message("assistant", "Hello.")


def test_when_every_model_fails_the_caller_is_told_and_in_the_end_let_go() -> None:
    call = Call(hears=["one", "two", "three"], models=[Broken()])

    async def talk(call: Call) -> None:
        for number in range(3):
            await call.wait(300)
            await call.sound(600)
            await call.until_replies(number + 1)
        await call.wait(500)

    seen = call.run(talk)
    assert call.heard_ms() > 3000, "a fault is never silence"
    assert seen.ended is EndReason.PROVIDER_FAILED


def test_when_no_voice_works_the_call_ends_by_itself() -> None:
    call = Call(hears=["one", "two", "three", "four"], answers=["Yes."], voices=[Broken()])

    async def talk(call: Call) -> None:
        for _ in range(3):
            await call.wait(300)
            await call.sound(600)
            await call.wait(1500)

    assert call.run(talk).ended is EndReason.PROVIDER_FAILED


def test_silence_is_prompted_and_then_ends_the_call() -> None:
    policy = Policy(
        silence=Silence(
            idle_after_ms=3000,
            idle_messages=("Are you there?",),
            silence_timeout_ms=10_000,
            silence_timeout_message="Goodbye.",
        )
    )
    call = Call(policy=policy)

    async def talk(call: Call) -> None:
        await call.until(lambda: call.session.end_reason is not None)

    seen = call.run(talk)
    spoken = [speak.text for speak in seen.of(do.Speak)]
    assert spoken.count("Are you there?") == 2
    assert spoken[-1] == "Goodbye."
    assert seen.ended is EndReason.SILENCE_TIMED_OUT


def test_the_assistant_ends_the_call_once_its_words_were_heard() -> None:
    call = Call(hears=["goodbye"], answers=[ScriptedReply("Goodbye and thank you.", end_call=True)])

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.until(lambda: call.session.end_reason is not None)

    seen = call.run(talk)
    assert seen.ended is EndReason.ASSISTANT_ENDED
    assert call.heard_ms() == len("Goodbye and thank you.") * MS_PER_CHARACTER
    assert call.transport.closed_with == (1000, "ended")


def test_a_hang_up_frees_everything_at_once() -> None:
    call = Call(greeting=LONG)

    async def talk(call: Call) -> None:
        await call.wait(1000)
        call.phone.hang_up()
        await call.wait(100)
        assert call.manager.live == 0
        assert call.plane.calls == 0
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith(("voice", "reply", "tool"))]
        assert left == []

    assert call.run(talk).ended is EndReason.CUSTOMER_ENDED


def test_keys_are_a_turn() -> None:
    call = Call(greeting=LONG, answers=["Thank you."])

    async def talk(call: Call) -> None:
        await call.wait(500)
        for digit in "42#":
            call.phone.press(digit)
            await call.wait(100)
        await call.until_replies(2)

    seen = call.run(talk)
    assert [turn.text for turn in seen.of(do.TurnClosed)] == ["42"]
    assert call.messages[0].interrupted


def test_the_event_log_of_a_call_replays_identically_and_answers_what_if(tmp_path: Path) -> None:
    call = Call(
        greeting=LONG, hears=["hm", "wait stop", "what is the price"], answers=["It costs ten."], folder=tmp_path
    )

    async def talk(call: Call) -> None:
        await call.wait(1000)
        await call.sound(250)
        await call.wait(900)
        await call.sound(500)
        await call.wait(700)
        await call.sound(900)
        await call.until_replies(2)
        call.phone.hang_up()
        await call.wait(50)

    call.run(talk)
    log = read_event_log(tmp_path / "call-1.jsonl")
    assert log.ended == EndReason.CUSTOMER_ENDED
    assert replay(log) is None
    was = outcomes(log)
    strict = Policy(
        endpointing=log.header.policy.endpointing, barge_in=BargeIn(num_words=9), greeting=log.header.policy.greeting
    )
    assert compared(log, strict) != was
    assert compared(log, log.header.policy) == was


def test_speech_without_words_is_answered_and_not_for_ever() -> None:
    call = Call(hears=["", "", "", "hello"], answers=["Hello."], policy=Policy())

    async def talk(call: Call) -> None:
        for _ in range(4):
            await call.wait(2500)
            await call.sound(900)
        await call.wait(4000)

    seen = call.run(talk)
    spoken = [speak.text for speak in seen.of(do.Speak)]
    assert spoken == ["Sorry, I did not catch that.", "Sorry, I did not catch that.", "Hello."]


def test_a_breath_is_not_asked_about() -> None:
    call = Call(hears=[""], policy=Policy())

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(250)
        await call.wait(4000)

    assert call.run(talk).of(do.Speak) == []


class FinishesAtOnce(ScriptedSpeechToText):
    last_words_ms = 250


@pytest.mark.parametrize(("engine", "later_ms"), [(ScriptedSpeechToText, 80), (FinishesAtOnce, 0)])
def test_last_words_are_asked_for_at_the_first_pause_where_that_costs_nothing(
    engine: type[ScriptedSpeechToText], later_ms: int
) -> None:
    """Else when 320 ms have been silent, or 150 before the turn can close: an answer shall not be cut in two."""
    call = Call(stt=engine(["hello", "there"], final_delay_ms=0), answers=["Good day."], policy=Policy())

    async def talk(call: Call) -> None:
        await call.wait(400)
        await call.sound(960)
        await call.until_replies(1)

    watcher = call.run(talk)
    [stopped_ms] = [now for now, event in watcher.events if isinstance(event, ev.SpeechStopped)]
    [final_ms] = [now for now, event in watcher.events if isinstance(event, ev.TranscriptFinal)]
    assert later_ms <= final_ms - stopped_ms <= later_ms + 40
