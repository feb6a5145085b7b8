"""GPT-Live by itself: how a session begins, its clock, its tools, and what it is told later. The fake is proven by the vendor's own SDK."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from openai import AsyncOpenAI
from openai.types.live import ClientEvent, SessionConfig
from pydantic import TypeAdapter
from tests.providers.fakes.gpt_live import BACKEND_USAGE, FakeGptLive
from tests.providers.fakes.own_turns import notes_in
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speaking import MS_PER_CHARACTER, Answer
from tests.providers.fakes.speech import say, silence
from tests.providers.speech_to_speech.calling import BOOK, Caller, LiveRig
from websockets.exceptions import ConnectionClosed

from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.providers.base import ModelRequest, StreamInterrupted, StreamRestored
from antiphon.providers.speech_to_speech import live_wire as wire
from antiphon.providers.speech_to_speech.base import ReplyOver, ReplyToolCall, SpokeUnasked
from antiphon.providers.speech_to_speech.gpt_live import GptLive
from antiphon.vocabulary import AudioFormat, CallContext, Encoding, Message, ToolSpec, Usage

WIDE = AudioFormat(Encoding.PCM16, 24000)
LONG = "There are a great many things that could be said about it, and all of them take a while."


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[LiveRig]:
    async with FakeGptLive() as vendor:
        yield LiveRig(vendor, vendor.trust(tmp_path))


@pytest.fixture
async def caller(rig: LiveRig) -> AsyncIterator[Caller]:
    caller = Caller(rig.engine(), rig.heard, rig.spoken, tools=(BOOK,))
    yield caller
    caller.stream.close()


async def test_the_fake_is_what_the_vendors_own_sdk_takes_it_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeGptLive() as vendor:
        monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
        vendor.answers += [Answer(("Let me see.",), (("book", '{"day":"friday"}'),)), Answer(("It is yours.",))]
        told: list[Any] = []
        client = AsyncOpenAI(api_key=KEY, base_url=vendor.base_url, max_retries=0)
        async with client.live.connect() as live:
            config: Any = {
                "model": "gpt-live-1",
                "instructions": "Be brief.",
                "audio": {"format": {"type": "audio/pcm", "rate": 24000}, "output": {"voice": "marin"}},
                "delegation": {
                    "type": "responses",
                    "responses": {"model": "gpt-5.4-mini", "tools": [{"type": "function", "name": "book"}]},
                },
            }
            await live.send({"type": "session.start", "session": config})
            told.append(await live.recv())
            for data in (say("a table", WIDE), silence(400, WIDE)):
                for start in range(0, len(data), 960):
                    audio = base64.b64encode(data[start : start + 960]).decode()
                    await live.send({"type": "session.input_audio.append", "audio": audio})
            async with asyncio.timeout(10):
                while told[-1].type != "session.closed":
                    told.append(await live.recv())
                    event = told[-1].event if told[-1].type == "response.event" else {}
                    if event.get("type") == "response.output_item.done":
                        output: Any = {
                            "type": "function_call_output",
                            "call_id": event["item"]["call_id"],
                            "output": "booked",
                        }
                        await live.send({"type": "response.item.create", "item": output})
                        await live.send({"type": "response.create"})
                    if told[-1].type == "session.output_transcript.delta" and "yours" in told[-1].delta:
                        await live.send({"type": "session.close"})
        await client.close()
    assert told[0].type == "session.started" and told[0].session.model == "gpt-live-1"
    heard = "".join(each.delta for each in told if each.type == "session.input_transcript.delta")
    spoken = "".join(each.delta for each in told if each.type == "session.output_transcript.delta")
    sound = b"".join(base64.b64decode(each.delta) for each in told if each.type == "session.output_audio.delta")
    assert (heard, spoken) == ("a table", "Let me see.It is yours.")
    assert WIDE.ms_of(len(sound)) == pytest.approx(len(spoken) * MS_PER_CHARACTER, abs=1)
    assert told[-1].reason == "close_requested" and told[-1].usage.seconds == 1.5
    assert vendor.live.refused == []


def test_our_messages_are_what_the_vendors_own_types_say() -> None:
    backend = wire.backend("gpt-5.4-mini", "Be brief.", (BOOK,), "low")
    history = [("user", "hello"), ("assistant", "Good day."), ("developer", "A note.")]
    messages = [
        wire.start("gpt-live-1", "Be brief.", WIDE, "marin", history, backend),
        wire.update(backend),
        wire.audio(b"\0\0"),
        *(message for kind in ("instructions", "thinking", "commentary") for message in wire.append(kind, "Hello.")),
        wire.tool_output("call_1", "booked"),
        wire.CREATE_RESPONSE,
        wire.CLOSE,
    ]
    events: TypeAdapter[Any] = TypeAdapter(ClientEvent)
    read = [events.validate_json(message) for message in messages]
    assert [json.loads(message)["type"] for message in messages] == [each.type for each in read]
    config: SessionConfig = read[0].session
    assert config.delegation is not None and config.delegation.type == "responses"
    assert [each.role for each in config.input or ()] == ["user", "assistant", "developer"]


def test_a_history_that_is_too_long_is_told_from_its_end() -> None:
    many = [("user", f"{number} " + "x" * 400) for number in range(300)]
    told = json.loads(wire.start("m", "", WIDE, "marin", many, {}))["session"]["input"]
    assert len(told) < 100 and told[-1]["content"][0]["text"].startswith("299 ")
    assert sum(len(each["content"][0]["text"]) for each in told) <= 16_000


def test_what_is_appended_is_cut_to_what_the_service_takes() -> None:
    texts = [json.loads(each)["content"] for each in wire.append("commentary", "word " * 500)]
    assert "".join(texts) == "word " * 500 and max(map(len, texts)) <= 1000


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call", "call_id": "c", "name": "book", "arguments": "{oops"},
        {"type": "function_call", "call_id": "c", "name": "book", "arguments": "[]"},
        {"type": "function_call", "call_id": "", "name": "book", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "book", "arguments": 5},
    ],
)
def test_a_tool_call_that_cannot_be_read(item: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        wire.tool_call_of({"type": "response.output_item.done", "item": item})


def test_other_events_of_the_delegated_model_are_no_tool_calls() -> None:
    for event in (
        None,
        [],
        {"type": "response.created"},
        {"type": "response.output_item.done", "item": {"type": "message"}},
    ):
        assert wire.tool_call_of(event) is None
        assert wire.usage_of(event, "m") == ()


@pytest.mark.parametrize("odd", [True, "7", -1, 2.5, 10**25, None, {"of": 3}, [1]])
def test_what_is_no_count_of_tokens_counts_nothing(odd: Any) -> None:
    """Costs are sums, and are kept: of all calls, and after them."""
    usage = {"input_tokens": 3, "output_tokens": odd, "input_tokens_details": {"cached_tokens": odd}}
    event = {"type": "response.completed", "response": {"usage": usage}}
    assert wire.usage_of(event, "m") == (Usage(input_tokens=3, model="m"),)


CALL = {"type": "response.output_item.done", "item": {"type": "function_call", "name": "book", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        (["{"] * 21, "cannot be read"),
        (['{"type":"error","error":{"code":"odd","message":"no"}}'] * 21, "refuses too much"),
        (['{"type":"session.output_audio.delta","delta":""}'] * 12_000, "more messages than can be read"),
        (
            [
                json.dumps(
                    {"type": "response.event", "event": CALL | {"item": CALL["item"] | {"call_id": f"c{number}"}}}
                )  # type: ignore[operator]
                for number in range(60)
            ],
            "cannot be read",
        ),
    ],
)
async def test_a_vendor_that_floods_a_call_is_left(
    rig: LiveRig, caller: Caller, messages: list[str], problem: str
) -> None:
    assert await caller.says("i want a table") == "i want a table"
    with structlog.testing.capture_logs() as logs:
        with contextlib.suppress(ConnectionClosed):
            for message in messages:
                await rig.vendor.live.socket.send(message)
        await caller.until(lambda: bool(caller.of(StreamInterrupted)))
    (interrupted,) = caller.of(StreamInterrupted)
    assert problem in interrupted.problem
    assert len(logs) <= 25


async def test_words_of_one_utterance_are_bounded(rig: LiveRig, caller: Caller) -> None:
    assert await caller.says("i want a table") == "i want a table"
    caller.begin("i want a table")
    said = json.dumps({"type": "session.input_transcript.delta", "delta": "and so on " * 50})
    for _ in range(100):
        await rig.vendor.live.socket.send(said)
    words = await caller.words_of(caller.finish())
    assert 3900 <= len(words) < 5000


@pytest.mark.parametrize(
    ("options", "field"), [({"nudge_after_ms": 1}, "nudge_after_ms"), ({"max_utterance_ms": 1}, "max_utterance_ms")]
)
def test_options_that_make_no_sense(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        GptLive(KEY, **options)
    assert error.value.field == field


async def test_a_session_begins_with_prompt_format_voice_and_tools(rig: LiveRig, caller: Caller) -> None:
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    session = rig.vendor.live.session
    assert (session["model"], session["instructions"]) == ("gpt-live-1", "Be brief.")
    assert session["audio"] == {"format": {"type": "audio/pcmu", "rate": 8000}, "output": {"voice": "marin"}}
    backend = session["delegation"]["responses"]
    assert (backend["model"], backend["instructions"]) == ("gpt-5.4-mini", "Be brief.")
    assert [tool["name"] for tool in backend["tools"]] == ["book"]


async def test_its_clock_goes_on_where_the_line_is_silent(rig: LiveRig, caller: Caller) -> None:
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    before = rig.vendor.appended
    await rig.vendor.until(lambda: rig.vendor.appended >= before + 3)
    assert set(rig.vendor.live.audio) == {0xFF}


async def test_tools_are_asked_for_answered_and_their_answer_is_spoken(rig: LiveRig, caller: Caller) -> None:
    rig.vendor.answers += [Answer((), (("book", '{"day":"friday"}'),)), Answer(("It is yours.",))]
    user = Message("user", await caller.says("a table on friday please"))
    caller.ask(1, user, tools=(BOOK,))
    over = await caller.over(1)
    assert over.stop_reason == "tool_calls"
    (asked,) = caller.of(ReplyToolCall)
    await caller.until(lambda: bool(caller.of(ReplyOver, 0)))
    assert caller.of(ReplyOver, 0)[0].usage == (
        Usage(input_tokens=120, output_tokens=12, cached_tokens=100, model="gpt-5.4-mini"),
    )
    assert BACKEND_USAGE["input_tokens"] == 120
    caller.ask(
        1,
        user,
        Message("assistant", "", (asked.call,)),
        Message("tool", "booked", tool_call_id=asked.call.id),
        tools=(BOOK,),
    )
    await caller.until(lambda: len(caller.of(ReplyOver, 1)) == 2)
    assert caller.words(1) == "It is yours."
    assert rig.conversation(1)[-2:] == ['call: book({"day":"friday"})', "result: booked"]
    assert rig.vendor.live.refused == []


async def test_other_tools_and_another_prompt_are_told(rig: LiveRig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("Fine.",)))
    user = Message("user", await caller.says("yes"))
    other = ToolSpec("look_up", "Looks up.", {"type": "object", "properties": {}})
    caller.ask(1, user, tools=(other,))
    await caller.over(1)
    await rig.vendor.until(
        lambda: [tool["name"] for tool in rig.vendor.live.session["delegation"]["responses"]["tools"]] == ["look_up"]
    )

    request = ModelRequest(
        (Message("system", "Be long."), user, Message("assistant", "Fine."), Message("user", "go on")),
        (),
        CallContext("c"),
    )
    caller.stream.respond(2, request)
    await caller.over(2)
    assert any("From now on: Be long." in line for line in rig.vendor.live.lines)
    assert rig.vendor.live.session["delegation"]["responses"]["instructions"] == "Be long."
    assert caller.words(2) == "Yes."


async def test_it_begins_the_conversation_where_it_is_asked_to(rig: LiveRig, caller: Caller) -> None:
    caller.ask(1)
    await caller.over(1)
    assert caller.words(1) == rig.vendor.first_message


async def test_two_things_without_a_pause_are_told_apart_by_their_words(rig: LiveRig, caller: Caller) -> None:
    rig.vendor.breathless = True
    caller.stream.say(1, "One moment, please.")
    caller.ask(1, Message("user", "hello"))
    await caller.until(lambda: len(caller.of(ReplyOver, 1)) == 2)
    assert caller.words(1) == "Yes."


async def test_what_the_caller_did_not_hear_is_told(rig: LiveRig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer((LONG,)))
    caller.ask(1, Message("user", await caller.says("yes")))
    await caller.over(1)
    caller.stream.cancel(1, 400)
    await rig.vendor.until(lambda: any(LONG in note for note in notes_in(rig.vendor.live.lines)))
    (note,) = [note for note in notes_in(rig.vendor.live.lines) if LONG in note]
    assert 'has heard no more than "There' in note
    assert rig.vendor.nudged == 0


async def test_what_it_says_unasked_is_offered(rig: LiveRig, caller: Caller) -> None:
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    await rig.vendor.live.speak_unasked("Are you still there?")
    await caller.until(lambda: bool(caller.of(SpokeUnasked)))
    caller.ask(1)
    await caller.over(1)
    assert caller.words(1) == "Are you still there?"


async def test_a_session_that_reaches_its_longest_duration_goes_on_in_another(rig: LiveRig, caller: Caller) -> None:
    caller.ask(1, Message("user", await caller.says("yes")))
    await caller.over(1)
    await rig.vendor.live.close("expired")
    await caller.until(lambda: bool(caller.of(StreamRestored)))
    assert caller.of(StreamInterrupted)[0].problem == "the vendor ended the session (expired)"
    assert rig.vendor.live.lines == ["user: [yes]", "assistant: [Yes.]"]


async def test_an_error_in_a_session_is_written_down_and_it_goes_on(rig: LiveRig, caller: Caller) -> None:
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    with structlog.testing.capture_logs() as logs:
        await rig.vendor.live.refuse("content_too_long", f"Too long: {KEY} table")
        assert await caller.says("yes") == "yes"
    (entry,) = [each for each in logs if each["event"] == "vendor_complains"]
    assert entry["problem"] == "content_too_long"
    assert KEY not in str(logs) and "table" not in str(logs)


async def test_a_model_that_there_is_not_is_told_at_once(rig: LiveRig) -> None:
    caller = Caller(rig.engine(model="gpt-live-0"), rig.heard, rig.spoken)
    caller.stream.say(1, "Welcome.")
    failed = await caller.over(1)
    assert failed.gone and "404" in failed.problem
    assert rig.tries == 1
    caller.stream.close()
