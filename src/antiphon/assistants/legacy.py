"""Fields that the platform has dropped and configurations still send, written as what took their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_successors(assistant: Mapping[str, Any]) -> dict[str, Any]:
    """The assistant with what its legacy fields stand for added. They stay; where both say something, the newer one counts, but of two that
    say whether anything is kept, the one that keeps less."""
    whole = dict(assistant)
    if whole.get("hipaaEnabled") is True:
        plan = whole.get("compliancePlan")
        whole["compliancePlan"] = {**(plan if isinstance(plan, Mapping) else {}), "hipaaEnabled": True}
    model = whole.get("model")
    if isinstance(model, Mapping) and (tools := _tools_meant(whole, model.get("tools"))):
        whole["model"] = {**model, "tools": [*(model.get("tools") or ()), *tools]}
    return whole


def _tools_meant(assistant: Mapping[str, Any], written: Any) -> list[dict[str, Any]]:
    there = (
        {each.get("type") for each in written if isinstance(each, Mapping)}
        if isinstance(written, list | tuple)
        else set()
    )
    if written and not there:
        return []  # its form is wrong, and is told
    number = assistant.get("forwardingPhoneNumber")
    meant: dict[str, dict[str, Any] | None] = {
        "endCall": {"type": "endCall"} if assistant.get("endCallFunctionEnabled") is True else None,
        "dtmf": {"type": "dtmf"} if assistant.get("dialKeypadFunctionEnabled") is True else None,
        "transferCall": {"type": "transferCall", "destinations": [{"type": "number", "number": number}]}
        if number
        else None,
    }
    return [tool for kind, tool in meant.items() if tool is not None and kind not in there]
