"""A LiveKit Agents 1.8.9 agent behind a Twilio media socket with LiveKit's own plugins for Deepgram, OpenAI and ElevenLabs.

    python bot_wired.py --port 8931 --mode tuned

The vendors are wherever ``ANTIPHON_VENDORS__DEEPGRAM__BASE_URL`` and so on say (``antiphon bench --vendors --serve`` sets them); each
plugin takes an address by its own options, and nothing of LiveKit is changed.

tuned  what a careful user sets: 200 ms of VAD silence, no further delay, interruptions after 100 ms, no early generation (as with the
       others on the bench)
stock  its defaults, with turn_detection="vad" (its own default waits for a model that needs other speech)

LiveKit has no telephone transport without a media server. The one here is as little as speaks Twilio's protocol: a WebSocket of aiohttp,
which LiveKit brings along, and µ-law by a table; ``--mode echo`` measures what it costs at most (every frame is sent back, no agent). All
calls are in one process: a process for each, as LiveKit has it, would cost more. Its plugins take and give linear PCM alone, here at the
telephone's 8 kHz, so that nothing is resampled but what its voice-activity model hears, which knows 16 kHz alone. There is no transcript
that keeps pace with the voice, as there would be in a room. uvloop in place of asyncio's loop was tried and saved nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import logging
import os
import time
from collections.abc import Callable

import aiohttp
import numpy as np
from aiohttp import web
from livekit import rtc
from livekit.agents import Agent, AgentSession, inference
from livekit.agents.voice import io
from livekit.plugins import deepgram, elevenlabs, openai

RATE_HZ = 8000
now = time.monotonic


def mulaw_decoded() -> np.ndarray:
    """The sample of each byte (ITU-T G.711)."""
    byte = ~np.arange(256, dtype=np.int32) & 0xFF
    size = ((((byte & 0x0F) << 3) + 0x84) << ((byte & 0x70) >> 4)) - 0x84
    return np.where(byte & 0x80, -size, size).astype(np.int16)


SAMPLES = mulaw_decoded()


def mulaw_encoded() -> np.ndarray:
    """The byte of each sample, by the sample as an unsigned number."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    size = np.minimum(np.abs(sample), 32635) + 0x84
    exponent = np.floor(np.log2(size)).astype(np.int32) - 7
    mantissa = (size >> (exponent + 3)) & 0x0F
    return (~(np.where(sample < 0, 0x80, 0) | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)


BYTES = mulaw_encoded()


class Ear(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="telephone")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    def hear(self, payload: str) -> None:
        self._frames.put_nowait(self.frame(payload))

    def frame(self, payload: str) -> rtc.AudioFrame:
        pcm = SAMPLES[np.frombuffer(base64.b64decode(payload), dtype=np.uint8)]
        return rtc.AudioFrame(data=pcm.tobytes(), sample_rate=RATE_HZ, num_channels=1, samples_per_channel=len(pcm))

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


class Mouth(io.AudioOutput):
    """Sends what it is given at once: a carrier plays it out, tells when a mark is reached, and forgets it when told to."""

    def __init__(self, socket: web.WebSocketResponse, stream: str) -> None:
        super().__init__(label="telephone", sample_rate=RATE_HZ, capabilities=io.AudioOutputCapabilities(pause=False))
        self._socket, self._stream = socket, stream
        self._began: float | None = None
        self._length_s = 0.0
        self._segment = 0
        self._sends: set[asyncio.Task[None]] = set()

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._began is None:
            self._began = now()
            self.on_playback_started(created_at=time.time())
        self._length_s += frame.duration
        payload = BYTES[np.frombuffer(frame.data, dtype=np.uint16)].tobytes()
        await self._send({"event": "media", "media": {"payload": base64.b64encode(payload).decode()}})

    def flush(self) -> None:
        super().flush()
        if self._began is not None:
            self._soon({"event": "mark", "mark": {"name": str(self._segment)}})

    def clear_buffer(self) -> None:
        if self._began is None:
            return
        self._soon({"event": "clear"})
        self._finish(min(self._length_s, now() - self._began), interrupted=True)

    def reached(self, mark: str) -> None:
        """A mark came back. Those of a segment that was interrupted come back, too."""
        if self._began is not None and mark == str(self._segment):
            self._finish(self._length_s, interrupted=False)

    def _finish(self, position_s: float, *, interrupted: bool) -> None:
        self._began, self._length_s = None, 0.0
        self._segment += 1
        self.on_playback_finished(playback_position=position_s, interrupted=interrupted)

    def _soon(self, message: dict) -> None:
        task = asyncio.create_task(self._send(message))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _send(self, message: dict) -> None:
        if not self._socket.closed:
            await self._socket.send_str(json.dumps({**message, "streamSid": self._stream}))


def vendor(name: str) -> tuple[str, str]:
    """Its key and its address."""
    return os.environ[f"ANTIPHON_VENDORS__{name}__API_KEY"], os.environ[f"ANTIPHON_VENDORS__{name}__BASE_URL"]


class Call:
    """One agent with its engines."""

    def __init__(self, mode: str, http: aiohttp.ClientSession) -> None:
        key, address = vendor("DEEPGRAM")
        self._recogniser = deepgram.STT(
            sample_rate=RATE_HZ, api_key=key, base_url=f"{address}/v1/listen", http_session=http
        )
        key, address = vendor("OPENAI")
        self._model = openai.LLM(model="gpt-5.4-mini", api_key=key, base_url=address)
        key, address = vendor("ELEVENLABS")
        self._voice = elevenlabs.TTS(
            encoding="pcm_8000", api_key=key, base_url=f"{address}/v1", http_session=http, voice_id="bench"
        )
        if mode == "tuned":
            vad = inference.VAD(model="silero", min_silence_duration=0.2)
            handling = {
                "turn_detection": "vad",
                "endpointing": {"min_delay": 0.0},
                "interruption": {"mode": "vad", "min_duration": 0.1, "resume_false_interruption": False},
                "preemptive_generation": {"enabled": False},
            }
        else:
            vad = inference.VAD(model="silero")
            handling = {"turn_detection": "vad", "interruption": {"mode": "vad"}}
        # By default it is deaf to interruptions during the first three seconds of its own speech, for echo cancellers to settle.
        echo = {"aec_warmup_duration": None} if mode == "tuned" else {}
        self.session = AgentSession(
            stt=self._recogniser,
            vad=vad,
            llm=self._model,
            tts=self._voice,
            turn_handling=handling,
            user_away_timeout=None,
            **echo,
        )

    async def begin(self, ear: Ear, mouth: Mouth) -> None:
        self.session.input.audio, self.session.output.audio = ear, mouth
        await self.session.start(Agent(instructions="Answer briefly."))

    async def end(self) -> None:
        await self.session.aclose()
        for engine in (self._recogniser, self._model, self._voice):
            await engine.aclose()


async def answer(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.receive_str()  # "connected"
    start = json.loads(await socket.receive_str())["start"]
    ear, mouth = Ear(), Mouth(socket, start["streamSid"])
    call = request.app[CALL]()
    try:
        if call is not None:
            await call.begin(ear, mouth)
        async for received in socket:
            message = json.loads(received.data)
            if message["event"] == "media" and call is None:
                await mouth.capture_frame(ear.frame(message["media"]["payload"]))
            elif message["event"] == "media":
                ear.hear(message["media"]["payload"])
            elif message["event"] == "mark":
                mouth.reached(message["mark"]["name"])
            elif message["event"] == "stop":
                break
    finally:
        if call is not None:
            await call.end()
    return socket


CALL = web.AppKey("call", Callable[[], Call | None])
"""Makes the agent of a call; None where its frames are sent back."""


def sharing(mode: str):
    """One HTTP session for all calls, as one of its processes has; without a limit, since each call keeps two sockets of it open."""

    async def shared(app: web.Application):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            app[CALL] = lambda: Call(mode, http) if mode != "echo" else None
            yield

    return shared


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8931)
    parser.add_argument("--mode", choices=["tuned", "stock", "echo"], default="tuned")
    options = parser.parse_args()
    logging.basicConfig(level=os.environ.get("BOT_LOG", "WARNING"))
    app = web.Application()
    app.cleanup_ctx.append(sharing(options.mode))
    app.router.add_get("/ws", answer)
    web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
