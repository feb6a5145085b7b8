"""Should the agent stop because the caller makes a sound?

The mouth is held at the first sound; this file decides, from what has become known since, whether that was an
interruption (the reply ends, the caller has the floor), nothing (the agent goes on), or not yet known. Holding early is
cheap because it can be taken back; deciding late is free because the caller already hears silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from antiphon.conversation.policy import BargeIn
from antiphon.conversation.words import starts_with_phrase, strip_phrases, words_of

_CERTAIN = 0.9
"""What a recogniser believes of words that were said plainly."""
_LIKELY = 0.65
"""… and of words that were said softly: of 64 that a caller of −35 dBFS said over the greeting 7 are believed less, and of the television's
25 dB under a caller all."""


class Verdict(StrEnum):
    CONFIRM = "confirm"
    RESUME = "resume"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the sound the agent was held for."""

    text: str
    """All words since the hold began."""
    text_final: bool
    """Whether the recogniser has said its last word on all of it."""
    speech: bool
    """Whether any of it was speech, by the VAD's usual threshold."""
    sounding: bool
    """Whether it is still going on."""
    voice_ms: int
    """Voice so far, in audio time."""
    silence_ms: int
    """Silence since it stopped, in audio time; 0 while sounding."""
    held_ms: int
    """How long the agent has been held, on the session clock."""
    confidence: float | None = None
    """How sure the recogniser is of its last words, 0…1; None where it does not tell."""
    words_take_ms: int = 0
    """How long after the end of speech this call's recogniser usually has its last word; 0 while that is not known."""
    partials: Literal["none", "doubtful", "reliable"] = "reliable"
    """What the recogniser tells while words are being said (``Policy.partials``)."""
    speech_share: float | None = None
    """How much of the voice was surely speech; None while that is not known."""
    settled: str = ""
    """Those of the words that are final, or that the recogniser has told twice in a row."""
    far: bool = False
    """Whether all of it was so soft that it may be somebody else's."""


def judge(evidence: Evidence, policy: BargeIn) -> Verdict:
    """Confirm, resume or wait. The rules are tried in this order."""
    words = words_of(evidence.text)
    if takes_floor(evidence, policy):
        return Verdict.CONFIRM
    if not words and evidence.partials == "none" and policy.num_words == 0 and evidence.speech:
        if evidence.voice_ms >= policy.voice_alone_ms:
            return Verdict.CONFIRM
    if evidence.held_ms >= policy.max_hold_ms:
        return Verdict.CONFIRM if evidence.sounding and evidence.speech and not evidence.far else Verdict.RESUME
    if evidence.sounding:
        return Verdict.WAIT
    return Verdict.RESUME if evidence.silence_ms >= silence_to_resume_ms(evidence, policy) else Verdict.WAIT


def silence_to_resume_ms(evidence: Evidence, policy: BargeIn) -> int:
    """Silence after which the agent goes on: none after a noise, little where nothing more can come, more where words may still be on
    their way."""
    if evidence.speech_share is not None and evidence.speech_share < policy.noise_share:
        return 0
    words_may_come = evidence.speech and not evidence.text_final
    if not words_may_come:
        return policy.resume_after_ms
    usual_ms = min(evidence.words_take_ms, policy.longest_transcript_wait_ms)
    return max(policy.transcript_wait_ms, policy.resume_after_ms, usual_ms)


def takes_floor(evidence: Evidence, policy: BargeIn) -> bool:
    """Whether its words do. What a recogniser may still take back needs more than its last word does."""
    words = words_of(evidence.text)
    telling = strip_phrases(words, policy.acknowledgement_phrases, unfinished=not evidence.text_final)
    if _doubtful(telling, evidence, policy):
        return False
    if starts_with_phrase(words, policy.interruption_phrases):
        return True
    if policy.num_words > 0:
        return len(telling) >= policy.num_words
    return bool(telling) and (evidence.text_final or evidence.voice_ms >= policy.voice_ms)


def _doubtful(telling: tuple[str, ...], evidence: Evidence, policy: BargeIn) -> bool:
    """Whether the words may be what a recogniser made of a noise, or may still be taken back."""
    if (
        len(telling) == 1
        and telling[0] in policy.function_words
        and not starts_with_phrase(telling, policy.interruption_phrases)
    ):
        return True
    if not evidence.text_final:
        return evidence.far or (evidence.partials == "doubtful" and not _stays(evidence, policy))
    if evidence.confidence is not None and evidence.confidence < _needed_confidence(evidence, policy):
        return True
    return 0 < evidence.voice_ms < policy.voice_ms // 2


def _stays(evidence: Evidence, policy: BargeIn) -> bool:
    """Whether a recogniser that takes its words back will hardly take back these: of a laugh it makes other words every time, and function
    words often."""
    settled = strip_phrases(words_of(evidence.settled), policy.acknowledgement_phrases, unfinished=True)
    several = len(settled) > 1 and not all(word in policy.function_words for word in settled)
    return several and evidence.voice_ms >= policy.voice_alone_ms


def _needed_confidence(evidence: Evidence, policy: BargeIn) -> float:
    """A recogniser that is given a cough makes words of it: of what hardly was speech, it must be nearly certain. Of what was not near it
    must be surer than of the caller's."""
    if evidence.speech_share is not None and evidence.speech_share < policy.min_speech_share:
        return max(policy.min_confidence, _CERTAIN)
    return max(policy.min_confidence, _LIKELY) if evidence.far else policy.min_confidence
