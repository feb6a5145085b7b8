"""One assistant hands the call to another: whole calls with two sets of engines, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.calls.rig import MS_PER_CHARACTER, SPEECH, Call, Watcher

from antiphon.calls.artifact import artifact
from antiphon.calls.heard import heard_call
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.context import ContextPlan
from antiphon.conversation.policy import BargeIn, Endpointing, Greeting, Policy
from antiphon.errors import ProviderUnavailable
from antiphon.providers.base import (
    ExpectedAnswers,
    ModelRequest,
    SpeechToTextStream,
    TranscriptionEvent,
)
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedSpeechToText, ScriptedTextToSpeech
from antiphon.session.event_log import read_event_log
from antiphon.session.plan import Engines, Successor
from antiphon.session.replay import replay
from antiphon.vocabulary import AudioFormat, CallContext, Message, ToolAnswer, ToolCall, ToolSpec

HANDOFF = ToolSpec("handoff_to_B", cancel_on_interruption=True)
ALL = ContextPlan()
WANTS_B = {"tool_calls": [{"name": "handoff_to_B"}]}


class Noting(ScriptedLanguageModel):
    """Keeps what it was asked."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.requests: list[ModelRequest] = []

    def stream(self, request: ModelRequest) -> Any:
        self.requests.append(request)
        return super().stream(request)


class NotThere(ScriptedSpeechToText):
    def open(
        self, audio: AudioFormat, expected: ExpectedAnswers, emit: Callable[[TranscriptionEvent], None]
    ) -> SpeechToTextStream:
        raise ProviderUnavailable("scripted", "no process is up")


class HandsOver:
    """The tool of the first assistant."""

    def __init__(self, say: str = "") -> None:
        self.call: Call
        self.successor: Successor
        self.say = say

    def specs(self) -> tuple[ToolSpec, ...]:
        return (HANDOFF,)

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        try:
            self.call.session.succeed(self.successor)
        except ProviderUnavailable as error:
            return ToolAnswer(error.problem, failed=True)
        return ToolAnswer("Handed over.", say=self.say, hands_over=True)


def second(
    *, answers: Sequence[Any] = ("I am B.",), hears: Sequence[str] = ("to B",), greeting: Greeting | None = None,
    context: ContextPlan = ALL, stt: Any = None, silence_ms: int = 900,
) -> tuple[Successor, Noting]:  # fmt: skip
    model = Noting(list(answers), first_token_ms=100)
    engines = Engines(
        stt=stt or ScriptedSpeechToText(list(hears), final_delay_ms=60),
        models=(model,),
        voices=(ScriptedTextToSpeech(first_chunk_ms=50, ms_per_character=2 * MS_PER_CHARACTER),),
        voice="b",
    )
    policy = Policy(
        endpointing=Endpointing(mode="fixed", silence_ms=silence_ms), barge_in=BargeIn(backoff_ms=0),
        greeting=greeting or Greeting(),
    )  # fmt: skip
    return Successor("B", policy, (Message("system", "Be B."),), engines, context, "id-b", leaving="A"), model


def handed_over(
    successor: Successor, talk: Callable[[Call], Any], *, say: str = "", folder: Path | None = None, hears: Any = ("give me B",),
    answers: Any = (WANTS_B,),
) -> tuple[Watcher, Call]:  # fmt: skip
    tool = HandsOver(say)
    call = Call(hears=hears, answers=list(answers), greeting="I am A.", tools=tool, folder=folder)
    tool.call, tool.successor = call, successor
    return call.run(talk), call


def said(watcher: Watcher) -> list[str]:
    return [action.text for action in watcher.of(do.ReplyClosed) if action.text]


async def asks_for_b(call: Call) -> None:
    await call.until_replies(1)
    await call.sound(700)


def test_the_next_assistant_speaks_with_its_own_model_and_voice(tmp_path: Path) -> None:
    successor, model = second(answers=["Still B.", "I am B."])  # the first asked for counts the tool as a turn

    async def talk(call: Call) -> None:
        await asks_for_b(call)
        await call.until(lambda: "I am B." in said(call.watcher))
        await call.sound(700)
        await call.until(lambda: "Still B." in said(call.watcher))
        assert [engines.voice for engines in call.session.engines_in_use()] == ["b"]
        call.messages = call.session.conversation.history()

    watcher, _ = handed_over(successor, talk, say="I pass you on.", folder=tmp_path)
    assert said(watcher) == ["I am A.", "I pass you on.", "I am B.", "Still B."]
    assert [action.text for action in watcher.of(do.TurnClosed)] == ["give me B", "to B"]
    first = model.requests[0]
    assert [message.role for message in first.messages] == [
        "system",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert first.messages[0] == Message("system", "Be B.") and first.tools == ()
    closed, changed = watcher.when(do.ReplyClosed), watcher.when(do.ChangeAssistant)
    assert closed[1] <= changed[0] <= watcher.when(do.StartReply)[-2], (
        "nobody is cut short, and nobody speaks for another"
    )
    heard = {action.text: action.heard_ms for action in watcher.of(do.ReplyClosed)}
    assert heard["I am B."] == 2 * heard["I am A."], "its own voice"
    log = read_event_log(tmp_path / "call-1.jsonl")
    assert replay(log) is None
    (ready,) = (entry.event for entry in log.entries if isinstance(entry.event, ev.AssistantReady))
    assert (ready.assistant, ready.messages, ready.tools) == ("B", (Message("system", "Be B."),), ())
    assert ready.policy.endpointing.silence_ms == 900


@pytest.mark.parametrize(
    ("plan", "shown"),
    [
        (ALL, ["Be B.", "I am A.", "give me B", "", "Handed over.", "I pass you on.", "I am B."]),
        (ContextPlan("none"), ["Be B.", "I am B."]),
        (ContextPlan("last", 2), ["Be B.", "I pass you on.", "I am B."]),
        (ContextPlan("spoken"), ["Be B.", "I am A.", "give me B", "I pass you on.", "I am B."]),
        (ContextPlan("before"), ["Be B.", "I am B."]),
        (ContextPlan("rolling"), ["I am A.", "give me B", "", "Handed over.", "I pass you on.", "Be B.", "I am B."]),
    ],
)
def test_what_the_last_one_was_shown_can_be_told_from_the_log(
    tmp_path: Path, plan: ContextPlan, shown: list[str]
) -> None:
    successor, _ = second(context=plan)

    async def talk(call: Call) -> None:
        await asks_for_b(call)
        await call.until(lambda: "I am B." in said(call.watcher))
        call.messages = call.session.conversation.history()

    _, call = handed_over(successor, talk, say="I pass you on.", folder=tmp_path)
    heard = heard_call(read_event_log(tmp_path / "call-1.jsonl"))
    assert [each.message for each in heard.shown] == list(call.messages)
    times = {each.message.content: (each.at_ms, each.ended_ms, each.assistant) for each in heard.messages}
    assert all(times[each.message.content] == (each.at_ms, each.ended_ms, each.assistant) for each in heard.shown)
    kept, left = artifact([heard]), artifact([heard], whole=False)
    assert [each["content"] for each in left["messagesOpenAIFormatted"]] == shown
    spoken = [each["message"] for each in left["messages"] if each["role"] in ("system", "bot", "user")]
    assert spoken == [text for text in shown if text not in ("", "Handed over.")]
    assert left["transcript"] == kept["transcript"] and len(kept["messages"]) >= len(left["messages"])


@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        (Greeting(message="Hello from B."), "Hello from B."),
        (Greeting("assistant-speaks-first-with-model-generated-message", "not this"), "I am B."),
        (Greeting("assistant-waits-for-user", "not this"), None),
    ],
)
def test_who_speaks_first(greeting: Greeting, expected: str | None) -> None:
    successor, _ = second(greeting=greeting)

    async def talk(call: Call) -> None:
        await asks_for_b(call)
        await call.until(lambda: bool(call.watcher.of(do.ChangeAssistant)))
        await call.wait(4000)

    watcher, _ = handed_over(successor, talk)
    assert said(watcher) == ["I am A.", *([expected] if expected else [])]


def test_what_the_caller_says_over_the_farewell_is_answered_by_the_next() -> None:
    successor, model = second(answers=["B heard you."], hears=["lost"], context=ContextPlan("spoken"))

    async def talk(call: Call) -> None:
        await asks_for_b(call)
        await call.until(lambda: any(action.text.startswith("I pass") for action in call.watcher.of(do.Speak)))
        await call.wait(400)
        await call.sound(900, SPEECH)
        await call.until(lambda: "B heard you." in said(call.watcher))

    watcher, _ = handed_over(
        successor, talk, say="I pass you on to my colleague who knows all about it.", hears=["give me B", "stop it now"]
    )
    assert [action.text for action in watcher.of(do.TurnClosed)] == ["give me B", "stop it now"], "no word is lost"
    assert len(watcher.of(do.InterruptionConfirmed)) == 1 and len(watcher.of(do.ChangeAssistant)) == 1
    assert model.requests[-1].messages[-1] == Message("user", "stop it now")


def test_an_engine_that_cannot_be_opened_leaves_the_call_where_it_is(tmp_path: Path) -> None:
    successor, _ = second(stt=NotThere(["never"]))

    async def talk(call: Call) -> None:
        await asks_for_b(call)
        await call.until(lambda: "B is not there." in said(call.watcher))
        call.messages = call.session.conversation.history()

    watcher, _ = handed_over(successor, talk, answers=[WANTS_B, "B is not there."], folder=tmp_path)
    assert watcher.of(do.ChangeAssistant) == []
    (failed,) = (event for _, event in watcher.events if isinstance(event, ev.ToolFailed))
    assert failed.problem == "no process is up"
    assert replay(read_event_log(tmp_path / "call-1.jsonl")) is None


def test_a_handoff_from_outside_waits_for_what_is_being_said() -> None:
    successor, _ = second(greeting=Greeting(message="Hello from B."))

    async def talk(call: Call) -> None:
        await call.wait(200)
        call.session.succeed(successor)
        call.session.succeed(successor)  # the latest counts
        await call.until(lambda: "Hello from B." in said(call.watcher))

    call = Call(greeting="I am A, and this is long.")
    watcher = call.run(talk)
    assert said(watcher) == ["I am A, and this is long.", "Hello from B."]
    assert [action.handoff for action in watcher.of(do.ChangeAssistant)] == [2]


def test_what_is_heard_behind_an_assistant_goes_with_it() -> None:
    def room(code: int) -> Any:
        async def sound(audio: AudioFormat) -> bytes:
            return bytes([code]) * 8000

        return sound

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.wait(1000)
        heard.append(lately(call))
        await call.sound(700)
        await call.until_replies(2)
        await call.wait(1500)
        heard.append(lately(call))

    def lately(call: Call) -> set[int]:
        """What was played in the last 200 ms."""
        from_ms = call.clock.now_ms() - 200
        return {code for each in call.phone.heard() if each.at_ms >= from_ms for code in each.audio}

    heard: list[set[int]] = []
    for after, code in ((room(0x60), {0x60}), (None, set())):
        heard.clear()
        successor, _ = second(greeting=Greeting(message="I am B."))
        successor = replace(successor, engines=replace(successor.engines, background=after))
        tool = HandsOver()
        call = Call(hears=("give me B",), answers=[WANTS_B], greeting="I am A.", tools=tool)
        call.engines = replace(call.engines, background=room(0x50))
        tool.call, tool.successor = call, successor
        call.run(talk)
        assert heard == [{0x50}, code]
