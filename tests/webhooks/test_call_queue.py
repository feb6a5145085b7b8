"""Events of a call: in order, one at a time, and never more of them than the bound."""

from __future__ import annotations

import asyncio

from antiphon.losses import Losses
from antiphon.webhooks.call_queue import CallQueue


async def test_in_order_and_one_at_a_time() -> None:
    sent: list[bytes] = []
    at_once = most = 0

    async def send(body: bytes) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        sent.append(body)
        at_once -= 1

    queue = CallQueue(send)
    for number in range(50):
        queue.put(lambda number=number: b"%d" % number)  # type: ignore[misc]
    await queue.close(5)
    assert sent == [b"%d" % number for number in range(50)]
    assert most == 1
    queue.put(lambda: b"later")
    await queue.close(5)
    assert sent[-1] == b"later"


async def test_a_receiver_that_hangs_costs_the_oldest_and_never_the_caller() -> None:
    sent: list[bytes] = []
    hanging, release = asyncio.Event(), asyncio.Event()

    async def send(body: bytes) -> None:
        hanging.set()
        await release.wait()
        sent.append(body)

    losses = Losses()
    queue = CallQueue(send, losses, most=3)
    queue.put(lambda: b"first")
    await hanging.wait()
    for number in range(10):
        queue.put(lambda number=number: b"%d" % number)  # type: ignore[misc]
    assert queue.dropped == 7
    release.set()
    await queue.close(5)
    assert sent == [b"first", b"7", b"8", b"9"]
    assert losses.counts() == {("webhook_events_dropped", ()): 7}


async def test_closing_waits_for_a_moment_only() -> None:
    async def send(body: bytes) -> None:
        await asyncio.Event().wait()

    queue = CallQueue(send)
    for _ in range(3):
        queue.put(lambda: b"")
    await queue.close(0.05)
    assert queue.dropped == 2
    await queue.close(0.05)
