"""What somebody means, judged by example phrases: no model, no training, the same answer every time.

A phrase scores 1 when it is all that was said, less when it stands inside more words, and least when only some of its
telling words were said in any order. A negation that the example does not have ("i do not want to book") halves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from antiphon.workflow.agreement import begins_with_question, yes_or_no
from antiphon.workflow.month_days import MONTHS, WEEKDAYS
from antiphon.workflow.phrases import (
    BUILT_IN,
    GOODBYE,
    GREETING,
    HELP,
    NO,
    NOTHING_MORE,
    PAUSE,
    REPEAT,
    START_OVER,
    YES,
)
from antiphon.workflow.words import FILLERS, Phrases, Token, find_phrase, texts, tokenize

__all__ = [
    "BUILT_IN",
    "GREETING",
    "HELP",
    "MATCHES",
    "NEGATIONS",
    "NO",
    "PAUSE",
    "PLAIN",
    "REPEAT",
    "START_OVER",
    "YES",
    "accepts",
    "asks",
    "farewell",
    "goodbye_at",
    "is_all",
    "is_wish",
    "score",
    "score_prompt",
    "yes_or_no",
]  # fmt: skip

MATCHES = 0.5
"""A score from here on counts as meant."""
PLAIN = 0.75
"""From here on it is meant even though something else was said, too."""

NEGATIONS = frozenset(("not", "don't", "dont", "never", "didn't", "won't", "can't", "isn't", "wasn't"))
_STOP_WORDS = FILLERS | frozenset((
    "a", "an", "the", "i", "i'm", "i'd", "i'll", "you", "me", "my", "we", "our", "it", "it's", "is", "are", "am", "be", "to",
    "of", "for", "on", "in", "at", "with", "and", "or", "do", "does", "did", "can", "could", "would", "will", "want", "need",
    "get", "got", "have", "has", "had", "this", "that", "there", "some", "any", "if", "about", "from", "as", "by",
))  # fmt: skip

_CONTRARY = frozenset((
    "cancel", "cancelled", "canceled", "reschedule", "postpone", "move", "moved", "change", "changed", "miss", "missed", "already",
    "confirm",
    "cost", "costs", "price", "insurance", "forgot",
))  # fmt: skip
"""Words that make another wish of a wish ("cancel my appointment"), unless the example has them."""
_ASKING = frozenset(
    ("what", "when", "where", "who", "why", "how", "which", "what's", "when's", "where's", "do", "does", "are", "is")
)
_QUESTION_WORDS = frozenset(
    ("what", "when", "where", "who", "why", "how", "which", "what's", "when's", "where's", "who's", "how's")
)
_REQUESTS = frozenset(
    (verb, who) for verb in ("can", "could", "would", "will", "should", "may") for who in ("you", "i", "we")
)
_ASKING_FOR = Phrases((
    "how about", "what about", "how do i", "how can i", "how would i", "when can i", "when could i", "what do i have to do", "what if",
    "how may i", "where can i", "is it possible", "is there", "are there", "do you have",
))  # fmt: skip
"""Questions that are wishes."""
_ASKS_FOR = frozenset((
    "i", "i'd", "i'm", "want", "wanna", "need", "to", "would", "like", "can", "could", "may", "might", "please", "me", "let", "get",
    "speak",
    "talk", "connect", "put", "through", "transfer", "you", "just", "rather", "a", "an", "the", "real", "live", "actual", "is", "there",
    "there's", "any", "chance", "wish", "have", "do", "it", "now", "right", "instead", "possible", "if", "and", "sorry", "no", "yes",
    "really",
    "us", "give", "with", "prefer", "must", "back", "go", "will", "we", "excuse", "so", "but", "for", "then", "somebody", "someone",
    "ask",
    "that", "again", "could", "my", "your", "be", "here", "wait", "actually", "of", "am", "not", "don't", "think", "maybe", "this",
    "these",
))  # fmt: skip
"""Words a wish is wrapped in."""
_GOES_ON = frozenset(
    (
        "about",
        "regarding",
        "concerning",
        "because",
        "who",
        "please",
        "as",
        "since",
        "for",
        "on",
        "in",
        "from",
        "now",
        "at",
        "to",
        "when",
    )
)
"""Words after which a wish is explained; what follows is not looked at."""
_POLITE = FILLERS | frozenset((
    "very", "much", "for", "your", "help", "a", "lot", "then", "alright", "all", "right", "great", "fine", "and", "now", "i", "have",
    "nice",
    "good", "day", "evening", "weekend", "night", "it's", "that's", "again", "today", "later", "soon", "from", "me", "cheers",
    "perfect", "no",
    "sir", "madam", "ma'am", "everything", "the", "time", "kind", "kindly", "so", "really", "it", "appreciate", "to", "is", "was",
    "lovely",
    "wonderful", "one", "with", "else", "more", "that", "but", "as", "well", "of", "there", "here", "to", "else", "bye",
))  # fmt: skip
"""Words that may stand around a goodbye without being an answer."""
_WHEN_SEEN = _POLITE | frozenset((
    *WEEKDAYS, "on", "at", "next", "this", "tomorrow", "week", "in", "morning", "afternoon", "pm", "am", "o'clock", "half", "past",
    "quarter", *MONTHS,
))  # fmt: skip
_ACCEPTS = Phrases(("see you then", "see you there", "see you on", "see you at", "see you tomorrow", "see you next"))


@dataclass(frozen=True, slots=True)
class _Phrase:
    """An example made ready."""

    words: tuple[str, ...]
    telling: frozenset[str]
    """Stems of the words that say something; a phrase that has only one is not judged by it."""
    negated: bool
    words_set: frozenset[str]


@lru_cache(maxsize=4096)
def _phrase(text: str) -> _Phrase:
    words = texts(tokenize(text))
    return _Phrase(words, frozenset(map(stem, words)) - _STOP_WORDS, not NEGATIONS.isdisjoint(words), frozenset(words))


@lru_cache(maxsize=256)
def _phrases(phrases: tuple[str, ...]) -> Phrases:
    return Phrases(phrases)


def is_all(phrases: tuple[str, ...], tokens: Sequence[Token]) -> bool:
    """Whether one of ``phrases`` was said, and nothing else but what is polite."""
    words = texts(tokens)
    spans = _phrases(phrases).spans(words)
    said = {at for start, end in spans for at in range(start, end)}
    return bool(spans) and all(at in said or word in _POLITE for at, word in enumerate(words))


def is_wish(phrases: tuple[str, ...], tokens: Sequence[Token]) -> bool:
    """Whether the turn asks for what one of ``phrases`` names: the phrase, what a wish is wrapped in, and perhaps a reason after it.

    "can I talk to someone about my bill" does; "I was talking to someone else" and "my son will talk to someone" do not.
    """
    words = texts(tokens)
    around = _ASKS_FOR | FILLERS
    for start, end in _phrases(phrases).spans(words):
        own = frozenset(words[start:end])
        if not all(word in around for word in words[:start]):
            return False
        if not NEGATIONS.isdisjoint(words[:start]) and NEGATIONS.isdisjoint(own):
            continue
        after = words[end:]
        if not after or after[0] in _GOES_ON or all(word in around for word in after):
            return True
    return False


def farewell(tokens: Sequence[Token], *, open_question: bool) -> int | None:
    """Where the goodbye begins that ends the turn; 0 where all of it is one, None where it is none.

    At an ``open_question`` "that's all" and "I'm done" are no goodbye: they may be part of an answer.
    """
    words = texts(tokens)
    begins = _farewell_begins((*GOODBYE, *NOTHING_MORE), words, with_day=not open_question)
    if open_question and begins == 0:
        begins = _farewell_begins(GOODBYE, words)
    return begins


def _farewell_begins(phrases: tuple[str, ...], words: tuple[str, ...], *, with_day: bool = False) -> int | None:
    """``with_day``: "see you on friday at two" is one."""
    if with_day and words[:2] == ("see", "you") and _WHEN_SEEN.issuperset(words[2:]):
        return 0
    spans = [(start, end) for start, end in _phrases(phrases).spans(words) if words[end : end + 1] != ("right",)]
    said = {at for start, end in spans for at in range(start, end)}
    begins = len(words)
    while begins and (begins - 1 in said or words[begins - 1] in _POLITE):
        begins -= 1
    return begins if any(start >= begins for start, _ in spans) else None


def asks(tokens: Sequence[Token]) -> bool:
    """Whether the turn is a question, or asks for something to be done, rather than an answer."""
    words = texts(tokens)
    if _ASKING_FOR.at(words, 0):
        return True
    if len(words) >= 3 and (words[0] in _QUESTION_WORDS or words[:2] in _REQUESTS):
        return True
    return begins_with_question(words)


def goodbye_at(tokens: Sequence[Token]) -> int:
    """Where the first goodbye of a turn stands; after all words where there is none."""
    words = texts(tokens)
    spans = _phrases(GOODBYE).spans(words)
    return spans[0][0] if spans else len(words)


def accepts(tokens: Sequence[Token]) -> bool:
    """ "see you then": goodbye, and yes to what was asked."""
    return bool(_ACCEPTS.spans(texts(tokens)))


def score(phrases: Iterable[str], tokens: Sequence[Token]) -> float:
    """How well the best of ``phrases`` fits what was said, 0…1."""
    words = texts(tokens)
    stems = frozenset(map(stem, words))
    negated = not NEGATIONS.isdisjoint(words)
    contrary = _contrary(words)
    return max((_score_one(_phrase(text), words, stems, negated, contrary) for text in phrases), default=0.0)


def _score_one(
    phrase: _Phrase, words: tuple[str, ...], stems: frozenset[str], negated: bool, contrary: frozenset[str]
) -> float:
    if not phrase.words or not words:
        return 0.0
    if phrase.words == words:
        return 1.0
    if find_phrase(phrase.words, words) >= 0:
        core = tuple(word for word in words if word in phrase.words or word not in FILLERS)
        if core == phrase.words:
            return 1.0
        # A phrase of several words is telling wherever it stands; a single word less so, the more words surround it.
        value = 0.6 + 0.4 / len(core) if len(phrase.words) == 1 else 0.9
    elif len(phrase.telling) >= 2:
        value = 0.7 * len(phrase.telling & stems) / len(phrase.telling)
    else:
        return 0.0
    return value / 2 if (negated and not phrase.negated) or contrary - phrase.words_set else value


def _contrary(words: tuple[str, ...]) -> frozenset[str]:
    """The words of a turn that make another wish of a wish; a question counts as one."""
    asks = bool(words) and words[0] in _ASKING and not _ASKING_FOR.at(words, 0)
    return _CONTRARY.intersection(words) | (frozenset(words[:1]) if asks else frozenset())


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its commonest English endings: enough to bring booking, booked and books together."""
    for ending in ("ments", "ment", "ings", "ing", "ers", "er", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


# ---------------------------------------------------------------------------------- conditions written for a language model

_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|(?<![a-z])'([^']+)'(?![a-z])", re.IGNORECASE)
_ABOUT_THE_CALLER = frozenset(map(stem, (
    "user", "users", "caller", "customer", "client", "person", "they", "their", "he", "she", "says", "say", "said", "asks",
    "ask", "asked", "wants", "want", "wanted", "wishes", "would", "like", "likes", "needs", "need", "if", "when", "whether",
    "then", "given", "has", "have", "provided", "provides", "states", "mentions", "mention", "indicates", "expresses", "tries",
    "trying", "go", "going", "something", "anything", "into", "not",
)))  # fmt: skip
_AGREES = frozenset(map(stem, ("confirms", "confirmed", "agrees", "agreed", "accepts", "accepted", "approves", "yes")))
_REFUSES = frozenset(
    map(stem, ("declines", "declined", "refuses", "refused", "rejects", "rejected", "disagrees", "denies", "no"))
)


def score_prompt(prompt: str, tokens: Sequence[Token]) -> float:
    """How well what was said fits a condition written for a language model, as far as rules can tell.

    Quotes in the prompt are taken as examples. Without quotes the prompt's telling words are looked for, and a prompt that speaks of
    agreeing or refusing is judged by yes and no. What the prompt *means* beyond that is not understood.
    """
    quotes = [next(filter(None, found)) for found in _QUOTED.findall(prompt)]
    if quotes:
        return score(quotes, tokens)
    telling = {stem(word) for word in texts(tokenize(prompt))} - _STOP_WORDS - _ABOUT_THE_CALLER
    answer = yes_or_no(tokens)
    if telling & _AGREES and answer is True:
        return 0.8
    if telling & _REFUSES and answer is False:
        return 0.8
    said = {stem(word) for word in texts(tokens)} & (telling - _AGREES - _REFUSES)
    if not said:
        return 0.0
    value = min(0.55 + 0.1 * (len(said) - 1), 0.75)
    return value / 2 if NEGATIONS.intersection(texts(tokens)) else value
