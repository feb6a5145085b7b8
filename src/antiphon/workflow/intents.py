"""What somebody means, judged by example phrases: no model, no training, the same answer every time.

A phrase scores 1 when it is all that was said, less when it stands inside more words, and least when only some of its
telling words were said in any order. A negation that the example does not have ("i do not want to book") halves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from antiphon.workflow.words import FILLERS, Token, find_phrase, texts, tokenize

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

YES = (
    "yes", "yeah", "yep", "yup", "sure", "correct", "right", "that's right", "that is right", "that's correct", "that is correct",
    "absolutely", "definitely", "certainly", "of course", "please do", "go ahead", "sounds good", "perfect", "great", "fine",
    "okay", "ok", "alright", "do it", "book it", "that's fine", "that works", "exactly", "indeed",
)  # fmt: skip
NO = (
    "no", "nope", "nah", "not", "wrong", "incorrect", "never", "don't", "that's wrong", "that is wrong", "not right", "not correct",
)  # fmt: skip
_YES_IN_SPITE_OF_A_NO = (
    "no problem",
    "no that's right",
    "no that's correct",
    "no that's fine",
    "no worries",
    "why not",
)

HUMAN = (
    "operator", "human", "representative", "receptionist", "real person", "speak to a person", "talk to a person",
    "speak to a human", "talk to a human", "speak to someone", "talk to someone", "speak to somebody", "talk to somebody",
    "speak to an agent", "talk to an agent", "speak with someone", "a person please", "put me through", "transfer me",
    "i want a human", "i want to speak to a person", "can i speak to a person",
)  # fmt: skip
GOODBYE = (
    "goodbye", "bye", "bye bye", "good bye", "hang up", "that's all", "that is all", "that will be all", "nothing else",
    "i'm done", "i am done", "end the call", "see you",
)  # fmt: skip
REPEAT = (
    "repeat that", "repeat", "say that again", "say it again", "can you repeat that", "could you repeat that", "what did you say",
    "pardon", "pardon me", "excuse me", "come again", "what", "sorry what", "what was that", "i didn't catch that",
    "i didn't hear you", "i did not hear you", "one more time",
)  # fmt: skip
HELP = (
    "help", "help me", "what can i say", "what can you do", "what are my options", "options", "i don't know", "i do not know",
    "i'm not sure", "what do you mean", "i don't understand", "how does this work",
)  # fmt: skip
GREETING = (
    "hello", "hi", "hey", "hello there", "hi there", "good morning", "good afternoon", "good evening", "are you there",
    "hello are you there", "can you hear me", "anybody there",
)  # fmt: skip
START_OVER = (
    "start over",
    "start again",
    "from the beginning",
    "begin again",
    "let's start over",
    "forget it start over",
)

BUILT_IN: dict[str, tuple[str, ...]] = {
    "yes": YES, "no": NO, "human": HUMAN, "goodbye": GOODBYE, "repeat": REPEAT, "help": HELP, "greeting": GREETING,
    "start-over": START_OVER,
}  # fmt: skip
"""Meanings an assistant file may name instead of listing phrases."""


@dataclass(frozen=True, slots=True)
class _Phrase:
    """An example made ready."""

    words: tuple[str, ...]
    telling: frozenset[str]
    """Stems of the words that say something; a phrase that has only one is not judged by it."""
    negated: bool


@lru_cache(maxsize=4096)
def _phrase(text: str) -> _Phrase:
    words = texts(tokenize(text))
    return _Phrase(words, frozenset(map(stem, words)) - _STOP_WORDS, not NEGATIONS.isdisjoint(words))


def score(phrases: Iterable[str], tokens: Sequence[Token]) -> float:
    """How well the best of ``phrases`` fits what was said, 0…1."""
    words = texts(tokens)
    stems = frozenset(map(stem, words))
    negated = not NEGATIONS.isdisjoint(words)
    return max((_score_one(_phrase(text), words, stems, negated) for text in phrases), default=0.0)


def _score_one(phrase: _Phrase, words: tuple[str, ...], stems: frozenset[str], negated: bool) -> float:
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
    return value / 2 if negated and not phrase.negated else value


def stem(word: str) -> str:
    """A word without its commonest English endings: enough to bring booking, booked and books together."""
    for ending in ("ments", "ment", "ings", "ing", "ers", "er", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def yes_or_no(tokens: Sequence[Token]) -> bool | None:
    """Agreement, refusal, or neither."""
    words = texts(tokens)

    def said(phrases: Iterable[str]) -> bool:
        return any(find_phrase(_phrase(phrase).words, words) >= 0 for phrase in phrases)

    if said(_YES_IN_SPITE_OF_A_NO):
        return True
    if said(NO) or NEGATIONS.intersection(words):
        return False
    return True if said(YES) else None


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
