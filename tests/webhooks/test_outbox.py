"""The outbox: until it is acknowledged, over a real database and real HTTP, whoever fails or dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from structlog.testing import capture_logs
from tests.databases import sqlite_url
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.clock import Clock, SystemClock
from antiphon.errors import ConfigurationError
from antiphon.losses import Losses
from antiphon.storage.database import Database
from antiphon.storage.deliveries import StoredDeliveries
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.deliveries import Attempt, AttemptListing, Delivery, Outcome
from antiphon.webhooks.egress import Egress
from antiphon.webhooks.outbox import Outbox, delivery_of
from antiphon.webhooks.target import UNTIL_ACKNOWLEDGED, Backoff, Target

QUICKLY = Backoff("fixed", 0.02, 1000)
AT_ONCE = 64
"""As many as an outbox has under way unless told otherwise."""
_PAGE = 250


async def target_of(delivery: Delivery) -> Target:
    if "gone" in delivery.target:
        raise ConfigurationError("credentialId", "there is none")
    backoff = Backoff() if "never again" in delivery.target else QUICKLY
    return Target(str(delivery.target["url"]), delivery.timeout_ms / 1000, backoff=backoff)


@asynccontextmanager
async def working(
    store: StoredDeliveries,
    losses: Losses | None = None,
    *,
    clock: Clock | None = None,
    idle: bool = False,
    **options: Any,
) -> AsyncIterator[Outbox]:
    """``idle``: it claims nothing."""
    clock = clock or SystemClock()
    client = WebhookClient(Egress(allow_loopback=True), clock)
    outbox = Outbox(store, client, clock, target_of, losses, look_every_s=0.2, **options)
    if not idle:
        outbox.start()
    try:
        yield outbox
    finally:
        await outbox.close()
        await client.close()


def delivery(url: str, number: int = 1, **options: Any) -> Delivery:
    return delivery_of(
        "end-of-call-report", f'{{"n":{number}}}', {"url": url}, "org", SystemClock(), id=f"d{number}", **options
    )


async def settled(store: StoredDeliveries, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while await store.next_due() is not None:  # noqa: ASYNC110 - the store is asked, as another process would
            await asyncio.sleep(0.02)


async def test_two_thousand_to_a_receiver_that_fails_and_is_restarted(database: Database) -> None:
    """None is lost, and none acknowledged twice. Whenever the receiver goes there are some in each state, waiting, claimed, asked, refused
    and due again, and one that is dropped or sent twice in any of them is counted."""
    count = 2_000
    store = StoredDeliveries(database)
    acknowledged: Counter[str] = Counter()
    asked = 0
    at_least = asyncio.Condition()

    async def answer(came: Received) -> Any:
        nonlocal asked
        async with at_least:
            asked += 1
            at_least.notify_all()
        if asked % 10 in (1, 4, 7):
            return Response(status_code=503)
        acknowledged[came.headers["idempotency-key"]] += 1
        return {}

    receiver = Receiver(answer)
    port = 0
    async with working(store, at_once=AT_ONCE) as outbox:
        filling: asyncio.Task[None] | None = None
        for share in (0.3, 0.7, 1.0):  # twice it goes away, and comes back at the same address
            async with receiving(receiver, port=port):
                port = int(receiver.url.rpartition(":")[2])
                filling = filling or asyncio.create_task(_fill(outbox, receiver.url, count))
                async with asyncio.timeout(120), at_least:
                    await at_least.wait_for(lambda share=share: len(acknowledged) >= count * share)  # type: ignore[misc]
                if share == 1.0:
                    await settled(store)
        assert filling is not None
        await filling
    assert len(acknowledged) == count
    assert set(acknowledged.values()) == {1}
    log = [entry for part in range(0, 2 * count, _PAGE) for entry in await _log(store, part)]
    noted = Counter(entry.delivery.id for entry in log if entry.attempt.status == 200)
    assert set(noted.values()) == {1}
    assert len(noted) == count or len(log) == 2 * count


async def _log(store: StoredDeliveries, offset: int) -> Any:
    return await store.attempts("org", AttemptListing(limit=_PAGE, offset=offset))


async def _fill(outbox: Outbox, url: str, count: int) -> None:
    for number in range(count):
        assert await outbox.put(delivery(url, number))


async def test_one_id_is_one_delivery_and_the_log_tells_its_attempts(database: Database) -> None:
    store = StoredDeliveries(database)
    answers = iter([500, 404, 200])

    async def answer(came: Received) -> Any:
        return Response(b"sorry\0" * 1000, status_code=next(answers))

    losses = Losses()
    async with receiving(Receiver(answer)) as receiver, working(store, losses) as outbox:
        assert await outbox.put(delivery(receiver.url, call_id="c1"))
        assert not await outbox.put(delivery(receiver.url, call_id="c1"))
        await settled(store)
        assert not await outbox.put(delivery(receiver.url)), "nor once it was delivered"
    log = await store.attempts("org", AttemptListing(call_id="c1"))
    assert [entry.attempt.status for entry in log] == [200, 404, 500]
    assert {len(entry.attempt.answer) <= 2000 for entry in log} == {True}
    assert {(entry.delivery.status, entry.delivery.attempts) for entry in log} == {("delivered", 3)}
    assert {came.headers["idempotency-key"] for came in receiver.received} == {"d1"}
    assert {came.body for came in receiver.received} == {b'{"n":1}'}
    assert losses.counts()["delivery_attempts_failed", (("type", "end-of-call-report"),)] == 2
    assert await store.attempts("another", AttemptListing()) == []
    assert await store.forget(0, call_id="c1") == 1
    assert await store.attempts("org", AttemptListing()) == []


async def test_a_receiver_nobody_knows_any_more_is_asked_for_again(database: Database) -> None:
    store = StoredDeliveries(database)
    async with working(store) as outbox:
        made = delivery("x")
        await outbox.put(Delivery(**{**_fields(made), "target": {"gone": True}}))
        async with asyncio.timeout(60):
            while not (log := await store.attempts("org", AttemptListing())):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert (log[0].attempt.error, log[0].delivery.status) == ("configuration", "pending")
    assert log[0].delivery.due_wall_ms >= made.due_wall_ms + 60_000


def _fields(made: Delivery) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Delivery.__dataclass_fields__}


async def test_a_claim_is_one_worker_s_until_its_lease_ends(database: Database) -> None:
    store = StoredDeliveries(database)
    for number in range(20):
        await store.add(delivery("http://a.test", number, timeout_s=2.0))
    now_ms = SystemClock().wall_ms()
    claims = await asyncio.gather(*(store.claim(now_ms, 5, f"w{worker}", 1000) for worker in range(6)))
    ids = [each.id for claimed in claims for each in claimed]
    assert sorted(ids) == sorted(f"d{number}" for number in range(20))
    assert await store.claim(now_ms + 2999, 50, "late", 1000) == []
    again = await store.claim(now_ms + 3000, 50, "late", 1000)
    assert len(again) == 20
    mine = next(claimed[0] for claimed in claims if claimed)
    attempt = Attempt(now_ms, 5, 200)
    assert await store.settle([Outcome(mine, attempt, True)]) == 0, "it is another's by now"
    theirs = next(each for each in again if each.id == mine.id)
    assert await store.settle([Outcome(theirs, attempt, True)]) == 1
    assert await store.settle([Outcome(theirs, attempt, True)]) == 0, "acknowledged once"
    found = await store.find("org", mine.id)
    assert found is not None and (found.status, found.attempts, found.lease) == ("delivered", 1, "")


class Unsteady(SystemClock):
    """Whose milliseconds jump so far while a request is made that no database keeps how long it took."""

    def __init__(self) -> None:
        self.jumps = 0

    def now_ms(self) -> int:
        self.jumps += 1
        return self.jumps * 2**70


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_an_outcome_that_is_refused_is_noted_without_what_is_refused(
    database: Database, acknowledged: bool
) -> None:
    """It was made; were it not noted, it would be made again and again, and so would those that ended with it."""
    store, losses = StoredDeliveries(database), Losses()

    async def answer(came: Received) -> Any:
        return Response(b"thanks", status_code=200 if acknowledged else 400)

    async with receiving(Receiver(answer)) as receiver:
        never = {**_fields(delivery(receiver.url)), "target": {"url": receiver.url, "never again": True}}
        async with working(store, losses, clock=Unsteady()) as outbox:
            for number in range(3):
                await outbox.put(Delivery(**{**never, "id": f"d{number}"}))
            await settled(store)
    assert len(receiver.received) == 3
    log = await store.attempts("org", AttemptListing())
    state = "delivered" if acknowledged else "failed"
    assert {(entry.delivery.id, entry.delivery.status, entry.delivery.attempts) for entry in log} == {
        (f"d{number}", state, 1) for number in range(3)
    }
    assert {(entry.attempt.status, entry.attempt.answer) for entry in log} == {(200 if acknowledged else 400, "")}
    assert not [name for name, _ in losses.counts() if name == "delivery_outcomes_lost"]


async def test_one_outcome_that_is_refused_keeps_no_other_from_being_noted(database: Database) -> None:
    store, losses = StoredDeliveries(database), Losses()
    now_ms = SystemClock().wall_ms()
    for number in range(3):
        await store.add(delivery("http://a.test", number))
    claimed = await store.claim(now_ms + 1000, 10, "mine", 1000)
    outcomes = [Outcome(each, Attempt(now_ms if each.id != "d1" else 2**70, 5, 200), True) for each in claimed]
    async with working(store, losses, idle=True) as outbox:
        with capture_logs() as logged:
            await outbox.note(outcomes)
    found = {id: await store.find("org", id) for id in ("d0", "d1", "d2")}
    assert {id: each and each.status for id, each in found.items()} == {
        "d0": "delivered", "d1": "pending", "d2": "delivered"
    }  # fmt: skip
    assert losses.counts()["delivery_outcomes_lost", (("type", "end-of-call-report"),)] == 1
    (told,) = [line for line in logged if line["event"] == "delivery_outcome_lost"]
    assert (told["type"], told["acknowledged"]) == ("end-of-call-report", True)


async def test_a_fault_of_ours_is_an_attempt_in_vain(database: Database) -> None:
    """It counts, so that it ends: a delivery that nobody notes is made again for ever."""
    store, losses = StoredDeliveries(database), Losses()
    async with working(store, losses) as outbox:
        await outbox.put(Delivery(**{**_fields(delivery("x")), "target": {}}))
        async with asyncio.timeout(60):
            while not (log := await store.attempts("org", AttemptListing())):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert (log[0].attempt.error, log[0].delivery.attempts, log[0].delivery.status) == ("fault", 1, "pending")
    assert log[0].delivery.due_wall_ms > log[0].delivery.created_wall_ms + 50_000


async def test_a_long_name_of_what_is_told_is_one_delivery_all_the_same(database: Database) -> None:
    """A report is named after its call's log, which somebody may have named; PostgreSQL has room for 64 characters."""
    store = StoredDeliveries(database)
    ids = ("after:" + "c" * 64 + ":end-of-call-report", "after:" + "c" * 63 + "d:end-of-call-report")
    for id in ids:
        made = [delivery_of("t", "{}", {"url": "http://a.test"}, "org", SystemClock(), id=id) for _ in range(2)]
        assert [await store.add(each) for each in made] == [True, False]
        assert len(made[0].id) <= 64 and made[0].id.startswith("after:ccc")


def test_when_it_is_tried_again() -> None:
    plan = Backoff("exponential", 2, 3, (401,))
    delays = [plan.delay_s(attempts, 500, "a") for attempts in (1, 2, 3, 4)]
    assert [delay and delay // 1 for delay in delays] == [2, 4, 8, None]
    assert plan.delay_s(1, 401, "a") is None
    assert Backoff("fixed", 5, 1).delay_s(2, None, "a") is None
    assert UNTIL_ACKNOWLEDGED.delay_s(30, None, "a") == pytest.approx(3600, rel=0.1)
    assert plan.delay_s(1, None, "a") != plan.delay_s(1, None, "b")


DIES = """
import asyncio, os, signal, sys
from tests.webhooks.test_outbox import *
async def main(database_url, url):
    database = Database(database_url)
    await database.open()
    async with working(StoredDeliveries(database), grace_ms=300) as outbox:
        await outbox.put(delivery(url, timeout_s=0.5))
        await asyncio.Event().wait()
asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_process_that_is_killed_while_it_delivers_loses_nothing(tmp_path: Path) -> None:
    came_in, hold = asyncio.Event(), asyncio.Event()

    async def answer(came: Received) -> Any:
        came_in.set()
        await hold.wait()
        return {}

    async with receiving(Receiver(answer)) as receiver:
        arguments = (sqlite_url(tmp_path), receiver.url)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, *arguments, env=environment)
        await asyncio.wait_for(came_in.wait(), 30)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        hold.set()
        database = Database(sqlite_url(tmp_path))
        await database.open()
        store = StoredDeliveries(database)
        waiting = await store.find("org", "d1")
        assert waiting is not None and waiting.status == "pending"
        async with working(store):
            await settled(store)
        await database.close()
    assert [came.headers["idempotency-key"] for came in receiver.received] == ["d1", "d1"]
