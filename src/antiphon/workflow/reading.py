"""What a turn says about the slots: values given, values corrected, values to be asked for again.

A value counts when it answers the question just asked, when its words can mean nothing else ("next tuesday", "my name is …"), or when
the turn says that it corrects something ("no i said three"). Of several values for one slot the last counts, because people correct
themselves by saying it again; one that was turned down in the same breath ("not tuesday") does not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.workflow import groups, slots
from antiphon.workflow.found import Found
from antiphon.workflow.graph import Graph
from antiphon.workflow.settling import Settled
from antiphon.workflow.slots import FREE, READING_ORDER, VOLUNTEERED, Hearing, Slot, Value
from antiphon.workflow.state import State
from antiphon.workflow.words import FILLERS, Utterance, find_phrase

_CORRECTING = (
    ("no",), ("actually",), ("wait",), ("sorry",), ("instead",), ("rather",), ("i", "said"), ("i", "meant"), ("i", "mean"),
    ("make", "it"), ("change",), ("correction",), ("not",),
)  # fmt: skip
_REOPENING = ("change", "different", "another", "wrong", "other", "reschedule", "move", "incorrect")
_ASKS_BACK = (
    ("is", "it"), ("is", "that"), ("was", "it"), ("was", "that"), ("isn't", "it"), ("wasn't", "it"), ("did", "you", "say"),
    ("did", "i", "say"), ("is", "my", "appointment"), ("is", "the", "appointment"), ("so", "is", "it"), ("you", "said"),
)  # fmt: skip
_WISHES = frozenset((
    "possible", "okay", "ok", "free", "available", "alright", "all", "fine", "too", "can", "could", "better", "open", "late", "early",
    "not",
))  # fmt: skip
_COMPARED = frozenset(("later", "earlier", "sooner"))
_AROUND_COMPARED = frozenset((
    "a", "bit", "little", "something", "anything", "time", "day", "slot", "any", "much", "make", "it", "one", "is", "there", "have", "do",
    "you", "than", "that", "can", "could", "we", "i", "be", "no", "yes", "but", "got", "get", "on", "the", "same", "what", "about", "how",
    "would", "prefer", "like", "i'd", "rather", "need", "want", "an", "come", "possible", "not", "too", "maybe", "actually", "date", "hour",
    "of", "in", "move", "to",
))  # fmt: skip
"""Words that a wish for something later or earlier is made of."""
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

    refused: tuple[tuple[Slot, Value], ...] = ()
    """Values of the slot in question that were turned down."""
    groups: tuple[str, ...] = ()
    """The digits of the slot in question so far, where more are to come."""
    asks_back: bool = False
    """Whether the turn asks whether a value is another one than it is ("is it at three?"): nothing is changed by that."""

    @property
    def empty(self) -> bool:
        return not (self.given or self.changed or self.reopened or self.refused or self.groups or self.asks_back)

    @property
    def only_yes_or_no(self) -> bool:
        """Whether nothing was said but, at most, yes or no."""
        others = self.changed or self.reopened or self.refused or self.groups or self.asks_back
        return not others and all(slot.answers_one_question for slot, _ in self.given)


def read(graph: Graph, state: State, said: Utterance, asked: Slot | None, now: dt.datetime) -> Reading:
    """What a turn says, when ``asked`` (None: nothing) is the slot in question."""
    words = said.words
    correcting = any(find_phrase(marker, words) >= 0 for marker in _CORRECTING)
    answers: list[tuple[Slot, Value]] = []
    refused: list[tuple[Slot, Value]] = []
    taken: frozenset[int] = frozenset()
    grouped: tuple[str, ...] = ()
    for slot in _in_reading_order(graph, asked):
        is_asked = slot is asked
        settled = slots.read(slot, Hearing(said, now, is_asked, taken, state.value(slot.name)), graph.language)
        if is_asked and groups.is_grouped(slot) and state.value(slot.name) is None:
            joined = groups.join(slot, state.groups, said.tokens)
            grouped = joined.groups
            if joined.value is not None:
                answers.append((slot, joined.value))
            taken |= _places(settled)
            if joined.value is not None or grouped:
                continue
        if settled.chosen is not None:
            answers.append((slot, settled.chosen.value))
        refused += [(slot, item.value) for item in settled.refused if is_asked or item.explicit]
        taken |= _places(settled)
    if correcting and all(slot.answers_one_question for slot, _ in answers):
        answers += _vague_correction(graph, state, said, now)
    return _judged(graph, state, said, asked, answers, refused, grouped)


def _places(settled: Settled[Value]) -> frozenset[int]:
    """The words that belong to a slot. A yes or no, and free text, are judged on the whole turn and take nothing away."""
    spans = settled.spans or (
        [(settled.chosen.start, settled.chosen.end)] if settled.chosen and settled.chosen.explicit else []
    )
    return frozenset(place for start, end in spans for place in range(start, end))


def _judged(
    graph: Graph,
    state: State,
    said: Utterance,
    asked: Slot | None,
    answers: Sequence[tuple[Slot, Value]],
    refused: Sequence[tuple[Slot, Value]],
    grouped: tuple[str, ...],
) -> Reading:
    """The reading, once every slot has been looked for."""
    if _asks_back(said.words) and any(
        slot is not asked and (known := state.value(slot.name)) is not None and known.raw != value.raw
        for slot, value in answers
    ):
        return Reading(asks_back=True)
    given: list[tuple[Slot, Value]] = []
    changed: list[tuple[Slot, Value]] = []
    for slot, value in answers:
        before = state.value(slot.name)
        # What a yes-or-no question was answered with before is no value that could be corrected.
        is_change = before is not None and before.raw != value.raw and not slot.answers_one_question
        (changed if is_change else given).append((slot, value))
    answered = {slot.name for slot, _ in answers}
    turned_down = tuple(
        slot
        for slot, value in refused
        if slot.name not in answered and (known := state.value(slot.name)) is not None and known.raw == value.raw
    )
    if changed or turned_down or (refused and not answered):
        # "yes but make it wednesday": the yes was to a question that is no longer the same.
        given = [(slot, value) for slot, value in given if not slot.answers_one_question]
    if turned_down and not changed:
        return Reading(tuple(given), reopened=turned_down)
    own = tuple((slot, value) for slot, value in refused if slot is asked and slot.name not in answered)
    reading = Reading(tuple(given), tuple(changed), refused=own, groups=grouped)
    if reading.only_yes_or_no and (reopened := _reopened(graph, state, said.words)):
        return Reading(reopened=reopened)
    return reading


def _in_reading_order(graph: Graph, asked: Slot | None) -> list[Slot]:
    """The slot in question first, unless a surer kind could take its words; then all that may be volunteered."""
    if asked is not None and asked.kind in FREE:
        return [asked]
    known = [slot for slot in graph.slot.values() if asked is None or slot.name != asked.name]
    volunteered = [slot for slot in known if slot.kind in VOLUNTEERED]
    ordered = sorted(volunteered, key=lambda slot: READING_ORDER.index(slot.kind))
    if asked is None:
        return ordered
    if asked.kind == "yes-no":
        return [*ordered, asked]
    return [asked, *ordered]


def _vague_correction(graph: Graph, state: State, said: Utterance, now: dt.datetime) -> list[tuple[Slot, Value]]:
    """ "no i said three": the latest value that these words could be meant for."""
    for name, _ in reversed(state.values):
        slot = graph.slot.get(name)
        if slot is None or slot.kind in ("yes-no", *FREE):
            continue
        settled = slots.read(slot, Hearing(said, now, True, standing=state.value(name)), graph.language)
        chosen = settled.chosen
        # A name must be introduced ("no it's jon"): else every odd word after a "no" would be one.
        if chosen is None or (slot.kind == "name" and not _introduced(chosen, said)):
            if settled.unsure:
                return []
            continue
        return [(slot, chosen.value)]
    return []


def _introduced(name: Found[Value], said: Utterance) -> bool:
    """Whether words of the turn say that this is a name, besides the name itself."""
    own = str(name.value.raw).lower().replace("-", " ").split()
    return any(word not in own for word in said.words[name.start : name.end])


def _reopened(graph: Graph, state: State, words: Sequence[str]) -> tuple[Slot, ...]:
    """ "can we change the day", "the time is wrong": known values named by their label. "Is there anything later" is about the time."""
    compared = _asks_for_another_time(words)
    if not compared and not any(word in words for word in _REOPENING):
        return tuple(slot for slot in _known_values(graph, state) if _denied(slot, words))
    known = _known_values(graph, state)
    if compared and any(slot not in known and _named(slot, words) for slot in graph.slot.values()):
        return ()  # "a day later", and no day is known
    named = tuple(slot for slot in known if _named(slot, words))
    return named or (tuple(slot for slot in known if slot.kind == "time") if compared else ())


def _asks_for_another_time(words: Sequence[str]) -> bool:
    """Whether a turn asks for something later or earlier, and says nothing else."""
    return not _COMPARED.isdisjoint(words) and _COMPARED.union(_AROUND_COMPARED, FILLERS).issuperset(words)


def _known_values(graph: Graph, state: State) -> list[Slot]:
    return [
        graph.slot[name] for name, _ in state.values if name in graph.slot and not graph.slot[name].answers_one_question
    ]


def _denied(slot: Slot, words: Sequence[str]) -> bool:
    """ "that's not my name", "not the right day"."""
    openings = (("not", "my"), ("not", "the"), ("not", "the", "right"), ("isn't", "my"), ("isn't", "the", "right"))
    return any(find_phrase((*opening, *label.split()), words) >= 0 for opening in openings for label in labels(slot))


def _named(slot: Slot, words: Sequence[str]) -> bool:
    return any(find_phrase(label.split(), words) >= 0 for label in labels(slot))


def _asks_back(words: Sequence[str]) -> bool:
    """Whether a turn begins by asking whether something is so, and asks for nothing ("is it possible on friday" does)."""
    while words and words[0] in FILLERS | {"wait", "sorry", "no", "and"}:
        words = words[1:]
    begins = any(tuple(words[: len(opening)]) == opening for opening in _ASKS_BACK)
    return begins and _WISHES.isdisjoint(words)


def labels(slot: Slot) -> tuple[str, ...]:
    """What people call this slot."""
    return tuple(dict.fromkeys((slot.label.lower(), *_KIND_LABELS.get(slot.kind, ()))))
