"""The caller's speech as one controller has been told of it. Part of ``order``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.surfaces.realtime.protocol.order_items import ItemOrder, RuleBroken


class SpeechOrder:
    """The caller's speech: which item is being spoken, and which one has been committed and must now be added."""

    def __init__(self, items: ItemOrder, *, midway: bool) -> None:
        self._items = items
        self._in_the_middle = midway
        """Nothing of the caller's speech was seen yet, and he may be speaking."""
        self._speaking: str | None = None
        self._stopped: str | None = None
        """Spoken, to be committed next."""
        self._committed: str | None = None
        """To be added and done next."""
        self._used: set[str] = set()
        self._started_ms = 0

    def started(self, event: Mapping[str, Any]) -> None:
        item_id, start_ms = event["item_id"], event["audio_start_ms"]
        self.depended_on()
        if self._speaking is not None or self._stopped is not None or self._is_used(item_id):
            raise RuleBroken("speech_order", item_id)
        if start_ms < self._started_ms:
            raise RuleBroken("speech_times", item_id)
        self._in_the_middle = False
        self._used.add(item_id)
        self._speaking, self._started_ms = item_id, start_ms

    def stopped(self, event: Mapping[str, Any]) -> None:
        item_id = event["item_id"]
        if item_id != self._speaking and not self._in_the_middle:
            raise RuleBroken("speech_order", item_id)
        self._in_the_middle = False
        self._speaking, self._stopped = None, item_id
        if event["audio_end_ms"] < self._started_ms:
            raise RuleBroken("speech_times", item_id)

    def timed_out(self, event: Mapping[str, Any]) -> None:
        """Silence in place of speech: its item is committed like one that was spoken."""
        item_id = event["item_id"]
        if self._speaking is not None or self._stopped is not None or self._is_used(item_id):
            raise RuleBroken("speech_order", item_id)
        self._used.add(item_id)
        self._stopped = item_id
        if event["audio_end_ms"] < event["audio_start_ms"]:
            raise RuleBroken("speech_times", item_id)

    def committed(self, event: Mapping[str, Any]) -> None:
        item_id = event["item_id"]
        self.depended_on()
        expected, self._stopped = self._stopped, None
        if self._speaking is not None or (expected is None and self._is_used(item_id)):
            raise RuleBroken("speech_order", item_id)
        if expected not in (None, item_id):
            raise RuleBroken("speech_order", item_id)
        self._items.previous(event.get("previous_item_id"))
        self._used.add(item_id)
        self._committed = item_id

    def cleared(self, _event: Mapping[str, Any]) -> None:
        """What was being spoken is forgotten with the buffer."""
        self._forget()

    def reconfigured(self, event: Mapping[str, Any]) -> None:
        """Who turns detection off in the middle of a word hears no more of it."""
        if event["session"]["audio"]["input"].get("turn_detection") is None:
            self._forget()

    def item_added(self, item_id: str) -> None:
        if self._committed not in (None, item_id):
            raise RuleBroken("commit_unanswered", item_id)
        if item_id in self._used and item_id != self._committed:
            raise RuleBroken("speech_order", item_id)

    def item_done(self, item_id: str) -> None:
        if item_id == self._committed:
            self._committed = None
            # From here on the conversation knows the id; once it is deleted there, a client may use it again.
            self._used.discard(item_id)

    def depended_on(self) -> None:
        """Something comes that must find the committed item in the conversation."""
        if self._committed is not None:
            raise RuleBroken("commit_unanswered", self._committed)

    def unanswered(self) -> list[str]:
        """The committed item that has not been added and done, if there is one."""
        return [] if self._committed is None else [self._committed]

    def _forget(self) -> None:
        """The id that was announced may still name what is committed by hand."""
        self._used -= {self._speaking, self._stopped}
        self._speaking = self._stopped = None

    def _is_used(self, item_id: str) -> bool:
        return item_id in self._used or self._items.is_announced(item_id)
