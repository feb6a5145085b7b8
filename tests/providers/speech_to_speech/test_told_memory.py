"""What a session that can only be told more is taken to remember, beside what our history says."""

from __future__ import annotations

import pytest

from antiphon.providers.speech_to_speech.told_memory import Item, SessionMemory
from antiphon.vocabulary import Message, ToolCall

SYSTEM = Message("system", "Be brief.")
CALL = ToolCall("c1", "book", {"day": "friday"})


def memory(*items: Item) -> SessionMemory:
    made = SessionMemory()
    for item in items:
        made.add(item)
    return made


def missing(made: SessionMemory, *history: Message, owed: tuple[str, ...] = (), coming: Item | None = None) -> object:
    found = made.missing((SYSTEM, *history), owed, coming)
    return None if found is None else [(each.kind, each.text) for each in found]


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str) -> Message:
    return Message("assistant", text)


def test_what_fits_needs_nothing() -> None:
    made = memory(Item("user", "a table"), Item("assistant", "For how many?"), Item("user", "for two"))
    assert missing(made, user("A table!"), assistant("For how many?"), user("for two")) == []
    assert made.notes() == ""


def test_a_turn_of_several_utterances_and_sounds_that_were_none() -> None:
    made = memory(Item("user", "a table"), Item("user", ""), Item("user", "hm"), Item("user", "for two"))
    assert missing(made, user("a table for two")) == []


def test_what_is_to_be_answered_and_was_not_heard() -> None:
    made = memory(Item("user", "a table"), Item("assistant", "For how many?"))
    told = (user("a table"), assistant("For how many?"), Message("system", "Now."), user("for two"))
    assert missing(made, *told) == [("system", "Now."), ("user", "for two")]


@pytest.mark.parametrize(
    "history",
    [
        (user("something else"), assistant("For how many?"), user("for two")),
        (user("a table"), assistant("For whom?"), user("for two")),
        (user("a table"), user("for two")),
        (user("a table"), assistant("For how many?"), assistant("Or not?"), user("for two")),
        (user("a table"), Message("assistant", "For how many?", (CALL,)), user("for two")),
        (user("a table"), assistant("For how many?"), Message("tool", "booked", tool_call_id="c1"), user("for two")),
    ],
)
def test_what_no_note_can_mend(history: tuple[Message, ...]) -> None:
    made = memory(Item("user", "a table"), Item("assistant", "For how many?"), Item("user", "for two"))
    assert missing(made, *history) is None
    made.become((SYSTEM, *history))
    assert missing(made, *history) == [("user", history[-1].content)] or history[-2].role == "user"


def test_what_it_is_saying_and_nobody_has_heard() -> None:
    coming = Item("assistant", "For how")
    made = memory(Item("user", "a table"), coming)
    assert missing(made, user("a table"), coming=coming) == []
    assert missing(made, user("a table")) is None


@pytest.mark.parametrize("cut", ["It costs eleven", "It costs eleven crowns, and there is", "It", ""])
def test_where_a_reply_was_cut_is_reckoned_here_and_there(cut: str) -> None:
    whole = Item("assistant", "It costs eleven crowns, and there is a great deal to be said about it.")
    made = memory(Item("user", "price"), whole, Item("user", "stop"), Item("assistant", "Fine."))
    whole.was_heard(15 / len(whole.text))
    assert missing(made, user("price"), assistant(cut), user("stop"), assistant("Fine."), user("more")) == [
        ("user", "more")
    ]
    assert made.notes().endswith('the caller has heard no more than "It costs eleven")')
    assert made.notes() == ""


def test_a_reply_that_was_heard_after_all() -> None:
    whole = Item("assistant", "It costs eleven crowns, and there is a great deal to be said about it.")
    made = memory(whole)
    whole.was_heard(0.3)
    assert "no more than" in made.notes()
    whole.was_heard(0.35)
    assert made.notes() == ""  # a word more or less
    whole.was_heard(1)
    assert made.notes().endswith("the caller has heard all)")
    assert missing(made, assistant(whole.text), user("yes")) == [("user", "yes")]


def test_tools_and_their_answers() -> None:
    made = memory(Item("user", "friday"), Item("call", call_id="c1"))
    asked = (user("friday"), Message("assistant", "", (CALL,)), Message("tool", "booked", tool_call_id="c1"))
    assert missing(made, *asked, owed=("c1",)) == []
    assert missing(made, *asked) is None  # it waits for nothing
    made.add(Item("result", "booked", "c1", "book"))
    assert missing(made, *asked) == []
    changed = (*asked[:2], Message("tool", "not booked", tool_call_id="c1"))
    assert missing(made, *changed) is None


def test_another_session_is_told_everything_but_what_is_to_be_answered() -> None:
    made = memory()
    made.become(
        (SYSTEM, user("friday"), Message("assistant", "One moment.", (CALL,)),
         Message("tool", "booked", tool_call_id="c1"), assistant("It is yours."), user("thanks"))
    )  # fmt: skip
    note = '(For you to know, neither to be answered nor to be read out: the tool book({"day":"friday"}) has answered: booked)'
    assert made.seed() == [
        ("user", "friday"),
        ("model", "One moment."),
        ("user", note),
        ("model", "It is yours."),
    ]
    assert made.notes() == ""


@pytest.mark.parametrize(("resumable", "told"), [(True, [True, False]), (False, [False, False])])
def test_a_session_that_goes_on_knows_what_was_kept(resumable: bool, told: list[bool]) -> None:
    made = memory(Item("user", "a table"))
    made.keep()
    made.add(Item("assistant", "For how many?"))
    made.lost(resumable=resumable)
    assert [item.told for item in made.items] == told
