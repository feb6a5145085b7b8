"""The conversation's items as one controller has been told of them. Part of ``order``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.errors import AntiphonError


class RuleBroken(AntiphonError):
    """An event came that may not come now. ``rule`` is a stable label, ``detail`` names ids."""

    code = "order"

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail


@dataclass(slots=True)
class _Announced:
    role: str | None
    done: bool = False
    transcribed: set[int] = field(default_factory=set)
    """Content parts whose transcription is over."""


class ItemOrder:
    """Which items stand in the conversation, and what may still be said of each."""

    def __init__(self, *, midway: bool) -> None:
        self._midway = midway
        self._items: dict[str, _Announced] = {}
        self._deleted: set[str] = set()

    def is_announced(self, item_id: str) -> bool:
        return item_id in self._items

    def was_deleted(self, item_id: str) -> bool:
        return item_id in self._deleted

    def is_done(self, item_id: str) -> bool:
        known = self._items.get(item_id)
        return known is not None and known.done

    def previous(self, item_id: str | None) -> None:
        """An item that another is said to follow."""
        if item_id is not None and item_id not in self._items and item_id not in self._deleted and not self._midway:
            raise RuleBroken("previous_item_unknown", item_id)

    def added(self, event: Mapping[str, Any]) -> None:
        item = event["item"]
        check_shape(item)
        if item["id"] in self._items:
            raise RuleBroken("item_announced_twice", item["id"])
        if event.get("previous_item_id") == item["id"]:
            raise RuleBroken("previous_item_unknown", item["id"])
        self.previous(event.get("previous_item_id"))
        self._deleted.discard(item["id"])
        self._items[item["id"]] = _Announced(item.get("role"))

    def done(self, event: Mapping[str, Any]) -> None:
        item = event["item"]
        check_shape(item)
        self.previous(event.get("previous_item_id"))
        if item.get("status") == "in_progress":
            raise RuleBroken("item_status", item["id"])
        known = self._known(item["id"])
        if known is None:
            return
        if known.done:
            raise RuleBroken("item_done_twice", item["id"])
        known.done = True

    def retrieved(self, event: Mapping[str, Any]) -> None:
        check_shape(event["item"])
        self._known(event["item"]["id"])

    def truncated(self, event: Mapping[str, Any]) -> None:
        known = self._known(event["item_id"])
        if known is not None and known.role != "assistant":
            raise RuleBroken("truncated_not_spoken", event["item_id"])

    def deleted(self, event: Mapping[str, Any]) -> None:
        self._known(event["item_id"])
        self._items.pop(event["item_id"], None)
        self._deleted.add(event["item_id"])

    def transcribed(self, event: Mapping[str, Any], *, over: bool) -> None:
        """A transcription event; ``over``: the last of its content part."""
        if event["item_id"] in self._deleted:
            return  # the words of speech whose item the client took away while they were being written
        known = self._known(event["item_id"])
        if known is None:
            return
        if known.role != "user":
            raise RuleBroken("transcription_not_of_user", event["item_id"])
        index = event.get("content_index", 0)
        if index in known.transcribed:
            raise RuleBroken("transcription_over", event["item_id"])
        if over:
            known.transcribed.add(index)

    def _known(self, item_id: str) -> _Announced | None:
        known = self._items.get(item_id)
        if known is None and not self._midway:
            raise RuleBroken("item_not_announced", item_id)
        return known


def check_shape(item: Mapping[str, Any]) -> None:
    """No null anywhere but in a user's ``transcript``, which must be there (§0.3)."""
    if any(value is None for value in item.values()):
        raise RuleBroken("item_null", item["id"])
    for part in item.get("content", ()):
        spoken = part["type"] == "input_audio"
        if spoken and "transcript" not in part:
            raise RuleBroken("item_transcript_missing", item["id"])
        if any(value is None and not (spoken and name == "transcript") for name, value in part.items()):
            raise RuleBroken("item_null", item["id"])
