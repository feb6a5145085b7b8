"""A conversation as text: the engine of a workflow on one side, what a caller says on the other, real tools behind it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from antiphon.assistants.loader import load, package_library
from antiphon.tools.bookings import Bookings
from antiphon.vocabulary import CallContext, Message, ToolCall
from antiphon.workflow.engine import Engine
from antiphon.workflow.replies import Reply

TUESDAY = dt.datetime(2026, 5, 12, 10, 0, tzinfo=dt.UTC)
"""Every conversation begins on this Tuesday morning."""

Tool = Callable[[ToolCall], Any]


def context() -> CallContext:
    return CallContext("call-1", caller="+15550199", wall_ms=int(TUESDAY.timestamp() * 1000))


@dataclass
class Talk:
    """One call. ``say`` gives the agent's words, tool calls carried out on the way."""

    engine: Engine
    tools: dict[str, Tool] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    last: Reply = field(default_factory=lambda: Reply(""))

    def greet(self) -> str:
        return self._answer()

    def say(self, text: str) -> str:
        self.messages.append(Message("user", text))
        return self._answer()

    @property
    def node(self) -> str:
        return self.engine.state(self.messages, context(), self.tools).node

    def value(self, name: str) -> Any:
        value = self.engine.state(self.messages, context(), self.tools).value(name)
        return None if value is None else value.raw

    def reply(self) -> Reply:
        return self.engine.reply(self.engine.state(self.messages, context(), self.tools))

    def _answer(self) -> str:
        spoken: list[str] = []
        while True:
            self.last = self.reply()
            spoken.append(self.last.text)
            calls = (self.last.call,) if self.last.call else ()
            self.messages.append(Message("assistant", self.last.text, calls))
            for call in calls:
                self.calls.append(call)
                self.messages.append(self._run(call))
            if not calls:
                return " ".join(text for text in spoken if text)

    def _run(self, call: ToolCall) -> Message:
        try:
            answer = self.tools[call.name](call)
        except ConnectionError:
            return Message("tool", "The calendar is out of reach.", tool_call_id=call.id, tool_outcome="failed")
        return Message("tool", json.dumps(answer), tool_call_id=call.id)


@pytest.fixture(scope="session")
def front_desk() -> Engine:
    spec = load(package_library() / "front-desk.yaml")
    assert spec.model is not None and spec.model.workflow is not None
    return Engine(spec.model.workflow)


@pytest.fixture
def bookings() -> Iterator[Bookings]:
    book = Bookings(":memory:")
    yield book
    book.close()


@pytest.fixture
def talk(front_desk: Engine, bookings: Bookings) -> Talk:
    """A call to the front desk that ships with Antiphon."""

    def book(call: ToolCall) -> dict[str, Any]:
        arguments = dict(call.arguments)
        date, time = dt.date.fromisoformat(arguments.pop("date")), dt.time.fromisoformat(arguments.pop("time"))
        return bookings.book_appointment(date, time, context=context(), call=call, **arguments)

    return Talk(front_desk, {"book_appointment": book})
