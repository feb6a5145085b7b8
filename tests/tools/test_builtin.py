from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from antiphon.errors import RequestFailed
from antiphon.tools.builtin import AskedTransferTool, Destination, EndCallTool, TransferCallTool, transfer_parameters
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

CONTEXT = CallContext("c1")
SALES = Destination("+15550100", "One moment, sales.", "buys something")
REPAIRS = Destination("sip:repairs@example.test", description="has something broken")


async def test_the_end() -> None:
    assert (await EndCallTool().run(ToolCall("1", "endCall"), CONTEXT)).ends_call


@pytest.mark.parametrize(
    ("destinations", "arguments", "to"),
    [
        ([SALES], {}, SALES.address),
        ([SALES, REPAIRS], {"destination": REPAIRS.address}, REPAIRS.address),
        ([SALES, REPAIRS], {}, ""),
        ([SALES], {"destination": "+19005550199"}, ""),
    ],
)
async def test_a_call_goes_where_the_assistant_says_and_nowhere_else(
    destinations: list[Destination], arguments: dict[str, str], to: str
) -> None:
    answer = await TransferCallTool(destinations).run(ToolCall("1", "transferCall", arguments), CONTEXT)
    assert isinstance(answer, ToolAnswer)
    assert (answer.transfer_to, answer.failed) == (to, not to)


def test_the_model_chooses_where_there_is_a_choice() -> None:
    assert transfer_parameters([SALES])["properties"] == {}
    choice = transfer_parameters([SALES, REPAIRS])["properties"]["destination"]  # type: ignore[index]
    assert choice["enum"] == [SALES.address, REPAIRS.address]
    assert "has something broken" in choice["description"]


@pytest.mark.parametrize(
    ("said", "to", "words"),
    [
        ({"destination": {"type": "number", "number": "+15550100", "message": "Sales."}}, "+15550100", "Sales."),
        ({"destination": {"type": "sip", "sipUri": "sip:a@b.test"}, "message": "One moment."}, "sip:a@b.test", "One moment."),
        ({"destination": {"type": "number", "number": "+15550100"}, "message": {"content": "So."}}, "+15550100", "So."),
        ({"destination": "+15550100"}, "+15550100", ""),
        ({"error": "They are at lunch."}, "", ""),
        ({"destination": {"type": "number"}}, "", ""),
        ({"destination": 7}, "", ""),
        ({}, "", ""),
        (None, "", ""),
    ],
)  # fmt: skip
async def test_where_to_is_what_the_application_says(said: dict[str, Any] | None, to: str, words: str) -> None:
    asked = []

    async def ask(context: CallContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append((context.call_id, arguments))
        if said is None:
            raise RequestFailed("timeout", "no answer")
        return said

    async def hand_over(context: CallContext, destination: Mapping[str, Any], told: Mapping[str, Any]) -> str:
        raise AssertionError("to no assistant")

    answer = await AskedTransferTool(ask, hand_over).run(ToolCall("1", "transferCall", {"why": "sales"}), CONTEXT)
    assert asked == [("c1", {"why": "sales"})]
    assert (answer.transfer_to, answer.say, answer.failed) == (to, words, not to)
    assert answer.content == {"They are at lunch.": "They are at lunch."}.get(
        (said or {}).get("error", ""), answer.content
    )
