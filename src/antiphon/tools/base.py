"""The protocol that every kind of tool stands behind: local functions, webhooks."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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


@runtime_checkable
class LoadsTools(Protocol):
    """A runner some of whose tools are known only once others (MCP servers) have been asked."""

    async def load(self) -> None:
        """Before the call begins. Within a few seconds, and never fails: what did not answer is ``missing``."""
        ...

    def missing(self) -> tuple[tuple[str, str], ...]:
        """The field of the assistant, and why it has no effect on this call."""
        ...


def missing_tools(runner: ToolRunner | None) -> tuple[tuple[str, str], ...]:
    return runner.missing() if isinstance(runner, LoadsTools) else ()
