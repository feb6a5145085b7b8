"""A Pipecat 1.14 agent behind a Twilio media socket, with the same engines as our own server on the bench.

    python bot.py --port 8931 --mode lean

lean   the leanest set-up its API offers: no client protocol, no metrics, no turn tracking, VAD decides turns at once
stock  as its constructors stand, but for the turn strategy (its own takes a model of 8 MB: another contest)
turns  for ``antiphon bench turns``: as its constructors stand, with that model (Smart Turn v3), and engines that take no time

Everything between the socket and the engines is Pipecat's own. Audio stays at the wire's 8 kHz: its defaults would resample and
cost it a further 140 ms a turn. The engines: recognition answers when the VAD says that the user has stopped; the first token after 100 ms,
then two every 30 ms; 50 ms after a sentence its first 200 ms of voice, then 200 ms every 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import struct
import sys

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 8000
ANSWER = "Here is what you asked for. There is a little more to say. Then one more thing after that. And this is the very end."
MS_PER_CHARACTER = 36
STOP_S = 0.2
MODEL_S, WORDS_S, VOICE_S = 0.1, 0.03, 0.05
"""Until the first token, between two of them, and until the first sound."""


class InstantTranscriber(STTService):
    """Takes every frame and knows the words as soon as the user stops."""

    def __init__(self) -> None:
        super().__init__(ttfs_p99_latency=0.0, settings=STTSettings(model="scripted", language=None))

    async def run_stt(self, audio):
        yield None

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            words = TranscriptionFrame("what can you tell me about that", "", time_now_iso8601(), finalized=True)
            await self.push_frame(words)


class TimedModel(LLMService):
    """The same answer to everything."""

    def __init__(self) -> None:
        nothing = dict.fromkeys(
            (
                "system_instruction", "temperature", "max_tokens", "top_p", "top_k", "frequency_penalty",
                "presence_penalty", "seed", "user_turn_completion_config",
            )
        )  # fmt: skip
        super().__init__(settings=LLMSettings(model="scripted", filter_incomplete_user_turns=False, **nothing))

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            await asyncio.sleep(MODEL_S)
            words = ANSWER.split()
            for at in range(0, len(words), 2):
                if at:
                    await asyncio.sleep(WORDS_S)
                await self._push_llm_text(" ".join(words[at : at + 2]) + " ")
        finally:
            await self.push_frame(LLMFullResponseEndFrame())


class TimedVoice(TTSService):
    """A tone as long as the text would take to say."""

    def __init__(self) -> None:
        super().__init__(
            sample_rate=RATE_HZ,
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model="scripted", voice="scripted", language=None),
        )
        wave = (round(6000 * math.sin(2 * math.pi * 220 * n / RATE_HZ)) for n in range(RATE_HZ // 5))
        self._chunk = b"".join(struct.pack("<h", sample) for sample in wave)

    async def run_tts(self, text, context_id):
        await asyncio.sleep(VOICE_S)
        left = len(text) * MS_PER_CHARACTER * RATE_HZ // 1000 * 2
        while left > 0:
            yield TTSAudioRawFrame(self._chunk[:left], RATE_HZ, 1, context_id=context_id)
            left -= len(self._chunk)
            await asyncio.sleep(0.02)


app = FastAPI()
mode = "lean"


@app.websocket("/ws")
async def answer(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive_text()  # "connected"
    start = json.loads(await websocket.receive_text())["start"]
    serializer = TwilioFrameSerializer(
        stream_sid=start["streamSid"],
        call_sid=start["callSid"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, add_wav_header=False, serializer=serializer
        ),
    )
    if mode == "turns":
        user_params = LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    else:
        turns = UserTurnStrategies(
            start=[VADUserTurnStartStrategy()], stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)]
        )
        user_params = LLMUserAggregatorParams(
            vad_analyzer=SileroVADAnalyzer(params=VADParams(stop_secs=STOP_S)), user_turn_strategies=turns
        )
    history = LLMContextAggregatorPair(LLMContext(), user_params=user_params)
    pipeline = Pipeline(
        [
            transport.input(),
            InstantTranscriber(),
            history.user(),
            TimedModel(),
            TimedVoice(),
            transport.output(),
            history.assistant(),
        ]
    )
    rates = {"audio_in_sample_rate": RATE_HZ, "audio_out_sample_rate": RATE_HZ}
    if mode == "lean":
        worker = PipelineWorker(
            pipeline,
            params=PipelineParams(enable_metrics=False, enable_usage_metrics=False, **rates),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
            check_dangling_tasks=False,
        )
    else:
        worker = PipelineWorker(pipeline, params=PipelineParams(enable_metrics=True, **rates))

    @transport.event_handler("on_client_disconnected")
    async def hung_up(_transport, _client):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False, force_gc=False)
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8931)
    parser.add_argument("--mode", choices=["lean", "stock", "turns"], default="lean")
    options = parser.parse_args()
    mode = options.mode
    if mode == "turns":
        MODEL_S = WORDS_S = VOICE_S = 0.0
        ANSWER = "This is what I have to say."
    logger.remove()
    logger.add(sys.stderr, level=os.environ.get("BOT_LOG", "WARNING"))
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", loop="uvloop", ws="websockets")
