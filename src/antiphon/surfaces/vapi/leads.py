"""Who leads a conversation in text that was handed over, and what that one is shown: as a chat keeps it, for the next one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.chat.agent import Wanted
from antiphon.chat.history import read_messages, written
from antiphon.chat.shown import Shown, ShownMessage
from antiphon.vocabulary import Message, ToolOutcome

_FIELDS = {
    "assistantId": "assistant_id", "assistant": "assistant", "overrides": "overrides", "variables": "variables",
    "squadId": "squad_id", "squad": "squad", "squadOverrides": "squad_overrides",
}  # fmt: skip


def kept_lead(wanted: Wanted, shown: Shown) -> dict[str, Any]:
    """As JSON."""
    lead: dict[str, Any] = {
        name: value
        for name, attribute in _FIELDS.items()
        if (value := getattr(wanted, attribute)) not in ("", None, {})
    }
    lead["shown"] = written(each.message for each in shown.said)
    lead["origins"] = [each.origin for each in shown.said]
    if shown.instructions is not None:
        lead["instructions"] = written(shown.instructions)
    return lead


def read_lead(lead: Mapping[str, Any], outcomes: Mapping[str, ToolOutcome]) -> tuple[Wanted, Shown]:
    """As ``kept_lead`` wrote it."""
    wanted = Wanted(**{attribute: lead[name] for name, attribute in _FIELDS.items() if name in lead})
    messages = read_messages(lead["shown"], outcomes=outcomes)
    said = tuple(ShownMessage(*each) for each in zip(messages, lead["origins"], strict=True))
    instructions: tuple[Message, ...] | None = None
    if "instructions" in lead:
        instructions = tuple(read_messages(lead["instructions"]))
    return wanted, Shown(said, instructions)
