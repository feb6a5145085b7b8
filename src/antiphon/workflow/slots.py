"""Slots: the values a workflow asks for. One table joins each kind to what reads it, checks it and says it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.workflow import choices, dates, intents, names, numbers, times
from antiphon.workflow.found import Found
from antiphon.workflow.schema import Property, SlotKind, SlotOptions
from antiphon.workflow.words import FILLERS, Token, texts

Raw = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value as tools and comparisons see it (dates and times in ISO 8601), and as the agent says it."""

    raw: Raw
    spoken: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A value to ask for. ``name`` is its variable."""

    name: str
    kind: SlotKind
    options: SlotOptions
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def label(self) -> str:
        return self.options.label or self.name.replace("_", " ")

    @property
    def ask(self) -> str:
        return self.options.ask or f"What is your {self.label}?"

    @property
    def answers_one_question(self) -> bool:
        """Whether the value means nothing outside its question, so that it is forgotten when the question is put again."""
        return self.kind == "yes-no"


def slot_of(name: str, schema: Property) -> Slot:
    """The slot a schema's property describes."""
    return Slot(name, _kind_of(name, schema), schema.slot, schema.enum, schema.minimum, schema.maximum)


def _kind_of(name: str, schema: Property) -> SlotKind:
    if schema.slot.type:
        return schema.slot.type
    if schema.enum:
        return "choice"
    by_format: dict[str, SlotKind] = {
        "date": "date",
        "time": "time",
        "phone": "phone",
        "digits": "digits",
        "name": "name",
    }
    if schema.format in by_format:
        return by_format[schema.format]
    by_type: dict[str, SlotKind] = {"boolean": "yes-no", "number": "number", "integer": "number"}
    if schema.type in by_type:
        return by_type[schema.type]
    return "name" if name.lower().endswith("name") else "text"


# ------------------------------------------------------------------------------------------------------------ reading

Finder = Callable[[Slot, Sequence[Token], dt.datetime], Sequence[Found[Value]]]


def _dates(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    today = now.date()
    found = dates.find(tokens, today)
    if not found:
        typed = dates.find_typed(_written(tokens), today)
        found = [Found(0, len(tokens), typed, False)] if typed else []
    return [_as_value(item, Value(item.value.isoformat(), dates.spoken(item.value, today))) for item in found]


def _written(tokens: Sequence[Token]) -> str:
    """The words again, with 5/12 and 2026-05-12 closed up as they were typed."""
    text = ""
    for before, token in zip((None, *tokens), tokens, strict=False):
        joined = token.text in "/-:" or (before is not None and before.text in "/-:")
        text += token.text if joined or not text else f" {token.text}"
    return text


def _times(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    meant = [(item, item.value.within(slot.options.opens, slot.options.closes)) for item in times.find(tokens)]
    return [_as_value(item, Value(time.isoformat("minutes"), times.spoken(time))) for item, time in meant]


def _numbers(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    return [_as_value(item, Value(item.value, str(item.value))) for item in numbers.find(tokens)]


def _digits(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    return [
        _as_value(item, Value(item.value, numbers.spoken_digits(item.value))) for item in numbers.find_digits(tokens)
    ]


def _phones(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    found = numbers.find_phones(tokens, slot.options.region)
    return [_as_value(item, Value(item.value, numbers.spoken_digits(item.value))) for item in found]


def _names(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    return [_as_value(item, Value(item.value, item.value)) for item in names.find(tokens)]


def _choices(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    ways = {choice: slot.options.synonyms.get(choice, ()) for choice in slot.choices}
    return [_as_value(item, Value(item.value, item.value)) for item in choices.find(tokens, ways)]


def _yes_no(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    answer = intents.yes_or_no(tokens)
    return [] if answer is None else [Found(0, len(tokens), Value(answer, "yes" if answer else "no"), False)]


def _text(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> list[Found[Value]]:
    """All that was said, unless it was nothing but fillers: the meaning of free text is beyond rules."""
    if FILLERS.issuperset(texts(tokens)):
        return []
    text = " ".join(token.raw for token in tokens)
    return [Found(0, len(tokens), Value(text, text), False)]


_FINDERS: Mapping[SlotKind, Finder] = {
    "date": _dates,
    "time": _times,
    "number": _numbers,
    "digits": _digits,
    "phone": _phones,
    "name": _names,
    "yes-no": _yes_no,
    "choice": _choices,
    "text": _text,
}

READING_ORDER: tuple[SlotKind, ...] = ("phone", "date", "time", "name", "digits", "number", "choice", "yes-no", "text")
"""Words that mean one kind for sure are taken before those that could mean several: "the third of may at two" has no number."""

VOLUNTEERED: frozenset[SlotKind] = frozenset(("date", "time", "phone", "name"))
"""Kinds a caller may give or correct without being asked: their words can mean nothing else."""


def _as_value(found: Found[Any], value: Value) -> Found[Value]:
    return Found(found.start, found.end, value, found.explicit)


def find(slot: Slot, tokens: Sequence[Token], now: dt.datetime) -> Sequence[Found[Value]]:
    """Every value for ``slot`` in what was said. ``now`` is the workflow's local time."""
    return _FINDERS[slot.kind](slot, tokens, now)


# ------------------------------------------------------------------------------------------------------------ checking


def problem(slot: Slot, value: Value, values: Mapping[str, Value], now: dt.datetime) -> str:
    """Why ``value`` will not do, or the empty string. ``values`` are the others, for rules that join two."""
    options, raw = slot.options, value.raw
    if slot.kind == "date":
        date = dt.date.fromisoformat(str(raw))
        if options.future and date < now.date():
            return "past"
        if options.max_days_ahead is not None and (date - now.date()).days > options.max_days_ahead:
            return "too-far"
        return "" if dates.WEEKDAYS[date.weekday()] in options.weekdays else "closed"
    if slot.kind == "time":
        time, on = dt.time.fromisoformat(str(raw)), values.get(options.on_date)
        if not options.opens <= time <= options.closes:
            return "closed"
        return "past" if on is not None and on.raw == now.date().isoformat() and time <= now.time() else ""
    if slot.kind == "number" and isinstance(raw, int | float):
        low, high = slot.minimum, slot.maximum
        return "range" if (low is not None and raw < low) or (high is not None and raw > high) else ""
    if slot.kind == "digits" and options.length is not None:
        return "" if len(str(raw)) == options.length else "length"
    return ""


def explain(slot: Slot, reason: str, value: Value) -> str:
    """The sentence (a template) for a value that will not do."""
    if reason in slot.options.invalid:
        return slot.options.invalid[reason]
    options = slot.options
    days = " and ".join(f"{day.title()}s" for day in dates.WEEKDAYS if day not in options.weekdays)
    closed = {
        "date": f"Sorry, we are closed on {days}.",
        "time": f"Sorry, we are open from {times.spoken(options.opens)} to {times.spoken(options.closes)}.",
    }
    sentences = {
        "past": f"Sorry, {value.spoken} has already passed.",
        "too-far": f"Sorry, {value.spoken} is too far ahead.",
        "closed": closed.get(slot.kind, ""),
        "range": f"Sorry, {value.spoken} is not possible.",
        "length": f"Sorry, I need {options.length} digits.",
    }
    return sentences[reason]
