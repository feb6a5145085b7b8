"""Values that the platform takes although its published document gives them another type: text and numbers that it calls objects."""

from __future__ import annotations

from typing import Any

import pytest
from tests.surfaces.vapi.desk import Desk

BACKOFF = {"type": "exponential", "maxRetries": 2, "baseDelaySeconds": 1, "excludedStatusCodes": [400, 404]}
SERVER = {"url": "https://app.example.com", "backoffPlan": BACKOFF}
DESTINATION = {
    "type": "number",
    "number": "+14155550100",
    "transferPlan": {"mode": "blind-transfer", "sipVerb": "refer"},
}
MOCK = {"role": "assistant", "toolCalls": [{"name": "look", "arguments": '{"city": "Paris"}'}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/assistant", {"server": SERVER}),
        ("/assistant", {"voice": {"provider": "neuphonic", "voiceId": "v", "language": "en"}}),
        (
            "/assistant",
            {
                "voice": {
                    "provider": "cartesia",
                    "voiceId": "v",
                    "experimentalControls": {"emotion": ["positivity:high"]},
                }
            },
        ),
        ("/tool", {"type": "function", "function": {"name": "f"}, "server": SERVER}),
        (
            "/tool",
            {
                "type": "apiRequest",
                "method": "GET",
                "url": "https://app.example.com",
                "backoffPlan": {**BACKOFF, "type": "fixed"},
            },
        ),
        ("/tool", {"type": "transferCall", "destinations": [DESTINATION]}),
        ("/eval", {"type": "chat.mockConversation", "messages": [{"role": "user", "content": "hi"}, MOCK]}),
    ],
)
async def test_it_is_taken_and_comes_back(quick_desk: Desk, path: str, body: dict[str, Any]) -> None:
    made = await quick_desk.client.post(path, json=body)
    assert made.status_code == 201, made.text
    assert {name: made.json()[name] for name in body} == body


@pytest.mark.parametrize(
    ("backoff", "problem"),
    [
        (
            {**BACKOFF, "type": "linear"},
            "server.backoffPlan.type must be one of the following values: fixed, exponential",
        ),
        ({**BACKOFF, "type": {}}, "server.backoffPlan.type must be a string"),
        ({**BACKOFF, "maxRetries": 11}, "server.backoffPlan.maxRetries must not be greater than 10"),
    ],
)
async def test_others_are_refused(quick_desk: Desk, backoff: Any, problem: str) -> None:
    answer = await quick_desk.client.post("/assistant", json={"server": {**SERVER, "backoffPlan": backoff}})
    assert (answer.status_code, problem in answer.json()["message"]) == (400, True), answer.text
