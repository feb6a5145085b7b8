"""OpenAI Realtime as the model of a call: it hears the caller and speaks itself, over one WebSocket for each call.

The vendor's own voice activity is off: our ears say when the caller speaks, our conversation when the model does. A session that is lost is
opened again, hears what had no words yet, and is told our history before it is asked anything.
"""

from __future__ import annotations

from typing import Any

import structlog

from antiphon.errors import ConfigurationError, MalformedMessage, ProviderError
from antiphon.providers.base import ExpectedAnswers, ModelRequest, StreamInterrupted, StreamRestored
from antiphon.providers.socket import VendorSocket
from antiphon.providers.speech_to_speech import openai_wire as wire
from antiphon.providers.speech_to_speech.base import HeardMs, OnSpeech, instructions_of
from antiphon.providers.speech_to_speech.memory import SessionMemory
from antiphon.providers.speech_to_speech.openai_hearing import Hearing
from antiphon.providers.speech_to_speech.openai_replying import Replying
from antiphon.providers.speech_to_speech.vendor_engine import VendorEngine
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, presentable, refusal
from antiphon.vocabulary import AudioFormat

NAME = "openai-realtime"
_EMPTY = "input_audio_buffer_commit_empty"
_EXPIRED = "session_expired"
_SLOWEST, _FASTEST = 0.25, 1.5

log = structlog.get_logger(__name__)


class OpenAIRealtime(VendorEngine):
    """Implements ``SpeechToSpeech``."""

    name = NAME
    formats = spoken_formats = wire.FORMATS

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "https://api.openai.com/v1",
        model: str = "gpt-realtime",
        *,
        voice: str = "marin",
        language: str = "",
        transcription_model: str = "gpt-4o-mini-transcribe",
        noise_reduction: str = "",
        reasoning_effort: str = "",
        **common: Any,
    ) -> None:
        """``voice`` speaks where the assistant names none. ``language``: what the caller's words are written down in (ISO 639-1; empty: the
        model finds out). ``reasoning_effort``: for models that think. Raises ConfigurationError."""
        if noise_reduction not in ("", "near_field", "far_field"):
            raise ConfigurationError("noise_reduction", "must be near_field, far_field or empty")
        super().__init__(api_key, **common)
        self.model = model
        self.transcriber = transcription_model
        self.voice = voice
        self.address = f"{websocket_url(base_url)}/realtime?model={model}"
        self.transcription = {"model": transcription_model, **({"language": language} if language else {})}
        self.noise_reduction = noise_reduction
        self.reasoning_effort = reasoning_effort

    def open(
        self, heard: AudioFormat, spoken: AudioFormat, voice: str, speed: float, on_event: OnSpeech
    ) -> OpenAIRealtimeStream:
        self._require_formats(heard, spoken)
        output: dict[str, Any] = {"format": wire.format_of(spoken), "voice": voice or self.voice}
        if speed != 1.0:
            output["speed"] = min(max(speed, _SLOWEST), _FASTEST)
        return OpenAIRealtimeStream(self, heard, spoken, output, on_event)


class OpenAIRealtimeStream:
    """One call's session. Implements ``SpeechToSpeechStream``."""

    behind = False

    def __init__(
        self,
        engine: OpenAIRealtime,
        heard: AudioFormat,
        spoken: AudioFormat,
        output: dict[str, Any],
        on_event: OnSpeech,
    ) -> None:
        self._engine = engine
        self._on_event = on_event
        self._closed = False
        self._was_ready = False
        self._instructions = ""
        self._tools: list[dict[str, Any]] = []
        hears: dict[str, Any] = {
            "format": wire.format_of(heard),
            "transcription": engine.transcription,
            "turn_detection": None,
        }
        if engine.noise_reduction:
            hears["noise_reduction"] = {"type": engine.noise_reduction}
        self._audio = {"input": hears, "output": output}
        self._memory = SessionMemory()
        self._hearing = Hearing(
            heard, self._memory, self._send, self._tell, engine.max_utterance_ms, engine.words_timeout_s
        )
        self._replying = Replying(
            spoken, engine.model, engine.api_key, self._memory, self._send, self._tell,
            lambda: self._socket.is_ready and not self._hearing.unsettled, self._prepare, engine.reply_timeout_s,
        )  # fmt: skip
        self._socket = VendorSocket(
            NAME, lambda: engine.address, lambda: {"Authorization": f"Bearer {engine.api_key}"}, self,
            greets=True, tls=engine.tls, secret=engine.api_key, limits=engine.limits, counts=engine.counts,
        )  # fmt: skip
        self._socket.wake()

    # -------------------------------------------------------------------------------------------- as a recogniser

    def begin(self, utterance: int) -> None:
        self._socket.wake()
        self._hearing.begin(utterance)

    def push(self, audio: bytes) -> None:
        self._hearing.push(audio)

    def finish(self, utterance: int) -> None:
        self._hearing.finish(utterance)

    def expect(self, answers: ExpectedAnswers) -> None:
        """The model knows by itself what it has asked."""

    # -------------------------------------------------------------------------------------------- as a model with a voice

    def prepare(self, request: ModelRequest, heard_ms: HeardMs) -> None:
        """What was heard is told when a reply is cancelled: the session does not answer before it is asked."""
        self._instructions, self._tools = instructions_of(request), wire.tools_of(request.tools)

    def respond(self, reply: int, request: ModelRequest) -> None:
        self._socket.wake()
        self._replying.respond(reply, request)

    def say(self, reply: int, text: str) -> None:
        self._socket.wake()
        self._replying.say(reply, text)

    def cancel(self, reply: int, heard_ms: int) -> None:
        self._replying.cancel(reply, heard_ms)

    def close(self) -> None:
        self._closed = True
        self._hearing.close()
        self._replying.close()
        self._socket.close()

    def _prepare(self, request: ModelRequest) -> None:
        """The session knows what it needs for this reply: instructions, tools, and our history."""
        instructions = instructions_of(request)
        # A step that may use no tools is told so with the request: the session keeps those it has.
        tools = wire.tools_of(request.tools) if request.tools else self._tools
        if (instructions, tools) != (self._instructions, self._tools):
            self._instructions, self._tools = instructions, tools
            self._send(wire.session_update(instructions=instructions, tools=tools))
        for event in self._memory.sync(request.messages):
            self._send(wire.event(event))

    def _send(self, message: bytes) -> bool:
        return self._socket.is_ready and self._socket.send(message, text=True)

    def _tell(self, event: Any) -> None:
        if not self._closed:
            self._on_event(event)

    # -------------------------------------------------------------------------------------------- SocketOwner

    def opened(self) -> None:
        session: dict[str, Any] = {
            "output_modalities": ["audio"],
            "instructions": self._instructions,
            "tools": self._tools,
            "audio": self._audio,
        }
        if self._engine.reasoning_effort:
            session["reasoning"] = {"effort": self._engine.reasoning_effort}
        self._socket.send(wire.session_update(**session), text=True)

    def ready(self) -> None:
        self._memory.clear()
        replayed_ms = self._hearing.ready()
        if self._was_ready:
            self._tell(StreamRestored(round(replayed_ms)))
        self._was_ready = True
        self._replying.go_on()

    def message(self, payload: bytes, *, text: bool) -> None:
        try:
            event = wire.read(payload, text=text)
        except MalformedMessage as error:
            self._socket.unreadable(str(error))
            return
        self._read(event)

    def closed_by_vendor(self, code: int, reason: str) -> Failure | None:
        status = next((status for name, status in wire.ENDS_THE_SESSION.items() if name in reason), None)
        return refusal(NAME, status, reason, secret=self._engine.api_key) if status else None

    def interrupted(self, failure: Failure) -> None:
        self._memory.clear()
        self._replying.lost()
        if self._was_ready:
            self._tell(StreamInterrupted(failure.error.problem))

    def gave_up(self, failure: Failure) -> None:
        log.warning("vendor_failed", provider=NAME, problem=failure.error.problem)
        self._memory.clear()
        self._replying.lost()
        self._tell(StreamInterrupted(failure.error.problem, lasting=True))
        self._hearing.fail_all(failure.error.problem)
        self._replying.fail_all(failure.error.problem)

    # -------------------------------------------------------------------------------------------- what the vendor says

    def _read(self, event: wire.ServerEvent) -> None:
        kind = event.type
        if kind.startswith("response."):
            self._replying.read(kind.removeprefix("response."), event)
        elif kind == "session.updated":
            self._socket.greeted()
        elif kind == "input_audio_buffer.committed":
            self._hearing.committed(event.item_id)
            self._replying.go_on()
        elif kind == f"{wire.TRANSCRIPTION}completed":
            self._hearing.transcribed(event.item_id, event.transcript or "")
        elif kind == f"{wire.TRANSCRIPTION}failed":
            said = event.error.message or "the words could not be written down"
            self._hearing.not_transcribed(event.item_id, presentable(said, self._engine.api_key))
        elif kind == "error":
            self._error(event.error)

    def _error(self, error: wire.ServerError) -> None:
        code, said = error.code or "", error.message or ""
        status = wire.ENDS_THE_SESSION.get(code) or (400 if not self._socket.is_ready else 0)
        if status:
            self._socket.fail(refusal(NAME, status, said or code, secret=self._engine.api_key))
        elif code == _EXPIRED:
            self._socket.fail(Failure(ProviderError(NAME, "the session reached its longest duration")))
        elif code == _EMPTY:
            self._hearing.nothing_committed()
            self._replying.go_on()
        elif error.event_id:
            self._replying.refused(error.event_id, presentable(said or code, self._engine.api_key))
        # Else the session goes on: to cut or to cancel what was over already is no fault.
