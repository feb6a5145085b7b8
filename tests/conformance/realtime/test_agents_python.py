"""Checks 10, 16 and 20 with openai-agents-python: it reports every event that its models do not accept as an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.conformance.realtime.server import MODEL, Server
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage, last, tool_call
from tests.conformance.realtime.tap import Tap

if TYPE_CHECKING:  # every worker of a test run imports this file, and these take a second
    from agents.realtime import RealtimeSession

VAD = {"type": "server_vad", "silence_duration_ms": 300, "interrupt_response": True, "create_response": True}


@pytest.fixture(autouse=True)
def _no_traces_to_the_maker() -> None:
    import agents

    agents.set_tracing_disabled(True)


class Listener:
    """What a session told its application."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.events: list[Any] = []
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]

    async def until(self, condition: Callable[[], Any], within_s: float = 60.0) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"told so far: {[event.type for event in self.events][-30:]}") from None

    @property
    def history(self) -> list[tuple[str, str]]:
        """Who said what, as the SDK keeps it."""
        said = []
        for item in self.session._history:
            if item.type == "message":
                texts = [
                    getattr(part, "transcript", None) or getattr(part, "text", None) or "" for part in item.content
                ]
                said.append((item.role, "".join(texts)))
        return said

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        async for event in self.session:
            self.events.append(event)
            self._news.set()


@asynccontextmanager
async def session_of(tap: Tap, server: Server, tools: list[Any], **settings: Any) -> AsyncIterator[Listener]:
    """A session that has begun; nothing may have gone wrong at its end."""
    from agents.realtime import RealtimeAgent, RealtimeRunner

    agent = RealtimeAgent(name="Tester", instructions="Be brief.", tools=tools)
    runner = RealtimeRunner(agent)
    config = {"url": f"{tap.ws_url}?model={MODEL}", "api_key": server.key, "initial_model_settings": settings}
    async with await runner.run(model_config=config) as session:  # type: ignore[arg-type]
        listener = Listener(session)
        try:
            await tap.until_sent("session.updated")
            yield listener
        finally:
            await listener.close()
    assert listener.of("error") == []


async def test_check_10_a_message_and_a_tool(tap: Tap, server: Server, stage: Stage) -> None:
    from agents import function_tool

    ran: list[str] = []

    @function_tool
    async def get_weather(city: str) -> str:
        """The weather in a city."""
        ran.append(city)
        return f"Sunny in {city}."

    stage.says(tool_call("get_weather", city="Rome"), "It is sunny in Rome.")
    async with session_of(tap, server, [get_weather]) as listener:
        await listener.session.send_message("What is the weather in Rome?")
        await listener.until(lambda: len(listener.of("agent_end")) == 2)
        await listener.until(lambda: listener.history and listener.history[-1][0] == "assistant")
        assert ran == ["Rome"]
        assert listener.history[0] == ("user", "What is the weather in Rome?")
        assert listener.history[-1] == ("assistant", "It is sunny in Rome.")
        audio = sum(len(event.audio.data) for event in listener.of("audio"))
        assert audio == stage.duration_ms("It is sunny in Rome.") * 48
    output = last(stage.asked[1], "tool")
    assert output is not None
    assert output.content == "Sunny in Rome."
    first = tap.line.of("client")[0]
    assert first["type"] == "session.update", "sent at once, before session.created"
    assert first["session"]["audio"]["input"]["transcription"]["model"] == "gpt-4o-mini-transcribe"


async def test_check_20_barge_in(tap: Tap, server: Server, stage: Stage, ten: Said) -> None:
    """Cancelled at once, not a word after it, and the history holds what was heard."""
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    stage.says(words, "Yes?")
    stage.hears = ["count for me", "stop"]
    loop = asyncio.get_running_loop()
    async with session_of(tap, server, [], turn_detection=VAD) as listener:
        await listener.session.send_message("Count for me.")
        await tap.until_sent("response.done")  # made much faster than it can be played
        began_s = loop.time()
        await asyncio.sleep(1.2)
        await listener.session.send_audio(ten.audio(lead_ms=100, tail_ms=800))
        await listener.until(lambda: listener.of("audio_interrupted"))
        played_ms = (loop.time() - began_s) * 1000
        [truncated] = await tap.until_sent("conversation.item.truncated")
        assert truncated["audio_end_ms"] == pytest.approx(played_ms, abs=350)
        await listener.until(lambda: ("assistant", "Yes?") in listener.history)
        await listener.until(lambda: ("assistant", words) not in listener.history)  # it retrieves what is left of it
        [asked] = [said for role, said in listener.history if role == "assistant" and said != "Yes?"]
        assert words.startswith(asked.strip())
        assert len(asked) * stage.ms_per_character == pytest.approx(truncated["audio_end_ms"], abs=400)
    heard = last(stage.asked[1], "assistant")
    assert heard is not None
    assert heard.content == asked.strip()


async def test_check_20_barge_in_while_the_voice_still_speaks(
    tap: Tap, server: Server, stage: Stage, ten: Said
) -> None:
    stage.says("one two three four five six seven eight nine ten " * 4, "Yes?")
    stage.chunk_interval_ms = 180
    async with session_of(tap, server, [], turn_detection=VAD) as listener:
        await listener.session.send_message("Count for me.")
        await tap.until_sent("response.output_audio.delta", 5)
        await listener.session.send_audio(ten.audio(lead_ms=60, tail_ms=800))
        done = (await tap.until_sent("response.done"))[0]["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
        line = tap.line
        assert line.at_s("response.done") - line.at_s("input_audio_buffer.speech_started") < 0.2
        await tap.until_sent("conversation.item.truncated")
        await tap.until_sent("response.done", 2)
        await listener.until(lambda: ("assistant", "Yes?") in listener.history)
        assert [event for event in line.after("response.done") if event.get("response_id") == done["id"]] == []


async def test_check_16_the_transcript_comes_after_the_response(
    tap: Tap, server: Server, stage: Stage, ten: Said
) -> None:
    from agents.realtime import RealtimeModelSendRawMessage

    stage.transcript_ms = 400
    stage.hears = [ten.words]
    stage.says("Yes.")
    async with session_of(tap, server, [], turn_detection=None) as listener:
        await listener.session.send_audio(ten.audio(tail_ms=100), commit=True)
        await listener.session.model.send_event(RealtimeModelSendRawMessage(message={"type": "response.create"}))
        await listener.until(
            lambda: ("user", ten.words) in listener.history and ("assistant", "Yes.") in listener.history
        )
        assert listener.history == [("user", ten.words), ("assistant", "Yes.")]


async def test_check_23_a_second_message_while_the_first_is_answered(tap: Tap, server: Server, stage: Stage) -> None:
    """The SDK holds its ``response.create`` until the first is done; neither is lost."""
    stage.says("The first answer takes a while.", "The second answer.")
    stage.chunk_interval_ms = 100
    async with session_of(tap, server, []) as listener:
        await listener.session.send_message("one")
        await tap.until_sent("response.created")
        await listener.session.send_message("two")
        await tap.until_sent("response.done", 2)
        await listener.until(lambda: listener.history[-1] == ("assistant", "The second answer."))
