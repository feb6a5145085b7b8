"""What each of a client's events does to a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from antiphon.conversation import events as ev
from antiphon.conversation.actions import Action, RequestRefused
from antiphon.conversation.events import Place
from antiphon.errors import ProviderError
from antiphon.ids import new_id
from antiphon.providers.base import ModelRequest
from antiphon.session.session import Session
from antiphon.surfaces.realtime import mapping
from antiphon.surfaces.realtime.audio_buffers import AppendedAudio, AudioAhead
from antiphon.surfaces.realtime.controllers import Controller, Controllers
from antiphon.surfaces.realtime.conversation_items import ConversationItems, Entry, is_spoken
from antiphon.surfaces.realtime.out_of_band import OutOfBandResponse, OutOfBandResponses
from antiphon.surfaces.realtime.protocol import client_events as asked
from antiphon.surfaces.realtime.protocol import errors
from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.errors import ClientError, ItemVerb
from antiphon.surfaces.realtime.protocol.items import InputAudio, Item, MessageItem
from antiphon.surfaces.realtime.protocol.response import Response, ResponseConfig
from antiphon.surfaces.realtime.protocol.server_events import Event
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.response_events import ResponseEvents
from antiphon.surfaces.realtime.spoken_items import SpokenItems
from antiphon.vocabulary import CallContext, Message

SHORTEST_COMMIT_MS = 100
STRIDE_MS = 1000
"""Audio that is heard in one go."""
MAX_AUDIO_MS = 327_680
"""Of one append or one item, in every format: 15 MiB of PCM (§1.1). In bytes, G.711's would be half an hour."""


class CommandedSession(Protocol):
    """What commands ask of the session they change. The session knows its commands; they know this much of it."""

    core: Session | None
    """None until its media is there, and after its end."""
    config: SessionConfig
    call_id: str
    strict: bool
    plays_out: bool
    base_options: Mapping[str, Any]

    def echo(self) -> Event:
        """The session object."""
        ...

    def configure(self, new: SessionConfig) -> None:
        """Another configuration from now on. Raises ClientError, and nothing has changed."""
        ...

    def voice_of(self, name: str) -> str:
        """The engine's name for a voice."""
        ...

    def request(self, event: ev.ReplyRequested, controller: Controller, event_id: str | None) -> None:
        """Ask the core for a reply; a refusal, now or later, goes to ``controller``."""
        ...

    def feed(self, event: ev.Event) -> Sequence[Action]:
        """Tell the core. Returns what that led to."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a session that commands work on."""

    controllers: Controllers
    items: ConversationItems
    response_events: ResponseEvents
    appended: AppendedAudio
    ahead: AudioAhead
    out_of_band: OutOfBandResponses
    spoken_items: SpokenItems


class Commands:
    """Of one session. Every method raises ClientError where the event cannot be carried out."""

    def __init__(self, session: CommandedSession, parts: Parts) -> None:
        self._session = session
        self._parts = parts

    def carry_out(self, event: asked.ClientEvent, controller: Controller) -> Iterator[float] | None:
        """Do it; where it takes long, the iterator does it in steps and gives what each has cost (``inbox.Work``)."""
        if type(event) is not asked.SessionUpdate and self._session.core is None:
            raise ClientError("session_not_ready", "The session has no media yet; only session.update is possible.")
        return _CARRIED_OUT[type(event)](self, event, controller)

    @property
    def _core(self) -> Session:
        core = self._session.core
        assert core is not None, "nothing is carried out before there is one"
        return core

    def _update(self, event: asked.SessionUpdate, _controller: Controller) -> None:
        session = self._session
        session.configure(session.config.merge(event.session, strict=session.strict))
        self._parts.controllers.send(say.session_updated(session.echo()))

    # ---------------------------------------------------------------------------------- the caller's audio

    def append(self, event: asked.AudioAppend) -> Iterator[float] | None:
        """Fifty a second. What is longer than a second is heard in strides: the iterator gives what each has cost (``inbox.Work``)."""
        session = self._session
        if session.plays_out:
            raise ClientError(
                "invalid_event_for_transport",
                "The audio of this session comes on its media track, or in binary messages.",
                "type",
            )
        core = self._core
        audio, appended = event.audio, self._parts.appended
        duration_ms = len(audio) * appended.ms_per_byte
        if duration_ms > MAX_AUDIO_MS:
            raise errors.too_much_audio("audio", MAX_AUDIO_MS)
        self._parts.ahead.take(duration_ms)
        if duration_ms > STRIDE_MS:
            return self._append_in_strides(audio)
        core.audio(appended.take(audio), None)
        return None

    def _append_in_strides(self, audio: bytes) -> Iterator[float]:
        session = self._session
        stride = self._parts.appended.format.bytes_for_ms(STRIDE_MS)
        for start in range(0, len(audio), stride):
            if session.core is None:
                return
            session.core.audio(self._parts.appended.take(audio[start : start + stride]), None)
            yield STRIDE_MS / 250

    def _commit(self, _event: asked.AudioCommit, _controller: Controller) -> Iterator[float] | None:
        session, turns = self._session, self._parts.response_events.turns
        if session.config.input.turn_detection is None and turns.uncommitted_ms < SHORTEST_COMMIT_MS:
            raise errors.commit_too_small(turns.uncommitted_ms)
        if self._core.port.backlog_ms > STRIDE_MS:
            return self._commit_in_strides()
        self._commit_now()
        return None

    def _commit_in_strides(self) -> Iterator[float]:
        """Of a file that was sent at once, most has not been heard yet."""
        while self._session.core is not None and self._session.core.hear_out(STRIDE_MS):
            yield STRIDE_MS / 250
        if self._session.core is not None:
            self._commit_now()

    def _commit_now(self) -> None:
        if _refused(self._core.commit_turn()):
            raise errors.commit_too_small(0.0)

    def _clear(self, _event: asked.AudioClear, _controller: Controller) -> None:
        turns = self._parts.response_events.turns
        self._core.discard_turn()
        turns.cleared()
        self._parts.appended.clear()
        self._parts.controllers.send(say.audio_cleared())

    # ---------------------------------------------------------------------------------- items

    def _create_item(self, event: asked.ItemCreate, _controller: Controller) -> None:
        core = self._core
        item = event.item if event.item.id else replace(event.item, id=new_id("item"))
        recording = _recording(item)
        if recording:
            self._check_recording(recording)
        if isinstance(item, MessageItem):
            item = replace(item, content=tuple(_without_audio(part) for part in item.content))
        entry = Entry(item, Place(id=item.id) if recording else mapping.place_of(item))
        previous_id, after = self._parts.items.create(entry, event.previous_item_id)
        self._parts.controllers.send(say.item_added(item, previous_id))
        self._parts.controllers.send(say.item_done(item, previous_id))
        message = mapping.message_of(item)
        if recording:
            self._write_down(entry, recording)
        elif message is not None:
            core.feed(ev.MessageAdded(message, after=after))

    def _check_recording(self, recording: bytes) -> None:
        session = self._session
        duration_ms = session.config.input.format.ms_of(len(recording))
        if duration_ms > MAX_AUDIO_MS:
            raise errors.too_much_audio("item", MAX_AUDIO_MS)
        self._parts.spoken_items.require_room(len(recording))
        self._parts.ahead.take(duration_ms)

    def _write_down(self, entry: Entry, recording: bytes) -> None:
        """The model is told of the item once its words are known."""
        session, item_id, audio_format = self._session, entry.item.id, self._session.config.input.format

        def told(words: str | None) -> None:
            text = " ".join(part for part in (mapping.text_of(entry.item), words or "") if part)
            entry.heard = text
            if text and self._parts.items.find(item_id) is entry:
                after = self._parts.items.place_before(entry)
                session.feed(ev.MessageAdded(Message("user", text, id=item_id), after=after))
            self._parts.response_events.turns.transcripts.told(item_id, words, audio_format.ms_of(len(recording)))

        try:
            self._parts.spoken_items.write_down(recording, told, audio_format)
        except ProviderError:
            told(None)

    def _entry(self, verb: ItemVerb, item_id: str) -> Entry:
        entry = self._parts.items.find(item_id)
        if entry is None:
            raise errors.no_such_item(verb, item_id)
        return entry

    def _retrieve_item(self, event: asked.ItemRetrieve, controller: Controller) -> None:
        entry = self._entry("retrieving", event.item_id)
        self._parts.controllers.tell(controller, say.item_retrieved(entry.item))

    def _truncate_item(self, event: asked.ItemTruncate, _controller: Controller) -> None:
        """Clamped, where OpenAI objects: clients compute the time from a clock, and to Pipecat every error is the end."""
        entry = self._entry("truncating", event.item_id)
        if not entry.reply or event.content_index != 0 or not (entry.audio_ms or is_spoken(entry.item)):
            raise errors.not_truncatable(event.item_id)
        heard_ms = min(event.audio_end_ms, entry.audio_ms)
        self._core.feed(ev.PlaybackTruncated(entry.reply, heard_ms))
        self._parts.controllers.send(say.item_truncated(event.item_id, 0, heard_ms))

    def _delete_item(self, event: asked.ItemDelete, _controller: Controller) -> None:
        entry = self._entry("deleting", event.item_id)
        place = self._parts.items.remove(entry)
        if place is not None:
            self._core.feed(ev.MessageRemoved(place))
        self._parts.controllers.send(say.item_deleted(event.item_id))

    # ---------------------------------------------------------------------------------- responses

    def _create_response(self, event: asked.ResponseCreate, controller: Controller) -> None:
        session, wanted = self._session, event.response
        if session.config.type == "transcription":
            raise errors.not_in_transcription("response.create")
        if wanted.out_of_band:
            self._parts.out_of_band.start(self._out_of_band(wanted))
            return
        messages = None
        if wanted.input is not None:
            messages = mapping.messages_of(wanted.input, self._parts.items.message)
        voice = session.voice_of(wanted.voice) if wanted.voice is not None else None
        options = mapping.reply_options(wanted, messages, voice)
        request = new_id("req")
        self._parts.response_events.requests[request] = wanted
        session.request(ev.ReplyRequested(request, options), controller, event.event_id)

    def _out_of_band(self, wanted: ResponseConfig) -> OutOfBandResponse:
        session, config = self._session, self._session.config
        instructions = config.instructions if wanted.instructions is None else wanted.instructions
        if wanted.input is None:
            history = self._core.conversation.history()
            messages = history[1:] if history and history[0].role == "system" else history
        else:
            messages = mapping.messages_of(wanted.input, self._parts.items.message)
        if instructions:
            messages = (Message("system", instructions), *messages)
        tools = config.tools if wanted.tools is None else wanted.tools
        options = mapping.model_options(wanted, mapping.model_options(config, session.base_options))
        response = Response(
            id=new_id("resp"),
            conversation_id=None,
            output_modality=wanted.output_modality or config.output_modality,
            voice=wanted.voice or config.output.voice,
            output_format=wanted.output_format or config.output.format,
            max_output_tokens=wanted.max_output_tokens or config.max_output_tokens,
            metadata=wanted.metadata,
        )
        request = ModelRequest(messages, mapping.client_tools(tools), CallContext(session.call_id), options)
        return OutOfBandResponse(response, request, session.voice_of(response.voice), config.output.speed)

    def _cancel_response(self, event: asked.ResponseCancel, _controller: Controller) -> None:
        session = self._session
        if event.response_id is not None and self._parts.out_of_band.cancel(event.response_id):
            return
        active = self._parts.response_events.active
        if active is None or event.response_id not in (None, active.id):
            raise errors.cancel_not_active()
        if _refused(session.feed(ev.ReplyCancelled())):
            raise errors.cancel_not_active()

    def _clear_output(self, _event: asked.OutputAudioClear, _controller: Controller) -> None:
        """Where nothing sounds it is answered all the same: agents-js sends it whenever its user interrupts."""
        session = self._session
        if not session.plays_out:
            raise ClientError(
                "invalid_event_for_transport", "The client plays the audio of this session itself.", "type"
            )
        sounding = self._parts.response_events.sounding
        if sounding:
            session.feed(ev.ReplyCancelled())
        else:
            self._parts.controllers.send(say.playout_cleared(self._parts.response_events.last_response_id))


def _refused(actions: Iterable[Action]) -> bool:
    """Whether the core would have nothing of it."""
    return any(isinstance(action, RequestRefused) for action in actions)


def _recording(item: Item) -> bytes:
    """Audio of a message that comes without its words."""
    parts = item.content if isinstance(item, MessageItem) else ()
    return b"".join(part.audio for part in parts if isinstance(part, InputAudio) and part.transcript is None)


def _without_audio(part: Any) -> Any:
    return replace(part, audio=b"") if isinstance(part, InputAudio) else part


# One table for all sessions: one of a session's own would make a reference cycle with it.
_CARRIED_OUT: dict[type, Callable[[Commands, Any, Controller], Iterator[float] | None]] = {
    asked.SessionUpdate: Commands._update,
    asked.AudioCommit: Commands._commit,
    asked.AudioClear: Commands._clear,
    asked.ItemCreate: Commands._create_item,
    asked.ItemRetrieve: Commands._retrieve_item,
    asked.ItemTruncate: Commands._truncate_item,
    asked.ItemDelete: Commands._delete_item,
    asked.ResponseCreate: Commands._create_response,
    asked.ResponseCancel: Commands._cancel_response,
    asked.OutputAudioClear: Commands._clear_output,
}
