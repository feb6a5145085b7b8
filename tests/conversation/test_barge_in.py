from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.conversation.barge_in import Evidence, Verdict, judge, silence_to_resume_ms
from antiphon.conversation.policy import BargeIn

SOUND = Evidence(text="", text_final=True, speech=False, sounding=True, voice_ms=0, silence_ms=0, held_ms=50)
SPEECH = replace(SOUND, text_final=False, speech=True)
OVER = {"sounding": False, "text_final": True}
POLICY = BargeIn()


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        # A phrase that takes the floor does so at once.
        (replace(SPEECH, text="stop"), Verdict.CONFIRM),
        (replace(SPEECH, text="Wait, I"), Verdict.CONFIRM),
        # Words need some voice, or the recogniser's last word.
        (replace(SPEECH, text="tuesday", voice_ms=199), Verdict.WAIT),
        (replace(SPEECH, text="tuesday", voice_ms=200), Verdict.CONFIRM),
        (replace(SPEECH, text="tuesday", text_final=True), Verdict.CONFIRM),
        # Acknowledgements are no words here, however long.
        (replace(SPEECH, text="yeah okay", voice_ms=5000), Verdict.WAIT),
        (replace(SPEECH, text="yeah tuesday", voice_ms=200), Verdict.CONFIRM),
        (replace(SPEECH, text="I", voice_ms=400), Verdict.WAIT),
        (replace(SPEECH, text="I want", voice_ms=400), Verdict.CONFIRM),
        # Voice alone.
        (replace(SPEECH, voice_ms=1199), Verdict.WAIT),
        (replace(SPEECH, voice_ms=1200), Verdict.CONFIRM),
        (replace(SOUND, voice_ms=1200), Verdict.WAIT),
        # It was nothing.
        (replace(SOUND, sounding=False, silence_ms=299), Verdict.WAIT),
        (replace(SOUND, sounding=False, silence_ms=300), Verdict.RESUME),
        (replace(SPEECH, sounding=False, silence_ms=499), Verdict.WAIT),
        (replace(SPEECH, sounding=False, silence_ms=500), Verdict.RESUME),
        (replace(SPEECH, text="mm-hm", silence_ms=300, **OVER), Verdict.RESUME),
        # Nobody holds the agent for ever.
        (replace(SOUND, held_ms=6000), Verdict.RESUME),
        (replace(SPEECH, held_ms=6000), Verdict.CONFIRM),
        (replace(SPEECH, held_ms=6000, sounding=False), Verdict.RESUME),
    ],
)
def test_the_rules_in_their_order(evidence: Evidence, verdict: Verdict) -> None:
    assert judge(evidence, POLICY) is verdict


def test_with_a_number_of_words_only_words_count() -> None:
    policy = BargeIn(num_words=2)
    assert judge(replace(SPEECH, text="tuesday", voice_ms=3000), policy) is Verdict.WAIT
    assert judge(replace(SPEECH, text="yes tuesday", voice_ms=3000), policy) is Verdict.WAIT
    assert judge(replace(SPEECH, text="on tuesday"), policy) is Verdict.CONFIRM
    assert judge(replace(SPEECH, voice_ms=3000), policy) is Verdict.WAIT
    assert judge(replace(SPEECH, text="stop"), policy) is Verdict.CONFIRM, "a phrase needs no second word"


def test_words_that_may_still_come_are_waited_for_longer() -> None:
    assert silence_to_resume_ms(SPEECH, POLICY) == 500
    assert silence_to_resume_ms(replace(SPEECH, text_final=True), POLICY) == 300
    assert silence_to_resume_ms(SOUND, POLICY) == 300
    assert silence_to_resume_ms(SPEECH, BargeIn(resume_after_ms=900)) == 900
