"""Works on the outbox: claims what is due, sends it, writes down what became of it, until the receiver has acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from antiphon.clock import Clock
from antiphon.errors import ConfigurationError, RequestFailed, StoreUnavailable, ValueRefused
from antiphon.losses import Losses
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.deliveries import MAX_ANSWER_CHARS, Attempt, Delivery, DeliveryStore, Outcome
from antiphon.webhooks.target import UNTIL_ACKNOWLEDGED, Target, post

log = structlog.get_logger(__name__)

TargetOf = Callable[[Delivery], Awaitable[Target]]
"""The receiver of a delivery as it is now. Raises ConfigurationError, e.g. where its credential is gone."""

_UNREADABLE_RETRY_S = 60.0
_MAX_ID_CHARS = 64
"""Every database keeps them, and receivers may count on it."""


class Outbox:
    """One for a process; several processes may share a store.

    A receiver gets a delivery at least once, and the same ``idempotency-key`` each time: where a process dies between the receiver's
    acknowledgement and our note of it, the delivery is made again. It is *noted* as delivered once.
    """

    def __init__(
        self,
        store: DeliveryStore,
        client: WebhookClient,
        clock: Clock,
        target_of: TargetOf,
        losses: Losses | None = None,
        *,
        at_once: int = 64,
        look_every_s: float = 5.0,
        grace_ms: int = 15_000,
    ) -> None:
        """``look_every_s``: how often the store is asked for what other processes put there; what is put here is seen at once."""
        self._store = store
        self._client = client
        self._clock = clock
        self._target_of = target_of
        self._losses = losses
        self._at_once = at_once
        self._look_every_s = look_every_s
        self._grace_ms = grace_ms
        self._few = max(at_once // 4, 1)
        self._lease = uuid.uuid4().hex
        self._running: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._wake = asyncio.Event()
        self._settle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._claiming(), name="outbox"),
            asyncio.create_task(self._settling(), name="outbox settling"),
        ]

    async def close(self, within_s: float = 5.0) -> None:
        """What is under way may end; the rest waits in the store for whoever comes next. Safe to call twice."""
        self._closing = True
        self._wake.set()
        if self._running:
            await asyncio.wait(self._running, timeout=within_s)
        late = [*self._running, *self._tasks]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._tasks = []
        with suppress(StoreUnavailable):  # made again, when its lease has ended
            await self.note([])

    async def put(self, delivery: Delivery) -> bool:
        """Once this returns, the delivery will be made. False where there is one of this id. Raises StoreUnavailable."""
        added = await self._store.add(delivery)
        self._wake.set()
        return added

    async def _claiming(self) -> None:
        while not self._closing:
            self._wake.clear()
            places = self._at_once - len(self._running)
            if places < self._few:  # claimed one by one, each would cost a transaction
                await self._woken(self._look_every_s)
                continue
            claimed = await self._claim(places)
            for delivery in claimed:
                task = asyncio.create_task(self._deliver(delivery), name="delivery")
                self._running.add(task)
                task.add_done_callback(self._done)
            if len(claimed) < places:
                await self._pause()

    async def _claim(self, places: int) -> list[Delivery]:
        try:
            return list(await self._store.claim(self._clock.wall_ms(), places, self._lease, self._grace_ms))
        except StoreUnavailable:
            await asyncio.sleep(min(self._look_every_s, 1.0))  # told by the database
            return []

    async def _pause(self) -> None:
        """Until something is put here, a place comes free, or the next delivery is due."""
        wait_s = self._look_every_s
        with suppress(StoreUnavailable):
            due = await self._store.next_due()
            if due is not None:
                wait_s = min(max((due - self._clock.wall_ms()) / 1000, 0.02), wait_s)
        await self._woken(wait_s)

    async def _woken(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("delivery_fault", exc_info=fault)  # a bug of ours; made again when its lease has ended

    async def _deliver(self, delivery: Delivery) -> None:
        began_ms, wall_ms = self._clock.now_ms(), self._clock.wall_ms()
        status, problem, answer_text, target = None, "", "", None
        try:
            target = await self._target_of(delivery)
            answer = await post(self._client, target, delivery.body.encode(), delivery.id)
            status = answer.status
            answer_text = answer.body[: MAX_ANSWER_CHARS * 4].decode("utf-8", "replace")[:MAX_ANSWER_CHARS]
        except RequestFailed as error:
            problem = error.reason
        except (ConfigurationError, StoreUnavailable) as error:
            problem = error.code
        except Exception as fault:  # a bug of ours; it counts as an attempt, or it would be made for ever
            log.error("delivery_fault", type=delivery.type, call_id=delivery.call_id, exc_info=fault)
            problem = "fault"
        acknowledged = status is not None and 200 <= status < 300
        attempt = Attempt(wall_ms, self._clock.now_ms() - began_ms, status, problem, answer_text.replace("\0", ""))
        retry_ms = None if acknowledged else self._retry_wall_ms(delivery, target, status)
        if not acknowledged and self._losses is not None:
            what = "deliveries_given_up" if retry_ms is None else "delivery_attempts_failed"
            self._losses.count(what, type=delivery.type)
            self._losses.tell(
                "delivery_failed", delivery.type, type=delivery.type, call_id=delivery.call_id, status=status,
                problem=problem, attempts=delivery.attempts + 1, given_up=retry_ms is None,
            )  # fmt: skip
        self._outcomes.append(Outcome(delivery, attempt, acknowledged, retry_ms))
        self._settle.set()

    def _retry_wall_ms(self, delivery: Delivery, target: Target | None, status: int | None) -> int | None:
        wall_ms = self._clock.wall_ms()
        if target is None:
            later = UNTIL_ACKNOWLEDGED.delay_s(delivery.attempts + 1, None, delivery.id)
            return None if later is None else wall_ms + round(max(later, _UNREADABLE_RETRY_S) * 1000)
        delay_s = (target.backoff or UNTIL_ACKNOWLEDGED).delay_s(delivery.attempts + 1, status, delivery.id)
        return None if delay_s is None else wall_ms + round(delay_s * 1000)

    async def _settling(self) -> None:
        """What has ended meanwhile is written together: one transaction for many, as many as there are."""
        while True:
            await self._settle.wait()
            self._settle.clear()
            try:
                await self.note([])
            except StoreUnavailable:
                await asyncio.sleep(min(self._look_every_s, 1.0))
                self._settle.set()
            else:
                self._wake.set()

    async def note(self, outcomes: Sequence[Outcome]) -> None:
        """Write down these, and those that wait. One that is refused does not keep the others from being kept. Raises StoreUnavailable:
        what was not written then waits."""
        left = [*self._outcomes, *outcomes]
        if not left:
            return
        self._outcomes = []
        try:
            try:
                await self._store.settle(left)
                left = []
            except ValueRefused:
                while left:
                    await self._note_alone(left[0])
                    del left[0]
        finally:
            self._outcomes = left + self._outcomes

    async def _note_alone(self, outcome: Outcome) -> None:
        """What it came to counts more than what was said of it."""
        made = outcome.attempt
        for attempt in (made, Attempt(made.wall_ms, 0, made.status)):
            try:
                await self._store.settle([replace(outcome, attempt=attempt)])
            except ValueRefused:
                continue
            return
        delivery = outcome.delivery
        if self._losses is not None:
            self._losses.count("delivery_outcomes_lost", type=delivery.type)
        log.error(
            "delivery_outcome_lost", type=delivery.type, call_id=delivery.call_id, acknowledged=outcome.acknowledged
        )


def delivery_of(
    type: str, body: str, target: dict[str, object], org_id: str, clock: Clock, *, call_id: str = "", id: str = "",
    assistant_id: str = "", timeout_s: float = 20.0,
) -> Delivery:  # fmt: skip
    """A new one, due now. An ``id`` made of what it is about (``report-<call>``) is put only once, however often it is tried."""
    wall_ms = clock.wall_ms()
    made = Delivery(_short(id) or f"msg_{uuid.uuid4().hex}", org_id, type, target, body, wall_ms, wall_ms)
    return replace(made, call_id=call_id, assistant_id=assistant_id, timeout_ms=round(timeout_s * 1000))


def _short(id: str) -> str:
    """The same for the same, and another for another."""
    if len(id) <= _MAX_ID_CHARS:
        return id
    digest = hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()[:32]
    return f"{id[: _MAX_ID_CHARS - len(digest) - 1]}_{digest}"
