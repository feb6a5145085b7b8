"""In which order server events may come (§5): an automaton that reads a stream and names the first rule broken.

Tests read every captured stream with it; with ``realtime.debug_order`` the server reads its own. The rules, by label:

session     ``session_first`` one ``session.created``, before all else · ``event_id`` on every event, never the same · ``unknown_type``
speech      ``speech_order`` started, stopped, committed, item: one id, each once, one caller's speech at a time ·
            ``speech_times`` never backwards · ``commit_unanswered`` a committed item is added and done before anything depends on it
items       ``item_announced_twice`` · ``previous_item_unknown`` · ``item_not_announced`` · ``item_done_twice`` · ``item_null`` ·
            ``item_transcript_missing`` · ``item_status`` · ``truncated_not_spoken`` · ``transcription_not_of_user`` ·
            ``transcription_over`` · ``out_of_band_item`` an item of a response outside the conversation is none of the conversation's
response    ``response_twice`` · ``response_not_active`` before it was created or after it was done · ``two_responses`` of the
            conversation at once · ``response_status`` · ``output_index`` · ``output_item_twice`` · ``output_item_unknown`` ·
            ``output_item_over`` · ``output_item_done_early`` · ``output_open`` · ``output_differs`` · ``content_index`` ·
            ``part_unknown`` · ``part_kind`` · ``part_over`` no delta after done · ``part_open`` · ``text_differs`` · ``call_differs`` ·
            ``call_open``
playout     ``playout_order`` started after a part, stopped after the response; no sound in events where the server plays it
``malformed`` is an event that lacks what its type must have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from antiphon.surfaces.realtime.protocol.order_items import ItemOrder, RuleBroken
from antiphon.surfaces.realtime.protocol.order_response import ResponseOrder
from antiphon.surfaces.realtime.protocol.order_speech import SpeechOrder

_Event = Mapping[str, Any]
_IDS_KEPT = 1024
"""How far back an ``event_id`` is known: a stream may be an hour long."""


@dataclass(frozen=True, slots=True)
class Violation:
    """``rule`` is a stable label and, with ``event_type``, may be logged. ``detail`` names ids, never content."""

    rule: str
    event_type: str
    detail: str = ""


class OrderChecker:
    """Reads one controller's stream, from ``session.created`` on.

    ``midway``: a sideband joined a session that was under way, so that ids it has not seen announced are no fault.
    """

    def __init__(self, *, midway: bool = False) -> None:
        self._midway = midway
        self._begun = False
        self._event_ids: dict[str, None] = {}
        self._items = ItemOrder(midway=midway)
        self._speech = SpeechOrder(self._items, midway=midway)
        self._responses: dict[str, ResponseOrder] = {}
        """Those in progress."""
        self._finished: set[str] = set()
        self._out_of_band_items: set[str] = set()
        self._playing: str | None = None
        self._server_plays = False
        self._sound_in_events = False
        self._handlers = self._table()

    def see(self, event: Mapping[str, Any]) -> Violation | None:
        """The next event of the stream, whole. None if it may come now. After a violation the checker goes on as well as it can."""
        kind = event.get("type")
        kind = kind if isinstance(kind, str) else ""
        try:
            self._see_id(event.get("event_id"))
            self._see_beginning(kind)
            handler = self._handlers.get(kind)
            if handler is None:
                raise RuleBroken("unknown_type")
            handler(event)
        except RuleBroken as broken:
            return Violation(broken.rule, kind, broken.detail)
        except (KeyError, TypeError, AttributeError) as error:
            return Violation("malformed", kind, type(error).__name__)
        return None

    def unfinished(self) -> list[str]:
        """Ids of responses in progress and of a committed item not yet done: none, where a stream is said to be complete."""
        return [*self._responses, *self._speech.unanswered()]

    def _table(self) -> dict[str, Callable[[_Event], None]]:
        transcription = "conversation.item.input_audio_transcription"
        items, speech = self._items, self._speech
        return {
            "error": _nothing,
            "session.created": _nothing,
            "session.updated": self._speech.reconfigured,
            "rate_limits.updated": _nothing,
            "input_audio_buffer.speech_started": speech.started,
            "input_audio_buffer.speech_stopped": speech.stopped,
            "input_audio_buffer.timeout_triggered": speech.timed_out,
            "input_audio_buffer.committed": speech.committed,
            "input_audio_buffer.cleared": speech.cleared,
            "input_audio_buffer.dtmf_event_received": _nothing,
            "conversation.item.added": self._item_added,
            "conversation.item.done": self._item_done,
            "conversation.item.retrieved": items.retrieved,
            "conversation.item.truncated": items.truncated,
            "conversation.item.deleted": items.deleted,
            f"{transcription}.delta": partial(items.transcribed, over=False),
            f"{transcription}.segment": partial(items.transcribed, over=False),
            f"{transcription}.completed": partial(items.transcribed, over=True),
            f"{transcription}.failed": partial(items.transcribed, over=True),
            "response.created": self._response_created,
            "response.done": self._response_done,
            "output_audio_buffer.started": self._playout_started,
            "output_audio_buffer.stopped": self._playout_stopped,
            "output_audio_buffer.cleared": self._playout_cleared,
            **{kind: partial(self._in_response, do) for kind, do in _IN_RESPONSE.items()},
            **dict.fromkeys(_OF_MCP, _nothing),
        }

    def _see_id(self, event_id: object) -> None:
        if not isinstance(event_id, str) or not event_id or event_id in self._event_ids:
            raise RuleBroken("event_id")
        self._event_ids[event_id] = None
        if len(self._event_ids) > _IDS_KEPT:
            del self._event_ids[next(iter(self._event_ids))]

    def _see_beginning(self, kind: str) -> None:
        if self._begun == (kind == "session.created"):
            raise RuleBroken("session_first")
        self._begun = True

    def _item_added(self, event: _Event) -> None:
        item_id = event["item"]["id"]
        if item_id in self._out_of_band_items:
            raise RuleBroken("out_of_band_item", item_id)
        self._speech.item_added(item_id)
        for response in self._responses.values():
            if item_id in response.item_ids:
                response.announced(event["item"])
        self._items.added(event)

    def _item_done(self, event: _Event) -> None:
        self._items.done(event)
        self._speech.item_done(event["item"]["id"])

    def _response_created(self, event: _Event) -> None:
        response = ResponseOrder(event["response"], self._items)
        if response.id in self._responses or response.id in self._finished:
            raise RuleBroken("response_twice", response.id)
        if response.in_band:
            self._speech.depended_on()
            if any(other.in_band for other in self._responses.values()):
                raise RuleBroken("two_responses", response.id)
        self._responses[response.id] = response

    def _response_done(self, event: _Event) -> None:
        response = self._active(event["response"]["id"])
        if response is not None:
            del self._responses[response.id]
            self._finished.add(response.id)
            response.finished(event["response"])

    def _in_response(self, do: Callable[[ResponseOrder, _Event], None], event: _Event) -> None:
        response = self._active(event["response_id"])
        if event["type"] == "response.output_audio.delta":
            self._sound_in_events = True
            if self._server_plays:
                raise RuleBroken("playout_order", event["response_id"])
        if response is not None:
            do(response, event)
            if not response.in_band:
                self._out_of_band_items.update(response.item_ids)

    def _active(self, response_id: str) -> ResponseOrder | None:
        response = self._responses.get(response_id)
        if response is None and (not self._midway or response_id in self._finished):
            raise RuleBroken("response_not_active", response_id)
        return response

    def _playout_started(self, event: _Event) -> None:
        response_id = event["response_id"]
        response = self._responses.get(response_id)
        announced = response.has_part() if response is not None else response_id in self._finished or self._midway
        if self._sound_in_events or self._playing is not None or not announced:
            raise RuleBroken("playout_order", response_id)
        self._server_plays = True
        self._playing = response_id

    def _playout_stopped(self, event: _Event) -> None:
        response_id = event["response_id"]
        wrong = self._playing != response_id and not (self._midway and self._playing is None)
        self._playing = None
        if wrong or response_id in self._responses:
            raise RuleBroken("playout_order", response_id)

    def _playout_cleared(self, _event: _Event) -> None:
        """May come when nothing plays: it answers a client that asked for it."""
        self._server_plays = True
        self._playing = None


def _nothing(_event: _Event) -> None:
    """May come at any time."""


_IN_RESPONSE: dict[str, Callable[[ResponseOrder, _Event], None]] = {
    "response.output_item.added": ResponseOrder.item_added,
    "response.output_item.done": ResponseOrder.item_done,
    "response.content_part.added": ResponseOrder.part_added,
    "response.content_part.done": ResponseOrder.part_done,
    "response.output_audio.delta": partial(ResponseOrder.audio, done=False),
    "response.output_audio.done": partial(ResponseOrder.audio, done=True),
    "response.output_audio_transcript.delta": partial(ResponseOrder.text_delta, kind="audio"),
    "response.output_audio_transcript.done": partial(ResponseOrder.text_done, kind="audio"),
    "response.output_text.delta": partial(ResponseOrder.text_delta, kind="text"),
    "response.output_text.done": partial(ResponseOrder.text_done, kind="text"),
    "response.function_call_arguments.delta": ResponseOrder.arguments_delta,
    "response.function_call_arguments.done": ResponseOrder.arguments_done,
}
_OF_MCP = (
    "mcp_list_tools.in_progress",
    "mcp_list_tools.completed",
    "mcp_list_tools.failed",
    "response.mcp_call.in_progress",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
)
"""Known, but not followed: nothing of ours sends them."""
