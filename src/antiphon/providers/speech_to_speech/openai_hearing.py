"""The caller's side of a session with OpenAI Realtime: utterances go in as we cut them, their words come back after our commit.

The audio of an utterance is kept until its words are there: a session that was lost hears it again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from antiphon.providers.base import Transcribed, TranscriptionFailed
from antiphon.providers.speech_to_speech import openai_wire as wire
from antiphon.providers.speech_to_speech.memory import Item, SessionMemory
from antiphon.vocabulary import AudioFormat

PIECE_MS = 60
"""Audio is sent in pieces of this length; ``finish`` sends the rest."""
LEAST_MS = 100
"""Less than this cannot be committed."""
_REPLAYED_MS = 1000
"""Audio is sent again in pieces of this length: far below the vendor's 15 MiB, and what a bounded connection takes at once."""


@dataclass(slots=True)
class _Utterance:
    number: int
    audio: bytearray = field(default_factory=bytearray)
    sent: int = 0
    """Bytes of it that this session has."""
    finished: bool = False
    committed: bool = False
    item_id: str = ""


class Hearing:
    """Told what the vendor says by the session's ``read``; sends by ``send``, which returns False where there is no session."""

    def __init__(
        self,
        audio: AudioFormat,
        memory: SessionMemory,
        send: Callable[[bytes], bool],
        tell: Callable[[Transcribed | TranscriptionFailed], None],
        max_utterance_ms: int,
        words_timeout_s: float,
    ) -> None:
        self._audio = audio
        self._memory = memory
        self._send = send
        self._tell = tell
        self._max_bytes = audio.bytes_for_ms(max_utterance_ms)
        self._piece_bytes = audio.bytes_for_ms(PIECE_MS)
        self._words_timeout_s = words_timeout_s
        self._loop = asyncio.get_running_loop()
        self._open: _Utterance | None = None
        self._waiting: dict[int, _Utterance] = {}
        """Finished, without their words yet."""
        self._committing: deque[_Utterance] = deque()
        """Committed, of which the vendor has not told the item's id."""
        self._timers: dict[int, asyncio.TimerHandle] = {}

    @property
    def unsettled(self) -> bool:
        """Whether something that was said has no place in the conversation yet."""
        return bool(self._committing)

    @property
    def idle(self) -> bool:
        return self._open is None and not self._waiting

    # -------------------------------------------------------------------------------------------- our side

    def begin(self, number: int) -> None:
        if self._open is not None:
            abandoned, self._open = self._open, None
            if abandoned.sent:
                self._send(wire.CLEAR)
            self._fail_later(abandoned.number, "another utterance began before this one was finished")
        self._open = _Utterance(number)

    def push(self, audio: bytes) -> None:
        utterance = self._open
        if utterance is None:
            return
        utterance.audio += audio[: max(self._max_bytes - len(utterance.audio), 0)]
        if len(utterance.audio) - utterance.sent >= self._piece_bytes:
            self._send_rest(utterance)

    def finish(self, number: int) -> None:
        utterance = self._open
        if utterance is None or utterance.number != number:
            return  # it has failed already, or was superseded: both have been told
        self._open = None
        utterance.finished = True
        self._waiting[number] = utterance
        self._timers[number] = self._loop.call_later(
            self._words_timeout_s, self._fail, number, f"no words within {self._words_timeout_s:.0f} s"
        )
        self._send_rest(utterance)
        self._commit(utterance)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        self._open = None

    def _send_rest(self, utterance: _Utterance) -> None:
        while utterance.sent < len(utterance.audio):
            piece = bytes(utterance.audio[utterance.sent : utterance.sent + self._audio.bytes_for_ms(_REPLAYED_MS)])
            if not self._send(wire.append(piece)):
                return  # the next session gets all of it
            utterance.sent += len(piece)

    def _commit(self, utterance: _Utterance) -> None:
        if utterance.committed or utterance.sent < len(utterance.audio):
            return
        if self._audio.ms_of(len(utterance.audio)) < LEAST_MS:
            if utterance.sent:
                self._send(wire.CLEAR)
            self._loop.call_soon(self._answer, utterance.number, "")
        elif self._send(wire.COMMIT):
            utterance.committed = True
            self._committing.append(utterance)

    # -------------------------------------------------------------------------------------------- the vendor's side

    def ready(self) -> float:
        """A new session: it hears what the one before had no words for yet. Returns how many ms of it."""
        self._committing.clear()
        again = [*self._waiting.values(), *([self._open] if self._open is not None else [])]
        for utterance in again:
            utterance.sent, utterance.committed, utterance.item_id = 0, False, ""
            self._send_rest(utterance)
            if utterance.finished:
                self._commit(utterance)
        return sum(self._audio.ms_of(utterance.sent) for utterance in again)

    def committed(self, item_id: str) -> None:
        self._memory.add(Item(item_id, "heard"))
        if self._committing:
            self._committing.popleft().item_id = item_id

    def nothing_committed(self) -> None:
        """The vendor found too little in the buffer."""
        if self._committing:
            self._answer(self._committing.popleft().number, "")

    def transcribed(self, item_id: str, text: str) -> None:
        item = self._memory.find(item_id)
        if item is not None:
            item.text = text
        number = self._number_of(item_id)
        if number is not None:
            self._answer(number, text)

    def not_transcribed(self, item_id: str, problem: str) -> None:
        number = self._number_of(item_id)
        if number is not None:
            self._fail(number, problem)

    def fail_all(self, problem: str) -> None:
        """There is no session, and none will be for a while."""
        self._committing.clear()
        for number in [*self._waiting, *([self._open.number] if self._open is not None else [])]:
            self._fail(number, problem)
        self._open = None

    def _number_of(self, item_id: str) -> int | None:
        return next((number for number, each in self._waiting.items() if each.item_id == item_id), None)

    def _answer(self, number: int, text: str) -> None:
        if self._waiting.pop(number, None) is not None:
            self._stop_timer(number)
            self._tell(Transcribed(number, text.strip(), True))

    def _fail(self, number: int, problem: str) -> None:
        open_too = self._open is not None and self._open.number == number
        if self._waiting.pop(number, None) is not None or open_too:
            self._stop_timer(number)
            self._tell(TranscriptionFailed(number, problem))

    def _fail_later(self, number: int, problem: str) -> None:
        self._loop.call_soon(lambda: self._tell(TranscriptionFailed(number, problem)))

    def _stop_timer(self, number: int) -> None:
        if (timer := self._timers.pop(number, None)) is not None:
            timer.cancel()
