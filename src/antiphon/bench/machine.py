"""The machine a figure comes from, and two yardsticks: how quick its cores are, and how far away its memory."""

from __future__ import annotations

import os
import platform
import random
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader must know to judge a figure."""

    cores: int
    model: str
    kernel: str
    python: str
    memory_mib: int


def this_machine() -> Machine:
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cores=os.cpu_count() or 1,
        model=model or platform.machine(),
        kernel=platform.release(),
        python=platform.python_version(),
        memory_mib=pages // 2**20,
    )


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core serves and which ones call; None where the system does not let us choose, or has but one."""

    server: frozenset[int] | None
    callers: frozenset[int] | None


def divide_cores() -> Cores:
    """The first core for the server, the others for the callers: neither takes time from the other."""
    if not hasattr(os, "sched_setaffinity"):
        return Cores(None, None)
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        return Cores(None, None)
    return Cores(frozenset(allowed[:1]), frozenset(allowed[1:]))


def pin(pid: int, cores: frozenset[int] | None) -> None:
    """Keep a process (0: this one) on ``cores``, if any are named. Raises OSError where it is not ours."""
    if cores is not None:
        os.sched_setaffinity(pid, cores)


_DICT_ROUNDS = 1_600_000
_ARRAY_ROUNDS = 28_000


def time_reference(repeats: int = 1) -> float:
    """CPU milliseconds of a fixed piece of work, the best of ``repeats``: half dictionaries, strings and calls, as an event loop
    spends them, half small numpy arrays, as the media plane does. About a second altogether."""
    return min(_time_once() for _ in range(repeats))


def _time_once() -> float:
    samples = np.arange(160 * 200, dtype=np.float32).reshape(200, 160)
    started_ns = time.process_time_ns()
    _run_dictionaries()
    _run_arrays(samples)
    return (time.process_time_ns() - started_ns) / 1e6


def _run_dictionaries() -> int:
    total = 0
    for index in range(_DICT_ROUNDS):
        entry = {"sequence": str(index & 1023), "name": "caller"}
        total += len(entry["sequence"]) + len(entry["name"])
    return total


def _run_arrays(samples: NDArray[np.float32]) -> float:
    level = 0.0
    for _ in range(_ARRAY_ROUNDS):
        power = np.mean(samples * samples, axis=1)
        level += float(np.sqrt(power).max())
    return level


_CHAIN_NODES = 40_000
"""About four megabytes: more than a core's own caches hold, less than a process has of the one that all cores of a chip share."""
_CHAIN_STEPS = 200_000


class MemoryYardstick:
    """What a step from one object to another costs where no cache of the core holds it, as most objects of a call are when its next message
    comes. On a virtual machine neighbours that cannot be seen decide whether the cores' shared cache holds it."""

    def __init__(self) -> None:
        nodes: list[list[Any]] = [[] for _ in range(_CHAIN_NODES)]
        order = list(range(_CHAIN_NODES))
        random.Random(1).shuffle(order)
        for here, there in zip(order, [*order[1:], order[0]], strict=True):
            nodes[here].append(nodes[there])
        self._node = nodes[0]

    def step_ns(self) -> float:
        """Nanoseconds of CPU a step, the middle one of three times 200,000. On a machine to oneself some 50; 300 where others use its cache
        and its memory."""
        return median(self._walk() for _ in range(3))

    def _walk(self) -> float:
        node = self._node
        started_ns = time.process_time_ns()
        for _ in range(_CHAIN_STEPS):
            node = node[0]
        self._node = node
        return (time.process_time_ns() - started_ns) / _CHAIN_STEPS
