"""A worker joins the others: what it shares with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from antiphon.calls.cluster import Cluster
from antiphon.cluster.holders import RedisHolders, Worker
from antiphon.cluster.limits import RedisLimits
from antiphon.cluster.link import RedisLink
from antiphon.cluster.member import Member
from antiphon.cluster.nonces import RedisNonces
from antiphon.cluster.rates import RedisRates
from antiphon.config import Settings
from antiphon.errors import StoreUnavailable
from antiphon.files import reason
from antiphon.losses import Losses
from antiphon.workers.life import LifeLock, forget, living
from antiphon.workers.place import WorkerPlace, beginning_of_nodes, require_redis
from antiphon.workers.trials import name_of_trial


@dataclass(frozen=True, slots=True)
class Joined:
    """What a worker has of the others."""

    member: Member
    limits: RedisLimits
    rates: RedisRates
    nonces: RedisNonces
    place: WorkerPlace
    folder: Path
    """Of the locks of all workers of this machine."""
    lock: LifeLock

    async def living(self) -> set[str]:
        """The names of all workers that live: those that say so, and those whose process does, though it says nothing. Raises
        StoreUnavailable."""
        told = await self.member.living()
        beginning = self.place.node.rpartition("/")[0]
        try:
            held = await asyncio.to_thread(living, self.folder)
        except OSError as error:
            raise StoreUnavailable(f"the locks of workers cannot be read ({reason(error)})") from error
        return told | {f"{beginning}/{name}" for name in held}

    async def close(self) -> None:
        """Be gone. Safe to call twice."""
        await self.member.close()
        self.lock.release()

    async def forget(self, node: str) -> None:
        """This worker has died: somebody saw it. Raises StoreUnavailable."""
        forget(self.folder, node.rpartition("/")[2])
        await self.member.forget(node)

    async def keep_trial(self, id: str) -> None:
        """This stored assistant can be talked to here."""
        await self.member.keep(name_of_trial(id))

    def for_calls(self, settings: Settings) -> Cluster:
        """For the rooms of calls."""
        return Cluster(self.place.node, self.member, self.limits, beginning_of_nodes(settings), living=self.living)


def join(settings: Settings, place: WorkerPlace, now_ms: Callable[[], int], losses: Losses) -> Joined:
    """Nothing is connected yet. Raises ConfigurationError, OSError."""
    link = RedisLink(require_redis(settings), settings.redis_prefix, losses)
    limits = RedisLimits(link, settings.api.concurrent_calls or settings.max_calls * settings.workers)
    me = Worker(
        place.node,
        place.number,
        http=str(place.folder / f"{place.number}.http"),
        sockets=str(place.folder / f"{place.number}.sockets"),
    )
    folder = settings.data_dir / "workers"
    lock = LifeLock(folder, place.node.rpartition("/")[2])
    rates = RedisRates(link, settings.api.requests_per_minute, now_ms)
    member = Member(me, RedisHolders(link), now_ms, link, limits)
    return Joined(member, limits, rates, RedisNonces(link), place, folder, lock)
