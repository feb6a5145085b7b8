"""Squads as they are written, and what a destination says of the past."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.calls.destinations import context_of
from antiphon.calls.squads import squad_of
from antiphon.conversation.context import ContextPlan
from antiphon.errors import ConfigurationError


def test_overrides_are_laid_over_each_other_and_destinations_become_tools() -> None:
    other = {"type": "function", "function": {"name": "f"}}
    destination = {"type": "assistant", "assistantName": "B"}
    members = [
        {"assistantId": "a", "assistantOverrides": {"name": "A", "firstMessage": "own", "tools:append": [other]},
         "assistantDestinations": [destination]},
        {"assistant": {"name": "B"}},
    ]  # fmt: skip
    squad = squad_of(
        {"members": members, "membersOverrides": {"firstMessage": "all"}}, {"voicemailMessage": "x"}, id="s"
    )
    first, second = squad.members
    assert (squad.id, first.assistant_id, first.named, second.named) == ("s", "a", "A", "B")
    assert first.overrides == {
        "name": "A", "firstMessage": "all", "voicemailMessage": "x",
        "tools:append": [other, {"type": "handoff", "destinations": [destination]}],
    }  # fmt: skip
    assert second.overrides == {"firstMessage": "all", "voicemailMessage": "x"}


@pytest.mark.parametrize("members", [None, [], [1], [{}], [{"assistantId": 1}], [{"assistantId": "a"}] * 101])
def test_a_squad_that_makes_no_sense_is_refused(members: Any) -> None:
    with pytest.raises(ConfigurationError):
        squad_of({"members": members})


@pytest.mark.parametrize(
    ("destination", "plan"),
    [
        ({}, ContextPlan("all")),
        ({"contextEngineeringPlan": {"type": "lastNMessages", "maxMessages": 4}}, ContextPlan("last", 4)),
        ({"contextEngineeringPlan": {"type": "userAndAssistantMessages"}}, ContextPlan("spoken")),
        ({"contextEngineeringPlan": {"type": "previousAssistantMessages"}}, ContextPlan("before")),
        ({"message": "x"}, ContextPlan("rolling")),
        ({"message": "x", "contextEngineeringPlan": {"type": "none"}}, ContextPlan("none")),
        ({"transferMode": "delete-history"}, ContextPlan("none")),
        ({"transferMode": "swap-system-message-in-history"}, ContextPlan("all")),
        ({"transferMode": "swap-system-message-in-history-and-remove-transfer-tool-messages"},
         ContextPlan("all", without=("handoff_to_B",))),
    ],
)  # fmt: skip
def test_what_a_destination_says_of_the_past(destination: dict[str, Any], plan: ContextPlan) -> None:
    assert context_of({"type": "assistant", **destination}, ("handoff_to_B",)) == plan


@pytest.mark.parametrize(
    "destination",
    [
        {"transferMode": "x"},
        {"contextEngineeringPlan": {"type": "x"}},
        {"contextEngineeringPlan": 1},
        {"contextEngineeringPlan": {"type": "lastNMessages", "maxMessages": -1}},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(destination: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        context_of({"type": "assistant", **destination})
