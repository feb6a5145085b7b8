"""The log of requests: three tables as one list, filtered, paged, deleted and forgotten, in both databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.databases import sqlite_url

from antiphon.calls.request_log import LogEntry, LogListing, RequestLog
from antiphon.calls.stores import CallRecord, Span
from antiphon.clock import ManualClock
from antiphon.losses import Losses
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.deliveries import StoredDeliveries
from antiphon.storage.request_log import StoredRequestLog
from antiphon.webhooks.deliveries import Attempt, Delivery, Outcome

ASKED = LogEntry("org", "API", 1000, 5, "PATCH", "/assistant/a1", 200, "", "assistant", assistant_id="a1")
TOLD = LogEntry(
    "org", "Webhook", 3000, 9, "POST", "https://a.test/hook", 500, webhook_type="status-update", call_id="c1"
)


async def filled(database: Database) -> StoredRequestLog:
    """One of each kind, and a delivery that was tried twice."""
    log, outbox = StoredRequestLog(database), StoredDeliveries(database)
    await log.add([ASKED, TOLD, replace(ASKED, org_id="another")])
    call = CallRecord(
        "c1", "org", "webCall", "ended", 0, 5000, 2000, 5000, "provider-failed", assistant_id="a1", squad_id="s1"
    )
    await StoredCalls(database).add(call)
    target = {"url": "https://a.test/hook?token=x", "secret": "s3cret"}
    await outbox.add(
        Delivery("d1", "org", "end-of-call-report", target, '{"n":1,"secret":"s3cret"}', 6000, 6000, "c1", "a1")
    )
    await outbox.add(Delivery("d2", "org", "end-of-call-report", target, "{}", 6000, 99_000, "c2", "a2"))
    for wall_ms, status in ((6000, 503), (7000, 200)):
        (mine,) = await outbox.claim(wall_ms, 5, "w", 1000)
        retry_ms = 7000 if status != 200 else None
        attempt = Attempt(wall_ms, 12, status, answer="you said s3cret")
        assert await outbox.settle([Outcome(mine, attempt, status == 200, retry_ms)]) == 1
    return log


async def test_requests_attempts_and_calls_are_one_list(database: Database) -> None:
    log = await filled(database)
    found = await log.list("org", LogListing())
    assert [(each.type, each.wall_ms, each.status) for each in found] == [
        ("Webhook", 7000, 200), ("Webhook", 6000, 503), ("Call", 5000, None), ("Webhook", 3000, 500), ("API", 1000, 200),
    ]  # fmt: skip
    assert found[3:] == [TOLD, ASKED]
    assert (found[0].url, found[0].request_body) == ("https://a.test/hook", '{"n":1,"secret":"********"}')
    assert found[0].response_body == "you said ********"
    assert (found[2].error, found[2].duration_ms, found[2].call_id) == ("provider-failed", 3000, "c1")
    assert await log.count("org", LogListing()) == 5
    assert await log.list("nobody", LogListing()) == []


@pytest.mark.parametrize(
    ("listing", "times"),
    [
        (LogListing(type="API"), [1000]),
        (LogListing(type="Webhook", order="oldest"), [3000, 6000, 7000]),
        (LogListing(type="Call"), [5000]),
        (LogListing(limit=2, offset=1), [6000, 5000]),
        (LogListing(made=Span(3000, 6000)), [6000, 5000, 3000]),
        (LogListing(equal={"webhook_type": "status-update"}), [3000]),
        (LogListing(type="Call", equal={"webhook_type": "status-update"}), []),
        (LogListing(equal={"call_id": "c1"}), [7000, 6000, 5000, 3000]),
        (LogListing(equal={"assistant_id": "a1"}), [7000, 6000, 5000, 1000]),
        (LogListing(equal={"squad_id": "s1"}), [7000, 6000, 5000, 3000]),
    ],
)
async def test_it_is_filtered_and_paged(database: Database, listing: LogListing, times: list[int]) -> None:
    log = await filled(database)
    assert [each.wall_ms for each in await log.list("org", listing)] == times
    if not listing.offset:
        assert await log.count("org", listing) == len(times)


async def test_what_is_deleted_is_gone_and_what_waits_to_be_delivered_stays(database: Database) -> None:
    log = await filled(database)
    assert await log.delete("org", LogListing(type="API")) == 1
    assert await log.delete("org", LogListing(type="Call")) == 0
    assert await log.delete("org", LogListing(equal={"call_id": "c1"})) == 3
    assert [each.type for each in await log.list("org", LogListing())] == ["Call"]
    assert await StoredDeliveries(database).find("org", "d2") is not None
    assert await log.count("another", LogListing()) == 1


async def test_it_forgets_what_is_old_and_all_of_a_call(database: Database) -> None:
    log = await filled(database)
    assert await log.forget(500, 100) == 0
    assert await log.forget(2000, 100) == 2, "of both organisations"
    assert await log.forget(8000, 100) == 2, "the event, and the delivery that was made"
    assert [each.type for each in await log.list("org", LogListing())] == ["Call"]
    await log.add([TOLD, TOLD, TOLD])
    assert await log.forget(0, 2) == 1, "no more are kept than so many"
    await log.forget_call("c1")
    await log.forget_call("c2")
    assert [each.type for each in await log.list("org", LogListing())] == ["Call"]
    assert await StoredDeliveries(database).find("org", "d2") is None


async def test_what_is_put_is_written_together_and_bounded(tmp_path: Path) -> None:
    database, losses = Database(sqlite_url(tmp_path)), Losses()
    await database.open()
    store = StoredRequestLog(database)
    log = RequestLog(store, ManualClock(), 1.0, losses)
    for _ in range(5003):
        log.put(ASKED)
    assert losses.counts()["log_entries_dropped", ()] == 3
    await log.written()
    assert await store.count("org", LogListing()) == 5000
    log.start()
    log.put(TOLD)
    await log.close()
    assert await store.count("org", LogListing(type="Webhook")) == 1
    await database.close()


async def test_an_entry_that_cannot_be_kept_does_not_keep_the_others_from_it(database: Database) -> None:
    losses = Losses()
    store = StoredRequestLog(database)
    log = RequestLog(store, ManualClock(), 1.0, losses)
    for entry in (ASKED, replace(ASKED, wall_ms=2**63), TOLD):
        log.put(entry)
    await log.written()
    assert await store.count("org", LogListing()) == 2
    assert losses.counts() == {("log_entries_dropped", ()): 1}
