"""How many calls an organisation may have at once, planned ones included."""

from __future__ import annotations

from typing import Protocol


class CallLimits(Protocol):
    """Counted by call id, so that the same call is never counted twice."""

    limit: int
    """Of each organisation; 0: none."""

    async def take(self, org_id: str, call_id: str) -> bool:
        """A place for this call. False where all are taken."""
        ...

    async def taken(self, org_id: str) -> int: ...

    def release(self, org_id: str, call_id: str) -> None:
        """The call is over. Returns at once; safe to say twice."""
        ...


class MemoryLimits:
    """``CallLimits`` of one process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._calls: dict[str, set[str]] = {}

    async def take(self, org_id: str, call_id: str) -> bool:
        calls = self._calls.setdefault(org_id, set())
        if call_id not in calls and self.limit and len(calls) >= self.limit:
            return False
        calls.add(call_id)
        return True

    async def taken(self, org_id: str) -> int:
        return len(self._calls.get(org_id, ()))

    def release(self, org_id: str, call_id: str) -> None:
        calls = self._calls.get(org_id)
        if calls is not None:
            calls.discard(call_id)
            if not calls:
                del self._calls[org_id]
