"""The workflow engine as a language model: no network, no key, no waiting. Its prompt is a workflow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from antiphon.providers.base import (
    EndCallDelta,
    ExpectedAnswers,
    ExpectedAnswersDelta,
    ModelDelta,
    ModelRequest,
    PlaceDelta,
    TextDelta,
    ToolCallDelta,
    TransferDelta,
)
from antiphon.vocabulary import CallContext
from antiphon.workflow import dates, numbers
from antiphon.workflow.engine import Engine
from antiphon.workflow.meaning import phrases_of
from antiphon.workflow.sentence_meaning import SentenceMeaning, check_installed

_CLAUSE = re.compile(r"[^.,;!?]*(?:[.,;!?]+(?=\s|$)|[.,;!?](?=\S)|$)\s*")


class WorkflowModel:
    """A LanguageModel that follows one workflow. Any number of calls may share it: it keeps nothing of them."""

    name = "workflow"

    def __init__(self, workflow: Mapping[str, Any]) -> None:
        """Raises ConfigurationError naming the field of ``workflow`` that is wrong."""
        self._engine = Engine(workflow, "model.workflow")
        self._meaning: SentenceMeaning | None = None
        if self._engine.graph.spec.meaning == "on":
            check_installed("model.workflow.meaning")
            self._meaning = SentenceMeaning(phrases_of(self._engine.graph))

    @property
    def engine(self) -> Engine:
        return self._engine

    async def start(self) -> None:
        # A second of imports, off the loop and before the first call rather than in it.
        await asyncio.to_thread(dates.warm_up)
        await asyncio.to_thread(numbers.warm_up)
        if self._meaning is not None:
            await self._meaning.start()

    async def close(self) -> None:
        """Nothing is held."""

    def outline(self) -> dict[str, Any]:
        """The graph without what is said in it: ``nodes`` and ``edges``, as a workflow writes them."""
        spec = self._engine.graph.spec
        nodes = [
            {"name": node.name, "type": node.type, "isStart": node.name == self._engine.graph.start,
             "metadata": {"position": node.metadata.get("position")}}
            for node in spec.nodes
        ]  # fmt: skip
        return {"nodes": nodes, "edges": [{"from": edge.from_, "to": edge.to} for edge in spec.edges]}

    def opening_answers(self, context: CallContext) -> ExpectedAnswers:
        """What the caller may say to the greeting, before any reply was asked for."""
        return self._engine.expected(self._engine.state((), context, ()))

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelDelta]:
        """Where the conversation stands, then the words by clause, what to do, and what to expect."""
        tools = [tool.name for tool in request.tools]
        meanings = await self._meaning.of(self._engine.turns(request.messages)) if self._meaning is not None else None
        state = self._engine.state(request.messages, request.context, tools, meanings)
        reply = self._engine.reply(state)
        yield PlaceDelta(state.node)
        for clause in _CLAUSE.findall(reply.text):
            if clause:
                yield TextDelta(clause)
        if reply.call is not None:
            yield ToolCallDelta(reply.call)
        yield ExpectedAnswersDelta(self._engine.expected(state))
        if reply.transfer_to:
            yield TransferDelta(reply.transfer_to)
        if reply.ends_call:
            yield EndCallDelta()
