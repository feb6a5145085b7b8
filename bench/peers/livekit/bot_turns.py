"""A LiveKit Agents 1.8.9 agent for ``antiphon bench turns``: its defaults with turn_detection="vad", and engines that answer at once.

    python bot_turns.py --port 8932

Its own model for the end of a turn is not asked: it comes from a model hub, or runs at the vendor. The telephone is the one of
``bot_wired``. The recogniser knows the same words for whatever was said, 150 ms after the sound has ended.
"""

from __future__ import annotations

import argparse
import logging
import os

import numpy as np
from aiohttp import web
from bot_wired import CALL, RATE_HZ, Call, answer
from livekit.agents import AgentSession, inference, llm, stt, tts, utils
from livekit.agents.language import LanguageCode
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

WORDS = "I would like to book a table"
ANSWER = "This is what I have to say."
LOUD = 10 ** (-42 / 20) * 32768
"""Above the line's noise (−55 dBFS), below speech."""
QUIET_MS = 150


class Transcriber(stt.STT):
    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))

    async def _recognize_impl(self, *arguments, **options):
        raise RuntimeError("it is never asked for a whole recording")

    def stream(self, *, language=None, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return Transcription(stt=self, conn_options=conn_options)


class Transcription(stt.RecognizeStream):
    async def _run(self) -> None:
        quiet_ms: float | None = None
        async for frame in self._input_ch:
            if not hasattr(frame, "data"):
                continue
            samples = np.frombuffer(frame.data, dtype=np.int16).astype(np.float64)
            if np.sqrt(np.mean(samples**2)) > LOUD:
                quiet_ms = 0.0
            elif quiet_ms is not None:
                quiet_ms += 1000 * frame.duration
                if quiet_ms >= QUIET_MS:
                    quiet_ms = None
                    heard = stt.SpeechData(language=LanguageCode("en"), text=WORDS, confidence=1.0)
                    event = stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[heard])
                    self._event_ch.send_nowait(event)


class Model(llm.LLM):
    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        return ModelStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class ModelStream(llm.LLMStream):
    async def _run(self) -> None:
        delta = llm.ChoiceDelta(role="assistant", content=ANSWER)
        self._event_ch.send_nowait(llm.ChatChunk(id="answer", delta=delta))


class Voice(tts.TTS):
    def __init__(self) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=True), sample_rate=RATE_HZ, num_channels=1)
        t = np.arange(RATE_HZ) / RATE_HZ
        self.second = (np.sin(2 * np.pi * 220 * t) * 6000).astype(np.int16).tobytes()

    def synthesize(self, text, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        raise RuntimeError("it is never asked for a whole text")

    def stream(self, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return VoiceStream(tts=self, conn_options=conn_options)


class VoiceStream(tts.SynthesizeStream):
    async def _run(self, emitter) -> None:
        emitter.initialize(
            request_id=utils.shortuuid(), sample_rate=RATE_HZ, num_channels=1, mime_type="audio/pcm", stream=True
        )
        emitter.start_segment(segment_id=utils.shortuuid())
        begun = False
        async for piece in self._input_ch:
            if isinstance(piece, str) and not begun:
                begun = True
                self._mark_started()
                emitter.push(self._tts.second)
        emitter.end_segment()


class TurnsCall(Call):
    """With engines that take no time."""

    def __init__(self, _mode: str, _http: object) -> None:
        self._recogniser, self._model, self._voice = Transcriber(), Model(), Voice()
        self.session = AgentSession(
            stt=self._recogniser,
            vad=inference.VAD(model="silero"),
            llm=self._model,
            tts=self._voice,
            turn_handling={"turn_detection": "vad", "interruption": {"mode": "vad"}},
            user_away_timeout=None,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8932)
    options = parser.parse_args()
    logging.basicConfig(level=os.environ.get("BOT_LOG", "WARNING"))
    app = web.Application()
    app[CALL] = lambda: TurnsCall("stock", None)
    app.router.add_get("/ws", answer)
    web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
