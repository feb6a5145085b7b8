"""What an object keeps alive: everything that can be reached from it, and how much it is."""

from __future__ import annotations

import gc
import sys
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Reach:
    """Objects and bytes by type."""

    objects: Counter[str]
    bytes: Counter[str]

    @property
    def total_bytes(self) -> int:
        return self.bytes.total()

    def grown(self, since: Reach) -> Counter[str]:
        """Types of which there are more than there were, and by how many."""
        return self.objects - since.objects


def reach_of(*roots: object, beyond: tuple[object, ...] = ()) -> Reach:
    """Walk from ``roots``, not into ``beyond``, code, classes or the event loop: those are not a call's."""
    seen = {id(each) for each in beyond}
    objects: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | BuiltinFunctionType | AbstractEventLoop):
            continue
        seen.add(id(each))
        objects[type(each).__name__] += 1
        sizes[type(each).__name__] += sys.getsizeof(each)
        waiting += _next_of(each)
    return Reach(objects, sizes)


def _next_of(each: Any) -> Iterator[Any]:
    if isinstance(each, FunctionType):
        # Not its globals: they are the module's.
        yield from each.__closure__ or ()
        yield from each.__defaults__ or ()
    else:
        yield from gc.get_referents(each)
