"""What Linux says about processes and the machine: CPU time, memory, load.

Parsing is pure and takes the text of the files of ``/proc`` (proc(5)); reading is one function each.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from antiphon.errors import AntiphonError

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class ProcessGone(AntiphonError):
    """A process that is being measured has ended, or its figures may not be read."""

    code = "process_gone"


@dataclass(frozen=True, slots=True)
class Memory:
    """One process's memory. Shared pages count wholly in ``rss_kib`` and by their share in ``pss_kib``."""

    rss_kib: int
    pss_kib: int
    own_kib: int
    """Anonymous pages: heaps and stacks. Unlike the two others, and unlike "private", it does not change when somebody else begins
    or ceases to map the same libraries, so it is the one that growth is measured in."""


@dataclass(frozen=True, slots=True)
class MachineTime:
    """CPU seconds of all cores since the machine started."""

    busy_s: float
    """Everything but idle and waiting for a disk."""
    steal_s: float
    """Taken by the hypervisor for other machines. Part of ``busy_s``."""


def parse_cpu_s(stat: str) -> float:
    """User and system CPU seconds of all threads, from ``/proc/<pid>/stat``. Exact to a hundredth of a second."""
    # The second field is the program's name in brackets and may hold anything, brackets too.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def parse_memory(smaps_rollup: str) -> Memory:
    """From ``/proc/<pid>/smaps_rollup``."""
    kib: dict[str, int] = {}
    for line in smaps_rollup.splitlines()[1:]:
        name, _, rest = line.partition(":")
        kib[name] = int(rest.split()[0])
    return Memory(kib["Rss"], kib["Pss"], kib["Anonymous"])


def parse_machine_time(stat: str) -> MachineTime:
    """From the first line of ``/proc/stat``: user nice system idle iowait irq softirq steal guest guest_nice."""
    ticks = [int(field) for field in stat.split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return MachineTime((sum(ticks) - idle) / TICKS_PER_S, ticks[7] / TICKS_PER_S)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process. Raises ProcessGone."""
    return parse_cpu_s(_read(pid, "stat"))


def children_cpu_s(pid: int) -> float:
    """CPU seconds of its living descendants (worker processes). Raises ProcessGone for ``pid`` itself only."""
    total_s = 0.0
    for child in children(pid):
        try:
            total_s += cpu_s(child) + children_cpu_s(child)
        except ProcessGone:
            continue  # it ended since it was listed
    return total_s


def memory(pid: int) -> Memory:
    """Raises ProcessGone."""
    return parse_memory(_read(pid, "smaps_rollup"))


def threads(pid: int) -> int:
    """Raises ProcessGone."""
    return _entries(pid, "task")


def open_files(pid: int) -> int:
    """Files, sockets and pipes. Raises ProcessGone."""
    return _entries(pid, "fd")


def machine_time() -> MachineTime:
    return parse_machine_time((_PROC / "stat").read_text())


def children(pid: int) -> list[int]:
    """Its living children, of whatever thread. Raises ProcessGone."""
    try:
        threads = list((_PROC / str(pid) / "task").iterdir())
    except OSError as error:
        raise ProcessGone(f"process {pid} cannot be read ({error.strerror})") from error
    children: list[int] = []
    for thread in threads:
        try:
            children += [int(child) for child in (thread / "children").read_text().split()]
        except OSError:
            continue  # the thread has ended, or the kernel keeps no such list
    return children


def _entries(pid: int, name: str) -> int:
    try:
        return len(os.listdir(_PROC / str(pid) / name))
    except OSError as error:
        raise ProcessGone(f"process {pid} cannot be read ({error.strerror})") from error


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text()
    except OSError as error:
        raise ProcessGone(f"process {pid} cannot be read ({error.strerror})") from error
