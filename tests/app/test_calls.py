"""What is kept of calls expires, and is bounded."""

from __future__ import annotations

from typing import Any

from antiphon.app.calls import Calls, Lifetimes
from antiphon.clock import ManualClock


def message(id: str, kind: str = "status-update", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "call": {"id": id}, **fields}


def test_a_call_is_the_same_until_it_expires() -> None:
    clock = ManualClock()
    calls = Calls(Lifetimes(idle_s=60, ended_s=10), clock.now_ms)
    first = calls.about(message("c1", customer={"number": "+15550111"}))
    first.state["booked"] = 7
    clock.advance(59_000)
    assert calls.about(message("c1")) is first
    clock.advance(59_000)
    found = calls.find("c1")
    assert found is not None and found.state == {"booked": 7}
    clock.advance(1_000)
    assert calls.find("c1") is None and len(calls) == 0
    assert calls.about(message("c1")).state == {}


def test_one_that_has_ended_goes_sooner_and_before_those_that_live() -> None:
    clock = ManualClock()
    calls = Calls(Lifetimes(idle_s=60, ended_s=10, most=3), clock.now_ms)
    for id in ("c1", "c2", "c3"):
        calls.about(message(id))
    assert calls.about(message("c2", "end-of-call-report")).ended
    calls.about(message("c4"))
    assert calls.find("c2") is None and calls.find("c1") is not None
    calls.about(message("c3", "end-of-call-report"))
    assert calls.about(message("c3", "status-update")).ended, "what comes late brings no call back to life"
    clock.advance(10_000)
    assert calls.find("c3") is None and len(calls) == 2
    calls.about(message("c5"))
    calls.about(message("c6"))
    assert calls.find("c1") is None, "the one that was not heard of for the longest time made room"


def test_a_message_about_no_call_has_one_of_its_own() -> None:
    calls = Calls(Lifetimes(), ManualClock().now_ms)
    for call in (None, "c1", {"id": 7}, {"id": ""}, {"id": "x" * 200}):
        made = calls.about({"type": "status-update", "call": call})
        assert made.id == "" and made.caller == ""
    assert len(calls) == 0
    assert calls.about(message("c1", customer={"number": "+15550111"})).caller == "+15550111"
