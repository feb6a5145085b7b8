"""What a session remembers of the conversation that can only be told more, and how it is told what it does not know.

Our history is the truth, but nothing that such a session remembers can be changed or taken back: it can only be told more. So what differs
a little (the end of a reply that nobody heard, words of ours, what a client has added) is told by a note beside the caller's next words.
What differs otherwise needs another session, which is told our history as it begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from antiphon.providers.speech_to_speech.memory import Wanted, letters, wanted_of
from antiphon.vocabulary import Message

Kind = Literal["user", "assistant", "system", "call", "result"]
_NOTE = "(For you to know, neither to be answered nor to be read out: {})"

_SLACK = 24
"""Characters by which two reckonings of what was heard may differ before it is told again."""


@dataclass(slots=True, eq=False)
class Item:
    """One thing that was said or done. A caller's words may be unknown at first, and then are empty."""

    kind: Kind
    text: str = ""
    """Of a reply, all that was made of it."""
    call_id: str = ""
    name: str = ""
    """Of a tool's answer: what was called, and with what."""
    told: bool = True
    """Whether the session knows it: it has heard or made it, or was told."""
    heard: str | None = None
    """What was heard of a reply; None where all was."""
    doubtful: bool = False
    """The session believes that more of it was heard than was."""
    kept: bool = False
    """Whether a session that goes on with this one would know it."""

    def note(self) -> str:
        """What the session is to be told of it."""
        if self.kind == "assistant" and self.told:
            heard = "all" if self.heard is None else f'no more than "{self.heard}"' if self.heard else "nothing"
            return f'of your words "{self.text}" the caller has heard {heard}'
        if self.kind == "assistant":
            return f'you have said: "{self.said}"' if self.said else ""
        if self.kind == "result":
            return f"the tool {self.name} has answered: {self.text}"
        return f'the caller has said: "{self.text}"' if self.kind == "user" and self.text else self.text

    def was_heard(self, share: float) -> None:
        """So much of a reply, 0…1. Differences of a word are not told again."""
        heard = None if share >= 1 else self.text[: round(len(self.text) * max(share, 0.0))].strip()
        before = self.said
        differs = abs(len(self.text if heard is None else heard) - len(before)) > _SLACK or (heard == "") != (
            before == ""
        )
        self.heard = heard
        self.doubtful = self.told and (self.doubtful or differs)

    @property
    def said(self) -> str:
        """As the history has it."""
        return self.text if self.heard is None else self.heard


class SessionMemory:
    """Items in their order."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def add(self, item: Item) -> Item:
        self.items.append(item)
        return item

    def become(self, messages: Sequence[Message]) -> None:
        """A new session is to be told these, but for what stands to be answered at their end: that is ``missing`` from it then."""
        wanted = wanted_of(messages)
        self.items = _items(wanted[: len(wanted) - len(_to_answer(wanted))])

    @property
    def kept(self) -> bool:
        """Whether a session that goes on with this one would know all of it."""
        return all(item.kept for item in self.items if item.told)

    def lost(self, *, resumable: bool) -> None:
        """The session is gone. One that goes on with it knows what was kept, any other nothing."""
        for item in self.items:
            item.told = item.told and item.kept and resumable
            item.doubtful = item.doubtful and item.told

    def take_back(self) -> None:
        """The session is gone. What stands at the end was not answered, and is to be asked again, where the next does not know it."""
        while (
            self.items and not (last := self.items[-1]).told and (last.kind in ("user", "system") or last.heard == "")
        ):
            self.items.pop()

    def forget_call(self, id: str) -> None:
        """Of a tool, whose answer the session does not wait for and will not take."""
        self.items = [item for item in self.items if item.kind != "call" or item.call_id != id]

    def keep(self) -> None:
        """The vendor has kept the session as it is now."""
        for item in self.items:
            item.kept = item.told

    def seed(self) -> list[tuple[str, str]]:
        """Roles and texts of what a new session is told as it begins: all of it. It is told then."""
        turns = []
        for item in self.items:
            item.told, item.doubtful = True, False
            if item.kind == "assistant" and item.said:
                turns.append(("model", item.said))
            elif item.kind == "user" and item.text:
                turns.append(("user", item.text))
            elif item.kind in ("system", "result"):
                turns.append(("user", _NOTE.format(item.note())))
        return turns

    def notes(self) -> str:
        """What a session is told that has begun, in one text; empty where it knows all. It is told then."""
        told = []
        for item in self.items:
            if item.told and not item.doubtful:
                continue
            if note := item.note():
                told.append(note)
            item.told, item.doubtful = True, False
        return _NOTE.format("; ".join(told)) if told else ""

    def missing(
        self, messages: Sequence[Message], asked_for: Sequence[str], coming: Item | None
    ) -> list[Wanted] | None:
        """What stands at the end of our history, is to be answered, and is not known yet. None where the session remembers something else.
        ``asked_for``: calls whose answers it waits for; ``coming``: what it is saying, and nobody has heard."""
        wanted = wanted_of(messages)
        to_answer = _to_answer(wanted)
        before = wanted[: len(wanted) - len(to_answer)]
        answered = {item.call_id: item.text for item in self.items if item.kind == "result"}
        called = {item.call_id for item in self.items if item.kind == "call"}
        for each in wanted:
            if each.kind == "call" and each.call is not None and each.call.id not in called:
                return None
            if each.kind == "result" and each.call_id not in asked_for and answered.get(each.call_id) != each.text:
                return None
        results = {each.call_id for each in wanted if each.kind == "result"}
        if not set(answered) <= results or not self._spoken(wanted, coming):
            return None
        at = self._heard(before)
        if at is None:
            return None
        return self._unheard(to_answer, at)

    def _spoken(self, wanted: Sequence[Wanted], coming: Item | None) -> bool:
        """Whether it has said what our history says, and nothing else. Where a reply was cut is reckoned by the sound here, and there by
        the letters as long as not all sound has come: that may differ by some words."""
        rest = "".join(letters(each.text) for each in wanted if each.kind == "assistant")
        for item in self.items:
            if item.kind != "assistant" or item is coming:
                continue
            made = letters(item.text)
            common = _common(rest, made)
            if item.heard is None and common < len(made):
                return False
            if item.heard != "":
                rest = rest[common:]
        return not rest

    def _heard(self, wanted: Sequence[Wanted]) -> int | None:
        """How many of the items stand before what is to be answered; None where they are not what our history says."""
        at = 0
        for each in wanted:
            if each.kind == "user":
                found = self._find(letters(each.text), at)
                if found is None:
                    return None
                at = found
            elif each.kind == "system" and not any(
                item.kind == "system" and item.text == each.text for item in self.items
            ):
                self.items.append(Item("system", each.text, told=False))
        return at

    def _find(self, text: str, at: int) -> int | None:
        """The caller's words from an item on, which may be several utterances; what else was heard may stand between them. Returns where
        they end."""
        for place in range(at, len(self.items)):
            item = self.items[place]
            said = letters(item.text)
            if not text:
                break
            if item.kind == "user" and said and text.startswith(said):
                text, at = text[len(said) :], place + 1
        return None if text else at

    def _unheard(self, wanted: Sequence[Wanted], at: int) -> list[Wanted]:
        missing = []
        for each in wanted:
            if each.kind == "user":
                found = self._find(letters(each.text), at)
                if found is not None:
                    at = found
                    continue
            elif any(item.kind == "system" and item.text == each.text for item in self.items):
                continue
            missing.append(each)
        return missing


def _common(one: str, other: str) -> int:
    """How many letters both begin with."""
    for at, (first, second) in enumerate(zip(one, other, strict=False)):
        if first != second:
            return at
    return min(len(one), len(other))


def _to_answer(wanted: Sequence[Wanted]) -> Sequence[Wanted]:
    """What stands at the end, after the last word of the model and the last answer of a tool."""
    at = len(wanted)
    while at and wanted[at - 1].kind in ("user", "system"):
        at -= 1
    return wanted[at:]


def _items(wanted: Sequence[Wanted]) -> list[Item]:
    names: dict[str, str] = {}
    items = []
    for each in wanted:
        if each.kind == "call":
            assert each.call is not None
            names[each.call.id] = f"{each.call.name}({orjson.dumps(each.call.arguments).decode()})"
            items.append(Item("call", call_id=each.call.id, told=False))
        else:
            items.append(Item(each.kind, each.text, each.call_id, names.get(each.call_id, ""), told=False))
    return items
