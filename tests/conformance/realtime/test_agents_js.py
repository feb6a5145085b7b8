"""Checks 11, 16, 20, 23 and 24 with ``@openai/agents`` in Node.js: what its validator does not accept is dropped in silence."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.conformance.realtime.server import MODEL, Server
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage, last, tool_call
from tests.conformance.realtime.tap import Tap
from tests.node import NodeProgram, node_program

VAD = {"type": "server_vad", "silenceDurationMs": 300, "interruptResponse": True, "createResponse": True}


@asynccontextmanager
async def session_of(
    tap: Tap, server: Server, tools: dict[str, Any] | None = None, turn_detection: Any = VAD
) -> AsyncIterator[NodeProgram]:
    """A RealtimeSession that has begun; nothing may have gone wrong at its end."""
    config = {"audio": {"input": {"turnDetection": turn_detection, "transcription": {"model": "whisper-1"}}}}
    async with node_program("agents.mjs") as program:
        url = f"{tap.ws_url}?model={MODEL}"
        await program.ask("connect", url=url, apiKey=server.key, tools=tools or {}, config=config, within_s=60)
        await tap.until_sent("session.updated")
        yield program
        assert program.all("error") == []
        assert program.all("uncaught") == []


async def hear(program: NodeProgram, audio: bytes, *, commit: bool = False) -> None:
    """The user speaks."""
    await program.ask("hear", audio=base64.b64encode(audio).decode(), commit=commit)


async def history(program: NodeProgram) -> list[tuple[str, str]]:
    """Who said what, as the SDK keeps it."""
    said = []
    for item in await program.ask("history"):
        if item["type"] == "message":
            said.append(
                (item["role"], "".join(part.get("transcript") or part.get("text") or "" for part in item["content"]))
            )
        elif item["type"] == "function_call":
            said.append(("tool", str(item["output"])))
    return said


async def until_said(program: NodeProgram, *said: tuple[str, str], within_s: float = 60.0) -> None:
    """Until the SDK's history is exactly this."""
    deadline_s = asyncio.get_running_loop().time() + within_s
    while (now := await history(program)) != list(said):
        assert asyncio.get_running_loop().time() < deadline_s, now
        await asyncio.sleep(0.05)


async def test_check_11_a_message_and_a_tool(tap: Tap, server: Server, stage: Stage) -> None:
    stage.says(tool_call("get_weather", city="Rome"), "It is sunny in Rome.")
    async with session_of(tap, server, {"get_weather": {"result": "sun"}}) as program:
        await program.ask("say", text="What is the weather in Rome?")
        told = await program.until("tool_end")
        assert told["result"] == "sun"
        assert program.all("tool")[0]["input"] == {"city": "Rome"}
        await until_said(
            program,
            ("user", "What is the weather in Rome?"),
            ("tool", "sun"),
            ("assistant", "It is sunny in Rome."),
        )
        assert sum(audio["bytes"] for audio in program.all("audio")) == stage.duration_ms("It is sunny in Rome.") * 48
        usage = await program.ask("usage")
        assert usage["outputTokens"] > 0
    output = last(stage.asked[1], "tool")
    assert output is not None
    assert output.content == "sun"


async def test_check_16_a_spoken_turn_whose_words_come_late(tap: Tap, server: Server, stage: Stage, ten: Said) -> None:
    stage.hears = [ten.words]
    stage.says("Here you are.")
    stage.transcript_ms = 250
    async with session_of(tap, server) as program:
        await hear(program, ten.audio(lead_ms=200, tail_ms=900))
        await until_said(program, ("user", ten.words), ("assistant", "Here you are."))


async def test_check_20_barge_in(tap: Tap, server: Server, stage: Stage, ten: Said) -> None:
    words = "one two three four five six seven eight nine ten " * 4
    stage.says(words, "Yes?")
    stage.chunk_interval_ms = 180
    stage.hears = ["stop"]
    async with session_of(tap, server) as program:
        await program.ask("say", text="Count for me.")
        await tap.until_sent("response.output_audio.delta", 5)
        await hear(program, ten.audio(lead_ms=60, tail_ms=900))
        await program.until("audio_interrupted")
        done = (await tap.until_sent("response.done"))[0]["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
        line = tap.line
        assert line.at_s("response.done") - line.at_s("input_audio_buffer.speech_started") < 0.2
        [truncated] = await tap.until_sent("conversation.item.truncated")
        retrieved = await tap.until_sent("conversation.item.retrieved")
        [part] = next(e["item"]["content"] for e in retrieved if e["item"]["id"] == truncated["item_id"])
        assert words.startswith(part["transcript"].strip())
        assert len(part["transcript"]) * stage.ms_per_character == pytest.approx(truncated["audio_end_ms"], abs=400)
        await tap.until_sent("response.done", 2)
        await until_said(
            program,
            ("user", "Count for me."),
            ("assistant", part["transcript"]),
            ("user", "stop"),
            ("assistant", "Yes?"),
        )
    heard = last(stage.asked[1], "assistant")
    assert heard is not None
    assert heard.content == part["transcript"].strip()


async def test_check_20_the_application_interrupts(tap: Tap, server: Server, stage: Stage) -> None:
    stage.says("one two three four five six seven eight nine ten " * 4)
    stage.chunk_interval_ms = 180
    async with session_of(tap, server) as program:
        await program.ask("say", text="Count for me.")
        await tap.until_sent("response.output_audio.delta", 3)
        await program.ask("interrupt")
        done = (await tap.until_sent("response.done"))[0]["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
        await tap.until_sent("conversation.item.truncated")


async def test_check_23_a_second_message_while_the_first_is_answered(tap: Tap, server: Server, stage: Stage) -> None:
    stage.says("The first answer takes a while.", "The second answer.")
    stage.chunk_interval_ms = 100
    async with session_of(tap, server) as program:
        await program.ask("say", text="one")
        await tap.until_sent("response.created")
        await program.ask("say", text="two")
        await tap.until_sent("response.done", 2)
        said = await history(program)
        assert said[-1] == ("assistant", "The second answer.")


async def test_check_24_the_user_speaks_while_a_tool_runs(tap: Tap, server: Server, stage: Stage, ten: Said) -> None:
    stage.hears = ["are you still there"]

    def answer(request: Any) -> Any:
        if last(request, "user").content == "are you still there":  # type: ignore[union-attr]
            return "I am." if request.messages[-1].role == "user" else "And it is sunny."
        return tool_call("get_weather", city="Rome") if request.messages[-1].role == "user" else "It is sunny."

    stage.answers = answer
    async with session_of(tap, server, {"get_weather": {"result": "sun", "delay_ms": 1500}}) as program:
        await program.ask("say", text="What is the weather in Rome?")
        await program.until("tool")
        await hear(program, ten.audio(lead_ms=60, tail_ms=700))
        await tap.until_sent("response.done", 3)
        said = await history(program)
        assert ("assistant", "I am.") in said
        assert said[-1] == ("assistant", "And it is sunny.")
    final = stage.asked[-1]
    assert last(final, "tool").content == "sun"  # type: ignore[union-attr]


async def test_history_can_be_rewritten(tap: Tap, server: Server, stage: Stage) -> None:
    """``updateHistory`` deletes and creates items in the middle of the conversation."""
    stage.says("First answer.", "Second answer.")
    async with session_of(tap, server) as program:
        await program.ask("say", text="first question")
        await tap.until_sent("response.done")
        await until_said(program, ("user", "first question"), ("assistant", "First answer."))
        items = await program.ask("history")
        items[0]["content"][0]["text"] = "a better question"
        await program.ask("rewrite", history=items)
        await tap.until_sent("conversation.item.deleted")
        await until_said(program, ("user", "a better question"), ("assistant", "First answer."))
        await program.ask("say", text="second question")
        await tap.until_sent("response.done", 2)
    said = [message.content for message in stage.asked[1].messages if message.role in ("user", "assistant")]
    assert said == ["a better question", "First answer.", "second question"]
