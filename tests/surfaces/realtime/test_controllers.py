"""Who is told what, and how much anybody may say."""

from __future__ import annotations

from typing import Any

import orjson
from structlog.testing import capture_logs

from antiphon.clock import ManualClock
from antiphon.surfaces.realtime.controllers import MAX_CONTROLLERS, Controllers

GREETING = {"type": "session.created", "session": {"type": "realtime"}}


class Recorder:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.closed = 0

    def send(self, event: bytes) -> None:
        self.told.append(orjson.loads(event))

    def hold(self, held: bool) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.closed += 1


def test_everybody_is_told_the_same_event() -> None:
    everybody = Controllers("sess_1", ManualClock(), checks_order=False)
    first, second = Recorder(), Recorder()
    everybody.attach(first, GREETING, primary=True)
    everybody.send({"type": "input_audio_buffer.cleared"})
    everybody.attach(second, GREETING, primary=False)
    everybody.send({"type": "input_audio_buffer.cleared"})
    everybody.tell(second, {"type": "only"})
    assert first.told[-1] == second.told[1]
    assert len({event["event_id"] for event in first.told}) == 3
    assert [event["type"] for event in second.told] == ["session.created", "input_audio_buffer.cleared", "only"]
    everybody.detach(first)
    everybody.detach(first)
    everybody.tell(first, {"type": "never"})
    everybody.close(1000, "")
    assert (first.closed, second.closed, len(everybody)) == (0, 1, 0)


def test_what_happened_before_the_session_s_own_connection_is_kept_within_bounds() -> None:
    everybody = Controllers("sess_1", ManualClock(), checks_order=False)
    for _ in range(2000):
        everybody.send({"type": "input_audio_buffer.cleared"})
    primary = Recorder()
    everybody.attach(primary, GREETING, primary=True)
    assert len(primary.told) == 1001


def test_there_is_a_most() -> None:
    everybody = Controllers("sess_1", ManualClock(), checks_order=False)
    assert all(everybody.attach(Recorder(), GREETING, primary=False) for _ in range(MAX_CONTROLLERS))
    assert not everybody.attach(Recorder(), GREETING, primary=False)


def test_a_burst_is_welcome_and_a_flood_is_not() -> None:
    clock = ManualClock()
    everybody = Controllers("sess_1", clock, checks_order=False)
    one = Recorder()
    assert not everybody.may_send(one)
    everybody.attach(one, GREETING, primary=True)
    assert all(everybody.may_send(one) for _ in range(2000))
    assert not everybody.may_send(one)
    clock.advance(1000)
    assert sum(everybody.may_send(one) for _ in range(200)) in (98, 99, 100)


def test_a_broken_order_is_logged_by_its_rule_alone() -> None:
    everybody = Controllers("sess_1", ManualClock(), checks_order=True)
    one = Recorder()
    everybody.attach(one, GREETING, primary=True)
    with capture_logs() as logs:
        everybody.send({"type": "conversation.item.deleted", "item_id": "nobody"})
        everybody.send({"type": "response.output_text.delta", "response_id": "r", "item_id": "secret", "output_index": 0,
                        "content_index": 0, "delta": "secret words"})  # fmt: skip
    assert {entry["event"] for entry in logs} == {"realtime_order_broken"}
    assert "secret" not in str(logs)
