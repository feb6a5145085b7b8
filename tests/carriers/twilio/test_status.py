"""Row 25's status callbacks: late, twice, out of order."""

from __future__ import annotations

import pytest

from antiphon.carriers.twilio.status import CallStatuses, is_known


def test_only_forward() -> None:
    statuses = CallStatuses()
    news = [
        statuses.observe("CA1", status)
        for status in ("initiated", "in-progress", "ringing", "in-progress", "completed", "in-progress", "busy")
    ]
    assert news == [True, True, False, False, True, False, False]
    assert statuses.status("CA1") == "completed"


def test_calls_do_not_mix() -> None:
    statuses = CallStatuses()
    statuses.observe("CA1", "completed")
    assert statuses.observe("CA2", "ringing")
    assert statuses.status("CA3") is None


def test_the_oldest_are_forgotten() -> None:
    statuses = CallStatuses(capacity=2)
    for call_sid in ("CA1", "CA2", "CA3"):
        statuses.observe(call_sid, "completed")
    assert [statuses.status(call_sid) for call_sid in ("CA1", "CA2", "CA3")] == [None, "completed", "completed"]


@pytest.mark.parametrize(("status", "known"), [("no-answer", True), ("queued", True), ("", False), ("lost", False)])
def test_known(status: str, known: bool) -> None:
    assert is_known(status) is known
