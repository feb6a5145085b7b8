"""Times of day as people say them: "three pm", "half past three", "quarter to nine", "ten thirty", "nine in the morning", "noon"."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from antiphon.workflow.clauses import HARMLESS
from antiphon.workflow.dates import WEEKDAYS
from antiphon.workflow.found import Found, without_overlaps
from antiphon.workflow.settling import Surroundings
from antiphon.workflow.words import FILLERS, HIDDEN, Token

_PARTS_OF_DAY = {
    ("in", "the", "morning"): False,
    ("in", "the", "afternoon"): True,
    ("in", "the", "evening"): True,
    ("at", "night"): True,
    ("this", "morning"): False,
    ("this", "afternoon"): True,
    ("this", "evening"): True,
    ("am",): False,
    ("pm",): True,
}
_HALVES = {"morning": False, "afternoon": True, "evening": True, "tonight": True, "night": True}
"""Said anywhere in a turn, these tell which half of the day its times are in ("friday evening at seven")."""
_NAMED = {"noon": dt.time(12), "midday": dt.time(12), "midnight": dt.time(0)}
_FRACTIONS = {("half",): 30, ("quarter",): 15, ("a", "quarter"): 15}
_UNIT_MINUTES = {"hour": 60, "hours": 60, "minute": 1, "minutes": 1}
_PAST = ("past", "after")
_TO = ("to", "of", "before")
_TILL = ("till", "until", "til")
"""With a quarter these are "to"; with a number they are the end of a range as often."""
_MINUTES_OF_A_PHRASE = frozenset(range(5, 60, 5))
"""Nobody says "two to four" for 3:58; with other numbers the word "minutes" is needed."""
_AROUND_AN_ANSWER = FILLERS | frozenset((
    "no", "yes", "wait", "actually", "sorry", "i", "said", "meant", "mean", "make", "it", "let's", "say", "maybe", "how",
    "about", "around", "at", "by", "would", "rather", "instead", "the", "it's", "that's", "is", "i'd", "for", "then", "change",
    "to", "not", "oh", "works", "good", "or", "could", "can", "do", "come", "we", "me", "be", "perfect", "great", "fine", "what",
    "prefer", "go", "with", "put", "down", "us", "set", "book", "pick", "choose", "think", "guess", "better", "tonight", "morning",
    "afternoon", "evening", "today", "tomorrow", "suit", "suits", "please", "have", "take", "want",
    "need", "i'll", "then", "sharp", "exactly", "ish", HIDDEN,
))  # fmt: skip
_AGAINST_AN_ANSWER = frozenset((
    "but", "can't", "cannot", "doesn't", "does", "don't", "won't", "isn't", "work", "possible", "anything", "any", "time", "anytime",
    "except", "than", "of", "too", "late", "early", "bad", "i'm", "busy", "either", "between", "from", "till", "until", "before",
    "after", "later", "earlier", "and", "onwards", "earliest", "latest", "only", "least", "most", "since", "half", "out", "impossible",
    "apart", "other", "neither", "nor", "never", "through", "that", "suits", "suit", "me",
))  # fmt: skip
"""Words that speak for or against a time, or make a range of it: with them a number is still a time of day."""
_AFTER_AN_HOUR = (
    _AROUND_AN_ANSWER
    | _AGAINST_AN_ANSWER
    | frozenset((*WEEKDAYS, "on", "today", "tomorrow", "next", "this", "my", "and", "if", "would", "in", "with"))
)

_TAKES_BACK = frozenset(("no", "wait", "actually", "sorry", "mean", "meant", "rather", "instead", "not"))

AROUND = Surroundings(
    before=frozenset(("half", "quarter", "last", "past")),
    after=frozenset(("hours", "hour", "minutes", "minute", "people", "days", "weeks", "or")),
    harmless=HARMLESS,
)
"""What makes something else of a time next to it ("half three" is half past two to some, half past three to others)."""


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time as said: the hour may lack its half of the day."""

    hour: int
    """0…23; 1…12 where ``afternoon`` is None."""
    minute: int
    afternoon: bool | None = None
    """None where nothing said whether it is before or after noon."""

    def within(self, opens: dt.time, closes: dt.time) -> dt.time:
        """The time of day meant. Where it was not said: the one in opening hours, else the one people mean (7…11 is morning)."""
        if self.afternoon is None and 1 <= self.hour <= 12:
            morning = dt.time(self.hour % 12, self.minute)
            afternoon = dt.time(self.hour % 12 + 12, self.minute)
            open_ones = [time for time in (morning, afternoon) if opens <= time <= closes]
            if len(open_ones) == 1:
                return open_ones[0]
            return morning if 7 <= self.hour <= 11 else afternoon
        if self.afternoon is None:
            return dt.time(self.hour, self.minute)
        return dt.time(self.hour % 12 + (12 if self.afternoon else 0), self.minute)


def find(tokens: Sequence[Token], standing: dt.time | None = None) -> list[Found[ClockTime]]:
    """Every time of day named in ``tokens``. A bare number is one only where hardly anything else is said.

    "An hour later" is told from ``standing``, the time agreed on so far; without one it is no time.
    """
    found = [match for at in range(len(tokens)) if (match := _at(tokens, at)) is not None]
    if standing is not None:
        found += [match for at in range(len(tokens)) if (match := _told_from(standing, tokens, at)) is not None]
    found = without_overlaps([*found, *_bare(tokens, {at for item in found for at in range(item.start, item.end)})])
    half = _half_of_the_day(tokens)
    return found if half is None else [_in_half(item, half) for item in found]


def _told_from(standing: dt.time, tokens: Sequence[Token], at: int) -> Found[ClockTime] | None:
    """ "half an hour later", "two hours earlier", "fifteen minutes later"; None where that would be another day."""
    words = [token.text for token in tokens[at : at + 5]]
    if words[:3] == ["half", "an", "hour"]:
        minutes, end = 30, 3
    else:
        count = 1 if words[0] in ("a", "an", "one") else tokens[at].number
        unit = _UNIT_MINUTES.get(words[1]) if len(words) > 1 else None
        if count is None or unit is None or tokens[at].ordinal or words[-1:] == []:
            return None
        minutes, end = count * unit, 2
    sign = {"later": 1, "earlier": -1, "sooner": -1}.get(words[end] if end < len(words) else "")
    if sign is None:
        return None
    moved = standing.hour * 60 + standing.minute + sign * minutes
    if not 0 <= moved < 24 * 60:
        return None
    return Found(at, at + end + 1, ClockTime(moved // 60, moved % 60, moved >= 12 * 60), True)


def _half_of_the_day(tokens: Sequence[Token]) -> bool | None:
    """Whether the turn speaks of an afternoon; None where it does not say, or says both. "Good morning" says nothing."""
    words = [token.text for token in tokens]
    halves = {_HALVES[word] for at, word in enumerate(words) if word in _HALVES and words[at - 1 : at] != ["good"]}
    return halves.pop() if len(halves) == 1 else None


def _in_half(item: Found[ClockTime], half: bool) -> Found[ClockTime]:
    if item.value.afternoon is not None or not 1 <= item.value.hour <= 12:
        return item
    return Found(item.start, item.end, replace(item.value, afternoon=half), item.explicit)


def _at(tokens: Sequence[Token], at: int) -> Found[ClockTime] | None:
    named = _NAMED.get(tokens[at].text)
    if named is not None:
        return Found(at, at + 1, ClockTime(named.hour, named.minute, named.hour >= 12), True)
    return _relative_to_hour(tokens, at) or _hour_and_minute(tokens, at)


def _relative_to_hour(tokens: Sequence[Token], at: int) -> Found[ClockTime] | None:
    """ "half past three", "a quarter to nine", "ten past four", "twenty five minutes to six"."""
    words = [token.text for token in tokens]
    minutes: int | None = None
    after = at
    for fraction, value in _FRACTIONS.items():
        if tuple(words[at : at + len(fraction)]) == fraction:
            minutes, after = value, at + len(fraction)
    if minutes is None:
        number = tokens[at].number
        if number is None or tokens[at].ordinal or not 1 <= number < 60:
            return None
        minutes, after = number, at + 1
        after += after < len(words) and words[after] in ("minutes", "minute")
    if words[at] == "half" and (hour_read := _half_hour(tokens, at)) is not None:
        return hour_read
    if after + 1 >= len(tokens) or words[after] not in (*_PAST, *_TO, *_TILL):
        return None
    is_fraction = tokens[at].number is None
    sure = is_fraction or words[after - 1] in ("minutes", "minute") or minutes in _MINUTES_OF_A_PHRASE
    if not sure or (words[after] in _TILL and not is_fraction and words[after - 1] not in ("minutes", "minute")):
        return None  # "two to four" and "ten till twelve" are the ends of a range
    if words[after] in _TO and not is_fraction and words[at - 1 : at] in (["from"], ["between"], ["around"], ["about"]):
        return None
    hour, named = tokens[after + 1].number, _NAMED.get(words[after + 1])
    if named is None and (hour is None or tokens[after + 1].ordinal or not 1 <= hour <= 12):
        return None
    afternoon, end = (named.hour >= 12, after + 2) if named else _part_of_day(words, after + 2)
    hour = named.hour if named else hour or 0
    if words[after] in _PAST:
        return Found(at, end, ClockTime(hour, minutes, afternoon), True)
    earlier = (hour - 1) % 12 or 12
    # A quarter to noon is in the morning, a quarter to midnight at night: the hour before is in the other half of the day.
    if hour % 12 == 0 and afternoon is not None:
        afternoon = not afternoon
    return Found(at, end, ClockTime(earlier, 60 - minutes, afternoon), True)


def _half_hour(tokens: Sequence[Token], at: int) -> Found[ClockTime] | None:
    """ "half seven", as half past seven is called in Britain."""
    hour = tokens[at + 1].number if at + 1 < len(tokens) else None
    if hour is None or not 1 <= hour <= 12 or tokens[at + 1].ordinal:
        return None
    words = [token.text for token in tokens]
    afternoon, end = _part_of_day(words, at + 2)
    if end < len(words) and words[end] in (
        "hours",
        "hour",
        "minutes",
        "minute",
        "days",
        "weeks",
        "people",
        "million",
        "thousand",
    ):
        return None
    return Found(at, end, ClockTime(hour, 30, afternoon), True)


def _hour_and_minute(tokens: Sequence[Token], at: int) -> Found[ClockTime] | None:
    """ "three", "three thirty", "nine oh five", "10:30", "fifteen hundred", each with "o'clock", "pm", "in the morning" …"""
    hour = tokens[at].number
    if hour is None or tokens[at].ordinal or (at and tokens[at - 1].text in ("/", ".", ",", ":", "minus")):
        return None
    minute, end, explicit = 0, at + 1, False
    if hour >= 100:
        hour, minute = divmod(hour, 100)
        explicit = minute in (0, 30)
        end += (
            explicit and tokens[end : end + 1] != () and tokens[at + 1 : at + 2] != () and tokens[end].text == "hours"
        )
    else:
        minute, end, explicit = _minute(tokens, end)
    if not (0 <= hour <= 23 and 0 <= minute < 60):
        return None
    words = [token.text for token in tokens]
    if hour == 12 and not explicit and words[end : end + 1] and words[end] in _NAMED:
        named = _NAMED[words[end]]  # "twelve noon"
        return Found(at, end + 1, ClockTime(named.hour, named.minute, named.hour >= 12), True)
    if words[end : end + 1] in (["o'clock"], ["oclock"]) or words[end : end + 2] == ["o", "clock"]:
        end, explicit = end + (2 if words[end] == "o" else 1), True
    afternoon, after = _part_of_day(words, end)
    explicit = explicit or after > end
    if not explicit:
        # "at three" is a time; a number alone may be anything.
        is_time = 1 <= hour <= 12 and minute == 0 and at > 0 and words[at - 1] == "at" and _ends_there(tokens, end)
        return Found(at, end, ClockTime(hour, minute, None), True) if is_time else None
    if hour > 12 or hour == 0:
        return Found(at, after, ClockTime(hour, minute, hour >= 12), True)
    return Found(at, after, ClockTime(hour, minute, afternoon), True)


def _minute(tokens: Sequence[Token], at: int) -> tuple[int, int, bool]:
    """The minutes at ``at``, where they end, and whether there are any."""
    words = [token.text for token in tokens[at : at + 2]]
    if words[:1] in (["oh"], ["o"], [":"], ["."]) and len(words) == 2:
        number = tokens[at + 1].number
        if number is not None and (words[0] not in ("oh", "o") or number < 10) and not tokens[at + 1].ordinal:
            # 3.30 and 3:30 have two digits after the mark; 1.5 is no time.
            return (
                (number, at + 2, True)
                if words[0] in ("oh", "o") or len(tokens[at + 1].digits) == 2
                else (60, at, False)
            )
        return 0, at, False
    if not words:
        return 0, at, False
    number = tokens[at].number
    if number is not None and 10 <= number < 60 and not tokens[at].ordinal:
        return number, at + 1, True
    return 0, at, False


def _ends_there(tokens: Sequence[Token], at: int) -> bool:
    """Whether nothing follows that the number could belong to ("at five main street", "at three five five")."""
    return at >= len(tokens) or tokens[at].text in _AFTER_AN_HOUR


def _part_of_day(words: Sequence[str], at: int) -> tuple[bool | None, int]:
    for part, afternoon in _PARTS_OF_DAY.items():
        if tuple(words[at : at + len(part)]) == part:
            return afternoon, at + len(part)
    return None, at


def _bare(tokens: Sequence[Token], taken: set[int]) -> list[Found[ClockTime]]:
    """Numbers alone, where nothing is said but them, small words around them, and times."""
    numbers = [
        at
        for at, token in enumerate(tokens)
        if at not in taken and (token.number is not None or token.amount is not None) and not token.ordinal
    ]
    rest = (
        token.text for at, token in enumerate(tokens) if at not in taken and token.number is None and token.text != "-"
    )
    known = _AROUND_AN_ANSWER | _AGAINST_AN_ANSWER
    if not numbers or not all(word in known for word in rest):
        return []
    hours = [tokens[at].number for at in numbers]
    found = [
        Found(at, at + 1, ClockTime(hour, 0, True if hour > 12 else None), False)
        for at, hour in zip(numbers, hours, strict=True)
        if hour is not None and 1 <= hour <= 23
    ]
    return found if len(found) == len(numbers) else []


def taken_back(tokens: Sequence[Token], end: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a number that is no part of the times found follows a correction after ``end``: "three pm, no, my wife says four"."""
    read = {at for start, stop in spans for at in range(start, stop)}
    corrected = False
    for at in range(end, len(tokens)):
        corrected = corrected or tokens[at].text in _TAKES_BACK
        if corrected and at not in read and tokens[at].number is not None and not tokens[at].ordinal:
            return True
    return False


def spoken(time: dt.time) -> str:
    """As an agent says it: "3 pm", "3:30 pm", "noon"."""
    if (time.hour, time.minute) in ((12, 0), (0, 0)):
        return "noon" if time.hour else "midnight"
    minute = f":{time.minute:02}" if time.minute else ""
    return f"{time.hour % 12 or 12}{minute} {'pm' if time.hour >= 12 else 'am'}"
