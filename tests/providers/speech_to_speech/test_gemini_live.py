"""Gemini Live as a call's model, over TLS, against a fake that Google's own SDK talks to. ``test_contract`` has what it shares with others."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google import genai
from google.genai import types
from tests.providers.fakes.gemini_live import HEARD, MODELS, SPOKEN, FakeGeminiLive
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speaking import Answer
from tests.providers.fakes.speech import say


@pytest.fixture
async def vendor() -> AsyncIterator[FakeGeminiLive]:
    async with FakeGeminiLive() as fake:
        yield fake


@pytest.fixture
def trusted(vendor: FakeGeminiLive, tmp_path: Path) -> str:
    return vendor.trust(tmp_path)


@pytest.mark.parametrize("model", MODELS)
async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeGeminiLive, trusted: str, model: str
) -> None:
    """What it sends is understood, and what it is sent is what its types say."""
    vendor.answers += [
        Answer(("Hi.", "Two?"), (("book", '{"day":"friday"}'),)),
        Answer(("Booked.",)),
        Answer(("Slow.",), held=True),
    ]
    options = types.HttpOptions(
        base_url=f"https://localhost:{vendor.port}",
        async_client_args={"ssl": ssl.create_default_context(cafile=trusted)},
    )
    client = genai.Client(api_key=KEY, http_options=options)
    book = types.FunctionDeclaration(name="book", description="Book a table.")
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        system_instruction="Be brief.",
        tools=[types.Tool(function_declarations=[book])],
        input_audio_transcription=types.AudioTranscriptionConfig(),
        output_audio_transcription=types.AudioTranscriptionConfig(),
        session_resumption=types.SessionResumptionConfig(),
        history_config=types.HistoryConfig(initial_history_in_client_content=True) if model == MODELS[0] else None,
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(disabled=True)
        ),
    )
    async with client.aio.live.connect(model=model, config=config) as session:
        turns = [types.Content(role="user", parts=[types.Part(text="Hello?")])]
        await session.send_client_content(turns=turns, turn_complete=model == MODELS[0])
        await session.send_realtime_input(activity_start=types.ActivityStart())
        sound = types.Blob(data=say("a table for two", HEARD), mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=sound)
        await session.send_realtime_input(activity_end=types.ActivityEnd())
        heard, said, sound_bytes, usage = "", "", 0, None
        async for message in session.receive():
            usage = message.usage_metadata or usage
            sound_bytes += len(message.data or b"")
            if (content := message.server_content) is not None:
                heard += (content.input_transcription and content.input_transcription.text) or ""
                said += (content.output_transcription and content.output_transcription.text) or ""
            for call in (message.tool_call and message.tool_call.function_calls) or ():
                assert (call.name, call.args) == ("book", {"day": "friday"})
                done = types.FunctionResponse(id=call.id, name=call.name, response={"output": "booked"})
                await session.send_tool_response(function_responses=[done])
        assert (heard, said) == ("a table for two", "Hi. Two?Booked.")
        assert sound_bytes == SPOKEN.bytes_for_ms(20 * len("Hi.Two?Booked."))
        assert usage is not None and usage.prompt_token_count == 132
        update = await anext(session.receive())
        assert update.session_resumption_update is not None and update.session_resumption_update.new_handle
        await session.send_realtime_input(activity_start=types.ActivityStart())
        await session.send_realtime_input(text="And on Monday?")
        await session.send_realtime_input(activity_end=types.ActivityEnd())
        assert (await anext(session.receive())).data
        await session.send_realtime_input(activity_start=types.ActivityStart())
        kinds = [message.server_content async for message in session.receive()]
        assert any(content is not None and content.interrupted for content in kinds)
        await vendor.live.go_away()
        assert (await anext(session.receive())).go_away == types.LiveServerGoAway(time_left="50s")
    assert vendor.asked[-1] == [
        "user: [Hello?]",
        "user: a table for two",
        "assistant: Hi.",
        "assistant: Two?",
        'call: book({"day":"friday"})',
        "result: booked",
        "assistant: Booked.",
        "user: [And on Monday?]",
    ]
    assert vendor.refused == []
