"""The rule evaluator: a workflow, a history in, a reply out. Pure, and quick enough for the event loop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from antiphon.providers.base import ExpectedAnswers
from antiphon.vocabulary import CallContext, Message
from antiphon.workflow.edges import open_slot
from antiphon.workflow.expected import Situation, expected_answers
from antiphon.workflow.fold import Fold
from antiphon.workflow.graph import Graph, compile_workflow
from antiphon.workflow.inputs import Heard, inputs
from antiphon.workflow.meaning import Meanings
from antiphon.workflow.replies import Reply, reply_at
from antiphon.workflow.spec import WorkflowSpec
from antiphon.workflow.state import State
from antiphon.workflow.words import utterance


class Engine:
    """Holds one workflow's conversations, all of them: there is no state but the histories it is handed."""

    def __init__(self, workflow: Mapping[str, Any] | WorkflowSpec, path: str = "") -> None:
        """``path`` is where the workflow stands in a larger document. Raises ConfigurationError naming the wrong field."""
        self.graph: Graph = compile_workflow(workflow, path)
        self._expected = lru_cache(maxsize=256)(lambda situation: expected_answers(self.graph, situation))

    def turns(self, messages: Sequence[Message]) -> list[str]:
        """What the caller said, turn by turn, as ``state`` reads it."""
        return [utterance(item.text).text for item in inputs(messages) if isinstance(item, Heard)]

    def state(
        self, messages: Sequence[Message], context: CallContext, tools: Iterable[str], meanings: Meanings | None = None
    ) -> State:
        """Where the conversation stands. ``tools`` are the names that may be called now; ``meanings`` how near phrases are to turns."""
        # Without a zone of its own the workflow lives in the machine's, summer time included.
        now = dt.datetime.fromtimestamp(context.wall_ms / 1000, self.graph.timezone).replace(tzinfo=None)
        variables = {**context.variables, "customer.number": context.caller, "call.id": context.call_id}
        return Fold(self.graph, now, variables, frozenset(tools), meanings or {}).run(inputs(messages))

    def reply(self, state: State) -> Reply:
        """What to say and do there."""
        return reply_at(self.graph, state)

    def expected(self, state: State) -> ExpectedAnswers:
        """What the caller may say next, for a recogniser. Empty (free dictation) where anything may be said."""
        slot = open_slot(self.graph, replace(state, node=state.listening_at))
        known = tuple(sorted(name for name, _ in state.values if name in self.graph.slot))
        confirming = slot is not None and state.value(slot.name) is not None
        return self._expected(Situation(state.listening_at, slot.name if slot else "", confirming, known, state.groups))
