from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from antiphon.conversation.state import (
    AGENT_TRANSITIONS,
    CALL_TRANSITIONS,
    REPLY_TRANSITIONS,
    USER_TRANSITIONS,
    Agent,
    AgentTrigger,
    Call,
    CallTrigger,
    Machine,
    ReplyState,
    ReplyTrigger,
    User,
    UserTrigger,
    forbidden,
)
from antiphon.errors import IllegalTransition

TABLES: list[tuple[Any, type[StrEnum], type[StrEnum], Mapping[Any, Any]]] = [
    ("user", User, UserTrigger, USER_TRANSITIONS),
    ("agent", Agent, AgentTrigger, AGENT_TRANSITIONS),
    ("call", Call, CallTrigger, CALL_TRANSITIONS),
    ("reply", ReplyState, ReplyTrigger, REPLY_TRANSITIONS),
]
EVERY_PAIR = [
    (name, table, state, trigger)
    for name, states, triggers, table in TABLES
    for state, trigger in itertools.product(states, triggers)
]


@pytest.mark.parametrize(("name", "table", "state", "trigger"), EVERY_PAIR)
def test_a_pair_is_in_the_table_or_raises(name: Any, table: Mapping[Any, Any], state: Any, trigger: Any) -> None:
    reported: list[tuple[Any, Any]] = []
    machine: Machine[Any, Any] = Machine(name, table, state, lambda before, after: reported.append((before, after)))
    after = table.get((state, trigger))
    if after is None:
        with pytest.raises(IllegalTransition) as caught:
            machine.fire(trigger)
        assert (caught.value.machine, caught.value.state, caught.value.event) == (name, state, trigger)
        assert machine.state is state and not reported
    else:
        machine.fire(trigger)
        assert machine.state is after
        assert reported == [(state, after)] and after is not state


@pytest.mark.parametrize(("name", "states", "triggers", "table"), TABLES)
def test_every_state_can_be_reached_and_left_for_its_end(
    name: str, states: type[StrEnum], triggers: type[StrEnum], table: Mapping[Any, Any]
) -> None:
    first = next(iter(states))
    reached = {first}
    while more := {after for (before, _), after in table.items() if before in reached} - reached:
        reached |= more
    assert reached == set(states)
    assert {trigger for _, trigger in table} == set(triggers), "no trigger is idle"
    ends = {"user": User.SILENT, "agent": Agent.IDLE, "call": Call.ENDED, "reply": ReplyState.CLOSED}
    for state in states:
        ways = {after for (before, _), after in table.items() if before is state}
        assert ends[name] in ways or state in (Call.ENDED, ReplyState.CLOSED) or ways, state


@pytest.mark.parametrize(
    ("user", "agent", "call", "insists", "allowed"),
    [
        (User.SILENT, Agent.SPEAKING, Call.LIVE, False, True),
        (User.SPEAKING, Agent.SPEAKING, Call.LIVE, False, False),
        (User.PAUSING, Agent.SPEAKING, Call.LIVE, False, False),
        (User.SPEAKING, Agent.SPEAKING, Call.LIVE, True, True),
        (User.SPEAKING, Agent.HELD, Call.LIVE, False, True),
        (User.SILENT, Agent.IDLE, Call.CONNECTING, False, True),
        (User.SILENT, Agent.THINKING, Call.CONNECTING, False, False),
        (User.SPEAKING, Agent.IDLE, Call.CONNECTING, False, False),
        (User.SILENT, Agent.SPEAKING, Call.ENDING, False, True),
        (User.SILENT, Agent.IDLE, Call.ENDED, False, True),
        (User.SILENT, Agent.HELD, Call.ENDED, False, False),
        (User.PAUSING, Agent.IDLE, Call.ENDED, False, False),
    ],
)
def test_the_joint_rules(user: User, agent: Agent, call: Call, insists: bool, allowed: bool) -> None:
    assert (forbidden(user, agent, call, agent_insists=insists) is None) is allowed


# ------------------------------------------------------------------------------------------------ the documentation

CHECKOUT = Path(__file__).resolve().parents[2]
DRAW = CHECKOUT / "tools" / "draw_states.py"


def draw(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DRAW), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_diagrams_in_the_documentation_are_those_of_the_tables() -> None:
    assert draw("--check").returncode == 0


def test_diagrams_that_are_out_of_date_are_found_and_drawn_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    right = (CHECKOUT / "docs" / "turn-taking.md").read_text(encoding="utf-8")
    page.write_text(right.replace("silent --> speaking", "silent --> shouting"), encoding="utf-8")
    assert draw("--check", "--page", str(page)).returncode == 1
    assert draw("--page", str(page)).returncode == 0
    assert page.read_text(encoding="utf-8") == right
    page.write_text("no diagrams here", encoding="utf-8")
    missing = draw("--page", str(page))
    assert missing.returncode == 1 and "one place for each" in missing.stderr
