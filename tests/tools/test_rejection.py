"""Which calls of a tool are refused, for what was said."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.assistants.templates import filled
from antiphon.assistants.tool_plans import RejectionPlan
from antiphon.tools.rejection import REJECTED, RejectingTool, pattern_problem
from antiphon.vocabulary import CallContext, Message, ToolAnswer, ToolCall

SAID = (
    Message("system", "Be brief."),
    Message("assistant", "Good day."),
    Message("user", "I want my money back"),
    Message("assistant", "I see."),
    Message("user", "Thanks, bye!"),
)
GOODBYE = {"type": "regex", "regex": r"(?i)\b(bye|goodbye)\b", "target": {"role": "user"}}
MONEY = {"type": "regex", "regex": "money", "target": {"role": "user", "position": -2}}
TRANSFER_ASKED = """{% assign recent = messages | last: 3 %}
{% assign theirs = recent | where: 'role', 'user' %}
{% assign asked = false %}
{% for one in theirs %}{% if one.content contains 'money' %}{% assign asked = true %}{% break %}{% endif %}{% endfor %}
{% if asked %}false{% else %}true{% endif %}"""


class Runs:
    times = 0

    async def run(self, call: ToolCall, context: CallContext) -> str:
        self.times += 1
        return "done"


async def rejected(*conditions: dict[str, Any], said: tuple[Message, ...] = SAID) -> bool:
    plan = RejectionPlan.model_validate({"conditions": list(conditions)})
    runs = Runs()
    tool = RejectingTool(
        runs, plan.compiled(), lambda context: {"tier": "gold"}, lambda text, known: filled(text, known, lambda name: None)
    )  # fmt: skip
    answer = await tool.run(ToolCall("t", "endCall"), CallContext("c", messages=said))
    assert answer == (ToolAnswer(REJECTED, failed=True) if not runs.times else "done")
    return not runs.times


@pytest.mark.parametrize(
    ("conditions", "refused"),
    [
        ([], False),
        ([GOODBYE], True),
        ([{**GOODBYE, "negate": True}], False),
        ([{**GOODBYE, "target": {"role": "assistant"}}], False),
        ([{"type": "regex", "regex": "bye"}], True),
        ([MONEY], True),
        ([{**MONEY, "target": {"role": "user", "position": 0}}], True),
        ([{**MONEY, "target": {"position": 1}}], False),
        ([{**MONEY, "target": {"position": 40}}], False),
        ([{**MONEY, "target": {"position": -40}, "negate": True}], False),
        ([GOODBYE, {"type": "regex", "regex": "never"}], False),
        ([{"type": "group", "operator": "OR", "conditions": [{"type": "regex", "regex": "never"}, GOODBYE]}], True),
        ([{"type": "group", "operator": "AND", "conditions": [{"type": "regex", "regex": "never"}, GOODBYE]}], False),
        ([{"type": "group", "operator": "OR", "conditions": []}], False),
        ([{"type": "group", "operator": "AND", "conditions": []}], False),
        ([{"type": "group", "operator": "OR", "conditions": [
            {"type": "group", "operator": "AND", "conditions": [GOODBYE, MONEY]}]}], True),
        ([{"type": "liquid", "liquid": "{% if tier == 'gold' %}true{% endif %}"}], True),
        ([{"type": "liquid", "liquid": " {{ messages.size | plus: 0 }} "}], False),
        ([{"type": "liquid", "liquid": TRANSFER_ASKED}], False),
        ([{"type": "liquid", "liquid": "{% if messages.last.content contains 'bye' %}true{% else %}false{% endif %}"}], True),
        ([{"type": "liquid", "liquid": "{{ broken"}], False),
        ([{"type": "regex", "regex": "(unclosed"}], False),
    ],
)  # fmt: skip
async def test_conditions(conditions: list[dict[str, Any]], refused: bool) -> None:
    assert await rejected(*conditions) is refused


async def test_a_pattern_that_never_ends_refuses_nothing() -> None:
    endless = {"type": "regex", "regex": "(a|aa|a*)*$b"}
    assert not await rejected(endless, said=(Message("user", "a" * 4000),))


async def test_before_anything_was_said() -> None:
    assert not await rejected(GOODBYE, said=())
    assert not await rejected({**GOODBYE, "negate": True}, said=())


def test_what_is_no_pattern_is_told() -> None:
    assert pattern_problem("(a") and not pattern_problem(r"(?i)\bbye\b")
