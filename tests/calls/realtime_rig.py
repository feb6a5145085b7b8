"""One whole Realtime session in virtual time: scripted engines, a client that keeps every event and checks their order."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from tests.calls.rig import SILENCE, SPEECH, LoudnessModel, Watcher
from tests.calls.virtual import run_virtually

from antiphon.clock import ManualClock
from antiphon.conversation.policy import Greeting, Policy
from antiphon.errors import ConfigurationError
from antiphon.media.plane import MediaPlane
from antiphon.providers.base import SpeechToText
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedSpeechToText, ScriptedTextToSpeech
from antiphon.session.manager import SessionManager
from antiphon.session.observers import SessionObserver
from antiphon.session.plan import Engines, SessionPlan
from antiphon.surfaces.realtime.access import Access
from antiphon.surfaces.realtime.connection import RealtimeSession
from antiphon.surfaces.realtime.inbox import LoopShare
from antiphon.surfaces.realtime.mapping import PLAIN_POLICY
from antiphon.surfaces.realtime.protocol.audio_config import PCM
from antiphon.surfaces.realtime.protocol.order import OrderChecker
from antiphon.surfaces.realtime.sessions import NOBODY, RealtimeSessions
from antiphon.surfaces.realtime.settings import RealtimeSettings
from antiphon.tools.base import ToolRunner
from antiphon.transports.memory import memory_pair
from antiphon.vocabulary import AudioFormat, Message

MS_PER_CHARACTER = 50
Event = dict[str, Any]


class WideLoudnessModel(LoudnessModel):
    rate_hz = 16000
    window_samples = 512

    def skip(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> None: ...


def tone(duration_ms: int, level: float = SPEECH) -> bytes:
    """PCM at 24 kHz."""
    return np.full(duration_ms * 24, round(level * 32767), dtype="<i2").tobytes()


class Client:
    """A ``Controller`` that keeps what it is told. An event out of order fails the test."""

    def __init__(self, rig: Rig, *, midway: bool = False) -> None:
        self.events: list[Event] = []
        self.times_ms: list[int] = []
        self.closed: tuple[int, str] | None = None
        self.held: list[bool] = []
        """Whenever it was asked to send no more, and then to go on."""
        self._rig = rig
        self._order = OrderChecker(midway=midway)

    # Controller

    def send(self, event: bytes) -> None:
        told = orjson.loads(event)
        self.events.append(told)
        self.times_ms.append(self._rig.clock.now_ms())
        if told["type"].startswith("talk."):
            return  # our own, which stand outside the protocol's order
        violation = self._order.see(told)
        assert violation is None, f"{violation} by {told}"

    def hold(self, held: bool) -> None:
        self.held.append(held)

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)

    # the test

    def say(self, kind: str, /, **fields: Any) -> None:
        """Send an event."""
        self._rig.session.receive(self, orjson.dumps({"type": kind, **fields}))

    def update(self, **session: Any) -> None:
        self.say("session.update", session={"type": "realtime", **session})

    def write(self, text: str, item_id: str | None = None) -> None:
        """Something typed."""
        item: Event = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        self.say("conversation.item.create", item=item | ({"id": item_id} if item_id else {}))

    def append(self, audio: bytes) -> None:
        self.say("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    async def speak(self, duration_ms: int, level: float = SPEECH) -> None:
        """Audio in real time."""
        for _ in range(duration_ms // 20):
            self.append(tone(20, level))
            await asyncio.sleep(0.020)

    async def listen(self, duration_ms: int) -> None:
        """Silence in real time."""
        await self.speak(duration_ms, SILENCE)

    async def pause(self, duration_ms: int) -> None:
        """Nothing at all is sent."""
        await asyncio.sleep(duration_ms / 1000)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def one(self, kind: str) -> Event:
        [event] = self.of(kind)
        return event

    def last(self, kind: str) -> Event:
        return self.of(kind)[-1]

    @property
    def types(self) -> list[str]:
        """Without deltas repeated, and what no test asks about."""
        shown: list[str] = []
        for event in self.events:
            kind = event["type"].removeprefix("response.").removeprefix("conversation.")
            if kind != "rate_limits.updated" and not (shown and kind == shown[-1] and kind.endswith("delta")):
                shown.append(kind)
        return shown

    def audio(self) -> bytes:
        return b"".join(base64.b64decode(event["delta"]) for event in self.of("response.output_audio.delta"))

    async def until(self, kind: str, count: int = 1, limit_ms: int = 20_000) -> Event:
        """Wait for the ``count``-th event of this kind."""
        for _ in range(limit_ms // 5):
            if len(found := self.of(kind)) >= count:
                return found[count - 1]
            await asyncio.sleep(0.005)
        raise AssertionError(f"no {kind} number {count} in {self.types}")


class Rig:
    """The server around one session, and its first client."""

    def __init__(
        self,
        *,
        hears: Sequence[str] = (),
        answers: Any = (),
        model: str = "gpt-realtime",
        stored: Mapping[str, Any] | None = None,
        greeting: str = "",
        prompt: str = "",
        tools: ToolRunner | None = None,
        first_token_ms: int = 100,
        token_interval_ms: float = 0,
        chunk_interval_ms: int = 0,
        final_delay_ms: int = 60,
        stt: Any = None,
        voices: Sequence[Any] | None = None,
        transcription: bool = False,
        settings: RealtimeSettings | None = None,
        plays_out: bool = False,
        policy: Policy = PLAIN_POLICY,
        owner: Access = NOBODY,
        watch: Callable[[Callable[[str], RealtimeSession | None]], SessionObserver] | None = None,
    ) -> None:
        """``plays_out``: audio goes to and comes from ``phone``, in real time, as on a WebRTC leg. ``watch`` makes one more observer, which
        may look up sessions."""
        self._owner = owner
        self._watch = watch
        self.clock = ManualClock(10_000)
        self._leg, self.phone, self._wire = memory_pair(self.clock, PCM)
        self._leg.marks = False
        self._plays_out = plays_out
        self._level = SILENCE
        self.watcher = Watcher()
        self.requests: list[tuple[Message, ...]] = []
        """What the model was shown, request by request."""
        self.settings = settings or RealtimeSettings()
        self._model = model
        self._stored = stored or {}
        self._transcription = transcription
        self._policy = replace(policy, greeting=Greeting(message=greeting))
        self._prompt = (Message("system", prompt),) if prompt else ()
        self.recognisers: dict[str, SpeechToText] = {}
        llm = ScriptedLanguageModel(answers, first_token_ms=first_token_ms, token_interval_ms=token_interval_ms)
        self.engines = Engines(
            stt=stt or ScriptedSpeechToText(list(hears), final_delay_ms=final_delay_ms),
            models=(_Overheard(llm, self.requests),),  # type: ignore[arg-type]
            voices=tuple(
                voices
                or [
                    ScriptedTextToSpeech(
                        first_chunk_ms=50, ms_per_character=MS_PER_CHARACTER, chunk_interval_ms=chunk_interval_ms
                    )
                ]
            ),
            tools=tools,
        )
        self.manager: SessionManager
        self.sessions: RealtimeSessions
        self.session: RealtimeSession
        self.client: Client

    def run(self, talk: Callable[[Rig, Client], Awaitable[None]], limit_ms: int = 300_000) -> Client:
        run_virtually(self.clock, self._wire, lambda: self._main(talk), limit_ms)
        return self.client

    async def _main(self, talk: Callable[[Rig, Client], Awaitable[None]]) -> None:
        plane = MediaPlane(self.clock, {8000: LoudnessModel, 16000: WideLoudnessModel})
        observers: list[SessionObserver] = [self.watcher]
        if self._watch is not None:
            observers.append(self._watch(lambda call_id: self.sessions.find(call_id)))
        self.manager = SessionManager(plane, self.clock, self._no_calls, observers, max_calls=4)
        self.sessions = RealtimeSessions(
            self.manager, self.clock, self.settings, self._plan, lambda name: self.recognisers.get(name),
            share=LoopShare(lambda: 0.0),  # in virtual time nothing takes time
        )  # fmt: skip
        plane.start()
        self.manager.start()
        config = self.sessions.configure(self._model, self._stored, transcription=self._transcription)
        self.session = self.sessions.create(config, owner=self._owner, plays_out=self._plays_out)
        self.client = Client(self)
        self.session.attach(self.client, primary=True)
        self.phone.connect(self.session.start(self._leg if self._plays_out else None))
        line = asyncio.get_running_loop().create_task(self._line()) if self._plays_out else None
        try:
            await talk(self, self.client)
        finally:
            if line is not None:
                line.cancel()
            await self.manager.close(0)
            await asyncio.sleep(0.05)
            plane.close()
        assert len(self.sessions) == 0
        assert self.client.closed is not None or self.client.events == []

    async def _line(self) -> None:
        """The leg carries audio all the time."""
        while True:
            await asyncio.sleep(0.020)
            self.phone.say(tone(20, self._level))

    async def sound(self, duration_ms: int, level: float = SPEECH) -> None:
        """The caller makes a sound on the leg."""
        self._level = level
        await asyncio.sleep(duration_ms / 1000)
        self._level = SILENCE

    def _plan(self, model: str, call_id: str) -> SessionPlan:
        if model.startswith("assistant:") and model != "assistant:known":
            raise ConfigurationError("assistant", "there is no assistant of this name")
        return SessionPlan("test", self._policy, self._prompt, self.engines)

    def _no_calls(self, _call: Any) -> SessionPlan:
        raise AssertionError("only sessions here")


class _Overheard:
    """A model, and what it was shown."""

    def __init__(self, model: ScriptedLanguageModel, requests: list[tuple[Message, ...]]) -> None:
        self.name = model.name
        self._model = model
        self._requests = requests
        self.start, self.close = model.start, model.close

    def stream(self, request: Any) -> Any:
        self._requests.append(request.messages)
        return self._model.stream(request)


def said(*messages: Message) -> list[tuple[str, str]]:
    """Messages without their ids."""
    return [(message.role, message.content) for message in messages]


def ms_of(audio: bytes, kind: AudioFormat = PCM) -> float:
    return kind.ms_of(len(audio))
