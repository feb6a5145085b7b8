"""query: a question to files. What is answered are the passages that fit it best, for the model to tell; or that there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

log = structlog.get_logger(__name__)

NOTHING = "Nothing about this was found. Say so; do not make up an answer."
UNREADABLE = "The files of this knowledge base cannot be read."
MAX_QUESTION_CHARS = 500


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a file."""

    text: str
    file: str
    """Its name, as people know it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, best first. ``unread``: how many of the files could not be read."""

    passages: Sequence[Passage] = ()
    unread: int = 0


class Knowledge(Protocol):
    """Looks into files."""

    async def find(self, question: str, file_ids: Sequence[str], org_id: str) -> Found:
        """Files that are not the organisation's are not there. Raises StoreUnavailable."""
        ...


OrgOf = Callable[[CallContext], str]
"""Whose conversation it is."""


@dataclass(frozen=True, slots=True)
class Base:
    """A knowledge base: files under a name."""

    name: str
    file_ids: tuple[str, ...]


class QueryTool:
    """One of one assistant."""

    def __init__(self, bases: Sequence[Base], knowledge: Knowledge, org_of: OrgOf) -> None:
        self._bases = tuple(bases)
        self._knowledge = knowledge
        self._org_of = org_of

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        question = str(call.arguments.get("query") or "").strip()[:MAX_QUESTION_CHARS]
        if not question:
            return ToolAnswer("query must say what is looked for.", failed=True)
        wanted = call.arguments.get("knowledgeBase")
        # A name that a model makes up is no reason to look nowhere.
        bases = [base for base in self._bases if base.name == wanted] or self._bases
        file_ids = tuple(dict.fromkeys(id for base in bases for id in base.file_ids))
        found = await self._knowledge.find(question, file_ids, self._org_of(context))
        if found.unread:
            log.warning("knowledge_files_unread", call_id=context.call_id, files=found.unread)
        if not found.passages:
            nothing = found.unread == len(file_ids)
            return ToolAnswer(UNREADABLE if nothing else NOTHING, failed=nothing)
        return ToolAnswer("\n\n".join(f"[{passage.file}] {passage.text}" for passage in found.passages))


def query_parameters(names: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of the arguments that the model fills in."""
    query = {"type": "string", "description": "What is looked for, as a whole question in the caller's language."}
    properties: dict[str, Any] = {"query": query}
    named = [name for name in names if name]
    if len(named) > 1:
        properties["knowledgeBase"] = {"type": "string", "enum": named, "description": "Where; left out: everywhere."}
    return {"type": "object", "properties": properties, "required": ["query"]}
