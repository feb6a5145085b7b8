"""When has the caller finished? (requirements R11, R14)"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from tests.conversation.driver import CallDriver, connected

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy, Silence, Speaking
from antiphon.vocabulary import Message

PATIENT = Endpointing(speculative_reply=False)
DETECTED = Endpointing(speculative_reply=False, detector=True)


def listening(endpointing: Endpointing = PATIENT, **policy: object) -> CallDriver:
    return connected(Policy(endpointing=endpointing, **policy))  # type: ignore[arg-type]


def closed_after(call: CallDriver) -> int:
    """Silence at which the turn was closed."""
    silent_since_ms = call.ears.silent_since_ms
    call.passes(10_000)
    (closed_ms,) = call.times(do.TurnClosed)
    return closed_ms - silent_since_ms


@pytest.mark.parametrize(
    ("said", "silence_ms"),
    [("I want a pizza.", 400), ("i want a pizza", 760), ("i want a pizza and", 1347), ("it is five five five", 1400)],
)
def test_the_wait_follows_what_was_said(said: str, silence_ms: int) -> None:
    assert closed_after(listening().caller_speaks(said)) == silence_ms


def test_a_fixed_silence_knows_no_words() -> None:
    fixed = Endpointing(mode="fixed", silence_ms=300, speculative_reply=False)
    assert closed_after(listening(fixed).caller_speaks("I want a pizza and")) == 300


def test_a_pause_inside_a_sentence_is_one_turn_and_one_request() -> None:
    call = listening().caller_speaks("I want a").passes(900).caller_speaks("large pizza.").passes(2000)
    assert call.only(do.StartReply).messages == (Message("user", "I want a large pizza."),)
    assert call.only(do.TurnClosed) == do.TurnClosed(1, "I want a large pizza.")


def test_a_recogniser_that_knows_the_answer_is_whole_closes_at_once() -> None:
    call = listening().caller_speaks("half past three", final_after_ms=None).final("half past three", complete=0.95)
    assert closed_after(call) == 400


def test_only_final_words_start_a_reply() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None).passes(700)
    assert call.all(do.FinishTranscript) and not call.all(do.StartReply)
    call.final("I want a pizza.")
    assert call.only(do.TurnClosed).text == "I want a pizza."


def test_a_final_that_never_comes_is_waited_for_1200_ms_and_no_longer() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None)
    assert closed_after(call) == 400 + 1200
    assert call.asked.messages[-1].content == "I want a pizza."


def test_words_that_come_final_too_late_correct_the_turn_and_ask_again_while_nothing_was_said() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None).passes(1600)
    call.passes(300).final("I want two pizzas.")
    assert call.said() == [("user", "I want two pizzas.")]
    first, second = call.all(do.StartReply)
    assert do.CancelReply(first.reply) in call.all(do.CancelReply)
    assert second.messages == (Message("user", "I want two pizzas."),)


def test_once_the_answer_is_heard_late_words_only_correct_the_history() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None).passes(1600).model_says("One pizza, then.")
    call.passes(300).final("I want two pizzas.")
    assert call.said() == [("user", "I want two pizzas.")]
    assert len(call.all(do.StartReply)) == 1 and not call.all(do.CancelReply)


def test_while_a_sound_holds_the_agent_late_words_only_correct_the_history() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None).passes(1600).caller_sounds()
    call.final("I want two pizzas.")
    assert call.said() == [("user", "I want two pizzas.")]
    assert call.states[2] == "held" and len(call.all(do.StartReply)) == 1


@pytest.mark.parametrize("late", ["i want a pizza", "", "…"])
def test_late_words_that_say_nothing_new_change_nothing(late: str) -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None).passes(1700).final(late)
    assert call.said() == [("user", "I want a pizza.")]
    assert len(call.all(do.StartReply)) == 1


def test_late_partial_words_are_not_looked_at() -> None:
    call = listening().caller_speaks("I want a pizza.").passes(800).partial("I want a pizza with").passes(5000)
    assert call.said() == [("user", "I want a pizza.")]
    assert call.states[1] == "silent"


def test_words_for_another_turn_are_not_looked_at() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None)
    call.final("somebody else", utterance=7)
    assert call.passes(3000).only_said_by_caller() == ["I want a pizza."]


def test_late_words_do_not_mix_with_a_turn_that_has_begun() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None).passes(1700).model_says("Sure.")
    call.passes(2000).speech_starts().final("I want two pizzas.", utterance=1)
    assert call.only_said_by_caller() == ["I want a pizza."]


def test_partial_words_after_the_final_ones_are_stale() -> None:
    call = listening().caller_speaks("I want a pizza.").partial("I want").final("I want")
    assert call.passes(1000).only_said_by_caller() == ["I want a pizza."]


def test_speech_that_got_no_words_is_forgotten_without_a_reply() -> None:
    call = listening().caller_speaks("", 400, final_after_ms=100).passes(200)
    assert call.states[1] == "pausing"
    assert call.passes(1000).only(do.TurnDropped) == do.TurnDropped(1, "")
    assert not call.all(do.StartReply) and call.said() == []


def test_transcripts_that_never_come_leave_a_call_that_goes_on() -> None:
    call = listening().caller_speaks("hello?", final_after_ms=None, partials=False).passes(5000)
    assert call.states == ("live", "silent", "idle")
    assert call.times(do.TurnDropped) == [call.ears.silent_since_ms + 2000 + 1200]
    assert call.caller_speaks("Hello?").passes(500).asked.turn == 2


def test_a_recogniser_that_fails_leaves_what_it_guessed() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None).happens(ev.TranscriptFailed(1)).passes(500)
    assert call.only_said_by_caller() == ["I want a pizza."]
    call.happens(ev.TranscriptFailed(9))


def test_audio_that_stops_arriving_closes_the_turn_after_its_grace() -> None:
    call = listening().caller_speaks("I want a pizza.")
    call.ears.stalled = True
    assert closed_after(call) == 400 + 1500


def test_words_that_change_while_the_final_ones_are_awaited_change_the_wait() -> None:
    call = listening().caller_speaks("I want a pizza.", final_after_ms=None).passes(400).partial("i want a pizza and")
    assert call.passes(1100).states[1] == "pausing"
    call.passes(3000)
    assert call.times(do.TurnClosed) == [call.ears.silent_since_ms + 1347 + 1200]


def test_a_closed_turn_waits_for_the_client_where_it_asks_itself() -> None:
    call = listening(Endpointing(), reply_on_turn_end=False).caller_speaks("I want a pizza.").passes(500)
    assert call.said() == [("user", "I want a pizza.")] and not call.all(do.StartReply)
    call.happens(ev.ReplyRequested("mine"))
    assert (call.asked.turn, call.asked.request) == (1, "mine")


# ------------------------------------------------------------------------------------------------ a turn detector


def test_a_detector_is_asked_about_the_words_once_the_voice_has_fallen_silent() -> None:
    call = listening(DETECTED).caller_speaks("i want a pizza")
    assert not call.all(do.ScoreTurn)
    call.passes(100)
    assert call.only(do.ScoreTurn) == do.ScoreTurn(1, "i want a pizza", ())
    call.happens(ev.EndOfTurnScored(1, 1.0, "i want a pizza"))
    assert closed_after(call) in range(500, 650), "sooner than without"


def test_it_is_asked_again_while_the_silence_lasts_and_never_twice_at_once() -> None:
    call = listening(DETECTED).caller_speaks("i want a pizza and")
    call.passes(500)
    assert len(call.all(do.ScoreTurn)) == 1, "it has not answered yet"
    silent_since_ms = call.ears.silent_since_ms
    for score in (0.3, None, 0.3):
        call.happens(ev.EndOfTurnScored(1, score, "i want a pizza and")).passes(200)
    assert [at - silent_since_ms for at in call.times(do.ScoreTurn)] == [200, 600, 800, 1000]


@pytest.mark.parametrize("said", ["555 014", "555 014 2397", "my name is j o h n"])
def test_it_is_not_asked_about_what_is_given_in_pieces(said: str) -> None:
    call = listening(DETECTED).caller_speaks(said)
    assert not call.passes(2000).all(do.ScoreTurn)


def test_a_score_that_cannot_be_had_leaves_the_words_and_the_silence() -> None:
    call = listening(DETECTED).caller_speaks("i want a pizza").passes(100).happens(ev.EndOfTurnScored(1, None))
    assert closed_after(call) == 760


def test_a_score_for_other_words_is_not_used() -> None:
    call = listening(DETECTED).caller_speaks("i want", final_after_ms=None).passes(100).partial("i want a pizza")
    assert [asked.text for asked in call.all(do.ScoreTurn)] == ["i want", "i want a pizza"]
    call.happens(ev.EndOfTurnScored(1, 1.0, "i want")).happens(ev.EndOfTurnScored(7, 1.0, "i want a pizza"))
    call.final("i want a pizza")
    assert closed_after(call) == 760


def test_a_score_that_does_not_name_its_words_counts_for_those_there_are() -> None:
    call = listening(DETECTED).caller_speaks("i want a pizza").passes(100).happens(ev.EndOfTurnScored(1, 0.0))
    assert closed_after(call) > 950


def test_a_detector_that_never_answers_costs_nothing() -> None:
    assert closed_after(listening(DETECTED).caller_speaks("I want a pizza.")) == 400


# ------------------------------------------------------------------------------------------------ a recogniser that listens for turns


UNSIGNALLED_MS = closed_after(listening(Endpointing()).caller_speaks("I want a pizza"))


def test_an_end_that_the_recogniser_heard_shortens_the_wait_and_does_not_abolish_it() -> None:
    call = listening(Endpointing()).caller_speaks("I want a pizza").happens(ev.VendorTurnSignal(1, "end", 0.8))
    assert closed_after(call) == 400


def test_words_that_plainly_go_on_still_count_against_it() -> None:
    said = listening(Endpointing()).caller_speaks("I want a pizza").happens(ev.VendorTurnSignal(1, "end"))
    trailing = listening(Endpointing()).caller_speaks("I want a pizza and").happens(ev.VendorTurnSignal(1, "end"))
    assert closed_after(said) < closed_after(trailing) < UNSIGNALLED_MS


@pytest.mark.parametrize("kind", ["resumed", "start"])
def test_an_end_that_is_taken_back_does_not_count(kind: Literal["resumed", "start"]) -> None:
    call = listening(Endpointing()).caller_speaks("I want a pizza").happens(ev.VendorTurnSignal(1, "end"))
    assert closed_after(call.happens(ev.VendorTurnSignal(1, kind))) == UNSIGNALLED_MS


def test_an_end_does_not_hold_for_speech_after_it() -> None:
    call = listening(Endpointing()).caller_speaks("I want").happens(ev.VendorTurnSignal(1, "end"))
    assert closed_after(call.caller_speaks("a pizza")) == UNSIGNALLED_MS


@pytest.mark.parametrize("utterance", [0, 2, 7])
def test_an_end_of_another_utterance_says_nothing(utterance: int) -> None:
    call = listening(Endpointing()).caller_speaks("I want a pizza").happens(ev.VendorTurnSignal(utterance, "end"))
    assert closed_after(call) == UNSIGNALLED_MS


def test_a_telephone_number_in_groups_is_waited_for_and_closed_once_it_is_whole() -> None:
    call = listening().caller_speaks("555", 900).passes(1000).caller_speaks("014", 900).passes(1000)
    assert not call.all(do.TurnClosed)
    call.caller_speaks("2397", 900)
    assert closed_after(call) == 400


# ------------------------------------------------------------------------------------------------ silence in the call


def test_prompts_are_spoken_in_turn_and_then_the_call_ends() -> None:
    silence = Silence(idle_after_ms=4000, idle_messages=("Still there?", "Hello?"), silence_timeout_message="Goodbye.")
    call = listening(silence=silence).passes(120_000)
    prompts = [words for _, words in call.said()]
    assert prompts == ["Still there?", "Hello?", "Still there?", "Goodbye."]
    assert call.times(do.StartPlayback)[:2] == [4000, 4000 + 12 * 50 + 4000]
    assert str(call.only(do.EndCall).reason) == "silence-timed-out"


def test_a_silent_line_without_words_of_ours_just_ends() -> None:
    call = listening().passes(29_999)
    assert not call.conversation.ended
    assert call.passes(1).conversation.ended


def test_whoever_speaks_is_not_prompted() -> None:
    call = listening(silence=Silence(idle_after_ms=1000, idle_messages=("Still there?",)))
    call.passes(900).caller_speaks("I was just thinking about it and", 2000).passes(300)
    assert call.said() == []


def test_a_line_without_any_audio_ends() -> None:
    call = CallDriver(Policy()).happens(ev.CallConnected()).passes(15_000)
    assert str(call.only(do.EndCall).reason) == "assistant-did-not-receive-customer-audio"


def test_audio_that_came_before_the_connection_counts() -> None:
    call = CallDriver(Policy()).happens(ev.AudioArrived(), ev.CallConnected()).passes(15_000)
    assert not call.conversation.ended


def test_a_recogniser_that_is_slow_in_this_call_is_waited_for_longer() -> None:
    """On a busy machine the last word came 1.7 s after it was asked for, and "Thank you, good-bye" was answered as "Think"."""
    call = listening().caller_speaks("Good day.", final_after_ms=700).model_says("Hello.").passes(3000)
    call.caller_speaks("Thank you", final_after_ms=None).partial("Think.").passes(1800)
    assert [turn.text for turn in call.all(do.TurnClosed)] == ["Good day."]
    call.final("Thank you, good-bye.")
    assert [turn.text for turn in call.all(do.TurnClosed)] == ["Good day.", "Thank you, good-bye."]


def test_nobody_is_waited_for_without_end() -> None:
    call = listening().caller_speaks("Good day.", final_after_ms=1100).model_says("Hello.").passes(3000)
    call.caller_speaks("Thank you", final_after_ms=None).partial("Think.").passes(3600 + 1000)
    assert [turn.text for turn in call.all(do.TurnClosed)] == ["Good day.", "Think."]


DOUBTING = Policy(endpointing=Endpointing(min_confidence=0.3))


def coughs(policy: Policy, *, sure: float | None, share: float = 0.3, greeting: str = "") -> CallDriver:
    """A sound after the greeting, of which the recogniser makes a word."""
    call = connected(replace(policy, greeting=replace(policy.greeting, message=greeting))).passes(3_000)
    call.speech_starts().passes(300).partial("Yeah.").speech_stops(share=share).passes(100)
    return call.final("Yeah.", confidence=sure).passes(3_000)


@pytest.mark.parametrize(("sure", "share"), [(0.2, 0.3), (0.6, 0.1)], ids=["doubtful words", "hardly any speech"])
def test_what_a_recogniser_makes_of_a_cough_is_no_turn(sure: float, share: float) -> None:
    call = coughs(DOUBTING, sure=sure, share=share)
    assert call.all(do.TurnDropped)
    assert not call.all(do.TurnClosed)
    assert not call.said(), "nobody asked for anything, and nothing was said"
    call.replays()


@pytest.mark.parametrize(
    ("policy", "sure", "share"),
    [(DOUBTING, 0.4, 0.5), (DOUBTING, 0.1, 0.7), (DOUBTING, 0.8, 0.1), (DOUBTING, None, 0.1), (Policy(), 0.2, 0.1)],
    ids=["believed", "surely speech", "plain words", "never told", "a recogniser whose confidence tells nothing"],
)
def test_a_word_that_was_said_is_one(policy: Policy, sure: float | None, share: float) -> None:
    assert coughs(policy, sure=sure, share=share).only(do.TurnClosed).text == "Yeah."


def test_a_doubtful_word_is_no_answer_to_a_question() -> None:
    call = coughs(DOUBTING, sure=0.2, greeting="Shall I cancel it?")
    assert not call.all(do.TurnClosed)
    assert [text for _, text in call.said()] == ["Shall I cancel it?", Speaking().not_understood_message]
    assert coughs(DOUBTING, sure=0.2, greeting="Hello.").said() == [("assistant", "Hello.")]


def test_who_may_have_spoken_is_asked_again() -> None:
    call = coughs(DOUBTING, sure=0.2, share=0.5)
    assert not call.all(do.TurnClosed)
    assert call.said() == [("assistant", Speaking().not_understood_message)]


def test_words_among_coughs_are_heard() -> None:
    call = connected(DOUBTING)
    call.speech_starts().passes(500).speech_stops().final("I want", confidence=0.9).passes(200)
    call.speech_starts().passes(200).speech_stops(share=0.2).final("Yeah.", confidence=0.1).passes(3_000)
    assert call.only(do.TurnClosed).text == "I want Yeah."


def test_no_reply_is_prepared_for_a_cough() -> None:
    call = connected(DOUBTING)
    call.speech_starts().passes(300).speech_stops(share=0.2).final("Yeah.", confidence=0.2).passes(3_000)
    assert not call.all(do.StartReply)


def test_doubtful_words_that_come_late_are_none() -> None:
    call = connected(DOUBTING)
    call.speech_starts().passes(300).speech_stops(share=0.2).passes(5_000)
    assert call.only(do.TurnDropped)
    call.final("Yeah.", confidence=0.2).passes(3_000)
    assert not call.all(do.TurnClosed)


def test_what_a_client_commits_is_not_doubted() -> None:
    call = connected(DOUBTING)
    call.speech_starts().passes(300).speech_stops(share=0.2)
    call.happens(ev.TurnCommitted(call.utterance)).final("Yeah.", confidence=0.2).passes(100)
    assert call.only(do.TurnClosed).text == "Yeah."
