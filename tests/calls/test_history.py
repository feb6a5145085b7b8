"""What the record of a call says was said."""

from __future__ import annotations

from antiphon.calls import history as module
from antiphon.calls.history import CallHistory
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.vocabulary import EndReason, Message, ToolCall, ToolSpec

CALL = ToolCall("t1", "look_up", {"city": "Oslo"})


def test_turns_replies_and_tools_with_their_times() -> None:
    history = CallHistory([Message("system", "Be brief.")], 1000)
    history.happened(2000, ev.SpeechStarted(1, 0), [do.TurnOpened(1)])
    history.happened(2900, ev.SpeechStopped(1, 700, 200), [])
    history.happened(3100, None, [do.TurnClosed(1, "the weather?")])
    history.happened(3200, ev.ReplyAskedForTool(1, CALL), [do.RunTool(CALL, ToolSpec("look_up"), 1)])
    history.happened(3300, ev.ToolFinished("t1", "rain"), [])
    history.happened(3400, ev.ToolFinished("t1", "again"), [])
    history.happened(3500, ev.PlaybackStarted(1), [])
    history.happened(4600, ev.PlaybackFinished(1, 1000), [do.ReplyClosed(1, "Rain.", "interrupted", 1000)])
    assert history.entries == [
        {"role": "system", "text": "Be brief.", "from_ms": 1000, "to_ms": 1000},
        {"role": "user", "text": "the weather?", "from_ms": 2000, "to_ms": 2700},
        {
            "role": "tool_calls",
            "calls": [{"id": "t1", "name": "look_up", "arguments": {"city": "Oslo"}}],
            "from_ms": 3200,
        },
        {"role": "tool", "id": "t1", "name": "look_up", "text": "rain", "from_ms": 3300},
        {"role": "assistant", "text": "Rain.", "from_ms": 3500, "to_ms": 4500, "interrupted": True},
    ]
    history.happened(5000, ev.PlaybackTruncated(1, 300), [do.ReplyCut(1, "Ra", 300)])
    assert history.entries[-1]["text"] == "Ra" and history.entries[-1]["to_ms"] == 3800


def test_words_nobody_came_to_answer_were_said() -> None:
    history = CallHistory([], 0)
    history.happened(100, None, [do.TurnOpened(1)])
    history.happened(500, None, [do.TurnDropped(1, "mhm")])
    history.happened(900, None, [do.TurnOpened(2)])
    history.happened(1500, ev.CallDropped(EndReason.CUSTOMER_ENDED), [do.TurnDropped(2, "call me back", said=True)])
    assert [(entry["role"], entry["text"], entry["from_ms"]) for entry in history.entries] == [
        ("user", "call me back", 900)
    ]


def test_an_answer_that_is_taken_back_leaves_one_turn() -> None:
    history = CallHistory([], 0)
    history.happened(100, None, [do.TurnOpened(1)])
    history.happened(500, None, [do.TurnClosed(1, "I would like")])
    history.happened(900, None, [do.ReplyClosed(1, "Sure", "interrupted", 40, taken_back=True)])
    history.happened(1500, None, [do.TurnOpened(2), do.TurnClosed(2, "I would like a table")])
    assert [(entry["role"], entry["text"], entry["from_ms"]) for entry in history.entries] == [
        ("user", "I would like a table", 100)
    ]


def test_it_does_not_grow_for_ever(monkeypatch: object) -> None:
    history = CallHistory([], 0)
    for turn in range(module.MAX_ENTRIES + 10):
        history.happened(turn, None, [do.TurnClosed(turn, f"turn {turn}")])
    assert len(history.entries) == module.MAX_ENTRIES and history.truncated
