"""Yes, no, or neither: what people answer to a question that wants one of the two.

Idioms come first ("no, that is right", "why not", "I have no objections"), then what is in doubt ("I don't know"), then the words
themselves, in their order. A word that may agree counts less the more stands around it: "right now I can't" has a "right" in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from antiphon.workflow.month_days import WEEKDAYS
from antiphon.workflow.words import FILLERS, Phrases, Token, texts


class _Kind(Enum):
    YES = 1
    """Agrees wherever it stands."""
    FINE = 2
    """Agrees where little else is said."""
    NO = 3
    NEGATION = 4
    """Refuses unless it belongs to something else."""
    CORRECTION = 5
    """What was said before is taken back."""
    DOUBT = 6
    """Neither yes nor no, whatever else is said."""
    SMALL = 7
    """Says nothing."""


YES = (
    "yes", "yeah", "yep", "yup", "yea", "aye", "correct", "that's right", "that is right", "that's correct", "that is correct",
    "absolutely", "definitely", "certainly", "of course", "please do", "go ahead", "go for it", "sounds good", "do it", "do that",
    "book it",
    "that's fine", "that is fine", "that works", "exactly", "indeed", "affirmative", "uh huh", "mm hm", "mm hmm", "mhm", "mmhm",
    "mm mm hm",
    "by all means", "you bet", "i agree", "agreed", "confirmed", "i confirm", "let's do it", "let's do that",
    "why not",
    "sounds great", "sounds perfect", "works for me", "fine by me", "fine with me", "that's perfect", "that is perfect", "that's great",
    "that's good", "that's okay", "that is okay", "that's ok", "that's it", "that is it", "that's the one", "that's all right",
    "that is all right", "that's alright", "that is alright", "sure thing", "yes please",

    "would be great", "would be perfect", "would be lovely", "that would be fine", "make it so",
    "that's true", "spot on", "bang on", "dead on", "i'd love that", "i would love that",
    "i guess so", "i suppose so", "i suppose", "i'd say so",
    "i would say so", "if you could", "if you would", "if you can", "if you don't mind",
    "if you please", "if possible",
    "don't mind if i do", "wouldn't say no", "would not say no", "can't say no", "couldn't say no",
    "no problem", "no worries", "not a problem", "no trouble", "no objection", "no objections", "no complaints", "i don't mind",
    "i do not mind",
    "i don't see why not", "don't see why not", "i have no objections", "i have no objection", "i don't have any objections",
    "i have no problem", "i have no problems", "nothing against it", "no problem at all", "i've no objections", "good to go",
    "okay with me",
    "no that is right", "no that's right", "no that's correct", "no that is correct", "no that's fine", "no that is fine",
    "no that's good",
    "no that's perfect", "no that's great", "no it's fine", "no it's right", "no it's good", "no that works", "no that's it",
    "no that's all right",
    "no that's okay", "no it is fine", "no it is right", "no it's correct", "no it's perfect", "no you're right", "no you are right",
    "no no that's right", "no no that's fine", "no no that's correct", "can't complain", "couldn't be better", "book that", "lock it in",
    "see you then", "see you there", "see you on", "see you at", "see you tomorrow", "i'll be there", "i will be there", "roger",
    "okey dokey", "yessir", "yes sir", "yes ma'am", "right you are",
    "i'd like that", "i would like that", "that'll do", "that will do", "happy with that",
    "i'm happy with that",
    "fair enough", "i'm okay with that", "i'm fine with that", "i'm good with that", "i am okay with that", "i'm okay with it",
    "i'm fine",
    "i am fine with that", "i'm fine with it", "that should be fine", "totally", "amen", "ja", "oui", "si",
)  # fmt: skip
_FINE = (
    "you got it", "you've got it", "i do", "i would", "it is", "i am", "i have", "they are", "it does", "you can", "you may",
    "i'd love to", "i would love to",
    "i'd like to",
    "true", "sure", "okay", "ok", "alright", "all right", "right", "fine", "perfect", "great", "wonderful", "lovely", "good", "very good",
    "excellent",
    "brilliant", "super", "cool", "awesome", "please", "nice", "fantastic", "grand", "please go", "splendid", "marvellous", "amazing",
)  # fmt: skip
NO = (
    "i'm not okay", "i am not okay", "that's not what", "that is not what", "not what i", "isn't what i", "i disagree", "i object",
    "no need",
    "no", "nope", "nah", "wrong", "incorrect", "that's wrong", "that is wrong", "no thanks", "no thank you", "not really", "not at all",
    "not yet", "not now", "not today", "no way", "absolutely not", "certainly not", "definitely not", "of course not", "never",
    "negative",
    "i'd rather not", "i would rather not", "rather not", "i don't think so", "i do not think so", "never mind", "forget it",
    "by no means",
    "uh uh", "nuh uh", "not right", "not correct", "not true", "false", "no chance", "hell no", "not that i know of", "none",
    "i have none",
    "please don't", "don't", "do not", "not this time", "no not yet", "under no circumstances", "not quite", "not exactly", "leave it",
    "i do not", "i would not", "i am not", "it is not", "i don't", "don't bother", "do not bother", "scrap that", "not ever", "untrue",
)  # fmt: skip
_NEGATIONS = (
    "not", "don't", "dont", "didn't", "won't", "can't", "cannot", "isn't", "wasn't", "haven't", "hasn't", "doesn't", "wouldn't",
    "couldn't",
    "shouldn't", "aren't", "nothing", "nobody", "i have no", "it has no", "neither", "nor", "refuse", "unable", "stop",
)  # fmt: skip
_CORRECTIONS = ("i mean", "i meant", "actually", "sorry", "wait", "scratch that", "rather")
_DOUBTS = (
    "don't understand", "do not understand", "don't hear", "do not hear", "i don't hear", "i do not hear", "do i", "does it",
    "have i", "am i", "will it", "is there",
    "i don't know", "i do not know", "don't know", "dunno", "i'm not sure", "i am not sure", "not sure", "no idea", "i have no idea",
    "maybe",
    "perhaps", "possibly", "it depends", "that depends", "i can't say", "i cannot say", "hard to say", "yes and no", "i'm not certain",
    "not certain", "i don't remember", "i can't remember", "i forgot", "let me think", "let me see", "let me check", "let me ask",
    "hold on",
    "hang on", "one moment", "just a moment", "a moment", "one second", "just a second", "give me a", "i don't understand",
    "i do not understand", "i didn't understand", "i didn't get", "i didn't hear", "i did not hear", "i didn't catch", "can't hear",
    "cannot hear",
    "what do you mean", "are you sure", "is that right", "is that correct", "is it", "do you", "are you", "should i", "shall i",
    "could you",
    "can you", "would you", "who", "what", "when", "where", "which", "how", "why", "right now", "right to", "right away", "good question",
    "good morning", "good afternoon", "good evening", "good night", "if", "i guess", "yes no", "whatever", "who cares",
    "nothing else",
    "i wonder", "can i", "could i", "may i", "might", "no one told", "undecided", "i don't care", "i do not care", "either way",
)  # fmt: skip
_TAGS = (
    "isn't it", "is it not", "isn't that so", "doesn't it", "don't you think", "aren't you", "won't it", "right", "isn't that right",
)  # fmt: skip
"""Asked back at the end of a sentence, these change nothing of it."""
_SMALL = (
    "excuse me", "pardon", "pardon me", "from me", "what i want",
    "um", "uh", "er", "erm", "hmm", "ah", "oh", "eh", "well", "so", "like", "just", "you know", "hi", "hello", "thanks", "thank you",
    "thank you very much", "thanks very much", "thanks a lot", "very much", "then", "now", "it", "that", "that's", "that is", "it's",
    "me", "with me", "to me", "for me", "by me",
    "and", "but", "really", "very", "much", "all", "goodbye", "bye", "i", "we", "us", "this", "be", "would", "sir", "madam", "ma'am",
    "mate",
    "dear", "love", "man", "too", "also", "quite", "is", "are", "works", "sounds", "hurry", "can", "will", "do", "go", "ahead", "to",
    "think",
    "i think", "i think so", "there", "here", "the", "a", "one", "yourself", "kindly", "again", "for now", "in", "of", "on", "my",
    "looks", "everything",
    "everything's", "seems", "absolutely", "let's", "with", "see", "you", "was", "what i said", "i said", "book", "day", "time",
    "name", "at",
)  # fmt: skip

_TABLE: dict[tuple[str, ...], _Kind] = {}
_ALL = (
    (_SMALL, _Kind.SMALL), (_FINE, _Kind.FINE), (_NEGATIONS, _Kind.NEGATION), (YES, _Kind.YES), (NO, _Kind.NO),
    (_CORRECTIONS, _Kind.CORRECTION), (_DOUBTS, _Kind.DOUBT),
)  # fmt: skip
_PHRASES = Phrases(phrase for phrases, _ in _ALL for phrase in phrases)
for _phrases, _kind in _ALL:
    for _phrase in _phrases:
        _TABLE[tuple(_phrase.split())] = _kind
_CONTRACTED = {"that'd": ("that", "would"), "it'd": ("it", "would"), "this'd": ("this", "would")}
_BARE_YES = frozenset(("yes", "yeah", "yep", "yup", "yea"))
_BARE_NO = frozenset(("no", "nope", "nah"))
_ASKING_VERBS = frozenset(("is", "are", "was", "were", "does", "did", "has", "will"))
_SUBJECTS = frozenset((*WEEKDAYS, "this", "these", "that", "there", "the", "my", "it", "he", "she"))
_PERSONS = frozenset(("you", "i", "we", "they"))
"""With these "do" and "have" ask, too; "do that" is a yes."""
_TAG_PHRASES = frozenset(tuple(tag.split()) for tag in _TAGS)


def yes_or_no(tokens: Sequence[Token]) -> bool | None:
    """Agreement, refusal, or neither."""
    words = _without_tag(_without_interjections(_spelled_out(texts(tokens))))
    if begins_with_question(words):
        return None
    kinds, unknown = _kinds(words)
    if _Kind.DOUBT in kinds:
        return None
    if _Kind.CORRECTION in kinds:
        # "no, I mean yes": what comes after counts, if there is anything.
        at = len(kinds) - 1 - kinds[::-1].index(_Kind.CORRECTION)
        meaning: list[_Kind] = [kind for kind in kinds[at + 1 :] if kind is not _Kind.SMALL]
        before: list[_Kind] = [kind for kind in kinds if kind is not _Kind.CORRECTION]
        kinds = meaning or before
    agrees = _Kind.YES in kinds
    refuses = _Kind.NO in kinds
    negated = _Kind.NEGATION in kinds
    if agrees and (refuses or negated):
        return None
    if refuses or negated:
        return False
    if agrees:
        return (
            True
            if unknown == 0 or _starts_with(words, _Kind.YES) or (unknown == 1 and _starts_with(words, _Kind.FINE))
            else None
        )
    return True if _Kind.FINE in kinds and unknown == 0 else None


def _spelled_out(words: tuple[str, ...]) -> tuple[str, ...]:
    """ "that'd be great" says "that would be great"."""
    return tuple(part for word in words for part in _CONTRACTED.get(word, (word,)))


def begins_with_question(words: tuple[str, ...]) -> bool:
    """Whether the turn asks back ("is that the right day"): an answer does not begin with a verb and its subject."""
    at = 0
    while at < len(words) and (words[at] in FILLERS or words[at] in ("wait", "sorry", "and", "but", "no")):
        at += 1
    if at + 1 >= len(words):
        return False
    verb, subject = words[at : at + 2]
    return (verb in _ASKING_VERBS and subject in _SUBJECTS | _PERSONS) or (
        verb in ("do", "have") and subject in _PERSONS
    )


def _without_interjections(words: tuple[str, ...]) -> tuple[str, ...]:
    """ "yeah, no, that's fine": where both begin a turn they say nothing, and what follows is the answer."""
    at, said = 0, set[bool]()
    while at < len(words) and (words[at] in _BARE_YES or words[at] in _BARE_NO or words[at] in FILLERS):
        if words[at] in _BARE_YES or words[at] in _BARE_NO:
            said.add(words[at] in _BARE_YES)
        at += 1
    if len(said) < 2:
        return words
    rest = words[at:]
    return rest if any(kind not in (_Kind.SMALL, _Kind.DOUBT) for kind in _kinds(rest)[0]) else words


def _kinds(words: tuple[str, ...]) -> tuple[list[_Kind], int]:
    """The kinds of what was said in order, and how many words are of none."""
    kinds: list[_Kind] = []
    unknown, at, denied = 0, 0, False
    while at < len(words):
        size = _PHRASES.at(words, at)
        kind = _TABLE[words[at : at + size]] if size else None
        if kind is None:
            unknown += 1
        elif not (denied and kind in (_Kind.YES, _Kind.FINE)):
            kinds.append(kind)
        at += max(size, 1)
        # "don't do it", "do not book it": what is not to be done is no agreement.
        denied = kind in (_Kind.NO, _Kind.NEGATION) and words[at - 1].endswith(("not", "n't", "dont"))
    return kinds, unknown


def _without_tag(words: tuple[str, ...]) -> tuple[str, ...]:
    """ "that's right isn't it" says "that's right"."""
    for size in (3, 2, 1):
        if len(words) > size + 1 and words[-size:] in _TAG_PHRASES:
            rest = words[:-size]
            if len(rest) not in {start for start, _ in _PHRASES.spans(words)}:
                continue  # the "right" of "no, that is right" is the answer
            if any(kind in (_Kind.YES, _Kind.NO) for kind in _kinds(rest)[0]):
                return rest
    return words


def _starts_with(words: tuple[str, ...], kind: _Kind) -> bool:
    size = _PHRASES.at(words, 0) if words else 0
    return size > 0 and _TABLE[words[:size]] is kind
