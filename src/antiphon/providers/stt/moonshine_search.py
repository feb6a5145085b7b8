"""What Moonshine hears in one piece of speech: freely, or as one of the expected answers.

Everything here is a generator that yields between steps of some milliseconds, so that a process serves other calls meanwhile; the result
is what it returns.

A grammar always finds something; a foreign word is not a "no". So an answer must have *evidence*: it must be likelier after the sound
than before. The decoder is a language model, too: of "two", which nobody writes alone, it thinks little whatever it hears, and of "yes"
much. How likely an answer is where nothing is heard is known (``Model.nothing``), and half of it is taken off. Besides, an answer is
compared with what the model hears freely: a right one costs little per token and shares letters with it. Together that is its *misfit*.

A short utterance is heard three times (``moonshine_looks``). What two of the hearings write by themselves, the plain one among them, is
believed; of everything else the mean evidence counts, for the answer's length.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from antiphon.providers.stt.heard import RATE_HZ, Heard
from antiphon.providers.stt.likeness import omits, unlikeness
from antiphon.providers.stt.moonshine_looks import other_looks
from antiphon.providers.stt.moonshine_model import END, Cache, Encoded, Floats, Model, Vocabulary
from antiphon.providers.stt.spelling import Place, Spelling, Words

MAX_TOKENS_PER_S = 6.5
"""Nobody speaks faster. Without an end the model goes round in circles on some noises."""
_SPARE_TOKENS = 4

BEAM = 6
MAX_ANSWER_TOKENS = 64
_FINALISTS = 3
"""Answers whose evidence is looked at."""
_OUT_OF_REACH = 10.0
"""Nats below the likeliest answer from which on no other can have more evidence."""
_PRIOR_WEIGHT = 0.5
EVIDENCE_OF_EVEN_ODDS = 4.5
"""In nats. Of 226 utterances that the model did not write as an answer by itself, 36 of the 42 right ones lie above, and 1 of the
others; by misfit alone it was 30, and 2 of the others (``docs/benchmarks.md``)."""
_EVIDENCE_SLOPE = 0.8
_SHORT_PRIOR_WEIGHT, _SHORT_SLOPE = 0.45, 0.77
_NEEDED_A_TOKEN, _NOT_NEEDED, _MOST_NEEDED = 1.45, 2.5, 4.0
"""Of what was heard several times, the mean evidence must be more for an answer that takes more tokens to write: every token that may be
chosen adds some. Fitted to short words with one speaker left out at a time (``docs/benchmarks.md``)."""
MISFIT_OF_EVEN_ODDS = 4.0
"""Right answers lie below; whoever speaks long enough finds evidence for something, and is far from it in letters and odds."""
_MISFIT_SLOPE = 2.0
_MOST_PRIORS = 4096
_UNLIKENESS_WEIGHT = 5.0
"""Nats per token that one has to lose to be as wrong as an answer that shares no letter with what was heard: the loss alone takes "yes" for
"then", the letters alone take "club" for "clue"."""
_DOUBT_WEIGHT = 1.5
"""The less sure the free hearing is of itself, the less it speaks against an answer."""
_OMISSION = 2.0
"""For an answer that is free hearing less some of its words: "one" for "eight one", "no" for "no, thank you"."""
_HOPELESS_LOSS = 3.5
"""From here on no further token can make it right; most foreign utterances end after two or three."""
_MIN_TOKENS_TO_JUDGE = 2

_MARKS = (",", ".", "?", "!", "-", ";", ":")


_TOKENS_A_WORD_DOUBT = 2.0
"""The mean log-probability of a token lies at −0.7 for right words in noise: halved, they count as more sure than not."""

PLAIN = 0.95
"""Words of which the model is as sure as this were said: of 61 recorded coughs, laughs and noises only "you" gets there."""
EVEN_EVIDENCE = 1.8
"""Nats for each different token by which free words are likelier after the sound than where nothing is heard. Of 61 recorded noises, 53
lie below ("yeah", "oh, no", "thank you for watching"); of the first words of 92 turns all but one lie above."""
_EVIDENCE_A_TOKEN_SLOPE = 4.0
_LONGEST_NOISE_TOKENS = 16
"""What is longer was said: of noises the model writes up to 14 tokens."""


@dataclass(frozen=True, slots=True)
class _Free:
    """What the model writes by itself."""

    text: str
    mean_log: float
    """Log-probability per token, the end counted."""
    written: tuple[int, ...]
    """Its tokens; the end is missing where it went round in circles."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One hearing of an utterance."""

    encoding: Encoded
    free: _Free


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    place: Place
    total_log: float = 0.0
    written: tuple[int, ...] = ()
    """Its tokens so far."""
    paused: bool = False
    """Whether the last token was a mark: two do not follow each other."""


class Answers:
    """Expected answers, ready to be searched. Kept with the call, so that what was worked out for one utterance serves the next."""

    def __init__(self, spelling: Spelling, vocabulary: Vocabulary) -> None:
        self.spelling = spelling
        self._by_text = vocabulary.by_text
        self._longest = max(map(len, vocabulary.by_text))
        self._continuations: dict[
            tuple[object, str, bool], tuple[NDArray[np.intp], tuple[tuple[int, str], ...], tuple[Place, ...]]
        ] = {}
        self._priors: dict[tuple[int, ...], float] = {}
        self.marks = tuple(token for mark in _MARKS for token in vocabulary.by_text.get(mark, ()))

    def continuations(self, place: Place) -> tuple[NDArray[np.intp], list[Place]]:
        """Every token that leads on from ``place`` within the grammar, and where it leads."""
        key = (place.position, place.letters, place.glued)
        known = self._continuations.get(key)
        if known is None:
            known = self._continuations[key] = self._find(replace(place, words=()))
        tokens, letters, wholes = known
        return tokens, [
            replace(wholes[whole], letters=text, words=(*place.words, *wholes[whole].words)) for whole, text in letters
        ]

    def priors(self, model: Model, written: Sequence[tuple[int, ...]]) -> Generator[None, None, list[float]]:
        """How likely these tokens are where nothing is heard (natural logarithm). Kept: people answer alike."""
        unknown = [each for each in written if each not in self._priors]
        if unknown:
            if len(self._priors) > _MOST_PRIORS:
                self._priors.clear()
            logs = yield from _forced(model, model.nothing, unknown)
            self._priors.update(zip(unknown, logs, strict=True))
        return [self._priors[each] for each in written]

    def _find(self, place: Place) -> tuple[NDArray[np.intp], tuple[tuple[int, str], ...], tuple[Place, ...]]:
        wholes: dict[Place, int] = {}
        found: dict[tuple[int, int, str], None] = {}
        for ahead, whole in self.spelling.next_letters(place):
            number = wholes.setdefault(whole, len(wholes))
            for size in range(1, min(len(ahead), self._longest) + 1):
                for token in self._by_text.get(ahead[:size], ()):
                    letters = whole.letters + (ahead[:size] if whole.letters else ahead[:size].lstrip())
                    if letters:
                        found[token, number, letters] = None
        tokens = np.fromiter((token for token, _, _ in found), dtype=np.intp, count=len(found))
        return tokens, tuple((number, letters) for _, number, letters in found), tuple(wholes)


@dataclass(frozen=True, slots=True)
class _Finalist:
    """One expected answer, followed to its end."""

    words: Words
    total_log: float
    written: tuple[int, ...]
    """Its tokens, the end included."""


def hear(
    model: Model, samples: Floats, answers: Answers | None, *, quick: bool = False
) -> Generator[None, None, Heard]:
    """``samples``: 16 kHz, −1…1. With ``quick`` answers are recognised only where free hearing has their words."""
    first = yield from _look(model, samples)
    free, sure = first.free, math.exp(first.free.mean_log / _TOKENS_A_WORD_DOUBT)
    said = sure if quick else (yield from _said(model, first, sure))
    if answers is None:
        return Heard(free.text, said, None, said)
    words = answers.spelling.read(free.text)
    if quick:
        return Heard(free.text, sure if words is None else max(sure, 0.5), words, sure)
    looks = [first]
    for other in other_looks(samples):
        yield
        looks.append((yield from _look(model, other)))
        if words is not None and answers.spelling.read(looks[-1].free.text) == words:
            break  # a third could not change it
    if len(looks) > 1:
        words, confidence = yield from _agreed(model, answers, looks)
    elif words is not None:
        confidence = max(sure, 0.5)
    else:
        words, confidence = yield from _evident(model, answers, first)
    return Heard(free.text, said if words is None else confidence, words, said)


def _said(model: Model, look: _Look, sure: float) -> Generator[None, None, float]:
    """How sure it is that these words were said, and are not what the model writes of any noise: it is sure of "yeah" after a cough, and
    nearly as sure of it after nothing at all. What is repeated is likely either way: of "no, no, no" one counts."""
    written = look.free.written
    if not written or sure >= PLAIN or len(written) > _LONGEST_NOISE_TOKENS:
        return sure
    yield
    heard = look.free.mean_log * len(written)
    evidence = (heard - model.likelihood(model.nothing, written)) / len(set(written))
    return min(sure, _logistic(_EVIDENCE_A_TOKEN_SLOPE * (evidence - EVEN_EVIDENCE)))


def _look(model: Model, samples: Floats) -> Generator[None, None, _Look]:
    encoding = model.encode(samples)
    yield
    return _Look(encoding, (yield from _freely(model, encoding, samples.size)))


def _evident(model: Model, answers: Answers, look: _Look) -> Generator[None, None, tuple[Words | None, float]]:
    """The best answer to one hearing that is no answer by itself, and how sure it is."""
    free = look.free
    finalists = yield from _within(model, look.encoding, answers, free.mean_log)
    if not finalists:
        return None, 0.0
    priors = yield from answers.priors(model, [each.written for each in finalists])
    misfits = [_misfit(free, each) for each in finalists]
    evidence = [each.total_log - _PRIOR_WEIGHT * prior for each, prior in zip(finalists, priors, strict=True)]
    best = max(range(len(finalists)), key=lambda at: evidence[at] - misfits[at])
    fits = _logistic(_MISFIT_SLOPE * (MISFIT_OF_EVEN_ODDS - misfits[best]))
    evident = _logistic(_EVIDENCE_SLOPE * (evidence[best] - EVIDENCE_OF_EVEN_ODDS))
    return finalists[best].words, min(fits, evident)


def _agreed(
    model: Model, answers: Answers, looks: Sequence[_Look]
) -> Generator[None, None, tuple[Words | None, float]]:
    """The best answer to several hearings of a short utterance, and how sure it is: what the plain one and most of them write by
    themselves, else what is likely in all of them."""
    read = [answers.spelling.read(look.free.text) for look in looks]
    words = read[0]
    if words is not None and 2 * read.count(words) > len(looks):
        logs = [look.free.mean_log for look, each in zip(looks, read, strict=True) if each == words]
        return words, max(math.exp(sum(logs) / len(logs) / _TOKENS_A_WORD_DOUBT), 0.5)
    first = looks[0]
    finalists = yield from _within(model, first.encoding, answers, first.free.mean_log)
    candidates = {each.written: each.words for each in finalists}
    # What only one hearing has is an answer among others.
    candidates |= {
        look.free.written: each
        for look, each in zip(looks, read, strict=True)
        if each and look.free.written[-1:] == (END,)
    }
    if not candidates:
        return None, 0.0
    written = list(candidates)
    priors = yield from answers.priors(model, written)
    totals = np.zeros(len(written))
    for look in looks:
        yield
        totals += np.asarray((yield from _forced(model, look.encoding, written))) / len(looks)
    evidence = totals - _SHORT_PRIOR_WEIGHT * np.asarray(priors)
    needed = [min(_NEEDED_A_TOKEN * len(tokens) - _NOT_NEEDED, _MOST_NEEDED) for tokens in written]
    left_out = [sum(omits(look.free.text, words) for look in looks) / len(looks) for words in candidates.values()]
    odds = _SHORT_SLOPE * (evidence - needed) - _OMISSION * np.asarray(left_out)
    best = int(odds.argmax())
    return candidates[written[best]], _logistic(float(odds[best]))


def _misfit(free: _Free, answer: _Finalist) -> float:
    """How far an answer is from what was heard freely, in odds, letters and words."""
    loss = free.mean_log - answer.total_log / len(answer.written)
    misfit = loss + _UNLIKENESS_WEIGHT * unlikeness(free.text, " ".join(answer.words)) + _DOUBT_WEIGHT * free.mean_log
    return misfit + (_OMISSION if omits(free.text, answer.words) else 0.0)


def _logistic(odds: float) -> float:
    """0…1, written so that nothing overflows."""
    return 0.5 + 0.5 * math.tanh(odds / 2)


def _freely(model: Model, encoding: Encoded, samples: int) -> Generator[None, None, _Free]:
    """The likeliest token, again and again."""
    tokens: list[int] = []
    total = 0.0
    logits, cache = model.begin(encoding)
    for _ in range(int(samples / RATE_HZ * MAX_TOKENS_PER_S) + _SPARE_TOKENS):
        token = int(logits[0].argmax())
        total += float(logits[0, token])
        if token == END:
            break
        tokens.append(token)
        yield
        logits, cache = model.go_on(encoding, cache, [token])
    ended = (END,) if token == END else ()
    return _Free(model.vocabulary.text(tokens), total / (len(tokens) + 1), (*tokens, *ended))


def _within(
    model: Model, encoding: Encoded, answers: Answers, free_log: float
) -> Generator[None, None, list[_Finalist]]:
    """The likeliest of the expected answers, the best first; none where there is none worth following."""
    logits, cache = model.begin(encoding)
    beam = [_Hypothesis(answers.spelling.start())]
    ended: dict[Words, _Finalist] = {}
    for _ in range(MAX_ANSWER_TOKENS):
        for row, hypothesis in enumerate(beam):
            over = _ended(answers, hypothesis, logits[row])
            if over is not None and (over.words not in ended or over.total_log > ended[over.words].total_log):
                ended[over.words] = over
        ranked = sorted(ended.values(), key=lambda each: -each.total_log)[:_FINALISTS]
        least = max(
            ranked[-1].total_log if len(ranked) == _FINALISTS else -math.inf,
            ranked[0].total_log - _OUT_OF_REACH if ranked else -math.inf,
        )
        grown = [
            each
            for each in _grown(answers, beam, logits)
            if each[1].total_log > least and not _is_hopeless(each[1], free_log)
        ]
        if not grown:
            break
        yield
        logits, cache = _advance(model, encoding, cache, grown)
        beam = [hypothesis for _, hypothesis, _ in grown]
    return sorted(ended.values(), key=lambda each: -each.total_log)[:_FINALISTS]


def _forced(model: Model, encoding: Encoded, written: Sequence[tuple[int, ...]]) -> Generator[None, None, list[float]]:
    """How likely each sequence of tokens is (natural logarithm), one row each."""
    logits, cache = model.begin(encoding)
    cache = cache.rows([0] * len(written))
    totals = [float(logits[0, tokens[0]]) for tokens in written]
    for at in range(1, max(map(len, written))):
        yield
        # A row that is over goes on with its end: what comes then is not counted.
        logits, cache = model.go_on(encoding, cache, [tokens[min(at, len(tokens)) - 1] for tokens in written])
        for row, tokens in enumerate(written):
            if at < len(tokens):
                totals[row] += float(logits[row, tokens[at]])
    return totals


def _ended(answers: Answers, hypothesis: _Hypothesis, logits: Floats) -> _Finalist | None:
    words = next(answers.spelling.ends(hypothesis.place), None)
    if words is None:
        return None
    return _Finalist(words, hypothesis.total_log + float(logits[END]), (*hypothesis.written, END))


def _grown(answers: Answers, beam: list[_Hypothesis], logits: Floats) -> list[tuple[int, _Hypothesis, int]]:
    """The best hypotheses one token longer: row, hypothesis, token; best first."""
    best: dict[tuple[object, ...], tuple[int, _Hypothesis, int]] = {}

    def keep(row: int, token: int, place: Place, *, paused: bool) -> None:
        before = beam[row]
        total = before.total_log + float(logits[row, token])
        key = (place.position, place.letters, place.words)
        if key not in best or best[key][1].total_log < total:
            best[key] = (row, _Hypothesis(place, total, (*before.written, token), paused), token)

    for row, hypothesis in enumerate(beam):
        tokens, places = answers.continuations(hypothesis.place)
        odds = logits[row, tokens]
        # Twice the beam: several tokens may write the same.
        for index in np.argsort(-odds)[: 2 * BEAM]:
            keep(row, int(tokens[index]), places[index], paused=False)
        if hypothesis.place.letters and not hypothesis.paused:
            for whole in answers.spelling.whole_words(hypothesis.place):
                for token in answers.marks:
                    keep(row, token, whole, paused=True)
    return sorted(best.values(), key=lambda each: -each[1].total_log)[:BEAM]


def _is_hopeless(hypothesis: _Hypothesis, free_log: float) -> bool:
    if len(hypothesis.written) < _MIN_TOKENS_TO_JUDGE:
        return False
    return free_log - hypothesis.total_log / len(hypothesis.written) > _HOPELESS_LOSS


def _advance(
    model: Model, encoding: Encoded, cache: Cache, grown: list[tuple[int, _Hypothesis, int]]
) -> tuple[Floats, Cache]:
    rows = cache.rows([row for row, _, _ in grown])
    return model.go_on(encoding, rows, [token for _, _, token in grown])


def finished(work: Generator[None, None, Heard]) -> Heard:
    """All steps at once."""
    while True:
        try:
            next(work)
        except StopIteration as over:
            heard: Heard = over.value
            return heard
