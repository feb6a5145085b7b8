"""Check 25: responses beside the conversation, or without its context, with openai-python."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage, last
from tests.conformance.realtime.talk import talking
from tests.conformance.realtime.tap import Tap

TEXT = ["text"]


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
        await talk.answer()
        await talk.answer(2, input=[], instructions="Say something new.")
        assert [m.content for m in stage.asked[1].messages if m.role != "system"] == []
        await talk.answer(3)
        told = [message.content for message in stage.asked[2].messages if message.role == "assistant"]
        assert told == ["Remembered.", "Fresh."], "it still writes to the conversation"
