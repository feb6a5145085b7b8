"""Names of people: "my name is john smith", "it's mary", "this is doctor o'brien speaking", or a bare "john smith"."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.workflow.dates import WEEKDAYS
from antiphon.workflow.found import Found, without_overlaps
from antiphon.workflow.intents import NEGATIONS
from antiphon.workflow.words import FILLERS, Token

MAX_WORDS = 4

_SURE = (
    ("my", "name", "is"),
    ("my", "name's"),
    ("the", "name", "is"),
    ("the", "name's"),
    ("name", "is"),
    ("i", "am", "called"),
)
"""After these comes a name, whatever was asked."""
_LIKELY = (
    ("this", "is"),
    ("it", "is"),
    ("it's",),
    ("i'm",),
    ("i", "am"),
    ("call", "me"),
    ("under",),
    ("that's",),
    ("i", "said"),
)
"""After these comes a name if one was asked for or is being corrected."""

_NO_NAMES = FILLERS | NEGATIONS | frozenset(WEEKDAYS) | frozenset((
    "a", "an", "the", "and", "or", "but", "if", "then", "so", "that", "this", "these", "those", "it", "it's", "its", "he",
    "she", "they", "we", "you", "i", "i'm", "i'd", "i'll", "i've", "me", "my", "your", "our", "is", "are", "am", "was",
    "were", "be", "been", "do", "does", "did", "done", "can", "could", "would", "will", "should", "may", "might", "must",
    "have", "has", "had", "get", "got", "go", "going", "want", "need", "like", "make", "made", "take", "say", "said", "meant",
    "mean", "tell", "ask", "call", "calling", "called", "speak", "speaking", "talk", "talking", "help", "wait", "no", "nope",
    "nah", "yes", "yep", "yup", "sure", "correct", "right", "wrong", "fine", "good", "great", "perfect", "here", "there",
    "now", "later", "today", "tomorrow", "yesterday", "morning", "afternoon", "evening", "night", "noon", "midday",
    "midnight", "week", "day", "days", "time", "date", "number", "name", "appointment", "appointments", "book", "booking",
    "cancel", "change", "instead", "actually", "sorry", "rather", "please", "thanks", "for", "to", "at", "on", "in", "of",
    "off", "from", "with", "by", "about", "under", "not", "what", "when", "where", "who", "whom", "which", "why", "how",
    "much", "many", "any", "some", "all", "none", "nothing", "something", "anything", "someone", "somebody", "person",
    "human", "operator", "agent", "representative", "receptionist", "again", "repeat", "goodbye", "bye", "pm", "o'clock",
    "past", "quarter", "half", "next", "last", "first", "also", "too", "very", "really", "just", "only", "maybe", "perhaps",
    "doing", "it'll", "that's", "there's", "what's", "let's", "lets", "up", "down", "out", "over", "back", "line", "phone",
    "incorrect", "bad", "false", "different", "other", "another", "late", "early", "better", "worse", "hold", "stop", "start",
))  # fmt: skip


def find(tokens: Sequence[Token]) -> list[Found[str]]:
    """Every name introduced as one, else the whole of a short answer that can be nothing but a name."""
    introduced = [*_introduced(tokens, _SURE, explicit=True), *_introduced(tokens, _LIKELY, explicit=False)]
    if introduced:
        return without_overlaps(introduced)
    bare = _bare(tokens)
    return [bare] if bare else []


def _introduced(tokens: Sequence[Token], openings: Sequence[tuple[str, ...]], *, explicit: bool) -> list[Found[str]]:
    words = tuple(token.text for token in tokens)
    found: list[Found[str]] = []
    for opening in openings:
        for at in range(len(words) - len(opening)):
            start = at + len(opening)
            if words[at:start] == opening and (end := _name_end(tokens, start)) > start:
                found.append(Found(at, end, _title(tokens[start:end]), explicit))
    return found


def _name_end(tokens: Sequence[Token], start: int) -> int:
    end = start
    while end < len(tokens) and end - start < MAX_WORDS and _may_be_name(tokens[end]):
        end += 1
    return end


def _may_be_name(token: Token) -> bool:
    return token.number is None and token.text not in _NO_NAMES and token.text[0].isalpha()


def _bare(tokens: Sequence[Token]) -> Found[str] | None:
    start, end = 0, len(tokens)
    edge = FILLERS | {
        "yes",
        "no",
        "oh",
        "wait",
        "actually",
        "sorry",
        "speaking",
        "here",
        "instead",
        "for",
        "it's",
        "sure",
        "make",
        "it",
    }
    while start < end and tokens[start].text in edge:
        start += 1
    while end > start and tokens[end - 1].text in edge:
        end -= 1
    if not 0 < end - start <= MAX_WORDS or not all(_may_be_name(token) for token in tokens[start:end]):
        return None
    return Found(start, end, _title(tokens[start:end]), False)


def _title(tokens: Sequence[Token]) -> str:
    if any(token.raw != token.text for token in tokens):
        return " ".join(token.raw for token in tokens)
    return " ".join(_capitals(token.text) for token in tokens)


def _capitals(word: str) -> str:
    """ "o'brien" to "O'Brien"; a recogniser's words have no capitals."""
    return "'".join(part if part == "s" else part.capitalize() for part in word.split("'"))
