"""Row 25's callbacks: late, twice, out of order."""

from __future__ import annotations

import pytest

from antiphon.carriers.streams.status import CallAnswers
from antiphon.carriers.twilio.status import CallStatuses, is_known


def test_only_forward() -> None:
    statuses = CallStatuses()
    news = [
        statuses.observe("CA1", status)
        for status in ("initiated", "in-progress", "ringing", "in-progress", "completed", "in-progress", "busy")
    ]
    assert news == [True, True, False, False, True, False, False]
    assert statuses.known("CA1") == "completed"


def test_calls_do_not_mix() -> None:
    statuses = CallStatuses()
    statuses.observe("CA1", "completed")
    assert statuses.observe("CA2", "ringing")
    assert statuses.known("CA3") is None


def test_the_oldest_are_forgotten() -> None:
    statuses = CallStatuses(capacity=2)
    for call_sid in ("CA1", "CA2", "CA3"):
        statuses.observe(call_sid, "completed")
    assert [statuses.known(call_sid) for call_sid in ("CA1", "CA2", "CA3")] == [None, "completed", "completed"]


@pytest.mark.parametrize(("status", "known"), [("no-answer", True), ("queued", True), ("", False), ("lost", False)])
def test_known(status: str, known: bool) -> None:
    assert is_known(status) is known


@pytest.mark.parametrize(
    ("told", "news"),
    [
        (("human", "human"), (True, False)),
        (("human", "machine_start"), (True, False)),
        (("human", "machine_end_beep"), (True, False)),
        (("machine_start", "machine_end_silence", "machine_end_beep"), (True, True, False)),
        (("unknown", "machine_end_other", "unknown"), (True, True, False)),
        (("fax", "machine_start"), (True, False)),
    ],
)
def test_who_answered_becomes_clearer_and_is_never_taken_back(told: tuple[str, ...], news: tuple[bool, ...]) -> None:
    answers = CallAnswers()
    assert tuple(answers.observe("CA1", answer) for answer in told) == news
    assert answers.observe("CA2", told[0])
