"""What workers share, in memory and in a real Redis: the same answers from both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from tests.redis_server import RedisServer, fresh_prefix, redis_url

from antiphon.calls.limits import CallLimits, MemoryLimits
from antiphon.carriers.streams.token import SpentNonces
from antiphon.cluster.holders import CallHolders, MemoryHolders, RedisHolders, Worker
from antiphon.cluster.limits import RedisLimits
from antiphon.cluster.link import RedisLink
from antiphon.cluster.nonces import RedisNonces
from antiphon.cluster.rates import RedisRates
from antiphon.errors import ConfigurationError, StoreUnavailable
from antiphon.losses import Losses

KINDS = ["memory", "redis"]


class Links:
    """Connections to Redis, as several workers have them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._prefix = fresh_prefix()
        self.losses = Losses()

    def make(self, url: str = "") -> RedisLink:
        link = RedisLink(url or redis_url(), self._prefix, self.losses)
        self._stack.push_async_callback(link.close)
        return link


@pytest.fixture
async def links() -> AsyncIterator[Links]:
    async with AsyncExitStack() as stack:
        yield Links(stack)


# ------------------------------------------------------------------------------------------------ limits


@pytest.fixture(params=KINDS)
async def limits(request: pytest.FixtureRequest, links: Links) -> tuple[CallLimits, Callable[[], Awaitable[None]]]:
    """Of two calls; and how to wait until what was released is."""
    if request.param == "memory":
        return MemoryLimits(2), _at_once
    link = links.make()
    return RedisLimits(link, 2), link.settled


async def _at_once() -> None:
    """There is nothing to wait for."""


async def test_a_call_takes_one_place_and_gives_it_back(
    limits: tuple[CallLimits, Callable[[], Awaitable[None]]],
) -> None:
    counted, settled = limits
    assert await counted.take("org", "a") and await counted.take("org", "a")
    assert await counted.taken("org") == 1
    assert await counted.take("org", "b")
    assert not await counted.take("org", "c")
    assert await counted.take("org", "a"), "it has a place already"
    assert await counted.take("another", "c")
    counted.release("org", "a")
    counted.release("org", "a")
    await settled()
    assert await counted.taken("org") == 1
    assert await counted.take("org", "c")
    assert not await counted.take("org", "d")


async def test_of_many_at_once_as_many_get_in_as_there_are_places(links: Links) -> None:
    workers = [RedisLimits(links.make(), 10) for _ in range(3)]
    tried = [workers[number % 3].take("org", f"call-{number}") for number in range(40)]
    assert sum(await asyncio.gather(*tried)) == 10
    assert {await worker.taken("org") for worker in workers} == {10}


async def test_places_of_a_worker_that_says_nothing_come_free(links: Links) -> None:
    link = links.make()
    mine, theirs = RedisLimits(link, 2), RedisLimits(links.make(), 2)
    assert await theirs.take("org", "theirs") and await mine.take("org", "mine")
    for call_id in ("theirs", "mine"):  # their time is over
        await link.redis.zadd(link.key("calls-of", "org"), {call_id: 1})
    assert await mine.taken("org") == 0
    await mine.renew()
    assert await theirs.taken("org") == 1
    assert await mine.take("org", "next") and not await mine.take("org", "third")


async def test_without_redis_each_worker_counts_its_own(links: Links) -> None:
    limits = RedisLimits(links.make("redis://127.0.0.1:1/0"), 1)
    assert await limits.take("org", "a") and not await limits.take("org", "b")
    assert await limits.taken("org") == 1
    assert links.losses.counts()["redis_failures", ()] >= 2
    with pytest.raises(StoreUnavailable):
        await limits.renew()


def test_a_url_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match="redis_url"):
        RedisLink("http://127.0.0.1", "test", Losses())


# ------------------------------------------------------------------------------------------------ rates


async def test_what_workers_are_asked_with_one_key_is_counted_together(links: Links) -> None:
    workers = [RedisRates(links.make(), 60, lambda: 0) for _ in range(3)]
    waits = await asyncio.gather(*(workers[number % 3].take("a") for number in range(30)))
    assert 10 <= waits.count(0.0) <= 12, "ten at once, and one each second"
    assert all(0 < wait <= 1 for wait in waits if wait)
    assert await workers[0].take("b") == 0.0


async def test_a_bucket_fills_again_and_is_forgotten_when_it_is_full(links: Links) -> None:
    link = links.make()
    rates, key = RedisRates(link, 6, lambda: 0), link.key("requests-of", "a")
    assert await rates.take("a") == 0.0
    assert 9 < await rates.take("a") <= 10
    assert 9_000 < await link.redis.pttl(key) <= 10_001
    await link.redis.hincrby(key, "at", -4_000)
    assert 5 < await rates.take("a") <= 6
    await link.redis.hincrby(key, "at", -7_000)
    assert await rates.take("a") == 0.0


async def test_without_redis_each_worker_counts_what_it_is_asked(links: Links) -> None:
    rates = RedisRates(links.make("redis://127.0.0.1:1/0"), 6, lambda: 0)
    assert await rates.take("a") == 0.0
    assert await rates.take("a") == pytest.approx(10.0)


# ------------------------------------------------------------------------------------------------ nonces

Spend = Callable[[str], Awaitable[bool]]


@pytest.fixture(params=KINDS)
async def spend(request: pytest.FixtureRequest, links: Links) -> Spend:
    if request.param == "memory":
        spent = SpentNonces()

        async def in_memory(nonce: str) -> bool:
            return spent.spend(nonce, 60_000, 0, 60_000, 0)

        return in_memory
    workers = [RedisNonces(links.make()) for _ in range(2)]

    async def in_redis(nonce: str) -> bool:
        workers.reverse()
        return await workers[0].spend(nonce, 60_000)

    return in_redis


async def test_a_nonce_is_spent_once(spend: Spend) -> None:
    assert await spend("a") and await spend("b")
    assert not await spend("a") and not await spend("a")
    assert sum(await asyncio.gather(*(spend("c") for _ in range(8)))) == 1


async def test_a_nonce_is_kept_no_longer_than_its_token_is_good(links: Links) -> None:
    link = links.make()
    assert await RedisNonces(link).spend("a", 60_000)
    assert 0 < await link.redis.pttl(link.key("spent", "a")) <= 60_000


# ------------------------------------------------------------------------------------------------ who holds a call

FIRST = Worker("host/1", 1, "/run/1.http", "/run/1.sockets")
SECOND = Worker("host/2", 2, "/run/2.http", "/run/2.sockets", calls=3, open=False)


@pytest.fixture(params=KINDS)
async def holders(request: pytest.FixtureRequest, links: Links) -> CallHolders:
    made: CallHolders = MemoryHolders() if request.param == "memory" else RedisHolders(links.make())
    await made.tell(SECOND)
    await made.tell(FIRST)
    return made


async def test_workers_are_known_until_they_are_gone(holders: CallHolders) -> None:
    assert list(await holders.workers()) == [FIRST, SECOND]
    busier = replace(FIRST, calls=7)
    await holders.tell(busier)
    assert list(await holders.workers()) == [busier, SECOND]
    await holders.forget(SECOND.node)
    assert list(await holders.workers()) == [busier]


async def test_a_call_is_found_by_all_its_names(holders: CallHolders) -> None:
    await holders.hold(FIRST.node, ("call-1", "CA1"))
    await holders.hold(SECOND.node, ("call-2",))
    assert await holders.holder("call-1") == await holders.holder("CA1") == FIRST
    assert await holders.holder("call-2") == SECOND
    assert await holders.holder("call-3") is None
    await holders.let_go(FIRST.node, ("call-1", "CA1"))
    assert await holders.holder("call-1") is await holders.holder("CA1") is None


async def test_what_another_worker_holds_by_now_stays_its_own(holders: CallHolders) -> None:
    await holders.hold(FIRST.node, ("call-1",))
    await holders.hold(SECOND.node, ("call-1",))
    await holders.let_go(FIRST.node, ("call-1",))
    assert await holders.holder("call-1") == SECOND


async def test_a_dead_worker_holds_nothing(holders: CallHolders) -> None:
    await holders.hold(FIRST.node, ("call-1",))
    await holders.forget(FIRST.node)
    assert await holders.holder("call-1") is None


async def test_all_that_redis_is_told_expires(links: Links) -> None:
    link = links.make()
    holders = RedisHolders(link)
    await holders.tell(FIRST)
    await holders.hold(FIRST.node, ("call-1",))
    for key in (link.key("worker", FIRST.node), link.key("call", "call-1")):
        assert 0 < await link.redis.pttl(key) <= 60_000
    await link.redis.delete(link.key("worker", FIRST.node))  # its time is over
    assert list(await holders.workers()) == []
    assert await holders.holder("call-1") is None


async def test_a_redis_that_comes_back_is_used_again(links: Links) -> None:
    server = RedisServer()
    server.start()
    try:
        holders = RedisHolders(links.make(server.url))
        await holders.tell(FIRST)
        server.stop()
        with pytest.raises(StoreUnavailable):
            await holders.workers()
        server.start()
        await holders.tell(FIRST)
        assert list(await holders.workers()) == [FIRST]
    finally:
        server.remove()
