"""What the vendor's session remembers of the conversation, and what has to be said for it to remember ours.

Our history is the truth: it holds what was heard, what clients changed, what tools answered late. The session has items: the caller's
audio, its own replies, texts that we added. Before each reply the two are laid side by side from the beginning; what fits stays (the
caller's voice, the model's own), what does not is deleted, what is missing is added as text. A new session has nothing, and gets all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from antiphon.vocabulary import Message, ToolCall

Kind = Literal["heard", "user", "assistant", "system", "call", "result"]


@dataclass(slots=True)
class Item:
    """One item of the session."""

    id: str
    kind: Kind
    text: str = ""
    """What it says; of audio, as far as it is known."""
    call_id: str = ""
    known: bool = True
    """Whether its words are known: the caller's audio may have none yet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that our history says."""

    kind: Literal["user", "assistant", "system", "call", "result"]
    text: str = ""
    call: ToolCall | None = None
    call_id: str = ""


class SessionMemory:
    """Items in their order. ``sync`` returns client events; everything else notes what has happened."""

    def __init__(self, next_id: str = "antiphon") -> None:
        self.items: list[Item] = []
        self._next_id = next_id
        self._made = 0

    def clear(self) -> None:
        """A new session."""
        self.items.clear()

    def add(self, item: Item) -> None:
        self.items.append(item)

    def find(self, id: str) -> Item | None:
        return next((item for item in self.items if item.id == id), None)

    def drop(self, id: str) -> None:
        self.items = [item for item in self.items if item.id != id]

    def sync(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """What to send so that the session remembers ``messages`` (without the first system prompt, which is its instructions)."""
        events: list[dict[str, Any]] = []
        kept: list[Item] = []
        rest = list(self.items)
        for wanted in wanted_of(messages):
            at, count = _find(rest, wanted)
            if count:
                events += [_delete(item) for item in rest[:at]]
                kept += rest[at : at + count]
                rest = rest[at + count :]
                continue
            item, body = self._made_from(wanted)
            events.append(_create(body, kept[-1].id if kept else "root"))
            kept.append(item)
        self.items = kept
        return events + [_delete(item) for item in rest]

    def _made_from(self, wanted: Wanted) -> tuple[Item, dict[str, Any]]:
        self._made += 1
        id = f"{self._next_id}_{self._made}"
        if wanted.kind == "call":
            assert wanted.call is not None
            arguments = orjson.dumps(wanted.call.arguments).decode()
            body = {
                "type": "function_call",
                "call_id": wanted.call.id,
                "name": wanted.call.name,
                "arguments": arguments,
            }
            return Item(id, "call", call_id=wanted.call.id), {"id": id, **body}
        if wanted.kind == "result":
            body = {"type": "function_call_output", "call_id": wanted.call_id, "output": wanted.text}
            return Item(id, "result", wanted.text, wanted.call_id), {"id": id, **body}
        part = "output_text" if wanted.kind == "assistant" else "input_text"
        content = [{"type": part, "text": wanted.text}]
        return Item(id, wanted.kind, wanted.text), {
            "id": id,
            "type": "message",
            "role": wanted.kind,
            "content": content,
        }


def wanted_of(messages: Sequence[Message]) -> list[Wanted]:
    wanted: list[Wanted] = []
    for at, message in enumerate(messages):
        if message.role == "system":
            if at:
                wanted.append(Wanted("system", message.content))
        elif message.role == "tool":
            wanted.append(Wanted("result", message.content, call_id=message.tool_call_id or ""))
        elif message.content:
            wanted.append(Wanted(message.role, message.content))
        wanted += [Wanted("call", call=call) for call in message.tool_calls]
    return wanted


def _find(items: Sequence[Item], wanted: Wanted) -> tuple[int, int]:
    """Where what is wanted stands, and in how many items; (0, 0) where nowhere."""
    for at in range(len(items)):
        count = _fits(items[at:], wanted)
        if count:
            return at, count
    return 0, 0


def _fits(items: Sequence[Item], wanted: Wanted) -> int:
    """How many items from the first on are what is wanted: a caller's turn may be several utterances, a reply several messages."""
    first = items[0]
    if wanted.kind == "call":
        return int(first.kind == "call" and wanted.call is not None and first.call_id == wanted.call.id)
    if wanted.kind == "result":
        return int(first.kind == "result" and first.call_id == wanted.call_id and first.text == wanted.text)
    if wanted.kind == "system":
        return int(first.kind == "system" and first.text == wanted.text)
    kinds = ("heard", "user") if wanted.kind == "user" else ("assistant",)
    if first.kind not in kinds:
        return 0
    if first.kind == "user":
        return int(first.text == wanted.text)
    return _run(items, first.kind, letters(wanted.text), cut=wanted.kind == "assistant")


def _run(items: Sequence[Item], kind: Kind, wanted: str, *, cut: bool) -> int:
    """The fewest items of a kind that together say what is wanted. ``cut``: they may say more at the end, which was not heard."""
    said = ""
    for count, item in enumerate(items, start=1):
        if item.kind != kind:
            return 0
        said += letters(item.text)
        if said == wanted or (cut and wanted and said.startswith(wanted)):
            return count
        if not wanted.startswith(said):
            return 0
    return 0


def letters(text: str) -> str:
    """Without what a recogniser's and a splitter's white space and marks differ in."""
    return "".join(char for char in text.casefold() if char.isalnum())


def _create(item: dict[str, Any], after: str) -> dict[str, Any]:
    return {"type": "conversation.item.create", "previous_item_id": after, "item": item}


def _delete(item: Item) -> dict[str, Any]:
    return {"type": "conversation.item.delete", "item_id": item.id}
