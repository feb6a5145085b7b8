"""A vendor that takes turns itself, and who has the floor: every move of the state machine, without a clock."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.providers.base import TurnSignal
from antiphon.providers.speech_to_speech.base import (
    ReplyAudio,
    ReplyEndsCall,
    ReplyFailed,
    ReplyOver,
    ReplyToolCall,
    ReplyTransfersCall,
    ReplyWords,
    SpokeUnasked,
)
from antiphon.providers.speech_to_speech.own_requests import AnswerNext, Nudge, SayWords, TurnLimits
from antiphon.providers.speech_to_speech.own_turns import OwnTurns
from antiphon.providers.speech_to_speech.told_memory import SessionMemory
from antiphon.providers.speech_to_speech.vendor_turn import SETTLED_S
from antiphon.vocabulary import ToolCall

LIMITS = TurnLimits(nudge_after_s=2.0, reply_timeout_s=5.0)
SECOND = b"s" * 10
CALL = ToolCall("c1", "book", {"day": "friday"})


class Talk:
    """A session, at seconds that the test says."""

    def __init__(self, *, up: bool = True) -> None:
        self.memory = SessionMemory()
        self.turns = OwnTurns(self.memory, LIMITS)
        self.now_s = 100.0
        if up:
            self.turns.ready(self.now_s)

    def out(self) -> list[Any]:
        """What has followed, but for who is next."""
        out = [each for each in self.turns.out if not isinstance(each, AnswerNext)]
        self.turns.out.clear()
        return out

    def passes(self, seconds: float, *, caller_speaks: bool = False) -> Talk:
        for _ in range(round(seconds * 10)):
            self.now_s += 0.1
            self.turns.look(self.now_s, caller_speaks=caller_speaks)
        return self

    def hears(self, utterance: int) -> Talk:
        self.turns.utterance(utterance)
        return self

    def says(self, text: str, seconds: int = 1, *, whole: bool = True) -> Talk:
        """The vendor, at once."""
        self.turns.words(text)
        self.turns.began(self.now_s)
        for _ in range(seconds):
            self.turns.sound(SECOND, 1000, self.now_s)
        if whole:
            self.turns.ended(self.now_s)
            self.passes(SETTLED_S + 0.1)
        return self

    def notes(self) -> str:
        return self.memory.notes()


def kinds(out: list[Any]) -> list[str]:
    return [type(each).__name__ for each in out]


def test_what_the_vendor_says_is_held_until_it_is_asked_for() -> None:
    talk = Talk().hears(1).says("It is three.")
    assert talk.out() == [TurnSignal(1, "end")]
    talk.turns.respond(1, talk.now_s)
    assert talk.out() == [ReplyWords(1, "It is three."), ReplyAudio(1, SECOND), ReplyOver(1)]
    assert (talk.turns.idle, talk.notes()) == (True, "")


def test_what_is_asked_for_first_comes_as_it_is_said() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.passes(1.0).says("It is three.", whole=False)
    assert talk.out() == [ReplyWords(1, "It is three."), ReplyAudio(1, SECOND)]
    talk.turns.sound(b"more", 500, talk.now_s)
    talk.turns.ended(talk.now_s)
    talk.turns.sound(b"last", 20, talk.now_s)  # a little follows
    assert kinds(talk.out()) == ["ReplyAudio", "ReplyAudio"]
    assert talk.passes(SETTLED_S + 0.1).out() == [ReplyOver(1)]


def test_a_vendor_that_does_not_begin_is_nudged_once_and_then_has_failed() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    assert talk.passes(1.9).out() == []
    assert talk.passes(0.2).out() == [Nudge(first=False)]
    assert talk.passes(4.9).out() == []
    (failed,) = talk.passes(0.3).out()
    assert isinstance(failed, ReplyFailed) and (failed.reply, failed.gone) == (1, False)
    assert talk.turns.idle


def test_a_vendor_that_says_it_is_late_is_nudged_at_once() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.hangs(talk.now_s)
    talk.turns.hangs(talk.now_s)
    assert talk.out() == [Nudge(first=False)]


def test_a_vendor_that_said_it_is_late_before_it_was_asked_is_nudged_at_once() -> None:
    talk = Talk().hears(1)
    talk.turns.hangs(talk.now_s)
    assert talk.out() == []
    talk.turns.respond(1, talk.now_s)
    assert talk.out() == [Nudge(first=False)]
    talk.says("Here I am.")
    talk.out()
    talk.hears(2)
    talk.turns.respond(2, talk.now_s)
    assert talk.out() == []


def test_nobody_is_nudged_while_the_caller_speaks() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    assert talk.passes(3.0, caller_speaks=True).out() == []
    assert talk.passes(0.2).out() == [Nudge(first=False)]


def test_who_speaks_first_is_asked_at_once() -> None:
    talk = Talk(up=False)
    talk.turns.respond(1, talk.now_s, first=True)
    assert talk.out() == []
    talk.turns.ready(talk.now_s)
    assert talk.out() == [Nudge(first=True)]


def test_one_that_was_asked_in_another_way_is_not_nudged() -> None:
    talk = Talk()
    talk.turns.respond(1, talk.now_s)
    talk.turns.asked_for(1, talk.now_s)
    assert talk.passes(4.9).out() == []
    assert kinds(talk.passes(0.3).out()) == ["ReplyFailed"]


def test_what_the_vendor_takes_back_is_dropped_and_the_vendor_told() -> None:
    talk = Talk().hears(1).says("There are many things to say about it.", 3, whole=False)
    talk.out()
    talk.turns.interrupted(talk.now_s)
    assert talk.out() == [] and talk.turns.idle
    assert "the caller has heard nothing" in talk.notes()
    talk.turns.respond(1, talk.now_s)
    talk.hears(2).says("Fine.")
    assert [each.text for each in talk.out() if isinstance(each, ReplyWords)] == ["Fine."]


def test_a_reply_that_the_vendor_breaks_off_is_over_and_cut() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.says("There are many things to say about it, and more.", 3, whole=False)
    talk.out()
    talk.turns.interrupted(talk.now_s)
    assert talk.out() == [ReplyOver(1, cut=True)]
    assert talk.notes() == "", "who broke it off knows where"
    talk.turns.cancel(1, 300, talk.now_s)
    assert 'no more than "Ther"' in talk.notes()


def test_what_is_cancelled_is_heard_no_more_and_what_was_heard_is_told_at_its_end() -> None:
    text = "There are a great many things that could be said about this, all told."
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.says(text, 2, whole=False)
    talk.out()
    talk.turns.cancel(1, 1000, talk.now_s)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    talk.turns.words(" And so on.")
    assert talk.out() == [] and talk.notes() == ""
    talk.turns.ended(talk.now_s)
    talk.passes(SETTLED_S + 0.1)
    assert talk.out() == []
    assert 'no more than "There are a great many thin"' in talk.notes()


def test_what_was_made_long_ago_may_be_cancelled_while_it_plays() -> None:
    text = "One two three four five six seven eight nine ten eleven twelve."
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.says(text, 4)
    talk.out()
    talk.turns.cancel(1, 1000, talk.now_s)
    heard = talk.memory.items[0].heard
    assert heard is not None and text.startswith(heard) and len(heard) == pytest.approx(len(text) / 4, abs=2)
    assert heard in talk.notes()


def test_a_reply_that_waits_is_cancelled_and_its_answer_is_the_next_ones() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.cancel(1, 0, talk.now_s)
    talk.hears(2)
    talk.turns.respond(2, talk.now_s)
    talk.says("Fine.")
    assert {each.reply for each in talk.out()} == {2}


def test_words_of_ours_are_sent_when_their_turn_comes_and_are_not_told_back() -> None:
    talk = Talk(up=False)
    talk.turns.say(1, "Welcome.", talk.now_s)
    talk.turns.say(1, "One moment.", talk.now_s)
    assert talk.out() == []
    talk.turns.ready(talk.now_s)
    assert talk.out() == [SayWords("Welcome.", at_once=False)]
    talk.turns.began(talk.now_s)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    talk.turns.words("Welcome.", after=True)
    talk.turns.ended(talk.now_s)
    talk.passes(SETTLED_S + 0.1)
    assert talk.out() == [ReplyAudio(1, SECOND), ReplyOver(1), SayWords("One moment.", at_once=False)]
    assert [item.text for item in talk.memory.items] == ["Welcome."]


def test_words_of_ours_take_the_place_of_what_nobody_hears() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.says("A long story.", whole=False)
    talk.turns.cancel(1, 0, talk.now_s)
    talk.out()
    talk.turns.say(2, "I must go.", talk.now_s)
    assert talk.out() == [SayWords("I must go.", at_once=True)]


def test_an_answer_of_the_vendors_is_not_taken_for_words_of_ours() -> None:
    talk = Talk().hears(1)
    talk.turns.say(1, "One moment, please.", talk.now_s)
    talk.out()
    talk.says("It is three.")  # its words were told before its sound: they are its own
    assert talk.out() == []
    talk.turns.began(talk.now_s, verbatim=True)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    talk.turns.ended(talk.now_s)
    talk.turns.respond(1, talk.now_s)
    out = talk.passes(SETTLED_S + 0.1).out()
    assert kinds(out) == ["ReplyAudio", "ReplyOver", "ReplyWords", "ReplyAudio", "ReplyOver"]
    assert out[2].text == "It is three."


def test_words_of_ours_that_the_vendor_tells_before_their_sound_are_known() -> None:
    talk = Talk()
    talk.turns.say(1, "One moment, please.", talk.now_s)
    talk.out()
    talk.says("One moment,")
    assert kinds(talk.out()) == ["ReplyAudio", "ReplyOver"]


@pytest.mark.parametrize("verbatim", [True, None])
def test_words_of_ours_that_nobody_wants_any_more_are_not_the_next_answer(verbatim: bool | None) -> None:
    talk = Talk()
    talk.turns.say(1, "Welcome.", talk.now_s)
    talk.turns.cancel(1, 0, talk.now_s)
    talk.hears(1)
    talk.out()
    talk.turns.respond(2, talk.now_s)
    talk.turns.began(talk.now_s, verbatim=verbatim)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    talk.turns.ended(talk.now_s)
    assert talk.passes(0.5).out() == []
    talk.says("It is three.")
    assert kinds(talk.out()) == ["ReplyWords", "ReplyAudio", "ReplyOver"]


def test_words_that_are_never_said_fail() -> None:
    talk = Talk()
    talk.turns.say(1, "Welcome.", talk.now_s)
    talk.out()
    assert kinds(talk.passes(5.2).out()) == ["ReplyFailed"]


def test_what_is_said_unasked_is_offered_until_it_is_dropped() -> None:
    talk = Talk().says("Are you still there?")
    assert talk.out() == [SpokeUnasked()]
    offers = talk.passes(9.0).out()
    assert set(map(type, offers)) == {SpokeUnasked} and len(offers) > 5
    talk.passes(2.0).out()
    assert talk.turns.idle
    assert "the caller has heard nothing" in talk.notes()


def test_what_is_said_unasked_is_told_where_our_side_asks() -> None:
    talk = Talk().says("Are you still there?")
    talk.out()
    talk.turns.respond(1, talk.now_s)
    assert kinds(talk.out()) == ["ReplyWords", "ReplyAudio", "ReplyOver"]


def test_what_is_not_asked_for_after_a_sign_is_offered() -> None:
    """The vendor answers what our side took for no turn."""
    talk = Talk().hears(1).says("Bless you.")
    assert talk.out() == [TurnSignal(1, "end")]
    assert talk.passes(1.0, caller_speaks=True).out() == []
    assert talk.passes(1.0).out()[0] == SpokeUnasked()


def test_an_answer_to_what_was_only_the_beginning_gives_way_to_the_next() -> None:
    talk = Talk().hears(1).says("What table?")
    talk.hears(2)
    talk.turns.respond(1, talk.now_s)
    assert kinds(talk.out()) == ["TurnSignal"], "what the caller has gone on to say is being answered"
    talk.says("A table for two, then.")
    assert [each.text for each in talk.out() if isinstance(each, ReplyWords)] == ["A table for two, then."]


def test_an_answer_that_stays_the_only_one_is_taken() -> None:
    talk = Talk().hears(1).says("What table?")
    talk.hears(2)
    talk.turns.respond(1, talk.now_s)
    talk.out()
    assert kinds(talk.passes(2.1).out()) == ["ReplyWords", "ReplyAudio", "ReplyOver"]


def test_more_than_a_minute_is_not_held() -> None:
    talk = Talk().hears(1).says("One.", 40).says("Two.", 30)
    assert [turn.item.text for turn in talk.turns._held] == ["Two."]


def test_a_turn_of_which_nothing_comes_is_none() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.began(talk.now_s)
    talk.turns.ended(talk.now_s)
    assert talk.passes(0.3).out() == []
    assert talk.passes(2.0).out() == [Nudge(first=False)]


def test_a_reply_of_which_nothing_more_comes_has_failed() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.says("Long.", whole=False)
    talk.out()
    assert kinds(talk.passes(5.2).out()) == ["ReplyFailed"]
    talk.turns.sound(SECOND, 1000, talk.now_s)
    assert talk.out() == []


def test_silence_is_no_sound_of_the_vendors() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.sound(b"\0", 20, talk.now_s, silent=True)
    assert talk.out() == [] and not talk.turns.speaks
    talk.turns.sound(SECOND, 1000, talk.now_s)  # one that does not say that it begins
    assert talk.out() == [ReplyAudio(1, SECOND)]


def test_one_that_tells_nothing_has_finished_when_nothing_is_heard_of_it() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    talk.turns.sound(b"\0", 20, talk.passes(0.5).now_s, silent=True)
    assert talk.out() == [ReplyAudio(1, SECOND)]
    talk.turns.sound(b"more", 20, talk.now_s)
    assert talk.out() == [ReplyAudio(1, b"\0"), ReplyAudio(1, b"more")], "a pause that more follows is a part of it"
    talk.turns.sound(b"\0", 20, talk.passes(0.5).now_s, silent=True)
    assert talk.passes(0.4).out() == [ReplyOver(1)]


def test_tools_that_are_asked_for_are_a_turn_of_their_own_or_the_end_of_one() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.says("Let me see.", whole=False)
    talk.turns.asks_for(CALL, talk.now_s)
    assert talk.out() == [
        ReplyWords(1, "Let me see."), ReplyAudio(1, SECOND), ReplyToolCall(1, CALL), ReplyOver(1, stop_reason="tool_calls"),
    ]  # fmt: skip
    talk.turns.asks_for(CALL, talk.now_s)
    assert talk.out() == [SpokeUnasked()]
    talk.turns.respond(2, talk.now_s)
    assert talk.out() == [ReplyToolCall(2, CALL), ReplyOver(2, stop_reason="tool_calls")]


def test_one_that_tells_of_it_after_its_first_sound_has_begun_once() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.sound(b"first", 20, talk.now_s)
    talk.turns.began(talk.now_s + 0.05)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    assert kinds(talk.passes(2.0).out()) == ["ReplyAudio", "ReplyAudio"]


def test_words_come_after_the_sound_where_they_were_not_told_before() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.began(talk.now_s)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    talk.turns.words("It is three.", after=True)
    talk.turns.words("It is three.", after=True)
    assert talk.out() == [ReplyAudio(1, SECOND), ReplyWords(1, "It is three.")]


def test_words_of_an_answer_that_was_never_spoken_are_not_the_next_ones() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.words("Never heard.", "first")
    talk.turns.words("It is three.", "second")
    talk.turns.began(talk.now_s)
    talk.turns.words(" O'clock.", "second")
    talk.turns.words("The next one.", "third")
    assert [each.text for each in talk.out()] == ["It is three.", " O'clock."]


def test_a_session_that_is_lost_is_asked_again_once() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.passes(2.1).out()
    talk.turns.lost(talk.now_s)
    assert talk.out() == []
    talk.turns.ready(talk.now_s)
    assert talk.passes(2.1).out() == [Nudge(first=False)]
    talk.turns.lost(talk.now_s)
    assert kinds(talk.out()) == ["ReplyFailed"]


def test_a_reply_that_was_begun_is_not_begun_again() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.says("Long.", whole=False)
    talk.out()
    talk.turns.lost(talk.now_s)
    assert kinds(talk.out()) == ["ReplyFailed"] and talk.turns.idle


def test_without_a_session_a_reply_is_gone() -> None:
    talk = Talk(up=False)
    talk.turns.respond(1, talk.now_s)
    (failed,) = talk.passes(5.2).out()
    assert failed.gone and "was not ready" in failed.problem
    talk.turns.respond(2, talk.now_s)
    talk.turns.say(3, "Hello.", talk.now_s)
    talk.turns.fail_all("the key was refused")
    assert talk.out() == [ReplyFailed(2, "the key was refused", True), ReplyFailed(3, "the key was refused", True)]


def test_a_vendor_that_ends_the_call_says_after_which_reply() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.says("Goodbye.", whole=False)
    talk.turns.ends_call(talk.now_s)
    assert kinds(talk.out()) == ["ReplyWords", "ReplyAudio", "ReplyOver", "ReplyEndsCall"]
    talk.turns.ends_call(talk.now_s, "+15550100")
    assert talk.out() == [ReplyTransfersCall(1, "+15550100")]
    silent = Talk()
    silent.turns.ends_call(silent.now_s)
    assert silent.out() == [ReplyEndsCall(0)]


def test_a_vendor_that_ends_the_call_is_heard_out_before() -> None:
    talk = Talk().hears(1).says("Goodbye.")
    talk.turns.ends_call(talk.now_s)
    assert kinds(talk.out()) == ["TurnSignal"]
    talk.turns.respond(1, talk.now_s)
    assert kinds(talk.out()) == ["ReplyWords", "ReplyAudio", "ReplyOver", "ReplyEndsCall"]


def test_a_vendor_that_ends_the_call_instead_of_answering_has_answered_nothing() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.say(1, "One moment.", talk.now_s)
    talk.out()
    talk.turns.ends_call(talk.now_s)
    assert talk.out() == [ReplyEndsCall(1), ReplyOver(1), ReplyFailed(1, "the call was ended")]


def test_a_call_that_was_ended_ends_though_nobody_wants_to_hear_what_was_said() -> None:
    talk = Talk().hears(1).says("Goodbye.")
    talk.turns.ends_call(talk.now_s)
    talk.out()
    assert talk.passes(11.0).out()[-1] == ReplyEndsCall(0)


def test_the_vendor_is_told_what_it_has_to_know_for_a_reply_when_that_is_the_next() -> None:
    talk = Talk(up=False)
    talk.turns.say(1, "One moment.", talk.now_s)
    talk.turns.respond(2, talk.now_s)
    talk.turns.respond(3, talk.now_s)
    talk.turns.cancel(3, 0, talk.now_s)
    talk.turns.ready(talk.now_s)
    assert list(talk.turns.out) == [SayWords("One moment.", at_once=False)]
    talk.says("One moment.")
    assert AnswerNext(2) in talk.turns.out
    talk.out()
    talk.turns.lost(talk.now_s)
    talk.turns.ready(talk.now_s)
    assert list(talk.turns.out) == [AnswerNext(2)], "the next session does not know it"


def test_words_that_are_more_than_ours_are_another_turn() -> None:
    """Of a vendor that tells nothing of its turns, and makes no pause."""
    talk = Talk()
    talk.turns.say(1, "One moment, please.", talk.now_s)
    talk.turns.respond(1, talk.now_s)
    talk.out()
    for words in ("One moment,", " please.", " It is", " three."):
        talk.turns.sound(SECOND, 1000, talk.now_s)
        talk.turns.spoken(words, talk.now_s)
    out = talk.passes(1.0).out()
    assert "".join(each.text for each in out if isinstance(each, ReplyWords)) == " It is three."
    assert [type(each) for each in out].count(ReplyOver) == 2


def test_what_is_said_after_the_caller_was_heard_is_not_more_of_what_nobody_wanted() -> None:
    talk = Talk().hears(1)
    talk.turns.respond(1, talk.now_s)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    talk.hears(2)
    talk.turns.cancel(1, 500, talk.now_s)
    talk.turns.sound(SECOND, 1000, talk.now_s)
    talk.turns.caller_heard(talk.now_s)
    talk.turns.respond(2, talk.now_s)
    talk.out()
    talk.turns.sound(SECOND, 1000, talk.now_s)
    assert talk.out() == [ReplyAudio(2, SECOND)]
