"""What the caller says, as the wire tells it: speech started and stopped, committed, the item, its transcription.

The core decides when a turn opens and ends; here is only which item each turn became and what has been announced of it. A
turn is one item, except where a client commits twice before the first words are there, or the caller goes on after the silence that ended
the turn and before its words have come: then the core has one turn and the wire two items.

An item is committed when its silence is over; its words follow when they are known (``transcripts``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.events import Place
from antiphon.ids import new_id
from antiphon.surfaces.realtime.conversation_items import ConversationItems, Entry
from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.audio_config import AudioInput, ServerVad
from antiphon.surfaces.realtime.protocol.items import InputAudio, InputText, MessageItem
from antiphon.surfaces.realtime.protocol.server_events import Event
from antiphon.surfaces.realtime.transcripts import Speech, Transcripts


class CallerTurns:
    """Of one session. Told of every input of the core, before its actions are carried out."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        items: ConversationItems,
        config: Callable[[], AudioInput],
        media_ms: Callable[[], float],
        unheard: Callable[[], None],
    ) -> None:
        """``media_ms`` is how much audio the caller has sent in all. ``unheard`` is told of speech that nobody has answered because the
        recogniser failed on it."""
        self.transcripts = Transcripts(emit, items, config, unheard)
        self._emit = emit
        self._items = items
        self._config = config
        self._media_ms = media_ms
        self._turn = 0
        """The open turn; 0 for none."""
        self._speeches: list[Speech] = []
        self._last: list[Speech] = []
        """Those of the turn before."""
        self._onset_ms = 0
        self._stopped_ms: int | None = None
        """Where the caller's speech stopped; None while it goes on, when a turn may still be over: committed by hand, or hung up in."""
        self._utterance = 0
        self._committed_at_ms = 0.0
        self.heard_ms = 0.0
        """Speech committed since it was last asked for, for the bill."""

    @property
    def uncommitted_ms(self) -> float:
        """Audio since the last commit or clear."""
        return self._media_ms() - self._committed_at_ms

    def cleared(self) -> None:
        """What was sent until now does not count."""
        self._committed_at_ms = self._media_ms()

    def take_heard_ms(self) -> float:
        heard_ms, self.heard_ms = self.heard_ms, 0.0
        return heard_ms

    # ---------------------------------------------------------------------------------- what happened

    def happened(self, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        """The inputs that matter here."""
        match event:
            case ev.SpeechStarted(utterance, media_ms):
                self._stopped_ms = None
                self._utterance = utterance
                self._speaks(utterance, media_ms)
            case ev.SpeechStopped(_, media_ms):
                self._stopped_ms = media_ms
            case ev.TranscriptChanged(utterance, text):
                self._utterance = utterance
                self.transcripts.changed(utterance, text)
            case ev.TranscriptFinal(utterance, text):
                self._utterance = utterance
                self.transcripts.final(utterance, text, self._speeches)
            case ev.TranscriptFailed(utterance):
                self._utterance = utterance
                self.transcripts.final(utterance, None, self._speeches)
            case ev.TurnCommitted(utterance):
                if not any(isinstance(action, do.RequestRefused) for action in actions):
                    self._client_committed(utterance, actions)
        if any(isinstance(action, do.FinishTranscript) for action in actions):
            self._silence_is_over()

    def _silence_is_over(self) -> None:
        """Only the recogniser's last words are waited for now."""
        for speech in self._speeches:
            if not speech.committed:
                self._commit(speech, self._turn)

    def _speaks(self, utterance: int, media_ms: int) -> None:
        """More speech in the open turn. What follows a commit is another item, though the core may take it for the same turn."""
        speech = self._speeches[-1] if self._speeches else None
        if self._turn == 0 or (speech is not None and speech.committed):
            self._onset_ms = media_ms
        if self._turn and speech is not None:
            if speech.committed:
                self._announce(Speech(new_id("item"), [utterance]))
            elif utterance not in speech.utterances:
                speech.utterances.append(utterance)

    def _client_committed(self, utterance: int, actions: Sequence[do.Action]) -> None:
        """The item is announced at once; its words follow when the turn closes."""
        opened = next((action.turn for action in actions if isinstance(action, do.TurnOpened)), 0)
        self._turn = opened or self._turn
        speech = self._speeches[-1] if self._speeches else None
        if speech is None or speech.committed:
            speech = Speech(new_id("item"))
            self._speeches.append(speech)
        if utterance and utterance not in speech.utterances:
            speech.utterances.append(utterance)
        self._commit(speech, self._turn, by_client=True)

    # ---------------------------------------------------------------------------------- turns

    def opened(self, turn: int, event: ev.Event | None) -> None:
        """``event`` is what opened it: only speech that we have heard by ourselves is announced."""
        if turn == self._turn:
            return  # by a commit, dealt with above
        self._turn = turn
        for speech in self._last:
            speech.dropped = False  # the caller has gone on by himself
        if isinstance(event, ev.TextReceived | ev.DtmfPressed) or event is None:
            return
        if isinstance(event, ev.TranscriptFinal) and any(event.utterance in speech.utterances for speech in self._last):
            self._speeches = self._last  # dropped for want of words, which have come now: it is the same speech
            return
        speech = Speech(new_id("item"), [self._utterance] if self._utterance else [])
        self._speeches = []
        if isinstance(event, ev.SpeechStarted):
            self._announce(speech)
        else:
            self._speeches.append(speech)

    def _announce(self, speech: Speech) -> None:
        detection = self._config().turn_detection
        padding_ms = detection.prefix_padding_ms if isinstance(detection, ServerVad) else 0
        speech.announced = True
        self._speeches.append(speech)
        self._emit(say.speech_started(speech.item_id, max(0, self._onset_ms - padding_ms)))

    def closed(self, turn: int, text: str, *, dropped: bool = False, discarded: bool = False) -> None:
        """These are the words of the turn. ``dropped``: it was none after all, or its words have not come. ``discarded``: by the client,
        which threw away what it had sent; what it had not committed becomes no item."""
        self._turn = 0
        speeches, self._speeches = self._speeches, []
        if discarded:
            speeches = [speech for speech in speeches if speech.committed]
        self._last = speeches
        if not speeches and text and not dropped:
            self._typed(turn, text)
        for speech in speeches:
            if not speech.committed:
                self._commit(speech, turn)
            speech.dropped = dropped and not discarded and speech is speeches[-1]
            if (entry := self._items.find(speech.item_id)) is not None:
                entry.place = Place(turn=turn)
            self.transcripts.settle(speech)

    def idle(self, turn: int, idle_ms: int) -> None:
        """Nothing was heard for so long that the model is asked all the same: the silence becomes an item."""
        speech = Speech(new_id("item"))
        now_ms = int(self._media_ms())
        self._emit(say.timeout_triggered(speech.item_id, max(0, now_ms - idle_ms), now_ms))
        self._commit(speech, turn)
        self.transcripts.settle(speech)

    def _typed(self, turn: int, text: str) -> None:
        """Keys pressed on a telephone's pad."""
        item = MessageItem(new_id("item"), "user", (InputText(text),))
        previous_id = self._items.append(Entry(item, Place(turn=turn), heard=text))
        self._emit(say.item_added(item, previous_id))
        self._emit(say.item_done(item, previous_id))

    def _audio_end_ms(self, *, by_client: bool) -> int:
        """Where the audio of the turn ends: by the specification, the silence that showed it is part of it."""
        now_ms = int(self._media_ms())
        if by_client or self._stopped_ms is None:
            return now_ms
        detection = self._config().turn_detection
        silence_ms = detection.silence_duration_ms if isinstance(detection, ServerVad) else 0
        return min(self._stopped_ms + silence_ms, now_ms)

    def _spoken_ms(self) -> float:
        """How much of the turn's audio is speech, so far."""
        return max((self._media_ms() if self._stopped_ms is None else self._stopped_ms) - self._onset_ms, 0)

    def _commit(self, speech: Speech, turn: int, *, by_client: bool = False) -> None:
        speech.committed = True
        if speech.announced:
            self._emit(say.speech_stopped(speech.item_id, self._audio_end_ms(by_client=by_client)))
            speech.audio_ms = self._spoken_ms()
        else:
            speech.audio_ms = self.uncommitted_ms
        self.heard_ms += speech.audio_ms
        self._committed_at_ms = self._media_ms()
        item = MessageItem(speech.item_id, "user", (InputAudio(None),))
        previous_id = self._items.append(Entry(item, Place(turn=turn)))
        self._emit(say.audio_committed(speech.item_id, previous_id))
        self._emit(say.item_added(item, previous_id))
        self._emit(say.item_done(item, previous_id))
