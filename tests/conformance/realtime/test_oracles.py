"""The judges themselves: each must see what it is there to see."""

from __future__ import annotations

from typing import Any

from tests.conformance.realtime import oracles
from tests.conformance.realtime.oracles import AgentsJs

IDS = {"event_id": "e", "response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def item_added(**item: Any) -> dict[str, Any]:
    return {"type": "conversation.item.added", "event_id": "e", "item": {"id": "i", **item}}


def test_openai_python_misses_a_required_field() -> None:
    complete = {"type": TRANSCRIBED, "event_id": "e", "item_id": "i", "content_index": 0, "transcript": "Hey"}
    assert oracles.openai_python({**complete, "usage": {"type": "duration", "seconds": 1.0}}) is None
    assert "usage" in str(oracles.openai_python(complete))


def test_openai_python_knows_no_such_event() -> None:
    assert oracles.openai_python({"type": "conversation.item.improved", "event_id": "e"})


def test_agents_js_drops_a_null_where_it_wants_nothing(agents_js: AgentsJs) -> None:
    part = {"type": "response.content_part.added", **IDS, "part": {"type": "audio", "transcript": ""}}
    spoilt = {**part, "part": {"type": "audio", "transcript": "", "audio": None}}
    fine, dropped = agents_js.judge([part, spoilt])
    assert fine is None
    assert dropped is not None
    assert dropped.startswith("dropped: part")


def test_agents_js_throws_without_a_transcript(agents_js: AgentsJs) -> None:
    message = {"type": "message", "role": "user", "status": "completed", "object": "realtime.item"}
    fine, thrown = agents_js.judge(
        [
            item_added(**message, content=[{"type": "input_audio", "transcript": None}]),
            item_added(**message, content=[{"type": "input_audio"}]),
        ]
    )
    assert fine is None
    assert str(thrown).startswith("throws")


def test_the_specification_tells_a_wrong_type() -> None:
    delta = {"type": "response.output_text.delta", **IDS, "delta": "Hel"}
    assert oracles.specification(delta) is None
    assert "delta" in str(oracles.specification({**delta, "delta": 1}))
    assert oracles.specification({"type": "response.text.delta", "event_id": "e"}) == "no such event"


def test_order_is_judged_over_a_whole_stream() -> None:
    delta = {"type": "response.output_text.delta", **IDS, "delta": "Hel"}
    assert oracles.order([delta])
