"""What must arrive: a delivery is a row until it is acknowledged, whoever dies meanwhile. The protocol of its store, and its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

DeliveryStatus = Literal["pending", "delivered", "failed"]
MAX_ANSWER_CHARS = 2000
"""What of an answer the log keeps."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one receiver. ``target`` is the server as its assistant writes it (``ServerSpec``): what it needs to know is looked
    up again with every attempt, so a credential that was replaced is not tried for a day."""

    id: str
    org_id: str
    type: str
    """The message's type, e.g. ``end-of-call-report``."""
    target: Mapping[str, Any]
    body: str
    """JSON text, sent as it is: a retry is the same bytes."""
    created_wall_ms: int
    due_wall_ms: int
    call_id: str = ""
    assistant_id: str = ""
    timeout_ms: int = 20_000
    attempts: int = 0
    status: DeliveryStatus = "pending"
    lease: str = ""
    """Whoever works on it; empty for nobody."""
    leased_until_wall_ms: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was made, for the log. ``status`` is None where there was no answer, and ``error`` says why."""

    wall_ms: int
    duration_ms: int
    status: int | None = None
    error: str = ""
    answer: str = ""
    """Its beginning."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery that was claimed. ``retry_wall_ms`` None with ``acknowledged`` False: given up."""

    delivery: Delivery
    attempt: Attempt
    acknowledged: bool
    retry_wall_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """An attempt and what it was for."""

    delivery: Delivery
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class AttemptListing:
    """Which part of the log is asked for; empty: any."""

    limit: int = 100
    offset: int = 0
    call_id: str = ""
    delivery_id: str = ""
    equal: Mapping[str, str] = field(default_factory=dict)


class DeliveryStore(Protocol):
    """The outbox. Several processes may work on one. All raise StoreUnavailable where the database does not answer."""

    async def add(self, delivery: Delivery) -> bool:
        """False where there is one of this id: what is sent twice by mistake is delivered once."""
        ...

    async def claim(self, wall_ms: int, limit: int, lease: str, grace_ms: int) -> Sequence[Delivery]:
        """Those that are due, the oldest first, and nobody works on: now the holder of ``lease`` does, until each's time limit and
        ``grace_ms`` have passed. So what a dead process held comes free by itself."""
        ...

    async def settle(self, outcomes: Sequence[Outcome]) -> int:
        """Write down what became of deliveries, all or none. One whose lease is another's by now keeps its state; its attempt is logged.
        Returns how many were changed."""
        ...

    async def next_due(self) -> int | None:
        """When the next one is due (or its lease ends), in wall ms; None: nothing waits."""
        ...

    async def find(self, org_id: str, id: str) -> Delivery | None: ...

    async def of_call(self, org_id: str, call_id: str, limit: int) -> Sequence[Delivery]:
        """What was to be told about one call, whether it has been tried yet or not, in the order in which it was put there."""
        ...

    async def attempts(self, org_id: str, listing: AttemptListing) -> Sequence[LoggedAttempt]:
        """The log, newest first."""
        ...

    async def forget(self, before_wall_ms: int, call_id: str = "") -> int:
        """Delete what is settled and older (retention), or all of one call (erasure, whatever its state). How many."""
        ...
