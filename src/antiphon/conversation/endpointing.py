"""Has the caller finished? What was said, how it sounded and how long it has been silent become a probability, and that a wait.

Each piece of evidence is a log-likelihood ratio: how much more often it is met at the end of a turn than at a pause within one. They are
added up from even odds. The map from there to the wait is smooth: being merely unsure costs a little more silence, never a fixed long wait.
The weights were fitted on recorded human turns; docs/turn-taking-quality.md tells how, and what they reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from antiphon.conversation.dictation import Given, given
from antiphon.conversation.policy import FILLERS, SHORT_ANSWERS, TRAILING_WORDS, Endpointing, Policy
from antiphon.conversation.words import is_number, strip_phrases, words_of

COMPLETE = 0.95
"""A grammar of expected answers matched whole: the wait is ``on_punctuation_ms`` from here on."""
UNKNOWN = 0.5
"""Nothing speaks for or against: the wait is ``on_no_punctuation_ms``."""
INCOMPLETE = 0.25
"""Up to here the words plainly are not all: no model is asked about them."""

_TRAILING_LLR = -1.6
_FILLER_LLR = -2.2
_COMMA_LLR = -1.2
_SHORT_ANSWER_LLR = 1.0
_CLOSING_LLR = 0.6
_ANNOUNCES_LLR = -0.9
"""A bare "wait" or "no" that took the floor."""
_VENDOR_END_LLR = 2.2
"""Nine in ten: it has heard the turn, and is wrong as vendors publish. The words still count."""
_UNMARKED_ENDS = 0.05
"""How often a recogniser that writes full stops writes none at the end of a turn."""
_UNMARKED_LLR = -0.8
"""A missing one tells no more than this: some write capitals and no marks."""
_SOUND_WEIGHT = 0.2
_SOUND_NEUTRAL = 1.5
"""The detector's log-odds at which its opinion tells nothing: it believes in most ends, and in many pauses too."""
_LOWEST_ODDS, _LARGEST_ODDS = -2.0, 4.0
"""A score of 0 or 1 is no proof. One turn in five sounds unfinished to it at its end, and that must not cost seconds."""

_PLAIN = 0.65
"""How sure a recogniser must be of the words of a sound that was no speech (``BargeIn.min_speech_share``)."""

_TRAILING = frozenset(TRAILING_WORDS)
_FILLERS = frozenset(FILLERS)
_SHORT = frozenset(SHORT_ANSWERS)
_CLOSING = frozenset(("please", "thanks", "you", "bye", "goodbye"))
"""Last words of a request or of a farewell ("thank you")."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of an open turn that bears on its end."""

    text: str
    sound: float | None = None
    """A turn detector's probability, 0…1."""
    known: float | None = None
    """How sure a grammar of expected answers is that this is a whole one, 0…1."""
    interrupting: bool = False
    """The turn began by cutting the agent short, so that a bare "wait" or "no", even with a full stop, may announce more."""
    interruption_phrases: tuple[str, ...] = ()
    final: bool = True
    """Whether these are the recogniser's last words: of others a missing full stop tells nothing."""
    vendor_ended: bool = False
    """A recogniser that listens for turns has said that this one is over."""
    told_ms: int | None = None
    """How long to wait after these words, as who was asked (``Endpointing.advised``) says."""


def completeness(evidence: Evidence, policy: Endpointing) -> float:
    """How likely the turn is finished, 0…1."""
    if not words_of(evidence.text):
        return 0.0
    if evidence.known is not None:
        return min(max(evidence.known, 0.0), 1.0)
    llr = _words_llr(evidence, policy)
    if evidence.vendor_ended:
        llr += _VENDOR_END_LLR
    elif evidence.sound is not None:
        llr += _SOUND_WEIGHT * (_log_odds(evidence.sound) - _SOUND_NEUTRAL)
    return 1 / (1 + math.exp(-llr))


def _words_llr(evidence: Evidence, policy: Endpointing) -> float:
    words = words_of(evidence.text)
    if evidence.interrupting and not strip_phrases(words, evidence.interruption_phrases):
        return _ANNOUNCES_LLR
    written = evidence.text.rstrip().rstrip("\"'”’)")
    if written.endswith(("...", "…", ",", "-", "–", "—")):
        return _COMMA_LLR
    if words[-1] in _FILLERS:
        return _FILLER_LLR
    llr = _marks_llr(written, policy.punctuation, final=evidence.final)
    if len(words) <= 2 and all(word in _SHORT for word in words):
        return llr + _SHORT_ANSWER_LLR
    if words[-1] in _CLOSING and len(words) > 1 and (words[-1] != "you" or words[-2] == "thank"):
        return llr + _CLOSING_LLR
    if words[-1] in _TRAILING:
        return llr + _TRAILING_LLR
    return llr


def _marks_llr(written: str, reliability: float, *, final: bool) -> float:
    """A full stop is a recogniser's habit: ``reliability`` is the share of pauses inside turns at which it writes none."""
    reliability = min(max(reliability, 0.0), 0.99)
    if reliability <= _UNMARKED_ENDS:
        return 0.0
    if written.endswith((".", "!", "?")):
        return -math.log(1 - reliability)
    return max(math.log(_UNMARKED_ENDS / reliability), _UNMARKED_LLR) if final and _is_written(written) else 0.0


def _is_written(text: str) -> bool:
    """Whether a recogniser writes marks and capitals at all: one that does not says nothing by a missing one."""
    return text[:1].isupper() or any(mark in text for mark in ".?!,")


def _log_odds(probability: float) -> float:
    inside = min(max(probability, 1e-3), 1 - 1e-3)
    return min(max(math.log(inside / (1 - inside)), _LOWEST_ODDS), _LARGEST_ODDS)


def wait_for(probability: float, policy: Endpointing, *, after_number: bool = False) -> int:
    """Silence in ms that closes a turn which is finished with this probability: ``on_no_punctuation_ms`` (or, after a number,
    ``on_number_ms``) at even odds, ``on_punctuation_ms`` where it is sure, growing by factors up to ``max_wait_ms`` where it is not."""
    even_ms = policy.on_number_ms if after_number else policy.on_no_punctuation_ms
    if probability >= UNKNOWN:
        share = min((probability - UNKNOWN) / (COMPLETE - UNKNOWN), 1.0)
        wait = even_ms + share * (policy.on_punctuation_ms - even_ms)
    else:
        share = (UNKNOWN - probability) / UNKNOWN
        wait = max(even_ms, 1) * (max(policy.max_wait_ms, even_ms, 1) / max(even_ms, 1)) ** share
    return round(min(max(wait, policy.wait_ms), max(policy.max_wait_ms, policy.wait_ms)))


def sound_counts(evidence: Evidence) -> bool:
    """Whether a detector's opinion would change anything: it would not where there are no words, a grammar knows, or something is given in
    pieces."""
    return bool(words_of(evidence.text)) and evidence.known is None and given(evidence.text) is Given.NOTHING


def required_silence_ms(policy: Endpointing, evidence: Evidence) -> int | None:
    """Silence that closes the turn; None where silence never does (push-to-talk)."""
    if policy.mode == "manual":
        return None
    if policy.mode == "fixed":
        return policy.silence_ms
    words = words_of(evidence.text)
    if not words:
        return policy.empty_turn_timeout_ms
    if evidence.told_ms is not None:
        return max(evidence.told_ms, policy.wait_ms)
    if evidence.known is None:
        piece = given(evidence.text)
        if piece is Given.WHOLE:
            return policy.wait_ms
        if piece is Given.PART:
            return max(policy.between_groups_ms, _weighed_ms(policy, evidence) if policy.wait_curve else policy.wait_ms)
    elif evidence.known < UNKNOWN:
        return max(policy.on_incomplete_ms, policy.wait_ms)
    return _weighed_ms(policy, evidence)


def _weighed_ms(policy: Endpointing, evidence: Evidence) -> int:
    probability = completeness(evidence, policy)
    if policy.wait_curve:
        return max(_on_curve(policy.wait_curve, 1 - probability), policy.wait_ms)
    return wait_for(probability, policy, after_number=is_number(words_of(evidence.text)[-1]))


def _on_curve(curve: tuple[int, ...], at: float) -> int:
    """``at`` lies between 0, the first, and 1, the last."""
    place = at * (len(curve) - 1)
    before = min(int(place), len(curve) - 1)
    after = min(before + 1, len(curve) - 1)
    return round(curve[before] + (place - before) * (curve[after] - curve[before]))


def is_of_noise(confidence: float | None, speech_share: float | None, policy: Policy) -> bool:
    """Whether an utterance's final words are what a recogniser made of a cough: hardly any of the sound was speech, and it doubts them
    itself. Where either is not told, they are not."""
    needed = policy.endpointing.min_confidence
    if confidence is None or speech_share is None or not needed:
        return False
    if speech_share < policy.barge_in.min_speech_share:
        needed = max(needed, _PLAIN)
    return speech_share < policy.endpointing.min_speech_share and confidence < needed
