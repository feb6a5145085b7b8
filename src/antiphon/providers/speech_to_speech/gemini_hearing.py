"""The caller's side of a session with Gemini Live: each utterance is an activity, and its words come back beside the model's answer.

The vendor begins to answer at the end of every activity, and stops at the beginning of the next. So an utterance waits here while a reply
of ours is being made: whether it interrupts is not the vendor's to say. The audio of an utterance is kept until its words are there: a
session that was lost hears it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from antiphon.providers.base import Transcribed, TranscriptionFailed
from antiphon.providers.speech_to_speech import gemini_wire as wire
from antiphon.providers.speech_to_speech.awaited_words import AwaitedWords
from antiphon.providers.speech_to_speech.told_memory import Item, SessionMemory

LEAST_MS = 100
"""Less than this is no words, and nothing the vendor is asked about."""
_PIECE_MS = 60
_REPLAYED_MS = 1000
"""Audio that has waited is sent in pieces of this length."""
_SETTLED_S = 0.25
"""Words of which no more come for so long are all, where the vendor does not say so."""


class Floor(Protocol):
    """Who speaks, as the model's side knows it."""

    @property
    def taken(self) -> bool:
        """Whether a reply of ours is being made, which an activity would end."""
        ...

    def note_heard(self) -> None:
        """What was heard of the latest reply is known for the session to be told: it answers before our side has decided whether this was
        an interruption."""
        ...

    def input_began(self) -> None: ...

    def input_ended(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Utterance:
    number: int
    audio: bytearray = field(default_factory=bytearray)
    sent: int = 0
    """Bytes of it that this session has."""
    began: bool = False
    """This session has been told that it begins."""
    finished: bool = False
    """Nothing more comes of it."""
    ended: bool = False
    """This session has been told that it is over."""
    text: str = ""
    item: Item | None = None


class Hearing:
    """Told what the vendor says by the session's owner; sends by ``send``, which returns False where there is no session."""

    def __init__(
        self,
        memory: SessionMemory,
        floor: Floor,
        send: Callable[[bytes], bool],
        tell: Callable[[Transcribed | TranscriptionFailed], None],
        max_utterance_ms: int,
        words_timeout_s: float,
    ) -> None:
        self._memory, self._floor = memory, floor
        self._send, self._tell = send, tell
        self._max_bytes = wire.HEARD.bytes_for_ms(max_utterance_ms)
        self._least_bytes = wire.HEARD.bytes_for_ms(LEAST_MS)
        self._piece_bytes = wire.HEARD.bytes_for_ms(_PIECE_MS)
        self._loop = asyncio.get_running_loop()
        self._open: _Utterance | None = None
        self._unsent: list[_Utterance] = []
        """In their order: those that this session has not had whole."""
        self._awaited = AwaitedWords[_Utterance](tell, words_timeout_s, _SETTLED_S, self._settled)

    @property
    def speaking(self) -> bool:
        """Whether the session has been told that the caller speaks."""
        return bool(self._unsent) and self._unsent[0].began

    @property
    def quiet(self) -> bool:
        """Whether no sound of the caller's and no words of it are on their way."""
        return not self._unsent and not self._awaited.heard

    # -------------------------------------------------------------------------------------------- our side

    def begin(self, number: int) -> None:
        began = False
        if (abandoned := self._open) is not None:
            # What the session has heard of it goes on in this one.
            began = abandoned.began
            self._unsent.remove(abandoned)
            self._loop.call_soon(
                self._tell, TranscriptionFailed(abandoned.number, "another utterance began before its end")
            )
        self._open = _Utterance(number, began=began)
        self._unsent.append(self._open)

    def push(self, audio: bytes) -> None:
        utterance = self._open
        if utterance is None:
            return
        utterance.audio += audio[: max(self._max_bytes - len(utterance.audio), 0)]
        if len(utterance.audio) - utterance.sent >= self._piece_bytes:
            self.go_on()

    def finish(self, number: int) -> None:
        utterance = self._open
        if utterance is None or utterance.number != number:
            return  # it has failed already, or was superseded: both have been told
        self._open = None
        utterance.finished = True
        self._awaited.begin(utterance)
        self.go_on()

    def go_on(self) -> None:
        """Send what may be sent now."""
        while self._unsent:
            utterance = self._unsent[0]
            if not utterance.began and not self._begin(utterance):
                return
            if utterance.began and not self._send_rest(utterance):
                return
            if not utterance.finished:
                return
            if utterance.began and not self._end(utterance):
                return
            self._unsent.remove(utterance)

    def _begin(self, utterance: _Utterance) -> bool:
        """Whether there is more to be done about it now."""
        if len(utterance.audio) < self._least_bytes:
            if utterance.finished:
                self._loop.call_soon(self._answer, utterance)
            return utterance.finished
        if self._floor.taken or not self._send(wire.ACTIVITY_START):
            return False
        utterance.began = True
        self._floor.input_began()
        return True

    def _send_rest(self, utterance: _Utterance) -> bool:
        while utterance.sent < len(utterance.audio):
            piece = bytes(utterance.audio[utterance.sent : utterance.sent + wire.HEARD.bytes_for_ms(_REPLAYED_MS)])
            if not self._send(wire.audio(piece)):
                return False  # the next session gets all of it
            utterance.sent += len(piece)
        return True

    def _end(self, utterance: _Utterance) -> bool:
        self._floor.note_heard()
        notes = self._memory.notes()
        if notes:
            self._send(wire.text(notes))
        if not self._send(wire.ACTIVITY_END):
            return False
        utterance.ended = True
        utterance.item = self._memory.add(Item("user"))
        if self._awaited.waits_for(utterance):
            self._awaited.heard.append(utterance)
        self._floor.input_ended()
        return True

    def close(self) -> None:
        self._awaited.close()
        self._unsent.clear()
        self._open = None

    # -------------------------------------------------------------------------------------------- the vendor's side

    def ready(self) -> float:
        """A new session: it hears what the one before had no words for yet. Returns how many ms of it."""
        again = [*self._awaited.heard, *self._unsent]
        replayed = sum(utterance.sent for utterance in again)
        for utterance in self._awaited.heard:
            if utterance.item in self._memory.items:
                self._memory.items.remove(utterance.item)
        for utterance in again:
            utterance.sent, utterance.began, utterance.ended, utterance.text = 0, False, False, ""
        self._awaited.heard.clear()
        self._unsent = again
        return wire.HEARD.ms_of(replayed)

    def transcribed(self, text: str, *, finished: bool) -> None:
        """More words of the utterance that has waited for them longest."""
        utterance = self._awaited.heard[0] if self._awaited.heard else self._unsent[0] if self._unsent else None
        if utterance is None:
            return
        utterance.text += text
        if finished and utterance.ended:
            self._answer(utterance)
        elif utterance.ended:
            self._awaited.settle()

    def model_began(self) -> None:
        """It answers: it has heard everything, and its words are there, or are about to come."""
        if self._awaited.heard and self._awaited.heard[0].text.strip():
            self._answer(self._awaited.heard[0])

    def model_ended(self) -> None:
        """Words that have not come by now are none, but for a moment."""
        if self._awaited.heard:
            self._awaited.settle()

    def _settled(self) -> None:
        if self._awaited.heard:
            self._answer(self._awaited.heard[0])

    def fail_all(self, problem: str) -> None:
        """There is no session, and none will be for a while."""
        failed = [*self._awaited.heard, *self._unsent]
        unfinished, self._open = self._open, None
        self._unsent = []
        self._awaited.fail_all(failed, unfinished, problem)

    def _answer(self, utterance: _Utterance) -> None:
        if self._awaited.take(utterance):
            text = utterance.text.strip()
            if utterance.item is not None:
                utterance.item.text = text
            self._tell(Transcribed(utterance.number, text, True))
