"""Which of the values in a turn are meant: those turned down, corrected, offered as a choice or as the end of a range are not.

The readers of dates, times and numbers find every value. What stands around the values decides: "wednesday doesn't work", "any day but
friday", "not two, three", "three, no, four", "monday or tuesday", "two till four", "after five". A value counts only when nothing speaks
against it; where it is not sure which one is meant, none is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from antiphon.workflow.found import Found
from antiphon.workflow.words import HIDDEN, Phrases, Token, texts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settled(Generic[T]):
    """What a turn says about one value."""

    chosen: Found[T] | None = None
    refused: tuple[Found[T], ...] = ()
    unsure: bool = False
    """Values were named, and it is not clear which one is meant, or whether one is."""
    spans: tuple[tuple[int, int], ...] = ()
    """The words that belong to all of them, so that they are read as nothing else."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Words next to a value that make something else of it, besides those that do so to every kind of value."""

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    harmless: frozenset[str] = frozenset()
    """The words a value may stand among; among others it is not sure to be meant. Empty: among any."""
    or_so: bool = True
    """Whether "or so" leaves the value what it is."""
    numbers_before: bool = False
    """Whether a number just before it belongs to it in a way the reader did not understand ("two fridays", "second friday")."""


_BOUNDARIES = Phrases((
    "how about", "what about", "so", "but", "then", "make it", "let's", "lets", "can we", "could we", "can i", "could i", "may i",
    "no", "nope", "actually", "wait", "sorry", "i mean", "i meant", "maybe", "perhaps", "rather", "instead", "change it to", "because",
    "my name", "the name",
    "change", "better", "correction", "that is", "i said", "please", "i'd like", "i would like", "i want", "if",
))  # fmt: skip
"""What comes after one of these belongs to the next value."""
_CORRECTIONS = Phrases((
    "no", "nope", "actually", "wait", "sorry", "i mean", "i meant", "make it", "rather", "instead", "change", "change it to",
    "correction", "how about", "what about", "but", "i said", "better", "so let's", "can i come", "can we", "could we",
))  # fmt: skip
_NEUTRAL = Phrases((
    "don't know", "do not know", "don't mind", "do not mind", "no problem", "not a problem", "isn't a problem", "not be a problem",
    "no worries", "if not", "why not", "don't care", "do not care", "not sure", "can't wait", "not bad", "no matter", "doesn't matter",
    "does not matter", "no trouble", "i'm not sure", "no objection", "no objections", "or so", "not too late", "not too early",
    "i was thinking", "we were thinking", "i was hoping", "we were hoping", "i was wondering", "i was going to", "i was about to",
    "can't remember", "don't remember", "isn't bad", "is not bad", "won't be a problem",
    "wouldn't be a problem", "would not be a problem", "will not be a problem", "is not a problem",
    "isn't it", "doesn't it", "don't you", "not to worry", "never mind", "isn't that",
))  # fmt: skip
"""Negations that turn nothing down."""
_TURNS_DOWN_NEXT = Phrases((
    "not", "except", "except for", "excluding", "excepting", "instead of", "rather than", "other than", "apart from", "aside from",
    "besides", "than", "anything but", "any day but", "any time but", "anytime but", "any other day but", "every day but", "all but",
    "everything but", "nothing but", "no time but", "any hour but", "whenever but", "without", "avoid", "avoiding", "but not", "scratch",
    "forget", "forget about", "strike",
    "any one but", "anyone but", "any but", "never on", "never",
))  # fmt: skip
"""Just before a value, these turn that value down and say nothing of the one before."""
_TURNS_DOWN_LAST = Phrases((
    "doesn't", "does not", "doesnt", "don't work", "do not work", "won't", "will not", "wouldn't", "would not", "isn't", "is not", "isnt",
    "not", "no good", "is bad", "bad", "is out", "out", "impossible", "is impossible", "too late", "too early", "too soon", "too far",
    "difficult", "is difficult", "hard", "is hard", "terrible", "is terrible", "is full", "full", "closed", "is off", "off",
    "is wrong", "wrong", "not possible", "a problem", "is a problem", "never", "awful", "inconvenient", "unsuitable", "no use",
    "out of the question", "too many", "too much", "too few", "too long", "too short", "not enough", "too big", "too small",
    "too expensive",
    "a holiday", "a bank holiday", "a public holiday", "my day off",
    "is my", "is his", "is her", "is our", "is their", "is a holiday", "is when", "was", "is the day", "is already",
    "is not an option", "clashes", "conflicts", "tricky", "is tricky",
))  # fmt: skip
"""After a value, these turn that value down and say nothing of the next."""
_TURNS_DOWN_EITHER = Phrases((
    "can't", "cannot", "can not", "cant", "couldn't", "could not", "don't", "do not", "dont", "didn't", "unable", "busy", "away",
    "hate", "dislike", "i have plans", "i have another", "have another", "got another", "i already have", "i work on", "i'm working on",
    "i am working on", "i work", "i'm at work", "booked up", "no longer", "wasn't", "aren't", "occupied", "on holiday", "on vacation",
    "i have work", "i have school", "i have a meeting", "i have something", "i'm out", "i am out", "i won't", "rather not",
    "prefer not", "get off", "off work",
    "finish work", "leave work", "start work",
    "i'd rather not",
    "never", "not able", "skip", "have to work", "must work", "got something", "have something", "something else on", "i was",
    "we were", "not free", "not available", "unavailable", "fed up with", "nobody", "no one", "none",
))  # fmt: skip
"""Said of the caller, these turn down whichever value they stand next to: without a boundary between two, both."""
_OWN_AFFAIRS = Phrases((
    "i had a", "i had an", "i had my", "we had a", "we had an", "we had our", "i have a", "i have an", "i have my", "we have a",
    "we have an",
    "i've got a", "i've got an", "i've got my", "i got a", "i used to", "we used to", "i came", "we came", "i went", "we went", "i missed",
    "i saw", "i pick up", "we pick up", "i drop off", "i start", "we start", "i begin", "i leave", "we leave", "i arrive", "we arrive",
    "i get up", "i get back", "we get back", "i get home", "i get in", "i come back", "i come home", "i go home", "i go to", "i wake up",
    "has a", "has an", "i usually", "i always", "i normally", "i often",
))  # fmt: skip
"""What the caller tells of other days and times: a value after it may be no answer, so it is asked again."""
_NEGATIONS = frozenset(
    ("can't", "cannot", "cant", "couldn't", "won't", "don't", "dont", "not", "never", "didn't", "wouldn't", "unable")
)
_CONNECTORS = frozenset((
    "the", "a", "an", "on", "at", "in", "of", "my", "for", "this", "that", "it", "it's", "is", "next", "about", "around", "come",
    "do", "me",
))  # fmt: skip
_LIMITS_BEFORE = frozenset((
    "before", "after", "by", "until", "till", "between", "from", "since", "past", "than", "least", "most", "over", "under", "every",
    "each",
    "within", "through", "towards", "toward", "either", "beyond", "exceeding", "upto", "maximum", "minimum", "max", "min",
    "starting", "neither", "nor", "or",
))  # fmt: skip
_LIMITS_AFTER = frozenset((
    "or", "onward", "onwards", "earliest", "latest", "ago", "to", "till", "until", "through", "thru", "and", "minimum", "maximum",
    "forward", "upwards", "nor", "otherwise",
))  # fmt: skip
_OR_CORRECTS = (("rather",), ("actually",), ("better",), ("no",), ("wait",), ("sorry",))
"""After "or", these take back rather than offer a choice."""
_JOINS = frozenset(("and", "to", "till", "until", "-", "or", "through"))
_AT_THE = frozenset(("earliest", "latest", "least", "most"))
_AND_STARTS_ANEW = frozenset((
    "i", "my", "i'm", "i'd", "it's", "the", "name", "please", "at", "around", "about", "a", "can", "could", "we", "that's", "this", "it",
    "make", "for", "then", "thank", "thanks", "if",
))  # fmt: skip
"""After these words an "and" goes on to something else."""


def settle(found: Sequence[Found[T]], tokens: Sequence[Token], around: Surroundings = Surroundings()) -> Settled[T]:
    """Judge ``found`` (in the order of the words, none in another)."""
    if not found:
        return Settled()
    windows = _Windows(found, texts(tokens), tokens, around)
    turned_down = [at for at in range(len(found)) if windows.turned_down(at)]
    refused = tuple(found[at] for at in turned_down)
    # "thursday, wait, thursday I have work": what is turned down was meant by no mention before it.
    kept = [
        at
        for at, item in enumerate(found)
        if at not in turned_down and not any(later > at and found[later].value == item.value for later in turned_down)
    ]
    spans = tuple((item.start, item.end) for item in found)
    if not kept:
        return Settled(None, refused, False, spans)
    last = kept[-1]
    # What was said before a correction is taken back, whatever it was.
    standing = [at for at in kept if at == last or not windows.corrects(at, last)]
    if any(windows.tells_of_other_things(at) for at in standing):
        return Settled(None, refused, True, spans)
    if any(windows.limited(at) for at in standing):
        return Settled(None, refused, True, spans)
    if any(found[at].value != found[last].value for at in standing):
        return Settled(None, refused, True, spans)
    return Settled(found[last], refused, False, spans)


class _Windows:
    """The words between the values. Window ``n`` stands before value ``n``; the last one is what comes after all."""

    def __init__(
        self, found: Sequence[Found[T]], words: tuple[str, ...], tokens: Sequence[Token], around: Surroundings
    ) -> None:
        self._found = found
        self._words = words
        self._tokens = tokens
        self._around = around
        edges = [0, *(edge for item in found for edge in (item.start, item.end)), len(words)]
        self._windows = [(edges[at], edges[at + 1]) for at in range(0, len(edges), 2)]
        self._plain = [self._without_neutral(start, end) for start, end in self._windows]
        cuts = [self._cuts(words) for words in self._plain]
        self._befores = [
            words[ends[-1] :] if ends else words for words, (_, ends) in zip(self._plain, cuts, strict=True)
        ]
        self._afters = [
            words[: starts[0]] if starts else words for words, (starts, _) in zip(self._plain, cuts, strict=True)
        ]
        self._parted = [0] * len(self._windows)
        for at in range(1, len(self._windows) - 1):
            self._part_at_comma(at)

    def _part_at_comma(self, at: int) -> None:
        """ "thursday I have work, friday" turns down thursday alone, "thursday, I can't do friday" friday alone."""
        start, words = self._windows[at][0], self._plain[at]
        commas = [
            place for place in range(len(words) + 1) if any(mark in self._tokens[start + place].gap for mark in ",;.?!")
        ]
        if not commas:
            return
        said = words[: commas[-1]]
        if _TURNS_DOWN_LAST.spans(said) or _TURNS_DOWN_EITHER.spans(said):
            self._befores[at] = self._befores[at][-(len(words) - commas[-1]) :] if len(words) > commas[-1] else ()
            self._parted[at] = commas[-1]
        elif commas == [0] and _TURNS_DOWN_EITHER.spans(words):
            self._afters[at] = ()

    def _without_neutral(self, start: int, end: int) -> tuple[str, ...]:
        words = list(self._words[start:end])
        for first, last in _NEUTRAL.spans(words):
            if not self._around.or_so and words[first:last] == ["or", "so"]:
                continue
            words[first:last] = [HIDDEN] * (last - first)
        return tuple(words)

    def _cuts(self, words: tuple[str, ...]) -> tuple[list[int], list[int]]:
        """Where the words of one value end and those of the next begin, for each boundary between them."""
        inside = {
            place
            for phrases in (_TURNS_DOWN_NEXT, _TURNS_DOWN_LAST, _TURNS_DOWN_EITHER)
            for start, end in phrases.spans(words)
            if end - start > 1
            for place in range(start, end)
        }
        # The "but" of "any day but friday", the "make it" of "can't make it" part nothing.
        kept = [
            (start, end)
            for start, end in _BOUNDARIES.spans(words)
            if start not in inside and not (start and words[start - 1] in _NEGATIONS)
        ]
        return [start for start, _ in kept], [end for _, end in kept]

    def _before(self, at: int) -> tuple[str, ...]:
        """The words that belong to value ``at``, of those before it."""
        return self._befores[at]

    def _after(self, at: int) -> tuple[str, ...]:
        """The words that belong to value ``at``, of those after it."""
        return self._afters[at + 1]

    def _own_after(self, at: int) -> tuple[str, ...]:
        """The words after value ``at`` that speak of it: without those that turn down the next ("four, not three")."""
        after = self._after(at)
        for_next = self._for_next(self._before(at + 1)) if at < len(self._found) - 1 else ()
        return (
            after[: len(after) - len(for_next)]
            if for_next and after[len(after) - len(for_next) :] == for_next
            else after
        )

    def tells_of_other_things(self, at: int) -> bool:
        """Whether the words before the value tell what the caller does, or did, at other times."""
        return bool(_OWN_AFFAIRS.spans(self._before(at)))

    def turned_down(self, at: int) -> bool:
        before = self._before(at)
        if self._just_before(before):
            return True
        if at and self._plain[at] == ("over",):
            return True  # "friday over thursday"
        if before[-1:] in (("is",), ("was",)):
            return False  # "is monday a holiday" asks
        if _TURNS_DOWN_EITHER.spans(before):
            return True
        own = self._own_after(at)
        return bool(_TURNS_DOWN_LAST.spans(own) or _TURNS_DOWN_EITHER.spans(own))

    def _just_before(self, before: tuple[str, ...]) -> bool:
        return bool(self._for_next(before))

    def _for_next(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """The end of ``before`` that turns down what follows, if there is one."""
        spans = _TURNS_DOWN_NEXT.spans(before)
        if spans and all(word in _CONNECTORS for word in before[spans[-1][1] :]):
            return before[spans[-1][0] :]
        return ()

    def limited(self, at: int) -> bool:
        """Whether the words next to the value make a range, a choice or an unknown phrase of it."""
        before, after = self._plain[at], self._plain[at + 1]
        size = len(before)
        while size and before[size - 1] in _CONNECTORS:
            size -= 1
        before = before[:size] if size > self._parted[at] else ()
        if before and (
            before[-1] in _LIMITS_BEFORE or before[-1] in self._around.before or before[-2:] == ("up", "to")
        ):
            return True
        if len(before) >= 2 and before[-1] in _JOINS and self._is_number(self._windows[at][0] + len(before) - 2):
            return True  # "between three and half past three", "3-4 pm"
        start = self._windows[at][0] + len(before) - 1
        if self._around.numbers_before and before and self._is_number(start):
            return True
        if self._around.harmless and self._among_other_words(at):
            return True
        if len(after) >= 3 and after[0] == "at" and after[1] == "the" and after[2] in _AT_THE:
            return True
        if after[:1] == ("the",) and after[1:2] and after[1] in _AT_THE:
            return True
        if not after:
            return False
        if after[0] == "and":
            return self._and_joins(at, after)
        if after[0] == "to":
            return self._to_follows(at, after)
        return after[0] in _LIMITS_AFTER or after[0] in self._around.after

    def _among_other_words(self, at: int) -> bool:
        """Whether a word of the value's clause is none that people ask for a day or a time with."""
        first, last = self._windows[at][0], self._windows[at + 1][0]
        before, after = self._before(at), self._own_after(at)
        first += len(self._plain[at]) - len(before)
        places = (
            *zip(range(first, first + len(before)), before, strict=True),
            *zip(range(last, last + len(after)), after, strict=True),
        )
        known = self._around.harmless
        return any(word not in known and word != HIDDEN and not self._is_number(place) for place, word in places)

    def _is_number(self, at: int) -> bool:
        token = self._tokens[at]
        return token.number is not None or token.amount is not None

    def _and_joins(self, at: int, after: tuple[str, ...]) -> bool:
        """Whether an "and" goes on with this value ("monday and the third", "three and later")."""
        if len(after) == 1:
            return at < len(self._found) - 1
        return after[1] not in _AND_STARTS_ANEW and not self._is_number(self._windows[at + 1][0] + 1)

    def _to_follows(self, at: int, after: tuple[str, ...]) -> bool:
        """Whether a "to" leads to another value; "friday to see the doctor" is no range."""
        rest = after[1:]
        number = self._windows[at + 1][0] + 1
        return (at < len(self._found) - 1 and all(word in _CONNECTORS for word in rest)) or (
            bool(rest) and self._is_number(number)
        )

    def corrects(self, first: int, last: int) -> bool:
        """Whether the words between two values say that the later one takes the place of the earlier."""
        between = (self._plain[at] for at in range(first + 1, last + 1))
        return any(
            (words[:1] != ("or",) or words[1:2] in _OR_CORRECTS) and _CORRECTIONS.spans(words) for words in between
        )
