"""Turns measured from made-up times."""

import math

from antiphon.caller.hearing import Utterance
from antiphon.caller.measure import (
    Answer,
    BargeIn,
    NoiseEffect,
    Spoken,
    Turn,
    find_answer,
    measure_turns,
)


def say(started_ms: float, ended_ms: float, *, reply: bool = True) -> Spoken:
    return Spoken("say", "words", started_ms, ended_ms, reply)


def noise(started_ms: float, ended_ms: float) -> Spoken:
    return Spoken("noise", "cough", started_ms, ended_ms, False)


def speech(from_ms: float, to_ms: float, *, received_ms: float | None = None, cut: bool = False) -> Utterance:
    return Utterance(from_ms if received_ms is None else received_ms, from_ms, to_ms, cut)


def only(turns: tuple[Turn, ...]) -> Turn:
    assert len(turns) == 1
    return turns[0]


def test_an_answer_is_timed_from_the_acoustic_end() -> None:
    turn = only(measure_turns([say(1000, 2000)], [speech(0, 900), speech(2300, 4000, received_ms=2250)], []))
    assert turn.answered
    assert not turn.unanswered
    assert (turn.response_ms, turn.heard_ms) == (250, 300)
    assert turn.overlap_ms == 0
    assert turn.barge_in is None
    assert turn.noise is None


def test_no_answer_is_unanswered_only_where_one_was_due() -> None:
    turns = measure_turns([say(0, 100), say(5000, 6000, reply=False)], [], [])
    assert [turn.unanswered for turn in turns] == [True, False]
    assert [turn.answered for turn in turns] == [False, False]


def test_what_comes_after_the_next_line_has_begun_belongs_to_that_line() -> None:
    turns = measure_turns([say(0, 1000), say(3000, 4000)], [speech(4500, 5000)], [])
    assert [turn.answered for turn in turns] == [False, True]
    assert turns[1].response_ms == 500


def test_speech_after_a_line_without_an_answer_due_is_not_timed() -> None:
    turn = only(measure_turns([say(0, 100, reply=False)], [speech(200, 300)], []))
    assert turn.answered
    assert turn.response_ms is None


def test_an_agent_that_talks_past_the_caller_s_end_has_answered_early() -> None:
    turn = only(measure_turns([say(0, 1000)], [speech(800, 3000)], []))
    assert turn.early
    assert turn.answered
    assert turn.response_ms is None
    assert turn.overlap_ms == 200


def test_a_second_sentence_does_not_hide_an_early_answer() -> None:
    answer = find_answer(say(0, 1000), [speech(800, 3000), speech(3400, 4000)], [])
    assert answer == Answer(speech(800, 3000), early=True)


def test_an_agent_that_spoke_only_while_the_caller_did_has_not_answered() -> None:
    turn = only(measure_turns([say(0, 1000)], [speech(300, 800)], []))
    assert turn.unanswered


def test_barge_in_is_timed_from_the_acoustic_onset() -> None:
    turn = only(measure_turns([say(1000, 2000)], [speech(0, 1120, cut=True), speech(2400, 3000)], [1120]))
    assert turn.barge_in == BargeIn(clear_ms=120, silent_ms=120, missed=False)
    assert turn.response_ms == 400
    assert turn.overlap_ms == 120


def test_an_agent_may_fall_silent_without_clear() -> None:
    turn = only(measure_turns([say(1000, 2000)], [speech(0, 1300), speech(2400, 3000)], []))
    assert turn.barge_in == BargeIn(clear_ms=None, silent_ms=300, missed=False)
    assert turn.answered


def test_after_a_missed_barge_in_the_old_words_are_no_answer() -> None:
    old, more = speech(0, 2500), speech(2900, 5000)
    turn = only(measure_turns([say(1000, 2000)], [old, more], []))
    assert turn.barge_in == BargeIn(clear_ms=None, silent_ms=None, missed=True)
    assert turn.unanswered


def test_after_a_missed_barge_in_silence_or_a_clear_makes_room_for_an_answer() -> None:
    old, new = speech(0, 2500), speech(3200, 5000)
    assert find_answer(say(1000, 2000), [old, new], []) == Answer(new, early=False)
    cut, new = speech(0, 2500, cut=True), speech(2600, 5000)
    assert find_answer(say(1000, 2000), [cut, new], [2500]) == Answer(new, early=False)
    assert find_answer(say(1000, 2000), [cut, new], [500]) is None


def test_an_answer_that_comes_too_late_is_none() -> None:
    assert find_answer(say(0, 1000), [speech(2000, 3000)], [], until_ms=1500) is None
    assert find_answer(say(0, 1000), [speech(2000, 3000)], [], until_ms=math.inf) is not None


def test_a_noise_may_leave_the_agent_undisturbed() -> None:
    assert only(measure_turns([noise(1000, 1400)], [speech(0, 3000)], [])).noise == NoiseEffect("undisturbed")


def test_a_noise_may_hold_the_agent_for_a_moment() -> None:
    heard = [speech(0, 1050, cut=True), speech(1500, 3000)]
    turn = only(measure_turns([noise(1000, 1400)], heard, [1050]))
    assert turn.noise == NoiseEffect("resumed", 450)
    assert turn.response_ms is None


def test_a_noise_may_stop_the_agent() -> None:
    turn = only(measure_turns([noise(1000, 1400)], [speech(0, 1050, cut=True)], [1050]))
    assert turn.noise == NoiseEffect("stopped")


def test_a_clear_long_after_a_noise_is_not_its_effect() -> None:
    turn = only(measure_turns([noise(1000, 1400)], [speech(0, 3000, cut=True)], [3000]))
    assert turn.noise == NoiseEffect("undisturbed")


def test_a_noise_in_silence_has_no_effect_to_speak_of() -> None:
    assert only(measure_turns([noise(1000, 1400)], [speech(0, 900), speech(1600, 2000)], [])).noise is None
