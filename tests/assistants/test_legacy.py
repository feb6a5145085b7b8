"""Legacy fields mean what they meant."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.assistants.compile import compile_assistant
from antiphon.assistants.spec import parse_assistant
from antiphon.assistants.tools import tool_specs

MODEL = {"provider": "scripted"}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"hipaaEnabled": True}, False),
        ({"hipaaEnabled": True, "compliancePlan": {"hipaaEnabled": False}}, False),
        ({"hipaaEnabled": False}, True),
        ({"hipaaEnabled": None}, True),
        ({"hipaaEnabled": True, "compliancePlan": None}, False),
        ({"hipaaEnabled": False, "compliancePlan": {"pciEnabled": True}}, False),
    ],
)
def test_who_wants_nothing_kept_gets_it(fields: dict[str, Any], kept: bool) -> None:
    assert parse_assistant(fields).compliance_plan.keeps_nothing is not kept
    assert not compile_assistant({"model": MODEL, **fields}, 0).warnings


@pytest.mark.parametrize(
    ("fields", "tools", "offered"),
    [
        ({"endCallFunctionEnabled": True}, None, ["endCall"]),
        ({"endCallFunctionEnabled": True}, [{"type": "endCall"}], ["endCall"]),
        ({"endCallFunctionEnabled": False, "forwardingPhoneNumber": ""}, [], []),
        ({"dialKeypadFunctionEnabled": True, "forwardingPhoneNumber": "+14155550100"}, [{"type": "endCall"}],
         ["endCall", "dtmf", "transferCall"]),
    ],
)  # fmt: skip
def test_switches_are_tools(fields: dict[str, Any], tools: Any, offered: list[str]) -> None:
    document = {"model": {**MODEL, **({"tools": tools} if tools is not None else {})}, **fields}
    compiled = compile_assistant(document, 0)
    assert [tool.name for tool in tool_specs(compiled.spec)] == offered
    assert not compiled.warnings
    assert compiled.document == document, "it is kept and shown as it was written"
    assert tool_specs(compile_assistant(fields, 0).spec) == (), "without a model there is nobody to offer them to"
