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
        (replace(SPEECH, voice_ms=1199, partials="none"), Verdict.WAIT),
        (replace(SPEECH, voice_ms=1200, partials="none"), Verdict.CONFIRM),
        # A recogniser that would have told words has heard none: a laugh, a cough, a song.
        (replace(SPEECH, voice_ms=5000), Verdict.WAIT),
        (replace(SPEECH, voice_ms=5000, partials="doubtful"), Verdict.WAIT),
        (replace(SPEECH, voice_ms=2000, silence_ms=300, **OVER), Verdict.RESUME),
        # What may be taken back confirms only as several words with much voice behind them.
        (replace(SPEECH, text="i meant", voice_ms=600, partials="doubtful"), Verdict.WAIT),
        (replace(SPEECH, text="stop", voice_ms=600, partials="doubtful"), Verdict.WAIT),
        (
            replace(SPEECH, text="i meant tuesday", settled="i meant", voice_ms=1200, partials="doubtful"),
            Verdict.CONFIRM,
        ),
        # Of a laugh it writes something else every time, or function words.
        (replace(SPEECH, text="the whole of the world", voice_ms=1200, partials="doubtful"), Verdict.WAIT),
        (replace(SPEECH, text="this is new", settled="this is", voice_ms=1200, partials="doubtful"), Verdict.WAIT),
        (replace(SPEECH, text="stop", voice_ms=300, partials="doubtful", **OVER), Verdict.CONFIRM),
        # One function word is what recognisers make of coughs and tones; a word is no shorter than a tenth of a second.
        (replace(SPEECH, text="the", voice_ms=900), Verdict.WAIT),
        (replace(SPEECH, text="the", voice_ms=900, silence_ms=300, **OVER), Verdict.RESUME),
        (replace(SPEECH, text="When.", voice_ms=400, silence_ms=300, **OVER), Verdict.RESUME),
        # One that announces an objection is no such noise.
        (replace(SPEECH, text="But.", voice_ms=400, silence_ms=300, **OVER), Verdict.CONFIRM),
        (replace(SPEECH, text="But", voice_ms=400, partials="doubtful"), Verdict.WAIT),
        (replace(SPEECH, text="the doctor", voice_ms=400, silence_ms=300, **OVER), Verdict.CONFIRM),
        (replace(SPEECH, text="tuesday", voice_ms=60, silence_ms=300, **OVER), Verdict.RESUME),
        # The recogniser's own doubt counts.
        (replace(SPEECH, text="tuesday", voice_ms=400, silence_ms=300, confidence=0.4, **OVER), Verdict.RESUME),
        (replace(SPEECH, text="stop", voice_ms=400, silence_ms=300, confidence=0.1, **OVER), Verdict.RESUME),
        (replace(SPEECH, text="tuesday", voice_ms=400, silence_ms=300, confidence=0.6, **OVER), Verdict.CONFIRM),
        # Of a cough hardly any voice is surely speech, and a recogniser makes words of it.
        (
            replace(SPEECH, text="never", voice_ms=400, silence_ms=300, confidence=0.8, speech_share=0.15, **OVER),
            Verdict.RESUME,
        ),
        (
            replace(SPEECH, text="stop", voice_ms=400, silence_ms=300, confidence=0.8, speech_share=0.15, **OVER),
            Verdict.RESUME,
        ),
        (
            replace(SPEECH, text="never", voice_ms=400, silence_ms=300, confidence=0.8, speech_share=0.8, **OVER),
            Verdict.CONFIRM,
        ),
        (
            replace(SPEECH, text="stop", voice_ms=400, silence_ms=300, confidence=0.95, speech_share=0.15, **OVER),
            Verdict.CONFIRM,
        ),
        (replace(SPEECH, text="stop", voice_ms=400, silence_ms=300, speech_share=0.15, **OVER), Verdict.CONFIRM),
        # Who is not near may be the television: its words must be final, and nearly certain where the recogniser tells.
        (replace(SPEECH, text="i want tuesday", settled="i want", voice_ms=2000, far=True), Verdict.WAIT),
        (
            replace(SPEECH, text="the news", voice_ms=600, silence_ms=300, confidence=0.6, far=True, **OVER),
            Verdict.RESUME,
        ),
        (replace(SPEECH, text="i want tuesday", voice_ms=600, confidence=0.7, far=True, **OVER), Verdict.CONFIRM),
        (replace(SPEECH, text="i want tuesday", voice_ms=600, far=True, **OVER), Verdict.CONFIRM),
        (replace(SPEECH, held_ms=6000, far=True), Verdict.RESUME),
        (replace(SOUND, voice_ms=1200), Verdict.WAIT),
        # It was nothing.
        (replace(SOUND, sounding=False, silence_ms=299), Verdict.WAIT),
        (replace(SOUND, sounding=False, silence_ms=300), Verdict.RESUME),
        (replace(SPEECH, sounding=False, silence_ms=499), Verdict.WAIT),
        (replace(SPEECH, sounding=False, silence_ms=500), Verdict.RESUME),
        (replace(SPEECH, text="mm-hm", silence_ms=300, **OVER), Verdict.RESUME),
        # What hardly had a moment of speech was a noise: its words are not waited for.
        (replace(SPEECH, sounding=False, silence_ms=0, speech_share=0.19), Verdict.RESUME),
        (replace(SPEECH, sounding=False, silence_ms=128, speech_share=0.2), Verdict.WAIT),
        (replace(SPEECH, speech_share=0.0), Verdict.WAIT),
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


def test_a_slow_recogniser_is_waited_for_as_long_as_it_usually_takes() -> None:
    assert silence_to_resume_ms(replace(SPEECH, words_take_ms=300), POLICY) == 500
    assert silence_to_resume_ms(replace(SPEECH, words_take_ms=800), POLICY) == 800
    assert silence_to_resume_ms(replace(SPEECH, words_take_ms=5000), POLICY) == 1200
    assert silence_to_resume_ms(replace(SPEECH, words_take_ms=800, text_final=True), POLICY) == 300
