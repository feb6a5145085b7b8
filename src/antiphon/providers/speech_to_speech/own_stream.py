"""One call's session with a vendor that takes turns itself: what every such vendor's has, whatever its wire.

A vendor's own says how its messages are written and read (the abstract methods).
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Any, Literal, Protocol

import numpy as np
import structlog

from antiphon.audio import codec
from antiphon.audio.convert import converter
from antiphon.errors import MalformedMessage
from antiphon.providers.base import ExpectedAnswers, ModelRequest, StreamInterrupted, StreamRestored
from antiphon.providers.socket import SocketCounts, SocketLimits, VendorSocket
from antiphon.providers.speech_to_speech.base import HeardMs, OnSpeech, ReplyFailed
from antiphon.providers.speech_to_speech.own_hearing import Hearing
from antiphon.providers.speech_to_speech.own_requests import AnswerNext, Nudge, SayWords, TurnLimits
from antiphon.providers.speech_to_speech.own_turns import OwnTurns
from antiphon.providers.speech_to_speech.told_memory import Item, SessionMemory
from antiphon.providers.websocket import Failure
from antiphon.vocabulary import AudioFormat

_MOST_REQUESTS = 8
_LOOK_EVERY_S = 0.1
_QUIET = 0.004
"""Sound whose every sample is below this share of full scale is none."""
GO_ON = "Please answer the caller now."
_OVER = "the vendor's assistant has ended the call"

log = structlog.get_logger(__name__)


class Account(Protocol):
    """What of the engine a session needs."""

    name: str
    api_key: str
    limits: SocketLimits
    turn_limits: TurnLimits
    counts: SocketCounts
    words_timeout_s: float
    max_utterance_ms: int

    @property
    def tls(self) -> ssl.SSLContext: ...


class OwnTurnStream(ABC):
    """Implements ``SpeechToSpeechStream`` and ``SocketOwner``."""

    behind = False
    settled_s = 0.25
    """As ``Hearing`` has it."""
    tells_own_words = True
    """As ``OwnTurns`` has it."""
    goodbye: bytes | None = None
    """What the vendor is told as we go."""

    def __init__(self, account: Account, heard: AudioFormat, spoken: AudioFormat, on_event: OnSpeech) -> None:
        """The vendor has one format for both directions: what it hears."""
        self._account, self._audio = account, heard
        self._convert = None if spoken == heard else converter(heard, spoken)
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._closed = self._over = self._was_ready = False
        self._heard_here = False
        """Whether this session has heard the caller: it answers by itself then."""
        self._rest = b""
        """Half a sample that came at the end of a message."""
        self._requests: OrderedDict[int, ModelRequest] = OrderedDict()
        """What was asked for, by replies: the last ones."""
        self._timer: asyncio.TimerHandle | None = None
        self._memory = SessionMemory()
        self._turns = OwnTurns(self._memory, account.turn_limits, tells_own_words=self.tells_own_words)
        self._hearing = Hearing(
            heard,
            self._memory,
            self._send_audio,
            self._tell,
            account.max_utterance_ms,
            account.words_timeout_s,
            self.settled_s,
        )
        self._socket = self._connection()

    @abstractmethod
    def _connection(self) -> VendorSocket:
        """Not connected yet; its owner is this stream."""

    @abstractmethod
    def _write_audio(self, audio: bytes) -> bool:
        """The caller's sound. False where there is no session that takes it."""

    @abstractmethod
    def _remind(self, *, first: bool) -> None:
        """Have the vendor speak; ``first``: it begins the conversation."""

    @abstractmethod
    def _speak(self, text: str, *, at_once: bool) -> None:
        """Have it say these words; ``at_once``: in the place of what it says now."""

    @abstractmethod
    def _add(self, role: Literal["user", "assistant", "system"], text: str, *, answer: bool) -> None:
        """Something that was said or is to be known; ``answer``: it is to answer that."""

    @abstractmethod
    def _read(self, payload: bytes, *, text: bool) -> None:
        """What the vendor sends. Raises MalformedMessage."""

    @abstractmethod
    def opened(self) -> None:
        """As ``SocketOwner``."""

    @abstractmethod
    def _fit(self, request: ModelRequest) -> None:
        """What the session has to be told of prompt and tools for this reply."""

    def _answer_tools(self, request: ModelRequest) -> bool:
        """Send answers of tools that are waited for; whether there were any."""
        return False

    # -------------------------------------------------------------------------------------------- as a recogniser

    def begin(self, utterance: int) -> None:
        self._wake()
        self._turns.utterance(utterance)
        self._hearing.begin(utterance)

    def push(self, audio: bytes) -> None:
        self._hearing.push(audio)

    def finish(self, utterance: int) -> None:
        self._hearing.finish(utterance)

    def expect(self, answers: ExpectedAnswers) -> None:  # noqa: B027 — there is nothing to be done, for any vendor
        """The model knows by itself what it has asked."""

    # -------------------------------------------------------------------------------------------- as a model with a voice

    def prepare(self, request: ModelRequest, heard_ms: HeardMs) -> None:
        """What was heard is told when a reply is cancelled."""
        self._memory.become(request.messages)
        self._wake()

    def respond(self, reply: int, request: ModelRequest) -> None:
        if self._refuse(reply):
            return
        first = all(message.role == "system" for message in request.messages)
        self._requests[reply] = request
        while len(self._requests) > _MOST_REQUESTS:
            self._requests.popitem(last=False)
        self._turns.respond(reply, self._loop.time(), first=first)
        self._go_on_soon()

    def say(self, reply: int, text: str) -> None:
        if self._refuse(reply):
            return
        self._turns.say(reply, text, self._loop.time())
        self._go_on_soon()

    def cancel(self, reply: int, heard_ms: int) -> None:
        self._turns.cancel(reply, heard_ms, self._loop.time())
        self._tell_notes()
        self._go_on_soon()

    def close(self) -> None:
        self._closed = True
        self._hearing.close()
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close(self.goodbye)

    def _refuse(self, reply: int) -> bool:
        """Whether there is nobody to ask any more, and nothing that was said before."""
        self._wake()
        refused = self._over and self._turns.coming is None
        if refused:
            self._loop.call_soon(self._tell, ReplyFailed(reply, _OVER, gone=True))
        return refused

    def _wake(self) -> None:
        if not self._over:
            self._socket.wake()

    # -------------------------------------------------------------------------------------------- what the session knows

    def _tell_missing(self, request: ModelRequest) -> bool:
        """What our history has and the session does not know; whether it was asked to answer that. Nothing it remembers can be taken back:
        where it is something else, that stays so."""
        self._fit(request)
        self._tell_notes()
        if self._answer_tools(request):
            return True
        coming = self._turns.coming
        missing = self._memory.missing(request.messages, (), coming.item if coming is not None else None) or []
        asked = False
        for at, each in enumerate(missing):
            kind: Literal["user", "system"] = "user" if each.kind == "user" else "system"
            asked = at == len(missing) - 1 and kind == "user" and coming is None
            self._memory.add(Item(kind, each.text))
            self._add(kind, each.text, answer=asked)
        if not asked and not self._heard_here and self._turns.waiting and self._has_asked(request):
            self._remind(first=False)
            return True
        return asked

    @staticmethod
    def _has_asked(request: ModelRequest) -> bool:
        """Whether the caller has said something that waits for an answer."""
        return bool(request.messages) and request.messages[-1].role == "user"

    def _tell_notes(self) -> None:
        if self._turns.up and (notes := self._memory.notes()):
            self._add("system", notes, answer=False)

    def _seed(self) -> None:
        for item in self._memory.items:
            item.told, item.doubtful = True, False
            role: Literal["user", "assistant", "system"] = "system"
            if item.kind == "user" or item.kind == "assistant":
                role = item.kind
            if text := (item.said if item.kind == "assistant" else item.text):
                self._add(role, text, answer=False)

    # -------------------------------------------------------------------------------------------- what follows

    def _go_on_soon(self) -> None:
        """Nothing is told from inside a call of our side."""
        self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        while self._turns.out and not self._closed:
            self._carry_out(self._turns.out.popleft())
        if self._timer is None and not self._turns.idle and not self._closed:
            self._timer = self._loop.call_later(_LOOK_EVERY_S, self._look)

    def _carry_out(self, out: Any) -> None:
        if isinstance(out, AnswerNext):
            request = self._requests.get(out.reply)
            if request is not None and self._tell_missing(request):
                self._turns.asked_for(out.reply, self._loop.time())
        elif isinstance(out, Nudge):
            self._remind(first=out.first)
        elif isinstance(out, SayWords):
            self._speak(out.text, at_once=out.at_once)
        else:
            self._tell(out)

    def _look(self) -> None:
        self._timer = None
        self._turns.look(self._loop.time(), caller_speaks=self._hearing.speaking)
        self._tell_notes()
        self._go_on()

    def _send(self, message: bytes) -> bool:
        return self._socket.is_ready and self._socket.send(message, text=True)

    def _send_audio(self, audio: bytes) -> bool:
        if not self._socket.is_ready or not self._write_audio(audio):
            return False
        self._heard_here = self._heard_here or self._hearing.speaking
        return True

    def _tell(self, event: Any) -> None:
        if not self._closed:
            self._on_event(event)

    # -------------------------------------------------------------------------------------------- SocketOwner

    def ready(self) -> None:
        self._heard_here, self._rest = False, b""
        self._seed()
        replayed_ms = self._hearing.ready()
        self._heard_here = replayed_ms > 0
        if self._was_ready:
            self._tell(StreamRestored(round(replayed_ms)))
        self._was_ready = True
        now_s = self._loop.time()
        self._turns.ready(now_s)
        self._go_on()

    def message(self, payload: bytes, *, text: bool) -> None:
        if self._over:
            return
        try:
            self._read(payload, text=text)
        except MalformedMessage as error:
            self._socket.unreadable(str(error))
        self._go_on()

    def closed_by_vendor(self, code: int, reason: str) -> Failure | None:
        return None

    def interrupted(self, failure: Failure) -> None:
        self._lost()
        if self._was_ready:
            self._tell(StreamInterrupted(failure.error.problem))

    def gave_up(self, failure: Failure) -> None:
        log.warning("vendor_failed", provider=self._account.name, problem=failure.error.problem)
        self._lost()
        self._tell(StreamInterrupted(failure.error.problem, lasting=True))
        self._hearing.fail_all(failure.error.problem)
        self._turns.fail_all(failure.error.problem)
        self._go_on()

    def _lost(self) -> None:
        self._hearing.lost()
        self._memory.lost(resumable=False)
        self._turns.lost(self._loop.time())
        if self._turns.waiting:
            self._memory.take_back()
        self._go_on()

    def _hear(self, payload: bytes) -> None:
        """Sound of the vendor's."""
        audio = self._rest + payload
        whole = len(audio) - len(audio) % self._audio.bytes_per_sample
        audio, self._rest = audio[:whole], audio[whole:]
        if not audio:
            return
        level = float(np.abs(codec.decode_to_float(audio, self._audio.encoding)).max())
        if level >= _QUIET and not self._turns.speaks:
            self._hearing.model_began()
        spoken = audio if self._convert is None else self._convert(audio)
        self._turns.sound(spoken, self._audio.ms_of(len(audio)), self._loop.time(), silent=level < _QUIET)
