"""Check 24: functions that the client runs, with openai-python."""

from __future__ import annotations

import json

from openai import AsyncOpenAI
from tests.conformance.realtime.stage import Stage, last, tool_call
from tests.conformance.realtime.talk import Talk, talking

from antiphon.providers.scripted import ScriptedReply

TEXT = ["text"]
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


async def give(talk: Talk, call_id: str, output: str) -> None:
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    await talk.send("conversation.item.create", item=item)


async def test_check_24_two_tools_in_one_response(client: AsyncOpenAI, stage: Stage) -> None:
    both = ScriptedReply(
        "Let me look.",
        (*tool_call("get_weather", "call_rome", city="Rome").tool_calls, *tool_call("get_weather", "call_oslo", city="Oslo").tool_calls),
    )  # fmt: skip
    stage.says(both, "Sunny in Rome, snow in Oslo.")
    async with talking(client) as talk:
        await talk.update(tools=[WEATHER], output_modalities=TEXT)
        await talk.type("weather in Rome and Oslo?")
        response = await talk.answer()
        message, rome, oslo = response.output
        assert message.content[0].text == "Let me look."
        assert [(call.name, call.call_id, json.loads(call.arguments)) for call in (rome, oslo)] == [
            ("get_weather", "call_rome", {"city": "Rome"}),
            ("get_weather", "call_oslo", {"city": "Oslo"}),
        ]
        done = talk.of("response.function_call_arguments.done")
        assert [(event.output_index, event.call_id, event.name) for event in done] == [
            (1, "call_rome", "get_weather"),
            (2, "call_oslo", "get_weather"),
        ]
        for call in (rome, oslo):
            deltas = [e.delta for e in talk.of("response.function_call_arguments.delta") if e.call_id == call.call_id]
            assert "".join(deltas) == call.arguments
        await talk.settled()
        assert len(talk.of("response.created")) == 1, "a response never goes on by itself"
        await give(talk, "call_oslo", "snow")
        await give(talk, "call_rome", "sun")
        second = await talk.answer(2)
        assert second.output[0].content[0].text == "Sunny in Rome, snow in Oslo."
    outputs = {message.tool_call_id: message.content for message in stage.asked[1].messages if message.role == "tool"}
    assert outputs == {"call_rome": "sun", "call_oslo": "snow"}


async def test_check_24_the_answer_comes_before_the_response_is_done(client: AsyncOpenAI, stage: Stage) -> None:
    """Clients run a tool as soon as its item is done, and need not wait for the rest."""
    stage.says(tool_call("get_weather", city="Rome", text="One moment please while I ask them."), "Sunny.")
    stage.chunk_interval_ms = 100
    async with talking(client) as talk:
        await talk.update(tools=[WEATHER])
        await talk.respond()
        await talk.until_true(lambda: any(e.item.type == "function_call" for e in talk.of("response.output_item.done")))
        await give(talk, "call_1", "sun")
        await talk.until("response.done")
        response = await talk.answer(2)
        assert response.output[0].content[0].transcript == "Sunny."
    message = last(stage.asked[1], "tool")
    assert message is not None
    assert (message.content, message.tool_outcome) == ("sun", "answered")
