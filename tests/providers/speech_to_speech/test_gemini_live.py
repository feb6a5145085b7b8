"""Gemini Live as a call's model, over TLS, against a fake that Google's own SDK talks to. What others do too is in ``test_contract``."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import types
from tests.providers.fakes.gemini_live import HEARD, MODELS, SPOKEN, FakeGeminiLive, LiveSession, notes_in, said
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speaking import MS_PER_CHARACTER, Answer
from tests.providers.fakes.speech import say
from tests.providers.speech_to_speech.calling import BOOK, Caller

from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.providers.base import ModelRequest, StreamInterrupted, StreamRestored, Transcribed
from antiphon.providers.socket import SocketLimits
from antiphon.providers.speech_to_speech import gemini_wire as wire
from antiphon.providers.speech_to_speech.base import ReplyAudio, ReplyFailed, ReplyOver, ReplyToolCall
from antiphon.providers.speech_to_speech.gemini_live import GeminiLive
from antiphon.providers.speech_to_speech.gemini_wire import seconds_of
from antiphon.vocabulary import CallContext, Message, Usage

MODEL = MODELS[0]


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
        heard, spoken, sound_bytes, usage = "", "", 0, None
        async for message in session.receive():
            usage = message.usage_metadata or usage
            sound_bytes += len(message.data or b"")
            if (content := message.server_content) is not None:
                heard += (content.input_transcription and content.input_transcription.text) or ""
                spoken += (content.output_transcription and content.output_transcription.text) or ""
            for call in (message.tool_call and message.tool_call.function_calls) or ():
                assert (call.name, call.args) == ("book", {"day": "friday"})
                done = types.FunctionResponse(id=call.id, name=call.name, response={"output": "booked"})
                await session.send_tool_response(function_responses=[done])
        assert (heard, spoken) == ("a table for two", "Hi. Two?Booked.")
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


# ---------------------------------------------------------------------------------------------- a call


@pytest.fixture
async def engine(vendor: FakeGeminiLive, trusted: str) -> GeminiLive:
    return GeminiLive(KEY, vendor.base_url, MODEL, ca_file=trusted)


@pytest.fixture
async def caller(engine: GeminiLive) -> AsyncIterator[Caller]:
    caller = Caller(engine, HEARD, SPOKEN, tools=(BOOK,))
    yield caller
    caller.stream.close()


async def test_what_the_session_is_told_as_it_begins(vendor: FakeGeminiLive, trusted: str) -> None:
    engine = GeminiLive(
        KEY, vendor.base_url, MODEL, voice="Kore", language="de-DE", reasoning_effort="low", ca_file=trusted
    )
    before = (Message("user", "Hello?"), Message("assistant", "Yes?"))
    caller = Caller(engine, HEARD, SPOKEN, *before, tools=(BOOK,))
    caller.ask(1, *before, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(1)
    (setup,) = vendor.asked_with
    assert setup["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert setup["generationConfig"] == {
        "responseModalities": ["AUDIO"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        "thinkingConfig": {"thinkingLevel": "low"},
    }
    assert setup["inputAudioTranscription"] == {"languageCodes": ["de-DE"]}
    assert setup["realtimeInputConfig"] == {"automaticActivityDetection": {"disabled": True}}
    assert setup["tools"][0]["functionDeclarations"][0]["name"] == "book"
    assert vendor.asked == [["user: [Hello?]", "assistant: [Yes?]", "user: a table"]]
    assert (vendor.refused, len(vendor.sessions)) == ([], 1)
    caller.stream.close()


async def test_what_it_makes_is_held_back_until_it_is_asked_for(vendor: FakeGeminiLive, caller: Caller) -> None:
    await caller.says("a table")
    await vendor.until(lambda: bool(vendor.kept))  # its turn is over
    assert [each for each in caller.events if not isinstance(each, Transcribed)] == []
    caller.ask(1, Message("user", "a table"), tools=(BOOK,))
    over = await caller.over(1)
    assert (caller.words(1), len(vendor.asked)) == ("Yes.", 1)
    assert over.usage == (
        Usage(input_tokens=119, output_tokens=30, model=MODEL),
        Usage(input_tokens=13, output_tokens=91, model=f"audio:{MODEL}"),
    )


async def test_a_caller_who_goes_on_is_answered_once(vendor: FakeGeminiLive, caller: Caller) -> None:
    vendor.answers += [Answer(("What day would suit you?",), held=True), Answer(("On Friday then.",))]
    await caller.says("a table")
    await vendor.until(lambda: vendor.live.turn is not None and bool(vendor.live.turn.lines))
    await caller.says("on friday")
    caller.ask(1, Message("user", "a table on friday"), tools=(BOOK,))
    await caller.over(1)
    assert caller.words(1) == "On Friday then."
    assert said(vendor.asked[1]) == ["user: a table", "assistant: What day would suit you?", "user: on friday"]
    (note,) = notes_in(vendor.asked[1])
    assert note.startswith('of your words "What') and note.endswith("the caller has heard nothing")
    caller.ask(2, *answered("a table on friday", "On Friday then."), Message("user", await caller.says("yes")))
    await caller.over(2)
    assert (vendor.refused, len(vendor.sessions)) == ([], 1)


async def test_an_interruption_is_told_with_what_was_heard(vendor: FakeGeminiLive, caller: Caller) -> None:
    story = "There are many things to say about it, and all of them take long."
    vendor.answers += [Answer((story,)), Answer(("Fine.",)), Answer(("Goodbye.",))]
    caller.ask(1, Message("user", await caller.says("yes")), tools=(BOOK,))
    await caller.over(1)
    # It answers the interruption before our side knows that it is one: it is told what was heard until now.
    caller.playing[1] = MS_PER_CHARACTER * len("There are many")
    words = await caller.says("no thank you")
    caller.stream.cancel(1, caller.playing.pop(1))
    history = (Message("user", "yes"), Message("assistant", "There are many", interrupted=True), Message("user", words))
    caller.ask(2, *history, tools=(BOOK,))
    await caller.over(2)
    assert caller.words(2) == "Fine."
    assert notes_in(vendor.asked[1]) == [f'of your words "{story}" the caller has heard no more than "There are many"']
    caller.ask(3, *history, Message("assistant", "Fine."), Message("user", await caller.says("yes")), tools=(BOOK,))
    await caller.over(3)
    assert notes_in(vendor.asked[2]) == notes_in(vendor.asked[1])  # it is told once
    assert (vendor.refused, len(vendor.sessions)) == ([], 1)


async def test_words_of_ours_are_told_with_the_callers_next(vendor: FakeGeminiLive, caller: Caller) -> None:
    await vendor.until(lambda: vendor.live_is_ready)
    caller.stream.say(1, "Welcome to the hotel.")
    await caller.over(1)
    greeting = Message("assistant", "Welcome to the hotel.")
    caller.ask(2, greeting, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(2)
    assert notes_in(vendor.asked[0]) == ['you have said: "Welcome to the hotel."']
    readers = [each for each in vendor.sessions if isinstance(each, LiveSession) and each.reads]
    assert [each.lines[0] for each in readers] == ["user: [Welcome to the hotel.]"]


async def test_words_of_ours_that_are_cut_short(vendor: FakeGeminiLive, caller: Caller) -> None:
    await vendor.until(lambda: vendor.live_is_ready)
    vendor.own_words_trouble.append("mute")
    caller.stream.say(1, "Welcome to the hotel.")
    await vendor.until(
        lambda: any(isinstance(each, LiveSession) and each.reads and each.turn for each in vendor.sessions)
    )
    caller.stream.cancel(1, 0)
    caller.ask(2, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(2)
    assert notes_in(vendor.asked[0]) == []
    caller.stream.say(3, "One moment.")  # by another session: the one that was stopped is gone
    assert isinstance(await caller.over(3), ReplyOver)


async def test_other_instructions_need_another_session(vendor: FakeGeminiLive, caller: Caller) -> None:
    vendor.answers += [Answer(("For how many?",)), Answer(("Never heard.",)), Answer(("Guten Tag.",))]
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(1)
    history = (*answered("a table", "For how many?"), Message("user", await caller.says("for two")))
    german = ModelRequest((Message("system", "Speak German."), *history), (BOOK,), CallContext("call"), {})
    caller.stream.respond(2, german)
    await caller.over(2)
    assert caller.words(2) == "Guten Tag."
    assert vendor.asked_with[2]["systemInstruction"] == {"parts": [{"text": "Speak German."}]}
    assert vendor.asked[2] == ["user: [a table]", "assistant: [For how many?]", "user: [for two]"]
    assert (vendor.refused, len(vendor.sessions)) == ([], 2)


async def test_a_history_that_is_another_needs_another_session(vendor: FakeGeminiLive, caller: Caller) -> None:
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(1)
    other = answered("what is the time", "It is three.")
    caller.ask(2, *other, Message("user", "and now?"), tools=(BOOK,))
    await caller.over(2)
    assert vendor.asked[-1] == ["user: [what is the time]", "assistant: [It is three.]", "user: [and now?]"]
    assert (vendor.refused, len(vendor.sessions)) == ([], 2)


async def test_what_was_typed_is_asked_as_text(vendor: FakeGeminiLive, caller: Caller) -> None:
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(1)
    told = (*answered("a table", "Yes."), Message("system", "The caller pressed 5."), Message("user", "For two."))
    caller.ask(2, *told, tools=(BOOK,))
    await caller.over(2)
    assert vendor.asked[1] == ["user: a table", "assistant: Yes.", "user: [(The caller pressed 5.)\nFor two.]"]
    assert (vendor.refused, len(vendor.sessions)) == ([], 1)


async def test_a_tool_whose_call_was_cancelled_by_the_caller(vendor: FakeGeminiLive, caller: Caller) -> None:
    """Its session does not take the answer any more: another one is told of it."""
    vendor.answers += [Answer((), (("book", '{"day":"friday"}'),)), Answer(("Hm?",)), Answer(("It is yours.",))]
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(1)
    (asked,) = caller.of(ReplyToolCall)
    words = await caller.says("on friday please")
    caller.stream.cancel(1, 0)
    history = (
        Message("user", "a table"),
        Message("assistant", "", (asked.call,)),
        Message("tool", "booked", tool_call_id=asked.call.id),
        Message("user", words),
    )
    caller.ask(2, *history, tools=(BOOK,))
    await caller.over(2)
    assert caller.words(2) == "It is yours."
    assert 'the tool book({"day":"friday"}) has answered: booked' in str(vendor.asked[2])
    assert (vendor.refused, len(vendor.sessions)) == ([], 2)


async def test_a_tool_is_answered_and_more_is_to_be_said_of_it(vendor: FakeGeminiLive, caller: Caller) -> None:
    vendor.answers += [Answer((), (("book", '{"day":"friday"}'),)), Answer(("It is yours, and breakfast too.",))]
    user = Message("user", await caller.says("a table on friday"))
    caller.ask(1, user, tools=(BOOK,))
    await caller.over(1)
    (asked,) = caller.of(ReplyToolCall)
    done = (Message("assistant", "", (asked.call,)), Message("tool", "booked", tool_call_id=asked.call.id))
    caller.ask(2, user, *done, Message("system", "Breakfast is free."), tools=(BOOK,))
    await caller.over(2)
    assert caller.words(2) == "It is yours, and breakfast too."
    assert vendor.asked[1][-1] == "user: [(Breakfast is free.)]"
    assert (vendor.refused, len(vendor.sessions)) == ([], 2)


@pytest.mark.parametrize("trouble", ["silence", "interrupted"])
async def test_a_turn_of_the_models_that_ends_before_it_was_said(
    vendor: FakeGeminiLive, caller: Caller, trouble: Any
) -> None:
    """It says nothing; or it takes itself for interrupted, though nobody has spoken."""
    vendor.answers += [Answer(("Well, this is odd.",), trouble=trouble), Answer(("Here.",))]
    user = Message("user", await caller.says("a table"))
    caller.ask(1, user, tools=(BOOK,))
    over = await caller.over(1)
    said_of_it = caller.words(1)
    if trouble == "silence":
        assert isinstance(over, ReplyFailed) and over.problem == "the model said nothing"
    else:
        assert isinstance(over, ReplyOver) and said_of_it == "Well,"
    before = (Message("assistant", said_of_it),) if said_of_it else ()
    caller.ask(2, user, *before, Message("user", await caller.says("yes")), tools=(BOOK,))
    await caller.over(2)
    assert caller.words(2) == "Here."
    assert (vendor.refused, len(vendor.sessions)) == ([], 1)


async def test_a_step_that_may_use_no_tools_says_so_when_one_is_asked_for(
    vendor: FakeGeminiLive, caller: Caller
) -> None:
    vendor.answers += [Answer((), (("book", "{}"),)), Answer(("As you like.",))]
    caller.ask(1, Message("user", await caller.says("a table")))
    await caller.over(1)
    assert (caller.words(1), caller.of(ReplyToolCall)) == ("As you like.", [])
    assert "no more tools" in vendor.asked[1][-1]


async def test_words_of_ours_while_a_tool_runs_do_not_cancel_it(vendor: FakeGeminiLive, caller: Caller) -> None:
    vendor.answers += [Answer(("Let me see.",), (("book", '{"day":"friday"}'),)), Answer(("It is yours.",)), Answer()]
    user = Message("user", await caller.says("a table on friday"))
    caller.ask(1, user, tools=(BOOK,))
    await caller.over(1)
    (asked,) = caller.of(ReplyToolCall)
    caller.stream.say(1, "One moment, please.")
    done = (Message("assistant", "Let me see.", (asked.call,)), Message("tool", "booked", tool_call_id=asked.call.id))
    caller.ask(1, user, *done, Message("assistant", "One moment, please."), tools=(BOOK,))
    await caller.until(lambda: len(caller.of(ReplyOver, 1)) == 3)
    assert caller.words(1) == "Let me see.It is yours."
    texts = ("Let me see.", "One moment, please.", "It is yours.")
    assert caller.sound_ms(1) == pytest.approx(MS_PER_CHARACTER * sum(map(len, texts)), abs=1)
    assert vendor.asked[1][-1] == "result: booked"
    assert vendor.refused == []


async def test_a_sound_that_was_no_interruption_is_no_turn(vendor: FakeGeminiLive, caller: Caller) -> None:
    """The vendor answers it; nobody hears that, and the model is told so."""
    vendor.answers += [Answer(("For how many?",)), Answer(("Excuse me?",)), Answer(("Booked.",))]
    user = Message("user", await caller.says("a table"))
    caller.ask(1, user, tools=(BOOK,))
    await caller.over(1)
    await caller.says("yes")  # while it is being played
    await vendor.until(lambda: vendor.live.turn is None)
    words = await caller.says("for two")
    caller.ask(2, user, Message("assistant", "For how many?"), Message("user", words), tools=(BOOK,))
    await caller.over(2)
    assert caller.words(2) == "Booked."
    assert notes_in(vendor.asked[2]) == ['of your words "Excuse me?" the caller has heard nothing']
    assert (vendor.refused, len(vendor.sessions)) == ([], 1)


# ---------------------------------------------------------------------------------------------- the session's end


async def test_a_session_goes_on_in_the_next_before_the_vendor_ends_it(vendor: FakeGeminiLive, caller: Caller) -> None:
    vendor.answers.append(Answer(("For how many?",)))
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(1)
    await vendor.until(lambda: bool(vendor.kept))
    await vendor.live.go_away()
    await vendor.until(lambda: vendor.resumed == 1)
    caller.ask(2, *answered("a table", "For how many?"), Message("user", await caller.says("for two")), tools=(BOOK,))
    await caller.over(2)
    # It is the session's own memory, and was not told again.
    assert vendor.asked[1] == ["user: a table", "assistant: For how many?", "user: for two"]
    assert (vendor.resumed, caller.of(StreamInterrupted), vendor.refused) == (1, [], [])


async def test_the_end_is_waited_for_while_something_is_said(vendor: FakeGeminiLive, caller: Caller) -> None:
    vendor.answers.append(Answer(("For how many?",), held=True))
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.until(lambda: bool(caller.of(ReplyAudio)))
    await vendor.live.go_away()
    vendor.go.set()
    assert isinstance(await caller.over(1), ReplyOver)
    await vendor.until(lambda: vendor.resumed == 1)
    assert caller.words(1) == "For how many?"
    assert caller.of(StreamInterrupted) == []


async def test_what_was_said_after_a_session_was_kept_is_told_to_the_one_that_goes_on(
    vendor: FakeGeminiLive, caller: Caller
) -> None:
    vendor.answers += [Answer(("For how many?",)), Answer(("When?",)), Answer(("Booked.",))]
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(1)
    await vendor.until(lambda: bool(vendor.kept))
    vendor.keeps = False
    history = (*answered("a table", "For how many?"), Message("user", await caller.says("for two")))
    caller.ask(2, *history, tools=(BOOK,))
    await caller.over(2)
    vendor.live.socket.transport.abort()
    await caller.until(lambda: bool(caller.of(StreamRestored)))
    history = (*history, Message("assistant", "When?"), Message("user", await caller.says("on friday")))
    caller.ask(3, *history, tools=(BOOK,))
    await caller.over(3)
    assert caller.words(3) == "Booked."
    assert said(vendor.asked[2]) == ["user: a table", "assistant: For how many?", "user: on friday"]
    assert notes_in(vendor.asked[2]) == ['the caller has said: "for two"; you have said: "When?"']
    assert (vendor.resumed, vendor.refused) == (1, [])


async def test_a_session_that_was_not_kept_is_told_our_history_in_time(vendor: FakeGeminiLive, caller: Caller) -> None:
    vendor.keeps = False
    vendor.time_left = "0.2s"
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    await caller.over(1)
    await vendor.live.go_away()
    await vendor.until(lambda: len(vendor.sessions) == 2 and bool(vendor.live.setup))
    caller.ask(2, *answered("a table", "Yes."), Message("user", await caller.says("for two")), tools=(BOOK,))
    await caller.over(2)
    assert vendor.asked[1] == ["user: [a table]", "assistant: [Yes.]", "user: for two"]
    assert (vendor.resumed, caller.of(StreamInterrupted), vendor.refused) == (0, [], [])


@pytest.mark.parametrize(
    ("duration", "seconds"), [("50s", 50), ("1.5s", 1.5), ("9999s", 600), ("", 0), (None, 0), ("s", 0)]
)
def test_lengths_of_time(duration: str | None, seconds: float) -> None:
    assert seconds_of(duration) == seconds


@pytest.mark.parametrize("kept", [True, False])
async def test_an_answer_that_was_lost_before_it_was_asked_for(
    vendor: FakeGeminiLive, caller: Caller, kept: bool
) -> None:
    vendor.keeps = kept
    vendor.answers += [Answer(("For how many?",)), Answer(("How many will you be?",))]
    words = await caller.says("a table")
    await vendor.until(lambda: vendor.live.turn is None and bool(vendor.kept) is kept)
    vendor.live.socket.transport.abort()
    await caller.until(lambda: bool(caller.of(StreamRestored)))
    caller.ask(1, Message("user", words), tools=(BOOK,))
    await caller.over(1)
    assert caller.words(1) == "How many will you be?"
    known = ["user: a table", "assistant: For how many?", "user: [(Please go on.)]"]
    assert said(vendor.asked[1]) == (known if kept else ["user: [a table]"])
    assert len(notes_in(vendor.asked[1])) == kept
    assert vendor.refused == []


async def test_a_turn_whose_end_comes_late_is_not_the_next_ones(vendor: FakeGeminiLive, caller: Caller) -> None:
    """The vendor says that a turn is over when its sound would have been played."""
    vendor.holds_turns_open = True
    caller.ask(1, Message("user", await caller.says("a table")), tools=(BOOK,))
    assert isinstance(await caller.over(1), ReplyOver)
    vendor.answers.append(Answer(("For how many people, please?",), held=True))
    words = await caller.says("for two")
    vendor.holds_turns_open = False
    caller.ask(2, *answered("a table", "Yes."), Message("user", words), tools=(BOOK,))
    vendor.go.set()
    await caller.over(2)
    assert caller.words(2) == "For how many people, please?"
    assert vendor.refused == []


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"serverContent":[]}',
        b'{"serverContent":{"turnComplete":"yes"}}',
        b'{"toolCall":{}}',
        b'{"toolCall":{"functionCalls":[{"id":"1"}]}}',
        b'{"toolCallCancellation":{"ids":7}}',
        b'{"usageMetadata":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_message_cannot_be_read(message: bytes) -> None:
    with pytest.raises(MalformedMessage):
        wire.read(message)


def test_what_the_vendor_adds_to_its_messages_does_not_matter() -> None:
    read = wire.read(
        b'{"serverContent":{"modelTurn":null,"groundingMetadata":{},"turnComplete":true},"usageMetadata":{"x":1},"news":[1]}'
    )
    assert read.server_content is not None and read.server_content.turn_complete
    assert not read.server_content.of_the_model


async def test_a_fault_of_ours_is_not_taken_for_a_message_that_cannot_be_read(
    vendor: FakeGeminiLive, engine: GeminiLive
) -> None:
    def broken(event: Any) -> None:
        raise KeyError("a fault of whoever is told")

    stream = engine.open(HEARD, SPOKEN, "", 1.0, broken)
    stream.prepare(ModelRequest((), (), CallContext("call"), {}), lambda reply: None)
    await vendor.until(lambda: vendor.live_is_ready)
    vendor.no_words = True
    stream.begin(1)
    stream.push(say("yes", HEARD))
    stream.finish(1)
    await vendor.until(lambda: bool(vendor.asked))
    with pytest.raises(KeyError):
        stream._session.message(b'{"serverContent":{"inputTranscription":{"text":"yes","finished":true}}}', text=False)
    stream.close()


@pytest.mark.parametrize(
    ("code", "reason", "said_of_it", "connections"),
    [
        (1008, "models/x is not found for API version v1beta", "options base_url and model", 1),
        (1007, "Request contains an invalid argument.", "options model and language", 1),
        (1011, "You exceeded your current quota, please check your plan.", "rate or concurrency limit", 5),
    ],
)
async def test_what_its_close_codes_mean(
    vendor: FakeGeminiLive, engine: GeminiLive, code: int, reason: str, said_of_it: str, connections: int
) -> None:
    vendor.closes_with = (code, reason)
    engine.limits = SocketLimits(first_wait_s=0.01, max_wait_s=0.02)
    caller = Caller(engine, HEARD, SPOKEN)
    caller.ask(1, Message("user", "hello"))
    failed = await caller.over(1)
    assert isinstance(failed, ReplyFailed) and said_of_it in failed.problem
    assert len(vendor.sessions) == connections
    caller.stream.close()


def test_options_that_do_not_fit() -> None:
    options: tuple[dict[str, Any], ...] = (
        {"reply_timeout_ms": 1},
        {"words_timeout_ms": 100_000},
        {"base_url": "nowhere"},
        {"max_utterance_ms": 0},
    )
    for each in options:
        with pytest.raises(ConfigurationError):
            GeminiLive(KEY, **each)


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://generativelanguage.googleapis.com/v1beta", "wss://generativelanguage.googleapis.com/ws/{}v1beta{}"),
        ("https://generativelanguage.googleapis.com", "wss://generativelanguage.googleapis.com/ws/{}v1beta{}"),
        ("https://proxy.example.com/google/v1/", "wss://proxy.example.com/google/ws/{}v1{}"),
    ],
)
def test_its_address(base_url: str, address: str) -> None:
    service = address.format("google.ai.generativelanguage.", ".GenerativeService.BidiGenerateContent")
    assert GeminiLive(KEY, base_url).address == service


def answered(user: str, assistant: str) -> tuple[Message, Message]:
    return Message("user", user), Message("assistant", assistant)
