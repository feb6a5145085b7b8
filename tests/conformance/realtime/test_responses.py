"""Checks 9, 22, 23, 24 and 25: responses that are asked for, with openai-python."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage, last, tool_call
from tests.conformance.realtime.talk import Talk, talking
from tests.conformance.realtime.tap import Tap

from antiphon.providers.scripted import ScriptedReply

TEXT = ["text"]
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TEXT_TURN = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def once_each(events: list[Any]) -> list[str]:
    """The types, with repeated deltas counted as one and without ``rate_limits.updated``, whose place is free."""
    kinds: list[str] = []
    for event in events:
        if event.type != "rate_limits.updated" and not (event.type.endswith(".delta") and kinds[-1:] == [event.type]):
            kinds.append(event.type)
    return kinds


async def answered(talk: Talk, number: int = 1, **response: Any) -> Any:
    """The ``number``th finished response of the session, after asking for it."""
    await talk.respond(**response)
    return (await talk.until("response.done", number)).response


# ------------------------------------------------------------------------------------------------ 9: text


async def test_check_9_a_text_turn(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("The quick brown fox jumps over the lazy dog.")
    stage.token_interval_ms = 25
    async with talking(client) as talk:
        await talk.type("say something with every letter")
        response = await answered(talk, output_modalities=TEXT)
        assert once_each(talk.events[1:]) == TEXT_TURN
        assert len(talk.of("response.output_text.delta")) > 2
        [item] = response.output
        assert item.content[0].text == talk.text(response.id) == "The quick brown fox jumps over the lazy dog."
        assert talk.of("response.output_text.done")[0].text == item.content[0].text
        assert response.status == "completed"
        assert response.output_modalities == TEXT
        assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
        user, assistant = (event.item for event in talk.of("conversation.item.done"))
        assert (user.role, assistant.role, assistant.id) == ("user", "assistant", item.id)
        assert talk.of("conversation.item.added")[1].previous_item_id == user.id
    [request] = stage.asked
    assert [message.content for message in request.messages if message.role == "user"] == [
        "say something with every letter"
    ]


async def test_a_spoken_answer_to_written_words(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("It is sunny, and it will stay so. Take a hat.")
    async with talking(client) as talk:
        await talk.type("weather?")
        response = await answered(talk)
        [item] = response.output
        assert item.content[0].type == "output_audio"
        assert (
            item.content[0].transcript
            == talk.transcript(response.id)
            == "It is sunny, and it will stay so. Take a hat."
        )
        spoken_ms = sum(stage.duration_ms(request.text) for request in stage.spoken)
        assert len(talk.audio(response.id)) == spoken_ms * 48, "24 kHz, 16 bits, and not a sample lost"
        assert "audio" not in item.content[0].to_dict()


async def test_both_modalities_in_one_session(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("Spoken.", "Written.", "Spoken again.", "And written again.")
    async with talking(client) as talk:
        contents = [(await answered(talk)).output[0].content[0]]
        contents += [(await answered(talk, 2, output_modalities=TEXT)).output[0].content[0]]
        contents += [(await answered(talk, 3)).output[0].content[0]]
        await talk.update(output_modalities=TEXT)
        contents += [(await answered(talk, 4)).output[0].content[0]]
        assert [content.type for content in contents] == ["output_audio", "output_text", "output_audio", "output_text"]
    told = [message.content for message in stage.asked[-1].messages if message.role == "assistant"]
    assert told == ["Spoken.", "Written.", "Spoken again."]


async def test_instructions_of_the_session_and_of_one_response(client: AsyncOpenAI, stage: Stage) -> None:
    async with talking(client) as talk:
        await talk.update(instructions="Be kind.", output_modalities=TEXT)
        await answered(talk)
        await answered(talk, 2, instructions="Be brief.", max_output_tokens=50)
        await answered(talk, 3, instructions=None)
    systems = [last(request, "system") for request in stage.asked]
    assert [message.content for message in systems if message] == ["Be kind.", "Be brief.", "Be kind."]
    assert [request.options.get("max_tokens") for request in stage.asked] == [None, 50, None]


async def test_items_are_put_where_the_client_says_and_can_be_taken_away(client: AsyncOpenAI, stage: Stage) -> None:
    async with talking(client) as talk:
        await talk.update(output_modalities=TEXT)

        async def put(item_id: str, text: str, **fields: Any) -> None:
            content = [{"type": "input_text", "text": text}]
            item = {"id": item_id, "type": "message", "role": "user", "content": content}
            await talk.send("conversation.item.create", item=item, **fields)

        await put("b", "second")
        await put("c", "third")
        await put("a", "first", previous_item_id="root")
        await put("bb", "second and a half", previous_item_id="b")
        await put("x", "never", previous_item_id="c")
        await talk.send("conversation.item.delete", item_id="x")
        await talk.until("conversation.item.deleted")
        added = talk.of("conversation.item.added")
        assert [(event.item.id, event.previous_item_id) for event in added] == [
            ("b", None), ("c", "b"), ("a", None), ("bb", "b"), ("x", "c"),
        ]  # fmt: skip
        await put("b", "again")
        assert (await talk.until("error")).error.code == "item_create_duplicate_item_id"
        await answered(talk)
        for verb, code in (("retrieve", "item_retrieve_invalid_item_id"), ("delete", "item_delete_invalid_item_id")):
            await talk.send(f"conversation.item.{verb}", item_id="x", event_id=f"rci_{verb}")
            error = await _error(talk, f"rci_{verb}")
            assert error.code == code
            assert "'x' does not exist" in error.message
    said = [message.content for message in stage.asked[0].messages if message.role == "user"]
    assert said == ["first", "second", "second and a half", "third"]


async def _error(talk: Talk, event_id: str) -> Any:
    await talk.until_true(
        lambda: any(e.error.event_id == event_id for e in talk.of("error")), f"an error for {event_id}"
    )
    return next(e.error for e in talk.of("error") if e.error.event_id == event_id)


# ------------------------------------------------------------------------------------------------ 22: cancel


async def test_check_22_cancelling_nothing(client: AsyncOpenAI) -> None:
    async with talking(client) as talk:
        for event_id in ("one", "two"):
            await talk.send("response.cancel", event_id=event_id)
            error = await _error(talk, event_id)
            assert error.code == "response_cancel_not_active"
            assert error.message.startswith("Cancellation failed")


@pytest.mark.parametrize("named", [False, True])
async def test_check_22_cancelling_what_is_written(client: AsyncOpenAI, stage: Stage, named: bool) -> None:
    stage.says("one two three four five six seven eight nine ten " * 20)
    stage.token_interval_ms = 30
    async with talking(client) as talk:
        await talk.respond(output_modalities=TEXT)
        delta = await talk.until("response.output_text.delta", 3)
        await talk.send("response.cancel", **({"response_id": delta.response_id} if named else {}))
        await talk.send("response.cancel", event_id="twice")
        done = await talk.until("response.done")
        assert done.response.status == "cancelled"
        assert done.response.status_details.reason == "client_cancelled"
        [item] = done.response.output
        assert item.status == "incomplete"
        assert (await _error(talk, "twice")).code == "response_cancel_not_active"
        stage.says("Next.")
        assert (await answered(talk, 2, output_modalities=TEXT)).status == "completed"
        after = [event for event in talk.events[talk.events.index(done) + 1 :] if event.type.startswith("response.")]
        assert all(getattr(event, "response_id", "") != done.response.id for event in after)


async def test_check_22_cancelling_another_response_than_the_active_one(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("word " * 200)
    stage.token_interval_ms = 30
    async with talking(client) as talk:
        await talk.respond(output_modalities=TEXT)
        await talk.until("response.output_text.delta")
        await talk.send("response.cancel", response_id="resp_other", event_id="other")
        assert (await _error(talk, "other")).code == "response_cancel_not_active"
        await talk.send("response.cancel")
        assert (await talk.until("response.done")).response.status == "cancelled"


async def test_check_22_a_thousand_cancels_race_the_end(client: AsyncOpenAI, stage: Stage) -> None:
    """Whoever wins, there is one ``response.done`` for each response, and an error for each cancel that came too late."""
    times = 1000
    stage.says("Yes.")
    async with talking(client) as talk:
        await talk.update(output_modalities=TEXT)
        await talk.until("session.updated")
        for number in range(1, times + 1):
            await talk.respond()
            if number % 3:  # at once, after it was created, or after its first words
                begun = await talk.until("response.created", number)
                if number % 3 == 2:
                    await talk.until("response.output_text.delta", response_id=begun.response.id)
            await talk.send("response.cancel", event_id=f"cancel {number}")
            await talk.until("response.done", number)
        await talk.settled()
        statuses = [event.response.status for event in talk.of("response.done")]
        assert len(statuses) == len(talk.of("response.created")) == times
        assert set(statuses) <= {"completed", "cancelled"}
        late = [event.error for event in talk.of("error")]
        assert {error.code for error in late} <= {"response_cancel_not_active"}
        assert len(late) + statuses.count("cancelled") == times


# ------------------------------------------------------------------------------------------------ 23: while active


async def test_check_23_one_response_at_a_time(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("a long answer " * 30, "Short.")
    stage.token_interval_ms = 20
    async with talking(client) as talk:
        await talk.respond(output_modalities=TEXT)
        await talk.until("response.output_text.delta")
        await talk.respond("too early")
        error = await _error(talk, "too early")
        assert error.code == "conversation_already_has_active_response"
        active = talk.of("response.created")[0].response.id
        assert active in error.message
        assert (await talk.until("response.done")).response.status == "completed"
        assert (await answered(talk, 2, output_modalities=TEXT)).output[0].content[0].text == "Short."


# ------------------------------------------------------------------------------------------------ 24: tools


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
        response = await answered(talk)
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
        second = await answered(talk, 2)
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
        response = await answered(talk, 2)
        assert response.output[0].content[0].transcript == "Sunny."
    message = last(stage.asked[1], "tool")
    assert message is not None
    assert (message.content, message.tool_outcome) == ("sun", "answered")


# ------------------------------------------------------------------------------------------------ 25: out of band


async def test_check_25_beside_the_conversation(client: AsyncOpenAI, stage: Stage, tap: Tap) -> None:
    stage.chunk_interval_ms = 60

    def answer(request: Any) -> str:
        asked = last(request, "user")
        return (
            "weather" if asked and asked.content.startswith("Classify") else "A long spoken answer that takes its time."
        )

    stage.answers = answer
    async with talking(client) as talk:
        await talk.type("what is it like outside?")
        await talk.respond()
        first = await talk.until("response.output_audio.delta")
        question = {
            "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Classify what was asked."}],
        }  # fmt: skip
        user = talk.of("conversation.item.done")[0].item.id
        reference = {"type": "item_reference", "id": user}
        metadata = {"topic": "classification", "client_event_id": "abc"}
        items_before = len([e for e in talk.events if e.type.startswith("conversation.item")])
        await talk.respond(
            "aside", conversation="none", input=[reference, question], metadata=metadata, output_modalities=TEXT
        )
        await talk.until_true(lambda: any(e.response.conversation_id is None for e in talk.of("response.done")))
        aside = next(e.response for e in talk.of("response.done") if e.response.conversation_id is None)
        assert aside.metadata == metadata
        created = next(e.response for e in talk.of("response.created") if e.response.id == aside.id)
        assert created.metadata == metadata
        assert created.conversation_id is None
        assert aside.output[0].content[0].text == "weather"
        beside = {item.id for item in aside.output}
        announced = {e.item.id for e in talk.events if e.type.startswith("conversation.item") and hasattr(e, "item")}
        assert not beside & announced, "no conversation.item.* of an aside"
        assert items_before == len([e for e in talk.events if e.type.startswith("conversation.item")])
        await talk.until("response.done", 2)
        main = next(e.response for e in talk.of("response.done") if e.response.id == first.response_id)
        assert main.status == "completed"
        asked = next(request for request in stage.asked if last(request, "user").content.startswith("Classify"))  # type: ignore[union-attr]
        assert [m.content for m in asked.messages if m.role == "user"] == [
            "what is it like outside?", "Classify what was asked.",
        ]  # fmt: skip


async def test_check_25_speech_does_not_cancel_what_is_beside_the_conversation(
    client: AsyncOpenAI, stage: Stage, ten: Said
) -> None:
    stage.says("a long note about what was said " * 8, "Yes?")
    stage.token_interval_ms = 25
    async with talking(client) as talk:
        vad = {"type": "server_vad", "silence_duration_ms": 300}
        await talk.update(audio={"input": {"turn_detection": vad}})
        await talk.respond(conversation="none", input=[], output_modalities=TEXT, metadata={"note": "1"})
        await talk.until("response.output_text.delta")
        await talk.speak(ten.audio(lead_ms=100, tail_ms=600))
        await talk.until("response.done", 2)
        ends = {event.response.conversation_id is None: event.response for event in talk.of("response.done")}
        assert ends[True].status == ends[False].status == "completed"
        assert talk.text(ends[True].id) == "a long note about what was said " * 8


async def test_check_25_empty_input_is_no_context(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("Remembered.", "Fresh.", "After.")
    async with talking(client) as talk:
        await talk.update(output_modalities=TEXT)
        await talk.type("remember this")
        await answered(talk)
        await answered(talk, 2, input=[], instructions="Say something new.")
        assert [m.content for m in stage.asked[1].messages if m.role != "system"] == []
        await answered(talk, 3)
        told = [message.content for message in stage.asked[2].messages if message.role == "assistant"]
        assert told == ["Remembered.", "Fresh."], "it still writes to the conversation"
