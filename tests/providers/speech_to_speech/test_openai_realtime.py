"""OpenAI Realtime as a call's model, over TLS, against a fake that OpenAI's own SDK talks to."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter
from tests.providers.fakes.openai_realtime import MS_PER_CHARACTER, USAGE, Answer, FakeOpenAIRealtime, said
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say

from antiphon.errors import ConfigurationError, MalformedMessage, ProviderError
from antiphon.providers.base import (
    ModelRequest,
    StreamInterrupted,
    StreamRestored,
    Transcribed,
    TranscriptionFailed,
)
from antiphon.providers.speech_to_speech import openai_wire as wire
from antiphon.providers.speech_to_speech.base import (
    ReplyAudio,
    ReplyFailed,
    ReplyOver,
    ReplyToolCall,
    ReplyWords,
)
from antiphon.providers.speech_to_speech.openai_realtime import OpenAIRealtime, OpenAIRealtimeStream
from antiphon.vocabulary import TELEPHONE, AudioFormat, CallContext, Encoding, Message, ToolSpec, Usage

SYSTEM = Message("system", "Be brief.")
BOOK = ToolSpec("book", "Book a table.", {"type": "object", "properties": {"day": {"type": "string"}}})
PATIENCE_S = 20.0


@pytest.fixture
async def vendor() -> AsyncIterator[FakeOpenAIRealtime]:
    async with FakeOpenAIRealtime() as fake:
        yield fake


@pytest.fixture
def trusted(vendor: FakeOpenAIRealtime, tmp_path: Path) -> str:
    return vendor.trust(tmp_path)


class Caller:
    """One call on the engine, and all that is told of it."""

    def __init__(self, engine: OpenAIRealtime, audio: AudioFormat = TELEPHONE) -> None:
        self.events: list[Any] = []
        self.audio = audio
        self._changed = asyncio.Event()
        self.stream = engine.open(audio, audio, "", 1.0, self._note)
        self.utterances = 0

    def _note(self, event: Any) -> None:
        self.events.append(event)
        self._changed.set()

    def of(self, kind: type, reply: int | None = None) -> list[Any]:
        return [each for each in self.events if isinstance(each, kind) and (reply is None or each.reply == reply)]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def speak(self, text: str) -> int:
        """Say something, in frames of 20 ms. Returns the utterance's number."""
        self.utterances += 1
        self.stream.begin(self.utterances)
        speech, frame = say(text, self.audio), self.audio.bytes_for_ms(20)
        for start in range(0, len(speech), frame):
            self.stream.push(speech[start : start + frame])
        self.stream.finish(self.utterances)
        return self.utterances

    async def says(self, text: str) -> str:
        """Say something and wait for its words."""
        number = self.speak(text)
        await self.until(lambda: any(each.utterance == number and each.final for each in self.of(Transcribed)))
        return next(each.text for each in self.of(Transcribed) if each.utterance == number)

    def ask(self, reply: int, *history: Message, tools: tuple[ToolSpec, ...] = (), **options: Any) -> None:
        self.stream.respond(reply, ModelRequest((SYSTEM, *history), tools, CallContext("call"), options))

    async def over(self, reply: int) -> Any:
        """How it ended."""
        await self.until(lambda: bool(self.of(ReplyOver, reply) or self.of(ReplyFailed, reply)))
        return (*self.of(ReplyOver, reply), *self.of(ReplyFailed, reply))[0]

    def sound_ms(self, reply: int) -> float:
        return self.audio.ms_of(sum(len(each.audio) for each in self.of(ReplyAudio, reply)))

    def words(self, reply: int) -> str:
        return "".join(each.text for each in self.of(ReplyWords, reply))


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


async def test_every_message_of_a_response_is_heard(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    vendor.answers.append(Answer(("One moment.", "There is one.")))
    caller.ask(1, Message("user", "A table?"))
    await caller.over(1)
    assert caller.words(1) == "One moment. There is one."
    assert caller.sound_ms(1) == pytest.approx(len("One moment.There is one.") * MS_PER_CHARACTER, abs=1)


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


async def test_a_reply_that_waits_is_cancelled_before_it_is_asked_for(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    vendor.answers.append(Answer(("One.",), held=True))
    caller.ask(1, Message("user", "one"))
    await caller.until(lambda: bool(caller.of(ReplyAudio)))
    caller.ask(2, Message("user", "two"))
    caller.stream.cancel(2, 0)
    vendor.go.set()
    await caller.over(1)
    caller.ask(3, Message("user", "three"))
    await caller.over(3)
    assert [len(caller.of(ReplyOver, reply)) for reply in (1, 2, 3)] == [1, 0, 1]
    assert len(vendor.asked) == 2


async def test_a_response_is_asked_for_after_the_one_before(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    caller.stream.say(1, "One moment, please.")
    caller.ask(1, Message("user", "hello"))
    await caller.until(lambda: len(caller.of(ReplyOver, 1)) == 2)
    assert vendor.live.refused == []
    assert caller.words(1) == "Yes."


async def test_a_short_sound_is_no_words_and_not_the_vendors_business(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    caller.stream.begin(1)
    caller.stream.push(b"\xff" * TELEPHONE.bytes_for_ms(60))
    caller.stream.finish(1)
    await caller.until(lambda: bool(caller.of(Transcribed)))
    assert caller.of(Transcribed) == [Transcribed(1, "", True)]
    caller.utterances = 1
    assert await caller.says("yes please") == "yes please"
    assert vendor.live.refused == []


async def test_words_that_the_vendor_cannot_write_down(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    vendor.words_fail = True
    caller.speak("a table")
    await caller.until(lambda: bool(caller.of(TranscriptionFailed)))
    assert caller.of(TranscriptionFailed) == [TranscriptionFailed(1, "no words")]


async def test_words_that_never_come(vendor: FakeOpenAIRealtime, trusted: str) -> None:
    vendor.no_words = True
    caller = Caller(OpenAIRealtime(KEY, vendor.base_url, ca_file=trusted, words_timeout_ms=500))
    caller.speak("a table")
    await caller.until(lambda: bool(caller.of(TranscriptionFailed)))
    caller.stream.close()


async def test_an_utterance_that_is_superseded_fails_and_leaves_no_sound_behind(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    assert await caller.says("yes") == "yes"
    caller.stream.begin(2)
    caller.stream.push(say("no no no", TELEPHONE))
    caller.stream.begin(3)
    caller.stream.push(say("thank you", TELEPHONE))
    caller.stream.finish(3)
    await caller.until(lambda: len(caller.of(Transcribed)) == 2)
    assert [(each.utterance, each.text) for each in caller.of(Transcribed)] == [(1, "yes"), (3, "thank you")]
    assert [each.utterance for each in caller.of(TranscriptionFailed)] == [2]


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


async def test_speech_that_has_no_words_yet_is_heard_again_by_the_next_session(
    vendor: FakeOpenAIRealtime, engine: OpenAIRealtime
) -> None:
    vendor.faults.add("drop_after_words")
    vendor.faults.drop_after_words = 3
    caller = Caller(engine)
    await vendor.until(lambda: vendor.live_is_ready)
    assert await caller.says("i want a table for two") == "i want a table for two"
    assert caller.of(StreamRestored)[0].replayed_ms > 0
    assert len(vendor.sessions) == 2
    caller.stream.close()


async def test_a_reply_of_which_nothing_was_heard_is_asked_for_again(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    vendor.answers += [Answer(trouble="drop_before"), Answer(("Here I am.",))]
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyOver)
    assert caller.words(1) == "Here I am."
    assert said(vendor.asked[1]) == ["user: [hello]"]


async def test_a_reply_that_breaks_off_has_failed_and_is_not_begun_again(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    vendor.answers.append(Answer(("A long story that nobody hears.",), trouble="drop_in_the_middle"))
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyFailed)
    caller.ask(2, Message("user", "hello"))
    assert isinstance(await caller.over(2), ReplyOver)
    assert len(vendor.sessions) == 2


async def test_a_session_that_has_reached_its_longest_duration_is_replaced(
    vendor: FakeOpenAIRealtime, caller: Caller
) -> None:
    vendor.answers += [Answer(trouble="expire"), Answer(("Still here.",))]
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyOver)
    assert caller.words(1) == "Still here."


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(trouble="fail"), "the model is overloaded"),
        (Answer(calls=(("book", "{oops"),)), "no JSON object"),
    ],
)
async def test_a_response_that_fails(vendor: FakeOpenAIRealtime, caller: Caller, answer: Answer, problem: str) -> None:
    vendor.answers.append(answer)
    caller.ask(1, Message("user", "hello"), tools=(BOOK,))
    failed = await caller.over(1)
    assert isinstance(failed, ReplyFailed) and problem in failed.problem
    caller.ask(2, Message("user", "hello"))
    assert isinstance(await caller.over(2), ReplyOver)


async def test_a_response_that_never_comes_is_given_up_and_the_next_one_comes(
    vendor: FakeOpenAIRealtime, trusted: str
) -> None:
    vendor.answers.append(Answer(trouble="mute"))
    caller = Caller(OpenAIRealtime(KEY, vendor.base_url, ca_file=trusted, reply_timeout_ms=500))
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyFailed)
    caller.ask(2, Message("user", "hello"))
    assert isinstance(await caller.over(2), ReplyOver)
    caller.stream.close()


async def test_sound_that_cannot_be_read_is_left_out(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    vendor.answers.append(Answer(("Noise.",), trouble="strange_audio"))
    caller.ask(1, Message("user", "hello"))
    assert isinstance(await caller.over(1), ReplyOver)
    assert (caller.words(1), caller.sound_ms(1)) == ("Noise.", 0)


async def test_messages_that_are_none(vendor: FakeOpenAIRealtime, trusted: str) -> None:
    vendor.faults.add("garbage")
    caller = Caller(OpenAIRealtime(KEY, vendor.base_url, ca_file=trusted))
    assert await caller.says("yes") == "yes"
    caller.stream.close()


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


async def test_a_key_that_is_refused_is_told_at_once(vendor: FakeOpenAIRealtime, trusted: str) -> None:
    caller = Caller(OpenAIRealtime("wrong", vendor.base_url, ca_file=trusted))
    caller.ask(1, Message("user", "hello"))
    caller.speak("a table")
    failed = await caller.over(1)
    assert "api_key" in failed.problem and failed.gone
    await caller.until(lambda: bool(caller.of(TranscriptionFailed)))
    assert len(vendor.requests) == 1
    caller.stream.close()


async def test_nothing_is_told_after_close(vendor: FakeOpenAIRealtime, caller: Caller) -> None:
    vendor.answers.append(Answer(("Long.",), held=True))
    caller.ask(1, Message("user", "hello"))
    await caller.until(lambda: bool(caller.of(ReplyAudio)))
    caller.stream.close()
    caller.stream.close()
    told = len(caller.events)
    vendor.go.set()
    await vendor.until(lambda: vendor.live.socket.state.name == "CLOSED")
    assert len(caller.events) == told


def test_options_that_do_not_fit() -> None:
    for options in (
        {"noise_reduction": "loud"},
        {"reply_timeout_ms": 1},
        {"base_url": "nowhere"},
        {"max_utterance_ms": 0},
    ):
        with pytest.raises(ConfigurationError):
            OpenAIRealtime(KEY, **options)  # type: ignore[arg-type]


async def test_an_unknown_format_is_refused(engine: OpenAIRealtime) -> None:
    wide = AudioFormat(Encoding.PCM16, 16000)
    with pytest.raises(ProviderError):
        engine.open(wide, wide, "", 1.0, lambda event: None)
