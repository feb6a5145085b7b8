"""What Gemini makes of one input: it comes unasked, and waits here until our side wants it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from antiphon.providers.speech_to_speech import gemini_wire as wire
from antiphon.providers.speech_to_speech.base import (
    ReplyAudio,
    ReplyFailed,
    ReplyOver,
    ReplyToolCall,
    ReplyWords,
    SpokenReplyEvent,
)
from antiphon.providers.speech_to_speech.told_memory import Item
from antiphon.vocabulary import ToolCall, Usage

_MOST_BYTES = wire.SPOKEN.bytes_for_ms(180_000)
"""A reply that is longer has failed."""


@dataclass(slots=True, eq=False)
class Generation:
    """Events are taken from ``events``, in their order; their reply is 0."""

    item: Item = field(default_factory=lambda: Item("assistant"))
    """What the session remembers of it."""
    events: deque[SpokenReplyEvent] = field(default_factory=deque)
    audio_bytes: int = 0
    began: bool = False
    """Something has come of it."""
    generated: bool = False
    """All has come that will come, but for the vendor's word that the turn is over."""
    over: bool = False
    verbatim: bool = False
    """It reads words of ours: they are known."""
    claimed: bool = False
    """It is, or was, the answer to what our side has asked for."""
    may_use_tools: bool = True
    refusals: int = 0
    """How often tools were refused to it."""
    unwanted: bool = False
    """Nobody hears what else comes of it."""
    usage: tuple[Usage, ...] = ()
    _rest: bytes = b""
    """Half a sample that came at the end of a piece."""

    def read(self, content: wire.ServerContent) -> None:
        """Raises MalformedMessage for sound that cannot be read."""
        for part in (content.model_turn and content.model_turn.parts) or ():
            if part.inline_data is not None and not part.thought:
                self._sound(part.inline_data.data)
        if words := content.output_transcription and content.output_transcription.text:
            self.began = True
            if not self.verbatim:
                self.item.text += words
                self.events.append(ReplyWords(0, words))
        if content.generation_complete:
            self.began = self.generated = True

    def _sound(self, data: str) -> None:
        audio = self._rest + wire.audio_of(data)
        self.began = True
        whole = len(audio) - len(audio) % wire.SPOKEN.bytes_per_sample
        audio, self._rest = audio[:whole], audio[whole:]
        self.audio_bytes += len(audio)
        if self.audio_bytes > _MOST_BYTES:
            self.fail("it is longer than three minutes")
        elif audio and not self.unwanted:
            self.events.append(ReplyAudio(0, audio))

    def ask_for(self, calls: list[ToolCall]) -> None:
        """Of tools: what comes after their answers is another generation."""
        self.began = True
        self.events.extend(ReplyToolCall(0, call) for call in calls)
        self._end(ReplyOver(0, self.usage))

    def go_on_without_tools(self) -> None:
        """Those that it asked for were refused: what it says now is more of this."""
        self.events = deque(event for event in self.events if isinstance(event, ReplyAudio | ReplyWords))
        self.over = False

    def note_usage(self, usage: Any, model: str) -> None:
        """The vendor's last word on it counts."""
        if usage:
            self.usage = wire.usage_of(usage, model)

    def complete(self, reason: str | None = None) -> None:
        """The vendor says that its turn is over; or has generated all of it, and takes the time that it sounds to say so. ``reason``: its
        ``turnCompleteReason``."""
        if reason == "MALFORMED_FUNCTION_CALL":
            self.fail("the model asked for a tool in a way that cannot be read")
        elif not self.began:
            self.fail(
                "the model refused to answer" if wire.stop_reason_of(reason) == "refused" else "the model said nothing"
            )
        else:
            self._end(ReplyOver(0, self.usage, wire.stop_reason_of(reason)))

    def fail(self, problem: str, *, gone: bool = False) -> None:
        """``gone``: there was no session to ask."""
        self.break_off()
        self._end(ReplyFailed(0, problem, gone))

    def break_off(self) -> None:
        """No more of it is heard than what has come."""
        self.item.heard = self.item.text if self.audio_bytes else ""

    def _end(self, event: ReplyOver | ReplyFailed) -> None:
        if not self.over:
            self.over = True
            self.events.append(event)

    def give_up(self) -> None:
        """Nobody hears it."""
        self.unwanted = True
        self.events.clear()

    def take(self, reply: int) -> list[SpokenReplyEvent]:
        """What has come of it since it was last taken from, as events of a reply."""
        taken = [replace(event, reply=reply) for event in self.events]
        self.events.clear()
        return taken
