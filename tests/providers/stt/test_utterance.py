"""What is decoded when: at pauses, at a pace, once at the end, and long speech in pieces."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from antiphon.providers.stt.heard import Heard
from antiphon.providers.stt.utterance import Job, Utterance, Why

RATE_HZ = 16000


def nothing() -> Generator[None, None, Heard]:
    yield
    return Heard("", 0.0)


class Speaker:
    def __init__(self, *, expects: bool = False) -> None:
        self.utterance = Utterance(1, 0.0, expects=expects, partial_every_ms=500)
        self._random = np.random.default_rng(0)

    def says(self, ms: int, level: float = 8000.0) -> None:
        self.utterance.sound.push((self._random.standard_normal(16 * ms) * level).clip(-32767, 32767).astype(np.int16))

    def pauses(self, ms: int) -> None:
        self.says(ms, 5.0)

    def begins(self, *, recording: bool = False) -> Why | None:
        due = self.utterance.due(recording=recording)
        if due is not None:
            self.utterance.begin(Job(*due, nothing()))
        return due[0] if due is not None else None

    def hears(self, text: str) -> str:
        return self.utterance.end_job(Heard(text, 0.8)).text


def test_partials_come_at_a_pace_and_one_at_a_time() -> None:
    speaker = Speaker()
    speaker.says(400)
    assert speaker.begins() is None
    speaker.says(200)
    assert speaker.begins() == Why.PACE
    speaker.says(2000)
    assert speaker.begins() is None
    assert speaker.hears("one") == "one"
    assert speaker.begins() == Why.PACE


def test_what_a_pause_brought_is_the_final_if_nothing_follows() -> None:
    speaker = Speaker()
    speaker.says(300)
    speaker.pauses(240)
    assert speaker.begins() == Why.PAUSE
    speaker.hears("ten of clubs")
    speaker.pauses(500)
    assert speaker.begins() is None
    speaker.utterance.finish()
    final = speaker.utterance.final()
    assert final is not None
    assert final.text == "ten of clubs"


def test_a_job_at_a_pause_becomes_the_final_one() -> None:
    speaker = Speaker()
    speaker.says(300)
    speaker.pauses(240)
    speaker.begins()
    speaker.utterance.finish()
    assert speaker.utterance.job is not None
    assert speaker.utterance.job.why == Why.FINAL
    assert speaker.begins() is None
    assert speaker.utterance.final() is None
    speaker.hears("yes")
    assert speaker.utterance.final() == Heard("yes", 0.8)


def test_words_after_the_pause_are_heard_too() -> None:
    speaker = Speaker()
    speaker.says(300)
    speaker.pauses(240)
    speaker.begins()
    speaker.hears("yes")
    speaker.says(200)
    speaker.utterance.finish()
    assert speaker.utterance.final() is None
    assert speaker.begins() == Why.FINAL
    speaker.hears("yes please")
    final = speaker.utterance.final()
    assert final is not None
    assert final.text == "yes please"


def test_a_pause_or_the_end_takes_the_place_of_a_partial_at_work() -> None:
    speaker = Speaker()
    speaker.says(600)
    assert speaker.begins() == Why.PACE
    speaker.pauses(240)
    assert speaker.begins() == Why.PAUSE
    speaker.hears("one")
    speaker.says(600)
    assert speaker.begins() == Why.PACE
    speaker.utterance.finish()
    assert speaker.begins() == Why.FINAL


def test_long_speech_is_kept_in_pieces_and_its_sound_forgotten() -> None:
    speaker = Speaker()
    texts = []
    for piece in ("one", "two", "three"):
        speaker.says(8500)
        speaker.pauses(300)
        assert speaker.begins() == Why.PAUSE
        texts.append(speaker.hears(piece))
    assert texts == ["one", "one two", "one two three"]
    assert len(speaker.utterance.sound._samples) == 0
    speaker.utterance.finish()
    final = speaker.utterance.final()
    assert final is not None
    assert final.text == "one two three"


def test_speech_without_a_pause_is_cut() -> None:
    speaker = Speaker()
    speaker.says(16_000)
    assert speaker.begins() == Why.CUT
    job = speaker.utterance.job
    assert job is not None
    assert 8.0 <= job.end / RATE_HZ <= 15.0
    speaker.hears("one")
    assert speaker.begins() == Why.PACE


def test_a_recording_gets_no_partials_but_is_cut() -> None:
    speaker = Speaker()
    speaker.says(5_000)
    assert speaker.utterance.is_recording(0.5)
    assert speaker.utterance.is_recording(50.0)  # it does not become live by being waited for
    assert speaker.begins(recording=True) is None
    speaker.says(40_000)
    assert speaker.begins(recording=True) == Why.CUT
    speaker.hears("one")
    speaker.utterance.finish()
    assert speaker.begins(recording=True) == Why.CUT
    speaker.hears("two")
    assert speaker.begins(recording=True) == Why.CUT
    speaker.hears("three")
    assert speaker.begins(recording=True) == Why.FINAL
    assert speaker.hears("four") == "one two three four"


def test_nobody_who_goes_on_and_on_gives_an_expected_answer() -> None:
    speaker = Speaker(expects=True)
    speaker.says(14_000)
    assert speaker.begins() == Why.PACE
    speaker.hears("one")
    assert speaker.utterance.expects
    speaker.says(5_000)
    assert speaker.begins() == Why.CUT
    assert not speaker.utterance.expects


def test_an_utterance_of_nothing_is_answered_with_nothing() -> None:
    speaker = Speaker()
    speaker.utterance.finish()
    assert speaker.begins() == Why.FINAL
    speaker.hears("")
    assert speaker.utterance.final() == Heard("", 0.8)
