"""One thing that a vendor says which takes turns itself: its sound and words as they come, whose reply it is, what was heard of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from antiphon.providers.speech_to_speech.base import ReplyAudio, ReplyToolCall, ReplyWords
from antiphon.providers.speech_to_speech.told_memory import Item
from antiphon.vocabulary import ToolCall

SETTLED_S = 0.2
"""Sound that follows the vendor's word that it has finished comes within this time."""
SILENT_S = 0.8
"""A vendor that did not say that it begins has finished when nothing is heard of it for so long."""
_MOST_WORDS = 20_000
"""Characters: twenty minutes. What comes beyond is not remembered."""
_CHARACTERS_PER_SECOND = 15
"""Ordinary speech: how far its words go in sound that broke off."""


@dataclass(slots=True, eq=False)
class VendorTurn:
    """Positions in its sound are in ms; ``began_s`` and the other times are of the clock of whoever keeps it."""

    began_s: float
    follows: int
    """The caller's latest utterance when it began."""
    verbatim: bool | None = None
    """Whether it says words of ours; None where the vendor does not tell."""
    told_s: float = 0.0
    """When sound came last."""
    name: str = ""
    """The vendor's, where it gives one."""
    item: Item = field(default_factory=lambda: Item("assistant"))
    """What the session remembers of it."""
    events: deque[ReplyAudio | ReplyWords | ReplyToolCall] = field(default_factory=deque)
    """What has come of it and was not handed on; their reply is 0."""
    voiced: str = ""
    """Of words of ours: what was heard of them, in letters."""
    calls: bool = False
    """It has asked for tools: nothing else comes of it."""
    audio_ms: float = 0.0
    _pauses: list[tuple[bytes, float]] = field(default_factory=list)
    reply: int = 0
    """Whose it is; 0 for nobody's."""
    ended_s: float | None = None
    """When the vendor said that it is over: a little sound may follow."""
    untold: bool = False
    """The vendor has not said that it began: it was heard."""
    over: bool = False
    cut: bool = False
    """The vendor broke it off."""
    unwanted: bool = False
    """Nobody hears what else comes of it."""
    signalled: bool = False
    """Our side knows that the vendor has the floor."""
    offered_s: float | None = None
    """When our side was last told that it waits."""
    heard_ms: float | None = None
    """How much of its sound was heard, where not all."""

    def sound(self, audio: bytes, duration_ms: float) -> None:
        self.audio_ms += duration_ms
        if not self.unwanted:
            self.events.append(ReplyAudio(0, audio))

    def pause(self, silence: bytes, duration_ms: float) -> None:
        """It belongs to what is said only where more of that follows."""
        self._pauses.append((silence, duration_ms))

    def go_on(self) -> None:
        """More follows."""
        pauses, self._pauses = self._pauses, []
        for silence, duration_ms in pauses:
            self.sound(silence, duration_ms)

    def ask_for(self, call: ToolCall) -> None:
        self.calls = True
        if not self.unwanted:
            self.events.append(ReplyToolCall(0, call))

    def words(self, text: str) -> None:
        text = text[: max(_MOST_WORDS - len(self.item.text), 0)]
        if not text:
            return
        self.item.text += text
        if not self.unwanted:
            self.events.append(ReplyWords(0, text))

    def is_past(self, now_s: float) -> bool:
        """Whether no more comes of it, as far as one can know."""
        if self.ended_s is not None:
            return now_s - max(self.ended_s, self.told_s) >= SETTLED_S
        return self.untold and now_s - self.told_s >= SILENT_S

    @property
    def is_empty(self) -> bool:
        """Whether neither sound nor words have come of it."""
        return not self.audio_ms and not self.item.text and not self.calls

    def take(self) -> list[ReplyAudio | ReplyWords | ReplyToolCall]:
        """What has come since it was last asked, as events of its reply."""
        taken = [replace(event, reply=self.reply) for event in self.events]
        self.events.clear()
        return taken

    def give_up(self, heard_ms: float) -> None:
        """Nobody hears more of it than that."""
        self.unwanted, self.heard_ms = True, heard_ms
        self.events.clear()
        if self.over:
            self.note_heard()

    def note_heard(self) -> None:
        """Its end has come: what was heard of it is told to the session, where it would believe otherwise."""
        if self.heard_ms is None and not self.cut:
            return
        heard_ms = self.audio_ms if self.heard_ms is None else min(self.heard_ms, self.audio_ms)
        spoken_ms = self.audio_ms
        if self.cut:  # more words may have been written than were voiced
            spoken_ms = max(spoken_ms, len(self.item.text) * 1000 / _CHARACTERS_PER_SECOND)
        self.item.was_heard(heard_ms / spoken_ms if spoken_ms else 0.0)
        if self.cut and self.heard_ms is None:
            self.item.doubtful = False  # who broke it off knows where
