"""LiveKit Agents 1.8.9 under the load of ``antiphon bench``, in one process and without a media server.

    python harness.py --calls 10 --mode tuned --speech speech.json --json out.json

tuned  what a careful user sets: 200 ms of VAD silence, no further delay, interruptions after 100 ms, no early generation (so that the
       floor is everybody's 350 ms)
stock  its defaults, with turn_detection="vad" (its own default waits for a model that needs other speech)

What differs from the others on the bench, all in its favour: audio reaches it as 16 kHz frames in memory, with no socket, no JSON, no
µ-law and no WebRTC; what it says is taken by a player in memory; recognition knows the words at the acoustic end, earlier than a VAD
could. Against it: the callers live in its process (``--mode feeder`` measures what they cost; it is not subtracted).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import logging
import os
import random
import time
from collections import deque
from pathlib import Path

import numpy as np
from livekit import rtc
from livekit.agents import Agent, AgentSession, inference, llm, stt, tts, utils
from livekit.agents.language import LanguageCode
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import io

RATE_HZ, FRAME = 16000, 320
VOICE_HZ = 24000
FLOOR_MS = 410.0
TURNS, BARGE_IN_TURNS, BARGE_IN_S = 5, (2, 4), 1.0
AGENT_DONE_S, REPLY_WITHIN_S, TAIL_S = 0.7, 4.0, 4.5
ANSWER = "Here is what you asked for. There is a little more to say. Then one more thing after that. And this is the very end."
S_PER_CHARACTER = 0.036
now = time.monotonic


class Transcriber(stt.STT):
    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.live = None

    async def _recognize_impl(self, *arguments, **options):
        raise NotImplementedError

    def stream(self, *, language=None, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        self.live = Transcription(stt=self, conn_options=conn_options)
        return self.live


class Transcription(stt.RecognizeStream):
    async def _run(self) -> None:
        async for _ in self._input_ch:
            pass

    def know(self) -> None:
        heard = stt.SpeechData(language=LanguageCode("en"), text="what can you tell me about that", confidence=1.0)
        self._event_ch.send_nowait(stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[heard]))


class Model(llm.LLM):
    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        return ModelStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class ModelStream(llm.LLMStream):
    async def _run(self) -> None:
        await asyncio.sleep(0.1)
        words = ANSWER.split()
        for at in range(0, len(words), 2):
            if at:
                await asyncio.sleep(0.03)
            delta = llm.ChoiceDelta(role="assistant", content=" ".join(words[at : at + 2]) + " ")
            self._event_ch.send_nowait(llm.ChatChunk(id="answer", delta=delta))


class Voice(tts.TTS):
    def __init__(self) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=True), sample_rate=VOICE_HZ, num_channels=1)
        t = np.arange(VOICE_HZ // 5) / VOICE_HZ
        self.chunk = (np.sin(2 * np.pi * 220 * t) * 6000).astype(np.int16).tobytes()

    def synthesize(self, text, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        raise NotImplementedError

    def stream(self, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return VoiceStream(tts=self, conn_options=conn_options)


class VoiceStream(tts.SynthesizeStream):
    async def _run(self, emitter) -> None:
        emitter.initialize(
            request_id=utils.shortuuid(), sample_rate=VOICE_HZ, num_channels=1, mime_type="audio/pcm", stream=True
        )
        emitter.start_segment(segment_id=utils.shortuuid())
        given = self._tts.chunk
        owed = 0.0
        begun = False
        async for piece in self._input_ch:
            if not isinstance(piece, str):
                continue
            if not begun:
                begun = True
                self._mark_started()
                await asyncio.sleep(0.05)
            owed += len(piece) * S_PER_CHARACTER
            while owed >= 0.2:
                emitter.push(given)
                owed -= 0.2
        if owed > 0:
            emitter.push(given[: int(owed * VOICE_HZ) * 2])
        emitter.end_segment()


class Ear(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="bench")
        self.frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self.frames.get()


class Player(io.AudioOutput):
    """Plays in real time by the clock; notes when sound first came, stopped and was cleared."""

    def __init__(self) -> None:
        super().__init__(
            label="bench", next_in_chain=None, sample_rate=None, capabilities=io.AudioOutputCapabilities(pause=True)
        )
        self.began: float | None = None
        """When the first sound of what is playing came."""
        self.stopped: float | None = None
        self.cleared: float | None = None
        self.quiet_since = now()
        self._length_s = 0.0
        self._played_s = 0.0
        self._running_since: float | None = None
        self._paused = False
        self._whole = False
        self._end: asyncio.TimerHandle | None = None

    @property
    def audible(self) -> bool:
        return self._running_since is not None and self._position() < self._length_s

    async def capture_frame(self, frame) -> None:
        await super().capture_frame(frame)
        if self.began is None:
            self.began = now()
            self.on_playback_started(created_at=time.time())
        self._length_s += frame.duration
        if self._running_since is None and not self._paused:
            self._running_since = now()

    def flush(self) -> None:
        super().flush()
        self._whole = self._length_s > 0
        self._plan_end()

    def pause(self) -> None:
        super().pause()
        if self._running_since is not None:
            self._played_s, self._running_since = self._position(), None
            self._stop()
        self._paused = True
        self._plan_end()

    def resume(self) -> None:
        super().resume()
        self._paused = False
        if self._length_s:
            self._running_since = now()
        self._plan_end()

    def clear_buffer(self) -> None:
        if not self._length_s:
            return
        self.cleared = self.cleared or now()
        self._stop()
        self._finish(interrupted=True)

    def _position(self) -> float:
        running_s = now() - self._running_since if self._running_since is not None else 0.0
        return min(self._length_s, self._played_s + running_s)

    def _stop(self) -> None:
        self.stopped = self.stopped or now()
        self.quiet_since = now()

    def _plan_end(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if self._whole and self._running_since is not None:
            left_s = self._length_s - self._position()
            self._end = asyncio.get_running_loop().call_later(left_s, self._played)

    def _played(self) -> None:
        self.quiet_since = now()
        self._finish(interrupted=False)

    def _finish(self, *, interrupted: bool) -> None:
        position_s = self._position()
        if self._end is not None:
            self._end.cancel()
        self.began = self._running_since = self._end = None
        self._length_s = self._played_s = 0.0
        self._whole = False
        self.on_playback_finished(playback_position=position_s, interrupted=interrupted)


def frames_of(encoded: str) -> list[rtc.AudioFrame]:
    pcm = base64.b64decode(encoded)
    return [
        rtc.AudioFrame(data=pcm[at : at + 2 * FRAME], sample_rate=RATE_HZ, num_channels=1, samples_per_channel=FRAME)
        for at in range(0, len(pcm) - 2 * FRAME + 1, 2 * FRAME)
    ]


class Speech:
    def __init__(self, path: Path) -> None:
        document = json.loads(path.read_text())
        self.noise = frames_of(document["noise"])
        self.turns = [(frames_of(t["pcm"]), t["onset_ms"] / 1000, t["offset_ms"] / 1000) for t in document["turns"]]


class Figures:
    """What was measured while ``on``."""

    def __init__(self) -> None:
        self.on = False
        self.turns = self.unanswered = self.early = self.barge_ins = self.missed = 0
        self.response_ms: list[float] = []
        self.clear_ms: list[float] = []
        self.silent_ms: list[float] = []
        self.late_ms: list[float] = []


class Person:
    """One caller, ringing again and again."""

    def __init__(self, number: int, mode: str, speech: Speech, figures: Figures) -> None:
        self.player = Player()
        self.ear = Ear()
        self._mode = mode
        self._speech = speech
        self._figures = figures
        self._chance = random.Random(f"0 {number}")
        self._said: deque[rtc.AudioFrame] = deque()
        self._sent = self._chance.randrange(50)
        self._stt = Transcriber()

    def tick(self) -> None:
        """Every 20 ms: one frame to the agent."""
        self._sent += 1
        frame = self._said.popleft() if self._said else self._speech.noise[self._sent % 50]
        self.ear.frames.put_nowait(frame)

    async def live(self, begins_s: float) -> None:
        await asyncio.sleep(begins_s)
        first = self._chance.randrange(TURNS)
        while True:
            self.ear, self.player, self._stt = Ear(), Player(), Transcriber()
            session = self._session()
            session.input.audio, session.output.audio = self.ear, self.player
            await session.start(Agent(instructions="Answer."))
            try:
                await asyncio.sleep(0.5)
                for turn in range(1 + first, TURNS + 1):
                    await self._turn(interrupt=turn in BARGE_IN_TURNS)
                await self._agent_done()
            finally:
                await session.aclose()
            first = 0

    def _session(self) -> AgentSession:
        if self._mode == "tuned":
            vad = inference.VAD(model="silero", min_silence_duration=0.2)
            handling = {
                "turn_detection": "vad",
                "endpointing": {"min_delay": 0.0},
                "interruption": {"mode": "vad", "min_duration": 0.1},
                "preemptive_generation": {"enabled": False},
            }
        else:
            vad = inference.VAD(model="silero")
            handling = {"turn_detection": "vad", "interruption": {"mode": "vad"}}
        # By default it is deaf to interruptions during the first three seconds of its own speech, for echo cancellers to settle.
        echo = {"aec_warmup_duration": None} if self._mode == "tuned" else {}
        return AgentSession(
            stt=self._stt, vad=vad, llm=Model(), tts=Voice(), turn_handling=handling, user_away_timeout=None, **echo
        )

    async def _turn(self, *, interrupt: bool) -> None:
        if interrupt:
            await self._until(lambda: self.player.began is not None and now() - self.player.began >= BARGE_IN_S, 1.5)
        if not (interrupt and self.player.audible):
            await self._agent_done()
        figures, player = self._figures, self.player
        frames, onset_s, offset_s = self._chance.choice(self._speech.turns)
        interrupted = player.audible
        player.stopped = player.cleared = None
        before = player.began
        began = now()
        self._said.extend(frames)
        await asyncio.sleep(offset_s)
        ended = now()
        self._stt.live.know()
        counted, still_speaking = figures.on, interrupted and player.stopped is None
        await asyncio.sleep(max(0.0, len(frames) * 0.02 - offset_s))
        answered = await self._until(lambda: player.began is not None and player.began != before, REPLY_WITHIN_S)
        if not counted:
            return
        figures.turns += 1
        if not answered:
            figures.unanswered += 1
        elif player.began < ended:
            figures.early += 1
        else:
            figures.response_ms.append(1000 * (player.began - ended) - FLOOR_MS)
        if interrupted:
            figures.barge_ins += 1
            figures.missed += still_speaking
            if player.stopped is not None:
                figures.silent_ms.append(1000 * (player.stopped - began - onset_s))
            if player.cleared is not None:
                figures.clear_ms.append(1000 * (player.cleared - began - onset_s))

    async def _agent_done(self) -> None:
        await self._until(lambda: self.player.began is None and now() - self.player.quiet_since >= AGENT_DONE_S, 15.0)

    async def _until(self, condition, within_s: float) -> bool:
        limit = now() + within_s
        while not condition():
            if now() > limit:
                return False
            await asyncio.sleep(0.005)
        return True


async def tick_all(people: list[Person], figures: Figures) -> None:
    due = now()
    while True:
        due += 0.02
        await asyncio.sleep(max(0.0, due - now()))
        figures.late_ms.append(max(0.0, 1000 * (now() - due)))
        for person in people:
            person.tick()


def memory_kib() -> dict[str, int]:
    rollup = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    names = {"rss_kib": "Rss", "pss_kib": "Pss", "own_kib": "Anonymous"}
    return {ours: int(rollup[theirs].split()[0]) for ours, theirs in names.items()}


def machine_busy_s() -> float:
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def spread(values: list[float]) -> dict[str, float | int | None]:
    ordered = sorted(values)

    def at(share: float) -> float | None:
        return ordered[max(0, -int(-share * len(ordered)) - 1)] if ordered else None

    return {
        "count": len(ordered), "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99),
        "max_ms": ordered[-1] if ordered else None,
    }  # fmt: skip


async def feed_only(people: list[Person]) -> None:
    for person in people:
        await asyncio.sleep(0)
        asyncio.get_running_loop().create_task(drain(person))


async def drain(person: Person) -> None:
    while True:
        await person.ear.frames.get()


async def measure(options: argparse.Namespace) -> dict:
    speech, figures = Speech(Path(options.speech)), Figures()
    if options.mode != "feeder":
        await warm_up(options.mode, speech)
    gc.collect()
    base = memory_kib()
    people = [Person(number, options.mode, speech, figures) for number in range(options.calls)]
    ramp_s = max(4.0, options.calls / 25)
    chance = random.Random(0)
    tasks = [asyncio.create_task(tick_all(people, figures))]
    if options.mode == "feeder":
        await feed_only(people)
    else:
        tasks += [asyncio.create_task(person.live(chance.uniform(0, ramp_s))) for person in people]
    await asyncio.sleep(ramp_s + 1)
    figures.late_ms.clear()
    figures.on = True
    cpu_s, busy_s, started = time.process_time(), machine_busy_s(), now()
    await asyncio.sleep(options.seconds)
    cpu_s, busy_s, lasted_s = time.process_time() - cpu_s, machine_busy_s() - busy_s, now() - started
    late, steady = list(figures.late_ms), memory_kib()
    figures.on = False
    await asyncio.sleep(TAIL_S)
    problems = [repr(task.exception()) for task in tasks if task.done() and not task.cancelled()]
    for task in tasks:
        task.cancel()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    calls = options.calls
    return {
        "calls": calls,
        "seconds": lasted_s,
        "call_seconds": lasted_s * calls,
        "cpu_ms_per_call_s": 1000 * cpu_s / lasted_s / calls,
        "server_cores": cpu_s / lasted_s,
        "base": base,
        "steady": steady,
        "own_kib_per_call": (steady["own_kib"] - base["own_kib"]) / calls,
        "pss_kib_per_call": (steady["pss_kib"] - base["pss_kib"]) / calls,
        "speech": {
            "turns": figures.turns,
            "unanswered": figures.unanswered,
            "early": figures.early,
            "over_floor": spread(figures.response_ms),
            "barge_ins": figures.barge_ins,
            "missed": figures.missed,
            "onset_to_clear": spread(figures.clear_ms),
            "onset_to_silent": spread(figures.silent_ms),
        },
        "frame_lateness": None,
        "beat_lateness_p99_ms": spread(late)["p99_ms"],
        "broken": len(problems),
        "problems": {problem: problems.count(problem) for problem in problems},
        "other_cores": (busy_s - cpu_s) / lasted_s,
        "loadavg": list(os.getloadavg()),
        "valid": True,
    }


async def warm_up(mode: str, speech: Speech) -> None:
    person = Person(-1, mode, speech, Figures())
    tasks = [asyncio.create_task(tick_all([person], Figures())), asyncio.create_task(person.live(0.0))]
    await asyncio.sleep(7)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--mode", choices=["tuned", "stock", "feeder"], default="tuned")
    parser.add_argument("--speech", required=True)
    parser.add_argument("--json", required=True, help="a point is added to this file's")
    options = parser.parse_args()
    logging.getLogger("livekit.agents").setLevel(logging.ERROR)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    point = asyncio.run(measure(options))
    path = Path(options.json)
    label = f"LiveKit Agents 1.8.9, in process, {options.mode}"
    document = json.loads(path.read_text()) if path.exists() else {"version": 1, "label": label, "points": []}
    document["points"].append(point)
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(point))


if __name__ == "__main__":
    main()
