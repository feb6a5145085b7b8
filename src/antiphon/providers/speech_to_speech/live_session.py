"""One call's session with GPT-Live.

It is told the history as it begins, and later only more: silent notes (``thinking``), instructions that it follows at once, and words of
ours (``commentary``), which it may say a little differently. Its clock is the caller's sound: where none comes for a moment, it hears
silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from antiphon.audio import codec
from antiphon.errors import MalformedMessage, ProviderError
from antiphon.providers.base import ModelRequest
from antiphon.providers.socket import VendorSocket
from antiphon.providers.speech_to_speech import live_wire as wire
from antiphon.providers.speech_to_speech import openai_wire, own_stream
from antiphon.providers.speech_to_speech.base import HeardMs, OnSpeech, ReplyOver, instructions_of
from antiphon.providers.speech_to_speech.own_stream import GO_ON, OwnTurnStream
from antiphon.providers.speech_to_speech.told_memory import Item
from antiphon.providers.websocket import Failure, presentable, refusal
from antiphon.vocabulary import AudioFormat, ToolSpec

_FIRST = "Begin the conversation now: greet the caller."
_STEADY_MS = 100
_GAP_S = 0.2
"""Where nothing was sent for so long, silence is."""
_MOST_OWED = 32
"""Tools whose answers the delegated model waits for at once."""


class Account(own_stream.Account, Protocol):
    """What of the engine a session needs."""

    model: str
    address: str
    backend_model: str
    reasoning_effort: str


class LiveStream(OwnTurnStream):
    goodbye = wire.CLOSE
    settled_s = 0.4
    tells_own_words = False

    def __init__(
        self, account: Account, heard: AudioFormat, spoken: AudioFormat, voice: str, on_event: OnSpeech
    ) -> None:
        self._live, self._voice = account, voice
        self._instructions = ""
        self._tools: Sequence[ToolSpec] = ()
        self._owed: list[str] = []
        """Tools that the session waits for, by the ids of their calls."""
        self._sent_s = 0.0
        self._clock: asyncio.TimerHandle | None = None
        super().__init__(account, heard, spoken, on_event)

    def _connection(self) -> VendorSocket:
        account = self._live
        return VendorSocket(
            account.name, lambda: account.address, lambda: {"Authorization": f"Bearer {account.api_key}"}, self,
            greets=True, tls=account.tls, secret=account.api_key, limits=account.limits, counts=account.counts,
        )  # fmt: skip

    def prepare(self, request: ModelRequest, heard_ms: HeardMs) -> None:
        self._instructions, self._tools = instructions_of(request), request.tools
        super().prepare(request, heard_ms)

    def close(self) -> None:
        super().close()
        if self._clock is not None:
            self._clock.cancel()

    # -------------------------------------------------------------------------------------------- what the vendor is told

    def opened(self) -> None:
        history = [(_ROLES[item.kind], item.said if item.kind == "assistant" else item.text) for item in self._memory.items
                   if item.kind in _ROLES]  # fmt: skip
        self._owed.clear()
        self._socket.send(
            wire.start(
                self._live.model,
                self._instructions,
                self._audio,
                self._voice,
                [(role, text) for role, text in history if text],
                self._backend(),
            ),
            text=True,
        )

    def _backend(self) -> dict[str, Any]:
        live = self._live
        return wire.backend(live.backend_model, self._instructions, self._tools, live.reasoning_effort)

    def ready(self) -> None:
        super().ready()
        self._keep_steady()

    def _seed(self) -> None:
        """It was told as it began."""
        for item in self._memory.items:
            item.told, item.doubtful = True, False

    def _keep_steady(self) -> None:
        """Its clock goes on where the line is silent altogether (before the media, and in gaps)."""
        if self._clock is not None:
            self._clock.cancel()
        if self._loop.time() - self._sent_s >= _GAP_S and not self._hearing.speaking:
            self._write_audio(codec.silence_for(self._audio, _STEADY_MS))
            self._sent_s = self._loop.time() - _GAP_S + _STEADY_MS / 1000
        if self._socket.is_ready and not self._closed:
            self._clock = self._loop.call_later(_STEADY_MS / 1000, self._keep_steady)

    def _write_audio(self, audio: bytes) -> bool:
        self._sent_s = self._loop.time()
        return self._socket.send(wire.audio(audio), text=True)

    def _append(self, kind: str, text: str) -> None:
        for message in wire.append(kind, text):
            self._send(message)

    def _remind(self, *, first: bool) -> None:
        self._append("instructions", _FIRST if first else GO_ON)

    def _speak(self, text: str, *, at_once: bool) -> None:
        self._append("commentary", text)

    def _add(self, role: Literal["user", "assistant", "system"], text: str, *, answer: bool) -> None:
        if answer:
            self._append("instructions", f'The caller has written to you, and waits for your answer: "{text}"')
        else:
            self._append("thinking", text if role == "system" else f'{role}: "{text}"')

    def _fit(self, request: ModelRequest) -> None:
        """Instructions cannot be changed: others are given as further ones. A step that may use no tools is told nothing of that."""
        tools = request.tools or self._tools
        instructions = instructions_of(request)
        if instructions != self._instructions:
            self._append("instructions", f"From now on: {instructions}")
        if (instructions, tuple(tools)) != (self._instructions, tuple(self._tools)):
            self._instructions, self._tools = instructions, tools
            self._send(wire.update(self._backend()))

    def _answer_tools(self, request: ModelRequest) -> bool:
        answers = {each.tool_call_id: each.content for each in request.messages if each.role == "tool"}
        answered = [id for id in self._owed if id in answers]
        for id in answered:
            self._owed.remove(id)
            self._memory.add(Item("result", answers[id], id))
            self._send(wire.tool_output(id, answers[id]))
        if answered and not self._owed:
            self._send(wire.CREATE_RESPONSE)
        return bool(answered)

    # -------------------------------------------------------------------------------------------- what the vendor says

    def _read(self, payload: bytes, *, text: bool) -> None:
        event = wire.read(payload, text=text)
        match event.type:
            case "session.started":
                self._socket.greeted()
            case "session.output_audio.delta":
                self._hear(openai_wire.audio_of(event.delta))
            case "session.output_transcript.delta":
                self._turns.spoken(event.delta, self._loop.time())
            case "session.input_transcript.delta":
                self._turns.caller_heard(self._loop.time())
                self._hearing.fragment(event.delta)
            case "response.event":
                self._read_delegated(event.event)
            case "session.closed":
                self._socket.fail(
                    Failure(ProviderError(self._live.name, f"the vendor ended the session ({event.reason[:40]})"))
                )
            case "error":
                self._read_error(event.error)

    def _read_delegated(self, event: Any) -> None:
        if (call := wire.tool_call_of(event)) is not None:
            if len(self._owed) >= _MOST_OWED:
                raise MalformedMessage("too_many_tool_calls")
            self._owed.append(call.id)
            self._memory.add(Item("call", call_id=call.id))
            self._hearing.model_began()
            self._turns.asks_for(call, self._loop.time())
        for usage in wire.usage_of(event, self._live.backend_model):
            self._tell(ReplyOver(0, (usage,)))

    def _read_error(self, error: openai_wire.ServerError) -> None:
        """One that comes before the session has begun ends it; later ones are of what was asked for, and it goes on."""
        code, said = error.code or "", error.message or ""
        status = openai_wire.ENDS_THE_SESSION.get(code) or (400 if not self._socket.is_ready else 0)
        if status:
            self._socket.fail(refusal(self._live.name, status, said or code, secret=self._live.api_key))
        else:
            self._socket.complains(presentable(code, self._live.api_key))


_ROLES = {"user": "user", "assistant": "assistant", "system": "developer"}
