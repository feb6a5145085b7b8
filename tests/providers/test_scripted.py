"""The scripted engines keep their contracts, and their script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.providers.contract import (
    Ear,
    LanguageModelContract,
    SpeechToTextContract,
    TextToSpeechContract,
    joined,
    request_of,
    speak,
    think,
)

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import (
    EndCallDelta,
    ExpectedAnswers,
    ModelRequest,
    SpeechRequest,
    TextDelta,
    ToolCallDelta,
    Transcribed,
)
from antiphon.providers.scripted import (
    ScriptedLanguageModel,
    ScriptedReply,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedTurnDetector,
)
from antiphon.vocabulary import TELEPHONE, CallContext, Message, ToolCall

ANYTHING = ExpectedAnswers()


class TestSpeechToTextContract(SpeechToTextContract):
    @pytest.fixture
    async def stt(self) -> AsyncIterator[ScriptedSpeechToText]:
        engine = ScriptedSpeechToText(("yes", "no"), final_delay_ms=1)
        await engine.start()
        yield engine
        await engine.close()


class TestTextToSpeechContract(TextToSpeechContract):
    @pytest.fixture
    async def tts(self) -> AsyncIterator[ScriptedTextToSpeech]:
        engine = ScriptedTextToSpeech(first_chunk_ms=1)
        await engine.start()
        yield engine
        await engine.close()


class TestLanguageModelContract(LanguageModelContract):
    @pytest.fixture
    async def llm(self) -> AsyncIterator[ScriptedLanguageModel]:
        engine = ScriptedLanguageModel(("Hello to you.",), first_token_ms=1)
        await engine.start()
        yield engine
        await engine.close()


async def test_each_call_hears_the_script_from_its_beginning() -> None:
    engine = ScriptedSpeechToText(("first words", "second"))
    for _ in range(2):
        ear = Ear()
        stream = engine.open(TELEPHONE, ANYTHING, ear)
        for utterance in (1, 2, 3):
            stream.begin(utterance)
            stream.finish(utterance)
            await ear.wait_for(utterance)
        assert [event.text for event in ear.answers if isinstance(event, Transcribed)] == ["first words", "second", ""]


async def test_partials_grow_with_the_audio() -> None:
    engine = ScriptedSpeechToText(lambda index: f"utterance number {index}", partial_every_ms=100)
    ear = Ear()
    stream = engine.open(TELEPHONE, ANYTHING, ear)
    stream.begin(1)
    for _ in range(25):
        stream.push(bytes(160))
    assert ear.partials == ["utterance", "utterance number", "utterance number 0"]
    stream.finish(1)
    assert (await ear.wait_for(1))[0] == Transcribed(1, "utterance number 0", True, 1.0)


async def test_the_final_takes_its_time() -> None:
    engine = ScriptedSpeechToText(("yes",), final_delay_ms=30)
    ear = Ear()
    stream = engine.open(TELEPHONE, ANYTHING, ear)
    loop = asyncio.get_running_loop()
    stream.begin(1)
    stream.finish(1)
    start_s = loop.time()
    await ear.wait_for(1)
    assert loop.time() - start_s >= 0.029


async def test_replies_follow_the_history() -> None:
    model = ScriptedLanguageModel(("one", "two", "three"))
    history = (
        Message("assistant", "Hello?"),
        Message("user", "a"),
        Message("assistant", "", tool_calls=(ToolCall("1", "t"), ToolCall("2", "t"))),
        Message("tool", "x", tool_call_id="1"),
        Message("tool", "y", tool_call_id="2"),
        Message("assistant", "two"),
        Message("user", "b"),
        Message("user", "c"),
    )
    said = []
    for length in (1, 2, 5, 7, 8):
        deltas = await think(model, ModelRequest(history[:length], (), CallContext("test")))
        said.append("".join(delta.text for delta in deltas if isinstance(delta, TextDelta)))
    assert said == ["one", "one", "two", "three", "one"]


async def test_a_reply_may_ask_for_tools_and_end_the_call() -> None:
    call = ToolCall("c1", "book", {"when": "noon"})
    model = ScriptedLanguageModel(lambda request: ScriptedReply("Done. Goodbye.", (call,), end_call=True))
    assert await think(model, request_of("book it")) == [
        TextDelta("Done. Goodbye."),
        ToolCallDelta(call),
        EndCallDelta(),
    ]


async def test_tokens_keep_their_pace_in_few_pieces() -> None:
    text = " ".join(f"word{number}" for number in range(40))
    model = ScriptedLanguageModel((text,), first_token_ms=10, token_interval_ms=2)
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    deltas = await think(model, request_of("go"))
    assert loop.time() - start_s >= (10 + 39 * 2) / 1000 - 0.002
    pieces = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert pieces[0] == "word0 "
    assert "".join(pieces) == text
    assert len(pieces) <= 6


async def test_a_model_with_no_script_says_nothing() -> None:
    assert await think(ScriptedLanguageModel(), request_of("hello")) == []


@pytest.mark.parametrize(("text", "speed"), [("Hello.", 1.0), ("A longer sentence, in fact.", 1.3), ("x", 0.5)])
async def test_a_speech_lasts_what_the_script_says(text: str, speed: float) -> None:
    voice = ScriptedTextToSpeech(ms_per_character=57, chunk_ms=130)
    for audio in voice.formats:
        chunks = await speak(voice, SpeechRequest(text, audio, speed=speed))
        assert len(joined(chunks)) == audio.bytes_for_ms(voice.duration_ms(text, speed))
        assert max(audio.ms_of(len(chunk.audio)) for chunk in chunks) <= 131


async def test_a_long_speech_goes_on_humming() -> None:
    voice = ScriptedTextToSpeech(ms_per_character=1000, chunk_ms=3000)
    audio = joined(await speak(voice, SpeechRequest("seven s", TELEPHONE)))
    assert audio[:16000] == audio[16000:32000] == audio[32000:48000]


async def test_a_fixed_opinion() -> None:
    assert await ScriptedTurnDetector(0.3).probability((), "well") == 0.3


async def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        ScriptedTurnDetector(2.0)
    with pytest.raises(ConfigurationError):
        ScriptedSpeechToText(final_delay_ms=-1)
    with pytest.raises(ConfigurationError):
        ScriptedTextToSpeech(chunk_ms=0)
    with pytest.raises(ProviderError):
        await speak(ScriptedTextToSpeech(), SpeechRequest("x", TELEPHONE, speed=float("nan")))
