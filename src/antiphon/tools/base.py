"""The protocol that every kind of tool stands behind: local functions, webhooks."""

from __future__ import annotations

from typing import Protocol

from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall, ToolSpec


class ToolRunner(Protocol):
    """Runs the tools an assistant offers: local functions, webhooks."""

    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools offered."""
        ...

    async def run(self, call: ToolCall, context: CallContext) -> str | ToolAnswer:
        """The tool's answer: text for the model, or a ``ToolAnswer`` where there is more to it. Cancelled at its deadline. Any exception
        counts as failed.

        ``call.id`` is the idempotency key: the same id must not do the work twice.
        """
        ...
