"""Which worker holds a call: the directory of live calls. A protocol, in memory and in Redis.

A call belongs to one worker from the moment it is planned to its end. Whatever concerns it is brought there, wherever it arrives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import orjson

from antiphon.cluster.link import RedisLink

CALL_TTL_S = 60
WORKER_TTL_S = 20
"""A worker that says nothing for so long is not asked any more. Its calls are not ended for that."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as the others see it."""

    node: str
    """Its name: another one after each start. Records of calls carry it."""
    number: int
    """Its place among the workers of its machine, from 1."""
    http: str = ""
    """Path of the Unix socket on which it takes requests from other workers."""
    sockets: str = ""
    """Path of the one on which it takes connections that other workers hand over."""
    calls: int = 0
    open: bool = True
    """Whether it takes new calls."""


class CallHolders(Protocol):
    """All raise StoreUnavailable where what they stand on does not answer."""

    async def tell(self, worker: Worker) -> None:
        """This worker lives, and this is how it is. To be said a few times within ``WORKER_TTL_S``."""
        ...

    async def workers(self) -> Sequence[Worker]:
        """All that live, by number."""
        ...

    async def forget(self, node: str) -> None:
        """This worker is gone."""
        ...

    async def hold(self, node: str, names: Iterable[str]) -> None:
        """Calls by their ids, and by their carriers', are this worker's. Forgotten after ``CALL_TTL_S`` unless it is said again."""
        ...

    async def let_go(self, node: str, names: Iterable[str]) -> None:
        """They are over. What another worker holds by now stays its own."""
        ...

    async def holder(self, name: str) -> Worker | None:
        """Who holds this call; None where nobody who lives does."""
        ...

    async def holders(self, names: Sequence[str]) -> Mapping[str, Worker]:
        """Of many: those that somebody who lives holds."""
        ...


class MemoryHolders:
    """For workers in one process."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._calls: dict[str, str] = {}

    async def tell(self, worker: Worker) -> None:
        self._workers[worker.node] = worker

    async def workers(self) -> Sequence[Worker]:
        return sorted(self._workers.values(), key=lambda worker: worker.number)

    async def forget(self, node: str) -> None:
        self._workers.pop(node, None)

    async def hold(self, node: str, names: Iterable[str]) -> None:
        self._calls |= dict.fromkeys(names, node)

    async def let_go(self, node: str, names: Iterable[str]) -> None:
        for name in names:
            if self._calls.get(name) == node:
                del self._calls[name]

    async def holder(self, name: str) -> Worker | None:
        return self._workers.get(self._calls.get(name, ""))

    async def holders(self, names: Sequence[str]) -> Mapping[str, Worker]:
        return {name: worker for name in names if (worker := await self.holder(name)) is not None}


_LET_GO = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


class RedisHolders:
    """A key for each call, and one for each worker; all expire."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._let_go = link.redis.register_script(_LET_GO)

    async def tell(self, worker: Worker) -> None:
        content = orjson.dumps(asdict(worker))
        with self._link.asking():
            async with self._link.redis.pipeline(transaction=True) as pipe:
                pipe.set(self._link.key("worker", worker.node), content, ex=WORKER_TTL_S)
                pipe.sadd(self._link.key("workers"), worker.node)
                await pipe.execute()

    async def workers(self) -> Sequence[Worker]:
        with self._link.asking():
            nodes = sorted(map(str, await self._link.redis.smembers(self._link.key("workers"))))
            if not nodes:
                return []
            kept = await self._link.redis.mget([self._link.key("worker", node) for node in nodes])
            gone = [node for node, content in zip(nodes, kept, strict=True) if content is None]
            if gone:
                await self._link.redis.srem(self._link.key("workers"), *gone)
        found = [worker for content in kept if content is not None and (worker := _worker(content)) is not None]
        return sorted(found, key=lambda worker: worker.number)

    async def forget(self, node: str) -> None:
        with self._link.asking():
            await self._link.redis.delete(self._link.key("worker", node))
            await self._link.redis.srem(self._link.key("workers"), node)

    async def hold(self, node: str, names: Iterable[str]) -> None:
        with self._link.asking():
            async with self._link.redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.set(self._link.key("call", name), node, ex=CALL_TTL_S)
                await pipe.execute()

    async def let_go(self, node: str, names: Iterable[str]) -> None:
        with self._link.asking():
            await self._let_go(keys=[self._link.key("call", name) for name in names], args=[node])

    async def holder(self, name: str) -> Worker | None:
        with self._link.asking():
            node = await self._link.redis.get(self._link.key("call", name))
            content = await self._link.redis.get(self._link.key("worker", str(node))) if node else None
        return None if content is None else _worker(content)

    async def holders(self, names: Sequence[str]) -> Mapping[str, Worker]:
        if not names:
            return {}
        with self._link.asking():
            nodes = await self._link.redis.mget([self._link.key("call", name) for name in names])
            held = {name: str(node) for name, node in zip(names, nodes, strict=True) if node}
            known = sorted(set(held.values()))
            kept = await self._link.redis.mget([self._link.key("worker", node) for node in known]) if known else []
        workers = {node: _worker(content) for node, content in zip(known, kept, strict=True) if content is not None}
        return {name: worker for name, node in held.items() if (worker := workers.get(node)) is not None}


def _worker(content: bytes | str) -> Worker | None:
    """None for what another version of ourselves wrote."""
    with contextlib.suppress(TypeError, orjson.JSONDecodeError):
        return Worker(**orjson.loads(content))
    return None
