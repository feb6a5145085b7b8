"""How a recogniser that writes as people do may write the words of a grammar: "three thirty" as 3:30, "p.m." as PM. Pure.

``Spelling`` follows text, letter by letter, through the automaton of a grammar's words. Letters are compared in lower case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from antiphon.providers.stt.jsgf import States, WordAutomaton

_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
          "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {word: value for value, word in enumerate(_UNITS)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
_ORDINALS = {
    word: value
    for value, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
         "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth"), start=1)
} | {"thirtieth": 30}  # fmt: skip
_TIMES = {"double": 2, "triple": 3}
_SHORT = {"mister": "mr", "doctor": "dr", "missus": "mrs", "okay": "ok", "saint": "st", "versus": "vs"}
_COMPOSED = frozenset((*_NUMBERS, *_ORDINALS, *_TIMES, "oh", "o", "hundred"))
"""Words that may be written together with their neighbours."""
_MOST_COMPOSED = 3
_MOST_FIGURES = 4
"""That one word, or several written as one, can have: 1230."""
_GLUED = re.compile(r"\d|[ap]\.?m\b")
"""What may follow a figure without a space: another figure, am and pm."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the grammar a text is: after whole words, and so many letters into the next."""

    position: States
    letters: str = ""
    """Of the word that has begun, with spaces inside where it is written as several."""
    words: Words = ()
    """The grammar's words so far."""
    glued: bool = False
    """Whether a figure stands directly before, so that another may follow without a space."""


class Spelling:
    """One grammar's letters. Keeps what it has worked out, so the same grammar is quicker the second time."""

    def __init__(self, automaton: WordAutomaton) -> None:
        self._automaton = automaton
        self._written: dict[States, Mapping[str, tuple[tuple[Words, States], ...]]] = {}

    def start(self) -> Place:
        return Place(self._automaton.start())

    def written(self, position: States) -> Mapping[str, tuple[tuple[Words, States], ...]]:
        """Every text that may come next as a word, the words it stands for, and where they lead."""
        known = self._written.get(position)
        if known is None:
            found: dict[str, dict[Words, States]] = {}
            for words, after in self._paths(position, ()):
                for form in forms(words):
                    found.setdefault(form, {})[words] = after
            known = {form: tuple(each.items()) for form, each in found.items()}
            self._written[position] = known
        return known

    def whole_words(self, place: Place) -> Iterator[Place]:
        """The places in which the letters begun are a word that is over."""
        if not place.letters:
            yield place
            return
        for words, after in self.written(place.position).get(place.letters, ()):
            yield Place(after, "", (*place.words, *words), glued=place.letters[-1].isdigit())

    def ends(self, place: Place) -> Iterator[Words]:
        """The grammar's words, for each way in which the text may end here."""
        for whole in self.whole_words(place):
            if whole.words and self._automaton.may_end(whole.position):
                yield whole.words

    def next_letters(self, place: Place) -> Iterator[tuple[str, Place]]:
        """What may be written from here on to the end of one word: the letters, a space in front where a word begins."""
        if place.letters:
            for form in self.written(place.position):
                if form.startswith(place.letters) and len(form) > len(place.letters):
                    yield form[len(place.letters) :], place
        for whole in self.whole_words(place):
            for form in self.written(whole.position):
                yield " " + form, whole
                if whole.glued and _GLUED.match(form):
                    yield form, whole

    def read(self, text: str) -> Words | None:
        """The grammar's words, if ``text`` is one of its sentences, however it is written; else None."""
        places = [self.start()]
        for token in tokens_of(text):
            reached = (after for place in places for after in self._after(place, token))
            # Of two ways to the same place the first counts: there are never more places than the grammar has.
            places = list({(each.position, each.letters, each.glued): each for each in reached}.values())
            if not places:
                return None
        return next((words for place in places for words in self.ends(place)), None)

    def _after(self, place: Place, token: str) -> Iterator[Place]:
        """After one word of a text, or a part of one that was torn at its figures."""
        glued = place.glued and not place.letters
        for whole in self.whole_words(place):
            written = self.written(whole.position)
            if any(form.startswith(token) for form in written):
                yield Place(whole.position, token, whole.words, glued)
            if token.isdigit():
                yield from self._digit_by_digit(whole, token)
        if place.letters:
            longer = f"{place.letters} {token}"
            if any(form.startswith(longer) for form in self.written(place.position)):
                yield Place(place.position, longer, place.words, place.glued)

    def _digit_by_digit(self, place: Place, digits: str) -> Iterator[Place]:
        """A run of figures as several words: 55 as "five five" or "double five". Of two ways to one position the first counts."""
        reached: list[dict[States, Words]] = [{place.position: place.words}, *({} for _ in digits)]
        for at, positions in enumerate(reached[:-1]):
            for position, before in positions.items():
                for size in range(1, min(len(digits) - at, _MOST_FIGURES) + 1):
                    form = digits[at : at + size]
                    if at and at + size == len(digits) and form in self.written(position):
                        yield Place(position, form, before, glued=True)
                    for words, after in self.written(position).get(form, ()):
                        reached[at + size].setdefault(after, (*before, *words))

    def _paths(self, position: States, before: Words) -> Iterator[tuple[Words, States]]:
        for word, after in self._automaton.following(position).items():
            words = (*before, word)
            yield words, after
            if len(words) < _MOST_COMPOSED and word.lower() in _COMPOSED:
                yield from (
                    (longer, end) for longer, end in self._paths(after, words) if longer[-1].lower() in _COMPOSED
                )


@lru_cache(maxsize=8192)
def forms(words: Words) -> tuple[str, ...]:
    """How these words of a grammar may be written, in lower case; none for several words that are never written as one."""
    plain = tuple(map(plain_word, words))
    if len(plain) > 1:
        return tuple(dict.fromkeys(_figures(plain)))
    word = plain[0]
    found = [word, word.replace(".", ""), _SHORT.get(word, word)]
    if word in ("a.m.", "p.m."):
        found += [word.replace(".m.", ". m"), word.replace(".m.", " m")]
    if word.isdigit() and len(word) <= 4:
        found.append(number_words(int(word)))
    return tuple(dict.fromkeys(form for form in (*found, *_figures(plain)) if form))


def _figures(words: Words) -> Iterator[str]:
    head, rest = words[0], words[1:]
    if head in _TIMES:
        if len(rest) == 1 and (digit := _digit(rest[0])):
            yield digit * _TIMES[head]
        return
    if not rest:
        if head in _NUMBERS:
            yield str(_NUMBERS[head])
            if 1 <= _NUMBERS[head] <= 12:
                yield f"{_NUMBERS[head]}:00"
        elif head in _ORDINALS:
            yield ordinal(_ORDINALS[head])
        elif head in ("oh", "o"):
            yield "0"
        return
    if rest == ("hundred",) and 1 <= _NUMBERS.get(head, 0) <= 9:
        yield f"{_NUMBERS[head]}00"
    if (two := _below_hundred(words)) is not None:
        yield two
    hour = _NUMBERS.get(head, 0)
    if 1 <= hour <= 12 and (minute := _minute(rest)) is not None:
        yield f"{hour}:{minute}"
        yield f"{hour}{minute}"


def _below_hundred(words: Words) -> str | None:
    """ "twenty three", "twenty first"."""
    if len(words) != 2 or words[0] not in _TENS:
        return None
    tens, unit = _NUMBERS[words[0]], words[1]
    if 1 <= _NUMBERS.get(unit, 0) <= 9:
        return str(tens + _NUMBERS[unit])
    return ordinal(tens + _ORDINALS[unit]) if _ORDINALS.get(unit, 10) < 10 else None


def _minute(words: Words) -> str | None:
    if len(words) == 2 and words[0] in ("oh", "o", "zero"):
        return f"0{digit}" if (digit := _digit(words[1])) else None
    if len(words) == 2:
        two = _below_hundred(words)
        return two if two and two.isdigit() and int(two) < 60 else None
    value = _NUMBERS.get(words[0], 0)
    return str(value) if 10 <= value < 60 else None


def _digit(word: str) -> str:
    if word in ("oh", "o"):
        return "0"
    value = _NUMBERS.get(word, 10)
    return str(value) if value < 10 else ""


def ordinal(value: int) -> str:
    """In figures: 21st."""
    ending = "th" if 10 <= value % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def number_words(value: int) -> str:
    """0 … 9999 in letters."""
    if value < 20:
        return _UNITS[value]
    if value < 100:
        return _TENS[value // 10 - 2] + (f" {_UNITS[value % 10]}" if value % 10 else "")
    size, name = (100, "hundred") if value < 1000 else (1000, "thousand")
    return f"{number_words(value // size)} {name}" + (f" {number_words(value % size)}" if value % size else "")


def plain_word(word: str) -> str:
    """Lower case, no accents, the typewriter's apostrophe."""
    decomposed = unicodedata.normalize("NFKD", word.lower().replace("’", "'"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


_WORD = re.compile(r"\d{1,2}:\d\d|\d+(?:st|nd|rd|th)\b|\d+|[^\W\d_]+(?:['.][^\W\d_]+)*\.?")
_MERIDIEM = re.compile(r"(?<![^\W\d_])([ap])\.? ?m\b\.?")
_ABBREVIATED = re.compile(r"(?:[^\W\d_]\.)+")


def tokens_of(text: str) -> list[str]:
    """The words of a text, without marks: figures apart from letters, an abbreviation's full stops kept."""
    found = _WORD.findall(_MERIDIEM.sub(r" \1m ", plain_word(text.replace("-", " "))))
    return [word if _ABBREVIATED.fullmatch(word) else word.rstrip(".") for word in found]
