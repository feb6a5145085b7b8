"""This worker among the others: it says that it lives and what it holds, and knows who holds what."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from zlib import crc32

import structlog

from antiphon.cluster.holders import CallHolders, Worker
from antiphon.cluster.limits import RedisLimits
from antiphon.cluster.link import RedisLink
from antiphon.conversation.actions import Action
from antiphon.conversation.events import Event
from antiphon.errors import StoreUnavailable
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

BEAT_S = 1.0
_RENEW_EVERY = 5
"""Beats between two times that calls are said to be held."""
MAX_KEPT = 64
LINGER_S = 10.0
"""So long a call that is over is still looked for where it was: its carrier's last word comes after it."""
_PLACED_MS = 2000
"""So long a call that was placed may not show in what its worker says of itself; ours, too, when many are asked for at once."""
log = structlog.get_logger(__name__)


class Member:
    """One per worker process. A ``SessionObserver`` and a ``calls.cluster.CallRegister``."""

    def __init__(
        self,
        me: Worker,
        holders: CallHolders,
        now_ms: Callable[[], int],
        link: RedisLink | None = None,
        limits: RedisLimits | None = None,
        seed: int | None = None,
    ) -> None:
        """``link`` and ``limits``: what is renewed and closed with it."""
        self._me = me
        self._holders = holders
        self._now_ms = now_ms
        self._link = link
        self._limits = limits
        self._random = random.Random(seed)
        self._held: dict[str, tuple[str, ...]] = {}
        """By the call's id: the other names it is known by."""
        self._names: dict[str, str] = {}
        """The other way round: all names."""
        self._kept: OrderedDict[str, None] = OrderedDict()
        """Names that are no call's."""
        self._others: tuple[Worker, ...] = ()
        self._placed: deque[tuple[int, str]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.takes_calls: Callable[[], bool] = lambda: True
        """Whether a new call would be let in; set by the composition root."""

    @property
    def node(self) -> str:
        return self._me.node

    @property
    def me(self) -> Worker:
        """As it is now."""
        return replace(self._me, calls=len(self._held), open=self.takes_calls())

    # ---------------------------------------------------------------------------------- its life

    async def start(self) -> None:
        """Be known to the others, from now on. Raises StoreUnavailable."""
        await self._holders.tell(self.me)
        await self._look()
        self._spawn(self._beat_for_ever())

    async def tell(self) -> None:
        """The others shall know now what has changed. Never raises."""
        with suppress(StoreUnavailable):
            await self._holders.tell(self.me)

    async def close(self) -> None:
        """Be gone. Safe to call twice."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self._holders.forget(self.node)
        if self._link is not None:
            await self._link.close()

    async def _beat_for_ever(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(BEAT_S)
            beats += 1
            try:
                await self._holders.tell(self.me)
                await self._look()
                if beats % _RENEW_EVERY == 0:
                    await self._renew()
            except StoreUnavailable:
                pass  # told by the link
            except Exception as error:  # a bug of ours; the worker shall not pass for dead because of it
                log.exception("cluster_beat_failed", error_type=type(error).__name__)

    async def _renew(self) -> None:
        names = [*self._kept, *(name for name, call_id in self._names.items() if call_id in self._held)]
        if names:
            await self._holders.hold(self.node, names)
        if self._limits is not None:
            await self._limits.renew()

    async def _look(self) -> None:
        self._others = tuple(worker for worker in await self._holders.workers() if worker.node != self.node)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="cluster")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---------------------------------------------------------------------------------- what it holds

    async def hold(self, call_id: str, *also: str) -> None:
        """This call is here, from now on; ``also``: its carrier's id. Where it cannot be written down, others do not find the call, and
        it goes on."""
        self._note(call_id, also)
        with suppress(StoreUnavailable):
            await self._holders.hold(self.node, (call_id, *also))

    def let_go(self, call_id: str) -> None:
        """It is over. Returns at once; safe to say twice."""
        also = self._held.pop(call_id, None)
        if also is not None:
            asyncio.get_running_loop().call_later(LINGER_S, self._let_go, (call_id, *also))

    def _let_go(self, names: Sequence[str]) -> None:
        over = [name for name in names if self._names.get(name) not in self._held]
        for name in over:
            self._names.pop(name, None)
        if over and not self._closed:
            self._spawn(self._forget(over))

    async def promise(self, name: str) -> None:
        """A call of this name will be here in a moment. Never raises."""
        with suppress(StoreUnavailable):
            await self._holders.hold(self.node, (name,))

    async def keep(self, name: str) -> None:
        """What has this name is here as long as this worker lives: no call, but something that calls need. The oldest of many is
        forgotten. Never raises."""
        self._kept[name] = None
        self._kept.move_to_end(name)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        await self.promise(name)

    def holds(self, name: str) -> bool:
        """Whether the call of this name is here, or what else has it."""
        return name in self._names or name in self._kept

    def _note(self, call_id: str, also: Iterable[str]) -> None:
        names = tuple(dict.fromkeys((*self._held.get(call_id, ()), *(name for name in also if name))))
        self._held[call_id] = names
        self._names |= dict.fromkeys((call_id, *names), call_id)

    async def _forget(self, names: Sequence[str]) -> None:
        with suppress(StoreUnavailable):
            await self._holders.let_go(self.node, names)

    # ---------------------------------------------------------------------------------- the others

    async def elsewhere(self, name: str) -> Worker | None:
        """The other worker that holds this call; None where it is this one, or nobody, or it cannot be known now."""
        if not name or self.holds(name):
            return None
        try:
            worker = await self._holders.holder(name)
        except StoreUnavailable:
            return None
        return worker if worker is not None and worker.node != self.node else None

    async def held_elsewhere(self, names: Sequence[str]) -> Mapping[str, Worker]:
        """As ``elsewhere``, of many: those that another worker holds."""
        try:
            held = await self._holders.holders([name for name in names if not self.holds(name)])
        except StoreUnavailable:
            return {}
        return {name: worker for name, worker in held.items() if worker.node != self.node}

    def place(self, name: str = "", *, noted: bool = True) -> Worker | None:
        """The worker that shall take a new call; None: this one. Of two that take any, chosen by chance, it is the one with fewer calls:
        the one with the fewest of all is known a moment late, and everybody would choose it. For one ``name`` it is always the same, while
        they are the same. ``noted`` False: there is no call, it is only asked who would take it."""
        now_ms = self._now_ms()
        while self._placed and self._placed[0][0] <= now_ms - _PLACED_MS:
            self._placed.popleft()
        coming = [node for _, node in self._placed]
        free = [worker for worker in (self.me, *self._others) if worker.open]
        if not free:
            return None
        if name:
            free.sort(key=lambda worker: worker.number)
            chosen = free[crc32(name.encode()) % len(free)]
        else:
            two = self._random.sample(free, 2) if len(free) > 2 else free
            chosen = min(two, key=lambda worker: worker.calls + coming.count(worker.node))
        if noted:
            self._placed.append((now_ms, chosen.node))
        return chosen if chosen.node != self.node else None

    def first(self) -> Worker | None:
        """The worker that has what is not shared: of all that live, the first. None: this one."""
        others = [worker for worker in self._others if (worker.number, worker.node) < (self._me.number, self.node)]
        return others[0] if others else None

    @property
    def others(self) -> Sequence[Worker]:
        """As they were a second ago."""
        return self._others

    @property
    def open_workers(self) -> int:
        """How many take new calls, as far as is known here."""
        return sum(worker.open for worker in (self.me, *self._others))

    async def living(self) -> set[str]:
        """The names of all workers that live, this one included. Raises StoreUnavailable."""
        return {self.node, *(worker.node for worker in await self._holders.workers())}

    async def forget(self, node: str) -> None:
        """This worker has died: somebody saw it. Raises StoreUnavailable."""
        await self._holders.forget(node)

    # ---------------------------------------------------------------------------------- SessionObserver

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        if call.call_id not in self._held:  # it was not planned
            self._note(call.call_id, (call.provider_call_id,))
            self._spawn(self.hold(call.call_id, *((call.provider_call_id,) if call.provider_call_id else ())))

    def happened(self, call_id: str, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        """Nothing that other workers need to know."""

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """Nothing that other workers need to know."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        """Nothing that other workers need to know."""

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self.let_go(call_id)
