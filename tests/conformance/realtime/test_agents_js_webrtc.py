"""Check 28: ``@openai/agents`` over WebRTC without a browser, in Node.js on werift."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from openai import AsyncOpenAI
from tests.conformance.realtime import opus, oracles
from tests.conformance.realtime.oracles import AgentsJs
from tests.conformance.realtime.server import Server, eventually
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage, tool_call
from tests.node import NodeProgram, node_program

VAD = {"type": "server_vad", "silenceDurationMs": 400, "interruptResponse": True, "createResponse": True}
CONFIG = {"audio": {"input": {"turnDetection": VAD, "transcription": {"model": "whisper-1"}}}}
SPEECH_BYTES = 20
"""A packet of silence is smaller."""


def encoded(packet: bytes) -> str:
    return base64.b64encode(packet).decode()


def told(program: NodeProgram, kind: str) -> list[dict[str, Any]]:
    """The server's events of a type."""
    return [each["event"] for each in program.all("event") if each["event"]["type"] == kind]


async def test_check_28_agents_js_over_webrtc_in_node(
    server: Server, client: AsyncOpenAI, stage: Stage, ten: Said, agents_js: AgentsJs
) -> None:
    """A typed turn with a tool, a spoken turn, speech over the answer to it, and the application's server hangs up."""
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    stage.says(tool_call("get_weather", city="Rome"), "It is sunny.", long, "Very well.")
    stage.hears = ["count for me", "enough"]

    async def until(kind: str, count: int = 1) -> None:
        await program.until("event", lambda _: len(told(program, kind)) >= count)

    async with node_program("agents.mjs") as program:
        call_id = await program.ask(
            "connect",
            kind="webrtc",
            url=f"{server.url}/v1/realtime/calls",
            apiKey=server.key,
            silence=encoded(opus.packets(np.zeros(2400, dtype=np.int16))[-1]),
            tools={"get_weather": {"result": "sun"}},
            config=CONFIG,
            within_s=60,
        )
        assert call_id.startswith("rtc_")
        await program.ask("say", text="What is the weather in Rome?")
        await program.until("tool_end")
        await until("output_audio_buffer.stopped")
        packets = [encoded(packet) for packet in opus.packets(ten.pcm)]
        await program.ask("speak", packets=packets)
        await until("output_audio_buffer.started", 2)
        await program.ask("speak", packets=packets)
        await until("output_audio_buffer.cleared")
        await until("output_audio_buffer.stopped", 2)
        speech = [size for size in await program.ask("heard") if size > SPEECH_BYTES]
        assert len(speech) * 20 > stage.duration_ms("It is sunny.") + stage.duration_ms("Very well.")
        events = [each["event"] for each in program.all("event")]
        await client.realtime.calls.hangup(call_id)
        await eventually(lambda: server.app.manager.live == 0)
        assert program.all("error") == []
        assert program.all("uncaught") == []
    assert not oracles.faults(events, agents_js)
    assert not [event for event in events if event["type"] == "response.output_audio.delta"]
