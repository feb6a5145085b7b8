"""A mock conversation with an assistant, in text: some messages are given, at others the assistant answers and is judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from antiphon.chat.agent import TextAgent
from antiphon.chat.judging import judge_by_model, judge_by_words
from antiphon.chat.shown import Shown
from antiphon.chat.turn import TextTurn
from antiphon.errors import ConfigurationError
from antiphon.vocabulary import CallContext, Message, ToolCall

MOST_MESSAGES = 100
_ROLES = ("system", "user", "assistant", "tool")
_PLANS = ("exact", "regex", "ai")
FindJudge = Callable[[Mapping[str, Any], Sequence[Message]], Awaitable[TextAgent]]
"""The judge of a plan's ``model``, with its templates filled in for these messages. Raises ConfigurationError, ProviderError."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One message of the conversation as it came about."""

    message: Message
    failure: str | None = None
    """Why it failed; empty where it passed; None where it was given and not judged."""


def check_messages(messages: Any, field: str = "messages") -> None:
    """Raises ConfigurationError."""
    if not isinstance(messages, list) or not 0 < len(messages) <= MOST_MESSAGES:
        raise ConfigurationError(field, f"must contain 1 to {MOST_MESSAGES} elements")
    for at, message in enumerate(messages):
        place = f"{field}.{at}"
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise ConfigurationError(f"{place}.role", f"must be one of the following values: {', '.join(_ROLES)}")
        plan = message.get("judgePlan")
        if plan is None:
            if not isinstance(message.get("content") or "", str):
                raise ConfigurationError(f"{place}.content", "must be a string")
            _calls(message.get("toolCalls"), at, f"{place}.toolCalls")
            continue
        allowed = _PLANS if message["role"] == "assistant" else ("ai",) if message["role"] == "tool" else ()
        if not isinstance(plan, Mapping) or plan.get("type") not in allowed:
            raise ConfigurationError(
                f"{place}.judgePlan.type", f"must be one of the following values: {', '.join(allowed) or 'none'}"
            )
        going_on = message.get("continuePlan") or {}
        if not isinstance(going_on, Mapping):
            raise ConfigurationError(f"{place}.continuePlan", "must be an object")
        _calls(going_on.get("toolCallsOverride"), at, f"{place}.continuePlan.toolCallsOverride")


class Evaluation:
    """One run of one eval."""

    def __init__(
        self, agent: TextAgent, messages: Sequence[Mapping[str, Any]], context: CallContext, judge: FindJudge
    ) -> None:
        """``messages`` have been checked."""
        self._agent = agent
        self._messages = messages
        self._context = context
        self._judge = judge
        self._said: list[Message] = []
        self._shown = Shown()
        """Of it, to whoever answers now."""
        self._open: list[ToolCall] = []
        """Calls of tools that have no answer yet."""
        self.judged: list[Judged] = []

    @property
    def passed(self) -> bool:
        return not any(each.failure for each in self.judged)

    async def run(self) -> None:
        """The whole conversation. Raises ConfigurationError for a plan that cannot be followed, ProviderError."""
        for at, given in enumerate(self._messages):
            plan = given.get("judgePlan")
            if given["role"] != "tool":
                await self._hand_over()
            if plan is None:
                await self._mock(given, at)
                continue
            message = await (self._answer() if given["role"] == "assistant" else self._tool_answer(at))
            failure = await self._failure(plan, message)
            self.judged.append(Judged(message, failure))
            going_on = given.get("continuePlan") or {}
            if failure and going_on.get("exitOnFailureEnabled"):
                return
            self._go_on(message, going_on, at)

    async def _mock(self, given: Mapping[str, Any], at: int) -> None:
        role, content = given["role"], given.get("content") or ""
        if role == "tool":
            message = await self._tool_mock(self._next_call(at), content)
        else:
            calls = _calls(given.get("toolCalls"), at, "toolCalls") if role == "assistant" else ()
            message = Message(role, content, calls)
            if role == "assistant":
                self._open = list(calls)
        self._add(message)
        self.judged.append(Judged(message))

    async def _tool_mock(self, call: ToolCall, content: str) -> Message:
        """A handoff is done all the same: whoever takes over answers from then on. One that fails says so itself."""
        if call.name in self._agent.handoffs:
            answer = await self._turn().answer(call)
            if answer.tool_outcome == "failed":
                return answer
        return Message("tool", content, tool_call_id=call.id)

    async def _hand_over(self) -> None:
        """Handoffs that the eval gives no answer to."""
        for call in [call for call in self._open if call.name in self._agent.handoffs]:
            self._open.remove(call)
            self._add(await self._turn().answer(call))

    def _add(self, message: Message) -> None:
        self._said.append(message)
        self._shown = self._shown.with_more([message])
        if message.role == "tool" and not self._open and (next_one := self._agent.taken_over()) is not None:
            self._shown = self._shown.handed_over(self._agent.messages, next_one.agent.messages, next_one.keep)
            self._agent = next_one.agent
            self._context = replace(self._context, variables=dict(next_one.agent.variables))

    def _turn(self, *, runs_tools: bool = True) -> TextTurn:
        return TextTurn(self._agent, self._shown, self._context, runs_tools=runs_tools)

    def _go_on(self, message: Message, plan: Mapping[str, Any], at: int) -> None:
        """With what was answered, or what the plan says instead."""
        if (content := plan.get("contentOverride")) is not None:
            message = replace(message, content=str(content))
        if (calls := plan.get("toolCallsOverride")) is not None:
            message = replace(message, tool_calls=_calls(calls, at, "toolCallsOverride"))
        self._add(message)
        if message.role == "assistant":
            self._open = list(message.tool_calls)

    async def _answer(self) -> Message:
        turn = self._turn(runs_tools=False)
        await turn.run()
        return turn.messages[-1]

    async def _tool_answer(self, at: int) -> Message:
        """What the real tool answers."""
        call = self._next_call(at)
        return await self._turn().answer(call)

    def _next_call(self, at: int) -> ToolCall:
        if not self._open:
            raise ConfigurationError(f"messages.{at}", "is a tool's answer, and no tool was called before it")
        return self._open.pop(0)

    async def _failure(self, plan: Mapping[str, Any], message: Message) -> str:
        if plan["type"] != "ai":
            return judge_by_words(plan, message)
        said = [*self._said, message]
        return await judge_by_model(await self._judge(plan, said), said)


def _calls(value: Any, at: int, field: str) -> tuple[ToolCall, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigurationError(field, "must be an array")
    calls = []
    for number, item in enumerate(value):
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            raise ConfigurationError(f"{field}.{number}.name", "must be a string")
        if not isinstance(item.get("arguments") or {}, dict):
            raise ConfigurationError(f"{field}.{number}.arguments", "must be an object")
        calls.append(ToolCall(f"call_{at}_{number}", item["name"], dict(item.get("arguments") or {})))
    return tuple(calls)
