"""The wire's list of items, and where the core has each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from antiphon.conversation.events import Place
from antiphon.surfaces.realtime.mapping import message_of
from antiphon.surfaces.realtime.protocol.errors import ClientError, duplicate_item, unknown_previous_item
from antiphon.surfaces.realtime.protocol.items import Item, MessageItem, OutputAudio
from antiphon.vocabulary import Message

MAX_ITEMS = 4096
"""A conversation longer than this was not spoken. What is older than the newest so many is let go here; the core keeps it."""
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


class ConversationItems:
    """In the order of the conversation."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def last_id(self) -> str | None:
        """What the next item follows; None at the beginning."""
        return self._entries[-1].item.id if self._entries else None

    def find(self, item_id: str) -> Entry | None:
        """Newest first: that is what clients ask about."""
        return next((entry for entry in reversed(self._entries) if entry.item.id == item_id), None)

    def append(self, entry: Entry) -> str | None:
        """At the end. Returns the id of the item before it."""
        previous_id = self.last_id
        self._entries.append(entry)
        if len(self._entries) > MAX_ITEMS:
            del self._entries[0]
        return previous_id

    def create(self, entry: Entry, previous_item_id: str | None) -> tuple[str | None, Place | None]:
        """A client's item, after the one it names (None: at the end, ``root``: at the beginning).

        Returns the id of the item before it, and the core's name of that place (None: at the end). Raises ClientError.
        """
        if self.find(entry.item.id) is not None:
            raise duplicate_item(entry.item.id)
        if previous_item_id is None or previous_item_id == self.last_id:
            return self.append(entry), None
        at = 0 if previous_item_id == ROOT else self._index_after(previous_item_id)
        if len(self._entries) >= MAX_ITEMS:
            raise ClientError("invalid_value", f"The conversation may have {MAX_ITEMS} items at most.", "item")
        self._entries.insert(at, entry)
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
