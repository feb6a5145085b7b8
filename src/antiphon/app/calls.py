"""What an application keeps of each call: who calls, and whatever it puts there itself. It expires."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long calls are kept, in seconds since the last that was heard of them, and how many."""

    idle_s: float = 3 * 3600.0
    """Longer than any call may last."""
    ended_s: float = 300.0
    """After its end-of-call-report: what comes late still finds it."""
    most: int = 10_000
    """The one that was not heard of for the longest time makes room."""


@dataclass(slots=True)
class Call:
    """One call, the same object for all that comes about it. Handlers of one call may run at once."""

    id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    """``message.call`` as it came last."""
    state: dict[str, Any] = field(default_factory=dict)
    """The application's own: whatever it wants to find again while the call lives."""
    ended: bool = False

    @property
    def caller(self) -> str:
        """The caller's number; empty where it is not known."""
        customer = self.details.get("customer")
        number = customer.get("number") if isinstance(customer, Mapping) else None
        return number if isinstance(number, str) else ""


@dataclass(slots=True)
class _Kept:
    call: Call
    until_ms: int


class Calls:
    """Those that are remembered. Each of two lists is in the order in which its calls expire."""

    def __init__(self, lifetimes: Lifetimes, now_ms: Callable[[], int]) -> None:
        self._lifetimes = lifetimes
        self._now_ms = now_ms
        self._live: OrderedDict[str, _Kept] = OrderedDict()
        self._ended: OrderedDict[str, _Kept] = OrderedDict()

    def __len__(self) -> int:
        self._forget()
        return len(self._live) + len(self._ended)

    def about(self, message: Mapping[str, Any]) -> Call:
        """The call that a message is about; one of its own for a message about none."""
        details = message.get("call")
        details = details if isinstance(details, Mapping) else {}
        id = details.get("id")
        if not isinstance(id, str) or not 0 < len(id) <= 128:
            return Call("", details)
        call = self.find(id) or Call(id)
        call.details = {**details, "customer": details.get("customer") or message.get("customer")}
        call.ended = call.ended or message.get("type") == "end-of-call-report"
        self._live.pop(id, None)
        self._ended.pop(id, None)
        kept, lifetime_s = (
            (self._ended, self._lifetimes.ended_s) if call.ended else (self._live, self._lifetimes.idle_s)
        )
        kept[id] = _Kept(call, self._now_ms() + round(lifetime_s * 1000))
        while len(self._live) + len(self._ended) > self._lifetimes.most:
            (self._ended or self._live).popitem(last=False)
        return call

    def find(self, id: str) -> Call | None:
        """None where it has expired, or was never heard of."""
        self._forget()
        kept = self._live.get(id) or self._ended.get(id)
        return kept.call if kept is not None else None

    def _forget(self) -> None:
        now = self._now_ms()
        for calls in (self._live, self._ended):
            while calls and next(iter(calls.values())).until_ms <= now:
                calls.popitem(last=False)
