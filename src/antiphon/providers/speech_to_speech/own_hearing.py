"""The caller's side of a session with a vendor that takes turns itself: it hears everything, and its words come when it likes.

Which utterance of ours its words belong to, it does not say: they are the oldest's that still waits for some. The audio of an utterance is
kept until its words are there: a session that was lost hears it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from antiphon.audio import codec
from antiphon.providers.base import Transcribed, TranscriptionFailed
from antiphon.providers.speech_to_speech.awaited_words import AwaitedWords
from antiphon.providers.speech_to_speech.told_memory import Item, SessionMemory
from antiphon.vocabulary import AudioFormat

LEAST_MS = 100
"""Less than this is no words."""
_PIECE_MS = 1000
"""Audio that has waited is sent in pieces of this length."""
_MOST_CHARS = 4_000
"""Words of one utterance, four minutes of them: what comes beyond is none of its words. Each time all of them are told."""
_PAUSE_MS = 600
"""So much silence follows what is heard again, so that the vendor notices its end."""


@dataclass(slots=True, eq=False)
class _Utterance:
    number: int
    audio: bytearray = field(default_factory=bytearray)
    sent: int = 0
    """Bytes of it that this session has."""
    finished: bool = False
    text: str = ""
    """What is sure of its words."""
    untold: bool = False
    """The memory does not know them yet."""


class Hearing:
    """Told what the vendor says by the session's owner; sends by ``send``, which returns False where there is no session."""

    def __init__(
        self,
        audio: AudioFormat,
        memory: SessionMemory,
        send: Callable[[bytes], bool],
        tell: Callable[[Transcribed | TranscriptionFailed], None],
        max_utterance_ms: int,
        words_timeout_s: float,
        settled_s: float,
    ) -> None:
        """``settled_s``: words of which no more come for so long are all, where the vendor does not say so."""
        self._audio = audio
        self._memory = memory
        self._send, self._tell = send, tell
        self._max_bytes = audio.bytes_for_ms(max_utterance_ms)
        self._loop = asyncio.get_running_loop()
        self._open: _Utterance | None = None
        self._awaited = AwaitedWords[_Utterance](tell, words_timeout_s, settled_s, self._settled)

    @property
    def speaking(self) -> bool:
        """Whether the caller speaks, as far as our side knows."""
        return self._open is not None

    # -------------------------------------------------------------------------------------------- our side

    def begin(self, number: int) -> None:
        if (abandoned := self._open) is not None:
            # What the vendor has heard of it goes on in this one.
            self._loop.call_soon(
                self._tell, TranscriptionFailed(abandoned.number, "another utterance began before its end")
            )
        self._open = _Utterance(number, text=abandoned.text if abandoned is not None else "")

    def push(self, audio: bytes) -> None:
        utterance = self._open
        if utterance is None:
            self._send(audio)  # silence: one that nobody hears now is none that is missed
            return
        kept = audio[: max(self._max_bytes - len(utterance.audio), 0)]
        utterance.audio += kept
        self._send_rest(utterance)
        if len(kept) < len(audio):
            self._send(audio[len(kept) :])

    def finish(self, number: int) -> None:
        utterance = self._open
        if utterance is None or utterance.number != number:
            return  # it has failed already, or was superseded: both have been told
        self._open = None
        utterance.finished = True
        if self._audio.ms_of(len(utterance.audio)) < LEAST_MS:
            self._loop.call_soon(self._tell, Transcribed(number, utterance.text.strip(), True))
            return
        self._awaited.heard.append(utterance)
        self._awaited.begin(utterance)
        if utterance.text:
            self._awaited.settle()

    def _send_rest(self, utterance: _Utterance) -> None:
        while utterance.sent < len(utterance.audio):
            piece = bytes(utterance.audio[utterance.sent : utterance.sent + self._audio.bytes_for_ms(_PIECE_MS)])
            if not self._send(piece):
                return  # the next session gets all of it
            utterance.sent += len(piece)

    def close(self) -> None:
        self._awaited.close()
        self._open = None

    # -------------------------------------------------------------------------------------------- the vendor's side

    def lost(self) -> None:
        """The session is gone. Words that are sure are told; the rest is for the next one to hear."""
        for utterance in tuple(self._awaited.heard):
            if utterance.text:
                self._answer(utterance)

    def ready(self) -> float:
        """A new session: it hears what the one before had no words for yet. Returns how many ms of it."""
        replayed = 0
        for utterance in [*self._awaited.heard, *([self._open] if self._open is not None else [])]:
            utterance.sent, utterance.text = 0, ""
            self._send_rest(utterance)
            replayed += utterance.sent
            if utterance.finished:
                self._send(codec.silence_for(self._audio, _PAUSE_MS))
        return self._audio.ms_of(replayed)

    def transcribed(self, text: str, *, final: bool) -> None:
        """Words of the utterance that has waited for them longest. ``final``: they will not change, and more may follow."""
        text = text.strip()[:_MOST_CHARS]
        if final and text:
            self._memory.add(Item("user", text))
        utterance = self._awaited.heard[0] if self._awaited.heard else self._open
        if utterance is None or len(utterance.text) >= _MOST_CHARS:
            return
        together = f"{utterance.text} {text}".strip()
        if not final:
            self._tell(Transcribed(utterance.number, together, False))
            return
        utterance.text = together
        if utterance.finished:
            self._awaited.settle()
        else:
            self._tell(Transcribed(utterance.number, together, False))

    def fragment(self, text: str) -> None:
        """More words, with the blanks between them: of a vendor that does not say which are all."""
        utterance = self._awaited.heard[0] if self._awaited.heard else self._open
        if utterance is None or not text or len(utterance.text) >= _MOST_CHARS:
            return
        utterance.text += text[:_MOST_CHARS]
        utterance.untold = True
        self._tell(Transcribed(utterance.number, utterance.text.strip(), False))
        if utterance.finished:
            self._awaited.settle()

    def model_began(self) -> None:
        """It answers: it has heard everything, and its words are there, or are none."""
        if self._awaited.heard and self._awaited.heard[0].text:
            for utterance in tuple(self._awaited.heard):
                self._answer(utterance)

    def _settled(self) -> None:
        if self._awaited.heard and self._awaited.heard[0].text:
            self._answer(self._awaited.heard[0])

    def fail_all(self, problem: str) -> None:
        """There is no session, and none will be for a while."""
        unfinished, self._open = self._open, None
        self._awaited.fail_all(
            [*self._awaited.heard, *([unfinished] if unfinished is not None else [])], unfinished, problem
        )

    def _answer(self, utterance: _Utterance) -> None:
        if self._awaited.take(utterance):
            text = utterance.text.strip()
            if utterance.untold and text:
                self._memory.add(Item("user", text))
            self._tell(Transcribed(utterance.number, text, True))
