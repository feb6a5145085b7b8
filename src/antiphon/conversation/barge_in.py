"""Should the agent stop because the caller makes a sound?

The mouth is held at the first sound; this file decides, from what has become known since, whether that was an
interruption (the reply ends, the caller has the floor), nothing (the agent goes on), or not yet known. Holding early is
cheap because it can be taken back; deciding late is free because the caller already hears silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from antiphon.conversation.policy import BargeIn
from antiphon.conversation.words import starts_with_phrase, strip_phrases, words_of


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


def judge(evidence: Evidence, policy: BargeIn) -> Verdict:
    """Confirm, resume or wait. The rules are tried in this order."""
    words = words_of(evidence.text)
    telling = strip_phrases(words, policy.acknowledgement_phrases, unfinished=not evidence.text_final)
    if starts_with_phrase(words, policy.interruption_phrases):
        return Verdict.CONFIRM
    if telling and _enough(len(telling), evidence, policy):
        return Verdict.CONFIRM
    if not words and policy.num_words == 0 and evidence.speech and evidence.voice_ms >= policy.voice_alone_ms:
        return Verdict.CONFIRM
    if evidence.held_ms >= policy.max_hold_ms:
        return Verdict.CONFIRM if evidence.sounding and evidence.speech else Verdict.RESUME
    if evidence.sounding:
        return Verdict.WAIT
    return Verdict.RESUME if evidence.silence_ms >= silence_to_resume_ms(evidence, policy) else Verdict.WAIT


def silence_to_resume_ms(evidence: Evidence, policy: BargeIn) -> int:
    """Silence after which the agent goes on: short where nothing more can come, longer where words may still be on their way."""
    words_may_come = evidence.speech and not evidence.text_final
    return max(policy.transcript_wait_ms, policy.resume_after_ms) if words_may_come else policy.resume_after_ms


def _enough(telling_words: int, evidence: Evidence, policy: BargeIn) -> bool:
    if policy.num_words > 0:
        return telling_words >= policy.num_words
    return evidence.voice_ms >= policy.voice_ms or evidence.text_final
