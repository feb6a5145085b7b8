"""Has the caller finished? Evidence from the words becomes a probability, the probability becomes a wait.

The map is smooth: being merely unsure costs a little more silence, never a fixed long wait.
"""

from __future__ import annotations

import itertools

from antiphon.conversation.policy import TRAILING_WORDS, Endpointing
from antiphon.conversation.words import is_number, strip_phrases, words_of

COMPLETE = 0.95
"""A recogniser wrote a full stop, or a grammar of expected answers matched whole."""
VENDOR_END = 0.9
"""A recogniser that listens for turns says that this one is over: nearly as good as a full stop."""
NUMBER = 0.6
UNKNOWN = 0.3
"""Words, and nothing that says whether more will come."""
INCOMPLETE = 0.12
"""A trailing conjunction or filler, a comma."""

_TRAILING = frozenset(TRAILING_WORDS)
_DETECTOR_WEIGHT = 0.7
"""A semantic detector hears more than our word lists; they still count, since it is wrong in ways they are not."""


def completeness(
    text: str,
    *,
    detector: float | None = None,
    interrupting: bool = False,
    interruption_phrases: tuple[str, ...] = (),
) -> float:
    """How likely ``text`` is a finished turn, 0…1.

    ``detector`` is a semantic model's or a grammar's opinion. ``interrupting``: the turn began by cutting the agent short, so that
    a bare "wait" or "no", even with a full stop, may announce more.
    """
    words = words_of(text)
    if not words:
        return 0.0
    written = text.rstrip().rstrip("\"'”’)")
    if interrupting and not strip_phrases(words, interruption_phrases):
        from_words = UNKNOWN  # it may be the whole answer, too: "no" is one
    elif written.endswith(("...", "…", ",", "-", "–", "—")):
        from_words = INCOMPLETE
    elif written.endswith((".", "!", "?")):
        from_words = COMPLETE
    elif words[-1] in _TRAILING:
        from_words = INCOMPLETE
    elif is_number(words[-1]):
        from_words = NUMBER
    else:
        from_words = UNKNOWN
    if detector is None:
        return from_words
    return _DETECTOR_WEIGHT * min(max(detector, 0.0), 1.0) + (1 - _DETECTOR_WEIGHT) * from_words


def wait_for(probability: float, policy: Endpointing) -> int:
    """Silence in ms that closes a turn whose words are complete with this probability: linear between the policy's points."""
    points = (
        (0.0, policy.max_wait_ms),
        (UNKNOWN, policy.on_no_punctuation_ms),
        (NUMBER, policy.on_number_ms),
        (COMPLETE, policy.on_punctuation_ms),
    )
    wait = float(policy.on_punctuation_ms)
    for (left, left_ms), (right, right_ms) in itertools.pairwise(points):
        if probability < right:
            share = (probability - left) / (right - left)
            wait = left_ms + share * (right_ms - left_ms)
            break
    return round(min(max(wait, policy.wait_ms), max(policy.max_wait_ms, policy.wait_ms)))


def required_silence_ms(
    policy: Endpointing,
    text: str,
    *,
    detector: float | None = None,
    interrupting: bool = False,
    interruption_phrases: tuple[str, ...] = (),
) -> int | None:
    """Silence that closes a turn with these words; None where silence never does (push-to-talk)."""
    if policy.mode == "manual":
        return None
    if policy.mode == "fixed":
        return policy.silence_ms
    if not words_of(text):
        return policy.empty_turn_timeout_ms
    probability = completeness(
        text, detector=detector, interrupting=interrupting, interruption_phrases=interruption_phrases
    )
    return wait_for(probability, policy)
