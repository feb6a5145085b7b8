from __future__ import annotations

import asyncio

import pytest

from antiphon.errors import CapacityError
from antiphon.tools.once import Once
from antiphon.vocabulary import ToolAnswer

KEY = ("call", "tool call")


async def test_asked_for_twice_it_is_done_once() -> None:
    done, go = 0, asyncio.Event()

    async def work() -> str:
        nonlocal done
        await go.wait()
        done += 1
        return "booked"

    once = Once()
    both = [asyncio.create_task(once.run(KEY, work)) for _ in range(2)]
    await asyncio.sleep(0)
    both[0].cancel()  # who gives up does not stop it for the other
    go.set()
    assert await both[1] == "booked"
    assert await once.run(KEY, work) == "booked"
    assert done == 1
    await once.close()


async def test_what_failed_may_be_tried_again() -> None:
    answers = iter([ToolAnswer("no", failed=True), ToolAnswer("yes")])

    async def work() -> ToolAnswer:
        return next(answers)

    once = Once()
    assert [await once.run(KEY, work) for _ in range(3)] == [
        ToolAnswer("no", failed=True),
        ToolAnswer("yes"),
        ToolAnswer("yes"),
    ]


async def test_it_is_bounded_and_closes() -> None:
    async def work() -> str:
        await asyncio.Event().wait()
        return ""

    once = Once(max_running=1)
    waiting = asyncio.create_task(once.run(KEY, work))
    await asyncio.sleep(0)
    with pytest.raises(CapacityError):
        await once.run(("call", "another"), work)
    await once.close(within_s=0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
