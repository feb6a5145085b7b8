"""What is measured of calls day by day, out of their records, as a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """One call that has ended, as far as a day's figures need it."""

    wall_ms: int
    """When it was made."""
    cost_usd: float
    turn_ms: Sequence[int] = ()
    """Of each turn that was answered with sound: from the caller's last sound to the first of the answer."""
    interruptions: int = 0


class MeasuredCalls(Protocol):
    """Calls that have ended."""

    async def measured(self, org_id: str, from_wall_ms: int, limit: int) -> Sequence[MeasuredCall]:
        """Those made since then, the newest first. Raises StoreUnavailable."""
        ...
