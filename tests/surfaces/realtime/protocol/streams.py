"""Streams of server events as a well-behaved server sends them (§5), built from moves. For the tests of the order.

A move is one thing that happens in a session: a spoken turn, a typed one, a response of some kind. Each step of a stream is
marked ``bound`` where leaving it out, or saying it twice, breaks a rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.audio_config import PCM, AudioInput, ServerVad
from antiphon.surfaces.realtime.protocol.errors import cancel_not_active
from antiphon.surfaces.realtime.protocol.items import (
    FunctionCallItem,
    InputAudio,
    InputText,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
)
from antiphon.surfaces.realtime.protocol.response import Response
from antiphon.surfaces.realtime.protocol.server_events import Event, ItemPlace, PartPlace, RateLimit
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig

Move = Literal[
    "spoken", "pushed", "typed", "silence", "cleared", "speak", "write", "call", "both", "cut", "aside", "late words",
    "truncate", "retrieve", "delete", "configure", "refuse", "played", "interrupted",
]  # fmt: skip
MOVES: tuple[Move, ...] = Move.__args__  # type: ignore[attr-defined]
SESSION = SessionConfig(model="m").echo("sess_1", 17)
MANUAL = SessionConfig(model="m", input=AudioInput(turn_detection=None)).echo("sess_1", 17)
DETECTED = SessionConfig(model="m", input=AudioInput(turn_detection=ServerVad())).echo("sess_1", 17)


@dataclass
class Stream:
    """``events`` carry their ids. ``bound[i]``: event i can neither be left out nor come twice."""

    events: list[Event] = field(default_factory=list)
    bound: list[bool] = field(default_factory=list)
    _counted: int = 0
    _last: str | None = None
    _untold: list[str] = field(default_factory=list)
    _spoken: list[str] = field(default_factory=list)
    _ms: int = 0

    def tell(self, *events: Event, bound: bool = True) -> None:
        for event in events:
            self.events.append({**event, "event_id": f"event_{len(self.events)}"})
            self.bound.append(bound)

    def name(self, prefix: str) -> str:
        self._counted += 1
        return f"{prefix}_{self._counted}"

    def at(self, event_type: str, count: int = 0) -> int:
        """Where the event of this type is, counted from 0."""
        return [index for index, event in enumerate(self.events) if event["type"] == event_type][count]

    def play(self, move: Move) -> None:
        if move in ("spoken", "silence", "pushed"):
            self.hear(move)
        elif move == "typed":
            self.take(MessageItem(self.name("item"), "user", (InputText("hi"),)), bound=False)
        elif move == "cleared":
            self.tell(say.speech_started(self.name("item"), self._ms), bound=False)
            self.tell(say.audio_cleared(), bound=False)
        elif move in ("speak", "cut", "write", "call", "both", "aside", "played", "interrupted"):
            self.respond(move)
        elif move == "late words" and self._untold:
            item_id = self._untold.pop()
            self.tell(say.transcription_delta(item_id, "Hey"), bound=False)
            self.tell(say.transcription_completed(item_id, "Hey", 1.0), bound=False)
        elif move in ("truncate", "retrieve", "delete") and self._spoken:
            self.change(move)
        elif move == "configure":
            self.tell(say.session_updated(DETECTED), bound=False)
        elif move == "refuse":
            self.tell(
                cancel_not_active().to_event(), say.rate_limits_updated([RateLimit("tokens", 9, 9, 1)]), bound=False
            )

    def hear(self, move: Move) -> None:
        """A turn of the caller: heard, timed out, or committed by hand."""
        item_id = self.name("item")
        start_ms, end_ms = self._ms, self._ms + 900
        self._ms = end_ms
        if move == "spoken":
            self.tell(say.speech_started(item_id, start_ms), say.speech_stopped(item_id, end_ms))
        elif move == "silence":
            self.tell(say.timeout_triggered(item_id, start_ms, end_ms), bound=False)
        self.tell(say.audio_committed(item_id, self._last), bound=move == "spoken")
        self._untold.append(item_id)
        self.take(MessageItem(item_id, "user", (InputAudio(None),)), bound=move == "spoken")

    def take(self, item: Item, *, bound: bool) -> None:
        """An item that comes to the conversation whole."""
        self.tell(say.item_added(item, self._last), say.item_done(item, self._last), bound=bound)
        self._last = item.id

    def respond(self, move: Move) -> None:
        aside = move == "aside"
        writes = move in ("write", "aside")
        cut = move in ("cut", "interrupted")
        begun = Response(self.name("resp"), None if aside else "conv_1", "text" if writes else "audio", "marin", PCM)
        self.tell(say.response_created(begun))
        output: list[Item] = []
        if move != "call":
            output.append(self.message(begun, len(output), move, cut=cut))
        if move in ("call", "both"):
            output.append(self.call(begun, len(output)))
        done = replace(begun, status="completed", output=tuple(output))
        self.tell(say.response_done(replace(done, status="cancelled", reason="turn_detected") if cut else done))
        if move == "interrupted":
            self.tell(say.playout_cleared(begun.id), bound=False)
        elif move == "played":
            self.tell(say.playout_stopped(begun.id))

    def message(self, response: Response, index: int, move: Move, *, cut: bool) -> Item:
        empty = MessageItem(self.name("item"), "assistant", (), "in_progress")
        previous = self.open(response, index, empty)
        at = PartPlace(response.id, empty.id, index)
        if response.output_modality == "text":
            self.tell(say.text_part_added(at))
            self.tell(*(say.output_text_delta(at, piece) for piece in ("Hel", "lo")))
            self.tell(say.output_text_done(at, "Hello"), say.text_part_done(at, "Hello"))
            item = replace(empty, content=(OutputText("Hello"),), status="completed")
        else:
            self.tell(say.audio_part_added(at))
            if move in ("played", "interrupted"):
                self.tell(say.playout_started(response.id), bound=move == "played")
            for piece in ("Hel", "lo"):
                self.tell(say.output_audio_transcript_delta(at, piece), bound=not cut)
                if move not in ("played", "interrupted"):
                    self.tell(say.output_audio_delta(at, b"\0\0"), bound=False)
            said = "Hel" if cut else "Hello"
            self.tell(
                say.output_audio_done(at), say.output_audio_transcript_done(at, said), say.audio_part_done(at, said)
            )
            item = replace(empty, content=(OutputAudio(said),), status="incomplete" if cut else "completed")
            self._spoken.append(item.id)
        self.close(response, index, item, previous)
        return item

    def call(self, response: Response, index: int) -> Item:
        empty = FunctionCallItem(self.name("item"), self.name("call"), "f", "", "in_progress")
        previous = self.open(response, index, empty)
        at = ItemPlace(response.id, empty.id, index)
        self.tell(say.function_call_arguments_delta(at, empty.call_id, "{}"))
        self.tell(say.function_call_arguments_done(at, empty.call_id, "f", "{}"))
        item = replace(empty, arguments="{}", status="completed")
        self.close(response, index, item, previous)
        return item

    def open(self, response: Response, index: int, item: Item) -> str | None:
        self.tell(say.output_item_added(response.id, index, item))
        previous = self._last
        if response.conversation_id is not None:
            self.tell(say.item_added(item, previous))
            self._last = item.id
        return previous

    def close(self, response: Response, index: int, item: Item, previous: str | None) -> None:
        if response.conversation_id is not None:
            self.tell(say.item_done(item, previous))
        self.tell(say.output_item_done(response.id, index, item))

    def change(self, move: Move) -> None:
        """Something happens to the last thing the agent said."""
        item_id = self._spoken[-1]
        if move == "truncate":
            self.tell(say.item_truncated(item_id, 0, 500), bound=False)
        elif move == "retrieve":
            self.tell(say.item_retrieved(MessageItem(item_id, "assistant", (OutputAudio("Hel"),))), bound=False)
        else:
            self._spoken.pop()
            self.tell(say.item_deleted(item_id), bound=False)


def stream(moves: Iterable[Move]) -> Stream:
    """``session.created`` and what follows from the moves."""
    told = Stream()
    told.tell(say.session_created(SESSION))
    for move in moves:
        told.play(move)
    return told
