"""A worker among others: what it holds, where it looks, whom it gives new calls."""

from __future__ import annotations

from contextlib import AsyncExitStack

from antiphon.cluster.holders import MemoryHolders, Worker
from antiphon.cluster.member import Member
from antiphon.errors import StoreUnavailable
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import TELEPHONE, EndReason


class Gone(MemoryHolders):
    """It does not answer any more."""

    async def hold(self, node: str, names: object) -> None:
        raise StoreUnavailable("no")

    async def holder(self, name: str) -> Worker | None:
        raise StoreUnavailable("no")


class Clock:
    ms = 0

    def __call__(self) -> int:
        return self.ms


async def members(stack: AsyncExitStack, count: int, holders: MemoryHolders | None = None) -> list[Member]:
    """All know of all."""
    shared = holders or MemoryHolders()
    made = []
    for number in range(1, count + 1):
        member = Member(Worker(f"host/{number}", number), shared, Clock(), seed=number)
        stack.push_async_callback(member.close)
        made.append(member)
        await shared.tell(member.me)
    for member in made:
        await member.start()
    return made


async def test_a_call_is_elsewhere_for_all_but_its_holder() -> None:
    async with AsyncExitStack() as stack:
        first, second = await members(stack, 2)
        await first.hold("call-1", "CA1")
        assert first.holds("call-1") and first.holds("CA1") and not second.holds("call-1")
        found = await second.elsewhere("CA1")
        assert found is not None and found.node == first.node
        assert await first.elsewhere("call-1") is None
        assert await second.elsewhere("") is await second.elsewhere("unknown") is None
        assert first.me.calls == 1


async def test_a_call_that_is_over_is_found_for_a_moment() -> None:
    async with AsyncExitStack() as stack:
        first, _ = await members(stack, 2)
        await first.hold("call-1", "CA1")
        first.let_go("call-1")
        first.let_go("call-1")
        assert first.me.calls == 0 and first.holds("CA1"), "its carrier's last word is still to come"
        first._let_go(("call-1", "CA1"))
        assert not first.holds("CA1")
        await first.hold("call-1", "CA1")
        first.let_go("call-1")
        await first.hold("call-1")
        first._let_go(("call-1", "CA1"))
        assert first.holds("call-1"), "it has come back meanwhile"


async def test_calls_that_nobody_planned_are_held_while_they_live() -> None:
    async with AsyncExitStack() as stack:
        (member,) = await members(stack, 1)
        started = CallStarted(
            "twilio", "call-1", "scripted", provider_call_id="CA1", format_in=TELEPHONE, format_out=TELEPHONE
        )
        member.call_started(started, 0)
        assert member.holds("call-1") and member.holds("CA1")
        member.call_ended("call-1", 1, EndReason.CUSTOMER_ENDED)
        assert member.me.calls == 0


async def test_new_calls_go_to_whoever_has_the_fewest_and_takes_any() -> None:
    async with AsyncExitStack() as stack:
        holders = MemoryHolders()
        (member,) = await members(stack, 1, holders)
        assert member.place(noted=False) is None, "there is nobody else"
        for number, calls, open_ in ((2, 1, True), (3, 0, False), (4, 0, True)):
            await holders.tell(Worker(f"host/{number}", number, calls=calls, open=open_))
        await member._look()
        await member.hold("a")
        placed = [worker.number if worker is not None else 1 for worker in (member.place() for _ in range(300))]
        assert set(placed) == {1, 2, 4}
        assert max(placed.count(number) for number in (1, 2, 4)) - min(map(placed.count, (1, 2, 4))) <= 8, (
            "those that were placed a moment ago count before they show"
        )
        member.takes_calls = lambda: False
        assert all(member.place(noted=False) is not None for _ in range(4))


async def test_a_named_request_goes_to_the_same_worker_every_time() -> None:
    async with AsyncExitStack() as stack:
        first, second, _ = await members(stack, 3)
        for name in ("a", "b", "c", "d"):
            chosen = [member.place(name) for member in (first, second, first)]
            numbers = [
                worker.number if worker is not None else me for worker, me in zip(chosen, (1, 2, 1), strict=True)
            ]
            assert len(set(numbers)) == 1


async def test_what_is_not_shared_is_the_first_worker_s() -> None:
    async with AsyncExitStack() as stack:
        first, second = await members(stack, 2)
        found = second.first()
        assert first.first() is None and found is not None and found.node == first.node
        assert await second.living() == {first.node, second.node}
        await second.forget(first.node)
        assert await second.living() == {second.node}


async def test_what_calls_need_is_kept_as_long_as_the_worker_lives() -> None:
    async with AsyncExitStack() as stack:
        holders = MemoryHolders()
        first, second = await members(stack, 2, holders)
        await first.keep("assistant:a1")
        await holders.let_go(first.node, ["assistant:a1"])  # its time is over
        await first._renew()
        found = await second.elsewhere("assistant:a1")
        assert found is not None and found.node == first.node
        assert first.holds("assistant:a1") and first.me.calls == 0


async def test_calls_go_on_where_nobody_can_be_asked() -> None:
    async with AsyncExitStack() as stack:
        (member,) = await members(stack, 1, Gone())
        await member.hold("call-1")
        assert member.holds("call-1")
        assert await member.elsewhere("call-2") is None
        await member.promise("call-3")
