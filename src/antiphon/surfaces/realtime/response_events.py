"""What happens in the core, told on the wire: the ``SessionObserver`` behind every server event that no client asked for.

It decides nothing. The core opens and closes turns and replies; here they get their ids, and their events their order. It is the plan's
``surface``: where it fails the call ends, because a client that is told nothing more cannot use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.sentences import Piece
from antiphon.ids import new_id
from antiphon.surfaces.realtime.audio_buffers import AudioDeltas
from antiphon.surfaces.realtime.caller_turns import CallerTurns
from antiphon.surfaces.realtime.conversation_items import ConversationItems
from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.audio_config import ServerVad
from antiphon.surfaces.realtime.protocol.response import Response, ResponseConfig
from antiphon.surfaces.realtime.protocol.server_events import Event
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.protocol.tools import FunctionTool
from antiphon.surfaces.realtime.responses import (
    CLIENT_CANCELLED,
    COMPLETED,
    FAILED,
    TURN_DETECTED,
    Guess,
    Outcome,
    Voicing,
    WireResponse,
)
from antiphon.surfaces.realtime.usage import Meter
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, ToolCall, Usage

_OUTCOMES: dict[do.ReplyStatus, Outcome] = {
    "completed": COMPLETED,
    "interrupted": TURN_DETECTED,
    "cancelled": CLIENT_CANCELLED,
    "failed": FAILED,
}


class ResponseEvents:
    """Of one session. ``emit`` sends to everybody who drives it."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        items: ConversationItems,
        config: Callable[[], SessionConfig],
        conversation_id: str,
        deltas: AudioDeltas | None,
        media_ms: Callable[[], float],
        unheard: Callable[[], None],
        refused: Callable[[do.RequestRefused], None],
        ended: Callable[[EndReason], None],
    ) -> None:
        """``deltas`` is None where the audio leaves by another way. ``unheard`` is told of speech that nobody has answered because the
        recogniser failed, ``refused`` of requests of a client that make no sense now, ``ended`` of the end."""
        self.turns = CallerTurns(emit, items, lambda: config().input, media_ms, unheard)
        self.requests: dict[str, ResponseConfig] = {}
        """What clients asked for and the core has not begun, by the core's name of the request."""
        self.response: WireResponse | None = None
        """The live reply's; it may be done on the wire while its sound still plays."""
        self.spoken = False
        """Whether the agent has been heard: its voice cannot change any more."""
        self.last_response_id = ""
        self._emit = emit
        self._items = items
        self._config = config
        self._conversation_id = conversation_id
        self._deltas = deltas
        self._ended = ended
        self._meter = Meter(self.turns.take_heard_ms)
        self._guesses: dict[int, Guess] = {}
        self._voicing = Voicing()
        self._client_tools: frozenset[str] = frozenset()
        self._refused = refused
        self._begun_anew: WireResponse | None = None
        """A response of which nothing but its beginning was told when its words turned out to be others: the next reply is its."""

    @property
    def active(self) -> WireResponse | None:
        """The response in progress."""
        return self.response if self.response is not None and not self.response.done else None

    @property
    def sounding(self) -> bool:
        """Whether we are playing a response out."""
        return self.response is not None and self._voicing.sounding

    # ---------------------------------------------------------------------------------- SessionObserver

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        """Told to each controller as it comes."""

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        self.turns.happened(event, actions)
        told = _TOLD.get(type(event))
        if told is not None:
            told(self, event)
        for action in actions:
            if isinstance(action, do.TurnOpened):
                self.turns.opened(action.turn, event)
            elif isinstance(action, do.TurnDropped):
                self.turns.closed(action.turn, "", dropped=True, discarded=isinstance(event, ev.TurnDiscarded))
            elif isinstance(action, do.ReplyClosed):
                self._closed(action, corrected=isinstance(event, ev.TranscriptFinal))
            elif (told := _TOLD.get(type(action))) is not None:
                told(self, action)

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        self._meter.used(usage)

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """The reply that fails by it is told as failed."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self.response = self.response or self._begun_anew
        if self.active is not None:  # the core has closed it already, unless it broke down
            self._finish(FAILED)
        self.turns.transcripts.close()
        self._ended(reason)

    # ---------------------------------------------------------------------------------- a response begins

    def _start_reply(self, action: do.StartReply) -> None:
        self._meter.asked(action.messages)
        if action.speculative:
            self._guesses[action.reply] = Guess()
        elif action.step == 1:
            self._begin(action.reply, self.requests.pop(action.request, ResponseConfig()))

    def _begin(self, reply: int, asked: ResponseConfig) -> WireResponse:
        if self._begun_anew is not None:
            self.response, self._begun_anew = self._begun_anew, None
            self.response.reply = reply
            self._voicing = Voicing()
            return self.response
        config = self._config()
        response = Response(
            id=new_id("resp"),
            conversation_id=self._conversation_id,
            output_modality=asked.output_modality or config.output_modality,
            voice=asked.voice or config.output.voice,
            output_format=asked.output_format or config.output.format,
            max_output_tokens=asked.max_output_tokens or config.max_output_tokens,
            metadata=asked.metadata,
        )
        tools = config.tools if asked.tools is None else asked.tools
        self._client_tools = frozenset(tool.name for tool in tools if isinstance(tool, FunctionTool))
        self._voicing = Voicing()
        if self._deltas is not None:
            self._deltas.begin(response.output_format)
        self.last_response_id = response.id
        self.response = WireResponse(response, self._emit, self._items, reply)
        return self.response

    def _adopted(self, action: do.ReplyAdopted) -> None:
        guess = self._guesses.pop(action.reply, None) or Guess()
        response = self._begin(action.reply, ResponseConfig())
        if not response.is_spoken:
            response.text("".join(guess.texts))
        self._voicing = guess.voicing
        for piece in guess.pieces:
            response.transcript(piece.text, spaced=piece.spaced)
        made_ms = sum(self._voicing.durations_ms.values())
        if self._deltas is None and made_ms:  # its sound leaves by another way, and was made before this
            response.audio(b"", made_ms)
        for call in guess.calls:
            self._call(response, call)

    # ---------------------------------------------------------------------------------- what it says

    def _live(self, reply: int) -> WireResponse | None:
        response = self.response
        return response if response is not None and response.reply == reply and not response.done else None

    def _reply_text(self, event: ev.ReplyText) -> None:
        response = self._live(event.reply)
        if response is not None and not response.is_spoken:
            response.text(event.text)
        elif event.reply in self._guesses:
            self._guesses[event.reply].texts.append(event.text)

    def _reply_failed(self, event: ev.ReplyFailed) -> None:
        if self._live(event.reply) is not None:
            self._voicing.failed = True

    def _asked_for_tool(self, event: ev.ReplyAskedForTool) -> None:
        response = self._live(event.reply)
        if response is not None:
            self._call(response, event.call)
        elif event.reply in self._guesses:
            self._guesses[event.reply].calls.append(event.call)

    def _call(self, response: WireResponse, call: ToolCall) -> None:
        """Only what the client runs is told: an assistant's own tools are its own business."""
        if call.name in self._client_tools:
            response.call(call)

    def _speak(self, action: do.Speak) -> None:
        if action.reply in self._guesses:
            self._guesses[action.reply].pieces.append(Piece(action.text, action.spaced))
            self._guesses[action.reply].voicing.asked.add(action.piece)
            return
        # Words of our own (a greeting, a goodbye) begin without the model being asked.
        response = self._live(action.reply) or self._begin(action.reply, ResponseConfig())
        self._voicing.asked.add(action.piece)
        response.transcript(action.text, spaced=action.spaced)

    def _playback_started(self, event: ev.PlaybackStarted) -> None:
        self.spoken = True
        response = self.response
        if self._deltas is None and response is not None and response.reply == event.reply:
            self._voicing.sounding = True
            self._emit(say.playout_started(response.id))

    def _synthesized(self, event: ev.SpeechSynthesized) -> None:
        response = self._live(event.reply)
        if self._deltas is None and response is not None:
            response.audio(b"", self._voicing.made(event.piece, event.duration_ms))
        elif (guess := self._guesses.get(event.reply)) is not None:
            guess.voicing.made(event.piece, event.duration_ms)
        if event.complete:
            self._piece_finished(event.reply, event.piece)

    def _piece_finished(self, reply: int, piece: int) -> None:
        response = self._live(reply)
        if response is not None:
            self._voicing.finished.add(piece)
            self._finish_if_whole()
        elif reply in self._guesses:
            self._guesses[reply].voicing.finished.add(piece)

    def _end_speech(self, action: do.EndSpeech) -> None:
        if self._live(action.reply) is not None:
            self._voicing.ended = True
            self._finish_if_whole()

    def _finish_if_whole(self) -> None:
        """Where we play the audio, the response is done once it is made; where deltas carry it, once the last one has left."""
        if self._deltas is None and self._voicing.whole:
            self._finish(COMPLETED)

    # ---------------------------------------------------------------------------------- its end

    def _finish(self, outcome: Outcome) -> None:
        response = self.response
        assert response is not None
        if self._deltas is not None:
            if outcome.status == "cancelled":
                self._deltas.clear()
            self._deltas.flush(final=outcome.status != "cancelled")
        response.finish(outcome, self._meter.bill(response.words, response.audio_ms))
        self._emit(say.rate_limits_updated(()))

    def _closed(self, action: do.ReplyClosed, *, corrected: bool) -> None:
        """``corrected``: by words of the caller's that came late."""
        response = self.response
        if corrected and action.status == "cancelled" and response is not None and response.empty:
            self._begun_anew, self.response = response, None
            return
        if response is None or response.reply != action.reply:
            if not action.text:
                return
            response = self._begin(action.reply, ResponseConfig())  # words of our own, in a session that writes
            say_words = response.transcript if response.is_spoken else response.text
            say_words(action.text)
        if not response.done:
            self._finish(_OUTCOMES[action.status])
        cut = action.status in ("interrupted", "cancelled")
        if self._voicing.sounding:
            self._emit(say.playout_cleared(response.id) if cut else say.playout_stopped(response.id))
        if cut and response.is_spoken:
            entry = self._items.heard_of_reply(action.reply, action.text)
            if entry is not None and self._voicing.sounding:
                self._emit(say.item_truncated(entry.item.id, 0, min(action.heard_ms, entry.audio_ms)))
        self.response = None

    # ---------------------------------------------------------------------------------- the caller

    def _idle(self, action: do.IdleTimedOut) -> None:
        detection = self._config().input.turn_detection
        idle_ms = detection.idle_timeout_ms if isinstance(detection, ServerVad) else None
        self.turns.idle(action.turn, idle_ms or 0)


# One table for all sessions: one of a session's own would make a reference cycle with it.
_TOLD: dict[type, Callable[[ResponseEvents, Any], object]] = {
    ev.ReplyText: ResponseEvents._reply_text,
    ev.ReplyAskedForTool: ResponseEvents._asked_for_tool,
    ev.ReplyFailed: ResponseEvents._reply_failed,
    ev.SpeechSynthesized: ResponseEvents._synthesized,
    ev.SynthesisFailed: lambda it, event: it._piece_finished(event.reply, event.piece),
    ev.PlaybackStarted: ResponseEvents._playback_started,
    do.StartReply: ResponseEvents._start_reply,
    do.ReplyAdopted: ResponseEvents._adopted,
    do.CancelReply: lambda it, action: it._guesses.pop(action.reply, None),
    do.Speak: ResponseEvents._speak,
    do.EndSpeech: ResponseEvents._end_speech,
    do.ReplyCut: lambda it, action: it._items.heard_of_reply(action.reply, action.text),
    do.TurnClosed: lambda it, action: it.turns.closed(action.turn, action.text),
    do.IdleTimedOut: ResponseEvents._idle,
    do.RequestRefused: lambda it, action: it._refused(action),
}
