"""One call's session with an assistant of the hosted Vapi service."""

from __future__ import annotations

from typing import Literal, Protocol

from antiphon.errors import ProviderError
from antiphon.providers.base import ModelRequest
from antiphon.providers.socket import VendorSocket
from antiphon.providers.speech_to_speech import own_stream
from antiphon.providers.speech_to_speech import vapi_wire as wire
from antiphon.providers.speech_to_speech.base import OnSpeech
from antiphon.providers.speech_to_speech.own_stream import GO_ON, OwnTurnStream
from antiphon.providers.websocket import Failure, presentable
from antiphon.vocabulary import AudioFormat


class Account(own_stream.Account, Protocol):
    """What of the engine a session needs."""

    async def new_call(self, audio: AudioFormat) -> str: ...


class HostedStream(OwnTurnStream):
    goodbye = wire.END_CALL

    def __init__(self, account: Account, heard: AudioFormat, spoken: AudioFormat, on_event: OnSpeech) -> None:
        self._calls = account
        self._address = ""
        super().__init__(account, heard, spoken, on_event)

    def _connection(self) -> VendorSocket:
        account = self._account
        return VendorSocket(
            account.name, lambda: self._address, dict, self, tls=account.tls, secret=account.api_key,
            limits=account.limits, counts=account.counts, arrange=self._arrange,
        )  # fmt: skip

    async def _arrange(self) -> None:
        self._address = await self._calls.new_call(self._audio)

    def opened(self) -> None:
        """Nothing has to be said first: the call was made."""

    # -------------------------------------------------------------------------------------------- what the service is told

    def _fit(self, request: ModelRequest) -> None:
        """The hosted assistant has its own prompt and tools."""

    def _write_audio(self, audio: bytes) -> bool:
        return self._socket.send(audio, text=False)

    def _remind(self, *, first: bool) -> None:
        self._send(wire.SAY_FIRST_MESSAGE if first else wire.add_message("system", GO_ON, answer=True))

    def _speak(self, text: str, *, at_once: bool) -> None:
        self._send(wire.say(text, at_once=at_once))

    def _add(self, role: Literal["user", "assistant", "system"], text: str, *, answer: bool) -> None:
        self._send(wire.add_message(role, text, answer=answer))

    # -------------------------------------------------------------------------------------------- what the service says

    def _read(self, payload: bytes, *, text: bool) -> None:
        if text:
            self._read_message(wire.read(payload))
            self._tell_notes()
        else:
            self._hear(payload)

    def _read_message(self, message: wire.ServerMessage) -> None:
        now_s = self._loop.time()
        match message.type:
            case "transcript":
                self._read_transcript(message)
            case "speech-update" if message.role == "assistant":
                if message.status == "started":
                    self._hearing.model_began()
                    self._turns.began(now_s)
                elif message.status == "stopped":
                    self._turns.ended(now_s)
            case "assistant.speechStarted":
                self._turns.sourced(verbatim=message.source == "force-say")
            case "model-output":
                self._hearing.model_began()
                self._turns.words(wire.token_of(message.output), message.turnId or "")
            case "user-interrupted":
                self._turns.interrupted(now_s)
            case "hang":
                self._turns.hangs(now_s)
            case "transfer-update":
                if number := wire.number_of(message.destination):
                    self._end(number)
            case "status-update":
                self._read_status(message)

    def _read_transcript(self, message: wire.ServerMessage) -> None:
        final = message.transcriptType == "final"
        if message.role == "user":
            self._hearing.transcribed(message.transcript or "", final=final)
        elif final:
            self._turns.words(message.transcript or "", after=True)

    def _read_status(self, message: wire.ServerMessage) -> None:
        if message.status == "forwarding" and (number := wire.number_of(message.destination)):
            self._end(number)
        elif message.status == "ended":
            reason = presentable(message.endedReason or "it does not say why", self._account.api_key)
            if wire.ended_by_assistant(reason):
                self._end()
            else:
                self._socket.fail(Failure(ProviderError(self._account.name, f"the service ended the call ({reason})")))

    def _end(self, destination: str = "") -> None:
        self._over = True
        self._turns.ends_call(self._loop.time(), destination)
        self._go_on()
        self._socket.close(self.goodbye)
