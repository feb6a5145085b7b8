"""A Pipecat 1.14 agent behind a Twilio media socket with Pipecat's own services for Deepgram, OpenAI and ElevenLabs.

    python bot_wired.py --port 8931 --mode lean

The vendors are wherever ``ANTIPHON_VENDORS__DEEPGRAM__BASE_URL`` and so on say (``antiphon bench --vendors --serve`` sets them); each
service takes an address by its own options, and nothing of Pipecat is changed.

lean   the leanest set-up its API offers: no client protocol, no metrics, no turn tracking; VAD decides turns, and where there are words
       no others are waited for (``ttfs_p99_latency``, which one shall measure and set: with its 0.35 s every turn takes 150 ms more)
stock  as its constructors stand, but for the turn strategy (its own takes a model of 8 MB: another contest)

The telephone's 8 kHz throughout: its defaults would resample and cost it 140 ms a turn. Its services take and give linear PCM alone, so
that is what goes to Deepgram and comes from ElevenLabs, and its serializer for Twilio makes µ-law of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 8000
STOP_S = 0.2


def vendor(name: str) -> tuple[str, str]:
    """Its key and its address."""
    return os.environ[f"ANTIPHON_VENDORS__{name}__API_KEY"], os.environ[f"ANTIPHON_VENDORS__{name}__BASE_URL"]


app = FastAPI()
lean = True


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
    turns = UserTurnStrategies(
        start=[VADUserTurnStartStrategy()], stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)]
    )
    history = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(
            vad_analyzer=SileroVADAnalyzer(params=VADParams(stop_secs=STOP_S)), user_turn_strategies=turns
        ),
    )
    key, address = vendor("DEEPGRAM")
    measured = {"ttfs_p99_latency": STOP_S} if lean else {}
    recogniser = DeepgramSTTService(api_key=key, base_url=address, **measured)
    key, address = vendor("OPENAI")
    model = OpenAILLMService(
        api_key=key,
        base_url=address,
        settings=OpenAILLMService.Settings(model="gpt-5.4-mini", system_instruction="Answer briefly."),
    )
    key, address = vendor("ELEVENLABS")
    voice = ElevenLabsTTSService(api_key=key, url=address, settings=ElevenLabsTTSService.Settings(voice="bench"))
    pipeline = Pipeline(
        [transport.input(), recogniser, history.user(), model, voice, transport.output(), history.assistant()]
    )
    rates = {"audio_in_sample_rate": RATE_HZ, "audio_out_sample_rate": RATE_HZ}
    if lean:
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
    parser.add_argument("--mode", choices=["lean", "stock"], default="lean")
    options = parser.parse_args()
    lean = options.mode == "lean"
    logger.remove()
    logger.add(sys.stderr, level=os.environ.get("BOT_LOG", "WARNING"))
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", loop="uvloop", ws="websockets")
