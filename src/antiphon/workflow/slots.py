"""Slots: the values a workflow asks for. One table joins each kind to what reads it, checks it and says it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from antiphon.workflow import choices, dates, emails, intents, korean, names, numbers, times
from antiphon.workflow.found import Found
from antiphon.workflow.schema import Language, Property, SlotKind, SlotOptions
from antiphon.workflow.sentences import SENTENCES
from antiphon.workflow.settling import Settled, settle
from antiphon.workflow.words import FILLERS, Token, Utterance

T = TypeVar("T")
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
    whole: bool = False
    """Numbers: no fractions."""
    language: Language = "en"

    @property
    def wants_email(self) -> bool:
        """Whether free text is asked for that is an e-mail address: then one that is spoken is written down."""
        return any(word in f"{self.name} {self.label} {self.options.ask}".lower() for word in ("email", "e-mail"))

    @property
    def label(self) -> str:
        return self.options.label or self.name.replace("_", " ")

    @property
    def ask(self) -> str:
        return self.options.ask or SENTENCES[self.language].question.format(self.label)

    @property
    def answers_one_question(self) -> bool:
        """Whether the value means nothing outside its question, so that it is forgotten when the question is put again."""
        return self.kind == "yes-no"


def slot_of(name: str, schema: Property, language: Language = "en") -> Slot:
    """The slot a schema's property describes."""
    kind, whole = _kind_of(name, schema), schema.type == "integer"
    return Slot(name, kind, schema.slot, schema.enum, schema.minimum, schema.maximum, whole, language)


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
        "email": "email",
    }
    if schema.format in by_format:
        return by_format[schema.format]
    by_type: dict[str, SlotKind] = {"boolean": "yes-no", "number": "number", "integer": "number"}
    if schema.type in by_type:
        return by_type[schema.type]
    return "name" if name.lower().endswith("name") else "text"


# ------------------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a reader may know of a turn."""

    said: Utterance
    now: dt.datetime
    """The workflow's local time."""
    asked: bool
    """Whether the slot is the one in question; of others only what can mean nothing else is read."""
    taken: frozenset[int] = frozenset()
    """Places of words that another slot has taken."""
    standing: Value | None = None
    """The slot's value so far: "the day after", "an hour later" are told from it."""

    def free(self, found: Sequence[Found[T]], *, all_when_asked: bool = False) -> list[Found[T]]:
        """What no other slot has taken; what was asked for in the surest words there are, or in all."""
        free = [item for item in found if self.taken.isdisjoint(range(item.start, item.end))]
        explicit = [item for item in free if item.explicit]
        if all_when_asked and self.asked:
            return free
        return explicit or (free if self.asked else [])


Reader = Callable[[Slot, Hearing], Settled[Value]]


def _valued(settled: Settled[T], value: Callable[[T], Value]) -> Settled[Value]:
    def each(item: Found[T]) -> Found[Value]:
        return Found(item.start, item.end, value(item.value), item.explicit)

    chosen = each(settled.chosen) if settled.chosen is not None else None
    return Settled(chosen, tuple(each(item) for item in settled.refused), settled.unsure, settled.spans)


def _dates(slot: Slot, hearing: Hearing) -> Settled[Value]:
    today, tokens = hearing.now.date(), names.hidden(hearing.said.tokens)
    standing = dt.date.fromisoformat(str(hearing.standing.raw)) if hearing.standing is not None else None
    found = hearing.free(dates.find(tokens, today, standing))
    if not found and hearing.asked and (typed := dates.find_typed(_written(tokens), today)) is not None:
        found = [Found(0, len(tokens), typed, False)]
        return _valued(Settled(found[0]), lambda date: _date_value(date, today))
    return _valued(settle(found, tokens, dates.AROUND), lambda date: _date_value(date, today))


def _date_value(date: dt.date | None, today: dt.date) -> Value:
    return Value("", "") if date is None else Value(date.isoformat(), dates.spoken(date, today))


def _written(tokens: Sequence[Token]) -> str:
    """The words again, with 5/12 and 2026-05-12 closed up as they were typed."""
    text = ""
    for before, token in zip((None, *tokens), tokens, strict=False):
        joined = token.text in "/-:." or (before is not None and before.text in "/-:.")
        text += token.text if joined or not text else f" {token.text}"
    return text


def _times(slot: Slot, hearing: Hearing) -> Settled[Value]:
    def value(time: times.ClockTime) -> Value:
        meant = time.within(slot.options.opens, slot.options.closes)
        return Value(meant.isoformat("minutes"), times.spoken(meant))

    standing = dt.time.fromisoformat(str(hearing.standing.raw)) if hearing.standing is not None else None
    tokens = names.hidden(hearing.said.tokens)
    found = hearing.free(times.find(tokens, standing), all_when_asked=True)
    settled = settle(found, tokens, times.AROUND)
    if settled.chosen is not None and times.taken_back(tokens, settled.chosen.end, settled.spans):
        settled = Settled(None, settled.refused, True, settled.spans)
    return _valued(settled, value)


def _numbers(slot: Slot, hearing: Hearing) -> Settled[Value]:
    found = hearing.free(numbers.find(hearing.said.tokens))
    settled = settle(found, hearing.said.tokens, numbers.AROUND)
    return _valued(
        settled, lambda number: Value("" if number is None else number, f"{number:,}" if number else str(number))
    )


def _digits(slot: Slot, hearing: Hearing) -> Settled[Value]:
    settled = settle(hearing.free(numbers.find_digits(hearing.said.tokens)), hearing.said.tokens)
    return _valued(settled, lambda digits: Value(digits, numbers.spoken_digits(digits)))


def _phones(slot: Slot, hearing: Hearing) -> Settled[Value]:
    found = hearing.free(numbers.find_phones(hearing.said.tokens, slot.options.region))
    return _valued(settle(found, hearing.said.tokens), lambda digits: Value(digits, numbers.spoken_digits(digits)))


def _names(slot: Slot, hearing: Hearing) -> Settled[Value]:
    settled = names.read(hearing.said.tokens, asked=hearing.asked)
    standing = str(hearing.standing.raw) if hearing.standing is not None else ""
    if settled.chosen is not None and _fuller(settled.chosen.value, standing):
        # "bruce lee", where "lee" was understood: it needs no words that introduce it.
        chosen = replace(settled.chosen, explicit=True)
        settled = replace(settled, chosen=chosen)
    if settled.chosen is not None and not hearing.free([settled.chosen]):
        return Settled()

    def value(name: str) -> Value:
        whole = names.completed(name, standing)
        return Value(whole, whole)

    return _valued(settled, value)


def _fuller(name: str, standing: str) -> bool:
    """Whether a name has all the words of the one that stands, and more."""
    words, known = name.lower().split(), standing.lower().split()
    return bool(known) and len(words) > len(known) and set(known) <= set(words)


def _choices(slot: Slot, hearing: Hearing) -> Settled[Value]:
    ways = {choice: slot.options.synonyms.get(choice, ()) for choice in slot.choices}
    settled = settle(hearing.free(choices.find(hearing.said.tokens, ways)), hearing.said.tokens)
    return _valued(settled, lambda choice: Value(choice, choice))


def _whole(hearing: Hearing, value: Value) -> Settled[Value]:
    return Settled(Found(0, len(hearing.said.tokens), value, False))


def yes_or_no(tokens: Sequence[Token], language: Language = "en") -> bool | None:
    """Agreement, refusal, or neither, in the caller's language."""
    if language == "ko":
        return korean.yes_or_no(" ".join(token.raw for token in tokens))
    return intents.yes_or_no(tokens)


def _yes_no(slot: Slot, hearing: Hearing) -> Settled[Value]:
    answer = intents.yes_or_no(hearing.said.tokens) if hearing.asked else None
    return Settled() if answer is None else _whole(hearing, Value(answer, "yes" if answer else "no"))


def _emails(slot: Slot, hearing: Hearing) -> Settled[Value]:
    address = emails.find(hearing.said.text) if hearing.asked else ""
    return _whole(hearing, Value(address, address)) if address else Settled()


def _text(slot: Slot, hearing: Hearing) -> Settled[Value]:
    """All that was said, as it was said, unless it was nothing but fillers: the meaning of free text is beyond rules."""
    if not hearing.asked or FILLERS.issuperset(hearing.said.words):
        return Settled()
    address = emails.find(hearing.said.text) if slot.wants_email else ""
    text = address or " ".join(hearing.said.text.split())
    return _whole(hearing, Value(text, text))


_READERS: Mapping[SlotKind, Reader] = {
    "date": _dates,
    "time": _times,
    "number": _numbers,
    "digits": _digits,
    "phone": _phones,
    "name": _names,
    "yes-no": _yes_no,
    "choice": _choices,
    "email": _emails,
    "text": _text,
}
_KOREAN: Mapping[SlotKind, Callable[[str, dt.datetime, SlotOptions], korean.Reading]] = {
    "date": korean.read_date,
    "time": korean.read_time,
    "number": korean.read_number,
    "yes-no": korean.read_yes_no,
}

READING_ORDER: tuple[SlotKind, ...] = (
    "phone", "email", "name", "date", "time", "digits", "number", "choice", "yes-no", "text",
)  # fmt: skip
"""Words that mean one kind for sure are taken before those that could mean several: "the third of may at two" has no number."""

VOLUNTEERED: frozenset[SlotKind] = frozenset(("date", "time", "phone", "name"))
"""Kinds a caller may give or correct without being asked: their words can mean nothing else."""

FREE: frozenset[SlotKind] = frozenset(("text", "email"))
"""Kinds whose answer is the whole turn: nothing in it means another slot."""


def read(slot: Slot, hearing: Hearing, language: Language = "en") -> Settled[Value]:
    """The value for ``slot`` in what was said; values turned down; whether it is not clear what is meant."""
    korean_reader = _KOREAN.get(slot.kind) if language == "ko" else None
    if korean_reader is None:
        settled = _READERS[slot.kind](slot, hearing)
    else:
        settled = _from_korean(slot, hearing, korean_reader(hearing.said.text, hearing.now, slot.options))
    if settled.chosen is not None and settled.chosen.value.raw == "":
        return Settled(None, settled.refused, True, settled.spans)
    return settled


def _from_korean(slot: Slot, hearing: Hearing, reading: korean.Reading) -> Settled[Value]:
    """As the table of English readers answers; Korean words are not parted into tokens, so a value takes the whole turn."""
    whole = ((0, len(hearing.said.tokens)),)
    refused = tuple(Found(0, whole[0][1], Value(raw, spoken), False) for raw, spoken in reading.refused)
    if reading.value is None or not (hearing.asked or (reading.explicit and slot.kind in VOLUNTEERED)):
        return Settled(None, refused if hearing.asked else (), reading.unsure, ())
    return Settled(Found(0, whole[0][1], Value(*reading.value), reading.explicit), refused, False, ())


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
        if slot.whole and not float(raw).is_integer():
            return "range"
        return "range" if (low is not None and raw < low) or (high is not None and raw > high) else ""
    if slot.kind == "digits" and options.length is not None:
        return "" if len(str(raw)) == options.length else "length"
    return ""


def explain(slot: Slot, reason: str, value: Value, language: Language = "en") -> str:
    """The sentence (a template) for a value that will not do."""
    if reason in slot.options.invalid:
        return slot.options.invalid[reason]
    options, sentences = slot.options, SENTENCES[language]
    if reason == "closed" and slot.kind == "date":
        names = (sentences.closed_day.format(name) for day, name in _weekdays(language) if day not in options.weekdays)
        return sentences.closed_days.format(sentences.and_between.join(names))
    if reason == "closed":
        say = korean.spoken_time if language == "ko" else times.spoken
        return sentences.closed_hours.format(say(options.opens), say(options.closes))
    if reason == "length":
        return sentences.wrong_length.format(options.length)
    return {"past": sentences.past, "too-far": sentences.too_far, "range": sentences.out_of_range}[reason].format(
        value.spoken
    )


def _weekdays(language: Language) -> Sequence[tuple[str, str]]:
    if language == "ko":
        return tuple(zip(dates.WEEKDAYS, korean.WEEKDAYS, strict=True))
    return tuple((day, day.title()) for day in dates.WEEKDAYS)


def spelled(slot: Slot, value: Value, language: Language = "en") -> Value:
    """A value that was misunderstood once, said letter by letter the next time, so that the caller hears the difference."""
    text = str(value.raw)
    if slot.kind not in ("name", "email") or not text.isascii():
        return value
    named = {"@": "at", ".": "dot", "-": "dash", "_": "underscore", "+": "plus"}
    words = [" ".join(named.get(letter, letter.upper()) for letter in word) for word in text.split()]
    return Value(value.raw, SENTENCES[language].spelled.format(value.spoken, ", ".join(words)))
