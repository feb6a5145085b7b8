"""Names of people: "my name is john smith", "it's mary", "this is doctor o'brien speaking", or a bare "john smith".

Many names are words, too (Will Smith, An Nguyen, Noah Day). A word that can be a name is one where it is introduced as a name, or where
the words beside it can be nothing else. What people say of themselves in the same words ("it's urgent", "I'm sick") is no name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from antiphon.workflow.found import Found, without_overlaps
from antiphon.workflow.month_days import MONTHS, WEEKDAYS
from antiphon.workflow.name_words import (
    ALSO_NAMES,
    FAMILY,
    GIVEN,
    NEVER,
    NOT_A_NAME,
    TITLES,
    says_how_one_feels,
)
from antiphon.workflow.settling import Settled
from antiphon.workflow.words import FILLERS, HIDDEN, Token, texts

MAX_WORDS = 5

_SURE = (
    ("my", "name", "is"), ("my", "name's"), ("the", "name", "is"), ("the", "name's"), ("name", "is"), ("i", "am", "called"),
    ("i'm", "called"), ("call", "me"), ("under", "the", "name", "of"), ("in", "the", "name", "of"), ("the", "name", "of"),
    ("my", "full", "name", "is"), ("name's",), ("names",),
)  # fmt: skip
"""After these comes a name, whatever was asked."""
_LIKELY = (
    ("this", "is"), ("it", "is"), ("it's",), ("i'm",), ("i", "am"), ("that", "would", "be"), ("that", "will", "be"), ("under",),
    ("that's",),
    ("i", "said"), ("for",),
)  # fmt: skip
"""After these comes a name if one was asked for or is being corrected."""
_GIVEN_IS = (
    ("first", "name", "is"),
    ("first", "name's"),
    ("given", "name", "is"),
    ("first", "name"),
    ("given", "name"),
)
_FAMILY_IS = (
    ("last", "name", "is"), ("last", "name's"), ("surname", "is"), ("family", "name", "is"), ("last", "name"), ("surname",),
    ("family", "name"),
)  # fmt: skip
_DAY_OR_TIME = frozenset(
    (*WEEKDAYS, *MONTHS, "today", "tomorrow", "pm", "am", "o'clock", "noon", "morning", "afternoon")
)
_SOUNDS_LIKE = 0.55
"""From this share of common letters on, a name is another spelling of one that stands: "smythe" and "smith"."""
_TAKES_BACK = frozenset(("no", "sorry", "wait", "actually", "rather", "correction", "mean", "meant"))
_EDGE = FILLERS | frozenset((
    "yes", "no", "oh", "wait", "actually", "sorry", "speaking", "here", "instead", "for", "it's", "sure", "make", "it", "yeah", "my",
    "name", "is", "calling", "that's",
))  # fmt: skip
"""Words that may stand before or after a bare name."""
_AFTER_A_NAME = frozenset((
    "and", "speaking", "here", "calling", "please", "thanks", "thank", "i", "for", "from", "at", "on", "instead", "with", "but",
    "not", "i'd",
    "my", "is", "the", "who", "in", "about", "wednesday", "can", "could", "sorry", "goodbye", "bye",
))  # fmt: skip


def read(tokens: Sequence[Token], *, asked: bool) -> Settled[str]:
    """The name in a turn; not sure where two different ones are given and none takes back the other."""
    found = find(tokens)
    if (
        not asked
        and not any(item.explicit for item in found)
        and (trailing := _after_a_day_or_time(tokens)) is not None
    ):
        return Settled(trailing, (), False, ((trailing.start, trailing.end),))
    if asked and not found and (restated := _restated(tokens)) is not None:
        found = [restated]
    values = {item.value for item in found}
    spans = tuple((item.start, item.end) for item in found)
    if len(values) > 1:
        return Settled(None, (), True, spans)
    return Settled(found[-1] if found else None, (), False, spans)


def find(tokens: Sequence[Token]) -> list[Found[str]]:
    """Every name introduced as one, else the whole of a short answer that can be nothing but a name."""
    words = texts(tokens)
    letters = _letters_at_end(tokens)
    if letters and (spelt := _spelt_out(tokens, letters)) is not None:
        return [spelt]
    parts = _by_parts(tokens, words)
    if parts is not None:
        return [parts]
    sure = list(_introduced(tokens, words, _SURE, explicit=True))
    introduced = sure or list(_introduced(tokens, words, _LIKELY, explicit=False))
    if introduced:
        return without_overlaps(introduced)
    bare = _bare(tokens, words)
    return [bare] if bare else []


def _restated(tokens: Sequence[Token]) -> Found[str] | None:
    """The name that takes the place of one said just before: "john, no, jack miller", "not john, jack miller"."""
    for at in range(len(tokens) - 1, 0, -1):
        if tokens[at].text in _TAKES_BACK:
            before, after = find(tokens[:at]), find(tokens[at + 1 :])
        elif tokens[0].text == "not" and any(mark in tokens[at].gap for mark in ",.;"):
            before, after = find(tokens[1:at]), find(tokens[at:])
        else:
            continue
        if len(before) == 1 and len(after) == 1:
            return Found(0, len(tokens), after[0].value, False)
    return None


def _after_a_day_or_time(tokens: Sequence[Token]) -> Found[str] | None:
    """The name at the end of "wednesday at three for john smith": volunteered, where its first word is one that only names have."""
    for start in range(1, len(tokens)):
        if tokens[start].text not in GIVEN - ALSO_NAMES:
            continue
        before = tokens[start - 1]
        place = before.text.removesuffix("'s")
        introduced = place in ("for", "under") and start > 1 and _is_day_or_time(tokens[start - 2])
        end = _name_end(tokens, start, introduced=True)
        if (introduced or _is_day_or_time(before)) and all(token.text in FILLERS for token in tokens[end:]):
            return Found(start - introduced, end, _title(tokens[start:end]), True)
        return None
    return None


def hidden(tokens: Sequence[Token]) -> Sequence[Token]:
    """``tokens`` with a name that stands after a day or a time made unreadable: it says nothing of the day."""
    found = _after_a_day_or_time(tokens)
    if found is None:
        return tokens
    name = tuple(Token(HIDDEN, HIDDEN, gap=token.gap) for token in tokens[found.start : found.end])
    return (*tokens[: found.start], *name, *tokens[found.end :])


def _is_day_or_time(token: Token) -> bool:
    return token.number is not None or token.text in _DAY_OR_TIME


def completed(name: str, standing: str) -> str:
    """The whole name, when ``name`` is one word that takes the place of a word of ``standing`` that sounds like it ("no, it's smith")."""
    words = standing.split()
    if " " in name or len(words) < 2:
        return name
    alike = [
        at
        for at, word in enumerate(words)
        if difflib.SequenceMatcher(None, word.lower(), name.lower()).ratio() >= _SOUNDS_LIKE
    ]
    return " ".join((*words[: alike[0]], name, *words[alike[0] + 1 :])) if len(alike) == 1 else name


def _letters_at_end(tokens: Sequence[Token]) -> int:
    """How many single letters a turn ends with, where words stand before them."""
    letters = 0
    while letters < len(tokens) and len(tokens[-1 - letters].text) == 1 and tokens[-1 - letters].text.isalpha():
        letters += 1
    return letters if 3 <= letters < len(tokens) else 0


def _spelt_out(tokens: Sequence[Token], letters: int) -> Found[str] | None:
    """A name whose last word is spelled after it: "john smith, s m y t h" is John Smyth."""
    found = find(tokens[:-letters])
    if len(found) != 1 or found[0].end != len(tokens) - letters:
        return None
    spelled = "".join(token.text for token in tokens[-letters:])
    *others, last = found[0].value.split(" ")
    if last[0].lower() != spelled[0]:
        return None
    written = last if last.lower() == spelled else spelled.capitalize()
    return Found(found[0].start, len(tokens), " ".join((*others, written)), found[0].explicit)


def _past_a_part_said_before(words: tuple[str, ...], start: int, end: int) -> int:
    """Where the whole name begins, if a part of it was said before it: "bond, james bond", "jane, jane doe"."""
    for size in range(1, (end - start) // 2 + 1):
        part, whole = words[start : start + size], words[start + size : end]
        if part in (whole[:size], whole[-size:]):
            return start + size
    return start


def _by_parts(tokens: Sequence[Token], words: tuple[str, ...]) -> Found[str] | None:
    """ "first name john last name smith"."""
    given = next(_introduced(tokens, words, _GIVEN_IS, explicit=True), None)
    family = next(_introduced(tokens, words, _FAMILY_IS, explicit=True), None)
    if given is None and family is not None:
        given = next(iter(find(tokens[: family.start])), None)  # "john, last name smith"
    if given is None or family is None:
        return None
    return Found(min(given.start, family.start), max(given.end, family.end), f"{given.value} {family.value}", True)


def _introduced(
    tokens: Sequence[Token], words: tuple[str, ...], openings: Sequence[tuple[str, ...]], *, explicit: bool
) -> Iterator[Found[str]]:
    for at in range(len(words)):
        for opening in openings:
            start = at + len(opening)
            if words[at:start] != opening or start >= len(words):
                continue
            end = _name_end(tokens, start, introduced=explicit)
            if words[end : end + 1] == ("with",):
                break  # "it's brown with an e": how it is written is more than we can tell
            start = _past_a_part_said_before(words, start, end)
            if end > start and _is_name(tokens, start, end, introduced=explicit):
                yield Found(at, end, _title(tokens[start:end]), explicit)
            break


def _name_end(tokens: Sequence[Token], start: int, *, introduced: bool) -> int:
    end = start
    while end < len(tokens) and end - start < MAX_WORDS and _may_be_part(tokens, end, start, introduced=introduced):
        end += 1
    return _with_suffix(tokens, end) if end > start else end


def _with_suffix(tokens: Sequence[Token], end: int) -> int:
    """ "john smith the third"."""
    following = tokens[end : end + 2]
    if len(following) == 2 and following[0].text == "the" and following[1].ordinal and (following[1].number or 0) <= 8:
        # "john smith the third of may": that third is a day's.
        return end if end + 2 < len(tokens) and tokens[end + 2].text == "of" else end + 2
    return end


def _may_be_part(tokens: Sequence[Token], at: int, start: int, *, introduced: bool) -> bool:
    token = tokens[at]
    if token.number is not None or token.amount is not None or not token.text[0].isalpha():
        return False
    if token.text in ALSO_NAMES:
        if at > start and token.text in _AFTER_A_NAME:
            # "mary jones in the afternoon", "jon on monday": a word that goes on, unless nothing comes after it.
            return at + 1 == len(tokens) or (
                tokens[at + 1].text not in ALSO_NAMES | NEVER and token.text not in ("in", "on", "my")
            )
        return True
    return token.text not in NEVER and not (at > start and token.text in _AFTER_A_NAME)


def _is_name(tokens: Sequence[Token], start: int, end: int, *, introduced: bool) -> bool:
    words = texts(tokens[start:end])
    if NOT_A_NAME.at(words, 0) == len(words) or (len(words) > 2 and len(set(words)) < len(words)):
        return False  # a name that has a word twice is one said twice, in parts
    if introduced:
        return not (
            len(words) == 1
            and words[0] in ("a", "an", "in", "on", "my", "so", "you", "to", "is", "no", "he", "she", "me")
        )
    if any(says_how_one_feels(word) for word in words if word not in ALSO_NAMES):
        return False
    # Somebody who says "it's" or "I'm" may say anything: one word that is a word of the language, too, is not sure to be a name.
    sure = [word for word in words if word not in ALSO_NAMES]
    if words[0] in _NO_START and not (len(words) > 1 and words[-1] in FAMILY):
        return False
    return (
        bool(sure)
        or words[-1] in FAMILY
        or any(word in GIVEN and word not in _ALSO_MONTHS for word in words)
        or _several(words)
    )


_ALSO_MONTHS = frozenset(("may", "june", "april", "august"))
_NO_START = frozenset(("a", "in", "on", "my", "you", "is", "no", "to", "he", "she", "me", "good", "see", "long"))


def _several(words: tuple[str, ...]) -> bool:
    """Whether two or more words that are words of the language are a name all the same ("hope young", "mark may")."""
    return 2 <= len(words) <= 3 and words[0] not in _NO_START and any(word in GIVEN or len(word) > 3 for word in words)


def _bare(tokens: Sequence[Token], words: tuple[str, ...]) -> Found[str] | None:
    start, end = 0, len(tokens)
    while start < end and (words[start] in _EDGE and not _begins_name(tokens, words, start)):
        start += 1
    while (
        end > start
        and words[end - 1] in _EDGE
        and not (words[end - 1] in ALSO_NAMES and end - start > 1 and start == 0)
    ):
        end -= 1
    spelled = _spelled(tokens[start:end])
    if spelled:
        return Found(start, end, spelled, False)
    start = _past_a_part_said_before(words, start, end)
    suffix = end
    if end - start > 2 and tokens[end - 1].ordinal and words[end - 2] == "the":
        suffix = end - 2
    if not 0 < suffix - start <= MAX_WORDS or NOT_A_NAME.spans(words[start:suffix]):
        return None
    if not all(_may_be_bare(token) for token in tokens[start:suffix]):
        return None
    # A month alone is no day, so it is somebody's name.
    if not (len(tokens) == 1 and words[0] in _ALSO_MONTHS) and not _is_name(tokens, start, suffix, introduced=False):
        return None
    if suffix < end and _with_suffix(tokens, suffix) != end:
        return None
    return Found(start, end, _title(tokens[start:end]), False)


def _begins_name(tokens: Sequence[Token], words: tuple[str, ...], at: int) -> bool:
    """Whether a small word is the first of a name: the "so" of "so yeon kim", not that of "so, john smith"."""
    if words[at] not in ALSO_NAMES or at + 1 >= len(words):
        return False
    following = tokens[at + 1]
    if "," in following.gap or following.text in GIVEN or following.text in TITLES:
        return False
    return len(words) - at >= 3 and following.text not in _EDGE


def _may_be_bare(token: Token) -> bool:
    if token.number is not None or token.amount is not None or not token.text[0].isalpha():
        return False
    return token.text in ALSO_NAMES or token.text not in NEVER


def _spelled(tokens: Sequence[Token]) -> str:
    """ "s m i t h": three letters or more, and nothing else."""
    if len(tokens) < 3 or any(len(token.text) != 1 or not token.text.isalpha() for token in tokens):
        return ""
    return "".join(token.text for token in tokens).capitalize()


def _title(tokens: Sequence[Token]) -> str:
    """With capitals where there are none: a recogniser's words have none, what is typed has its own."""
    typed = any(token.raw != token.text for token in tokens)
    written = ""
    for token in tokens:
        word = token.raw if typed else _capitals(token.text)
        separator = "-" if token.gap in ("-", "‐") else " "
        written += word if not written else separator + word
    return written


def _capitals(word: str) -> str:
    """ "o'brien" to "O'Brien", "the" of "the third" as it is."""
    if word == "the":
        return word
    if word in ("ii", "iii", "iv"):
        return word.upper()
    return "'".join(part if part == "s" else part.capitalize() for part in word.split("'"))
