from __future__ import annotations

import pytest

from antiphon.tools.builtin import Destination, EndCallTool, TransferCallTool, transfer_parameters
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
