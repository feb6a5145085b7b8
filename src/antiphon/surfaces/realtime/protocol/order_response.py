"""One response as one controller has been told of it, from ``response.created`` to ``response.done``. Part of ``order``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.surfaces.realtime.protocol.order_items import ItemOrder, RuleBroken, check_shape

_ITEM_STATUSES = ("completed", "incomplete")
_REASONS: dict[str, tuple[str | None, ...]] = {
    "cancelled": ("turn_detected", "client_cancelled"),
    "incomplete": ("max_output_tokens", "content_filter"),
    "failed": (None,),
    "completed": (None,),
}


@dataclass(slots=True)
class _Part:
    """``text`` is what the deltas said so far: text of a text part, transcript of an audio part."""

    kind: str
    text: str = ""
    text_done: bool = False
    cut: bool = False
    """What was said at the end is less than what the deltas said."""
    audio_done: bool = False
    done: bool = False


@dataclass(slots=True)
class _OutputItem:
    item: Mapping[str, Any]
    parts: list[_Part] = field(default_factory=list)
    arguments: str = ""
    arguments_done: bool = False
    done: bool = False


class ResponseOrder:
    """The automaton of one response."""

    def __init__(self, response: Mapping[str, Any], items: ItemOrder) -> None:
        if response["status"] != "in_progress" or response["output"]:
            raise RuleBroken("response_status", response["id"])
        self.id: str = response["id"]
        self.in_band = response.get("conversation_id") is not None
        self._conversation = items
        self._output: list[_OutputItem] = []

    @property
    def item_ids(self) -> list[str]:
        return [output.item["id"] for output in self._output]

    def has_part(self) -> bool:
        """Whether a content part was announced: only then may there be sound."""
        return any(output.parts for output in self._output)

    def item_added(self, event: Mapping[str, Any]) -> None:
        item = event["item"]
        check_shape(item)
        if event["output_index"] != len(self._output):
            raise RuleBroken("output_index", self.id)
        if item["id"] in self.item_ids or self._conversation.is_announced(item["id"]):
            raise RuleBroken("output_item_twice", item["id"])
        self._check_empty(item)
        self._output.append(_OutputItem(item))

    def announced(self, item: Mapping[str, Any]) -> None:
        """``conversation.item.added`` of one of ours."""
        self._check_empty(item)

    def item_done(self, event: Mapping[str, Any]) -> None:
        output = self._find(event["output_index"], event["item"]["id"])
        item = event["item"]
        check_shape(item)
        if output.done:
            raise RuleBroken("output_item_twice", item["id"])
        if item.get("status") not in _ITEM_STATUSES:
            raise RuleBroken("item_status", item["id"])
        if any(not part.done for part in output.parts):
            raise RuleBroken("part_open", item["id"])
        gone = self._conversation.was_deleted(item["id"])
        if self.in_band and not gone and not self._conversation.is_done(item["id"]):
            raise RuleBroken("output_item_done_early", item["id"])
        if item["status"] == "completed" and any(part.cut for part in output.parts):
            raise RuleBroken("text_differs", item["id"])
        if item["type"] == "function_call":
            self._check_call(output, item)
        output.done = True

    def part_added(self, event: Mapping[str, Any]) -> None:
        output = self._writable(event)
        if event["content_index"] != len(output.parts):
            raise RuleBroken("content_index", event["item_id"])
        if output.item["type"] != "message" or event["part"]["type"] not in ("audio", "text"):
            raise RuleBroken("part_kind", event["item_id"])
        output.parts.append(_Part(event["part"]["type"]))

    def part_done(self, event: Mapping[str, Any]) -> None:
        part = self._part(event, event["part"]["type"])
        text = event["part"].get("transcript" if part.kind == "audio" else "text", "")
        if not part.text_done or (part.kind == "audio" and not part.audio_done):
            raise RuleBroken("part_open", event["item_id"])
        if text != part.text:
            raise RuleBroken("text_differs", event["item_id"])
        part.done = True

    def audio(self, event: Mapping[str, Any], *, done: bool) -> None:
        part = self._part(event, "audio")
        if part.audio_done:
            raise RuleBroken("part_over", event["item_id"])
        part.audio_done = done

    def text_delta(self, event: Mapping[str, Any], kind: str) -> None:
        part = self._part(event, kind)
        if part.text_done:
            raise RuleBroken("part_over", event["item_id"])
        part.text += event["delta"]

    def text_done(self, event: Mapping[str, Any], kind: str) -> None:
        """The whole must be what the deltas said, or its beginning where the response was cut."""
        part = self._part(event, kind)
        whole = event["transcript" if kind == "audio" else "text"]
        if part.text_done:
            raise RuleBroken("part_over", event["item_id"])
        if not part.text.startswith(whole):
            raise RuleBroken("text_differs", event["item_id"])
        part.cut = whole != part.text
        part.text, part.text_done = whole, True

    def arguments_delta(self, event: Mapping[str, Any]) -> None:
        output = self._call(event)
        output.arguments += event["delta"]

    def arguments_done(self, event: Mapping[str, Any]) -> None:
        output = self._call(event)
        if event["arguments"] != output.arguments or event["name"] != output.item["name"]:
            raise RuleBroken("call_differs", event["item_id"])
        output.arguments_done = True

    def finished(self, response: Mapping[str, Any]) -> None:
        """``response.done``."""
        status, details = response["status"], response.get("status_details") or {}
        if (
            status not in _REASONS
            or details.get("type", status) != status
            or details.get("reason") not in _REASONS[status]
        ):
            raise RuleBroken("response_status", self.id)
        if any(not output.done for output in self._output):
            raise RuleBroken("output_open", self.id)
        if [item["id"] for item in response["output"]] != self.item_ids:
            raise RuleBroken("output_differs", self.id)
        for item, output in zip(response["output"], self._output, strict=True):
            check_shape(item)
            if item["type"] == "message":
                self._check_said(item, output)

    def _check_empty(self, item: Mapping[str, Any]) -> None:
        if item.get("status") != "in_progress" or item.get("content") or item.get("arguments"):
            raise RuleBroken("item_status", item["id"])

    def _check_said(self, item: Mapping[str, Any], output: _OutputItem) -> None:
        """The response object repeats what its parts said."""
        said = [part.get("transcript", part.get("text")) for part in item["content"]]
        if said != [part.text for part in output.parts]:
            raise RuleBroken("output_differs", item["id"])

    def _check_call(self, output: _OutputItem, item: Mapping[str, Any]) -> None:
        if item["status"] == "completed" and not output.arguments_done:
            raise RuleBroken("call_open", item["id"])
        for name in ("call_id", "name"):
            if item.get(name) != output.item.get(name):
                raise RuleBroken("call_differs", item["id"])
        if item["arguments"] != output.arguments:
            raise RuleBroken("call_differs", item["id"])

    def _find(self, index: int, item_id: str) -> _OutputItem:
        if not 0 <= index < len(self._output) or self._output[index].item["id"] != item_id:
            raise RuleBroken("output_item_unknown", item_id)
        return self._output[index]

    def _writable(self, event: Mapping[str, Any]) -> _OutputItem:
        """The item an event adds to: open, and announced to the conversation where it belongs to it."""
        output = self._find(event["output_index"], event["item_id"])
        if output.done:
            raise RuleBroken("output_item_over", event["item_id"])
        known = self._conversation.is_announced(event["item_id"]) or self._conversation.was_deleted(event["item_id"])
        if self.in_band and not known:
            raise RuleBroken("item_not_announced", event["item_id"])
        if self._conversation.is_done(event["item_id"]):
            raise RuleBroken("output_item_over", event["item_id"])
        return output

    def _part(self, event: Mapping[str, Any], kind: str) -> _Part:
        output = self._writable(event)
        index: int = event["content_index"]
        if not 0 <= index < len(output.parts):
            raise RuleBroken("part_unknown", event["item_id"])
        part = output.parts[index]
        if part.done:
            raise RuleBroken("part_over", event["item_id"])
        if part.kind != kind:
            raise RuleBroken("part_kind", event["item_id"])
        return part

    def _call(self, event: Mapping[str, Any]) -> _OutputItem:
        output = self._writable(event)
        if output.item["type"] != "function_call" or output.item["call_id"] != event["call_id"]:
            raise RuleBroken("call_differs", event["item_id"])
        if output.arguments_done:
            raise RuleBroken("part_over", event["item_id"])
        return output
