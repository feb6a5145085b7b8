"""OpenAI Realtime as a call's model, over TLS, against a fake that OpenAI's own SDK talks to."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter
from tests.providers.fakes.openai_realtime import USAGE, FakeOpenAIRealtime, said
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speaking import MS_PER_CHARACTER, Answer
from tests.providers.fakes.speech import say
from tests.providers.speech_to_speech.calling import BOOK, Caller

from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.providers.base import (
    StreamInterrupted,
    StreamRestored,
    TranscriptionFailed,
)
from antiphon.providers.speech_to_speech import openai_wire as wire
from antiphon.providers.speech_to_speech.base import (
    ReplyAudio,
    ReplyOver,
    ReplyToolCall,
)
from antiphon.providers.speech_to_speech.openai_realtime import OpenAIRealtime, OpenAIRealtimeStream
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, Message, Usage

PATIENCE_S = 60.0


@pytest.fixture
async def vendor() -> AsyncIterator[FakeOpenAIRealtime]:
    async with FakeOpenAIRealtime() as fake:
        yield fake


@pytest.fixture
def trusted(vendor: FakeOpenAIRealtime, tmp_path: Path) -> str:
    return vendor.trust(tmp_path)


@pytest.fixture
async def engine(vendor: FakeOpenAIRealtime, trusted: str) -> AsyncIterator[OpenAIRealtime]:
    engine = OpenAIRealtime(KEY, vendor.base_url, ca_file=trusted)
    await engine.start()
    yield engine
    await engine.close()


@pytest.fixture
async def caller(engine: OpenAIRealtime) -> AsyncIterator[Caller]:
    caller = Caller(engine)
    yield caller
    caller.stream.close()


async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeOpenAIRealtime, trusted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event is what the SDK's types say, and the order is the one its documentation gives."""
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    strict: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])
    vendor.answers.append(Answer(("Hi.", "Two?"), (("book", '{"day":"friday"}'),)))
    client = AsyncOpenAI(api_key=KEY, base_url=vendor.base_url)
    kinds: list[str] = []
    async with client.realtime.connect(model="gpt-realtime") as connection:

        async def next_event(kind: str) -> Any:
            while True:
                event = strict.validate_json(await connection.recv_bytes())
                kinds.append(event.type)
                if event.type == kind:
                    return event

        await next_event("session.created")
        pcmu: Any = {"type": "audio/pcmu"}
        await connection.session.update(
            session={
                "type": "realtime",
                "output_modalities": ["audio"],
                "audio": {"input": {"format": pcmu, "turn_detection": None}, "output": {"format": pcmu}},
            }
        )
        assert (await next_event("session.updated")).session.audio.output.format.type == "audio/pcmu"
        await connection.input_audio_buffer.append(audio=base64.b64encode(say("a table for two", TELEPHONE)).decode())
        await connection.input_audio_buffer.commit()
        heard = await next_event("conversation.item.input_audio_transcription.completed")
        assert heard.transcript == "a table for two"
        await connection.response.create(response={"metadata": {"name": "first"}})
        assert (await next_event("response.created")).response.metadata == {"name": "first"}
        del kinds[:]
        done = await next_event("response.done")
        assert [item.type for item in done.response.output] == ["message", "message", "function_call"]
        assert kinds[:3] == ["response.output_item.added", "conversation.item.added", "response.content_part.added"]
        assert kinds.count("response.output_audio.delta") == 4
        message, call = done.response.output[0], done.response.output[2]
        await connection.conversation.item.truncate(item_id=message.id, content_index=0, audio_end_ms=20)
        assert (await next_event("conversation.item.truncated")).audio_end_ms == 20
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": "booked"}
        )
        assert (await next_event("conversation.item.done")).item.output == "booked"
        await connection.conversation.item.delete(item_id=message.id)
        await next_event("conversation.item.deleted")
        await connection.response.cancel()
        assert (await next_event("error")).error.code == "response_cancel_not_active"
    await client.close()


@pytest.mark.parametrize("audio", [TELEPHONE, AudioFormat(Encoding.ALAW, 8000), AudioFormat(Encoding.PCM16, 24000)])
async def test_a_turn(vendor: FakeOpenAIRealtime, engine: OpenAIRealtime, audio: AudioFormat) -> None:
    vendor.answers.append(Answer(("For how many people?",)))
    caller = Caller(engine, audio)
    assert await caller.says("i want a table") == "i want a table"
    caller.ask(1, Message("user", "i want a table"), tools=(BOOK,), max_tokens=200)
    over = await caller.over(1)
    assert caller.words(1) == "For how many people?"
    assert caller.sound_ms(1) == pytest.approx(len("For how many people?") * MS_PER_CHARACTER, abs=1)
    assert vendor.asked == [[item for item in vendor.asked[0] if item.get("heard")]]
    assert said(vendor.asked[0]) == ["user: i want a table"]
    session = vendor.asked_with[0]
    assert (session["instructions"], session["max_output_tokens"]) == ("Be brief.", 200)
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["tools"][0]["name"] == "book"
    assert over.usage == (
        Usage(input_tokens=119, output_tokens=30, cached_tokens=60, model="gpt-realtime"),
        Usage(input_tokens=13, output_tokens=91, cached_tokens=4, model="audio:gpt-realtime"),
    )
    assert USAGE["input_tokens"] == 119 + 13
    assert vendor.live.refused == []
    caller.stream.close()


async def test_a_tool_and_its_answer(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    vendor.answers += [Answer(("Let me see.",), (("book", '{"day":"friday"}'),)), Answer(("It is yours.",))]
    await caller.says("a table on friday please")
    user = Message("user", "a table on friday please")
    caller.ask(1, user, tools=(BOOK,))
    await caller.over(1)
    (asked,) = caller.of(ReplyToolCall)
    assert (asked.call.name, asked.call.arguments) == ("book", {"day": "friday"})
    answer = Message("tool", "booked", tool_call_id=asked.call.id)
    caller.ask(1, user, Message("assistant", "Let me see.", (asked.call,)), answer, tools=(BOOK,))
    await caller.until(lambda: len(caller.of(ReplyOver)) == 2)
    assert said(vendor.asked[1]) == [
        "user: a table on friday please",
        "assistant: Let me see.",
        'call: book({"day":"friday"})',
        "result: booked",
    ]
    assert vendor.live.refused == []


async def test_a_session_begins_with_its_prompt_and_tools(vendor: FakeOpenAIRealtime, engine: OpenAIRealtime) -> None:
    caller = Caller(engine, tools=(BOOK,))
    caller.ask(1, Message("user", "hello"), tools=(BOOK,))
    await caller.over(1)
    (told,) = [text["session"] for text in vendor.live.texts if text["type"] == "session.update"]
    assert (told["instructions"], told["tools"][0]["name"]) == ("Be brief.", "book")
    caller.stream.close()


async def test_a_step_without_tools_is_told_so_and_the_session_keeps_them(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    caller.ask(1, Message("user", "hello"), tools=(BOOK,))
    await caller.over(1)
    caller.ask(2, Message("user", "hello"), Message("assistant", "Yes."), Message("user", "and?"))
    await caller.over(2)
    first, second = vendor.asked_with
    assert (first["tool_choice"], second["tool_choice"]) == ("auto", "none")
    assert second["tools"] == first["tools"]


async def test_words_of_ours_are_spoken_and_are_in_the_conversation_as_text(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    caller.stream.say(1, "Welcome to the hotel.")
    await caller.over(1)
    assert caller.sound_ms(1) == pytest.approx(len("Welcome to the hotel.") * MS_PER_CHARACTER, abs=1)
    assert caller.words(1) == ""  # whoever asked knows them
    await caller.says("a table")
    caller.ask(2, Message("assistant", "Welcome to the hotel."), Message("user", "a table"))
    await caller.over(2)
    assert said(vendor.asked[0]) == ["assistant: [Welcome to the hotel.]", "user: a table"]
    assert vendor.live.refused == []


async def test_barge_in_stops_the_response_and_the_model_remembers_what_was_heard(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    vendor.answers.append(Answer(("There are many things to say about it.",), held=True))
    caller.ask(1, Message("user", "Tell me."))
    await caller.until(lambda: bool(caller.of(ReplyAudio)))
    caller.stream.cancel(1, 70)
    heard = len(caller.of(ReplyAudio))
    await vendor.until(lambda: bool(vendor.live.truncated) and vendor.live.active is None)
    (item,) = [item for item in vendor.live.items if item["role"] == "assistant"]
    assert vendor.live.truncated == {item["id"]: 70}
    caller.ask(2, Message("user", "Tell me."), Message("assistant", "There", interrupted=True), Message("user", "stop"))
    await caller.over(2)
    assert len(caller.of(ReplyAudio, 1)) == heard
    assert caller.of(ReplyOver, 1) == []
    # What was heard of it stands as the model's own, what was not is not in the way.
    assert said(vendor.asked[1]) == [
        "user: [Tell me.]",
        "assistant: There are many things to say about it.",
        "user: [stop]",
    ]
    assert vendor.live.refused == []


async def test_what_is_cut_after_the_model_has_finished(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    vendor.answers.append(Answer(("One moment.", "It is yours.", "Goodbye.")))
    caller.ask(1, Message("user", "A table?"))
    await caller.over(1)
    first, second, third = [item["id"] for item in vendor.live.items if item["role"] == "assistant"]
    length_ms = round(vendor.live.sounds_ms[first])
    caller.stream.cancel(1, length_ms + 100)
    await vendor.until(lambda: second in vendor.live.truncated and len(vendor.live.items) == 3)
    assert vendor.live.truncated == {second: 100}
    assert third not in [item["id"] for item in vendor.live.items]
    assert vendor.live.refused == []  # there was nothing left to cancel


async def test_a_reply_nobody_heard_is_forgotten(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    caller.ask(1, Message("user", "Hello"))
    await caller.over(1)
    caller.stream.cancel(1, 0)
    await vendor.until(lambda: said(vendor.live.items) == ["user: [Hello]"])


async def test_words_that_the_vendor_cannot_write_down(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    vendor.words_fail = True
    caller.speak("a table")
    await caller.until(lambda: bool(caller.of(TranscriptionFailed)))
    assert caller.of(TranscriptionFailed) == [TranscriptionFailed(1, "no words")]


# ---------------------------------------------------------------------------------------------- what goes wrong


async def test_a_session_that_is_lost_is_told_our_history(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    await caller.says("i want a table")
    vendor.answers.append(Answer(("For how many?",)))
    caller.ask(1, Message("user", "i want a table"))
    await caller.over(1)
    vendor.live.socket.transport.abort()
    await caller.until(lambda: bool(caller.of(StreamRestored)))
    await caller.says("for two")
    history = [Message("user", "i want a table"), Message("assistant", "For how many?"), Message("user", "for two")]
    caller.ask(2, *history)
    await caller.over(2)
    assert said(vendor.asked[1]) == ["user: [i want a table]", "assistant: [For how many?]", "user: for two"]
    assert len(caller.of(StreamInterrupted)) == 1
    assert vendor.asked_with[1]["instructions"] == "Be brief."


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"{", True),
        (b"[]", True),
        (b"\x00", False),
        (b'{"type":"response.done","response":{"id":7}}', True),
        (b'{"type":"response.created"}', True),
        (b'{"type":"input_audio_buffer.committed"}', True),
        (b'{"type":"conversation.item.input_audio_transcription.completed","transcript":"yes"}', True),
    ],
)
def test_what_is_no_event_cannot_be_read(message: bytes, text: bool) -> None:
    with pytest.raises(MalformedMessage):
        wire.read(message, text=text)


async def test_a_fault_of_ours_is_not_taken_for_a_message_that_cannot_be_read(
    vendor: FakeOpenAIRealtime, engine: OpenAIRealtime
) -> None:
    def broken(event: Any) -> None:
        raise KeyError("a fault of whoever is told")

    vendor.no_words = True
    stream = engine.open(TELEPHONE, TELEPHONE, "", 1.0, broken)
    stream.begin(1)
    stream.push(say("yes", TELEPHONE))
    stream.finish(1)
    await vendor.until(lambda: bool(vendor.sessions and vendor.live.items))
    await asyncio.wait_for(_settled(stream), PATIENCE_S)
    words = {"type": "conversation.item.input_audio_transcription.completed", "item_id": vendor.live.items[0]["id"]}
    with pytest.raises(KeyError):
        stream.message(json.dumps({**words, "transcript": "yes"}).encode(), text=True)
    stream.close()


async def _settled(stream: OpenAIRealtimeStream) -> None:
    """Until it knows which item its utterance became."""
    while stream._hearing.unsettled:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def test_options_that_do_not_fit() -> None:
    for options in (
        {"noise_reduction": "loud"},
        {"reply_timeout_ms": 1},
        {"base_url": "nowhere"},
        {"max_utterance_ms": 0},
    ):
        with pytest.raises(ConfigurationError):
            OpenAIRealtime(KEY, **options)  # type: ignore[arg-type]
