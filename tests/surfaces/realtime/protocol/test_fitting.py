"""Events for clients that take only short messages."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from antiphon.surfaces.realtime.protocol.fitting import fitted

LIMIT = 16_384


def fit(event: dict[str, Any], limit_bytes: int = LIMIT) -> dict[str, Any]:
    payload = fitted(orjson.dumps({"event_id": "event_1", **event}), limit_bytes)
    assert payload is not None
    assert len(payload) <= limit_bytes
    read: dict[str, Any] = orjson.loads(payload)
    assert read["event_id"] == "event_1"
    return read


def test_what_fits_is_left_alone() -> None:
    payload = orjson.dumps({"type": "session.created", "session": {"instructions": "ä" * 100}})
    assert fitted(payload, len(payload)) is payload


@pytest.mark.parametrize("character", ["x", "ä", "\n", "𝄞"])
def test_long_texts_are_cut_and_short_ones_are_not(character: str) -> None:
    item = {"type": "function_call_output", "id": "item_1", "call_id": "call_1", "output": character * 200_000}
    read = fit({"type": "conversation.item.added", "previous_item_id": None, "item": item})
    assert read["type"] == "conversation.item.added"
    output = read["item"].pop("output")
    assert read["item"] == {"type": "function_call_output", "id": "item_1", "call_id": "call_1"}
    assert output.endswith("…") and 1000 < len(output) <= LIMIT


def test_a_session_gives_up_its_tools_last() -> None:
    tools = [{"type": "function", "name": f"tool_{number}", "description": "What it does."} for number in range(400)]
    session = {"type": "realtime", "id": "sess_1", "instructions": "i" * 5000, "tools": tools}
    read = fit({"type": "session.updated", "session": session})
    assert read["session"] == {"type": "realtime", "id": "sess_1", "instructions": "i" * 256 + "…"}
    kept = fit({"type": "session.updated", "session": {**session, "tools": tools[:40]}}, 8000)
    assert len(kept["session"]["tools"]) == 40


def test_a_function_s_arguments_come_whole_or_not_at_all() -> None:
    call = {"type": "function_call", "id": "item_1", "name": "f", "arguments": '{"a":"' + "x" * LIMIT + '"}'}
    for event in (
        {"type": "response.function_call_arguments.delta", "delta": call["arguments"]},
        {"type": "response.output_item.done", "output_index": 0, "item": call},
    ):
        read = fit(event)
        assert read["type"] == "error"
        assert read["error"]["code"] == "event_too_large"
        assert event["type"] in read["error"]["message"]
    done = fit({"type": "response.done", "response": {"id": "resp_1", "status": "completed", "output": [call]}})
    assert done["response"] == {"id": "resp_1", "status": "completed", "output": []}, "clients wait for its end"


def test_there_is_a_size_below_which_nothing_can_be_said() -> None:
    assert (
        fitted(orjson.dumps({"event_id": "event_1", "type": "session.created", "session": {"id": "s" * 99}}), 60)
        is None
    )
