"""The wire's list of items, and where the core has each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import orjson

from antiphon.conversation.events import Place
from antiphon.surfaces.realtime.kept import KeptBytes
from antiphon.surfaces.realtime.mapping import message_of
from antiphon.surfaces.realtime.protocol.errors import ClientError, duplicate_item, unknown_previous_item
from antiphon.surfaces.realtime.protocol.items import Item, MessageItem, OutputAudio
from antiphon.vocabulary import Message

MAX_ITEMS = 4096
"""A conversation longer than this was not spoken. Older items are released here; the core keeps them."""
ROOT = "root"
"""A client's word for the place before the first item."""


@dataclass(slots=True)
class Entry:
    """One item of the conversation."""

    item: Item
    place: Place | None
    """None where the core has nothing of it."""
    heard: str = ""
    """The words of a caller's audio, whether or not the client wanted to be told."""
    reply: int = 0
    """The core's number of the reply that made it; 0 for none."""
    audio_ms: int = 0
    """Agent's audio sent as its content."""
    kept_bytes: int = 0
    """Of an item that a client made: what is counted of it."""


class ConversationItems:
    """In the order of the conversation."""

    def __init__(self, kept: KeptBytes) -> None:
        """``kept`` counts the items that clients make."""
        self._kept = kept
        self._entries: list[Entry] = []
        self._by_id: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def last_id(self) -> str | None:
        """What the next item follows; None at the beginning."""
        return self._entries[-1].item.id if self._entries else None

    def find(self, item_id: str) -> Entry | None:
        return self._by_id.get(item_id)

    def append(self, entry: Entry) -> str | None:
        """At the end. Returns the id of the item before it."""
        previous_id = self.last_id
        self._entries.append(entry)
        self._by_id[entry.item.id] = entry
        if len(self._entries) > MAX_ITEMS:
            self._let_go(self._entries.pop(0))
        return previous_id

    def close(self) -> None:
        """The conversation is over: nothing of it counts any more."""
        self._kept.give_back_all()

    def _let_go(self, entry: Entry) -> None:
        self._by_id.pop(entry.item.id, None)
        self._kept.give_back(entry.kept_bytes)

    def create(self, entry: Entry, previous_item_id: str | None) -> tuple[str | None, Place | None]:
        """A client's item, after the one it names (None: at the end, ``root``: at the beginning).

        Returns the id of the item before it, and the core's name of that place (None: at the end). Raises ClientError.
        """
        if self.find(entry.item.id) is not None:
            raise duplicate_item(entry.item.id)
        last = previous_item_id is None or previous_item_id == self.last_id
        at = 0 if last or previous_item_id == ROOT else self._index_after(previous_item_id or "")
        if not last and len(self._entries) >= MAX_ITEMS:
            raise ClientError("invalid_value", f"The conversation may have {MAX_ITEMS} items at most.", "item")
        size = len(orjson.dumps(entry.item.to_wire()))
        self._kept.take(size)
        entry.kept_bytes = size
        if last:
            return self.append(entry), None
        self._entries.insert(at, entry)
        self._by_id[entry.item.id] = entry
        return (self._entries[at - 1].item.id if at else None), self.place_before(entry)

    def place_before(self, entry: Entry) -> Place | None:
        """What an item follows in the core: its beginning where nothing stands there yet, None at the end."""
        if not self._entries or self._entries[-1] is entry:
            return None
        at = next((index for index, known in enumerate(self._entries) if known is entry), 0)
        return next((known.place for known in reversed(self._entries[:at]) if known.place is not None), Place())

    def _index_after(self, item_id: str) -> int:
        for index, entry in enumerate(self._entries):
            if entry.item.id == item_id:
                return index + 1
        raise unknown_previous_item(item_id)

    def remove(self, entry: Entry) -> Place | None:
        """Forget an item. Returns the place that the core may forget: None while another item stands there too."""
        self._entries = [known for known in self._entries if known is not entry]
        self._let_go(entry)
        shared = any(known.place == entry.place for known in self._entries)
        return None if shared else entry.place

    def heard_of_reply(self, reply: int, text: str) -> Entry | None:
        """Only ``text`` of what a reply said was heard: its spoken item says so from now on. Returns that item's entry."""
        for entry in reversed(self._entries):
            item = entry.item
            if entry.reply == reply and isinstance(item, MessageItem) and is_spoken(item):
                entry.item = replace(item, content=(OutputAudio(text),))
                return entry
        return None

    def message(self, item_id: str) -> Message | None:
        """An item as a model is shown it; None where there is none."""
        entry = self.find(item_id)
        return message_of(entry.item, entry.heard) if entry is not None else None


def is_spoken(item: Item) -> bool:
    """Whether it is the agent's speech."""
    return isinstance(item, MessageItem) and any(isinstance(part, OutputAudio) for part in item.content)
