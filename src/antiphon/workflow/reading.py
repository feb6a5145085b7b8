"""What a turn says about the slots: values given, values corrected, values to be asked for again.

A value counts when it answers the question just asked, when its words can mean nothing else ("next tuesday", "my name is …"), or when
the turn says that it corrects something ("no i said three"). Of several values for one slot the last counts, because people correct
themselves by saying it again; one that was turned down in the same breath ("not tuesday") does not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.workflow import slots
from antiphon.workflow.found import Found
from antiphon.workflow.graph import Graph
from antiphon.workflow.slots import READING_ORDER, VOLUNTEERED, Slot, Value
from antiphon.workflow.state import State
from antiphon.workflow.words import Token, find_phrase, texts

_CORRECTING = (
    ("no",), ("actually",), ("wait",), ("sorry",), ("instead",), ("rather",), ("i", "said"), ("i", "meant"), ("i", "mean"),
    ("make", "it"), ("change",), ("correction",), ("not",),
)  # fmt: skip
_TURNING_DOWN = (
    ("not",), ("not", "on"), ("not", "at"), ("not", "the"), ("isn't",), ("instead", "of"), ("rather", "than"),
)  # fmt: skip
_REOPENING = ("change", "different", "another", "wrong", "other", "reschedule", "move", "incorrect")
_KIND_LABELS = {
    "date": ("day", "date"),
    "time": ("time", "hour"),
    "name": ("name",),
    "phone": ("number", "phone number"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """Slot values by name, in the order they count."""

    given: tuple[tuple[Slot, Value], ...] = ()
    """For slots that had no value, or the very same one."""
    changed: tuple[tuple[Slot, Value], ...] = ()
    """For slots that had another value."""
    reopened: tuple[Slot, ...] = ()
    """Slots the caller wants to change without saying to what."""

    @property
    def empty(self) -> bool:
        return not (self.given or self.changed or self.reopened)

    @property
    def only_yes_or_no(self) -> bool:
        """Whether nothing was said but, at most, yes or no."""
        return not self.changed and not self.reopened and all(slot.answers_one_question for slot, _ in self.given)


def read(graph: Graph, state: State, tokens: Sequence[Token], asked: Slot | None, now: dt.datetime) -> Reading:
    """What ``tokens`` say, when ``asked`` (None: nothing) is the slot in question."""
    correcting = any(find_phrase(marker, texts(tokens)) >= 0 for marker in _CORRECTING)
    answers: list[tuple[Slot, Found[Value]]] = []
    for slot in _in_reading_order(graph, asked):
        found = [
            item for item in slots.find(slot, tokens, now) if _free(item, answers) and not _turned_down(item, tokens)
        ]
        explicit = [item for item in found if item.explicit]
        if slot is asked:
            candidates = explicit or found
        else:
            candidates = explicit if slot.kind in VOLUNTEERED else []
        if candidates:
            answers.append((slot, candidates[-1]))
    if correcting and all(slot.answers_one_question for slot, _ in answers):
        answers += _vague_correction(graph, state, tokens, now)
    given: list[tuple[Slot, Value]] = []
    changed: list[tuple[Slot, Value]] = []
    for slot, item in answers:
        before = state.value(slot.name)
        # What a yes-or-no question was answered with before is no value that could be corrected.
        is_change = before is not None and before.raw != item.value.raw and not slot.answers_one_question
        (changed if is_change else given).append((slot, item.value))
    if changed:
        # "yes but make it wednesday": the yes was to a question that is no longer the same.
        given = [(slot, value) for slot, value in given if not slot.answers_one_question]
    reading = Reading(tuple(given), tuple(changed))
    if reading.only_yes_or_no and (reopened := _reopened(graph, state, tokens)):
        return Reading(reopened=reopened)
    return reading


def _in_reading_order(graph: Graph, asked: Slot | None) -> list[Slot]:
    """The slot in question first, unless a surer kind could take its words; then all that may be volunteered."""
    known = [slot for slot in graph.slot.values() if asked is None or slot.name != asked.name]
    volunteered = [slot for slot in known if slot.kind in VOLUNTEERED]
    ordered = sorted(volunteered, key=lambda slot: READING_ORDER.index(slot.kind))
    if asked is None:
        return ordered
    if asked.kind in ("yes-no", "text"):
        return [*ordered, asked]
    return [asked, *ordered]


def _free(item: Found[Value], answers: Sequence[tuple[Slot, Found[Value]]]) -> bool:
    """Whether no other slot has taken these words. A yes or no is judged on the whole turn."""
    if isinstance(item.value.raw, bool):
        return True
    return all(item.end <= taken.start or item.start >= taken.end for _, taken in answers)


def _turned_down(item: Found[Value], tokens: Sequence[Token]) -> bool:
    before = texts(tokens[: item.start])
    return any(before[-len(marker) :] == marker for marker in _TURNING_DOWN)


def _vague_correction(
    graph: Graph, state: State, tokens: Sequence[Token], now: dt.datetime
) -> list[tuple[Slot, Found[Value]]]:
    """ "no i said three": the latest value that these words could be meant for."""
    for name, _ in reversed(state.values):
        slot = graph.slot.get(name)
        if slot is None or slot.kind in ("yes-no", "text"):
            continue
        found = [item for item in slots.find(slot, tokens, now) if not _turned_down(item, tokens)]
        # A name must be introduced ("no it's jon"): else every odd word after a "no" would be one.
        found = [
            item for item in found if slot.kind != "name" or item.end - item.start > len(str(item.value.raw).split())
        ]
        if found:
            return [(slot, found[-1])]
    return []


def _reopened(graph: Graph, state: State, tokens: Sequence[Token]) -> tuple[Slot, ...]:
    """ "can we change the day", "the time is wrong": known values named by their label."""
    words = texts(tokens)
    if not any(word in words for word in _REOPENING):
        return ()
    known = [
        graph.slot[name] for name, _ in state.values if name in graph.slot and not graph.slot[name].answers_one_question
    ]
    return tuple(slot for slot in known if any(find_phrase(label.split(), words) >= 0 for label in labels(slot)))


def labels(slot: Slot) -> tuple[str, ...]:
    """What people call this slot."""
    return tuple(dict.fromkeys((slot.label.lower(), *_KIND_LABELS.get(slot.kind, ()))))
