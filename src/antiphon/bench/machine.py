"""The machine a figure comes from, and a yardstick that lets figures of two machines be compared."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

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
