"""One whole call in virtual time: a session with scripted engines, a phone that really plays, a caller with a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.calls.virtual import run_virtually

from antiphon.audio import g711
from antiphon.clock import ManualClock
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Greeting, Policy
from antiphon.media.plane import MediaPlane
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedSpeechToText, ScriptedTextToSpeech
from antiphon.session.manager import SessionManager
from antiphon.session.observers import SessionObserver
from antiphon.session.plan import Engines, SessionPlan
from antiphon.session.session import Session
from antiphon.session.speech_to_speech import Ears
from antiphon.session.timeline import Timelines
from antiphon.tools.base import ToolRunner
from antiphon.transports.base import CallStarted
from antiphon.transports.memory import memory_pair
from antiphon.vocabulary import TELEPHONE, EndReason, Message, Usage

MS_PER_CHARACTER = 50


class LoudnessModel:
    """Stands in for the voice-activity model: the louder, the surer. So a test says exactly what is heard when."""

    rate_hz = 8000
    window_samples = 256

    def resize(self, slots: int) -> None: ...
    def reset(self, slot: int) -> None: ...
    def remember(self, slot: int, windows: NDArray[np.float32]) -> None: ...
    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.abs(windows).max(axis=1).astype(np.float32)


SPEECH, SOUND, SILENCE = 0.95, 0.25, 0.0


def tone(duration_ms: int, level: float) -> bytes:
    return g711.mulaw_encode(np.full(duration_ms * 8, round(level * 32767), dtype=np.int16)).tobytes()


class Watcher:
    """Keeps everything that happened."""

    def __init__(self) -> None:
        self.events: list[tuple[int, ev.Event | None]] = []
        self.actions: list[tuple[int, do.Action]] = []
        self.ended: EndReason | None = None

    def call_started(self, call: CallStarted, now_ms: int) -> None: ...
    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        self.events.append((now_ms, event))
        self.actions += [(now_ms, action) for action in actions]

    def used(self, call_id: str, provider: str, usage: Usage) -> None: ...
    def provider_failed(self, call_id: str, provider: str, code: str) -> None: ...
    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self.ended = reason

    def of(self, kind: type) -> list[Any]:
        return [action for _, action in self.actions if isinstance(action, kind)]

    def when(self, kind: type) -> list[int]:
        return [now for now, action in self.actions if isinstance(action, kind)]


class Call:
    """The rig. ``talk`` is the caller's script, run while everything else goes on."""

    def __init__(
        self,
        *,
        hears: Sequence[str] = (),
        answers: Any = (),
        greeting: str = "",
        policy: Policy | None = None,
        tools: ToolRunner | None = None,
        folder: Path | None = None,
        delay_ms: int = 0,
        final_delay_ms: int = 60,
        first_token_ms: int = 100,
        token_interval_ms: float = 0,
        models: Sequence[Any] | None = None,
        voices: Sequence[Any] | None = None,
        stt: Any = None,
        speech_to_speech: Any = None,
    ) -> None:
        self.clock = ManualClock(10_000)
        self.transport, self.phone, self.wire = memory_pair(self.clock, TELEPHONE, delay_ms=delay_ms)
        self.watcher = Watcher()
        base = policy or Policy(endpointing=Endpointing(mode="fixed", silence_ms=300), barge_in=BargeIn(backoff_ms=0))
        self.policy = replace(base, greeting=Greeting(message=greeting))
        self.engines = Engines(
            stt=stt
            or (Ears(speech_to_speech) if speech_to_speech else None)
            or ScriptedSpeechToText(list(hears), final_delay_ms=final_delay_ms),
            models=tuple(
                models
                or [ScriptedLanguageModel(answers, first_token_ms=first_token_ms, token_interval_ms=token_interval_ms)]
            ),
            voices=tuple(voices or [ScriptedTextToSpeech(first_chunk_ms=50, ms_per_character=MS_PER_CHARACTER)]),
            tools=tools,
            speech_to_speech=speech_to_speech,
        )
        self.folder = folder
        self.observers: tuple[SessionObserver, ...] = ()
        """Who watches besides the watcher."""
        self.plane: MediaPlane
        self.manager: SessionManager
        self.session: Session
        self.timelines: Timelines
        self.messages: tuple[Message, ...] = ()

    def run(self, talk: Callable[[Call], Awaitable[None]], limit_ms: int = 120_000) -> Watcher:
        run_virtually(self.clock, self.wire, lambda: self._main(talk), limit_ms)
        return self.watcher

    async def _main(self, talk: Callable[[Call], Awaitable[None]]) -> None:
        self.plane = MediaPlane(self.clock, {8000: LoudnessModel})
        self.timelines = Timelines(self.clock.wall_ms(), self.clock.now_ms())
        self.manager = SessionManager(self.plane, self.clock, self._plan, [self.watcher, self.timelines], max_calls=2)
        self.plane.start()
        self.manager.start()
        started = CallStarted("memory", "call-1", "test", format_in=TELEPHONE, format_out=TELEPHONE)
        sink = self.manager.accept(started, self.transport)
        assert isinstance(sink, Session)
        self.session = sink
        self.phone.connect(sink)
        self._level = SILENCE
        line = asyncio.get_running_loop().create_task(self._line())
        try:
            await talk(self)
        finally:
            if self.session.end_reason is None:
                self.messages = self.session.conversation.history()
            line.cancel()
            await self.manager.close(0)
            self.plane.close()

    def _plan(self, call: CallStarted) -> SessionPlan:
        return SessionPlan(
            "test", self.policy, (), self.engines,
            event_log=self.folder / "call-1.jsonl" if self.folder else None,
            recording=self.folder / "call-1.wav" if self.folder else None,
            observers=self.observers,
        )  # fmt: skip

    async def _line(self) -> None:
        """The caller's line carries audio all the time."""
        while True:
            await asyncio.sleep(0.020)
            self.phone.say(tone(20, self._level))

    # ------------------------------------------------------------------------------ the caller

    async def wait(self, duration_ms: int) -> None:
        await asyncio.sleep(duration_ms / 1000)

    async def sound(self, duration_ms: int, level: float = SPEECH) -> None:
        """Make a sound for so long."""
        self._level = level
        await self.wait(duration_ms)
        self._level = SILENCE

    async def until(self, happened: Callable[[], bool], limit_ms: int = 20_000) -> None:
        """Wait until something is so."""
        for _ in range(limit_ms // 5):
            if happened():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it never happened")

    async def until_replies(self, count: int) -> None:
        """Until so many replies have been closed."""
        await self.until(lambda: len(self.watcher.of(do.ReplyClosed)) >= count)

    # ------------------------------------------------------------------------------ what was heard

    def heard_ms(self) -> float:
        """Sound (the scripted voice is never silent) that reached the caller's ear."""
        return sum(len(stretch.audio) for stretch in self.phone.heard()) / 8

    def heard(self) -> bytes:
        return b"".join(stretch.audio for stretch in self.phone.heard())
