from __future__ import annotations

from antiphon.conversation.tool_calls import ToolCalls
from antiphon.vocabulary import ToolCall, ToolSpec

LOOK_UP = ToolSpec("look_up")
CHARGE = ToolSpec("charge", filler="", cancel_on_interruption=True)


def call(call_id: str, name: str = "look_up", **arguments: object) -> ToolCall:
    return ToolCall(call_id, name, dict(arguments))


def test_work_is_waited_for_until_its_deadline() -> None:
    tools = ToolCalls()
    assert tools.start(call("a"), LOOK_UP, 1, 7, 1000)
    assert tools.deadline() == 3000, "the filler comes first"
    assert tools.overdue(5999) == []
    assert [pending.call.id for pending in tools.overdue(6000)] == ["a"]
    assert tools.overdue(6000) == []
    assert tools.deadline() is None
    late = tools.finish("a")
    assert late is not None and late.reply == 0


def test_a_filler_is_said_once_per_tool_and_one_at_a_time() -> None:
    tools = ToolCalls()
    tools.start(call("a"), LOOK_UP, 1, 7, 0)
    tools.start(call("b", city="Rome"), ToolSpec("look_up", filler="Hold on."), 1, 7, 0)
    assert tools.filler_due(1999) is None
    assert tools.filler_due(2000) == "One moment, please."
    assert tools.filler_due(2000) is None


def test_a_tool_without_a_filler_needs_no_timer_for_it() -> None:
    tools = ToolCalls()
    tools.start(call("a", "charge"), CHARGE, 1, 7, 0)
    assert tools.deadline() == 5000
    assert tools.filler_due(2000) is None


def test_the_same_work_is_not_started_twice() -> None:
    tools = ToolCalls()
    assert tools.start(call("a", city="Rome"), LOOK_UP, 1, 7, 0)
    assert tools.start(call("b", city="Rome"), LOOK_UP, 2, 8, 3000) is None
    assert tools.start(call("c", city="Oslo"), LOOK_UP, 2, 8, 3000)
    pending = tools.finish("a")
    assert pending is not None
    assert (pending.ids, pending.reply, pending.turn, pending.started_ms) == (("a", "b"), 8, 2, 3000)
    assert tools.finish("a") is None


def test_abandoned_work_goes_on_unless_it_may_be_cancelled() -> None:
    tools = ToolCalls()
    tools.start(call("a"), LOOK_UP, 1, 7, 0)
    tools.start(call("b", "charge"), CHARGE, 1, 7, 0)
    tools.start(call("c", "charge", sum=2), CHARGE, 2, 8, 0)
    assert [pending.call.id for pending in tools.abandon(7)] == ["b"]
    assert [(pending.call.id, pending.reply) for pending in tools.all()] == [("a", 0), ("c", 8)]
