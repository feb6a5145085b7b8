"""One response on the wire: what the core tells of a reply becomes its events, in the order clients rely on (§5).

    created ─ [message: added ─ part added ─ deltas ─ part done ─ done] ─ [call: added ─ arguments ─ done]* ─ done

Nothing is announced before there is something to say: a reply that only calls a function has no empty message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import orjson

from antiphon.conversation.events import Place
from antiphon.conversation.sentences import Piece
from antiphon.ids import new_id
from antiphon.surfaces.realtime.conversation_items import ConversationItems, Entry
from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.items import (
    FunctionCallItem,
    Item,
    ItemStatus,
    MessageItem,
    OutputAudio,
    OutputText,
)
from antiphon.surfaces.realtime.protocol.response import (
    CancelReason,
    IncompleteReason,
    Response,
    ResponseStatus,
    ResponseUsage,
)
from antiphon.surfaces.realtime.protocol.server_events import Event, ItemPlace, PartPlace
from antiphon.vocabulary import ToolCall

Emit = Callable[[Event], None]

DELTA_MS = 200
"""Audio in one delta, at most: 13 KiB of JSON at 24 kHz."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a response ended."""

    status: ResponseStatus = "completed"
    reason: CancelReason | IncompleteReason | None = None
    error_code: str = ""
    error_message: str = ""


COMPLETED = Outcome()
TURN_DETECTED = Outcome("cancelled", "turn_detected")
CLIENT_CANCELLED = Outcome("cancelled", "client_cancelled")
FAILED = Outcome("failed", error_code="server_error", error_message="The model or the voice failed to answer.")


class WireResponse:
    """From ``response.created``, which is sent at once, to ``response.done``.

    ``response.output_modality`` decides what its message is: ``text()`` of a text response, ``transcript()`` and ``audio()`` of a
    spoken one. ``items`` is None for a response outside the conversation, which announces no ``conversation.item.*``.
    """

    def __init__(self, response: Response, emit: Emit, items: ConversationItems | None, reply: int = 0) -> None:
        """``reply`` is the core's number of it."""
        self.reply = reply
        self.done = False
        self.audio_ms = 0.0
        """Audio given out so far."""
        self._response = response
        self._emit = emit
        self._items = items
        self._output: list[Item] = []
        self._message_id = ""
        self._message_entry: Entry | None = None
        self._words: list[str] = []
        self._calls: list[ToolCall] = []
        self._previous: dict[str, str | None] = {}
        emit(say.response_created(response))

    @property
    def id(self) -> str:
        return self._response.id

    @property
    def is_spoken(self) -> bool:
        return self._response.output_modality == "audio"

    @property
    def empty(self) -> bool:
        """Whether nothing but its beginning has been told."""
        return not (self.done or self._message_id or self._calls)

    @property
    def words(self) -> str:
        """All it has said or written so far."""
        return "".join(self._words)

    # ---------------------------------------------------------------------------------- what the reply gives

    def text(self, delta: str) -> None:
        """More of a written response."""
        if delta and not self.done:
            at = self._message()
            self._words.append(delta)
            self._emit(say.output_text_delta(at, delta))

    def transcript(self, piece: str, *, spaced: bool = True) -> None:
        """The next words to be spoken; ``spaced`` where a blank goes before them."""
        if piece and not self.done:
            at = self._message()
            delta = f" {piece}" if self._words and spaced else piece
            self._words.append(delta)
            self._emit(say.output_audio_transcript_delta(at, delta))

    def audio(self, audio: bytes, duration_ms: float) -> None:
        """The next audio, in the response's output format; empty where it leaves by another way (WebRTC) and is only counted."""
        if self.done:
            return
        at = self._message()
        self.audio_ms += duration_ms
        if self._message_entry is not None:
            self._message_entry.audio_ms = int(self.audio_ms)
        if audio:
            self._emit(say.output_audio_delta(at, audio))

    def call(self, call: ToolCall) -> None:
        """A function the client shall run: announced whole once the message before it is done."""
        self._calls.append(call)

    # ---------------------------------------------------------------------------------- its end

    def finish(self, outcome: Outcome, usage: ResponseUsage) -> None:
        """Close what is open and say ``response.done``. A response that did not come to its end asks for no function."""
        if self.done:
            return
        whole = outcome.status == "completed"
        if self._message_id:
            self._finish_message("completed" if whole else "incomplete")
        for call in self._calls if whole else ():
            self._announce_call(call)
        self.done = True
        self._emit(
            say.response_done(
                replace(
                    self._response,
                    status=outcome.status,
                    reason=outcome.reason,
                    error_code=outcome.error_code,
                    error_message=outcome.error_message,
                    output=tuple(self._output),
                    usage=usage,
                )
            )
        )

    # ---------------------------------------------------------------------------------- its items

    def _message(self) -> PartPlace:
        """The place of its message's only part; announced when first asked for."""
        if not self._message_id:
            self._message_id = new_id("item")
            self._message_entry = self._add(MessageItem(self._message_id, "assistant", (), "in_progress"))
            added = say.audio_part_added if self.is_spoken else say.text_part_added
            self._emit(added(PartPlace(self.id, self._message_id, 0)))
        return PartPlace(self.id, self._message_id, 0)

    def _finish_message(self, status: ItemStatus) -> None:
        at, words = PartPlace(self.id, self._message_id, 0), self.words
        if self.is_spoken:
            self._emit(say.output_audio_done(at))
            self._emit(say.output_audio_transcript_done(at, words))
            self._emit(say.audio_part_done(at, words))
        else:
            self._emit(say.output_text_done(at, words))
            self._emit(say.text_part_done(at, words))
        part = OutputAudio(words) if self.is_spoken else OutputText(words)
        self._finish_item(MessageItem(self._message_id, "assistant", (part,), status))

    def _announce_call(self, call: ToolCall) -> None:
        arguments = orjson.dumps(call.arguments).decode()
        begun = FunctionCallItem(new_id("item"), call.id, call.name, "", "in_progress")
        self._add(begun)
        at = ItemPlace(self.id, begun.id, len(self._output))
        self._emit(say.function_call_arguments_delta(at, call.id, arguments))
        self._emit(say.function_call_arguments_done(at, call.id, call.name, arguments))
        self._finish_item(replace(begun, arguments=arguments, status="completed"))

    def _add(self, item: Item) -> Entry | None:
        self._emit(say.output_item_added(self.id, len(self._output), item))
        if self._items is None:
            return None
        entry = Entry(item, Place(reply=self.reply), reply=self.reply)
        self._previous[item.id] = self._items.append(entry)
        self._emit(say.item_added(item, self._previous[item.id]))
        return entry

    def _finish_item(self, item: Item) -> None:
        index = len(self._output)
        self._output.append(item)
        entry = self._items.find(item.id) if self._items is not None else None
        if entry is not None:  # the client may have deleted it meanwhile
            entry.item = item
            self._emit(say.item_done(item, self._previous[item.id]))
        self._emit(say.output_item_done(self.id, index, item))


@dataclass(slots=True)
class Guess:
    """A reply to words that may not be all of the turn: nothing of it is told before it proves right."""

    texts: list[str] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    voicing: Voicing = field(default_factory=lambda: Voicing())


@dataclass(slots=True)
class Voicing:
    """How far the voice has come with the live reply: a leg that plays in real time has the whole of it long before it was heard."""

    asked: set[int] = field(default_factory=set)
    durations_ms: dict[int, int] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    ended: bool = False
    failed: bool = False
    """The model broke off."""
    sounding: bool = False

    def made(self, piece: int, duration_ms: int) -> int:
        """So much of a piece has been made. Returns how much more that is than was known."""
        more_ms = duration_ms - self.durations_ms.get(piece, 0)
        self.durations_ms[piece] = duration_ms
        return more_ms

    @property
    def whole(self) -> bool:
        made = self.ended and self.asked <= self.finished and any(self.durations_ms.values())
        return made and not self.failed
