"""What it takes to begin: from the command to the first answer of ``/readyz``, and what has to be installed for it."""

from __future__ import annotations

import re
import statistics
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from antiphon.bench.measure import Bench

STARTS = 5
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Installed:
    """The packages a lock file names, as they stand in this environment."""

    packages: int
    mib: float


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the command to ready, each of ``STARTS`` times. The first one may read from the disk."""

    ready_s: tuple[float, ...]
    installed: Installed | None
    """None where there is no lock file to read."""

    @property
    def typical_s(self) -> float:
        """The median."""
        return statistics.median(self.ready_s)


async def measure_start(bench: Bench, packages: Installed | None) -> Start:
    """Start the server ``STARTS`` times. Raises BenchFailed."""
    ready_s = []
    for _ in range(STARTS):
        started_s = time.monotonic()
        async with bench.target.running(bench.cores.server, bench.scratch):
            ready_s.append(time.monotonic() - started_s)
    return Start(tuple(ready_s), packages)


def installed(lock: Path) -> Installed | None:
    """Number and size of a lock file's packages; None where there is no such file. A package for other platforms is not installed,
    and not counted. Raises OSError."""
    if not lock.is_file():
        return None
    names = set(_PINNED.findall(lock.read_text()))  # a package may have a line for each of two Pythons
    sizes = [size for name in names if (size := _installed_bytes(name)) is not None]
    return Installed(len(sizes), sum(sizes) / 2**20)


def _installed_bytes(name: str) -> int | None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    paths = (Path(str(found.locate_file(path))) for path in found.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file())
