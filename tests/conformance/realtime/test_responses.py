"""Checks 9, 22 and 23: responses that are asked for, with openai-python."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.conformance.realtime.stage import Stage, last
from tests.conformance.realtime.talk import talking

TEXT = ["text"]
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


# ------------------------------------------------------------------------------------------------ 9: text


async def test_check_9_a_text_turn(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("The quick brown fox jumps over the lazy dog.")
    stage.token_interval_ms = 25
    async with talking(client) as talk:
        await talk.type("say something with every letter")
        response = await talk.answer(output_modalities=TEXT)
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
        response = await talk.answer()
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
        contents = [(await talk.answer()).output[0].content[0]]
        contents += [(await talk.answer(2, output_modalities=TEXT)).output[0].content[0]]
        contents += [(await talk.answer(3)).output[0].content[0]]
        await talk.update(output_modalities=TEXT)
        contents += [(await talk.answer(4)).output[0].content[0]]
        assert [content.type for content in contents] == ["output_audio", "output_text", "output_audio", "output_text"]
    told = [message.content for message in stage.asked[-1].messages if message.role == "assistant"]
    assert told == ["Spoken.", "Written.", "Spoken again."]


async def test_instructions_of_the_session_and_of_one_response(client: AsyncOpenAI, stage: Stage) -> None:
    async with talking(client) as talk:
        await talk.update(instructions="Be kind.", output_modalities=TEXT)
        await talk.answer()
        await talk.answer(2, instructions="Be brief.", max_output_tokens=50)
        await talk.answer(3, instructions=None)
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
        await talk.answer()
        for verb, code in (("retrieve", "item_retrieve_invalid_item_id"), ("delete", "item_delete_invalid_item_id")):
            await talk.send(f"conversation.item.{verb}", item_id="x", event_id=f"rci_{verb}")
            error = await talk.error(f"rci_{verb}")
            assert error.code == code
            assert "'x' does not exist" in error.message
    said = [message.content for message in stage.asked[0].messages if message.role == "user"]
    assert said == ["first", "second", "second and a half", "third"]


# ------------------------------------------------------------------------------------------------ 22: cancel


async def test_check_22_cancelling_nothing(client: AsyncOpenAI) -> None:
    async with talking(client) as talk:
        for event_id in ("one", "two"):
            await talk.send("response.cancel", event_id=event_id)
            error = await talk.error(event_id)
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
        assert (await talk.error("twice")).code == "response_cancel_not_active"
        stage.says("Next.")
        assert (await talk.answer(2, output_modalities=TEXT)).status == "completed"
        after = [event for event in talk.events[talk.events.index(done) + 1 :] if event.type.startswith("response.")]
        assert all(getattr(event, "response_id", "") != done.response.id for event in after)


async def test_check_22_cancelling_another_response_than_the_active_one(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says("word " * 200)
    stage.token_interval_ms = 30
    async with talking(client) as talk:
        await talk.respond(output_modalities=TEXT)
        await talk.until("response.output_text.delta")
        await talk.send("response.cancel", response_id="resp_other", event_id="other")
        assert (await talk.error("other")).code == "response_cancel_not_active"
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
        error = await talk.error("too early")
        assert error.code == "conversation_already_has_active_response"
        active = talk.of("response.created")[0].response.id
        assert active in error.message
        assert (await talk.until("response.done")).response.status == "completed"
        assert (await talk.answer(2, output_modalities=TEXT)).output[0].content[0].text == "Short."
