"""Numbers said in groups: "four one five … five five five … two six seven one", over as many turns as it takes.

A slot of digits with a length, and a telephone number, know when they are complete; until then the groups of successive turns are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.workflow import numbers
from antiphon.workflow.settling import settle
from antiphon.workflow.slots import Slot, Value
from antiphon.workflow.words import Token, find_phrase, texts

_TAKES_BACK = (("no",), ("sorry",), ("i", "mean"), ("i", "meant"), ("wait",), ("actually",), ("correction",), ("not",))
_MAX_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Grouped:
    """What the groups make so far."""

    groups: tuple[str, ...] = ()
    """Not complete yet; empty where there is nothing to go on with."""
    value: Value | None = None
    """The whole number."""


def is_grouped(slot: Slot) -> bool:
    """Whether the slot's values have a length that tells when they are complete."""
    return slot.kind == "phone" or (slot.kind == "digits" and slot.options.length is not None)


def expected_digits(slot: Slot, groups: Sequence[str] = ()) -> int | None:
    """How many digits are still to come; None where that is not known."""
    if not is_grouped(slot):
        return None
    said = "".join(groups)
    if said.startswith("+"):
        return None
    length = slot.options.length if slot.kind == "digits" else numbers.national_length(slot.options.region)
    return max((length or 0) - len(said), 1)


def join(slot: Slot, groups: tuple[str, ...], tokens: Sequence[Token]) -> Grouped:
    """The groups with what was said now. A group that is taken back makes room for the one said instead."""
    words = texts(tokens)
    found = numbers.find_digits(tokens)
    settled = settle(found, tokens)
    if not found:
        return Grouped()
    taken_back = any(find_phrase(marker, words) >= 0 for marker in _TAKES_BACK)
    if settled.chosen is not None and taken_back:
        new, start = settled.chosen.value, settled.chosen.start
    elif settled.unsure and not taken_back:
        # Several runs with other words between them ("four one five and then five five five").
        new, start = "".join(run.value for run in found), found[0].start
    elif settled.chosen is not None:
        new, start = settled.chosen.value, settled.chosen.start
    else:
        return Grouped()
    if start and words[start - 1] == "plus" and not groups:
        new = f"+{new}"
    before = groups[:-1] if taken_back else groups
    for candidate in ((*before, new), (new,)):
        whole = "".join(candidate)
        value = _complete(slot, whole)
        if value is not None:
            return Grouped(value=value)
        if len(whole) <= _MAX_DIGITS and _may_go_on(slot, whole):
            return Grouped(groups=candidate)
    return Grouped()


def _complete(slot: Slot, digits: str) -> Value | None:
    if slot.kind == "phone":
        number = numbers.e164(digits, slot.options.region)
        return Value(number, numbers.spoken_digits(number)) if number else None
    return Value(digits, numbers.spoken_digits(digits)) if len(digits) == slot.options.length else None


def _may_go_on(slot: Slot, digits: str) -> bool:
    if slot.kind == "digits":
        return len(digits) < (slot.options.length or 0)
    return numbers.too_short(digits, slot.options.region)
