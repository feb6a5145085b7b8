"""What the recogniser makes of the caller's speeches, and when a client is told: once, when it is sure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from antiphon.surfaces.realtime.conversation_items import ConversationItems
from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.audio_config import AudioInput
from antiphon.surfaces.realtime.protocol.items import InputAudio, MessageItem
from antiphon.surfaces.realtime.protocol.server_events import Event

_REMEMBERED_UTTERANCES = 64
LATE_WORDS_MS = 5000
"""How long the words of a turn that is over are waited for. The core answers without them after ``final_timeout_ms``; this only says when a
client is told that no more will come. A recogniser that takes longer is as good as dead, and its item would seem in progress for ever."""


@dataclass(slots=True)
class Words:
    """What the recogniser made of one utterance so far."""

    text: str = ""
    failed: bool = False
    final: bool = False
    """It has said its last word on it, or has failed."""


@dataclass(slots=True)
class Speech:
    """One item of the open turn."""

    item_id: str
    utterances: list[int] = field(default_factory=list)
    announced: bool = False
    """``speech_started`` was sent."""
    committed: bool = False
    transcribed: bool = False
    failed: bool = False
    """No words came of it, because the recogniser failed."""
    dropped: bool = False
    """Its turn is over, and nobody has answered it for want of words."""
    audio_ms: float = 0.0
    patience: asyncio.TimerHandle | None = None
    """Until when its words are waited for."""


class Transcripts:
    """Of one session. A speech is transcribed from the moment on that it is committed."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        items: ConversationItems,
        config: Callable[[], AudioInput],
        unheard: Callable[[], None],
    ) -> None:
        """``unheard`` is told of speech that nobody has answered because the recogniser failed on it."""
        self._emit = emit
        self._items = items
        self._config = config
        self._unheard = unheard
        self._words: dict[int, Words] = {}
        self._awaited: list[Speech] = []
        """Those whose turn is over and whose last words have not come."""

    def hear(self, utterance: int) -> Words:
        """What is known of this utterance."""
        if utterance not in self._words:
            self._words[utterance] = Words()
            if len(self._words) > _REMEMBERED_UTTERANCES:
                del self._words[next(iter(self._words))]
        return self._words[utterance]

    def changed(self, utterance: int, text: str) -> None:
        self.hear(utterance).text = text

    def final(self, utterance: int, text: str | None, speeches: Iterable[Speech]) -> None:
        """The last words of an utterance; None where the recogniser gave up. ``speeches`` are those of the open turn."""
        words = self.hear(utterance)
        words.final, words.failed = True, text is None
        words.text = words.text if text is None else text
        for speech in (*self._awaited, *speeches):
            if utterance in speech.utterances and speech.committed and self._is_known(speech):
                self._transcribe(speech)
                self._tell_unheard(speech)

    def settle(self, speech: Speech) -> None:
        """The turn of this speech is over: it is transcribed now, or when its last words come."""
        if self._is_known(speech):
            self._transcribe(speech)
            self._tell_unheard(speech)
        elif speech.patience is None:
            self._awaited.append(speech)
            loop = asyncio.get_running_loop()
            speech.patience = loop.call_later(LATE_WORDS_MS / 1000, self._give_up_on, speech)

    def close(self) -> None:
        """The session is over, and nothing more will be heard."""
        for speech in tuple(self._awaited):
            self._give_up_on(speech)

    def _is_known(self, speech: Speech) -> bool:
        """Whether the recogniser has nothing more to say of it."""
        return all(utterance in self._words and self._words[utterance].final for utterance in speech.utterances)

    def _give_up_on(self, speech: Speech) -> None:
        """No more words will come of it: it has those that there are, or has failed."""
        for utterance in speech.utterances:
            words = self._words.setdefault(utterance, Words())
            words.failed = words.failed or not words.final
        self._transcribe(speech)
        self._tell_unheard(speech)

    def _tell_unheard(self, speech: Speech) -> None:
        if speech.failed and speech.dropped:
            speech.dropped = False
            self._unheard()

    def _transcribe(self, speech: Speech) -> None:
        """Once: clients add a second transcription to the first."""
        if speech.patience is not None:
            speech.patience.cancel()
            speech.patience = None
            self._awaited.remove(speech)
        if speech.transcribed:
            return
        speech.transcribed = True
        words = [self._words[utterance] for utterance in speech.utterances if utterance in self._words]
        text = " ".join(word.text for word in words if word.text)
        entry = self._items.find(speech.item_id)
        if entry is not None:
            entry.heard = text
        speech.failed = not text and any(word.failed for word in words)
        self.told(speech.item_id, None if speech.failed else text, speech.audio_ms)

    def told(self, item_id: str, text: str | None, audio_ms: float) -> None:
        """The words of an item are known, or never will be (None): the client is told, if it wants to be."""
        if self._config().transcription is None:
            return
        if text is None:
            self._emit(say.transcription_failed(item_id, "audio_unintelligible", "Nothing could be understood."))
            return
        entry = self._items.find(item_id)
        if entry is not None and isinstance(entry.item, MessageItem):
            content = (
                replace(part, transcript=text) if isinstance(part, InputAudio) else part for part in entry.item.content
            )
            entry.item = replace(entry.item, content=tuple(content))
        if text:
            self._emit(say.transcription_delta(item_id, text))
        self._emit(say.transcription_completed(item_id, text, round(audio_ms / 1000, 3)))
