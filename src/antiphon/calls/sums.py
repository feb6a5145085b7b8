"""What can be summed up over the calls of an organisation, as a protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Operation = Literal["sum", "avg", "count", "min", "max", "history"]
OPERATIONS: tuple[Operation, ...] = ("sum", "avg", "count", "min", "max", "history")
COLUMNS = (
    "id", "cost", "duration", "minutesUsed", "costBreakdown.llm", "costBreakdown.stt", "costBreakdown.tts",
    "costBreakdown.vapi", "costBreakdown.transport", "costBreakdown.analysisBreakdown.summary",
    "costBreakdown.transcriber", "costBreakdown.ttsCharacters", "costBreakdown.llmPromptTokens",
    "costBreakdown.llmCompletionTokens", "costBreakdown.llmCachedPromptTokens",
)  # fmt: skip
"""``duration`` in seconds; ``cost`` in US dollars. ``id`` can only be counted."""
GROUPS = ("type", "assistantId", "endedReason", "status", "analysis.successEvaluation")


@dataclass(frozen=True, slots=True)
class Summed:
    """One column, summed up."""

    operation: Operation
    """``history``: how many for ``id``, else the average."""
    column: str
    alias: str
    """What it is called in the answer."""


@dataclass(frozen=True, slots=True)
class SumQuestion:
    """Calls made from ``edges_ms[0]`` on and before the last edge, in the steps between the edges (UTC milliseconds, ascending)."""

    operations: Sequence[Summed]
    edges_ms: Sequence[int]
    group_by: Sequence[str] = ()


class CallSums(Protocol):
    """Sums over calls."""

    async def ask(self, org_id: str, question: SumQuestion) -> Sequence[tuple[int, Mapping[str, Any]]]:
        """The number of the step and its values by alias and group, in order; steps without calls are left out. Raises
        StoreUnavailable."""
        ...
