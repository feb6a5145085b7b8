"""Gemini Live as the model of a call: it hears the caller and speaks itself. Each call has a WebSocket, and one that reads our words.

The vendor's own voice activity is off: our ears say when the caller speaks. It answers at the end of every utterance, and our conversation
says whether and when that is heard. A session that is lost, or about to be ended by the vendor, is gone on with in the next (session
resumption), or where that cannot be, the next is told our history before it hears anything.
"""

from __future__ import annotations

import asyncio
from typing import Any

from antiphon.providers.base import ExpectedAnswers, ModelRequest, StreamInterrupted, StreamRestored
from antiphon.providers.speech_to_speech import gemini_wire as wire
from antiphon.providers.speech_to_speech.base import HeardMs, OnSpeech, instructions_of
from antiphon.providers.speech_to_speech.gemini_hearing import Hearing
from antiphon.providers.speech_to_speech.gemini_reading import Reading
from antiphon.providers.speech_to_speech.gemini_replying import Replying
from antiphon.providers.speech_to_speech.gemini_session import LiveSession
from antiphon.providers.speech_to_speech.told_memory import SessionMemory
from antiphon.providers.speech_to_speech.vendor_engine import VendorEngine
from antiphon.providers.websocket import Failure
from antiphon.vocabulary import AudioFormat, CallContext

NAME = "google-live"


class GeminiLive(VendorEngine):
    """Implements ``SpeechToSpeech``."""

    name = NAME
    formats = (wire.HEARD,)
    spoken_formats = (wire.SPOKEN,)

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "https://generativelanguage.googleapis.com/v1beta",
        model: str = "gemini-3.1-flash-live-preview",
        *,
        voice: str = "",
        language: str = "",
        reasoning_effort: str = "",
        **common: Any,
    ) -> None:
        """``voice`` speaks where the assistant names none; empty for the vendor's default. ``language``: what the caller speaks (BCP 47;
        empty: it finds out). ``reasoning_effort``: for models that think. Raises ConfigurationError."""
        super().__init__(api_key, **common)
        self.model = self.transcriber = model
        self.voice = voice
        self.language = language
        self.reasoning_effort = reasoning_effort
        self.address = wire.address_of(base_url)

    def open(
        self, heard: AudioFormat, spoken: AudioFormat, voice: str, speed: float, on_event: OnSpeech
    ) -> GeminiLiveStream:
        self._require_formats(heard, spoken)
        return GeminiLiveStream(self, voice or self.voice, on_event)


class GeminiLiveStream:
    """One call's session. Implements ``SpeechToSpeechStream`` and ``SessionOwner``."""

    behind = False

    def __init__(self, engine: GeminiLive, voice: str, on_event: OnSpeech) -> None:
        self._engine, self._voice = engine, voice
        self._on_event = on_event
        self._closed = False
        self._was_ready = self._is_interrupted = False
        self._made_for = ModelRequest((), (), CallContext(""), {})
        """What the session was told of prompt and tools as it began."""
        self._handle = ""
        """By which the session can be gone on with; empty where it cannot."""
        self._seeds: list[tuple[str, str]] = []
        self._goes_away: asyncio.TimerHandle | None = None
        """The vendor has said that it will end this connection."""
        self._kept_or_not = self._taken = False
        self._memory = SessionMemory()
        self._session = LiveSession(engine, self)
        self._reading = Reading(engine, voice, lambda: self._replying.heard_from_reading())
        self._replying = Replying(
            engine.model, self._memory, self._reading, self._session.send, self._tell,
            lambda: self._session.is_ready, lambda: self._hearing.speaking, self._start_over, self._fits,
            lambda: self._hearing.go_on(), engine.reply_timeout_s,
        )  # fmt: skip
        self._hearing = Hearing(
            self._memory,
            self._replying,
            self._session.send,
            self._tell,
            engine.max_utterance_ms,
            engine.words_timeout_s,
        )

    # -------------------------------------------------------------------------------------------- as a recogniser

    def begin(self, utterance: int) -> None:
        self._session.wake()
        self._hearing.begin(utterance)

    def push(self, audio: bytes) -> None:
        self._hearing.push(audio)

    def finish(self, utterance: int) -> None:
        self._hearing.finish(utterance)

    def expect(self, answers: ExpectedAnswers) -> None:
        """The model knows by itself what it has asked."""

    # -------------------------------------------------------------------------------------------- as a model with a voice

    def prepare(self, request: ModelRequest, heard_ms: HeardMs) -> None:
        self._replying.heard_ms = heard_ms
        self._made_for = request
        self._memory.become(request.messages)
        self._session.wake()

    def respond(self, reply: int, request: ModelRequest) -> None:
        self._session.wake()
        self._replying.respond(reply, request)

    def say(self, reply: int, text: str) -> None:
        self._replying.say(reply, text)

    def cancel(self, reply: int, heard_ms: int) -> None:
        self._replying.cancel(reply, heard_ms)

    def close(self) -> None:
        self._closed = True
        self._stay()
        self._hearing.close()
        self._replying.close()
        self._session.close()

    def _fits(self, request: ModelRequest) -> bool:
        """Whether the session was told such a prompt and such tools. A step that may use none is told so when it asks for one."""
        made = self._made_for
        return (
            instructions_of(request) == instructions_of(made)
            and (not request.tools or request.tools == made.tools)
            and request.options.get("max_tokens") == made.options.get("max_tokens")
        )

    def _start_over(self, request: ModelRequest) -> None:
        """Another session in the place of this one, which is told this prompt, these tools and this history."""
        self._made_for = ModelRequest(
            request.messages, request.tools or self._made_for.tools, request.context, request.options
        )
        self._memory.become(request.messages)
        self._handle = ""
        self._replying.lost()
        self._session.replace()

    def _tell(self, event: Any) -> None:
        if not self._closed:
            self._on_event(event)

    # -------------------------------------------------------------------------------------------- SessionOwner

    def setup(self) -> bytes:
        made, engine = self._made_for, self._engine
        self._stay()
        self._taken = False
        self._session.resuming = bool(self._handle)
        self._seeds = [] if self._handle else self._memory.seed()
        return wire.setup(
            engine.model, instructions_of(made), made.tools, voice=self._voice, language=engine.language,
            reasoning_effort=engine.reasoning_effort, max_tokens=made.options.get("max_tokens"), handle=self._handle,
            seeded=bool(self._seeds),
        )  # fmt: skip

    def ready(self) -> None:
        self._taken = True
        if self._seeds:
            self._session.send(wire.history(self._engine.model, self._seeds))
            self._seeds = []
        replayed_ms = self._hearing.ready()
        if self._is_interrupted:  # to be replaced is no interruption
            self._tell(StreamRestored(round(replayed_ms)))
        self._was_ready, self._is_interrupted = True, False
        self._hearing.go_on()
        self._replying.go_on()

    def read(self, message: wire.ServerMessage) -> None:
        if message.usage_metadata:
            self._replying.turns.used(message.usage_metadata)
        if message.session_resumption_update is not None:
            self._note_handle(message.session_resumption_update)
        if message.server_content is not None:
            self._read_content(message.server_content)
        if message.tool_call is not None:
            self._hearing.model_began()
            self._replying.turns.asked_for_tools(message.tool_call.function_calls)
        if message.tool_call_cancellation is not None:
            self._replying.turns.tools_cancelled(message.tool_call_cancellation.ids)
        if message.go_away is not None:
            self._note_end(message.go_away)
        self._look_for_a_quiet_moment()

    def _read_content(self, content: wire.ServerContent) -> None:
        if (words := content.input_transcription) is not None:
            self._hearing.transcribed(words.text or "", finished=bool(words.finished))
        if content.model_turn is not None or content.output_transcription is not None:
            self._hearing.model_began()
        if content.turn_complete:
            self._hearing.model_ended()
        self._replying.turns.read(content)

    def _note_handle(self, update: wire.Resumption) -> None:
        if update.resumable and update.new_handle:
            self._handle = update.new_handle
            self._memory.keep()

    def _note_end(self, away: wire.GoAway) -> None:
        """The vendor will end this connection. Half of the time that is left is waited for it to keep what was said last."""
        left = wire.seconds_of(away.time_left)
        if self._goes_away is None:
            self._goes_away = asyncio.get_running_loop().call_later(left / 2, self._end_comes_near)

    def _end_comes_near(self) -> None:
        self._kept_or_not = True
        self._look_for_a_quiet_moment()

    def _look_for_a_quiet_moment(self) -> None:
        if self._goes_away is None or not self._session.is_ready:
            return
        if self._hearing.quiet and self._replying.idle and (self._memory.kept or self._kept_or_not):
            self._go_on_elsewhere()

    def _stay(self) -> None:
        """This connection is not one that ends."""
        if self._goes_away is not None:
            self._goes_away.cancel()
        self._goes_away, self._kept_or_not = None, False

    def _go_on_elsewhere(self) -> None:
        """Nothing is going on."""
        self._memory.lost(resumable=bool(self._handle))
        self._replying.lost()
        self._session.replace()

    def interrupted(self, failure: Failure) -> None:
        if not self._taken:
            self._handle = ""  # with it, or anyhow
        self._memory.lost(resumable=bool(self._handle))
        self._replying.lost()
        if self._was_ready:
            self._is_interrupted = True
            self._tell(StreamInterrupted(failure.error.problem))

    def gave_up(self, failure: Failure) -> None:
        self._handle = ""
        self._memory.lost(resumable=False)
        self._replying.lost()
        self._tell(StreamInterrupted(failure.error.problem, lasting=True))
        self._hearing.fail_all(failure.error.problem)
        self._replying.fail_all(failure.error.problem)
