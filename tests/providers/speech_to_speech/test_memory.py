"""What the vendor's session remembers, beside what our history says."""

from __future__ import annotations

from typing import Any

from antiphon.providers.speech_to_speech.memory import Item, SessionMemory
from antiphon.vocabulary import Message, ToolCall

SYSTEM = Message("system", "Be brief.")


def created(events: list[dict[str, Any]]) -> list[str]:
    return [event["item"].get("role", event["item"]["type"]) for event in events if event["type"].endswith("create")]


def deleted(events: list[dict[str, Any]]) -> list[str]:
    return [event["item_id"] for event in events if event["type"].endswith("delete")]


def memory(*items: Item) -> SessionMemory:
    kept = SessionMemory()
    for item in items:
        kept.add(item)
    return kept


def test_a_new_session_is_told_all_and_the_instructions_are_none_of_it() -> None:
    call = ToolCall("call_1", "book", {"day": "friday"})
    kept = memory()
    events = kept.sync(
        (
            SYSTEM,
            Message("assistant", "Hello."),
            Message("user", "A table, please."),
            Message("assistant", "One moment.", (call,)),
            Message("tool", "booked", tool_call_id="call_1"),
            Message("system", "The caller is known."),
        )
    )
    assert created(events) == ["assistant", "user", "assistant", "function_call", "function_call_output", "system"]
    assert [event["previous_item_id"] for event in events] == ["root", *[event["item"]["id"] for event in events[:-1]]]
    assert events[0]["item"]["content"] == [{"type": "output_text", "text": "Hello."}]
    assert events[1]["item"]["content"] == [{"type": "input_text", "text": "A table, please."}]
    assert events[3]["item"]["arguments"] == '{"day":"friday"}'
    assert kept.sync((SYSTEM, Message("assistant", "Hello."))) == [
        {"type": "conversation.item.delete", "item_id": event["item"]["id"]} for event in events[1:]
    ]


def test_the_callers_voice_and_the_models_own_stay() -> None:
    kept = memory(
        Item("u1", "heard", "I want a table"), Item("a1", "assistant", "For how many?"), Item("u2", "heard", "For two.")
    )
    history = (
        SYSTEM,
        Message("user", "I want a table"),
        Message("assistant", "For how many?"),
        Message("user", "for two"),
    )
    assert kept.sync(history) == []


def test_a_turn_of_several_utterances_and_a_reply_of_several_messages() -> None:
    kept = memory(
        Item("u1", "heard", "I want"),
        Item("u2", "heard", "a table."),
        Item("a1", "assistant", "One moment."),
        Item("a2", "assistant", "There is one."),
        Item("u3", "heard", "Good"),
    )
    history = (
        Message("user", "I want a table."),
        Message("assistant", "One moment. There is one."),
        Message("user", "Good"),
    )
    assert kept.sync(history) == []


def test_a_reply_that_was_cut_is_its_own_beginning() -> None:
    kept = memory(
        Item("u1", "heard", "Hello"),
        Item("a1", "assistant", "Good morning, how can I help you?"),
        Item("u2", "heard", "Stop"),
    )
    history = (
        Message("user", "Hello"),
        Message("assistant", "Good morning,", interrupted=True),
        Message("user", "Stop"),
    )
    assert kept.sync(history) == []


def test_a_cough_and_a_reply_that_nobody_heard_are_forgotten() -> None:
    kept = memory(
        Item("u1", "heard", "mm-hm"), Item("a1", "assistant", "Unheard words."), Item("u2", "heard", "I want a table")
    )
    assert deleted(kept.sync((Message("user", "I want a table"),))) == ["u1", "a1"]
    assert [item.id for item in kept.items] == ["u2"]


def test_words_that_were_typed_and_words_of_ours_take_their_place() -> None:
    kept = memory(Item("u1", "heard", "Hello"), Item("u2", "heard", "Goodbye"))
    events = kept.sync(
        (
            Message("assistant", "Welcome."),
            Message("user", "Hello"),
            Message("user", "typed"),
            Message("user", "Goodbye"),
        )
    )
    assert [(event["item"]["role"], event["previous_item_id"]) for event in events] == [
        ("assistant", "root"),
        ("user", "u1"),
    ]
    assert [item.text for item in kept.items] == ["Welcome.", "Hello", "typed", "Goodbye"]


def test_a_tools_late_answer_takes_the_place_of_what_stood_in_for_it() -> None:
    call = ToolCall("call_1", "book", {})
    kept = memory(Item("f1", "call", call_id="call_1"))
    asked = Message("assistant", "", (call,))
    kept.sync((asked, Message("tool", "not yet", tool_call_id="call_1")))
    stand_in = kept.items[-1].id
    events = kept.sync((asked, Message("tool", "booked", tool_call_id="call_1")))
    assert (created(events), deleted(events)) == (["function_call_output"], [stand_in])
