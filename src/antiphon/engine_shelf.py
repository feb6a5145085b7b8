"""Engines that are made once for each kind, name and options, started beside the calls, and closed when nobody wants them any more."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import orjson
import structlog

from antiphon.errors import AntiphonError, ConfigurationError, ProviderUnavailable
from antiphon.providers import registry
from antiphon.providers.base import Lifecycle
from antiphon.providers.websocket import Addresses
from antiphon.providers.worker import PoolHealth

SWEEP_S = 2.0
_MOST_LIGHT = 512
"""Engines without processes that are kept. Each is one account of one vendor, or one set of options of a voice or recogniser."""
RETRY_S = 30.0
"""An engine that could not start is tried again by a call that comes so much later."""

log = structlog.get_logger(__name__)


@runtime_checkable
class HasProcesses(Protocol):
    """An engine that runs in processes of its own."""

    @property
    def health(self) -> PoolHealth: ...


@runtime_checkable
class CallsServers(Protocol):
    """An engine that calls a server which the assistant names."""

    addresses: Addresses | None


@dataclass(eq=False, slots=True)
class Shelved:
    """One engine, and how it is."""

    kind: registry.Kind
    name: str
    key: bytes
    engine: Any
    wanted_s: float
    """When it was last asked for."""
    state: Literal["new", "starting", "up", "failed"] = "new"
    needed: bool = False
    """Whether the server makes no sense without it."""
    problem: str = ""
    failed_s: float = 0.0
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def works(self) -> bool:
        """Whether somebody who asks now is served."""
        if isinstance(self.engine, HasProcesses):
            return self.engine.health.up > 0
        return self.state == "up"


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """All engines of one kind and name."""

    kind: str
    name: str
    processes: int
    up: int
    restarts: int


class EngineShelf:
    """``in_use`` tells which engines calls have; ``claimed`` the keys that assistants want."""

    def __init__(
        self,
        own: Mapping[str, Mapping[str, Any]],
        most: int,
        idle_s: float,
        in_use: Callable[[], Collection[int]],
        claimed: Callable[[], Collection[bytes]],
        addresses: Addresses,
    ) -> None:
        """``own``: for each kind, options that are the machine's matter and not an assistant's, for engines that take them. ``most``
        engines with processes are kept; one that nobody uses or claims is closed ``idle_s`` after it was last asked for. ``in_use``
        tells ids. ``addresses`` tells where servers that assistants name may be."""
        self._addresses = addresses
        self._own = own
        self._most = most
        self._idle_s = idle_s
        self._in_use = in_use
        self._claimed = claimed
        self._entries: dict[bytes, Shelved] = {}
        self._by_engine: dict[int, Shelved] = {}
        self._retired: dict[tuple[str, str], int] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------------------------- life

    async def start(self) -> None:
        """Start what is there. Raises ProviderUnavailable where some that are needed cannot, naming each."""
        entries = list(self._entries.values())
        await asyncio.gather(*(self._start(entry) for entry in entries))
        failed = [entry for entry in entries if entry.needed and entry.state == "failed"]
        if failed:
            more = [f"{entry.name}: {entry.problem}" for entry in failed[1:]]
            raise ProviderUnavailable(failed[0].name, "; ".join([failed[0].problem, *more]))
        self._sweeping = asyncio.create_task(self._sweep_for_ever(), name="engine-sweep")

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
            self._sweeping = None
        entries = list(self._entries.values())
        self._entries.clear()
        self._by_engine.clear()
        await asyncio.gather(*(self._end(entry) for entry in entries), *self._closing, return_exceptions=True)

    # ---------------------------------------------------------------------------------- asking for one

    def key(self, kind: registry.Kind, name: str, options: Mapping[str, Any]) -> bytes:
        """The same for all who mean the same engine, by whatever name. Raises ConfigurationError."""
        return _key(kind, registry.resolve(kind, name), self._given(kind, name, options))

    def get(self, kind: registry.Kind, name: str, options: Mapping[str, Any]) -> Any:
        """The engine; new ones start beside the calls. Raises ConfigurationError, ProviderUnavailable."""
        own_name, given = registry.resolve(kind, name), self._given(kind, name, options)
        key = _key(kind, own_name, given)
        entry = self._entries.get(key)
        now_s = _now_s()
        if entry is not None and entry.state == "failed" and now_s - entry.failed_s > RETRY_S:
            self._drop(entry)
            entry = None
        if entry is None:
            engine = registry.create(kind, own_name, given)
            if isinstance(engine, CallsServers):
                engine.addresses = self._addresses
            if isinstance(engine, HasProcesses):
                self._make_room()
            else:
                self._let_go_of_light_ones()
            entry = Shelved(kind, own_name, key, engine, now_s)
            self._entries[key] = self._by_engine[id(engine)] = entry
            if self._sweeping is not None:
                entry.task = asyncio.get_running_loop().create_task(self._start(entry), name="engine-start")
        entry.wanted_s = now_s
        return entry.engine

    def of(self, engine: object) -> Shelved | None:
        return self._by_engine.get(id(engine))

    def health(self) -> list[EngineHealth]:
        """Of every engine with processes, those that are closed counted for their restarts."""
        sums: dict[tuple[str, str], list[int]] = {name: [0, 0, gone] for name, gone in self._retired.items()}
        for entry in self._entries.values():
            if isinstance(entry.engine, HasProcesses):
                health = entry.engine.health
                total = sums.setdefault((entry.kind, entry.name), [0, 0, 0])
                for at, number in enumerate((health.processes, health.up, health.restarts)):
                    total[at] += number
        return [EngineHealth(kind, name, *numbers) for (kind, name), numbers in sorted(sums.items())]

    # ---------------------------------------------------------------------------------- letting go

    def sweep(self, now_s: float) -> None:
        """Close what nobody has, wants or has asked for lately."""
        idle = [entry for entry in self._entries.values() if now_s - entry.wanted_s > self._idle_s]
        if idle:
            in_use, claimed = self._in_use(), self._claimed()
            for entry in idle:
                if entry.key not in claimed and id(entry.engine) not in in_use:
                    log.info("engine_closed", kind=entry.kind, engine=entry.name)
                    self._drop(entry)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep(_now_s())

    def _make_room(self) -> None:
        """For one more with processes: of those no call has, the one asked for longest ago goes, claimed or not; it starts again when it is
        asked for."""
        there = [entry for entry in self._entries.values() if isinstance(entry.engine, HasProcesses)]
        if len(there) < self._most:
            return
        in_use = self._in_use()
        idle = [entry for entry in there if id(entry.engine) not in in_use]
        if not idle:
            raise ConfigurationError(
                "engines.most", f"{self._most} different engines are in use, and no more are allowed"
            )
        self._drop(min(idle, key=lambda entry: (entry.needed, entry.wanted_s)))

    def _let_go_of_light_ones(self) -> None:
        """Engines without processes are connections and settings: past a bound, those that no call has and nobody claims are closed,
        the one asked for longest ago first."""
        there = [entry for entry in self._entries.values() if not isinstance(entry.engine, HasProcesses)]
        surplus = len(there) - _MOST_LIGHT + 1
        if surplus > 0:
            in_use, claimed = self._in_use(), self._claimed()
            idle = [entry for entry in there if id(entry.engine) not in in_use and entry.key not in claimed]
            for entry in sorted(idle, key=lambda entry: entry.wanted_s)[:surplus]:
                self._drop(entry)

    def _drop(self, entry: Shelved) -> None:
        del self._entries[entry.key]
        del self._by_engine[id(entry.engine)]
        if self._sweeping is not None:
            task = asyncio.get_running_loop().create_task(self._end(entry), name="engine-close")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _end(self, entry: Shelved) -> None:
        if entry.task is not None:
            entry.task.cancel()
            await asyncio.gather(entry.task, return_exceptions=True)
        if isinstance(entry.engine, HasProcesses):
            name = (entry.kind, entry.name)
            self._retired[name] = self._retired.get(name, 0) + entry.engine.health.restarts
        await entry.engine.close()

    async def _start(self, entry: Shelved) -> None:
        engine: Lifecycle = entry.engine
        entry.state = "starting"
        try:
            await engine.start()
        except (AntiphonError, OSError) as error:
            entry.state, entry.failed_s = "failed", _now_s()
            entry.problem = error.problem if isinstance(error, ProviderUnavailable) else str(error)
            if not entry.needed:  # else the start fails, and says why
                log.error("engine_start_failed", kind=entry.kind, engine=entry.name, problem=entry.problem)
        else:
            entry.state = "up"

    def _given(self, kind: registry.Kind, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        taken = registry.options(kind, name)
        own = {option: value for option, value in self._own.get(kind, {}).items() if option in taken}
        return {**own, **options}


def _key(kind: str, name: str, given: Mapping[str, Any]) -> bytes:
    """A digest: options may hold a vendor's key, which has no business in a table."""
    described = orjson.dumps([kind, name, given], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(described, digest_size=16).digest()


def _now_s() -> float:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:  # before the start
        return 0.0
