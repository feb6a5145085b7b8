"""A worker joins the others: what it shares with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from antiphon.calls.cluster import Cluster
from antiphon.cluster.holders import RedisHolders, Worker
from antiphon.cluster.limits import RedisLimits
from antiphon.cluster.link import RedisLink
from antiphon.cluster.member import Member
from antiphon.cluster.nonces import RedisNonces
from antiphon.config import Settings
from antiphon.losses import Losses
from antiphon.workers.place import WorkerPlace, beginning_of_nodes, require_redis
from antiphon.workers.trials import name_of_trial


@dataclass(frozen=True, slots=True)
class Joined:
    """What a worker has of the others."""

    member: Member
    limits: RedisLimits
    nonces: RedisNonces
    place: WorkerPlace

    async def keep_trial(self, id: str) -> None:
        """This stored assistant can be talked to here."""
        await self.member.keep(name_of_trial(id))

    def for_calls(self, settings: Settings) -> Cluster:
        """For the rooms of calls."""
        return Cluster(
            self.place.node, self.member, self.limits, beginning_of_nodes(settings), living=self.member.living
        )


def join(settings: Settings, place: WorkerPlace, now_ms: Callable[[], int], losses: Losses) -> Joined:
    """Nothing is connected yet. Raises ConfigurationError."""
    link = RedisLink(require_redis(settings), settings.redis_prefix, losses)
    limits = RedisLimits(link, settings.api.concurrent_calls or settings.max_calls * settings.workers)
    me = Worker(
        place.node,
        place.number,
        http=str(place.folder / f"{place.number}.http"),
        sockets=str(place.folder / f"{place.number}.sockets"),
    )
    return Joined(Member(me, RedisHolders(link), now_ms, link, limits), limits, RedisNonces(link), place)
