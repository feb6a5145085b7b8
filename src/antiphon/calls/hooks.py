"""An assistant's hooks, carried out: words, messages and tools when something happens in its call (``hook_rules`` says when)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from antiphon.assistants.hook_spec import Hook, HookAction, MessageHookAction, SayHookAction
from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.texts import PromptMessage
from antiphon.assistants.tool_definition import ToolDefinition
from antiphon.assistants.tools import tool_spec
from antiphon.calls.hook_rules import HookRules
from antiphon.clock import Clock
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.errors import AntiphonError
from antiphon.ids import new_id
from antiphon.session.session import Session
from antiphon.tools.base import ToolRunner
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import CallContext, EndReason, Message, ToolAnswer, ToolCall, Usage

MAX_TOOLS_AT_ONCE = 8
"""Of one call's hooks; what is beyond is not run, and told."""
MAX_TOLD_CHARS = 10_000
log = structlog.get_logger(__name__)

RunnerOf = Callable[[AssistantSpec, ToolDefinition], ToolRunner | None]
"""Who runs one tool of an assistant. Raises ConfigurationError."""


class CallHooks:
    """A ``SessionObserver`` of one call whose assistant has hooks, or that may be handed to one that has."""

    def __init__(
        self,
        spec_of: Callable[[], AssistantSpec],
        session_of: Callable[[str], Session | None],
        runner_of: RunnerOf,
        ended_reason: Callable[[EndReason], str],
        clock: Clock,
        chance: random.Random | None = None,
    ) -> None:
        """``spec_of``: the assistant that leads the call now. ``ended_reason``: ours in the API's words."""
        self._spec_of = spec_of
        self._session_of = session_of
        self._runner_of = runner_of
        self._ended_reason = ended_reason
        self._clock = clock
        self._chance = chance or random.Random()
        self._call: CallStarted | None = None
        self._rules: HookRules | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tools: set[asyncio.Task[None]] = set()

    # ---------------------------------------------------------------------------------- SessionObserver

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._call = call
        self._rules = HookRules(self._spec_of().hooks, now_ms)
        self._watch(now_ms)

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        if self._rules is None:
            return
        fired = self._rules.happened(event, actions, now_ms)
        if any(isinstance(action, do.ChangeAssistant) for action in actions):
            # Whoever hands the call over notes in this turn of the loop who leads it.
            asyncio.get_running_loop().call_soon(self._follow)
        self._carry_out(fired)
        self._watch(now_ms)

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """No hook is about it."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """The conversation says what becomes of it."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._stop_watching()
        rules, self._rules = self._rules, None
        if rules is not None:
            self._carry_out(rules.ended(self._ended_reason(reason)))

    # ---------------------------------------------------------------------------------- time

    def _watch(self, now_ms: int) -> None:
        """One timer, for what is due next. A deadline that has moved back is looked at when the timer goes off."""
        due_ms = self._rules.deadline() if self._rules is not None else None
        if due_ms is None:
            return
        loop = asyncio.get_running_loop()
        at_s = loop.time() + max(due_ms - now_ms, 0) / 1000
        if self._timer is not None:
            if self._timer.when() <= at_s + 0.001:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at_s, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._rules is not None:
            now_ms = self._clock.now_ms()
            self._carry_out(self._rules.due(now_ms))
            self._watch(now_ms)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _follow(self) -> None:
        if self._rules is not None:
            self._rules.take(self._spec_of().hooks)
            self._watch(self._clock.now_ms())

    # ---------------------------------------------------------------------------------- what is done

    def _carry_out(self, hooks: Sequence[Hook]) -> None:
        for hook in hooks:
            for action in hook.do:
                # Nothing is changed while the conversation tells what it has done.
                asyncio.get_running_loop().call_soon(self._do, hook.on, action)

    def _do(self, on: str, action: HookAction) -> None:
        if isinstance(action, SayHookAction):
            self._say(action)
        elif isinstance(action, MessageHookAction):
            self._add((action.message,), reply=action.trigger_response_enabled)
        elif action.tool is not None:
            self._run(on, action.tool)

    def _say(self, action: SayHookAction) -> None:
        if isinstance(action.prompt, str):
            self._add((PromptMessage(role="system", content=action.prompt),), reply=True)
        elif action.prompt:
            self._add(action.prompt, reply=True)
        else:
            texts = (action.exact,) if isinstance(action.exact, str) else action.exact or ()
            self._feed(ev.SayRequested(self._chance.choice(texts)))

    def _add(self, messages: Sequence[PromptMessage], *, reply: bool) -> None:
        for at, message in enumerate(messages):
            last = at == len(messages) - 1
            self._feed(ev.MessageAdded(Message(message.role, message.content), reply=reply and last))

    def _feed(self, event: ev.Event) -> None:
        if (session := self._live()) is not None:
            session.feed(event)

    def _live(self) -> Session | None:
        session = self._session_of(self._call.call_id) if self._call is not None else None
        return session if session is not None and session.end_reason is None else None

    def _run(self, on: str, tool: ToolDefinition) -> None:
        assert self._call is not None
        if len(self._tools) >= MAX_TOOLS_AT_ONCE:
            log.warning("hook_tool_not_run", call_id=self._call.call_id, hook=on, problem="too many at once")
            return
        task = asyncio.get_running_loop().create_task(self._ran(on, tool, self._call), name="hook tool")
        self._tools.add(task)
        task.add_done_callback(self._tools.discard)

    async def _ran(self, on: str, tool: ToolDefinition, call: CallStarted) -> None:
        described = tool_spec(tool)
        context = CallContext(call.call_id, call.caller, dict(call.parameters), self._clock.wall_ms())
        try:
            runner = self._runner_of(self._spec_of(), tool)
            if runner is None:
                log.warning("hook_tool_not_run", call_id=call.call_id, hook=on, problem="nobody runs such a tool")
                return
            async with asyncio.timeout(described.deadline_ms / 1000):
                answer = await runner.run(ToolCall(new_id("hook"), described.name, {}), context)
        except (AntiphonError, TimeoutError) as error:
            log.warning("hook_tool_failed", call_id=call.call_id, hook=on, problem=type(error).__name__)
            return
        self._take(described.name, answer if isinstance(answer, ToolAnswer) else ToolAnswer(answer))

    def _take(self, name: str, answer: ToolAnswer) -> None:
        session = self._live()
        if session is None or answer.hands_over:
            return
        if answer.say:
            session.feed(ev.SayRequested(answer.say, end_call_after=answer.ends_call))
        elif answer.ends_call:
            session.feed(ev.EndRequested(EndReason.ASSISTANT_ENDED))
        if answer.transfer_to:
            session.feed(ev.TransferRequested(answer.transfer_to))
        elif not answer.ends_call and answer.content:
            told = f"The tool {name} answered: {answer.content[:MAX_TOLD_CHARS]}"
            session.feed(ev.MessageAdded(Message("system", told)))
