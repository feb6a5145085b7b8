"""Check 21: what clients say about how much was heard, right or wrong."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.conformance.realtime.stage import Stage, last
from tests.conformance.realtime.talk import Talk, talking

WORDS = "one two three four five six seven eight nine ten eleven twelve"


async def truncate(talk: Talk, item_id: str, audio_end_ms: int, content_index: int = 0) -> Any:
    """The server's answer: ``truncated`` or an error."""
    count = len(talk.of("conversation.item.truncated")) + len(talk.of("error"))
    await talk.send(
        "conversation.item.truncate", item_id=item_id, content_index=content_index, audio_end_ms=audio_end_ms
    )
    await talk.until_true(
        lambda: len(talk.of("conversation.item.truncated")) + len(talk.of("error")) > count, "an answer to truncate"
    )
    return next(e for e in reversed(talk.events) if e.type in ("conversation.item.truncated", "error"))


async def spoken(talk: Talk) -> str:
    """The item of a spoken answer that was made whole."""
    count = len(talk.of("response.done")) + 1
    await talk.respond()
    return str((await talk.until("response.done", count)).response.output[0].id)


async def retrieved(talk: Talk, item_id: str) -> Any:
    count = len(talk.of("conversation.item.retrieved")) + 1
    await talk.send("conversation.item.retrieve", item_id=item_id)
    return (await talk.until("conversation.item.retrieved", count)).item


async def heard_by_model(talk: Talk, stage: Stage) -> str | None:
    """What the model is told of its last answer."""
    await spoken(talk)
    message = last(stage.asked[-1], "assistant")
    return message.content if message else None


@pytest.mark.parametrize(("heard_ms", "words"), [(520, "one two three"), (10_000, WORDS), (0, None)])
async def test_check_21_heard_in_part_more_than_whole_or_not_at_all(
    client: AsyncOpenAI, stage: Stage, heard_ms: int, words: str | None
) -> None:
    """More than there was is clamped: clients reckon by the wall clock, and for Pipecat an error would be fatal."""
    stage.says(WORDS)
    whole_ms = stage.duration_ms(WORDS)
    async with talking(client) as talk:
        item_id = await spoken(talk)
        answer = await truncate(talk, item_id, heard_ms)
        assert answer.type == "conversation.item.truncated"
        assert (answer.item_id, answer.content_index, answer.audio_end_ms) == (item_id, 0, min(heard_ms, whole_ms))
        item = await retrieved(talk, item_id)
        kept = (item.content[0].transcript or "").strip() if item.content else ""
        assert kept == (words or "")
        assert await heard_by_model(talk, stage) == words


async def test_check_21_twice(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says(WORDS)
    async with talking(client) as talk:
        item_id = await spoken(talk)
        for heard_ms in (1000, 520):
            assert (await truncate(talk, item_id, heard_ms)).audio_end_ms == heard_ms
        again = await truncate(talk, item_id, 1000)
        assert again.type == "conversation.item.truncated", "what is gone does not come back, but it is no fault to ask"
        assert await heard_by_model(talk, stage) == "one two three"


async def test_check_21_what_cannot_be_truncated(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says(WORDS)
    async with talking(client) as talk:
        await talk.type("hello")
        user = (await talk.until("conversation.item.done")).item.id
        item_id = await spoken(talk)
        unknown = await truncate(talk, "item_nowhere", 100)
        assert unknown.error.code == "item_truncate_invalid_item_id"
        assert (await truncate(talk, user, 100)).type == "error"
        assert (await truncate(talk, item_id, 100, content_index=3)).type == "error"
        assert (await truncate(talk, item_id, -5)).type == "error"
        assert (await truncate(talk, item_id, 520)).type == "conversation.item.truncated", "the session goes on"


async def test_check_21_delete_in_place_of_truncating_to_nothing(client: AsyncOpenAI, stage: Stage) -> None:
    """LiveKit's way."""
    stage.says(WORDS)
    async with talking(client) as talk:
        await talk.type("hello")
        item_id = await spoken(talk)
        await talk.send("conversation.item.delete", item_id=item_id)
        assert (await talk.until("conversation.item.deleted")).item_id == item_id
        assert await heard_by_model(talk, stage) is None
        added = talk.of("conversation.item.added")
        assert added[-1].previous_item_id == added[0].item.id


async def test_what_is_truncated_while_it_is_made_stays_cut(client: AsyncOpenAI, stage: Stage) -> None:
    stage.says(WORDS)
    stage.chunk_interval_ms = 150
    async with talking(client) as talk:
        await talk.respond()
        delta = await talk.until("response.output_audio.delta", 4)
        await talk.send("response.cancel")
        done = (await talk.until("response.done")).response
        assert done.status == "cancelled"
        answer = await truncate(talk, delta.item_id, 320)
        assert answer.audio_end_ms == 320
        stage.chunk_interval_ms = 0
        assert await heard_by_model(talk, stage) in ("one two", "one two three")
